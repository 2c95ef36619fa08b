"""Schools of several networks: which of them an effect counts for, by hand, and through models and their checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, spell, study
from surveyed_study import NETWORKS, entry, surveyed

from plneval.challenge.recompute_split import split_again
from plneval.challenge.recompute_spread import spread_again
from plneval.challenge.recovery import recovery
from plneval.challenge.robustness import leave_one_out_table
from plneval.config.models import GroupTime
from plneval.config.network_models import Moderation, Split, Spread
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Fit
from plneval.estimate.group_time import group_time
from plneval.estimate.moderation import moderation
from plneval.estimate.sample import read_school_sample
from plneval.estimate.split import split
from plneval.estimate.spread import found_spread, spread
from plneval.networks.answers import scored
from plneval.networks.registry import Rule
from plneval.networks.several_networks import counted_elsewhere, school_networks
from plneval.networks.study import NetworkStudy
from plneval.networks.study_tables import StudyTables

RULES: tuple[Rule, ...] = ("first", "strongest_dose", "all")
SPREAD = Spread(kind="networks.spread", label="s", outcome="maths")
SLOPES = Moderation(kind="networks.moderation", label="m", outcome="maths", conditions=["trust"])
BY_TYPE = Split(kind="networks.split", label="t", outcome="maths", by="network_type")
HEADLINE = GroupTime(kind="did.att_gt", label="h", outcome="maths")


def tables(memberships: list[dict[str, object]], events: list[tuple[str, str, int]] = ()) -> StudyTables:
    """Schools A, B and C, which joined alpha (1) in 2014, and other networks (2, 3); events are (network, date, hours).

    Events are attended by school A.
    """
    members = [spell("alpha", school, "2013-10-01") for school in "ABC"]
    return study(
        schools=[{"school_id": name, "arm": "member", "entry_year": 2014, "network": 1} for name in "ABC"]
        + [{"school_id": "D"}],
        networks=[{"network_id": name} for name in ("alpha", "beta", "gamma")],
        memberships=[*members, *memberships],
        activity=[
            {"network_id": network, "event_id": str(number), "school_id": "A", "date": date, "hours": hours}
            for number, (network, date, hours) in enumerate(events)
        ],
    )


def of_a(found: pd.DataFrame) -> dict[int, float]:
    own = found.loc[found["school"] == 1]
    return dict(zip(own["network"], own["part"], strict=True))


def test_a_school_in_two_networks_at_once_counts_by_the_rule() -> None:
    events = [("alpha", "2014-02-01", 3), ("alpha", "2014-11-01", 3), ("beta", "2015-11-01", 7)]
    made = tables([spell("beta", "A", "2015-10-01")], events)
    assert of_a(school_networks(made)) == of_a(school_networks(made, "first")) == {1: 1.0}
    assert of_a(school_networks(made, "all")) == {1: 0.5, 2: 0.5}
    # Seven hours in one year of beta are more than six in three years of alpha.
    assert of_a(school_networks(made, "strongest_dose")) == {2: 1.0}
    assert {rule: counted_elsewhere(made, rule) for rule in RULES} == {"first": 0, "strongest_dose": 1, "all": 1}
    for rule in RULES:
        found = school_networks(made, rule)
        assert found.groupby("school")["part"].sum().to_dict() == {1: 1.0, 2: 1.0, 3: 1.0}
        assert found.loc[found["school"] > 1, "network"].tolist() == [1, 1]


def test_an_unknown_dose_leaves_a_school_in_its_first_network_and_a_dose_of_zero_does_not() -> None:
    beta = [spell("beta", "A", "2015-10-01")]
    of_beta = ("beta", "2015-11-01", 2)
    # Nothing is recorded of alpha: that school A came there less often cannot be said.
    assert of_a(school_networks(tables(beta, [of_beta]), "strongest_dose")) == {1: 1.0}
    # Alpha met, and A did not come.
    made = study(
        schools=[{"school_id": name, "arm": "member", "entry_year": 2014, "network": 1} for name in "AB"],
        networks=[{"network_id": name} for name in ("alpha", "beta")],
        memberships=[spell("alpha", "A", "2013-10-01"), spell("alpha", "B", "2013-10-01"), *beta],
        activity=[
            {"network_id": "beta", "event_id": "1", "school_id": "A", "date": "2015-11-01", "hours": 2},
            {"network_id": "alpha", "event_id": "2", "school_id": "B", "date": "2015-11-01", "hours": 9},
        ],
    )
    assert of_a(school_networks(made, "strongest_dose")) == {2: 1.0}
    # As many hours in both: the one joined first.
    made = tables(beta, [of_beta, ("alpha", "2015-12-01", 2)])
    assert of_a(school_networks(made, "strongest_dose")) == {1: 1.0}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "memberships",
    [
        [spell("beta", "A", "2016-10-01")],  # 2017, the fourth year: after the decision
        [],
    ],
)
def test_a_network_joined_after_the_third_year_changes_nothing(rule: Rule, memberships: list) -> None:
    assert of_a(school_networks(tables(memberships), rule)) == {1: 1.0}


@pytest.mark.parametrize("rule", RULES)
def test_a_school_that_moves_from_one_network_to_another_stays_with_its_first(rule: Rule) -> None:
    made = study(
        schools=[{"school_id": "A", "arm": "member", "entry_year": 2014, "network": 1}],
        networks=[{"network_id": name} for name in ("alpha", "beta")],
        memberships=[spell("alpha", "A", "2013-10-01", "2014-12-01"), spell("beta", "A", "2014-12-02")],
    )
    assert of_a(school_networks(made, rule)) == {1: 1.0}


def of_rule(folder: Path, rule: Rule, shared: bool = True) -> NetworkStudy:
    """The study of ``surveyed_study``; the first school of every odd network is in the next one as well, from 2015 on.

    It goes there for three hours, and to its own network for one. Networks are of two types by turns of two.
    """
    made = surveyed(folder)
    declared = cohort(study={"first_year": 2013}, design={"weight": "schools", "several_networks": rule})
    old = made.tables.schools
    members = [(n, f"m{n}{k}") for n in range(1, NETWORKS + 1) for k in range(2)]
    both = [(n + 1, f"m{n}0") for n in range(1, NETWORKS, 2)] if shared else []
    events = [(n, name, 1) for n, name in members] + [(n, name, 3) for n, name in both]
    new = study(
        schools=[
            {"school_id": name, "arm": "member", "network": n, "entry_year": entry(n), "cluster": (n + 1) // 2}
            for n, name in members
        ]
        + [{"school_id": f"c{k}", "cluster": 100 + k} for k in range(len(old) - len(members))],
        config=declared,
        networks=[
            {"network_id": f"n{n}", "type": "lesson study" if n % 4 in (1, 0) else "data use"}
            for n in range(1, NETWORKS + 1)
        ],
        memberships=[spell(f"n{n}", name, f"{entry(n) - 1}-10-01") for n, name in members]
        + [spell(f"n{n}", name, "2014-10-01") for n, name in both],
        activity=[
            {"network_id": f"n{n}", "event_id": name, "school_id": name, "date": "2015-11-01", "hours": hours}
            for n, name, hours in events
        ],
    )
    study_of_rule = NetworkStudy(declared, folder, folder, made.instrument)
    study_of_rule.__dict__["tables"] = new
    table = pd.read_parquet(folder / "panel_school.parquet")
    kinds = new.networks.set_index("network")["type"]
    table["network_type"] = table["network"].map(kinds)
    table["cluster"] = table["cluster"].where(table["network"].isna(), (table["network"] + 1) // 2).astype("Int64")
    table.to_parquet(folder / "panel_school.parquet")
    return study_of_rule


@pytest.fixture(scope="module", params=RULES)
def by_rule(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NetworkStudy:
    return of_rule(tmp_path_factory.mktemp(str(request.param)), request.param)


def headline(study: NetworkStudy) -> float:
    sample = read_school_sample(study.panel, study.cohort, "maths", "all", "z")
    fit = group_time(sample, HEADLINE, PupilCounts.read(study.panel, "maths", "all"))
    return next(one.estimate for one in fit.estimates if one.estimand == "att_third_year_on")


def test_the_networks_mean_is_the_headline_under_every_rule(by_rule: NetworkStudy) -> None:
    table = found_spread(by_rule, SPREAD)[0].table
    assert float(table["weight"] @ table["estimate"]) == pytest.approx(headline(by_rule), abs=1e-14)
    # Four odd networks share a school with the next: of 16 member schools, none is lost and none counts twice.
    expected = {"first": [2, 2], "strongest_dose": [1, 3], "all": [2, 3]}[by_rule.cohort.design.several_networks]
    assert table["n_schools"].tolist() == expected * 4


def test_the_kinds_mean_is_the_headline_under_every_rule(by_rule: NetworkStudy) -> None:
    """Members of each kind by weight: of school-years from the third year on, as the headline is."""
    fit = split(by_rule, BY_TYPE)
    parts = {one.term: one for one in fit.estimates if one.estimand == "att_split"}
    kinds = by_rule.tables.networks.set_index("network")["type"]
    years = {n: 2017 - (entry(n) + 2) + 1 for n in range(1, NETWORKS + 1)}
    pairs = by_rule.school_networks.assign(kind=by_rule.school_networks["network"].map(kinds))
    first = by_rule.tables.schools.set_index("school")["network"]
    pairs["weight"] = pairs["part"] * pairs["school"].map(first).map(years)
    weight = pairs.groupby("kind")["weight"].sum()
    mean = sum(weight[kind] * parts[f"network_type:{kind}"].estimate for kind in weight.index) / weight.sum()
    assert mean == pytest.approx(headline(by_rule), abs=1e-14)
    networks = pairs.groupby("kind")["network"].nunique()
    assert {term: one.basis.n_networks for term, one in parts.items()} == {
        f"network_type:{kind}": networks[kind] for kind in weight.index
    }


def test_rules_give_different_effects_where_schools_are_shared(tmp_path: Path) -> None:
    effects = {}
    for rule in RULES:
        (tmp_path / rule).mkdir()
        effects[rule] = found_spread(of_rule(tmp_path / rule, rule), SPREAD)[0]
    values = {rule: found.table.set_index("unit")["estimate"] for rule, found in effects.items()}
    # The shared school of networks 1 and 2 has 0.05 (its first's); network 2's others have 0.10.
    assert values["first"][2] == pytest.approx(0.10, abs=0.06)
    for rule in ("strongest_dose", "all"):
        assert abs(values[rule][2] - values["first"][2]) > 1e-3
    cross = {rule: found.covariance[0, 1] for rule, found in effects.items()}
    assert cross["all"] > cross["first"]


def test_the_checks_follow_the_rule(by_rule: NetworkStudy) -> None:
    mean = spread(by_rule, SPREAD).estimates[0]
    again = spread_again(by_rule.cohort, SPREAD, by_rule.panel, by_rule)[0]
    assert (again.value, again.se) == pytest.approx((mean.estimate, mean.se), rel=1e-9)
    parts = {one.term: one.estimate for one in split(by_rule, BY_TYPE).estimates if one.estimand == "att_split"}
    found = {one.term: one.value for one in split_again(by_rule.cohort, BY_TYPE, by_rule.panel, by_rule)}
    assert found == pytest.approx(parts, abs=1e-12)
    assert len(found) == 2


def test_leaving_a_network_out_takes_its_part_of_shared_schools(by_rule: NetworkStudy) -> None:
    """The headline is the mean over networks: without one of them, the mean over the others by their weights."""
    sample = read_school_sample(by_rule.panel, by_rule.cohort, "maths", "all", "z")
    left = leave_one_out_table("h", sample, HEADLINE, by_rule.school_networks)
    table = found_spread(by_rule, SPREAD)[0].table
    w, y = table["weight"].to_numpy(), table["estimate"].to_numpy()
    expected = np.sort([(w @ y - w[k] * y[k]) / (1 - w[k]) for k in range(len(w))])
    assert left["estimate"].to_numpy() == pytest.approx(expected, abs=1e-12)


def test_slopes_count_a_shared_school_once(by_rule: NetworkStudy) -> None:
    basis = moderation(by_rule, SLOPES).estimates[0].basis
    assert (basis.n_networks, basis.n_schools) == (8, 22)


def test_who_names_no_network_answers_for_that_of_the_rule(tmp_path: Path) -> None:
    networks = {}
    for rule in RULES:
        (tmp_path / rule).mkdir()
        made = of_rule(tmp_path / rule, rule)
        surveys = pd.read_parquet(made.panel / "surveys.parquet")
        surveys.assign(network_id=pd.Series(None, index=surveys.index, dtype="str")).to_parquet(
            made.panel / "surveys.parquet"
        )
        answers = scored(made, "conditions")
        assert answers is not None
        networks[rule] = set(answers.scores.loc[answers.scores["school"] == 1, "network"])
    assert networks == {"first": {1}, "strongest_dose": {2}, "all": {1}}


def test_without_shared_schools_no_rule_changes_a_record(tmp_path: Path) -> None:
    fits: dict[Rule, list[Fit]] = {}
    for rule in RULES:
        (tmp_path / rule).mkdir()
        made = of_rule(tmp_path / rule, rule, shared=False)
        fits[rule] = [spread(made, SPREAD), moderation(made, SLOPES), split(made, BY_TYPE)]
    for rule in RULES[1:]:
        for own, other in zip(fits["first"], fits[rule], strict=True):
            assert own.estimates == other.estimates
            assert (own.sample, own.warnings, own.diagnostics) == (other.sample, other.warnings, other.diagnostics)
            pd.testing.assert_frame_equal(own.influence, other.influence, check_exact=True)


def test_planted_effects_by_first_network_are_no_truth_for_another_rule(tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text(
        '{"headline": {}, "effects": {}, "networks": {"1": {"third_year_on": {"maths": 0.1}, "conditions": {}}, '
        '"2": {"third_year_on": {"maths": 0.2}, "conditions": {}}}}',
        encoding="utf-8",
    )
    record = {"model": "s", "estimator": "networks.spread", "estimand": "network_effect_mean", "term": ""}
    record |= {"event_time": None, "estimate": 0.1, "se": 0.1, "ci_low": -0.1, "ci_high": 0.3}
    records = pd.DataFrame([{**record, "outcome": "maths", "subgroup": "all"}])
    assert recovery(truth, records)["truth"].tolist() == pytest.approx([0.15])
    assert recovery(truth, records, first_networks=False).empty

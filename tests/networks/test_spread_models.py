"""Spread, moderation and the path over practice as models: from panels and answers to records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from surveyed_study import INSTRUMENT, NETWORKS, entry, surveyed

from plneval.artifacts import write_table
from plneval.challenge.network_spread import network_caterpillar
from plneval.challenge.recompute_spread import spread_again
from plneval.config.network_models import Mediation, Moderation, Spread
from plneval.describe.practice_waves import practice_waves
from plneval.describe.survey_measures import OF_SURVEYS
from plneval.errors import UserError
from plneval.estimate.mediation import mediated, mediation
from plneval.estimate.moderation import moderation, moderators
from plneval.estimate.spread import found_spread, spread
from plneval.networks.answers import scored
from plneval.networks.study import NetworkStudy

SPREAD = Spread(kind="networks.spread", label="s", outcome="maths")
SLOPES = Moderation(kind="networks.moderation", label="m", outcome="maths", conditions=["trust"])
PATH = Mediation(kind="networks.mediation", label="p", outcome="maths", form="teaching", scale="practice")
TRUE = 0.05 * np.arange(1, NETWORKS + 1)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> NetworkStudy:
    return surveyed(tmp_path_factory.mktemp("surveyed"))


def test_the_spread_of_known_effects_is_found(study: NetworkStudy) -> None:
    fit = spread(study, SPREAD)
    found = {one.estimand: one for one in fit.estimates}
    assert list(found) == ["network_effect_mean", "between_network_sd", "att_new_network", "networks_below_zero"]
    # Errors of a network are about 0.02 √(1/2 + 1/6 …) = 0.02: far below the spread.
    effects = found_spread(study, SPREAD)[0].table["estimate"].to_numpy()
    assert np.abs(effects - TRUE).max() < 0.06
    assert found["network_effect_mean"].estimate == pytest.approx(TRUE.mean(), abs=0.02)
    assert found["between_network_sd"].estimate == pytest.approx(TRUE.std(ddof=1), abs=0.03)
    low, high = found["between_network_sd"].bounds or (None, None)
    assert low is not None
    assert high is not None
    assert 0 < low < TRUE.std(ddof=1) < high
    new_low, new_high = found["att_new_network"].bounds or (0.0, 0.0)
    assert new_low < found["network_effect_mean"].estimate - TRUE.std(ddof=1)
    assert new_high > found["network_effect_mean"].estimate + TRUE.std(ddof=1)
    basis = found["between_network_sd"].basis
    assert (basis.n_networks, basis.n_schools, basis.clusters_treated, basis.clusters_comparison) == (8, 22, 8, 6)


@pytest.mark.parametrize("consent", [True, False])
def test_networks_are_named_by_size_of_their_effect_where_they_consent(study: NetworkStudy, consent: bool) -> None:
    design = study.cohort.design.model_copy(update={"networks_consent_to_be_named": consent})
    asked = replace(study, cohort=study.cohort.model_copy(update={"design": design}))
    asked.__dict__["tables"] = study.tables
    known = asked.tables.networks.assign(name=[f"  Network  {n}" for n in asked.tables.networks["network"]])
    asked.__dict__["tables"] = replace(asked.tables, networks=known)
    table = network_caterpillar(asked, {"spread": SPREAD}, pd.DataFrame())
    effects = found_spread(study, SPREAD)[1].networks.sort_values("shrunken", kind="stable")
    assert table["shrunken"].tolist() == effects["shrunken"].tolist()
    assert table["name"].tolist() == [f"Network {unit}" if consent else "" for unit in effects["unit"]]


def test_the_mean_is_the_same_by_generalised_least_squares(study: NetworkStudy) -> None:
    again = spread_again(study.cohort, SPREAD, study.panel)
    mean = spread(study, SPREAD).estimates[0]
    assert [(one.estimand, one.term) for one in again] == [("network_effect_mean", "")]
    assert again[0].value == pytest.approx(mean.estimate, rel=1e-9)
    assert again[0].se == pytest.approx(mean.se, rel=1e-9)


def test_one_network_has_no_spread_and_says_why(tmp_path: Path) -> None:
    fit = spread(surveyed(tmp_path, networks=1), SPREAD)
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"][0].startswith("one network only")


def test_a_slope_is_for_one_sd_of_the_true_condition(study: NetworkStudy) -> None:
    one = moderators(study, SLOPES)[1][0]
    found = one.found
    assert found is not None
    fit = {estimate.estimand: estimate for estimate in moderation(study, SLOPES).estimates}
    adjusted, naive = fit["moderation_slope"], fit["moderation_slope_naive"]
    # Effects and conditions both rise evenly with the network's number: an SD of the condition is an SD of the effect.
    assert adjusted.estimate == pytest.approx(TRUE.std(ddof=1), abs=0.025)
    assert naive.estimate < adjusted.estimate
    assert one.unit == pytest.approx(found.observed_sd * np.sqrt(found.reliability))
    assert adjusted.estimate == pytest.approx(found.slope * one.unit)
    assert adjusted.p == naive.p == found.p
    assert adjusted.df == NETWORKS - 2


def test_conditions_measured_after_the_outcome_are_refused_left_out_or_forced(tmp_path: Path) -> None:
    # The first wave is in 2017; networks that joined in 2014 have outcomes from 2016 on, the others from 2017 on.
    late = surveyed(tmp_path, wave_years=(2017,))
    refused = moderation(late, SLOPES)
    assert refused.estimates == ()
    assert refused.diagnostics["not_estimated"] == [
        "Trust: first measured after the outcome in 4 of 8 networks: refused as a moderator"
    ]
    without = moderation(late, SLOPES.model_copy(update={"late": "leave_out"}))
    assert {one.basis.n_networks for one in without.estimates} == {4}
    assert {one.basis.n_schools for one in without.estimates} == {14}
    assert "networks measured after their first outcome are left out" in without.estimates[0].warnings
    forced = moderation(late, SLOPES.model_copy(update={"late": "force"}))
    assert {one.basis.n_networks for one in forced.estimates} == {8}
    assert "measured after the outcome, which may have shaped the answers" in forced.estimates[0].warnings


def test_without_answers_there_is_no_slope_and_no_path(tmp_path: Path) -> None:
    silent = surveyed(tmp_path, answers=False)
    assert moderation(silent, SLOPES).diagnostics["not_estimated"] == ["no answers to the questionnaire 'conditions'"]
    assert mediation(silent, PATH).diagnostics["not_estimated"] == ["no answers to the questionnaire 'teaching'"]
    undeclared = NetworkStudy(silent.cohort, silent.tables_folder, silent.panel, None)
    undeclared.__dict__["tables"] = silent.tables
    assert moderation(undeclared, SLOPES).estimates == ()
    assert mediation(undeclared, PATH).estimates == ()


def test_names_that_the_questionnaire_does_not_have_are_mistakes(study: NetworkStudy) -> None:
    with pytest.raises(UserError, match=r"no scale 'trsut'.*Did you mean 'trust'"):
        moderation(study, SLOPES.model_copy(update={"conditions": ["trsut"]}))
    with pytest.raises(UserError, match=r"no scale 'practise'"):
        mediation(study, PATH.model_copy(update={"scale": "practise"}))


def test_the_path_is_that_of_ordinary_regressions(study: NetworkStudy) -> None:
    spec = PATH.model_copy(update={"covariates": ["deprivation"]})
    rows = mediated(study, spec).schools
    # In 2015 networks are in their first or second year, in 2017 all in their third or later.
    assert rows["wave"].unique().tolist() == ["1"]
    expected = {network: 2015 - entry(network) + 1 for network in range(1, NETWORKS + 1)}
    assert rows.groupby("network")["participation"].first().to_dict() == expected
    panel = pd.read_parquet(study.panel / "panel_school.parquet").set_index(["school", "year"])["z"]
    school = int(rows["school"].iloc[0])
    assert rows["outcome"].iloc[0] == pytest.approx(panel[school, 2015] - panel[school, entry(1) - 1])
    to_practice = sm.OLS(rows["practice"], sm.add_constant(rows[["participation", "deprivation"]])).fit()
    to_result = sm.OLS(rows["outcome"], sm.add_constant(rows[["participation", "deprivation", "practice"]])).fit()
    found = {one.estimand: one.estimate for one in mediation(study, spec).estimates}
    assert found["path_practice"] == pytest.approx(to_practice.params["participation"])
    assert found["path_slope_naive"] == pytest.approx(to_result.params["practice"])
    assert found["path_direct_naive"] == pytest.approx(to_result.params["participation"])
    indirect = to_practice.params["participation"] * to_result.params["practice"]
    assert found["path_indirect_naive"] == pytest.approx(indirect)
    assert found["path_total"] == pytest.approx(indirect + to_result.params["participation"])
    assert found["path_slope"] == pytest.approx(found["path_slope_naive"] / found["path_reliability"])
    assert found["path_indirect"] == pytest.approx(found["path_practice"] * found["path_slope"])
    assert found["path_direct"] == pytest.approx(found["path_total"] - found["path_indirect"])


def test_scales_are_those_of_the_instrument(study: NetworkStudy) -> None:
    tables = {name: measure(study) for name, measure in OF_SURVEYS.items()}
    scales = tables["survey_scales"]
    assert scales.groupby("form").size().to_dict() == {"conditions": 4, "teaching": 2}
    assert (scales["n"] == 64).all()
    assert (scales["n_schools"] == 16).all()
    assert scales["alpha"].between(0.8, 1).all()
    assert tables["survey_items"]["r_drop"].min() > 0.5  # reversed items are turned round
    networks = tables["survey_agreement"].query("level == 'network'")
    assert (networks["icc1"] > 0.5).all()
    assert set(tables["survey_factor_model"]["state"]) == {"sample_too_small"}
    assert tables["survey_instrument"]["items"].tolist() == [6, 3]
    assert tables["survey_instrument"]["answered"].all()
    waves = practice_waves(study)
    assert waves.groupby("role")["n_respondents"].sum().to_dict() == {"colleague": 64, "participant": 64}
    assert waves["change"].notna().tolist() == [False, True, False, True]
    answers = pd.read_parquet(study.tables_folder / "surveys.parquet")
    own = answers[(answers["instrument"] == "teaching") & (answers["wave"] == "1") & (answers["role"] == "participant")]
    turned = own["response"].where(own["item"] != "practice_3", 6 - own["response"])
    assert waves["mean"].iloc[0] == pytest.approx(turned.mean())


def test_a_study_without_surveys_has_empty_tables_with_types(study: NetworkStudy) -> None:
    bare = NetworkStudy(study.cohort, study.tables_folder, study.panel, None)
    bare.__dict__["tables"] = study.tables
    for measure in OF_SURVEYS.values():
        full, empty = measure(study), measure(bare)
        assert empty.empty
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert INSTRUMENT.forms


def rewritten(study: NetworkStudy, folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> NetworkStudy:
    """The study with other answers."""
    answers = pd.read_parquet(study.tables_folder / "surveys.parquet")
    write_table(folder / "surveys.parquet", change(answers))
    other = NetworkStudy(study.cohort, folder, study.panel, study.instrument)
    other.__dict__["tables"] = study.tables
    return other


def test_a_first_wave_of_too_few_is_passed_over_and_told_everywhere(study: NetworkStudy, tmp_path: Path) -> None:
    """Two people answer in a wave before the first: the form asks for three, so nothing changes but what is told."""

    def with_early(answers: pd.DataFrame) -> pd.DataFrame:
        early = answers[(answers["wave"] == "1") & answers["respondent_id"].isin(["m10-0", "m20-0"])]
        return pd.concat([answers, early.assign(wave="0", date=pd.Timestamp("2014-03-01"))], ignore_index=True)

    few = rewritten(study, tmp_path, with_early)
    plain, told = moderation(study, SLOPES), moderation(few, SLOPES)
    assert [one.estimate for one in told.estimates] == [one.estimate for one in plain.estimates]
    sentence = "answers of a wave of too few are left out"
    assert all(sentence in one.warnings for one in told.estimates)
    assert not any(sentence in one.warnings for one in plain.estimates)
    assert told.diagnostics["answers"]["trust"] == {
        "condition_later_wave": 64,
        "condition_taken": 64,
        "condition_wave_of_few": 2,
    }
    notes = OF_SURVEYS["survey_notes"](few)
    own = notes[notes["form"] == "conditions"].set_index(["rule", "wave"])["count"]
    assert own.to_dict() == {
        ("condition_later_wave", "2"): 64,
        ("condition_taken", "1"): 64,
        ("condition_wave_of_few", "0"): 2,
        ("few_respondents", "0"): 2,
    }
    agreement = OF_SURVEYS["survey_agreement"](few)
    early = agreement[(agreement["wave"] == "0") & (agreement["form"] == "conditions")]
    assert early[["icc2", "r_wg_j_median"]].isna().all(axis=None)
    assert set(early["warnings"]) == {"few_respondents"}


def test_two_waves_in_one_year_give_the_slope_of_the_first(study: NetworkStudy, tmp_path: Path) -> None:
    """The same people again a month later, with the same answers: no more respondents, no higher reliability."""

    def again(answers: pd.DataFrame) -> pd.DataFrame:
        later = answers[answers["wave"] == "1"].assign(wave="1b", date=pd.Timestamp("2015-04-01"))
        return pd.concat([answers, later], ignore_index=True)

    twice = moderators(rewritten(study, tmp_path, again), SLOPES)[1][0]
    once = moderators(study, SLOPES)[1][0]
    assert twice.found == once.found
    assert twice.answers["condition_later_wave"] == once.answers["condition_later_wave"] + 64


def test_a_condition_without_reliability_is_not_estimable_and_says_why(study: NetworkStudy, tmp_path: Path) -> None:
    """All members of one network answer alike, as one person may do for all: the model goes on without it."""

    def alike(answers: pd.DataFrame) -> pd.DataFrame:
        level = answers["network_id"].str[1:].astype(float) // 2
        return answers.assign(response=level.where(~answers["item"].str.endswith("3"), 6 - level))

    fit = moderation(rewritten(study, tmp_path, alike), SLOPES)
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"] == [
        "Trust: all members of each network answered alike, so that no reliability can be told"
    ]


def test_networks_with_equal_means_are_told_to_be_no_more_alike_than_chance(
    study: NetworkStudy, tmp_path: Path
) -> None:
    """Every network's four people answer 2, 3, 3, 4: F = 0, which was a traceback."""

    def equal(answers: pd.DataFrame) -> pd.DataFrame:
        person = answers["respondent_id"].str[-1].astype(int).map({0: 2.0, 1: 3.0, 2: 3.0, 3: 4.0})
        return answers.assign(response=person.where(~answers["item"].str.endswith("3"), 6 - person))

    same = rewritten(study, tmp_path, equal)
    table = OF_SURVEYS["survey_agreement"](same)
    assert set(table["warnings"]) == {"no_more_alike_than_chance"}
    assert table["icc2"].isna().all()
    assert moderation(same, SLOPES).diagnostics["not_estimated"] == ["Trust: the condition is the same in all networks"]


def test_low_reliability_and_low_agreement_are_warned_of_beside_the_slope(study: NetworkStudy, tmp_path: Path) -> None:
    """Answers drawn evenly from 1 to 5: r_wg(J) is near 0, and networks' means are hardly reliable."""

    def noise(answers: pd.DataFrame) -> pd.DataFrame:
        random = np.random.default_rng(6)
        return answers.assign(response=random.integers(1, 6, len(answers)).astype(float))

    (slope, naive) = moderation(rewritten(study, tmp_path, noise), SLOPES).estimates
    for words in (
        "networks' means are less reliable than the standard asks",
        "members of one network agree less than the standard asks",
    ):
        assert words in slope.warnings
        assert words in naive.warnings
    assert not any("standard" in words for one in moderation(study, SLOPES).estimates for words in one.warnings)


def test_practice_over_waves_has_its_interval_by_network(study: NetworkStudy) -> None:
    """Networks of one size: the mean over respondents clustered by network, t with 7 degrees of freedom."""
    waves = practice_waves(study)
    row = waves.iloc[0]
    answers = pd.read_parquet(study.tables_folder / "surveys.parquet")
    own = answers[(answers["instrument"] == "teaching") & (answers["wave"] == "1") & (answers["role"] == row["role"])]
    turned = own["response"].where(own["item"] != "practice_3", 6 - own["response"])
    people = turned.groupby([own["network_id"], own["respondent_id"]]).mean().reset_index()
    ols = sm.OLS(people["response"], np.ones(len(people))).fit(
        cov_type="cluster",
        cov_kwds={"groups": people["network_id"].astype("category").cat.codes, "use_correction": False},
    )
    half = 2.364624251592784 * ols.bse.iloc[0] * np.sqrt(8 / 7)  # t(7)
    assert row["ci_high"] - row["mean"] == pytest.approx(half, rel=1e-9)
    assert row["mean"] - row["ci_low"] == pytest.approx(half, rel=1e-9)


def test_in_one_network_practice_has_no_interval_below_three_schools(tmp_path: Path) -> None:
    waves = practice_waves(surveyed(tmp_path, networks=1))
    assert waves["n_schools"].tolist() == [2, 2, 2, 2]
    assert waves["mean"].notna().all()
    assert waves[["ci_low", "ci_high", "change_low", "change_high"]].isna().all(axis=None)


def test_networks_that_share_schools_are_one_cluster_of_answers(study: NetworkStudy) -> None:
    """Prepare gave networks 1 and 2 one cluster; where it clusters by school, networks stand for themselves."""
    schools = study.tables.schools
    merged = schools["network"].replace(2, 1).astype("Int64").fillna(99) + 10
    found = {}
    for name, cluster in (("merged", merged), ("schools", schools["school"])):
        other = NetworkStudy(study.cohort, study.tables_folder, study.panel, study.instrument)
        other.__dict__["tables"] = replace(study.tables, schools=schools.assign(cluster=cluster))
        scores = scored(other, "teaching").scores
        found[name] = scores.groupby("network")["cluster"].first().to_dict()
    assert found["merged"] == {1: 1, 2: 1, **{n: n for n in range(3, 9)}}
    assert found["schools"] == {n: n for n in range(1, 9)}


def test_answers_without_school_network_or_date_are_counted(study: NetworkStudy, tmp_path: Path) -> None:
    def unplaced(answers: pd.DataFrame) -> pd.DataFrame:
        lost = answers["respondent_id"].eq("m10-0") & (answers["wave"] == "1")
        undated = answers["respondent_id"].eq("m11-1") & (answers["wave"] == "2")
        answers.loc[lost, ["school_id", "network_id"]] = None
        answers.loc[undated, "date"] = pd.NaT
        return answers

    notes = OF_SURVEYS["survey_notes"](rewritten(study, tmp_path, unplaced))
    own = notes[(notes["form"] == "conditions") & notes["rule"].str.startswith("no_")]
    assert own[["rule", "wave", "count"]].values.tolist() == [
        ["no_date", "2", 1], ["no_network", "1", 1], ["no_school", "1", 1],
    ]  # fmt: skip
    assert notes["text"].str.len().gt(10).all()


def test_schools_first_asked_after_their_first_year_are_counted(study: NetworkStudy) -> None:
    """Networks join in 2014 or 2015 by turns and are first asked in 2015: half of the 16 schools are asked late."""
    dated = NetworkStudy(study.cohort, study.tables_folder, study.panel, study.instrument)
    schools = study.tables.schools
    entered = [None if pd.isna(network) else entry(network) for network in schools["network"]]
    dated.__dict__["tables"] = replace(
        study.tables, schools=schools.assign(entry_year=pd.array(entered, dtype="Int64"))
    )
    assert practice_waves(dated)["schools_asked_late"].tolist() == [8, 8, 8, 8]

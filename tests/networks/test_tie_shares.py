"""Shares of possible ties: by hand, against statsmodels, and against the chances that the made study drew them with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from network_study import four_schools, spell

from plneval.config.cohort import Simulation
from plneval.describe.network_structure import network_structure
from plneval.describe.network_ties import network_tie_contrasts, network_tie_shares
from plneval.networks.tie_shares import CONTRASTS, SHARES, possible_ties, tie_contrasts, tie_shares
from plneval.simulate.made import make_study
from plneval.simulate.voices import tie_scores


def ties(*pairs: tuple[str, str]) -> list[dict]:
    return [{"wave": "1", "source": a, "target": b} for a, b in pairs]


def small():
    """alpha: a1 and a2 of A, b1 of B; beta: c1 of C and d1 of D. Places on a meridian, A and B 10.9 km apart."""
    place = {"A": 0.0, "B": 0.098, "C": 0.3, "D": 0.7}
    answer = {"respondent_id": "r", "instrument": "x", "wave": "1", "item": "i", "date": "2015-03-01", "response": 1}
    return four_schools(
        schools=[{"school_id": s, "arm": "member", "latitude": at, "longitude": 0.0} for s, at in place.items()],
        school_years=[
            {"school_id": s, "year": 2015, "deprivation": value}
            for s, value in zip("ABCD", (0, 0.92, 4, 10), strict=True)
        ],
        memberships=[
            spell("alpha", "A", "2013-10-01", None, "a1"),
            spell("alpha", "A", "2013-10-01", None, "a2"),
            spell("alpha", "B", "2013-10-01", None, "b1"),
            spell("beta", "C", "2013-10-01", None, "c1"),
            spell("beta", "D", "2013-10-01", None, "d1"),
        ],
        ties=ties(("a1", "a2"), ("a2", "a1"), ("a1", "b1"), ("c1", "a1")),
        surveys=[answer],
    )


def test_every_ordered_pair_of_one_network_is_a_possible_tie_and_none_between_networks() -> None:
    pairs = possible_ties(small())
    assert len(pairs) == 3 * 2 + 2 * 1
    assert pairs["tied"].sum() == 3
    across = pairs[pairs["source_school"] != pairs["target_school"]].set_index("network")
    assert across.loc[1, "km"].round(1).unique().tolist() == [10.9]
    assert across.loc[2, "km"].round(1).unique().tolist() == [44.5]
    # All are primary schools, so Gower's distance is the mean of 0 and of the difference in deprivation over its range.
    assert across.loc[1, "similarity"].unique() == pytest.approx([1 - 0.092 / 2])
    assert across.loc[2, "similarity"].unique() == pytest.approx([1 - 0.6 / 2])
    assert pairs.groupby("network")["cluster"].first().tolist() == [1, 2]


def test_shares_by_hand() -> None:
    table = tie_shares(possible_ties(small())).set_index(["wave", "basis", "band"])
    whole = table.loc[(1, "all", "all")]
    assert (whole["n_networks"], whole["n_people"], whole["n_pairs"], whole["n_ties"]) == (2, 5, 8, 3)
    assert (whole["share"], whole["year"]) == (3 / 8, 2015)
    assert table.loc[(1, "school", "same_school"), "share"] == 1
    assert table.loc[(1, "school", "other_school"), "share"] == 1 / 6
    near, far = table.loc[(1, "block", "near_alike")], table.loc[(1, "block", "far_unlike")]
    assert (near["n_pairs"], near["share"], near["n_networks"], near["n_schools"]) == (4, 0.25, 1, 2)
    assert (far["n_pairs"], far["share"]) == (2, 0)
    # One cluster, or a share of 0 or 1, has no interval.
    assert table.loc[[(1, "block", "near_alike"), (1, "school", "same_school")], "ci_low"].isna().all()
    assert whole["ci_low"] < whole["share"] < whole["ci_high"]


def test_intervals_are_those_of_statsmodels_with_errors_clustered_by_network(simulated) -> None:
    pairs = possible_ties(simulated.tables)
    table = tie_shares(pairs).set_index(["basis", "band"])
    row = table[table["wave"].isna()].loc[("all", "all")]
    groups, tied = pairs["cluster"].to_numpy(), pairs["tied"].to_numpy(dtype=float)
    clusters = len(np.unique(groups))
    fit = sm.GLM(tied, np.ones((len(tied), 1)), family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}
    )
    # statsmodels multiplies by G/(G - 1) · (N - 1)/(N - k) as well; with one parameter the second factor is 1.
    half = _t(clusters) * fit.bse[0]
    ends = 1 / (1 + np.exp(-(fit.params[0] + np.array([-half, half]))))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(ends), abs=1e-9)
    contrast = tie_contrasts(pairs).set_index("basis").loc["school"]
    same = (pairs["source_school"] == pairs["target_school"]).to_numpy(dtype=float)
    line = sm.OLS(tied, sm.add_constant(same)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    n = len(tied)
    half = _t(clusters) * line.bse[1] * np.sqrt((n - 2) / (n - 1))
    assert contrast["difference"] == pytest.approx(line.params[1], abs=1e-12)
    assert contrast["ci_high"] - contrast["difference"] == pytest.approx(half, abs=1e-12)


def _t(clusters: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, clusters - 1))


def test_shares_by_band_are_those_that_the_made_study_drew_its_ties_with(simulated) -> None:
    """Ties are independent draws given their log odds, so each share has a known mean and standard error."""
    made = make_study(Simulation(seed=11, schools=24, networks=5, pupils_per_grade=14, effect=0.4), study_of(simulated))
    pairs = possible_ties(simulated.tables)
    chances = pairs.merge(
        drawn_chances(made, simulated.tables), on=["wave", "source_school", "target_school"], how="left"
    )
    assert len(chances) == len(pairs)
    assert chances["chance"].notna().all()
    shares = tie_shares(pairs)
    across = pairs["source_school"] != pairs["target_school"]
    checked = 0
    for row in shares.itertuples():
        inside = across if row.basis != "all" else pairs["tied"] | True
        if row.band == "same_school":
            inside = ~across
        if row.basis in ("distance", "similarity"):
            value = pairs["km" if row.basis == "distance" else "similarity"]
            inside = inside & ~(value <= row.above) & ~(value > row.up_to)
        if row.basis == "block":
            continue
        if not pd.isna(row.wave):
            inside = inside & (pairs["wave"] == row.wave)
        p = chances.loc[inside.to_numpy(), "chance"]
        assert row.n_pairs == len(p)
        error = np.sqrt((p * (1 - p)).sum())
        # At most five ties are lost to planted errors of the file (docs/simulate.md).
        assert -3.5 * error - 5 <= row.n_ties - p.sum() <= 3.5 * error, (row.basis, row.band)
        checked += 1
    assert checked >= 3 * 4 + 6
    same = shares[(shares["basis"] == "school") & shares["wave"].isna()].set_index("band")["share"]
    assert same["same_school"] > same["other_school"]


def study_of(simulated):
    return simulated.tables.cohort.study


def drawn_chances(made, tables) -> pd.DataFrame:
    """Chance of a tie from one school's participants to another's, by wave: it depends on the schools alone."""
    number = {code: tables.numbers["school"].get(key) for code, key in school_keys(made, tables).items()}
    rows = []
    for wave in (1, 2, 3):
        for network in range(made.networks.count):
            posts, score = tie_scores(made, wave, network)
            school = [number[made.schools.code[place]] for place in made.staff.post_school[posts].tolist()]
            for i, j in np.argwhere(~np.eye(len(posts), dtype=bool)).tolist():
                rows.append((wave, school[i], school[j], 1 / (1 + np.exp(-score[i, j]))))
    table = pd.DataFrame(rows, columns=["wave", "source_school", "target_school", "chance"])
    return table.drop_duplicates(["wave", "source_school", "target_school"]).astype(
        dict.fromkeys(("wave", "source_school", "target_school"), "Int64")
    )


def school_keys(made, tables) -> dict[str, str]:
    """Raw code → pseudonym: ingest wrote schools in the order of their raw keys."""
    return dict(zip(sorted(made.schools.code), tables.numbers["school"].index, strict=True))


def test_counts_of_groups_add_up_and_are_those_of_the_table_of_structure(simulated) -> None:
    study = SimpleNamespace(tables=simulated.tables)
    table = network_tie_shares(study)
    of = table.set_index(["wave", "basis", "band"])["n_pairs"]
    for wave in (1, 2, 3):
        parts = of[wave]
        assert parts["school"].sum() == parts["all", "all"]
        assert parts["block"].sum() == parts["school", "other_school"]
    pooled = table[table["wave"].isna()].set_index(["basis", "band"])["n_pairs"]
    assert pooled["distance"].sum() == pooled["similarity"].sum() == pooled["school", "other_school"]
    structure = network_structure(study).drop_duplicates("wave").set_index("wave")["n_ties"]
    assert table[(table["basis"] == "all") & table["wave"].notna()]["n_ties"].tolist() == structure.tolist()


def test_without_ties_the_tables_are_empty_and_typed() -> None:
    study = SimpleNamespace(tables=four_schools())
    shares, contrasts = network_tie_shares(study), network_tie_contrasts(study)
    assert shares.empty
    assert contrasts.empty
    assert (list(shares.columns), list(contrasts.columns)) == (list(SHARES), list(CONTRASTS))


def test_without_places_near_and_far_are_not_told_apart() -> None:
    tables = small()
    tables.schools[["latitude", "longitude"]] = np.nan
    table = tie_shares(possible_ties(tables))
    assert set(table.loc[table["basis"] == "block", "band"]) == {"alike", "unlike"}
    assert "distance" not in set(table["basis"])

"""The made-up study behaves like a study of schools: sizes, variances, selection on level and not on trend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plneval.config.base import load
from plneval.config.cohort import Cohort, Simulation, Study
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.process import Process
from plneval.simulate.truth import scored_effects

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo() -> MadeStudy:
    cohort = load(ROOT / "config" / "cohorts" / "demo.yaml", Cohort)
    assert cohort.simulate is not None
    return make_study(cohort.simulate, cohort.study)


@pytest.fixture(scope="module")
def table(demo) -> pd.DataFrame:
    scored = scored_effects(demo, ~np.isnan(demo.scores.points))
    scored["z"] = scored["points"] - scored.groupby(["subject", "year", "grade"])["points"].transform("mean")
    scored["z"] /= scored["sd"]
    return scored


def test_the_demonstration_is_as_large_as_promised(demo):
    memberships = demo.memberships
    assert demo.schools.count == 120
    assert len(set(demo.schools.area.tolist())) == 6
    assert (demo.networks.count, len(set(demo.networks.type))) == (18, 5)
    assert 0.4 <= (memberships.entry_year > 0).mean() <= 0.5
    assert 43_000 <= len(demo.pupils.code) <= 47_000
    assert sorted(set(demo.pupils.row_year.tolist())) == list(range(2012, 2020))
    assert sorted(set(demo.pupils.row_year[demo.scores.row].tolist())) == [2012, 2013, 2015, 2016, 2018, 2019]
    assert 0.02 <= demo.pupils.movers() / len(demo.pupils.code) <= 0.03
    entries = memberships.entry_year[memberships.joiner]
    assert set(entries.tolist()) == {2014, 2015, 2016, 2017}
    assert np.unique(entries, return_counts=True)[1].min() >= 5
    assert memberships.left_censored.sum() >= 2
    assert memberships.late.sum() >= 3
    assert memberships.ever_left.sum() >= 5
    assert memberships.returned.sum() >= 2
    assert len(np.unique(memberships.network[memberships.joiner])) == 18


def test_networks_that_share_schools_are_one_pair_only(demo):
    memberships = demo.memberships
    shared = memberships.second_network >= 0
    pairs = set(zip(memberships.network[shared].tolist(), memberships.second_network[shared].tolist(), strict=True))
    assert len(pairs) == 1


def test_every_pupil_year_has_one_school_and_numbers_are_unique_within_a_year(demo):
    pupils = demo.pupils
    rows = pd.DataFrame({"code": np.array(pupils.code)[pupils.row_person], "year": pupils.row_year})
    assert not rows.duplicated().any()
    assert all(len(code) == 13 and code[0].isalpha() and code[1:].isdigit() for code in pupils.code)
    assert all(len(code) == 6 and code.isdigit() for code in demo.schools.code)


def test_schools_account_for_a_realistic_share_of_the_variance(table):
    """ANOVA estimator of the intraclass correlation (Donner & Koval 1980) in the first year, comparison schools."""
    for subject in ("maths", "reading"):
        first = table[(table["subject"] == subject) & (table["year"] == 2012) & (table["entry_year"] == 0)]
        groups = first.groupby("school")["z"]
        sizes, means = groups.size(), groups.mean()
        between = (sizes * (means - first["z"].mean()) ** 2).sum() / (len(sizes) - 1)
        within = ((first["z"] - first["school"].map(means)) ** 2).sum() / (len(first) - len(sizes))
        mean_size = (len(first) - (sizes**2).sum() / len(first)) / (len(sizes) - 1)
        assert 0.10 <= (between - within) / (between + (mean_size - 1) * within) <= 0.20


def test_disadvantaged_pupils_score_about_a_third_of_a_standard_deviation_lower_within_schools(table):
    untreated = table[~table["treated"] & (table["subject"] == "maths")]
    within = untreated.groupby(["school", "disadvantaged"])["z"].mean().unstack()
    assert (within[True] - within[False]).mean() == pytest.approx(-0.35, abs=0.05)


def test_members_start_somewhat_higher_but_within_reach_of_adjustment(table):
    """Between 0.05 and 0.25 SD: baseline equivalence is met with adjustment only (What Works Clearinghouse 5.0)."""
    for subject in ("maths", "reading"):
        before = table[(table["subject"] == subject) & (table["year"] <= 2013)]
        member = before["entry_year"] > 0
        gap = before.loc[member, "z"].mean() - before.loc[~member, "z"].mean()
        assert 0.05 < gap < 0.25


def test_members_and_others_do_not_differ_in_deprivation(demo):
    member = demo.memberships.entry_year > 0
    deprivation = demo.schools.deprivation
    assert abs(deprivation[member].mean() - deprivation[~member].mean()) < 0.25


QUIET = replace(
    Process(), school_slope_sd=0.0, school_year_sd=0.01, pupil_sd=0.05, pupil_slope_sd=0.0, residual_sd=0.05, absent=0.0
)


@pytest.fixture(scope="module")
def gaps() -> pd.DataFrame:
    """School means (in standard deviations of the process) around each year's and grade's comparison mean."""
    simulation = Simulation(seed=11, schools=600, networks=90, pupils_per_grade=10, effect=0.3)
    study = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
    made = make_study(simulation, study, QUIET)
    table = scored_effects(made, ~np.isnan(made.scores.points))
    table = table[table["subject"] == "maths"]
    never = table[table["entry_year"] == 0]
    cells = never.groupby(["year", "grade"])["points"].mean().rename("mean").reset_index()
    table = table.merge(cells, on=["year", "grade"])
    table["gap"] = (table["points"] - table["mean"]) / 15
    return table.groupby(["school", "entry_year", "year"])["gap"].mean().reset_index()


def change(gaps: pd.DataFrame, entry: int, first: int, second: int) -> tuple[float, float]:
    """Change of a group's gap to never-members between two years, and its standard error over schools."""
    wide = gaps.pivot(index=["school", "entry_year"], columns="year", values="gap")
    difference = (wide[second] - wide[first]).dropna()
    group = difference.index.get_level_values("entry_year")
    joined, never = difference[group == entry], difference[group == 0]
    error = np.sqrt(joined.var() / len(joined) + never.var() / len(never))
    return float(joined.mean() - never.mean()), float(error)


def test_trends_are_parallel_before_joining(gaps):
    pairs = [(entry, 2012, 2013) for entry in (2014, 2015, 2016, 2017)]
    pairs += [(2016, 2013, 2015), (2017, 2013, 2015), (2017, 2015, 2016), (2017, 2012, 2016)]
    for entry, first, second in pairs:
        estimate, error = change(gaps, entry, first, second)
        assert error < 0.02  # small enough to see a trend of a few hundredths
        assert abs(estimate) < 3 * error


def test_after_joining_the_gap_widens_by_the_effect(gaps):
    """0.3 SD directly, 0.4 of it indirectly, two fifths directly: about 0.19 in full effect, less for leavers."""
    for entry in (2014, 2015):
        estimate, error = change(gaps, entry, 2013, 2019)
        assert estimate == pytest.approx(0.18, abs=0.05 + 3 * error)
        assert estimate > 5 * error


def test_the_difference_in_level_is_the_one_that_was_planted(gaps):
    before = gaps[gaps["year"] == 2012]
    joiners = before.loc[before["entry_year"] > 0, "gap"].mean()
    assert joiners - before.loc[before["entry_year"] == 0, "gap"].mean() == pytest.approx(0.12, abs=0.03)

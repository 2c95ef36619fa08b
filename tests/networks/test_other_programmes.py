"""Schools in networks outside the programme: counted by hand, by the truth, and left out of the headline."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, four_schools, study

from plneval.artifacts import write_table
from plneval.challenge.exposure_findings import doubtful_comparison
from plneval.config.models import GroupTime
from plneval.describe.exposure_measures import contamination
from plneval.networks.other_programmes import others_by_year, schools_in_others
from plneval.networks.problems import data_problems

HEADLINE = GroupTime(kind="did.att_gt", label="h", outcome="maths", headline=True)


def other(school: str, programme: str, joined: str, left: str | None = None) -> dict[str, Any]:
    return {"school_id": school, "programme": programme, "joined": joined, "left": left}


def by_hand(*spells: dict[str, Any]):
    """M joins in 2015; K, L and P never; X was a member before the study. 2014 to 2017, cut-off 31 January."""
    return study(
        schools=[
            {"school_id": "M", "arm": "member", "entry_year": 2015},
            {"school_id": "K"},
            {"school_id": "L"},
            {"school_id": "P"},
            {"school_id": "X", "arm": "member", "entry_year": 2012, "status": "left_censored"},
        ],
        networks=[{"network_id": "alpha", "name": "Alpha network"}],
        memberships=[{"network_id": "alpha", "school_id": "M", "joined": "2014-09-10"}],
        other_memberships=list(spells),
    )


def test_years_follow_the_rule_of_memberships_in_both_arms() -> None:
    tables = by_hand(
        other("M", "Circle", "2013-10-01", "2015-03-01"),  # 2014 and 2015: left after the cut-off of 2015
        other("K", "Circle", "2015-02-01"),  # late: from 2016 on
        other("L", "Alliance", "2014-09-01", "2015-01-31"),  # left by the cut-off of 2015: no study year
        other("P", "Alliance", "2010-09-01", "2013-07-01"),  # before the study
        other("X", "Circle", "2014-09-01"),  # not analysed
        other("K", "Alliance", "2015-10-01", "2016-09-30"),  # a second programme at once: 2016
    )
    found = others_by_year(tables).set_index("year")
    assert found["n_other"].tolist() == [0, 0, 1, 1]
    assert found["n_been_other"].tolist() == [0, 0, 1, 1]
    # M had joined from 2015 on, and took along what it had in 2014.
    assert found["n_members"].tolist() == [0, 1, 1, 1]
    assert found["n_members_other"].tolist() == [0, 1, 0, 0]
    assert found["n_members_been_other"].tolist() == [0, 1, 1, 1]
    assert schools_in_others(tables) == {1, 2, 5}


def test_without_the_table_nothing_is_said_about_other_networks() -> None:
    tables = by_hand()
    found = others_by_year(tables)
    assert found[["n_other", "n_been_other", "n_members_other", "n_members_been_other"]].isna().all().all()
    assert found["n_members"].tolist() == [0, 1, 1, 1]
    assert "other_programme" not in " ".join(data_problems(tables)["rule"])


def test_a_spell_that_bears_the_name_of_an_evaluated_network_is_none_elsewhere() -> None:
    tables = by_hand(
        other("K", "ALPHA network ", "2014-09-01"),
        other("L", "small networks", "2014-09-01"),  # the programme's own name
        other("P", "Circle", "2014-09-01"),
        other("P", "Circle", "2015-09-01"),
        other("M", "Circle", "2014-09-01", "2014-12-01"),
    )
    assert others_by_year(tables)["n_been_other"].tolist() == [0, 1, 1, 1]
    found = data_problems(tables).set_index("rule")
    assert found.loc["other_programme_is_evaluated", "count"] == 2
    assert found.loc["other_programme_overlaps", "count"] == 1
    assert found.loc["other_programme_without_year", "count"] == 1
    assert set(found.loc[found.index.str.startswith("other_programme"), "table"]) == {"other_memberships"}


def test_spells_without_a_date_are_counted_from_the_ledger() -> None:
    lost = [("other_memberships", "joined", "missing_key"), ("other_memberships", "joined", "bad_type")]
    found = data_problems(four_schools(rejections=lost)).set_index("rule")["count"]
    assert found["other_programme_without_date"] == 2
    assert "membership_without_date" not in found


def test_counts_of_a_simulated_study_are_those_of_its_truth(simulated) -> None:
    table = contamination(as_study(simulated)).set_index("year")
    planted = simulated.truth["schools"]["in_other_programmes"]
    assert table["n_been_other"].iloc[-1] == planted["comparison"] > 0
    for year in table.index:
        assert table.loc[year, "n_other"] == planted["comparison_by_year"][str(year)]
        assert table.loc[year, "n_members_other"] == planted["joined_by_year"][str(year)]


def test_the_headline_without_schools_in_other_networks_is_that_of_the_others(simulated, tmp_path: Path) -> None:
    made = as_study(simulated, tmp_path)
    table = doubtful_comparison(made, {"h": HEADLINE}, pd.DataFrame()).set_index("variant")
    inside = schools_in_others(simulated.tables)
    panel = simulated.school
    compared = set(panel.loc[panel["entry_year"].isna(), "school"])
    for variant, gone in (("without_other", inside & compared), ("without_other_in_either", inside)):
        own = table.loc[variant]
        fewer = SimpleNamespace(**{**vars(made), "panel": tmp_path / variant})
        write_table(fewer.panel / "panel_school.parquet", panel[~panel["school"].isin(sorted(gone))])
        again = doubtful_comparison(fewer, {"h": HEADLINE}, pd.DataFrame()).set_index("variant").loc["all"]
        assert own["status"] == "estimated"
        assert own["estimate"] == pytest.approx(again["estimate"], abs=1e-12)
        assert own["n_left_out"] == len(inside & compared)
        assert (own["n_comparison"], own["n_members"]) == (again["n_comparison"], again["n_members"])
    either = table.loc["without_other_in_either"]
    assert either["n_members_left_out"] == len(inside - compared) == either["n_apart"]
    assert pd.isna(table.loc["without_other", "n_members_left_out"])


def test_schools_in_other_networks_move_the_headline_no_more_than_others_drawn_at_random(
    simulated, tmp_path: Path
) -> None:
    """Nothing is planted on them, so their shift is one of those that as many comparison schools at random make."""
    made = as_study(simulated, tmp_path)
    panel = simulated.school[(simulated.school["outcome"] == "maths") & (simulated.school["subgroup"] == "all")]
    compared = sorted(set(panel.loc[panel["entry_year"].isna(), "school"]))
    inside = sorted(schools_in_others(simulated.tables) & set(compared))
    rng = np.random.default_rng(5)
    shifts = [third_year_on(panel, rng.choice(compared, len(inside), replace=False).tolist()) for _ in range(39)]
    whole, own = third_year_on(panel, []), third_year_on(panel, inside)
    table = doubtful_comparison(made, {"h": HEADLINE}, pd.DataFrame()).set_index("variant")["estimate"]
    assert (whole, own) == pytest.approx((table["all"], table["without_other"]), abs=1e-12)
    # The 39 and the shift itself are 40 exchangeable numbers: it is the largest of all with probability 1/40.
    assert abs(own - whole) <= max(abs(one - whole) for one in shifts)


def third_year_on(panel: pd.DataFrame, gone: list[int]) -> float:
    """The headline by hand, without some schools: mean change of joiners less that of comparison schools, by pupils."""
    rows = panel[~panel["school"].isin(gone)]
    z = rows.pivot(index="school", columns="year", values="z")
    weight = rows.groupby("school")["n"].mean().astype(float)
    entry = rows.groupby("school")["entry_year"].first()
    total, size = 0.0, 0.0
    for start in sorted(entry.dropna().unique()):
        base = max(year for year in z if year < start)
        for year in (year for year in z if year >= start + 2):
            change = (z[year] - z[base]).dropna()
            w, group = weight[change.index], entry[change.index]
            joined, never = (group == start).fillna(False), group.isna()
            cell = np.average(change[joined], weights=w[joined]) - np.average(change[never], weights=w[never])
            pupils = float(weight[entry == start].sum())
            total, size = total + pupils * cell, size + pupils
    return total / size


def test_without_data_on_other_networks_the_variant_says_so(simulated, tmp_path: Path) -> None:
    made = as_study(simulated, tmp_path)
    sources = {name: own for name, own in made.cohort.sources.items() if name != "other_memberships"}
    bare = made.cohort.model_copy(update={"sources": sources})
    made.tables = SimpleNamespace(**{**vars(made.tables), "cohort": bare})
    made.tables.other_spells = made.tables.other_spells.iloc[:0]
    made.tables.years = simulated.tables.years
    table = doubtful_comparison(made, {"h": HEADLINE}, pd.DataFrame()).set_index("variant")
    assert table.loc["without_other", "status"] == "no_data"
    assert table.loc["without_other_in_either", "status"] == "no_data"
    assert table.loc["all", "status"] == "estimated"


def test_the_same_school_in_the_same_programme_twice_counts_once() -> None:
    tables = by_hand(other("K", "Circle", "2014-09-01"), other("K", "Circle", "2014-10-01"))
    assert others_by_year(tables)["n_other"].tolist() == [0, 1, 1, 1]
    assert cohort().design.comparison_in_other_networks == "unknown"


def as_study(made: Any, panel: Path | None = None) -> Any:
    """A simulated study as measures and findings get it, its school panel written where findings read files."""
    if panel is not None:
        write_table(panel / "panel_school.parquet", made.school)
    tables = made.tables
    return SimpleNamespace(
        cohort=tables.cohort, tables=tables, schools=tables.schools, pupil=made.pupil, school=made.school, panel=panel
    )

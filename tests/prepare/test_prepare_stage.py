"""The stage as a whole: what it writes, what it refuses, and what must not change a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.artifacts import read_json, read_table, write_table
from plneval.config.panel_columns import PUPIL_PANEL, SCHOOL_PANEL
from plneval.errors import UserError
from plneval.prepare.stage import Prepared, make_panels, prepare

Tables = dict[str, pd.DataFrame]
Make = Callable[..., Any]


def assert_same(left: Prepared, right: Prepared) -> None:
    for name in ("pupil", "school", "schools", "flow", "standardisers"):
        pd.testing.assert_frame_equal(getattr(left, name), getattr(right, name), check_exact=True, obj=name)
    assert left.notes == right.notes


def test_the_small_study_gives_the_panel_worked_by_hand(small_study: Tables, make_cohort: Make) -> None:
    found = make_panels(make_cohort(), small_study)
    assert list(found.pupil.columns) == list(PUPIL_PANEL)
    assert set(found.school.columns) == {*SCHOOL_PANEL, "subgroup"}
    whole = found.school.loc[found.school["subgroup"] == "all"].set_index(["school", "year"])
    # 2014, not yet joined: A 0, 4; B 10, 14; E 40, 44; F 50, 54: mean 27, sum of squares 3432 on 7 df.
    assert whole.loc[(1, 2014), "z"] == pytest.approx((2 - 27) / (3432 / 7) ** 0.5, abs=1e-12)
    # 2017, never: E 43, 47; F 53, 57: mean 50, sum of squares 116 on 3 df. A has joined; its mean is 5.
    assert whole.loc[(1, 2017), "z"] == pytest.approx((5 - 50) / (116 / 3) ** 0.5, abs=1e-12)
    assert whole.loc[(1, 2017), "z_fixed"] == pytest.approx((5 - 27) / (3432 / 7) ** 0.5, abs=1e-12)
    assert whole.loc[(1, 2017), "sd"] == pytest.approx(8**0.5, abs=1e-12)
    assert whole.loc[(1, 2017), "n"] == 2
    a = whole.loc[1]
    assert a["event_time"].tolist() == [-2, -1, 0, 1]
    assert a["treated"].tolist() == [0, 0, 1, 1]  # intention to treat: also after leaving
    assert a["member"].tolist() == [0, 0, 1, 0]
    assert a["exposure_time"].tolist() == [0, 0, 0, 1]
    assert a["treated_year_1"].tolist() == [0, 0, 1, 0]
    assert a["treated_year_2"].tolist() == [0, 0, 0, 1]
    assert whole.loc[2]["event_time"].tolist() == [-3, -2, -1, 0]  # B joined late
    assert whole.loc[5]["event_time"].isna().all()
    assert sorted(whole.index.get_level_values("school").unique()) == [1, 2, 5, 6]
    halves = found.school.set_index(["school", "year", "subgroup"])["score"]
    assert halves[(1, 2014, "disadvantaged")] == 4
    assert halves[(1, 2014, "not_disadvantaged")] == 0
    assert found.schools["status"].tolist() == [
        "analysed",
        "analysed",
        "no_outcome_before_joining",
        "left_censored",
        "analysed",
        "analysed",
    ]


def test_the_standardiser_is_the_sd_of_pupils_within_arm_year_and_grade(small_study: Tables, make_cohort: Make) -> None:
    found = make_panels(make_cohort(), small_study).standardisers.set_index(["subgroup", "column"])
    # Each arm and year holds two schools 10 points apart, with pupils 4 apart: SS = 4·25 + 4·4 = 116, on 3 df.
    assert found.loc[("all", "score"), "sd"] == pytest.approx((116 / 3) ** 0.5, abs=1e-12)
    # One subgroup: two schools 10 apart: SS 50 on 1 df.
    assert found.loc[("disadvantaged", "score"), "sd"] == pytest.approx(50**0.5, abs=1e-12)
    # Both arms of a year together: 0, 4, 10, 14, 40, 44, 50, 54: SS 3432 on 7 df.
    assert found.loc[("all", "score"), "sd_total"] == pytest.approx((3432 / 7) ** 0.5, abs=1e-12)
    assert found.loc[("all", "z_fixed"), "sd"] == pytest.approx((116 / 3 / (3432 / 7)) ** 0.5, abs=1e-12)
    assert found["n_scores"].to_dict()[("all", "z")] == 32


def test_the_order_of_rows_changes_nothing(small_study: Tables, make_cohort: Make) -> None:
    first = make_panels(make_cohort(), small_study)
    rng = np.random.default_rng(3)
    shuffled = {
        name: table if name in ("schools", "networks") else table.iloc[rng.permutation(len(table))]
        for name, table in small_study.items()
    }
    # Pupils are numbered in the order of their register, so its order is put back; all other orders are arbitrary.
    shuffled["pupils"] = shuffled["pupils"].sort_values("pupil_id")
    ordered = dict(small_study)
    ordered["pupils"] = small_study["pupils"].sort_values("pupil_id")
    assert_same(make_panels(make_cohort(), ordered), make_panels(make_cohort(), shuffled))
    assert first.notes == make_panels(make_cohort(), shuffled).notes


def test_another_key_of_the_identifiers_changes_nothing(small_study: Tables, make_cohort: Make) -> None:
    rng = np.random.default_rng(5)
    renamed = {}
    hashes: dict[str, str] = {}
    for name, table in small_study.items():
        table = table.copy()
        for column in [c for c in table.columns if c.endswith("_id")]:
            for value in table[column].dropna().unique():
                hashes.setdefault(value, f"{rng.integers(2**62):016x}")
            table[column] = table[column].map(hashes).astype("str")
        renamed[name] = table
    assert_same(make_panels(make_cohort(), small_study), make_panels(make_cohort(), renamed))


def test_movers_belong_to_the_school_of_the_outcome_or_of_their_entry(make_tables: Make, make_cohort: Make) -> None:
    homes = {"p1": "AAAB", "p2": "AAAA", "p3": "BBBB", "p4": "CCCC", "p5": "CCCC", "p6": "BBBB", "p7": "AAAA"}
    rows = [
        {"pupil_id": pupil, "year": 2014 + t, "school_id": school, "grade": "3"}
        for pupil, path in homes.items()
        for t, school in enumerate(path)
    ]
    tables = make_tables(
        schools=[{"school_id": school} for school in "ABC"],
        networks=[{"network_id": "n"}],
        memberships=[{"network_id": "n", "school_id": "A", "joined": "2015-10-01"}],
        pupils=rows,
        outcomes=[
            {"pupil_id": row["pupil_id"], "year": row["year"], "outcome": "maths", "score": k % 7}
            for k, row in enumerate(rows)
        ],
    )
    last = {}
    for rule in ("school_at_outcome", "school_at_entry"):
        found = make_panels(make_cohort(design={"movers": rule}), tables)
        mover = found.pupil.loc[found.pupil["pupil"] == 1]
        assert mover["mover"].tolist() == [1] * 4
        assert found.notes["movers"] == 1
        last[rule] = mover.loc[mover["year"] == 2017, "school"].item()
    assert last == {"school_at_outcome": 2, "school_at_entry": 1}


def test_school_level_data_keep_their_counts_and_sds(make_tables: Make, make_cohort: Make) -> None:
    cohort = make_cohort(study={"level": "school"})
    rows = [
        {
            "school_id": s,
            "year": y,
            "outcome": "maths",
            "grade": g,
            "score": 10.0 * k + t + j,
            "n": 10 + 10 * j,
            "sd": 5.0,
        }
        for k, s in enumerate("ABCD")
        for t, y in enumerate(range(2014, 2018))
        for j, g in enumerate("34")
    ]
    parts = {
        "schools": [{"school_id": s} for s in "ABCD"],
        "networks": [{"network_id": "n"}],
        "memberships": [{"network_id": "n", "school_id": "A", "joined": "2015-10-01"}],
    }
    found = make_panels(cohort, make_tables(**parts, outcomes=rows))
    assert found.pupil.empty
    assert list(found.pupil.columns) == list(PUPIL_PANEL)
    cell = found.school.set_index(["school", "year"]).loc[(2, 2014)]
    # Grade 3: 10 pupils, mean 10, SD 5; grade 4: 20 pupils, mean 11, SD 5.
    mean = (10 * 10 + 20 * 11) / 30
    squares = 9 * 25 + 19 * 25 + 10 * (10 - mean) ** 2 + 20 * (11 - mean) ** 2
    assert cell["score"] == pytest.approx(mean, abs=1e-12)
    assert cell["n"] == 30
    assert cell["sd"] == pytest.approx((squares / 29) ** 0.5, abs=1e-12)
    assert found.standardisers.set_index("column").loc["score", "sd"] > 0
    assert found.notes["standardised_by"] == {"maths": "pupil"}

    without = [{key: value for key, value in row.items() if key not in ("n", "sd")} for row in rows]
    bare = make_panels(cohort, make_tables(**parts, outcomes=without))
    assert bare.school["n"].isna().all()
    assert bare.standardisers[["sd", "sd_total", "n_pupils"]].isna().all(axis=None)
    assert bare.notes["standardised_by"] == {"maths": "school"}


def test_the_stage_writes_the_files_of_its_contract(small_study: Tables, make_cohort: Make, tmp_path: Path) -> None:
    for name, table in small_study.items():
        write_table(tmp_path / "tables" / f"{name}.parquet", table)
    prepare(make_cohort(), tmp_path / "tables", tmp_path / "out")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [
        "flow.parquet",
        "notes.json",
        "panel_pupil.parquet",
        "panel_school.parquet",
        "schools.parquet",
        "standardisers.parquet",
    ]
    assert len(read_table(tmp_path / "out" / "panel_pupil.parquet")) == 32
    assert read_json(tmp_path / "out" / "notes.json")["leavers"] == 1


def test_scores_of_subgroups_alone_cannot_be_standardised(make_tables: Make, make_cohort: Make) -> None:
    tables = make_tables(
        schools=[{"school_id": s} for s in "ABC"],
        networks=[{"network_id": "n"}],
        memberships=[{"network_id": "n", "school_id": "A", "joined": "2015-10-01"}],
        outcomes=[
            {"school_id": s, "year": y, "outcome": "maths", "subgroup": "disadvantaged", "score": k + y}
            for k, s in enumerate("ABC")
            for y in range(2014, 2018)
        ],
    )
    with pytest.raises(UserError, match=r"cannot be standardised.*12 scores"):
        make_panels(make_cohort(study={"level": "school"}), tables)


def without(table: pd.DataFrame, rows: pd.Series) -> pd.DataFrame:
    return table.loc[~rows].reset_index(drop=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: {"memberships": t["memberships"].iloc[:0]},
            "none of the 6 schools of the register joins a network by 2017",
        ),
        (
            lambda t: {"memberships": t["memberships"].assign(joined=pd.Timestamp("2012-10-01"), left=pd.NaT)},
            "no member school is left.*5: member before the first outcome year.*before 2014",
        ),
        (
            lambda t: (
                {"schools": t["schools"].iloc[:1], "memberships": t["memberships"].iloc[:1]}
                | {name: without(t[name], t[name]["school_id"] != "A") for name in ("pupils", "school_years")}
                | {"outcomes": t["outcomes"].loc[t["outcomes"]["pupil_id"].str[0] == "A"]}
            ),
            "one single school",
        ),
        (
            lambda t: {"outcomes": t["outcomes"].loc[~t["outcomes"]["pupil_id"].str[0].isin(["E", "F"])]},
            "no comparison school is left.*2: no outcome in any year",
        ),
        (lambda t: {"outcomes": t["outcomes"].assign(score=np.nan)}, "outcomes.maths: no score can be used"),
        (lambda t: {"outcomes": t["outcomes"].assign(score=50.0)}, "all 48 scores are equal"),
        (
            lambda t: {"outcomes": without(t["outcomes"], t["outcomes"]["year"] == 2016)},
            "no outcome has a score in 2016.*study.missing_outcome_years",
        ),
        (
            lambda t: {"outcomes": without(t["outcomes"], t["outcomes"]["year"] < 2017)},
            "no outcome has a score in 2014, 2015, 2016",
        ),
    ],
)
def test_a_study_that_cannot_be_analysed_is_refused_with_the_remedy(
    small_study: Tables, make_cohort: Make, spoil: Callable[[Tables], Tables], message: str
) -> None:
    with pytest.raises(UserError, match=f"(?s){message}"):
        make_panels(make_cohort(), {**small_study, **spoil(small_study)})


def test_a_declared_missing_year_is_not_asked_for_and_counts_as_participation(
    small_study: Tables, make_cohort: Make
) -> None:
    tables = {**small_study, "outcomes": without(small_study["outcomes"], small_study["outcomes"]["year"] == 2016)}
    found = make_panels(make_cohort(study={"missing_outcome_years": [2016]}), tables)
    first = found.school.loc[(found.school["school"] == 1) & (found.school["subgroup"] == "all")]
    assert first["event_time"].tolist() == [-2, -1, 1]  # 2016 was its first year of participation


def test_an_outcome_missing_in_one_of_its_years_is_refused(small_study: Tables, make_cohort: Make) -> None:
    extra = small_study["outcomes"].assign(outcome="reading")
    extra = without(extra, extra["year"] == 2015)
    tables = {**small_study, "outcomes": pd.concat([small_study["outcomes"], extra], ignore_index=True)}
    outcomes = {"maths": {"label": "M"}, "reading": {"label": "R"}}
    with pytest.raises(UserError, match=r"outcomes.reading.years: no score in 2015.*\(2014, 2016, 2017\)"):
        make_panels(make_cohort(outcomes=outcomes), tables)
    outcomes["reading"]["years"] = [2014, 2016, 2017]  # type: ignore[assignment]
    assert make_panels(make_cohort(outcomes=outcomes), tables).school["outcome"].nunique() == 2


def test_networks_that_share_a_school_are_one_cluster(small_study: Tables, make_cohort: Make) -> None:
    more = pd.concat([small_study["memberships"]] + [small_study["memberships"].iloc[[1]]] * 2, ignore_index=True)
    more.loc[5, ["network_id", "school_id"]] = ["gamma", "E"]
    more.loc[6, "network_id"] = "gamma"  # B is in alpha and in gamma
    found = make_panels(make_cohort(), {**small_study, "memberships": more})
    assert found.schools.set_index("school")["cluster"].to_dict() == {1: 1, 2: 1, 3: 2, 4: 2, 5: 1, 6: 3}
    assert found.notes["networks_merged"] == 2
    assert found.notes["cluster_unit"] == "network"

"""Samples for direct and indirect effects, and how near comparison schools are to members."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, study

from plneval import did
from plneval.networks.contamination import contamination, haversine_km, member_distances, neighbours
from plneval.networks.diffusion import (
    CONTRASTS,
    GROUPS,
    assumptions_table,
    contrast_rows,
    exposure_cells,
    exposure_groups,
)


@pytest.mark.parametrize("exposure", ["direct", "indirect"])
def test_cells_of_each_group_hold_the_planted_effect(simulated, without_effect, exposure: str) -> None:
    """Against the twin study without effects, pupil by pupil, from the third year on while the school is a member.

    The planted effect is in points before rounding, over the SD of never- and not-yet-treated pupils; the panel's
    scores are rounded to whole points, which leaves an error of SD 0.29 / 15 a score: 0.002 is more than 3 standard
    errors of the smallest group's mean.
    """
    means = {}
    for outcome in ("maths", "reading"):
        for name, made in (("with", simulated), ("without", without_effect)):
            rows = made.pupil[(made.pupil["member"] == 1) & (made.pupil["event_time"] >= 2)]
            cells = exposure_cells(rows, exposure_groups(rows))
            own = cells[(cells["outcome"] == outcome) & (cells["group"] == exposure)]
            means[name] = own["sum"].sum() / own["n"].sum()
        planted = simulated.truth["effects"]["exposure"][outcome][exposure]
        assert means["with"] - means["without"] == pytest.approx(planted, abs=0.002)
        assert planted > 0.05


def test_every_score_is_in_one_group_and_cells_lose_none(simulated) -> None:
    panel = simulated.pupil
    for before in ("all_pupils", "later_participants"):
        group = exposure_groups(panel, simulated.tables, before)  # type: ignore[arg-type]
        assert group.isin(GROUPS).all()
        assert ((group == "comparison") == (panel["arm"] == "comparison")).all()
        cells = exposure_cells(panel, group)
        assert cells["n"].sum() == panel["z"].notna().sum()
        assert cells["sum"].sum() == pytest.approx(panel["z"].sum(), abs=1e-9)
    # Two fifths of the class teachers take part; before joining some of them are not yet there.
    split = exposure_groups(panel, simulated.tables, "later_participants").value_counts()
    assert 0.2 < split["before_direct"] / (split["before_direct"] + split["before_indirect"]) < 0.6


def test_cells_are_those_that_the_difference_in_differences_package_makes(simulated) -> None:
    """The rows of a contrast go straight into ``plneval.did.cells`` with the group as subgroup."""
    panel = simulated.pupil[simulated.pupil["outcome"] == "maths"].reset_index(drop=True)
    rows = contrast_rows(panel, exposure_groups(panel), "both")
    theirs = did.cells(
        rows,
        "z",
        "year",
        "school",
        "entry_year",
        cluster="cluster",
        subgroup="group",
        panel=False,
        missing_entry="never",
    )
    own = exposure_cells(rows, rows["group"])
    assert len(own) == len(theirs.n)
    assert own["n"].tolist() == theirs.n.tolist()
    assert own["sum"].to_numpy() == pytest.approx(theirs.swy, abs=1e-9)
    assert own["sum_squares"].to_numpy() == pytest.approx(theirs.swyy, abs=1e-9)


def test_contrasts_hold_the_pupils_that_they_name(simulated) -> None:
    panel = simulated.pupil
    group = exposure_groups(panel)
    found = {name: set(contrast_rows(panel, group, name)["group"]) for name in CONTRASTS}
    assert found == {
        "direct": {"comparison", "before", "direct"},
        "indirect": {"comparison", "before", "indirect"},
        "both": {"comparison", "before", "direct", "indirect"},
        "within": {"direct", "indirect"},
    }
    split = exposure_groups(panel, simulated.tables, "later_participants")
    assert set(contrast_rows(panel, split, "direct")["group"]) == {"comparison", "before_direct", "direct"}
    assert not (contrast_rows(panel, split, "within")["event_time"] < 0).any()
    with pytest.raises(ValueError, match="no contrast 'sideways'"):
        contrast_rows(panel, group, "sideways")
    with pytest.raises(ValueError, match="needs the study's tables"):
        exposure_groups(panel, before="later_participants")


def test_every_contrast_says_what_it_assumes() -> None:
    table = assumptions_table()
    assert set(table["contrast"]) == set(CONTRASTS)
    assert (table.groupby("contrast").size() >= 3).all()
    assert table["assumption"].str.endswith(".").all()


def test_distances_on_the_sphere() -> None:
    """A degree of latitude is R π / 180 = 111.195 km; London - Paris is 343.6 km on the sphere (51.5074 N 0.1278 W,
    48.8566 N 2.3522 E); a degree of longitude at 60° is half of one at the equator."""
    assert haversine_km(0, 0, 1, 0) == pytest.approx(111.195, abs=0.001)
    assert haversine_km(51.5074, -0.1278, 48.8566, 2.3522) == pytest.approx(343.6, abs=0.1)
    assert haversine_km(60, 0, 60, 0.01) / haversine_km(0, 0, 0, 0.01) == pytest.approx(0.5, abs=1e-6)
    assert haversine_km(0, 0, 0, 180) == pytest.approx(np.pi * 6371.0088, abs=1e-6)
    assert np.isnan(haversine_km(np.nan, 0, 1, 0))


def line_of_schools():
    """Schools on one meridian: M at 0°, joins 2015 and leaves after 2015; N at 0.1°, joins 2017; K comparison at
    0.02° (2.224 km from M), L comparison at 0.13° (3.336 km from N), P without a place."""
    return study(
        schools=[
            {"school_id": "M", "arm": "member", "entry_year": 2015, "latitude": 0, "longitude": 0},
            {"school_id": "N", "arm": "member", "entry_year": 2017, "latitude": 0.1, "longitude": 0},
            {"school_id": "K", "latitude": 0.02, "longitude": 0},
            {"school_id": "L", "latitude": 0.13, "longitude": 0},
            {"school_id": "P"},
        ],
        networks=[{"network_id": "alpha"}],
        memberships=[
            {"network_id": "alpha", "school_id": "M", "joined": "2014-09-10", "left": "2015-08-01"},
            {"network_id": "alpha", "school_id": "N", "joined": "2016-09-10"},
            {"network_id": "alpha", "school_id": "L", "joined": "2017-10-10"},
        ],
        config=cohort(design={"neighbour_distance_km": 3}),
    )


def test_nearest_member_changes_as_schools_join_and_leave() -> None:
    degree = 111.19508
    table = member_distances(line_of_schools()).set_index(["school", "year"])
    member, joined = table["nearest_member_km"], table["nearest_joined_km"]
    assert pd.isna(member[(3, 2014)])
    assert member[(3, 2015)] == pytest.approx(0.02 * degree, abs=1e-3)
    assert pd.isna(member[(3, 2016)])  # M has left, N has not joined
    assert joined[(3, 2016)] == pytest.approx(0.02 * degree, abs=1e-3)
    assert joined[(4, 2016)] == pytest.approx(0.13 * degree, abs=1e-3)
    assert joined[(4, 2017)] == pytest.approx(0.03 * degree, abs=1e-3)
    assert table["near"][(3, 2014)] == False  # noqa: E712
    assert table["near"][(3, 2016)] == True  # noqa: E712
    assert not table["near"][[(4, year) for year in range(2014, 2018)]].any()
    assert pd.isna(table["near"][(5, 2016)])
    assert table["joins_after_study"][(4, 2014)]


def test_near_schools_follow_the_declared_radius_and_without_one_none_is_called_near() -> None:
    tables = line_of_schools()
    assert neighbours(tables) == [3]
    assert neighbours(tables, 3.4) == [3, 4]
    assert neighbours(tables, 2) == []
    by_year = contamination(tables).set_index("year")
    assert by_year["n_near"].tolist() == [0, 1, 1, 1]
    assert by_year["n_located"].tolist() == [0, 2, 2, 2]
    undeclared = study(
        schools=[
            {"school_id": "M", "arm": "member", "entry_year": 2015, "latitude": 0, "longitude": 0},
            {"school_id": "K", "latitude": 0, "longitude": 0},
        ]
    )
    assert contamination(undeclared)["n_near"].isna().all()
    assert contamination(undeclared)["other_networks"].tolist() == ["unknown"] * 4
    with pytest.raises(ValueError, match="no radius"):
        neighbours(undeclared)

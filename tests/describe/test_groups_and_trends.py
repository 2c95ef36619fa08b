"""Membership by year, entry groups, clusters, networks and means by year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.describe.clusters import clusters, networks
from plneval.describe.ledger import MEANINGS, ledger, rejections
from plneval.describe.membership import entry_groups, membership
from plneval.describe.sample import Sample
from plneval.describe.trends import clustered_mean, trends

Make = Callable[..., Sample]


def spell(school: int, joined: str, left: str | None = None) -> dict[str, Any]:
    return {"school": school, "network": 1, "teacher_id": None, "joined": joined, "left": left, "entry_unknown": False}


def test_members_of_a_year_are_those_of_the_year_before_and_who_came_and_went(make_sample: Make) -> None:
    rows = [
        spell(1, "2014-10-01", "2015-08-31"),
        spell(1, "2016-10-01"),
        spell(2, "2015-10-01"),
        spell(3, "2013-10-01"),  # of a comparison school, which cannot be: not an analysed member
    ]
    frame = pd.DataFrame(rows)
    frame["joined"], frame["left"] = pd.to_datetime(frame["joined"]), pd.to_datetime(frame["left"])
    table = membership(make_sample(memberships=frame))
    assert table.to_numpy().tolist() == [
        [2014, 0, 0, 0, 0],
        [2015, 1, 1, 0, 0],
        [2016, 1, 1, 1, 0],
        [2017, 2, 0, 0, 1],
    ]
    change = table["joined"] + table["returned"] - table["left"]
    assert (table["members"].diff().dropna() == change.iloc[1:]).all()


def test_small_entry_groups_are_marked_and_followed_to_the_last_outcome_year(make_sample: Make) -> None:
    sample = make_sample(design={"minimum_entry_group": 2}, study={"missing_outcome_years": [2017]})
    assert entry_groups(sample).to_numpy().tolist() == [[2015, 1, 1, 2, True], [2016, 1, 1, 1, True]]
    assert not entry_groups(make_sample(design={"minimum_entry_group": 1}))["pooled"].any()


def test_clusters_and_networks_are_counted_by_arm_and_type(make_sample: Make) -> None:
    rows = [{"school": school, "year": year, "z": 0.0} for school in (1, 2, 3, 4) for year in (2014, 2015)]
    sample = make_sample(None, rows)
    assert clusters(sample).to_numpy().tolist() == [["maths", 2, 2, 2, "network"]]
    assert networks(sample).to_numpy().tolist() == [["data use team", 1, 1], ["lesson study", 1, 1]]


def test_the_standard_error_of_a_mean_is_the_textbooks_without_clusters() -> None:
    values = np.array([1.0, 4.0, 7.0, 12.0])
    mean, se = clustered_mean(values, np.ones(4), np.arange(4))
    assert mean == 6.0
    assert se == pytest.approx(np.std(values, ddof=1) / 2, abs=1e-12)
    # Two clusters (1, 4) and (7, 12): sums of deviations −7 and 7, so SE² = 2/1 · (49 + 49) / 16.
    assert clustered_mean(values, np.ones(4), np.array([1, 1, 2, 2]))[1] == pytest.approx((2 * 98 / 16) ** 0.5)
    assert np.isnan(clustered_mean(values, np.ones(4), np.zeros(4, dtype=np.int64))[1])


def test_trends_are_means_over_pupils_or_over_schools_as_declared(make_sample: Make) -> None:
    rows = [{"school": s, "year": 2014, "z": z, "n": n} for s, z, n in [(1, 1.0, 30), (2, 0.0, 10), (3, 0.5, 20)]]
    by_pupils = trends(make_sample(None, rows)).set_index("group")
    assert by_pupils.loc["member", "mean_z"] == 0.75
    assert by_pupils.loc["member", ["n_schools", "n_pupils"]].tolist() == [2, 40]
    assert by_pupils.loc["2015", "mean_z"] == 1.0
    assert pd.isna(by_pupils.loc["comparison", "se"])
    by_schools = trends(make_sample(None, rows, design={"weight": "schools"})).set_index("group")
    assert by_schools.loc["member", "mean_z"] == 0.5


def test_the_ledger_adds_up_and_every_rule_has_a_meaning() -> None:
    from plneval.ingest.rules import RULES

    assert set(RULES) == set(MEANINGS)
    found = {
        "tables": {
            "pupils": {"read": 10, "kept": 6, "merged": 1, "rejected": {"bad_type": 2, "missing_key": 1}},
            "ties": {"read": 0, "kept": 0, "merged": 0, "rejected": {}},
        }
    }
    assert ledger(found).to_numpy().tolist() == [["pupils", 10, 6, 1, 3]]
    assert rejections(found)["count"].tolist() == [2, 1]

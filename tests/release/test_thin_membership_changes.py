"""Effects of leaving rest on the schools that leave, not on all that ever joined."""

from __future__ import annotations

import pandas as pd
import pytest
from restricted_by_hand import cohort

from plneval.config.report import Disclosure
from plneval.release.thin_results import withheld_records
from plneval.report.model_tables import estimand_name


@pytest.mark.parametrize(
    "estimand",
    ["att_leaving", "att_leaving_event_time", "att_after_leaving", "att_switching_event_time", "att_switching_year"],
)
def test_an_effect_on_two_leaving_clusters_is_withheld_however_many_joined(estimand: str) -> None:
    records = pd.DataFrame(
        {
            "model": "m",
            "estimand": estimand,
            "term": ["two", "three"],
            "event_time": pd.array([0, 1], dtype="Int64"),
            "estimate": 0.1,
            "n_schools": 40,
            "n_treated": 500,
            "clusters_treated": [2, 3],
            "clusters_comparison": 20,
        }
    )
    entered = pd.DataFrame({"entry_year": [2014, 2015], "n_schools": [10, 12]})
    reason = withheld_records(records, entered, cohort(), {}, Disclosure(minimum_schools=3))
    assert reason.tolist() == ["fewer than 3 schools", ""]


def test_reports_name_leaving_and_switching_in_words() -> None:
    rows = pd.DataFrame(
        {
            "estimand": ["att_leaving_event_time", "att_leaving", "att_switching_year", "att_switching_year"],
            "term": ["e1", "", "joiners", ""],
            "event_time": pd.array([1, None, 0, 0], dtype="Int64"),
        }
    )
    assert [estimand_name(row) for row in rows.itertuples()] == [
        "Outcome years since leaving: 1",
        "Leaving, for each outcome year outside",
        "In the year of a switch, joiners only",
        "In the year of a switch",
    ]

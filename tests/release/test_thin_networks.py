"""Effects of networks: those of few schools are withheld, and no single one can be worked out from the others."""

from __future__ import annotations

import pandas as pd
import pytest
from restricted_by_hand import cohort

from plneval.config.report import Disclosure
from plneval.release.thin_results import withheld_records

ENTERED = pd.DataFrame({"entry_year": [2014, 2015], "n_schools": [10, 12]})
FEW, WORKED_OUT = "fewer than 3 schools", "could be worked out from another effect that is withheld"


def reasons(schools: list[int], treated: list[int]) -> list[str]:
    records = pd.DataFrame(
        {
            "model": "growth",
            "estimand": "network_effect",
            "term": [f"network {k + 1}" for k in range(len(schools))],
            "event_time": pd.array([None] * len(schools), dtype="Int64"),
            "estimate": 0.1,
            "n_schools": pd.array(schools, dtype="Int64"),
            "n_treated": pd.array(treated, dtype="Int64"),
            "clusters_treated": pd.array([None] * len(schools), dtype="Int64"),
            "clusters_comparison": pd.array([None] * len(schools), dtype="Int64"),
        }
    )
    return withheld_records(records, ENTERED, cohort(), {}, Disclosure(minimum_schools=3)).tolist()


@pytest.mark.parametrize(
    ("schools", "treated", "expected"),
    [
        ([5, 4, 3], [50, 40, 30], ["", "", ""]),
        ([5, 4, 2], [50, 40, 30], ["", WORKED_OUT, FEW]),
        ([5, 4, 2], [30, 40, 50], [WORKED_OUT, "", FEW]),
        ([5, 4, 2, 1], [50, 40, 30, 20], ["", "", FEW, FEW]),
        # The last rests on too few pupils: what is missing with the count would follow from the others.
        ([5, 4, 3], [50, 40, 8], ["", WORKED_OUT, ""]),
    ],
)
def test_a_single_network_that_is_withheld_takes_another_with_it(
    schools: list[int], treated: list[int], expected: list[str]
) -> None:
    assert reasons(schools, treated) == expected

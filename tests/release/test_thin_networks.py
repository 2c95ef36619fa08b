"""Effects of networks: those of few schools are withheld, and no single one can be worked out from the others."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from restricted_by_hand import cohort, frames, record, records_table, spec

from plneval.config.report import Disclosure
from plneval.release.control import control
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


def growth(estimand: str, term: str, **values: Any) -> dict[str, Any]:
    common = {"clusters_treated": None, "clusters_comparison": None, "n_pupils": None, "n_scores": None}
    return {**record(estimand, term=term, **{"estimate": 0.1234567, "se": 0.05, **common, **values}), "model": "cs_all"}


def test_what_a_growth_model_says_of_networks_and_schools_passes_the_door() -> None:
    tables = frames()
    rows = [
        growth("network_effect", "network 1", n_schools=6, n_treated=503),
        growth("network_effect", "network 2", n_schools=4, n_treated=301),
        growth("network_effect", "network 3", n_schools=3, n_treated=222),
        growth("network_effect", "network 4", n_schools=2, n_treated=107),
        growth("school_value_added", "change, 10 percent", n_schools=2, n_treated=None),
        growth("school_value_added", "change, 50 percent", n_schools=8, n_treated=None),
        growth("intraclass_correlation", "school:pupil", se=None, ci_low=0.1, ci_high=0.2),
        growth("r_squared", "marginal", se=None),
    ]
    tables["records"] = pd.concat([tables["records"], records_table(rows)], ignore_index=True)
    specs = {"cs_maths": spec(), "cs_all": spec(headline=False), "cs_dis": spec(headline=False)}
    found = control(tables, cohort(), "hill", specs, Disclosure()).frames["records"]
    found = found[found["model"] == "cs_all"].set_index(["estimand", "term"])
    shown = found["estimate"].notna()
    # The fourth network has two schools; the third, the next in pupils, goes with it.
    assert shown.loc["network_effect"].tolist() == [True, True, False, False]
    assert found.loc[("network_effect", "network 1"), "n_treated"] == 505
    assert found.loc[("network_effect", "network 1"), "estimate"] == 0.123
    # A quantile that two schools lie beyond is withheld.
    assert shown.loc["school_value_added"].tolist() == [False, True]
    assert found.loc[("intraclass_correlation", "school:pupil"), "ci_high"] == 0.2
    assert shown.loc[("r_squared", "marginal")]

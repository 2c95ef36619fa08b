"""Sensitivity of the headline: against independent numbers, and where there is nothing to work out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "estimate"))
from estimate_panels import cohort, school_panel, write_panel
from evidence_by_hand import evidence, sensitivity

from plneval.challenge.multiplicity import multiplicity_table
from plneval.challenge.sensitivity import COLUMNS
from plneval.challenge.sensitivity import sensitivity as measure
from plneval.challenge.sensitivity_gates import breakdown
from plneval.config.models import GroupTime, ModelSpec, TwoWay
from plneval.estimate.stage import estimate

YEARS = range(2010, 2017)
HEADLINE = GroupTime(kind="did.att_gt", label="l", outcome="maths", headline=True)
SINGLE = TwoWay(kind="did.twfe", label="t", outcome="maths", role="exploratory")
SPECS: dict[str, ModelSpec] = {"m": HEADLINE, "t": SINGLE}


def study(effect: float, noise: float = 0.3) -> pd.DataFrame:
    """45 members of 15 networks that join in 2013 or 2014 and 45 others; the effect from the first year on."""
    draws = np.random.default_rng(5)
    rows = []
    for school in range(1, 91):
        entry = (2013 + school % 2) if school <= 45 else None
        for year in YEARS:
            gain = effect if entry and year >= entry else 0.0
            rows.append(
                {
                    "school": school,
                    "year": year,
                    "entry_year": entry,
                    "network": (school - 1) // 3 + 1 if entry else None,
                    "z": gain + draws.normal(scale=noise),
                }
            )
    return pd.DataFrame(rows).astype({"entry_year": "Int64", "network": "Int64"})


def measured(tmp_path: Path, table: pd.DataFrame, specs: dict[str, ModelSpec] = SPECS) -> dict[str, Any]:
    panel = write_panel(tmp_path, school_panel(table))
    for name, spec in specs.items():
        estimate(cohort(), "study", name, spec, panel, panel / "records", seed=1)
    records = pd.concat([pd.read_parquet(panel / "records" / f"{name}.records.parquet") for name in specs])
    return {**measure(cohort(), specs, panel, records), "records": records}


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measured(tmp_path_factory.mktemp("strong"), study(2.0))


def test_bounds_without_violations_are_the_usual_interval_and_widen_with_them(strong: dict[str, Any]) -> None:
    honest = strong["honest"]
    magnitudes = honest[honest["kind"] == "relative_magnitudes"]
    usual = magnitudes.iloc[0]
    records = strong["records"].query("model == 'm' and estimand == 'att_third_year_on'")
    assert usual["estimate"] == pytest.approx(records["estimate"].iloc[0], abs=1e-9)
    assert (usual["ci_high"] - usual["ci_low"]) / (2 * 1.96 * usual["se"]) == pytest.approx(1, abs=0.02)
    for _, rows in honest.groupby("kind"):
        assert rows["ci_low"].is_monotonic_decreasing
        assert rows["ci_high"].is_monotonic_increasing


def test_a_strong_effect_withstands_what_a_weak_one_does_not(strong: dict[str, Any], tmp_path: Path) -> None:
    weak = measured(tmp_path, study(0.25))["honest"]
    by_kind = [table.groupby("kind")["breakdown"].first() for table in (strong["honest"], weak)]
    assert (by_kind[0] > by_kind[1]).all()
    assert by_kind[0]["relative_magnitudes"] > 1


def test_an_effect_before_joining_is_found_at_made_up_dates(tmp_path: Path, strong: dict[str, Any]) -> None:
    table = study(0.0, noise=0.05)
    early = table["entry_year"].notna() & (table["year"] >= table["entry_year"] - 2).fillna(False)
    table["z"] += np.where(early, 0.7, 0.0)
    placebo = measured(tmp_path, table)["placebo"].set_index("years_earlier")
    assert placebo.loc[2, "estimate"] == pytest.approx(0.7, abs=0.05)
    assert placebo.loc[2, "p"] < 0.001
    without = strong["placebo"].set_index("years_earlier").loc[2]
    assert without["ci_low"] < 0 < without["ci_high"]


def test_leaving_a_network_out_gives_what_the_study_without_it_gives(tmp_path: Path, strong: dict[str, Any]) -> None:
    table = strong["leave_one_out"]
    assert len(table) == 15
    assert table["n_schools"].tolist() == [3] * 15
    assert table["estimate"].is_monotonic_increasing
    rest = study(2.0)
    rest = rest[rest["network"].fillna(0) != 4]
    alone = measured(tmp_path, rest, {"m": HEADLINE})["records"].set_index("estimand").loc["att_third_year_on"]
    assert np.isclose(table["estimate"], alone["estimate"], atol=1e-12).sum() == 1


def test_the_decomposition_adds_up_to_the_coefficient_of_the_regression(strong: dict[str, Any]) -> None:
    bacon = strong["bacon"]
    coefficient = strong["records"].query("model == 't'")["estimate"].iloc[0]
    assert bacon["weight"].sum() == pytest.approx(1)
    assert bacon["weight"] @ bacon["estimate"] == pytest.approx(coefficient, abs=1e-10)
    assert bacon["coefficient"].iloc[0] == pytest.approx(coefficient, abs=1e-10)


def test_p_of_several_models_are_adjusted_as_holm_and_benjamini_and_hochberg_do() -> None:
    p = [0.01, 0.04, 0.03]
    specs = {name: GroupTime(kind="did.att_gt", label="l", outcome="maths") for name in "abc"}
    records = pd.DataFrame({"model": list("abc"), "estimand": "att_third_year_on", "p": p})
    table = multiplicity_table({**specs, "m": HEADLINE}, records)
    # By hand: 3 × 0.01, 2 × 0.03, and no less for 0.04; 3/1 × 0.01, 3/3 × 0.04, and no more for 0.03.
    assert table["p_holm"].tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert table["p_fdr"].tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert table["tests"].tolist() == [3, 3, 3]


def test_what_cannot_be_worked_out_is_an_empty_table_and_a_note(tmp_path: Path) -> None:
    table = study(1.0)
    found = measured(tmp_path, table[table["year"] >= 2012].query("entry_year != 2014"), {"m": HEADLINE})
    assert found["honest"].empty
    assert list(found["honest"].columns) == list(COLUMNS["honest"])
    assert "honest" in set(found["sensitivity_notes"]["analysis"])


@pytest.mark.parametrize(
    ("value", "result", "words"),
    [
        (1.4, "pass", "1.4 times as far"),
        (0.6, "caution", "0.6 times as far"),
        (0.0, "caution", "contains zero even if"),
        (float("nan"), "pass", "No departure"),
        (None, "caution", "could not be worked out"),
    ],
)
def test_the_breakdown_value_is_held_against_the_largest_change_before_joining(
    value: float | None, result: str, words: str
) -> None:
    gate = breakdown(evidence(sensitivity=sensitivity(value)))
    assert gate.result == result
    assert words in gate.statement
    assert gate.authority.status == "own"
    assert bool(gate.because) == (result != "pass")

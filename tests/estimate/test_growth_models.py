"""Growth models against lme4 and lmerTest on a stored simulated study (reference/growth.R makes it)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, pupil_panel, school_panel, write_panel

from plneval.config.models import Multilevel
from plneval.errors import UserError

REFERENCE = Path(__file__).parent / "reference"
TERMS = ["treated_year_1", "treated_year_2", "treated_year_3"]


RANDOM = {"pupil": "(time | school) + (1 | pupil)", "school": "(time | school)"}


def spec(level: str, fixed: str = "", random: str = "", **settings: Any) -> Multilevel:
    fixed = fixed or ("C(year) + C(grade) + arm" if level == "pupil" else "C(year) + arm")
    declared = {
        "kind": "multilevel",
        "level": level,
        "label": "l",
        "outcome": "maths",
        "formula": f"z_fixed ~ {fixed} + {' + '.join(TERMS)} + {random or RANDOM[level]}",
        "effect_terms": TERMS,
        "headline_terms": ["treated_year_3"],
    }
    return Multilevel.model_validate(declared | settings)


def pupils() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "growth.csv").astype({"entry_year": "Int64"})
    return data.assign(grade=data["grade"].astype(str))


def panel(folder: Path, rows: pd.DataFrame) -> Path:
    means = rows.groupby(["school", "year"], as_index=False).agg(
        z=("z", "mean"), entry_year=("entry_year", "first"), n=("z", "size")
    )
    return write_panel(folder, school_panel(means), pupil_panel(rows), sds={"z_fixed": 0.9})


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((REFERENCE / "growth.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panel(tmp_path_factory.mktemp("growth"), pupils())


# The criterion of REML depends on how the intercept's column is scaled, not on which level is the reference.
NAMES = {"school: intercept": "school: (Intercept)", "school: time": "school: time", "residual": "Residual"}


def test_three_levels_are_those_of_lme4_with_satterthwaites_df(folder: Path, reference: dict[str, Any]) -> None:
    records, diagnostics = fitted(cohort("pupils"), spec("pupil"), folder)
    expected = reference["three_level"]
    for term in TERMS:
        record, own = records.loc[("coefficient", term)], expected["coefficients"][term]
        assert record["estimate"] == pytest.approx(own["estimate"], abs=1e-6)
        assert record["se"] == pytest.approx(own["se"], rel=1e-5)
        assert record["df"] == pytest.approx(own["df"], rel=1e-3)
    for name, theirs in {**NAMES, "pupil: intercept": "pupil: (Intercept)"}.items():
        found = records.loc[("variance", name), "estimate"]
        assert found == pytest.approx(expected["variances"][theirs], rel=1e-4)
    covariance = records.loc[("variance", "school: intercept, time"), "estimate"]
    assert covariance == pytest.approx(expected["variances"]["school: covariance"], rel=1e-4)
    assert diagnostics["criterion"] == pytest.approx(expected["criterion"], abs=1e-5)
    assert records["converged"].all()
    assert not diagnostics["singular"]


def test_two_levels_are_those_of_lme4(folder: Path, reference: dict[str, Any]) -> None:
    records, diagnostics = fitted(cohort("pupils"), spec("school"), folder)
    expected = reference["two_level"]
    for term in TERMS:
        record, own = records.loc[("coefficient", term)], expected["coefficients"][term]
        assert record["estimate"] == pytest.approx(own["estimate"], abs=1e-5)
        assert record["se"] == pytest.approx(own["se"], rel=1e-4)
        assert record["df"] == pytest.approx(own["df"], rel=1e-3)
    for name, theirs in NAMES.items():
        assert records.loc[("variance", name), "estimate"] == pytest.approx(expected["variances"][theirs], rel=1e-3)
    assert diagnostics["converged"]
    assert diagnostics["engine"] == "nested"
    assert "school-years count equally" in records.iloc[0]["warnings"]


def test_effect_size_and_headline_rest_on_the_reported_term(folder: Path) -> None:
    records, _ = fitted(cohort("pupils"), spec("pupil", headline=True), folder)
    headline, term = records.loc[("att_third_year_on", "")], records.loc[("coefficient", "treated_year_3")]
    assert headline["estimate"] == term["estimate"]
    assert headline["headline"]
    assert headline["effect_size"] == pytest.approx(headline["estimate"] / 0.9, rel=1e-12)
    assert not records.drop(index=("att_third_year_on", ""))["headline"].any()


def test_headline_of_several_terms_weighs_them_by_treated_pupils(folder: Path) -> None:
    model = spec("pupil", headline_terms=["treated_year_2", "treated_year_3"])
    records, _ = fitted(cohort("pupils"), model, folder)
    rows = pupils()
    e = rows["year"] - rows["entry_year"]
    second, third = float((e == 1).sum()), float((e >= 2).sum())
    effects = records.loc["coefficient", "estimate"]
    expected = (second * effects["treated_year_2"] + third * effects["treated_year_3"]) / (second + third)
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx(expected, rel=1e-12)


def test_movers_are_one_pupil_in_two_schools_and_reported(tmp_path: Path) -> None:
    rows = pupils()
    rows.loc[rows["pupil"] == 1002, "pupil"] = 2002
    _, diagnostics = fitted(cohort("pupils"), spec("pupil"), panel(tmp_path, rows))
    assert diagnostics["pupils_in_several_schools"] == 1
    assert diagnostics["engine"] == "crossed"
    assert diagnostics["groups"]["pupil"] == rows["pupil"].nunique()


def test_empty_year_by_grade_cells_are_dropped_and_named(tmp_path: Path) -> None:
    rows = pupils()
    model = spec("pupil", "C(year) * C(grade) + arm")
    _, diagnostics = fitted(cohort("pupils"), model, panel(tmp_path, rows))
    seen = set(zip(rows["year"], rows["grade"], strict=True))
    empty = [(year, grade) for year in range(2014, 2019) for grade in "3456" if (year, grade) not in seen]
    assert empty
    # One fixed effect for each year × grade that has pupils, whatever the coding.
    assert len(diagnostics["columns"]) == len(seen) + 1 + len(TERMS)
    assert len(diagnostics["dropped_columns"]) == len(empty)


def test_rows_without_a_column_of_the_formula_are_counted(tmp_path: Path) -> None:
    rows = pupils()
    rows["disadvantaged"] = (rows["pupil"] % 3 == 0).astype("Int64")
    rows.loc[rows.index[:7], "disadvantaged"] = pd.NA
    model = spec("pupil", "C(year) + arm + disadvantaged")
    _, diagnostics = fitted(cohort("pupils"), model, panel(tmp_path, rows))
    assert diagnostics["exclusions"] == [{"unit": "pupil-years", "count": 7, "reason": "no disadvantaged"}]
    assert diagnostics["rows"] == len(rows) - 7


def test_an_effect_that_the_data_do_not_hold_is_not_estimated_and_named(tmp_path: Path) -> None:
    rows = pupils()
    rows = rows[~(rows["year"] - rows["entry_year"] >= 2).fillna(False)]
    records, diagnostics = fitted(cohort("pupils"), spec("school"), panel(tmp_path, rows))
    assert diagnostics["dropped_columns"] == ["treated_year_3"]
    assert "treated_year_3" in diagnostics["no_headline"]
    assert ("coefficient", "treated_year_3") not in records.index
    assert ("att_third_year_on", "") not in records.index


def test_a_variance_of_zero_is_a_result_and_called_singular(tmp_path: Path) -> None:
    draws = np.random.default_rng(1)
    rows = pupils().assign(z=draws.normal(size=len(pupils())))
    # Schools' means made equal within years: no variance is left between schools.
    rows["z"] -= rows.groupby(["school", "year"])["z"].transform("mean")
    records, diagnostics = fitted(cohort("pupils"), spec("pupil"), panel(tmp_path, rows))
    assert diagnostics["singular"]
    assert records.loc[("variance", "school: intercept"), "estimate"] == pytest.approx(0, abs=1e-4)
    assert "singular" in records.iloc[0]["warnings"]
    assert diagnostics["converged"]


def test_an_effect_term_that_the_formula_lacks_is_an_error_with_the_likely_name(folder: Path) -> None:
    model = spec("school", effect_terms=["treated_year_4"], headline_terms=[])
    with pytest.raises(UserError, match=r"has no term 'treated_year_4'\. Did you mean 'treated_year_"):
        fitted(cohort("pupils"), model, folder)


def test_a_formula_that_would_run_code_is_refused(folder: Path) -> None:
    model = spec("school", formula="z_fixed ~ __import__('os').getcwd() + treated_year_1 + (1 | school)")
    with pytest.raises(UserError):
        fitted(cohort("pupils"), model, folder)

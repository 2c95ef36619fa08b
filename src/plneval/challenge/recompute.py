"""The headline computed a second time, by code that shares nothing with the estimators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from plneval.challenge.limits import OWN
from plneval.config.cohort import Cohort
from plneval.config.models import EventStudy, GroupTime, Growth, ModelSpec

COLUMNS: Final = {
    "model": "str",
    "estimand": "str",
    "term": "str",
    "estimate": "float64",
    "recomputed": "float64",
    "difference": "float64",
    "digits": "float64",
    "se": "float64",
    "se_recomputed": "float64",
    "by": "str",
    "agrees": "bool",
}
EXACT_DIGITS: Final = 16.0
"""Digits of two numbers that are equal: a double holds no more."""


@dataclass(frozen=True)
class Recomputed:
    """One number computed again.

    Attributes
    ----------
    value, se : in units of the modelled column; ``se`` is missing where no independent computation of it exists.
    by : library, version and method.
    """

    estimand: str
    term: str
    value: float
    se: float | None
    by: str


def recompute(cohort: Cohort, spec: ModelSpec, panel: Path, records: pd.DataFrame) -> pd.DataFrame:
    """Compute a model's headline and the cells (or coefficients) behind it again, and compare.

    Group-time effects: weighted least squares of long differences by statsmodels, not diff-diff. Event study: least
    squares with dummy variables by statsmodels, not linearmodels. Two levels: mixedlm, not statsmodels. Three levels:
    generalised least squares at the fitted variances by numpy, which checks coefficients and standard errors, not the
    maximisation.

    Parameters
    ----------
    spec : the model; its records are those with its label and outcome.
    panel : folder that prepare wrote.
    records : records of one or of all models.

    Returns
    -------
    DataFrame
        Columns of :data:`COLUMNS`. ``digits``: :math:`-\\log_{10}(|difference| / max(|estimate|, se))`, at most 16.
        ``agrees``: estimate, and standard error where there are two, agree in the project's number of digits.
    """
    own = records.loc[
        (records["label"] == spec.label)
        & (records["outcome"] == spec.outcome)
        & (records["subgroup"] == spec.subgroup)
        & (records["estimator"] == spec.kind)
    ]
    if own.empty:
        return _table([])
    found = {(one.estimand, one.term): one for one in _again(cohort, spec, panel, own)}
    rows = []
    for record in own.itertuples(index=False):
        again = found.get((str(record.estimand), str(record.term)))
        if again is not None and math.isfinite(float(record.estimate)):  # type: ignore[arg-type]
            rows.append(_compared(str(record.model), float(record.estimate), float(record.se), again))  # type: ignore[arg-type]
    return _table(rows)


def _again(cohort: Cohort, spec: ModelSpec, panel: Path, records: pd.DataFrame) -> list[Recomputed]:
    if isinstance(spec, GroupTime):
        from plneval.challenge.recompute_group_time import group_time_again

        return group_time_again(cohort, spec, panel)
    if isinstance(spec, EventStudy):
        from plneval.challenge.recompute_event_study import event_study_again

        return event_study_again(cohort, spec, panel)
    assert isinstance(spec, Growth)
    from plneval.challenge.recompute_growth import growth_again

    return growth_again(spec, panel, records)


def _compared(model: str, estimate: float, se: float, again: Recomputed) -> dict[str, object]:
    digits = common_digits(estimate, again.value, max(abs(estimate), se if math.isfinite(se) else 0.0))
    agrees = digits >= OWN.recomputation_digits
    if again.se is not None and math.isfinite(se):
        agrees = agrees and common_digits(se, again.se, se) >= OWN.recomputation_digits
    return {
        "model": model,
        "estimand": again.estimand,
        "term": again.term,
        "estimate": estimate,
        "recomputed": again.value,
        "difference": again.value - estimate,
        "digits": digits,
        "se": se,
        "se_recomputed": again.se,
        "by": again.by,
        "agrees": agrees,
    }


def common_digits(first: float, second: float, scale: float) -> float:
    """Decimal digits in which two numbers agree, relative to a scale; at most 16, below 0 when they differ by more."""
    if not math.isfinite(second):
        return math.nan
    difference = abs(first - second)
    if difference == 0 or scale == 0:
        return EXACT_DIGITS if difference == 0 else -math.inf
    return min(EXACT_DIGITS, -math.log10(difference / scale))


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in COLUMNS.items()})

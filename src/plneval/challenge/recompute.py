"""The headline computed a second time, by code that shares nothing with the estimators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from plneval.challenge.limits import OWN
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime, Leaving, ModelSpec, Multilevel, Switchers, Synthetic, TripleDifference
from plneval.config.network_models import NetworkModel
from plneval.networks.study import NetworkStudy

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
MAIN: Final[dict[str, tuple[str, ...]]] = {
    "did.twfe": ("att_overall",),
    "did.leaving": ("att_leaving",),
    "did.switchers": ("att_switching",),
    "networks.after_leaving": ("att_after_leaving",),
    "networks.diffusion": (
        "att_direct",
        "att_indirect",
        "att_direct_less_indirect",
        "within_school",
        "mobilisation_ratio",
    ),
    "networks.dose": ("dose_third_year_on",),
    "networks.gap": ("gap_narrowed",),
    "networks.split": ("att_split",),
    "networks.spread": ("network_effect_mean",),
}
"""The main effects of kinds that have no single one from the third year on."""


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


def recompute(
    cohort: Cohort, spec: ModelSpec, panel: Path, records: pd.DataFrame, study: NetworkStudy | None = None
) -> pd.DataFrame:
    """Compute a model's headline and the cells (or coefficients) behind it again, and compare.

    Group-time effects: weighted least squares of long differences by statsmodels, and without covariates each cell by
    diff-diff. Two-way regressions: linearmodels. Other regressions and imputation: statsmodels with dummy variables.
    Synthetic difference-in-differences: diff-diff, and clusters left out by hand.
    Multilevel models: mixedlm where that is quick, otherwise Henderson's equations at the fitted variances by scipy,
    which check coefficients and standard errors, not the maximisation.

    Parameters
    ----------
    spec : the model; its records are those with its label and outcome.
    panel : folder that prepare wrote.
    records : records of one or of all models.
    study : tables of networks, and whose rule says which networks schools count for; without it, models about networks
        are not computed again.

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
    found: dict[tuple[str, str], list[Recomputed]] = {}
    for one in _again(cohort, spec, panel, own, study):
        found.setdefault((one.estimand, one.term), []).append(one)
    rows = []
    for record in own.to_dict("records"):
        for again in found.get((str(record["estimand"]), str(record["term"])), []):
            if math.isfinite(float(record["estimate"])):
                rows.append(_compared(str(record["model"]), float(record["estimate"]), float(record["se"]), again))
    return _table(rows)


def recompute_all(
    cohort: Cohort,
    specs: Mapping[str, ModelSpec],
    panel: Path,
    records: pd.DataFrame,
    study: NetworkStudy | None = None,
) -> pd.DataFrame:
    """The headline's model in full, and of every other model its main effect or effects.

    The main effect is the one from the third year on; of two-way fixed effects, the coefficient; of leaving and of
    switchers, the average; of models about networks see :data:`MAIN`.
    """
    tables: list[pd.DataFrame] = []
    for spec in specs.values():
        if spec.headline:
            tables.insert(0, recompute(cohort, spec, panel, records, study))
        else:
            table = recompute(cohort, spec, panel, records, study)
            main = MAIN.get(spec.kind, ("att_third_year_on",))
            tables.append(table[table["estimand"].isin(main)])
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else _table([])


def _again(
    cohort: Cohort, spec: ModelSpec, panel: Path, records: pd.DataFrame, study: NetworkStudy | None
) -> list[Recomputed]:
    if isinstance(spec, GroupTime):
        from plneval.challenge.recompute_group_time import group_time_again

        return group_time_again(cohort, spec, panel)
    if isinstance(spec, TripleDifference):
        from plneval.challenge.recompute_group_time import gap_again

        return gap_again(cohort, spec, panel)
    if isinstance(spec, Leaving | Switchers):
        from plneval.challenge.recompute_membership import membership_again

        return membership_again(cohort, spec, panel)
    if isinstance(spec, Synthetic):
        from plneval.challenge.recompute_synthetic import synthetic_again

        return synthetic_again(cohort, spec, panel, records)
    if isinstance(spec, Multilevel):
        from plneval.challenge.recompute_growth import growth_again

        return growth_again(spec, panel, records)
    if isinstance(spec, NetworkModel):
        from plneval.challenge.recompute_networks import network_again

        return [] if study is None else network_again(study, spec)
    from plneval.challenge.recompute_linear import linear_again

    return linear_again(cohort, spec, panel, str(records["vcov"].iloc[-1]))


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

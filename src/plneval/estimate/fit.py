"""What every estimator gives back: estimates that know what they rest on, their covariance and their influence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

COVARIANCE_COLUMNS = ["row_term", "column_term", "covariance"]
INFLUENCE_COLUMNS = ["cluster", "term", "influence"]


@dataclass(frozen=True)
class Basis:
    """The data behind one estimate; missing where the study does not know it.

    Attributes
    ----------
    n_scores : scores behind the school-years used (school-level data without counts: missing).
    n_pupils : distinct pupils behind them (school-level data: missing).
    n_schools : schools of both arms.
    n_networks : networks of the member schools.
    clusters_treated, clusters_comparison : clusters of the two arms; a cluster with a member school counts as treated.
    n_treated : distinct treated pupils, or treated schools where ``design.weight`` is ``schools``.
    """

    n_scores: int | None = None
    n_pupils: int | None = None
    n_schools: int | None = None
    n_networks: int | None = None
    clusters_treated: int | None = None
    clusters_comparison: int | None = None
    n_treated: int | None = None


@dataclass(frozen=True)
class Estimate:
    """One fitted number.

    Attributes
    ----------
    estimand, term, event_time : see ``docs/architecture.md``; ``event_time`` is missing for aggregates.
    estimate : in units of the modelled column (``pretrend``: the statistic of the test; ``variance``: units squared).
    se : standard error in the same units; missing where the data cannot give one.
    df : degrees of freedom of the t distribution; missing for the normal distribution.
    vcov : how the standard error was made.
    p : given only where it does not follow from estimate, se and df (``pretrend``, randomisation inference).
    bounds : the same for the interval; missing ends where there is none.
    scaled : whether an effect size may be derived (not for variances, tests and covariates).
    """

    estimand: str
    term: str
    event_time: int | None
    estimate: float
    se: float | None
    df: float | None
    vcov: str
    basis: Basis
    p: float | None = None
    bounds: tuple[float | None, float | None] | None = None
    scaled: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name within a model's covariance matrix and influence table."""
        return f"{self.estimand}|{self.term}"


@dataclass(frozen=True)
class Fit:
    """All estimates of one model.

    Attributes
    ----------
    estimator : name of the method.
    column : modelled column of the panel: ``z``, ``z_fixed`` or ``score``.
    covariance : ``row_term, column_term, covariance`` over the keys of the estimates that have a standard error.
    influence : ``cluster, term, influence``; a term's variance is the sum of its squares (empty for models whose
        inference does not rest on clusters).
    diagnostics : what ``<model>.json`` says.
    """

    estimator: str
    column: str
    comparison: str
    sample: str
    estimates: tuple[Estimate, ...]
    covariance: pd.DataFrame
    influence: pd.DataFrame
    diagnostics: dict[str, Any] = field(default_factory=dict)
    converged: bool = True
    warnings: tuple[str, ...] = ()


def no_covariance() -> pd.DataFrame:
    """A covariance table without rows."""
    return pd.DataFrame({"row_term": pd.Series(dtype="str"), "column_term": pd.Series(dtype="str"), "covariance": []})


def no_influence() -> pd.DataFrame:
    """An influence table without rows."""
    return pd.DataFrame(
        {"cluster": pd.Series(dtype="Int64"), "term": pd.Series(dtype="str"), "influence": pd.Series(dtype="float64")}
    )


def unestimable(estimator: str, column: str, comparison: str, sample: str, diagnostics: dict[str, Any]) -> Fit:
    """A fit without estimates; ``diagnostics['not_estimated']`` holds the reasons as sentences."""
    return Fit(estimator, column, comparison, sample, (), no_covariance(), no_influence(), diagnostics, converged=False)

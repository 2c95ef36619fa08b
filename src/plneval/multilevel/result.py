"""A fitted model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.special

from plneval.multilevel.bootstrap import Bootstrap, bootstrap_fit
from plneval.multilevel.compare import Comparison, compare_fits
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Floats, Intake, Integers
from plneval.multilevel.engine import Engine
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.group_contrasts import group_contrast
from plneval.multilevel.kenward_roger import KenwardRoger, kenward_roger
from plneval.multilevel.optimise import Optimum
from plneval.multilevel.prediction import fitted_values, predict_rows, residual_values
from plneval.multilevel.profile import profile_of_fit
from plneval.multilevel.random_effects import GroupEffects, check_group, effects_of, effects_of_fit
from plneval.multilevel.robust import RobustErrors
from plneval.multilevel.satterthwaite import CovarianceOfParameters, covariance_of_parameters
from plneval.multilevel.shares import r_squared_of_fit, shares_of_fit
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.theta import Parameters

CONFIDENCE = 0.95
DF_METHODS = ("satterthwaite", "kenward_roger")


def coefficient_table(
    terms: list[str], estimate: Floats, se: Floats, df: Floats, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Estimates with t tests and intervals: term, estimate, se, df, t, p, ci_low, ci_high."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / se
    p = 2.0 * scipy.special.stdtr(df, -np.abs(t))
    reach = scipy.special.stdtrit(df, 0.5 + confidence / 2.0) * se
    columns = {"term": terms, "estimate": estimate, "se": se, "df": df, "t": t, "p": p}
    return pd.DataFrame({**columns, "ci_low": estimate - reach, "ci_high": estimate + reach})


@dataclass(frozen=True)
class Source:
    """The data and weights a model was fitted to, as they were given."""

    data: Any
    weights: Any


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A linear mixed model at its least criterion.

    Attributes
    ----------
    statistics
        The sums it was fitted to.
    reml
        Whether the criterion is restricted.
    engine_used, parameters, optimum
        The criterion, the order of theta, and what was found; see ``docs/multilevel.md``.
    kept
        Positions among the columns of X of those that are estimated; the others are collinear, and in ``dropped``.
    intake, source
        The rows, for what needs a second pass; ``None`` for a fit to statistics.
    """

    statistics: Statistics
    reml: bool
    engine_used: Engine
    parameters: Parameters
    optimum: Optimum
    kept: Integers
    intake: Intake | None
    source: Source | None = None

    @property
    def formula(self) -> str:
        """As written."""
        return self.statistics.model.formula

    @property
    def terms(self) -> list[str]:
        """Names of the fixed effects that are estimated."""
        model = self.statistics.model
        return [model.names[model.fixed[at]] for at in self.kept]

    @property
    def n(self) -> int:
        """Rows used."""
        return self.statistics.n

    @property
    def groups(self) -> dict[str, int]:
        """Groups of each grouping factor, innermost first."""
        names = [shape.name for shape in self.statistics.model.levels]
        return dict(zip(names, self.statistics.sizes, strict=True))

    @property
    def dropped(self) -> pd.DataFrame:
        """What was left out and why: kind, reason, count, first."""
        return self.statistics.dropped

    @property
    def engine(self) -> str:
        """Which engine fitted it: ``nested``, ``crossed`` or ``mixedlm``."""
        return self.engine_used.name

    @property
    def converged(self) -> bool:
        """Whether a fresh Hessian certifies the optimum: no decrease left, no direction downwards."""
        return self.optimum.converged

    @property
    def singular(self) -> bool:
        """Whether a variance is estimated at 0 or effects are perfectly correlated (1e-4 of σ)."""
        return self.optimum.singular

    @property
    def gradient_norm(self) -> float:
        """Euclidean length of the criterion's gradient in theta."""
        return float(np.linalg.norm(self.optimum.gradient))

    @property
    def theta(self) -> Floats:
        """lme4's theta."""
        return self.optimum.theta.copy()

    @property
    def criterion(self) -> float:
        """The REML criterion, or minus twice the log-likelihood."""
        return self.optimum.criterion

    @property
    def log_likelihood(self) -> float:
        """The (restricted) log-likelihood."""
        return -0.5 * self.criterion

    @property
    def aic(self) -> float:
        """Akaike's criterion: fixed effects, theta and σ are counted, as in lme4."""
        return self.criterion + 2.0 * (len(self.kept) + self.parameters.size + 1)

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return float(np.sqrt(self.optimum.root.residual / self.engine_used.freedom))

    def criterion_at(self, theta: Floats) -> float:
        """The criterion at other relative covariance parameters, in lme4's order."""
        factors = self.parameters.centred(self.parameters.factors(np.asarray(theta, dtype=np.float64)))
        try:
            return self.engine_used.value_and_gradient(factors)[0]
        except np.linalg.LinAlgError:
            return np.inf

    @cached_property
    def to_columns(self) -> Floats:
        """(p, p) R: coefficients of the columns as given are R times those of the working columns, plus the slope."""
        model, centre = self.statistics.model, self.statistics.centre
        change = np.eye(len(self.kept))
        positions = [model.fixed[at] for at in self.kept]
        if model.intercept in positions:
            row = positions.index(model.intercept)
            for place, position in enumerate(positions):
                if position != model.intercept:
                    change[row, place] = -centre.shift[position]
        return change

    @cached_property
    def coefficients(self) -> Floats:
        """(p,) fixed effects."""
        return self.to_columns @ (self.optimum.root.coefficients + self.statistics.centre.slope[self.kept])

    @cached_property
    def vcov(self) -> pd.DataFrame:
        """(p, p) covariance of the fixed effects, given theta."""
        covariance = self.sigma**2 * self.to_columns @ self.optimum.root.inverse @ self.to_columns.T
        return pd.DataFrame((covariance + covariance.T) / 2.0, index=self.terms, columns=self.terms)

    @cached_property
    def fixed(self) -> pd.DataFrame:
        """Fixed effects with Satterthwaite's degrees of freedom: term, estimate, se, df, t, p, ci_low, ci_high."""
        return self.df("satterthwaite")

    @cached_property
    def variance(self) -> pd.DataFrame:
        """Variances and covariances of the random effects, in theta's order, and the residual variance.

        Columns: ``group``, ``name1``, ``name2`` (``None`` for a variance), ``variance`` (the variance or
        covariance) and ``sd`` (the standard deviation or correlation).
        """
        factors = self.parameters.factors(self.optimum.theta)
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for block in self.parameters.blocks:
            factor = factors[block.level][block.rows, block.rows] * self.sigma
            psi = factor @ factor.T
            sd = np.sqrt(np.diagonal(psi))
            group = self.statistics.model.levels[block.level].name
            rows.extend((group, name, None, float(psi[i, i]), float(sd[i])) for i, name in enumerate(block.names))
            with np.errstate(divide="ignore", invalid="ignore"):
                correlation = psi / np.outer(sd, sd)
            for j in range(block.width):
                for i in range(j + 1, block.width):
                    row = (group, block.names[j], block.names[i], float(psi[i, j]), float(correlation[i, j]))
                    rows.append(row)
        rows.append(("Residual", None, None, self.sigma**2, self.sigma))
        return pd.DataFrame(rows, columns=["group", "name1", "name2", "variance", "sd"])

    @cached_property
    def _parameter_covariance(self) -> CovarianceOfParameters:
        return covariance_of_parameters(self.engine_used, self.parameters, self.optimum)

    @cached_property
    def _kenward_roger(self) -> KenwardRoger:
        if not self.reml:
            raise MultilevelError("Kenward and Roger's adjustment is of REML fits: fit with reml=True")
        if not isinstance(self.engine_used, Criterion):
            raise MultilevelError(f"Kenward and Roger's adjustment needs nested levels; this fit is {self.engine}")
        return kenward_roger(self.engine_used, self.parameters, self.optimum)

    def df(self, method: str = "satterthwaite") -> pd.DataFrame:
        """The fixed effects with degrees of freedom by a method; a table like ``fixed``.

        ``"satterthwaite"`` as lmerTest; ``"kenward_roger"`` as pbkrtest, with its adjusted standard errors.
        """
        return self._table(np.eye(len(self.kept)), self.terms, method)

    def contrast(self, weights: Mapping[str, float], method: str = "satterthwaite") -> pd.DataFrame:
        """A linear combination of fixed effects: one row like ``fixed``.

        Parameters
        ----------
        weights
            For each term its weight; terms left out weigh 0.
        method
            Degrees of freedom, as for :meth:`df`.
        """
        unknown = [term for term in weights if term not in self.terms]
        if unknown:
            raise MultilevelError(f"no fixed effect {unknown[0]!r}; there are {', '.join(self.terms)}")
        row = np.array([[float(weights.get(term, 0.0)) for term in self.terms]])
        if not np.isfinite(row).all() or not row.any():
            raise MultilevelError("a contrast needs finite weights that are not all 0")
        name = " + ".join(f"{weight:g} {term}" for term, weight in weights.items())
        return self._table(row, [name], method)

    def _table(self, contrasts: Floats, names: list[str], method: str) -> pd.DataFrame:
        estimate = contrasts @ self.coefficients
        rows = contrasts @ self.to_columns
        if method == "satterthwaite":
            covariance = self.vcov.to_numpy()
            df = np.array([self._parameter_covariance.df(row) for row in rows])
        elif method == "kenward_roger":
            adjustment = self._kenward_roger
            covariance = self.to_columns @ adjustment.adjusted @ self.to_columns.T
            df = np.array([adjustment.df(row) for row in rows])
        else:
            raise MultilevelError(f"no method {method!r} for degrees of freedom; there are {', '.join(DF_METHODS)}")
        se = np.sqrt(np.einsum("ra,ab,rb->r", contrasts, covariance, contrasts))
        return coefficient_table(names, estimate, se, df)

    def robust(self, kind: str = "CR2", cluster: str | None = None, exact: bool | None = None) -> pd.DataFrame:
        """The fixed effects with cluster-robust standard errors and Satterthwaite degrees of freedom.

        Parameters
        ----------
        kind
            ``"CR0"`` to ``"CR3"``, as in R's clubSandwich.
        cluster
            The outermost grouping factor (the default), or a column whose groups hold whole groups of every level.
        exact
            For CR2: take clubSandwich's root, which needs the rows and work of the order of the clusters' sizes cubed
            (True), or one that follows from the statistics (False; standard errors differ in the fourth digit). By
            default exact where there are rows and the work is small; ``attrs["exact"]`` of the table says which.

        Raises
        ------
        MultilevelError
            A kind that does not exist; a cluster that does not hold whole groups; rows needed that are not there.
        """
        found = self.robust_errors(kind, cluster, exact)
        se = np.sqrt(np.diagonal(found.covariance))
        df = np.array([found.df(row) for row in np.eye(len(self.kept))])
        table = coefficient_table(self.terms, self.coefficients, se, df)
        table.attrs = {"kind": kind, "clusters": found.clusters, "exact": found.exact}
        return table

    def robust_errors(self, kind: str = "CR2", cluster: str | None = None, exact: bool | None = None) -> RobustErrors:
        """What :meth:`robust` rests on: the covariance of all fixed effects, and the df of any contrast of them."""
        from plneval.multilevel.robust_fit import robust_errors

        return robust_errors(self, kind, cluster, exact)

    def random_effects(self, group: str, level: float = CONFIDENCE) -> pd.DataFrame:
        """Predicted effects of a grouping factor's groups, and standard errors given the data (lme4's ``condVar``).

        Columns: the grouping factor's name, ``name``, ``estimate``, ``se``, ``ci_low``, ``ci_high``, ``rank``. Those
        of the innermost level take a second pass over the rows.
        """
        check_group(self, group)
        innermost = group == self.statistics.model.levels[0].name
        return effects_of(group, self._effects(innermost=innermost)).table(level)

    def group_contrast(
        self, group: str, name: str, fixed: Mapping[str, float], level: float = CONFIDENCE
    ) -> pd.DataFrame:
        """Effect ``name`` of each group plus a combination of fixed effects: a group's own coefficient.

        Unlike those of :meth:`random_effects`, standard errors hold the fixed effects' too. Columns: the grouping
        factor's name, ``estimate``, ``se``, ``ci_low``, ``ci_high`` (normal).
        """
        return group_contrast(self, group, name, fixed, level)

    def _effects(self, *, innermost: bool = True) -> list[GroupEffects]:
        known = self.__dict__.setdefault("_known_effects", {})
        if innermost not in known:
            known[innermost] = effects_of_fit(self, innermost=innermost)
        found: list[GroupEffects] = known[innermost]
        return found

    def fitted(self) -> pd.Series:
        """Xβ + Zu of the rows that were used, in the order of the data."""
        return fitted_values(self, self._effects())

    def residuals(self) -> pd.Series:
        """The outcome less its fitted value, in the order of the data."""
        return residual_values(self, self._effects())

    def predict(self, data: Any, *, random: bool = True, allow_new_groups: bool = False) -> pd.Series:
        """The expected outcome of new rows; see :func:`~plneval.multilevel.prediction.predict_rows`.

        ``random=False`` gives the population's mean Xβ, without the groups' effects.
        """
        effects = self._effects() if random else None
        return predict_rows(self, data, effects, allow_new_groups=allow_new_groups)

    def compare(self, other: Fit, bootstrap: int = 0, seed: int = 1) -> Comparison:
        """Likelihood-ratio test against a model that holds this one or is held by it, with the boundary mixture.

        With ``bootstrap`` also by that many draws of the statistics from the smaller model (``p_bootstrap``).
        """
        return compare_fits(self, other, bootstrap, seed)

    def profile(
        self, level: float = CONFIDENCE, *, reml: bool = False, only: Collection[tuple[str, str]] | None = None
    ) -> pd.DataFrame:
        """Profile-likelihood intervals of standard deviations and correlations.

        Of the full likelihood, as lme4's ``confint``, or with ``reml`` of the restricted one. ``only`` names standard
        deviations, as (group, effect), where not all are wanted: each takes some tens of evaluations. Columns:
        ``group``, ``name1``, ``name2``, ``estimate`` (of that likelihood), ``ci_low``, ``ci_high``.
        """
        return profile_of_fit(self, level, reml=reml, only=only)

    def bootstrap(self, replicates: int = 500, seed: int = 1) -> Bootstrap:
        """Parametric bootstrap from the statistics: draw sums from the fit and refit, so many times."""
        return bootstrap_fit(self, replicates, seed)

    def variance_shares(self, level: float = CONFIDENCE) -> pd.DataFrame:
        """Variances, shares and intraclass correlations of the levels, with delta-method intervals.

        Columns: ``group``, ``quantity``, ``estimate``, ``se``, ``ci_low``, ``ci_high``. With random slopes a level's
        variance is its mean over the rows.
        """
        return shares_of_fit(self, level)

    @property
    def r_squared(self) -> pd.Series:
        """Marginal and conditional R² of Nakagawa, Johnson and Schielzeth (2017)."""
        return r_squared_of_fit(self)

    def __repr__(self) -> str:
        kind = "REML" if self.reml else "ML"
        groups = ", ".join(f"{name} {count}" for name, count in self.groups.items())
        return f"Fit({self.formula}; {kind} criterion {self.criterion:.4f}; {self.n} rows; {groups})"

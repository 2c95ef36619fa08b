"""A growth model fitted by ``plneval.multilevel``: fixed part as columns, random terms over the panel's levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import multilevel
from plneval.config.models import Multilevel
from plneval.config.random_terms import MixedFormula, RandomTerm
from plneval.errors import UserError
from plneval.estimate.growth_design import FixedPart

Array = npt.NDArray[np.float64]
INFERENCE = {"satterthwaite": "REML, Satterthwaite", "kenward_roger": "REML, Kenward-Roger"}
INTERCEPT = "Intercept"
RESIDUAL = "Residual"


@dataclass(frozen=True)
class Contrast:
    """A linear combination of fixed effects: estimate, standard error and degrees of freedom of its t."""

    estimate: float
    se: float
    df: float


@dataclass(frozen=True)
class GrowthFit:
    """A fitted growth model.

    Attributes
    ----------
    covariance : of the fixed part given the variances, shape (p, p), in the order of ``FixedPart.names``.
    variances : components by name, such as ``school: intercept``, ``school: intercept, time`` (a covariance) or
        ``residual``, in squared units of the response.
    spreads : standard deviation between networks of each slope over a treatment column.
    robust : errors robust to what lies within clusters, in place of the model's own; ``covariance`` is theirs then.
    singular : whether a variance is zero or a correlation one (a legitimate result).
    """

    fit: multilevel.Fit
    names: tuple[str, ...]
    method: str
    covariance: Array
    variances: dict[str, float]
    spreads: dict[str, float]
    robust: multilevel.RobustErrors | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """Whether the engine certifies the optimum."""
        return self.fit.converged

    @property
    def singular(self) -> bool:
        """Whether the optimum lies on the boundary."""
        return self.fit.singular

    @property
    def inference(self) -> str:
        """How standard errors and degrees of freedom were made."""
        if self.robust is None:
            return INFERENCE[self.method]
        kind = self.diagnostics["robust"]["kind"]
        root = "" if self.robust.exact else " (root from the statistics)"
        return f"REML, {kind} by cluster{root}, Satterthwaite"

    def named(self, weights: Array) -> dict[str, float]:
        """Weights of the fixed part, shape (p,), by the names that the fit knows; zeros left out."""
        return {_column(k, self.names): float(weight) for k, weight in enumerate(weights) if weight != 0}

    def contrast(self, weights: Array) -> Contrast:
        """The combination with the given weights, shape (p,)."""
        named = self.named(weights)
        if self.robust is None:
            row = self.fit.contrast(named, self.method).iloc[0]
            return Contrast(float(row["estimate"]), float(row["se"]), float(row["df"]))
        ordered = np.array([named.get(term, 0.0) for term in self.fit.terms])
        se = float(np.sqrt(ordered @ self.robust.covariance @ ordered))
        return Contrast(float(ordered @ self.fit.coefficients), se, self.robust.df(ordered))


def fit_growth(fixed: FixedPart, spec: Multilevel, formula: MixedFormula) -> GrowthFit:
    """Fit the model exactly by REML.

    Raises
    ------
    UserError
        The random terms do not fit the data, or robust errors were asked for and the levels are not nested in
        clusters: what was found and what to do.
    """
    # Clusters hold whole networks, so comparison schools must be networks of their own for robust errors.
    data, columns = model_frame(fixed, formula, apart=spec.robust != "none")
    if spec.robust != "none":
        data["cluster"] = _groups(fixed.rows, "cluster")
    text = f"y ~ {' + '.join(columns)} + {' + '.join(lme4_term(term) for term in formula.random)}"
    try:
        fit = multilevel.fit(text, data)
        # Asked for now, so that a combination that the engine cannot give is told before any number is written.
        fit.df(spec.degrees_of_freedom)
    except multilevel.MultilevelError as error:
        raise UserError(f"formula: {error}.") from None
    order = [fit.terms.index(_column(k, fixed.names)) for k in range(len(fixed.names))]
    robust = None if spec.robust == "none" else _robust_errors(fit, spec.robust, data, fixed)
    covariance = fit.vcov.to_numpy(dtype=np.float64) if robust is None else robust.covariance
    clusters = {} if robust is None else {"robust": {"kind": spec.robust, "clusters": robust.clusters}}
    return GrowthFit(
        fit=fit,
        names=fixed.names,
        method=spec.degrees_of_freedom,
        covariance=covariance[np.ix_(order, order)],
        variances=_variances(fit),
        spreads=_spreads(fit),
        robust=robust,
        diagnostics=clusters
        | {
            "library": "plneval.multilevel",
            "engine": fit.engine,
            "criterion": fit.criterion,
            "theta": [float(value) for value in fit.theta],
            "gradient_norm": fit.gradient_norm,
            "groups": fit.groups,
            "intake": [
                {"kind": str(kind), "reason": str(reason), "count": int(count)}
                for kind, reason, count in zip(
                    fit.dropped["kind"], fit.dropped["reason"], fit.dropped["count"], strict=True
                )
            ],
            "df_rule": spec.degrees_of_freedom,
        },
    )


def _robust_errors(fit: multilevel.Fit, kind: str, data: pd.DataFrame, fixed: FixedPart) -> multilevel.RobustErrors:
    """Errors robust to what lies within clusters; where the levels are not nested there are none, and no fallback."""
    if fit.engine != "nested":
        movers = fixed.notes.get("pupils_in_several_schools", 0)
        cause = (
            f"{movers} pupils are seen in several schools" if movers else "groups of one level lie in several others"
        )
        raise UserError(
            f"robust: {kind} needs levels that are nested in clusters, and {cause}. Count a pupil anew in each school, "
            "(1 | school:pupil) in place of (1 | pupil), or leave robust out."
        )
    outermost = list(fit.groups)[-1]
    same = outermost in data and _same_partition(data[outermost], data["cluster"])
    try:
        return fit.robust_errors(kind, None if same else "cluster")
    except multilevel.MultilevelError as error:
        raise UserError(f"robust: {error}.") from None


def _same_partition(one: pd.Series, other: pd.Series) -> bool:
    """Whether two columns of labels group the rows alike."""
    pairs = len(pd.DataFrame({"one": one, "other": other}).drop_duplicates())
    return pairs == one.nunique() == other.nunique()


def model_frame(fixed: FixedPart, formula: MixedFormula, *, apart: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Response ``y``, columns ``x0``, ``x1``, … of the fixed part, and slopes and levels of the random terms.

    Comparison schools have no network: each counts as one of its own. Where the network's terms are 0 for them
    (``(0 + ever_member + treated | network)``) one network for all of them says the same with fewer effects.
    """
    lone = any(
        "network" in term.groups and (len(term.groups) > 1 or term.intercept or _varies(fixed.rows, term.columns))
        for term in formula.random
    )
    columns = [_column(k, fixed.names) for k in range(len(fixed.names))]
    values = {column: fixed.x[:, k] for k, column in enumerate(columns) if column != INTERCEPT}
    data = pd.DataFrame({"y": fixed.y, **values})
    for name in formula.random_columns:
        data[name] = fixed.rows[name].to_numpy(dtype=np.float64)
    for name in formula.groups:
        data[name] = _groups(fixed.rows, name, together=not lone and not apart)
    return data, ["1" if INTERCEPT in columns else "0", *values]


def lme4_term(term: RandomTerm) -> str:
    """The term as :mod:`plneval.multilevel` reads it."""
    inner = " + ".join(["1" if term.intercept else "0", *term.columns])
    return f"({inner} {'|' if term.correlated else '||'} {('/' if term.nested else ':').join(term.groups)})"


def _column(position: int, names: tuple[str, ...]) -> str:
    return INTERCEPT if names[position] == INTERCEPT else f"x{position}"


def _varies(rows: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Whether a column is not 0 for a comparison school."""
    comparison = rows.loc[rows["network"].isna(), list(columns)]
    return bool((comparison != 0).any(axis=None))


def _groups(rows: pd.DataFrame, name: str, *, together: bool = False) -> pd.Series:
    """Labels of a level's groups; comparison schools are networks of their own, numbered below 0, or ``together`` 0."""
    if name == "network":
        labels = rows["network"].fillna(0 if together else -rows["school"])
    else:
        labels = rows[name]
    missing = int(labels.isna().sum())
    if missing:
        raise UserError(f"formula: {missing} rows have no {name}, so it cannot be a level of the model.")
    return labels.reset_index(drop=True).astype("int64" if name != "area" else "object")


def _word(name: object) -> str:
    return "intercept" if str(name) == INTERCEPT else str(name)


def _variances(fit: multilevel.Fit) -> dict[str, float]:
    found: dict[str, float] = {}
    table = fit.variance
    for group, first, second, value in zip(
        table["group"], table["name1"], table["name2"], table["variance"], strict=True
    ):
        if group == RESIDUAL:
            name = "residual"
        elif isinstance(second, str):
            name = f"{group}: {_word(first)}, {_word(second)}"
        else:
            name = f"{group}: {_word(first)}"
        found[name] = float(value)
    return found


def _spreads(fit: multilevel.Fit) -> dict[str, float]:
    found: dict[str, float] = {}
    table = fit.variance
    for group, first, second, sd in zip(table["group"], table["name1"], table["name2"], table["sd"], strict=True):
        if group == "network" and not isinstance(second, str) and str(first).startswith("treated"):
            found[str(first)] = float(sd)
    return found

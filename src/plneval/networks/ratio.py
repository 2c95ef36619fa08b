"""The mobilisation ratio: the effect on colleagues' pupils as a part of the effect on directly taught pupils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from plneval.errors import UserError

Kind = Literal["bounded", "outside", "unbounded"]


@dataclass(frozen=True)
class MobilisationRatio:
    r"""Indirect effect divided by direct effect, with the set of ratios that the data do not contradict.

    Attributes
    ----------
    ratio
        Indirect/direct: 0 where colleagues' pupils gain nothing, 1 where they gain as much as participants' pupils.
    low, high
        Fieller's limits, missing for ``unbounded``.
    kind
        ``bounded``: the set is low to high. ``outside``: the direct effect cannot be told from zero, and the set is
        everything below low and everything above high. ``unbounded``: no ratio is excluded.
    g
        (t × se/direct)²: below 1 where the direct effect can be told from zero.
    words
        What the set says, in a sentence.
    level
        Of the set.
    """

    ratio: float
    low: float
    high: float
    kind: Kind
    g: float
    words: str
    level: float


def mobilisation_ratio(
    indirect: float,
    direct: float,
    *,
    indirect_se: float,
    direct_se: float,
    covariance: float = 0.0,
    df: float | None = None,
    level: float = 0.95,
) -> MobilisationRatio:
    r"""Ratio of two effects with Fieller's confidence set.

    The set holds every ρ for which indirect − ρ direct is within t standard errors of zero (Fieller 1954):
    :math:`(d^2 - t^2 v_d)\rho^2 - 2(id - t^2 c)\rho + (i^2 - t^2 v_i) \le 0`.

    Parameters
    ----------
    indirect, direct
        Effects on colleagues' pupils and on directly taught pupils, in the same unit.
    indirect_se, direct_se, covariance
        Standard errors and covariance of the two; estimates against the same comparison schools are correlated.
    df
        Degrees of freedom of t; the normal distribution when left out.

    Raises
    ------
    UserError
        If an estimate is missing, a standard error is not positive, the covariance is impossible, or the direct effect
        is exactly zero.
    """
    from scipy.special import ndtri, stdtrit

    values = (indirect, direct, indirect_se, direct_se, covariance)
    if not np.isfinite(values).all() or indirect_se <= 0 or direct_se <= 0:
        raise UserError("the mobilisation ratio needs both effects with positive standard errors and their covariance.")
    if abs(covariance) > indirect_se * direct_se * (1 + 1e-9):
        raise UserError(
            "the covariance of the direct and the indirect effect is larger than their standard errors allow."
        )
    if direct == 0:
        raise UserError("the direct effect is exactly zero, so that no ratio to it exists.")
    if df is not None and not df > 0:
        raise UserError(f"the mobilisation ratio has {df:g} degrees of freedom; they must be positive.")
    t2 = float(ndtri((1 + level) / 2) if df is None else stdtrit(df, (1 + level) / 2)) ** 2
    a = direct**2 - t2 * direct_se**2
    b = indirect * direct - t2 * covariance
    c = indirect**2 - t2 * indirect_se**2
    kind, low, high = _solved(a, b, c)
    ratio = indirect / direct
    return MobilisationRatio(
        ratio=ratio,
        low=low,
        high=high,
        kind=kind,
        g=t2 * direct_se**2 / direct**2,
        words=_words(kind, ratio, low, high, level),
        level=level,
    )


def _solved(a: float, b: float, c: float) -> tuple[Kind, float, float]:
    """The set of ρ with aρ² − 2bρ + c ≤ 0; its roots without cancellation."""
    nan = float("nan")
    discriminant = b**2 - a * c
    if a <= 0 and discriminant <= 0:
        return "unbounded", nan, nan
    if a == 0:
        # One side is open: everything above or below c/2b.
        bound = c / (2 * b)
        return ("outside", float("-inf"), bound) if b > 0 else ("outside", bound, float("inf"))
    root = b + np.copysign(np.sqrt(max(discriminant, 0.0)), b)
    first, second = root / a, (c / root if root else 0.0)
    low, high = sorted((float(first), float(second)))
    return ("bounded" if a > 0 else "outside"), low, high


def _words(kind: Kind, ratio: float, low: float, high: float, level: float) -> str:
    sure = f"{100 * level:g} %"
    estimate = f"The indirect effect is estimated at {ratio:.2f} times the direct effect"
    if kind == "bounded":
        return f"{estimate}; the {sure} interval runs from {low:.2f} to {high:.2f}."
    doubt = "the direct effect cannot be told from zero, and a ratio to something that may be zero has no bounds"
    if kind == "unbounded":
        return f"{estimate}, but {doubt}: at {sure} no ratio at all can be excluded."
    if np.isinf(low):
        excluded = f"below {high:.2f}"
    elif np.isinf(high):
        excluded = f"above {low:.2f}"
    else:
        excluded = f"between {low:.2f} and {high:.2f}"
    return f"{estimate}, but {doubt}: at {sure} only ratios {excluded} can be excluded."

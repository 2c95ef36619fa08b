r"""Does the effect differ with a condition of learning in networks, when the condition is measured with error?

The naive slope regresses the networks' estimates on the measured condition (random effects, REML, Knapp and Hartung).
An error in the condition draws it towards zero by the reliability λ. The adjusted slope regresses on what the measured
condition :math:`w_j` says of the true one, :math:`\hat x_j = \mu + \lambda_j(w_j - \mu)` (regression calibration;
Carroll, Ruppert, Stefanski and Crainiceanu 2006, ch. 4), and its variance takes up that λ is estimated:

.. math:: \operatorname{Var}(\hat\beta) = \operatorname{Var}(\hat\beta \mid \lambda)
          + (\partial\hat\beta/\partial\delta)^2 \operatorname{Var}(\hat\delta)

with δ the log of the signal-to-noise ratio: the logits of all λ move with it one for one. With one λ for all networks β̂
is the naive slope divided by λ, and Var(β̂) = Var(naive)/λ² + (β̂/λ)² Var(λ̂); with normal errors the naive slope and λ̂
are uncorrelated, so that nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from plneval.errors import UserError
from plneval.networks.agreement import LOWEST_RELIABILITY
from plneval.networks.random_effects import RandomEffects, covariance_matrix, random_effects
from plneval.standards import load

Floats = NDArray[np.float64]
Timing = Literal["before_or_early", "during", "after_outcome"]

FEWEST_NETWORKS: Final = 3
FEW_NETWORKS: Final = 10
"""With fewer networks a slope is a weak finding (Cochrane Handbook, 10.11.5.1: ten for each covariate)."""
_STEP: Final = 1e-4


@dataclass(frozen=True)
class Moderation:
    """Slope of the effect on one condition, in units of the effect for one point of the condition's scale.

    Attributes
    ----------
    condition
        Name of the condition.
    state
        ``estimated`` or ``not_estimable``.
    k, df
        Networks with estimate and condition; k − 2.
    naive_slope, naive_se, naive_low, naive_high
        As if the condition had no error.
    slope, se, low, high
        Adjusted for reliability; missing where it is below
        :data:`plneval.networks.agreement.LOWEST_RELIABILITY`.
    p
        Two-sided test of no slope. Error in the condition weakens this test and does not bias it, so it is the naive
        slope's and serves both.
    reliability, reliability_se
        Mean reliability of the networks' values, and its standard error.
    observed_sd, true_sd
        Standard deviation of the measured condition, and of the true one (observed × √reliability): the slope times
        ``true_sd`` is the difference in effect for one standard deviation of the condition.
    residual_sd
        Spread between networks that the measured condition leaves.
    timing
        When the condition was measured, the latest of the networks: ``before_or_early``, ``during`` or
        ``after_outcome``.
    warnings
        Any of ``few_networks``, ``networks_without_condition``, ``networks_measured_late_left_out``,
        ``condition_does_not_vary``, ``reliability_too_low``, ``reliability_below_standard`` (the mean reliability is
        below the standard ``survey_quality`` asks of groups' means), ``reliability_taken_as_known``,
        ``condition_during_participation``, ``condition_after_outcome``.
    """

    condition: str
    state: str
    k: int
    df: int
    naive_slope: float
    naive_se: float
    naive_low: float
    naive_high: float
    slope: float
    se: float
    low: float
    high: float
    p: float
    reliability: float
    reliability_se: float
    observed_sd: float
    true_sd: float
    residual_sd: float
    timing: Timing
    warnings: tuple[str, ...] = ()


def moderation(
    effects: pd.DataFrame,
    name: str,
    *,
    covariance: ArrayLike | None = None,
    reliability_se: float = 0.0,
    early_years: int = 1,
    late: Literal["refuse", "leave_out", "force"] = "refuse",
    level: float = 0.95,
) -> Moderation:
    """Moderation of networks' (or schools') effects by one condition.

    # ASSUME: errors of the condition are normal, independent of the effects' errors and of the true condition, and the
    # effect is linear in the condition. A slope is an association between networks, not an effect of the condition.

    Parameters
    ----------
    effects
        One row for each network: estimate, se, condition (its score; missing where nobody answered), reliability (of
        that score, from 0 to 1; see :func:`plneval.networks.agreement.mean_reliability`), measured (year of the
        survey), entered (entry year), outcome_from (first outcome year in the estimate).
    name
        Of the condition.
    covariance
        Of the estimates; from ``se`` alone when left out.
    reliability_se
        Standard error of the mean reliability (``Agreement.icc2_se``); 0 where it counts as known, which is named.
    early_years
        The condition counts as early up to so many years after the entry year.
    late
        What to do with networks whose condition was measured after the outcome: refuse the moderation, leave these
        networks out, or use them all the same. The last two are named.

    Raises
    ------
    UserError
        If a column is missing, reliabilities lie outside 0 to 1, or a condition was measured after the outcome and
        ``late`` is ``refuse``.
    """
    data, matrix, warnings = _usable(effects, covariance)
    timing = condition_timing(data, early_years=early_years)
    after = (timing == "after_outcome").to_numpy()
    if after.any() and late == "refuse":
        raise UserError(
            f"the condition '{name}' was measured after the outcome in {int(after.sum())} of {len(data)} networks: the "
            "effect may have shaped the answers. Use an earlier wave, leave these networks out, or force it to have it "
            "shown with that warning."
        )
    if after.any() and late == "leave_out":
        warnings.append("networks_measured_late_left_out")
        data, matrix = data.loc[~after].reset_index(drop=True), matrix[np.ix_(~after, ~after)]
        timing = timing.loc[~after]
    latest: Timing = max(timing, key=_ORDER.index, default="before_or_early")
    warnings += {"during": ["condition_during_participation"], "after_outcome": ["condition_after_outcome"]}.get(
        latest, []
    )
    w, reliability = data["condition"].to_numpy(dtype=np.float64), data["reliability"].to_numpy(dtype=np.float64)
    k, mean = len(data), float(reliability.mean()) if len(data) else float("nan")
    varies = k > 1 and bool(np.ptp(w) > 0)
    if k < FEWEST_NETWORKS or not varies:
        reason = [] if varies else ["condition_does_not_vary"]
        return _not_estimable(name, k, mean, reliability_se, latest, [*warnings, "few_networks", *reason])
    y = data["estimate"].to_numpy(dtype=np.float64)
    naive = random_effects(y, matrix, _with_constant(w), level=level)
    warnings += ["few_networks"] if k < FEW_NETWORKS else []
    slope, se = _adjusted(y, matrix, w, reliability, reliability_se, naive)
    if mean < load("survey_quality").minimum_icc2:
        warnings.append("reliability_below_standard")
    if np.isnan(slope):
        warnings.append("reliability_too_low")
    elif reliability_se == 0 and mean < 1:
        warnings.append("reliability_taken_as_known")
    low, high = naive.interval(1)
    observed = float(w.std(ddof=1))
    return Moderation(
        condition=name,
        state="estimated",
        k=k,
        df=naive.df,
        naive_slope=float(naive.coefficients[1]),
        naive_se=float(naive.se[1]),
        naive_low=low,
        naive_high=high,
        slope=slope,
        se=se,
        low=slope - naive.critical * se,
        high=slope + naive.critical * se,
        p=naive.p(1),
        reliability=mean,
        reliability_se=reliability_se,
        observed_sd=observed,
        true_sd=observed * float(np.sqrt(mean)),
        residual_sd=float(np.sqrt(naive.tau2)),
        timing=latest,
        warnings=tuple(warnings),
    )


_ORDER: Final = ("before_or_early", "during", "after_outcome")
_COLUMNS: Final = ("estimate", "se", "condition", "reliability", "measured", "entered", "outcome_from")


def condition_timing(rows: pd.DataFrame, *, early_years: int = 1) -> pd.Series:
    """When the condition was measured: a :data:`Timing` for each row of measured, entered and outcome_from (years).

    ``after_outcome`` where the survey's year is later than the first outcome year in the estimate; ``before_or_early``
    up to ``early_years`` after the entry year; else ``during``.

    # ASSUME: outcomes are measured at the end of their year, so that a survey in the same year precedes them.
    """
    timing = np.where(rows["measured"] <= rows["entered"] + early_years, "before_or_early", "during")
    timing = np.where(rows["measured"] > rows["outcome_from"], "after_outcome", timing)
    return pd.Series(timing, index=rows.index, dtype="str")


def moderation_family(found: Sequence[Moderation]) -> pd.DataFrame:
    """All conditions of one family with p adjusted for their number, ordered as given.

    Returns
    -------
    The fields of :class:`Moderation` (warnings joined by ``; ``), p_holm and p_benjamini_hochberg: over the conditions
    that have a p.
    """
    from statsmodels.stats.multitest import multipletests

    table = pd.DataFrame([{**asdict(one), "warnings": "; ".join(one.warnings)} for one in found])
    table = table.assign(p_holm=np.nan, p_benjamini_hochberg=np.nan)
    tested = table["p"].notna()
    if tested.any():
        p = table.loc[tested, "p"].to_numpy(dtype=np.float64)
        table.loc[tested, "p_holm"] = multipletests(p, method="holm")[1]
        table.loc[tested, "p_benjamini_hochberg"] = multipletests(p, method="fdr_bh")[1]
    return table


def _usable(effects: pd.DataFrame, covariance: ArrayLike | None) -> tuple[pd.DataFrame, Floats, list[str]]:
    """Networks with a condition, their covariance, and a warning where some have none."""
    lacking = [column for column in _COLUMNS if column not in effects]
    if lacking:
        raise UserError(f"the networks' effects have no column {', '.join(lacking)}, which moderation needs.")
    se = effects["se"].to_numpy(dtype=np.float64)
    matrix = covariance_matrix(se**2 if covariance is None else covariance)
    if matrix.shape != (len(effects), len(effects)):
        raise UserError(f"{len(effects)} networks and a covariance of {len(matrix)} rows do not fit together.")
    answered = effects["condition"].notna().to_numpy()
    data = effects.loc[answered].reset_index(drop=True)
    if data[["reliability", "measured", "entered", "outcome_from"]].isna().any(axis=None):
        raise UserError(
            "a network with a condition has no reliability or no year of survey, entry or outcome: moderation needs to "
            "know when the condition was measured."
        )
    reliability = data["reliability"]
    if not reliability.between(0, 1).all():
        raise UserError(
            f"a reliability of {reliability.min():g} to {reliability.max():g} was given; it lies in 0 to 1."
        )
    warnings = [] if answered.all() else ["networks_without_condition"]
    return data, matrix[np.ix_(answered, answered)], warnings


def _with_constant(values: Floats) -> Floats:
    return np.column_stack([np.ones(len(values)), values])


def _adjusted(
    y: Floats, matrix: Floats, w: Floats, reliability: Floats, reliability_se: float, naive: RandomEffects
) -> tuple[float, float]:
    """Adjusted slope and its standard error; NaN where the reliability is too low."""
    mean = float(reliability.mean())
    if mean < LOWEST_RELIABILITY or (reliability == 0).any():
        return float("nan"), float("nan")
    # The mean of the measured condition, each network by the precision of its effect and of its condition.
    weight = reliability / (np.diag(matrix) + naive.tau2)
    centre = float((weight * w).sum() / weight.sum())

    def fit(shift: float) -> RandomEffects:
        # odds(λ) = signal-to-noise: the shift multiplies it by exp(shift); λ = 1 stays 1.
        scaled = reliability * np.exp(shift)
        shrink = scaled / (scaled + 1 - reliability)
        return random_effects(y, matrix, _with_constant(centre + shrink * (w - centre)), level=naive.level)

    at = fit(0.0)
    if reliability_se == 0 or mean == 1:
        return float(at.coefficients[1]), float(at.se[1])
    derivative = float(fit(_STEP).coefficients[1] - fit(-_STEP).coefficients[1]) / (2 * _STEP)
    spread = reliability_se / (mean * (1 - mean))
    return float(at.coefficients[1]), float(np.hypot(at.se[1], derivative * spread))


def _not_estimable(
    name: str, k: int, reliability: float, reliability_se: float, timing: Timing, warnings: list[str]
) -> Moderation:
    nan = float("nan")
    return Moderation(
        condition=name,
        state="not_estimable",
        k=k,
        df=max(k - 2, 0),
        naive_slope=nan,
        naive_se=nan,
        naive_low=nan,
        naive_high=nan,
        slope=nan,
        se=nan,
        low=nan,
        high=nan,
        p=nan,
        reliability=reliability,
        reliability_se=reliability_se,
        observed_sd=nan,
        true_sd=nan,
        residual_sd=nan,
        timing=timing,
        warnings=tuple(warnings),
    )

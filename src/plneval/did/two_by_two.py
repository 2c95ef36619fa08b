"""One group at one time against its base period: the two-by-two estimators of Sant'Anna and Zhao (2020).

Each function takes records (rows of a panel's units, rows, or cells), whether a record is treated, and, for cross
sections, whether it is of the later period. It returns the effect and each record's contribution to its error: the
contributions sum to 0, and the variance of the estimate is the sum of squares of their sums by cluster. In the
notation of the paper a contribution is the influence function divided by the number of rows.

Doubly robust is the traditional estimator with a logit by maximum likelihood (for cross sections the locally
efficient one), weighting is the normalised (Hajek) one: what the R package did calls ``dr`` and ``ipw``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plneval.did.columns import Floats
from plneval.did.propensity import fit_propensity
from plneval.did.regression import Records, fit_regression

Estimate = tuple[float, Floats]


def _average(part: Floats, weight: Floats, total: Floats) -> tuple[float, Floats]:
    """The average Σ part·total / Σ part·weight, and each record's contribution to it."""
    mass = float(np.sum(part * weight))
    average = float(np.sum(part * total) / mass)
    return average, part * (total - weight * average) / mass


def _mean_x(part: Floats, records: Records) -> Floats:
    """(K,) mean of x over the records, weighted by ``part`` times their weight."""
    weight = part * records.weight
    return np.asarray(weight @ records.x / weight.sum())


def panel_regression(records: Records, treated: Floats) -> Estimate:
    """Outcome regression for a panel; the records' outcome is the weighted change since the base period."""
    fit = fit_regression(records, 1 - treated, "the comparison units")
    change = records.outcome - records.weight * (records.x @ fit.coefficients)
    effect, contribution = _average(treated, records.weight, change)
    return effect, contribution - fit.linear_representation @ _mean_x(treated, records)


def panel_weighting(records: Records, treated: Floats) -> Estimate:
    """Inverse probability weighting for a panel."""
    score = fit_propensity(treated, records.x, records.weight)
    odds = score.odds * (1 - treated)
    effect_treated, of_treated = _average(treated, records.weight, records.outcome)
    effect_comparison, of_comparison = _average(odds, records.weight, records.outcome)
    moved = odds * (records.outcome - records.weight * effect_comparison) @ records.x
    moved = moved / np.sum(odds * records.weight)
    return effect_treated - effect_comparison, of_treated - of_comparison - score.linear_representation @ moved


def panel_doubly_robust(records: Records, treated: Floats) -> Estimate:
    """Doubly robust estimator for a panel (Sant'Anna and Zhao 2020, equation 2.5; contributions: theorem 1)."""
    score = fit_propensity(treated, records.x, records.weight)
    fit = fit_regression(records, 1 - treated, "the comparison units")
    odds = score.odds * (1 - treated)
    residual = records.outcome - records.weight * (records.x @ fit.coefficients)
    effect_treated, of_treated = _average(treated, records.weight, residual)
    effect_comparison, of_comparison = _average(odds, records.weight, residual)
    moved = odds * (residual - records.weight * effect_comparison) @ records.x
    moved = moved / np.sum(odds * records.weight)
    contribution = of_treated - of_comparison
    contribution -= score.linear_representation @ moved
    contribution -= fit.linear_representation @ (_mean_x(treated, records) - _mean_x(odds, records))
    return effect_treated - effect_comparison, contribution


def cross_section_regression(records: Records, treated: Floats, post: Floats) -> Estimate:
    """Outcome regression for repeated cross-sections."""
    before, after = treated * (1 - post), treated * post
    fit_before = fit_regression(records, (1 - treated) * (1 - post), "the comparison rows of the base period")
    fit_after = fit_regression(records, (1 - treated) * post, "the comparison rows of the later period")
    mean_after, of_after = _average(after, records.weight, records.outcome)
    mean_before, of_before = _average(before, records.weight, records.outcome)
    expected = records.weight * (records.x @ (fit_after.coefficients - fit_before.coefficients))
    trend, of_trend = _average(treated, records.weight, expected)
    representation = fit_after.linear_representation - fit_before.linear_representation
    contribution = of_after - of_before - of_trend - representation @ _mean_x(treated, records)
    return mean_after - mean_before - trend, contribution


def cross_section_weighting(records: Records, treated: Floats, post: Floats) -> Estimate:
    """Inverse probability weighting for repeated cross-sections."""
    score = fit_propensity(treated, records.x, records.weight)
    odds = score.odds * (1 - treated)
    effect, contribution = 0.0, np.zeros_like(records.weight)
    for period, sign in ((post, 1.0), (1 - post, -1.0)):
        mean_treated, of_treated = _average(treated * period, records.weight, records.outcome)
        part = odds * period
        mean_comparison, of_comparison = _average(part, records.weight, records.outcome)
        moved = part * (records.outcome - records.weight * mean_comparison) @ records.x
        moved = moved / np.sum(part * records.weight)
        effect += sign * (mean_treated - mean_comparison)
        contribution += sign * (of_treated - of_comparison - score.linear_representation @ moved)
    return effect, contribution


def cross_section_doubly_robust(records: Records, treated: Floats, post: Floats) -> Estimate:
    """Locally efficient doubly robust estimator for repeated cross-sections (ibid., equation 2.9; theorem 2)."""
    score = fit_propensity(treated, records.x, records.weight)
    odds = score.odds * (1 - treated)
    effect, contribution = 0.0, np.zeros_like(records.weight)
    for period, sign, name in ((post, 1.0, "later"), (1 - post, -1.0, "base")):
        fit = fit_regression(records, (1 - treated) * period, f"the comparison rows of the {name} period")
        of_treatment = fit_regression(records, treated * period, f"the treated rows of the {name} period")
        residual = records.outcome - records.weight * (records.x @ fit.coefficients)
        here, part = treated * period, odds * period
        mean_treated, of_treated = _average(here, records.weight, residual)
        mean_comparison, of_comparison = _average(part, records.weight, residual)
        moved = part * (residual - records.weight * mean_comparison) @ records.x
        moved = moved / np.sum(part * records.weight)
        # The efficient part: treated of both periods tell what the treated of this period look like.
        gap = records.weight * (records.x @ (of_treatment.coefficients - fit.coefficients))
        gap_all, of_gap_all = _average(treated, records.weight, gap)
        gap_here, of_gap_here = _average(here, records.weight, gap)
        shift = _mean_x(treated, records) - _mean_x(here, records)
        effect += sign * (mean_treated - mean_comparison + gap_all - gap_here)
        contribution += sign * (
            of_treated
            - of_comparison
            - fit.linear_representation @ (_mean_x(here, records) - _mean_x(part, records))
            - score.linear_representation @ moved
            + of_gap_all
            - of_gap_here
            + (of_treatment.linear_representation - fit.linear_representation) @ shift
        )
    return effect, contribution


def panel_means(records: Records, treated: Floats) -> Estimate:
    """Difference of mean changes: what all three estimators are without covariates."""
    effect_treated, of_treated = _average(treated, records.weight, records.outcome)
    effect_comparison, of_comparison = _average(1 - treated, records.weight, records.outcome)
    return effect_treated - effect_comparison, of_treated - of_comparison


def cross_section_means(records: Records, treated: Floats, post: Floats) -> Estimate:
    """Difference of differences of four means: what all three estimators are without covariates."""
    effect, contribution = 0.0, np.zeros_like(records.weight)
    for period, sign in ((post, 1.0), (1 - post, -1.0)):
        for arm, side in ((treated, 1.0), (1 - treated, -1.0)):
            mean, of_mean = _average(arm * period, records.weight, records.outcome)
            effect += sign * side * mean
            contribution += sign * side * of_mean
    return effect, contribution


PANEL: dict[str, Callable[[Records, Floats], Estimate]] = {
    "dr": panel_doubly_robust,
    "ipw": panel_weighting,
    "or": panel_regression,
}
CROSS_SECTION: dict[str, Callable[[Records, Floats, Floats], Estimate]] = {
    "dr": cross_section_doubly_robust,
    "ipw": cross_section_weighting,
    "or": cross_section_regression,
}

"""One group at one time against its base period: the two-by-two estimators of Sant'Anna and Zhao (2020).

Each function takes a sample: records (units of a panel, or cells), whether a record is treated and of the later period,
and the rows a propensity model is fitted to. It returns the effect and each record's contribution to its error: the
contributions sum to 0, and the variance of the estimate is the sum of squares of their sums by cluster. In the
notation of the paper a contribution is the influence function divided by the number of rows.

Doubly robust is the traditional estimator with a logit by maximum likelihood (for cross sections the locally
efficient one), weighting is the normalised (Hajek) one: what the R package did calls ``dr`` and ``ipw``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.products import linear, moments
from plneval.did.propensity import Propensity, Scored, fit_propensity
from plneval.did.regression import Records, fit_regression


@dataclass(frozen=True)
class Sample:
    """One group and time: R records.

    Attributes
    ----------
    records
        For a panel their outcome is the weighted change since the base period.
    treated, post
        (R,) 0 or 1; a panel's records are all post.
    piece
        (R,) whose they are.
    scored
        What a propensity model is fitted to.
    """

    records: Records
    treated: Floats
    post: Floats
    piece: Integers
    scored: Scored


Estimate = tuple[float, Floats]


def _average(weight: Floats, total: Floats) -> tuple[float, Floats]:
    """The average Σ total / Σ weight, and each record's contribution to it."""
    mass = float(weight.sum())
    average = float(total.sum() / mass)
    return average, (total - weight * average) / mass


def _mean_x(part: Floats, records: Records) -> Floats:
    """(K,) mean of x over the records, weighted by ``part`` times their weight."""
    weight = part * records.weight
    return np.asarray(moments(weight, records.x) / weight.sum())


def _comparison(score: Propensity, period: Floats, coefficients: Floats | None = None) -> tuple[float, Floats, Floats]:
    """Odds-weighted average of y - x'b over a period's comparison rows, contributions to it, and (K,) mean of x."""
    weight = score.weight * period
    total = score.outcome * period
    x = score.x * period[:, None]
    if coefficients is not None:
        total = total - linear(x, coefficients)
    average, contribution = _average(weight, total)
    return average, contribution, x.sum(axis=0) / weight.sum()


def panel_means(sample: Sample) -> Estimate:
    """Difference of mean changes: what all three estimators are without covariates."""
    records, treated = sample.records, sample.treated
    effect_treated, of_treated = _average(treated * records.weight, treated * records.outcome)
    effect_other, of_other = _average((1 - treated) * records.weight, (1 - treated) * records.outcome)
    return effect_treated - effect_other, of_treated - of_other


def panel_regression(sample: Sample) -> Estimate:
    """Outcome regression for a panel."""
    records, treated = sample.records, sample.treated
    fit = fit_regression(records, 1 - treated, "the comparison units")
    residual = records.outcome - records.weight * linear(records.x, fit.coefficients)
    effect, contribution = _average(treated * records.weight, treated * residual)
    return effect, contribution - linear(fit.linear_representation, _mean_x(treated, records))


def panel_weighting(sample: Sample) -> Estimate:
    """Inverse probability weighting for a panel."""
    records, treated = sample.records, sample.treated
    score = fit_propensity(sample.scored)
    effect_treated, of_treated = _average(treated * records.weight, treated * records.outcome)
    effect_other, of_other, _ = _comparison(score, sample.post)
    contribution = of_treated - of_other
    contribution -= linear(score.linear_representation, score.derivative(True, None, effect_other))
    return effect_treated - effect_other, contribution


def panel_doubly_robust(sample: Sample) -> Estimate:
    """Doubly robust estimator for a panel (Sant'Anna and Zhao 2020, equation 2.5; contributions: theorem 1)."""
    records, treated = sample.records, sample.treated
    score = fit_propensity(sample.scored)
    fit = fit_regression(records, 1 - treated, "the comparison units")
    residual = records.outcome - records.weight * linear(records.x, fit.coefficients)
    effect_treated, of_treated = _average(treated * records.weight, treated * residual)
    effect_other, of_other, x_other = _comparison(score, sample.post, fit.coefficients)
    contribution = of_treated - of_other
    contribution -= linear(score.linear_representation, score.derivative(True, fit.coefficients, effect_other))
    contribution -= linear(fit.linear_representation, _mean_x(treated, records) - x_other)
    return effect_treated - effect_other, contribution


def cross_section_means(sample: Sample) -> Estimate:
    """Difference of differences of four means: what all three estimators are without covariates."""
    records, effect, contribution = sample.records, 0.0, np.zeros_like(sample.treated)
    for period, sign in ((sample.post, 1.0), (1 - sample.post, -1.0)):
        for arm, side in ((sample.treated, 1.0), (1 - sample.treated, -1.0)):
            part = arm * period
            mean, of_mean = _average(part * records.weight, part * records.outcome)
            effect += sign * side * mean
            contribution += sign * side * of_mean
    return effect, contribution


def cross_section_regression(sample: Sample) -> Estimate:
    """Outcome regression for repeated cross-sections."""
    records, treated, post = sample.records, sample.treated, sample.post
    before, after = treated * (1 - post), treated * post
    fit_before = fit_regression(records, (1 - treated) * (1 - post), "the comparison rows of the base period")
    fit_after = fit_regression(records, (1 - treated) * post, "the comparison rows of the later period")
    mean_after, of_after = _average(after * records.weight, after * records.outcome)
    mean_before, of_before = _average(before * records.weight, before * records.outcome)
    expected = records.weight * linear(records.x, fit_after.coefficients - fit_before.coefficients)
    trend, of_trend = _average(treated * records.weight, treated * expected)
    representation = fit_after.linear_representation - fit_before.linear_representation
    contribution = of_after - of_before - of_trend - linear(representation, _mean_x(treated, records))
    return mean_after - mean_before - trend, contribution


def cross_section_weighting(sample: Sample) -> Estimate:
    """Inverse probability weighting for repeated cross-sections."""
    records, effect, contribution = sample.records, 0.0, np.zeros_like(sample.treated)
    score = fit_propensity(sample.scored)
    for period, post, sign in ((sample.post, True, 1.0), (1 - sample.post, False, -1.0)):
        part = sample.treated * period
        mean_treated, of_treated = _average(part * records.weight, part * records.outcome)
        mean_other, of_other, _ = _comparison(score, period)
        effect += sign * (mean_treated - mean_other)
        moved = linear(score.linear_representation, score.derivative(post, None, mean_other))
        contribution += sign * (of_treated - of_other - moved)
    return effect, contribution


def cross_section_doubly_robust(sample: Sample) -> Estimate:
    """Locally efficient doubly robust estimator for repeated cross-sections (ibid., equation 2.9; theorem 2)."""
    records, treated = sample.records, sample.treated
    effect, contribution = 0.0, np.zeros_like(treated)
    score = fit_propensity(sample.scored)
    for period, post, sign in ((sample.post, True, 1.0), (1 - sample.post, False, -1.0)):
        name = "later" if post else "base"
        fit = fit_regression(records, (1 - treated) * period, f"the comparison rows of the {name} period")
        of_treatment = fit_regression(records, treated * period, f"the treated rows of the {name} period")
        here = treated * period
        residual = records.outcome - records.weight * linear(records.x, fit.coefficients)
        mean_treated, of_treated = _average(here * records.weight, here * residual)
        mean_other, of_other, x_other = _comparison(score, period, fit.coefficients)
        # The efficient part: treated of both periods tell what the treated of this period look like.
        gap = records.weight * linear(records.x, of_treatment.coefficients - fit.coefficients)
        gap_all, of_gap_all = _average(treated * records.weight, treated * gap)
        gap_here, of_gap_here = _average(here * records.weight, here * gap)
        x_here = _mean_x(here, records)
        effect += sign * (mean_treated - mean_other + gap_all - gap_here)
        contribution += sign * (
            of_treated
            - of_other
            - linear(fit.linear_representation, x_here - x_other)
            - linear(score.linear_representation, score.derivative(post, fit.coefficients, mean_other))
            + of_gap_all
            - of_gap_here
            + linear(of_treatment.linear_representation - fit.linear_representation, _mean_x(treated, records) - x_here)
        )
    return effect, contribution


PANEL: dict[str, Callable[[Sample], Estimate]] = {
    "dr": panel_doubly_robust,
    "ipw": panel_weighting,
    "or": panel_regression,
}
CROSS_SECTION: dict[str, Callable[[Sample], Estimate]] = {
    "dr": cross_section_doubly_robust,
    "ipw": cross_section_weighting,
    "or": cross_section_regression,
}

"""The weighted logit behind propensity scores, with what estimating it adds to an influence function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats
from plneval.did.regression import CannotEstimate, inverse

# A fitted score this near 1 leaves no comparison like the treated, and R's did gives such a cell up.
OVERLAP_LIMIT = 0.999
# Comparison rows with a score above this are trimmed, and no score above 1 - 1e-6 is used (Sant'Anna and Zhao 2020's
# package, both defaults).
TRIM_LIMIT = 0.995
SCORE_LIMIT = 1 - 1e-6
MAX_STEPS = 60


@dataclass(frozen=True)
class Propensity:
    """A fitted propensity model of R rows and K covariates.

    Attributes
    ----------
    odds
        (R,) p / (1 - p), 0 for trimmed rows.
    linear_representation
        (R, K): the rows sum to 0, and each is its row's contribution to the coefficients.
    """

    odds: Floats
    linear_representation: Floats


def fit_propensity(treated: Floats, x: Floats, weight: Floats) -> Propensity:
    """Fit P(treated | x) by weighted maximum likelihood (Newton's method, to the last digits).

    Parameters
    ----------
    treated
        (R,) 0 or 1.
    x
        (R, K) with the constant.
    weight
        (R,).

    Raises
    ------
    CannotEstimate
        No overlap (a fitted score of 0.999 or more), collinear covariates, or no convergence.
    """
    probability = _newton(treated, x, weight)
    if probability.max() >= OVERLAP_LIMIT:
        raise CannotEstimate(
            "no overlap: the covariates set treated and comparison apart (propensity of 0.999 or more)"
        )
    probability = np.minimum(probability, SCORE_LIMIT)
    information = (x * (weight * probability * (1 - probability))[:, None]).T @ x
    scores = (weight * (treated - probability))[:, None] * x
    kept = (treated == 1) | (probability < TRIM_LIMIT)
    return Propensity(
        odds=np.where(kept, probability / (1 - probability), 0.0),
        linear_representation=scores @ inverse(information, "the propensity model"),
    )


def _newton(treated: Floats, x: Floats, weight: Floats) -> Floats:
    """Fitted probabilities."""
    from scipy.special import expit

    share = float(np.sum(weight * treated) / np.sum(weight))
    linear = np.full(len(treated), np.log(share / (1 - share)))
    for _ in range(MAX_STEPS):
        probability = expit(linear)
        spread = weight * probability * (1 - probability)
        information = (x * spread[:, None]).T @ x
        if probability.max() >= OVERLAP_LIMIT and _nearly_separated(spread, weight):
            break  # The likelihood has no maximum: the caller refuses on the score.
        gradient = x.T @ (weight * (treated - probability))
        step = inverse(information, "the propensity model") @ gradient
        linear = linear + _damped(treated, linear, x @ step, weight)
        # Newton's step squares the error: a step this small lands on the maximum to the last digits.
        if float(gradient @ step) <= 1e-13 * np.sum(weight):
            return np.asarray(expit(linear))
    if probability.max() >= OVERLAP_LIMIT:
        return np.asarray(probability)
    raise CannotEstimate("the propensity model did not converge")


def _nearly_separated(spread: Floats, weight: Floats) -> bool:
    return float(np.sum(spread)) <= 1e-6 * float(np.sum(weight))


def _damped(treated: Floats, linear: Floats, change: Floats, weight: Floats) -> Floats:
    """The step in the linear predictor, halved while the likelihood would fall; small steps cannot overshoot."""
    if np.abs(change).max() <= 2.0:
        return change
    reached = _log_likelihood(treated, linear, weight)
    for _ in range(20):
        if _log_likelihood(treated, linear + change, weight) >= reached:
            break
        change = change / 2
    return change


def _log_likelihood(treated: Floats, linear: Floats, weight: Floats) -> float:
    return float(np.sum(weight * (treated * linear - np.logaddexp(0.0, linear))))

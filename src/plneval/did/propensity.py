"""The weighted logit behind propensity scores, with what estimating it adds to an influence function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.products import linear, moments, project, weighted_gram
from plneval.did.regression import CannotEstimate, Records, inverse

# A fitted score this near 1 leaves no comparison like the treated, and R's did gives such a cell up.
OVERLAP_LIMIT = 0.999
# Comparison rows with a score above this are trimmed, and no score above 1 - 1e-6 is used (Sant'Anna and Zhao 2020's
# package, both defaults).
TRIM_LIMIT = 0.995
SCORE_LIMIT = 1 - 1e-6
MAX_STEPS = 60


@dataclass(frozen=True)
class Scored:
    """What a propensity model is fitted to: rows (or records standing for them), N of them, of R records.

    Attributes
    ----------
    rows
        N rows: weight, weight times outcome, and x.
    treated, post
        (N,) 0 or 1.
    start
        (R,) first row of each record, rows being sorted by record; ``None`` where rows are the records.
    """

    rows: Records
    treated: Floats
    post: Floats
    start: Integers | None = None

    def by_record(self, values: Floats) -> Floats:
        """Sum (N, ...) values of rows over their records."""
        return values if self.start is None else np.add.reduceat(values, self.start, axis=0)


@dataclass(frozen=True)
class Propensity:
    """A fitted propensity model, N rows of R records.

    Attributes
    ----------
    scored
        What it was fitted to.
    odds
        (N,) p / (1 - p) of comparison rows; 0 for treated and for trimmed rows.
    linear_representation
        (R, K): each record's contribution to the coefficients; they sum to 0.
    weight, outcome, x
        (R,), (R,), (R, K): Σ odds·w, Σ odds·wy and Σ odds·wx of each record.
    """

    scored: Scored
    odds: Floats
    linear_representation: Floats
    weight: Floats
    outcome: Floats
    x: Floats

    def derivative(self, post: bool, coefficients: Floats | None, average: float) -> Floats:
        """(K,) what the average of y - x'b over comparison rows of one period, weighted by odds, changes by with the
        model's coefficients: Σ odds·w (y - x'b - average) x / Σ odds·w."""
        rows = self.scored.rows
        weight = self.odds * (self.scored.post if post else 1 - self.scored.post)
        residual = rows.outcome - rows.weight * average
        if coefficients is not None:
            residual = residual - rows.weight * linear(rows.x, coefficients)
        return moments(weight * residual, rows.x) / np.sum(weight * rows.weight)


def fit_propensity(scored: Scored) -> Propensity:
    """Fit P(treated | x) by weighted maximum likelihood (Newton's method, to the last digits).

    Raises
    ------
    CannotEstimate
        No overlap (a fitted score of 0.999 or more), collinear covariates, or no convergence.
    """
    rows, treated = scored.rows, scored.treated
    probability = _newton(treated, rows.x, rows.weight)
    if probability.max() >= OVERLAP_LIMIT:
        raise CannotEstimate(
            "no overlap: the covariates set treated and comparison apart (propensity of 0.999 or more)"
        )
    probability = np.minimum(probability, SCORE_LIMIT)
    information = weighted_gram(rows.weight * probability * (1 - probability), rows.x)
    scores = (rows.weight * (treated - probability))[:, None] * rows.x
    odds = (1 - treated) * np.where(probability < TRIM_LIMIT, probability / (1 - probability), 0.0)
    weight = odds * rows.weight
    return Propensity(
        scored=scored,
        odds=odds,
        linear_representation=project(scored.by_record(scores), inverse(information, "the propensity model")),
        weight=scored.by_record(weight),
        outcome=scored.by_record(odds * rows.outcome),
        x=scored.by_record(weight[:, None] * rows.x),
    )


def _newton(treated: Floats, x: Floats, weight: Floats) -> Floats:
    """Fitted probabilities."""
    from scipy.special import expit

    share = float(np.sum(weight * treated) / np.sum(weight))
    predictor = np.full(len(treated), np.log(share / (1 - share)))
    for _ in range(MAX_STEPS):
        probability = expit(predictor)
        spread = weight * probability * (1 - probability)
        information = weighted_gram(spread, x)
        if probability.max() >= OVERLAP_LIMIT and _nearly_separated(spread, weight):
            break  # The likelihood has no maximum: the caller refuses on the score.
        gradient = moments(weight * (treated - probability), x)
        step = inverse(information, "the propensity model") @ gradient
        predictor = predictor + _damped(treated, predictor, linear(x, step), weight)
        # Newton's step squares the error: a step this small lands on the maximum to the last digits.
        if float(gradient @ step) <= 1e-13 * np.sum(weight):
            return np.asarray(expit(predictor))
    if probability.max() >= OVERLAP_LIMIT:
        return np.asarray(probability)
    raise CannotEstimate("the propensity model did not converge")


def _nearly_separated(spread: Floats, weight: Floats) -> bool:
    return float(np.sum(spread)) <= 1e-6 * float(np.sum(weight))


def _damped(treated: Floats, predictor: Floats, change: Floats, weight: Floats) -> Floats:
    """The step in the linear predictor, halved while the likelihood would fall; small steps cannot overshoot."""
    if np.abs(change).max() <= 2.0:
        return change
    reached = _log_likelihood(treated, predictor, weight)
    for _ in range(20):
        if _log_likelihood(treated, predictor + change, weight) >= reached:
            break
        change = change / 2
    return change


def _log_likelihood(treated: Floats, predictor: Floats, weight: Floats) -> float:
    return float(np.sum(weight * (treated * predictor - np.logaddexp(0.0, predictor))))

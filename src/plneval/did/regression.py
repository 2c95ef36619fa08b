"""Weighted least squares from rows or from cross-products, with what estimating it adds to an influence function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats
from plneval.did.products import linear, moments, project, weighted_gram

# Reciprocal condition number (of the matrix scaled to a unit diagonal) below which covariates count as collinear.
SINGULAR = 1e-13


class CannotEstimate(Exception):
    """One group and time cannot be estimated; the message is the reason given in ``dropped``."""


def inverse(matrix: Floats, of: str) -> Floats:
    """Invert a symmetric positive definite matrix.

    Raises
    ------
    CannotEstimate
        The matrix is singular: covariates are collinear, or constant among the rows of ``of``.
    """
    scale = np.sqrt(np.diag(matrix))
    if np.all(scale > 0):
        product = np.outer(scale, scale)
        scaled = matrix / product
        try:
            inverted = np.linalg.inv(scaled)
        except np.linalg.LinAlgError:
            inverted = np.full_like(scaled, np.inf)
        condition = np.abs(scaled).sum(axis=0).max() * np.abs(inverted).sum(axis=0).max()
        if len(matrix) == 1 or 1 / condition > SINGULAR:
            return np.asarray(inverted / product)
    raise CannotEstimate(f"collinear covariates, or too few rows for them, in {of}")


@dataclass(frozen=True)
class Records:
    """Sums by row or by cell, R of them: all that the estimators of one group and time need.

    Attributes
    ----------
    weight
        (R,) Σw.
    outcome
        (R,) Σwy.
    x
        (R, K) weighted mean of [1, covariates].
    sxx, sxy
        (R, K, K) Σwxx' and (R, K) Σwxy; ``None`` where x is the same for all rows of a record.
    """

    weight: Floats
    outcome: Floats
    x: Floats
    sxx: Floats | None = None
    sxy: Floats | None = None


@dataclass(frozen=True)
class Regression:
    """A fitted outcome regression on part of R records.

    Attributes
    ----------
    coefficients
        (K,)
    linear_representation
        (R, K): each record's contribution to the coefficients; they sum to 0.
    """

    coefficients: Floats
    linear_representation: Floats


def fit_regression(records: Records, part: Floats, of: str) -> Regression:
    """Regress the outcome on x by weighted least squares over the records where ``part`` (R,) is 1, not 0.

    Raises
    ------
    CannotEstimate
        Collinear covariates.
    """
    used = part > 0
    x, weight = records.x[used], records.weight[used]
    if records.sxx is None or records.sxy is None:
        gram, moment = weighted_gram(weight, x), moments(records.outcome[used], x)
    else:
        gram = records.sxx[used].sum(axis=0)
        moment = records.sxy[used].sum(axis=0)
    inverted = inverse(gram, of)
    coefficients = inverted @ moment
    # One step of refinement: the normal equations alone lose digits when covariates are nearly collinear.
    coefficients = coefficients + inverted @ (moment - gram @ coefficients)
    representation = np.zeros_like(records.x)
    if records.sxx is None or records.sxy is None:
        scores = (records.outcome[used] - weight * linear(x, coefficients))[:, None] * x
    else:
        scores = records.sxy[used] - np.einsum("nij,j->ni", records.sxx[used], coefficients)
    representation[used] = project(scores, inverted)
    return Regression(coefficients, representation)

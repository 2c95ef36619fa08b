"""Linear mixed models written out with the n × n covariance matrix: slow, plain, and independent of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.design import Design, Level, Term

Floats = NDArray[np.float64]


class Designs:
    """An intake made of designs."""

    def __init__(self, *designs: Design, whole_units: bool = False) -> None:
        self.designs, self.whole_units = designs, whole_units
        self.dropped = pd.DataFrame(columns=["kind", "reason", "count", "first"])

    def __iter__(self) -> Any:
        return iter(self.designs)


def made_design(
    levels: int = 2,
    seed: int = 0,
    *,
    schools: int = 12,
    networks: int = 3,
    weights: bool = False,
    continuous: bool = False,
    offset: float = 0.0,
    movers: bool = False,
) -> Design:
    """Occasions in pupils (in schools (in networks)) in random order; slopes of time at each level."""
    rng = np.random.default_rng(seed)
    pupil, school, time = [], [], []
    pupils = 0
    for s in range(schools):
        for _ in range(int(rng.integers(3, 9))):
            for t in np.flatnonzero(rng.random(4) > 0.15) if rng.random() < 0.9 else (0, 3):
                pupil.append(pupils)
                school.append((s + 1) % schools if movers and t > 1 and pupils % 5 == 0 else s)
                time.append(rng.random() * 4 if continuous else float(t))
            pupils = pupil[-1] + 1 if pupil else 0
    n = len(pupil)
    shuffled = rng.permutation(n)
    p, s, t = (np.array(each)[shuffled] for each in (pupil, school, time))
    m = s % networks
    x = rng.integers(0, 2, p.max() + 1)[p].astype(float)
    y = (
        offset
        + 0.5 * t
        + 0.3 * x
        + rng.standard_normal(p.max() + 1)[p]
        + (0.5 + 0.3 * t) * rng.standard_normal(schools)[s]
        + 0.5 * rng.standard_normal(networks)[m]
        + rng.standard_normal(n)
    )
    every = (
        Level("pupil", p, pd.RangeIndex(int(p.max()) + 1), (Term((0, 1), 0),)),
        Level("school", s, pd.RangeIndex(schools), (Term((0, 1), 1),)),
        Level("network", m, pd.RangeIndex(networks), (Term((0,), 2), Term((1,), 3))),
    )
    return Design(
        formula="made",
        outcome="y",
        y=y,
        names=("Intercept", "time", "x", "time:x"),
        columns=(np.ones(n), t, x, t * x),
        fixed=(0, 1, 2, 3),
        intercept=0,
        levels=every[:levels],
        weights=rng.random(n) + 0.5 if weights else None,
        nested=not movers,
    )


def taken(design: Design, rows: Any) -> Design:
    """Some rows of a design; labels stay."""
    from dataclasses import replace

    return replace(
        design,
        y=design.y[rows],
        columns=tuple(column[rows] for column in design.columns),
        levels=tuple(replace(level, codes=level.codes[rows]) for level in design.levels),
        weights=None if design.weights is None else design.weights[rows],
    )


def fixed_columns(design: Design) -> Floats:
    """(n, p) X."""
    return np.stack([np.asarray(design.columns[at], dtype=float) for at in design.fixed], axis=1)


def pieces(design: Design) -> list[Floats]:
    """For each level Z, term by term."""
    return [
        np.stack([design.columns[column] for term in level.terms for column in term.columns], axis=1)
        for level in design.levels
    ]


def covariance(design: Design, factors: Sequence[Floats]) -> Floats:
    """(n, n) V relative to σ²."""
    variance = np.diag(np.ones(len(design.y)) if design.weights is None else 1.0 / design.weights)
    for level, z, factor in zip(design.levels, pieces(design), factors, strict=True):
        same = level.codes[:, None] == level.codes[None, :]
        variance += same * (z @ factor @ factor.T @ z.T)
    return variance


def criterion(design: Design, factors: Sequence[Floats], *, reml: bool) -> tuple[float, Floats, Floats]:
    """The criterion with lme4's constants, β and Cov(β)."""
    x, y = fixed_columns(design), design.y
    inverse = np.linalg.inv(covariance(design, factors))
    information = x.T @ inverse @ x
    beta = np.linalg.solve(information, x.T @ inverse @ y)
    residual = (y - x @ beta) @ inverse @ (y - x @ beta)
    n, p = x.shape
    nu = n - p if reml else n
    value = -np.linalg.slogdet(inverse)[1] + nu * (1 + np.log(2 * np.pi * residual / nu))
    if reml:
        value += np.linalg.slogdet(information)[1]
    return float(value), beta, residual / nu * np.linalg.inv(information)


def kenward_roger(design: Design, factors: Sequence[Floats], changes: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Adjusted covariance of β and degrees of freedom of each coefficient (Kenward and Roger 1997), written out.

    ``changes`` are the derivatives of V in its parameters (variances and covariances), the residual variance's last.
    """
    x = fixed_columns(design)
    _, _, phi = criterion(design, factors, reml=True)
    relative = covariance(design, factors)
    information = x.T @ np.linalg.inv(relative) @ x
    sigma2 = float(phi[0, 0] / np.linalg.inv(information)[0, 0])
    inverse = np.linalg.inv(sigma2 * relative)
    m = len(changes)
    slopes = [-x.T @ inverse @ g @ inverse @ x for g in changes]
    products = [[x.T @ inverse @ g @ inverse @ h @ inverse @ x for h in changes] for g in changes]
    info = np.empty((m, m))
    for r in range(m):
        for s in range(m):
            info[r, s] = (
                np.trace(inverse @ changes[r] @ inverse @ changes[s])
                - 2 * np.trace(phi @ products[r][s])
                + np.trace(phi @ slopes[r] @ phi @ slopes[s])
            )
    weight = 2 * np.linalg.inv(info)
    correction = sum(weight[r, s] * (products[r][s] - slopes[r] @ phi @ slopes[s]) for r in range(m) for s in range(m))
    df = []
    for k in range(x.shape[1]):
        middle = np.zeros_like(phi)
        middle[k, k] = 1 / phi[k, k]
        inner = [middle @ phi @ slope @ phi for slope in slopes]
        a1 = sum(weight[r, s] * np.trace(inner[r]) * np.trace(inner[s]) for r in range(m) for s in range(m))
        a2 = sum(weight[r, s] * np.trace(inner[r] @ inner[s]) for r in range(m) for s in range(m))
        b = (a1 + 6 * a2) / 2
        g = (2 * a1 - 5 * a2) / (3 * a2)
        c1, c2, c3 = g / (3 + 2 * (1 - g)), (1 - g) / (3 + 2 * (1 - g)), (3 - g) / (3 + 2 * (1 - g))
        rho = ((1 - a2) / (1 - c2 * b)) ** 2 * (1 + c1 * b) / (1 - c3 * b)
        df.append(4 + 3 / (rho - 1))
    return phi + 2 * phi @ correction @ phi, np.array(df)

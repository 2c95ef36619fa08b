"""Synthetic difference-in-differences of one entry group: weights for comparison units and for periods before entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats, Integers
from plneval.did.simplex import OwnGram, SimplexProblems, normalized, shared_columns, sparse_weights

METHODS = ("synthetic_did", "synthetic_control", "did")
# The ridge penalty that only decides between equally good weights (synthdid's eta).
_INFINITESIMAL = 1e-6


@dataclass(frozen=True)
class GroupPanel:
    """One entry group beside the comparison units, as the weights are found.

    Attributes
    ----------
    comparison
        (N0, T) outcomes of the comparison units.
    before, after
        Positions of the T0 periods before entry, and of those averaged after it.
    method
        One of ``METHODS``.
    noise
        Standard deviation of the comparison units' changes between consecutive periods before entry; 0 for ``"did"``.
    zeta_unit, zeta_time
        Ridge penalties: noise times (treated units × periods averaged)^(1/4), and an infinitesimal one.
    """

    comparison: Floats
    before: Integers
    after: Integers
    method: str
    noise: float
    zeta_unit: float
    zeta_time: float

    @staticmethod
    def of(comparison: Floats, before: Integers, after: Integers, n_treated: int, method: str) -> GroupPanel:
        """Penalties as in synthdid (Arkhangelsky and others 2021, equation 2.2)."""
        noise = 0.0 if method == "did" else float(np.std(np.diff(comparison[:, before], axis=1), ddof=1))
        eta = (n_treated * len(after)) ** 0.25 if method == "synthetic_did" else _INFINITESIMAL
        return GroupPanel(comparison, before, after, method, noise, eta * noise, _INFINITESIMAL * noise)


@dataclass(frozen=True)
class GroupWeights:
    """(R, n) unit and (R, T0) time weights; all zero where there are none."""

    unit: Floats
    time: Floats


def equal_weights(panel: GroupPanel, allowed: NDArray[np.bool_]) -> GroupWeights:
    """Where the search for weights starts: all equal."""
    shape = (len(allowed), len(panel.before))
    time = np.zeros(shape) if panel.method == "synthetic_control" else np.full(shape, 1 / shape[1])
    return GroupWeights(normalized(np.ones(allowed.shape), allowed), time)


def find_weights(
    panel: GroupPanel, treated: Floats, units: Integers, allowed: NDArray[np.bool_], start: GroupWeights
) -> GroupWeights:
    """Weights of R samples of comparison units.

    Parameters
    ----------
    treated
        (R, T) mean outcome of the treated units.
    units
        (R, n) the comparison units of each sample (a unit may be in it more than once), ``allowed`` (R, n) of them.
    start
        Where the search starts; what ``method`` does not look for is taken from it as it is.

    Notes
    -----
    Unit weights fit the treated units' mean before entry, up to a constant (none for synthetic control); time weights
    fit the comparison units' mean after entry by their outcomes before it, up to a constant.
    """
    if panel.method == "did":
        return start
    decrease = 1e-5 * panel.noise
    unit = sparse_weights(unit_problems(panel, treated, units, allowed), start.unit, decrease)
    if panel.method == "synthetic_control":
        return GroupWeights(unit, start.time)
    return GroupWeights(unit, sparse_weights(time_problems(panel, units, allowed), start.time, decrease))


def unit_problems(panel: GroupPanel, treated: Floats, units: Integers, allowed: NDArray[np.bool_]) -> SimplexProblems:
    """The search for unit weights; arguments as for :func:`find_weights`."""
    pre, aim = panel.comparison[:, panel.before].T, treated[:, panel.before]
    if panel.method != "synthetic_control":
        pre, aim = pre - pre.mean(axis=0), aim - aim.mean(axis=1, keepdims=True)
    target = np.take_along_axis(aim @ pre, units, axis=1)
    return SimplexProblems(shared_columns(pre, units), target, allowed, len(panel.before), panel.zeta_unit)


def time_problems(panel: GroupPanel, units: Integers, allowed: NDArray[np.bool_]) -> SimplexProblems:
    """The search for time weights; arguments as for :func:`find_weights`."""
    count = allowed.sum(axis=1)
    outcome = np.column_stack([panel.comparison[:, panel.before], panel.comparison[:, panel.after].mean(axis=1)])
    outcome = outcome - outcome.mean(axis=0)
    chosen = outcome[units] * allowed[:, :, None]
    chosen -= (chosen.sum(axis=1) / count[:, None])[:, None] * allowed[:, :, None]
    gram = np.einsum("rni,rnj->rij", chosen, chosen)
    everything = np.ones((len(units), len(panel.before)), dtype=bool)
    # One N for all: samples differ in size only where units are drawn with replacement.
    scale = count[0] / count
    gram = gram * scale[:, None, None]
    return SimplexProblems(
        OwnGram(np.ascontiguousarray(gram[:, :-1, :-1])), gram[:, :-1, -1], everything, int(count[0]), panel.zeta_time
    )


def effect_curves(panel: GroupPanel, treated: Floats, units: Integers, weights: GroupWeights) -> Floats:
    """(R, periods averaged) effects: treated less weighted comparison, less the same over the weighted time before."""
    synthetic = np.einsum("rn,rnt->rt", weights.unit, panel.comparison[units])
    gap = treated - synthetic
    return np.asarray(gap[:, panel.after] - np.einsum("rt,rt->r", weights.time, gap[:, panel.before])[:, None])

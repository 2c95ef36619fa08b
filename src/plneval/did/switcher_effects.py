"""Effects of switchers put together: by periods since the switch, and the average total effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import dropped_table
from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.intervals import Inference, with_t
from plneval.did.linear_sample import SMALL_ARM
from plneval.did.products import crossproduct
from plneval.did.switcher_contrasts import (
    JOINERS,
    LEAVERS,
    Contrast,
)
from plneval.did.treatment_paths import TreatmentPaths

DIRECTIONS = ("both", "joiners", "leavers")
# Signs of the switches used; "leaving" has another treatment: not being a member any more.
SIGNS = {"both": (JOINERS, LEAVERS), "joiners": (JOINERS,), "leavers": (LEAVERS,), "leaving": (JOINERS,)}
NAMES = {"both": "switcher", "joiners": "joiner", "leavers": "leaver", "leaving": "leaver"}
# Contrasts by direction and effect (negative for placebos).
Found = dict[tuple[int, int], Contrast]
# Ratio of the least to the largest eigenvalue (of the correlations) below which a covariance matrix is called singular.
SINGULAR = 1e-10


@dataclass(frozen=True)
class JointTest:
    """Wald test that several effects are zero: statistic, degrees of freedom, p-value (chi-squared)."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True)
class SwitcherEffects:
    """Effects by periods since the switch, placebos, and the average effect of a unit of treatment. G clusters.

    Attributes
    ----------
    direction, switches
        As asked for.
    table
        One row for each placebo and effect: ``effect`` (1 for the period of the switch, 2 for the one after; placebos
        negative), ``event_time`` (effect - 1; placebos -effect - 1, so that -2 is the first), ``estimate``, ``se``,
        ``df``, ``ci_low``, ``ci_high``, ``dose`` (mean treatment gained since the switch, in treatment × periods),
        ``normalized`` and ``normalized_se`` (estimate and se over dose: per unit and period of treatment),
        ``n_switchers``, ``n_joiners``, ``n_leavers``, ``n_controls`` (units).
    estimate, se, df, ci_low, ci_high
        The average total effect: sum of the effects over all switchers and periods, over the sum of the treatment
        they gained.
    by_cluster, overall_by_cluster
        (G, rows of the table) and (G,): contributions; variances are sums of squares.
    clusters
        (G,) labels.
    n_switchers, n_clusters
        Units that switch and are used; clusters.
    inference
        Which distribution intervals are made with, and why: the normal one (``"influence"``), or t
        (``"small_sample"``). Standard errors are the same.
    level
        Of the confidence intervals.
    dropped
        What was not used and why: see :func:`plneval.did.cells.dropped_table`.
    """

    direction: str
    switches: str
    table: pd.DataFrame
    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    by_cluster: Floats
    overall_by_cluster: Floats
    clusters: pd.Index
    n_switchers: int
    n_clusters: int
    inference: Inference
    level: float
    dropped: pd.DataFrame
    _fit: Fit

    @property
    def joiners(self) -> SwitcherEffects:
        """The same for joiners (units whose treatment rises) alone."""
        return self._part("joiners")

    @property
    def leavers(self) -> SwitcherEffects:
        """The same for leavers alone; estimates are of the treatment given up, so a benefit lost is positive."""
        return self._part("leavers")

    def _part(self, direction: str) -> SwitcherEffects:
        if self.direction not in ("both", direction):
            raise DidError(f"{direction} apart are in the result of switchers(direction='both')")
        return assemble(self._fit, direction)

    def contrasts(self) -> dict[int, list[Contrast]]:
        """Who was compared with whom: the contrasts behind each ``effect`` of the table, by direction."""
        found = self._fit.found
        signs = SIGNS[self.direction]
        return {int(n): [found[sign, n] for sign in signs if (sign, n) in found] for n in self.table["effect"]}

    @property
    def units(self) -> pd.Index:
        """(U,) labels of the units, in the order of the contrasts."""
        return self._fit.paths.cells.units

    @property
    def vcov(self) -> Floats:
        """Covariance of the rows of ``table``."""
        return crossproduct(self.by_cluster)

    @property
    def influence(self) -> pd.DataFrame:
        """By cluster, of the average and of each effect: ``se = sqrt(mean(influence**2) / n_clusters)``."""
        values = np.column_stack([self.overall_by_cluster, self.by_cluster]) * self.n_clusters
        columns = pd.Index(["overall", *self.table["effect"]], dtype=object)
        return pd.DataFrame(values, index=self.clusters, columns=columns)

    @property
    def placebo_test(self) -> JointTest:
        """Test that all placebos are zero.

        Raises
        ------
        DidError
            No placebo was estimated, or their covariance is singular (as many placebos as clusters).
        """
        return _joint(self, (self.table["effect"] < 0).to_numpy(), "placebo")

    @property
    def effects_test(self) -> JointTest:
        """Test that all effects from the switch on are zero; raises as :attr:`placebo_test`."""
        return _joint(self, (self.table["effect"] > 0).to_numpy(), "effect")


@dataclass(frozen=True)
class Fit:
    """What was estimated for each direction, and what was asked for."""

    paths: TreatmentPaths
    found: Found
    switches: str
    effects: int | None
    placebos: int | None
    inference: str | None
    level: float


def assemble(fit: Fit, direction: str) -> SwitcherEffects:
    """Put the directions together, weighted by the mass of their switchers."""
    signs = SIGNS[direction]
    chosen = {key: one for key, one in fit.found.items() if key[0] in signs}
    numbers = sorted({key[1] for key in chosen})
    after = [number for number in numbers if number > 0]
    what = NAMES[direction]
    cells = fit.paths.cells
    if not after:
        raise DidError(
            f"no {what} can be compared: each needs a unit with the same treatment before that has not switched yet, "
            "and a period before the switch"
        )
    taking_part = np.any([one.switchers for one in chosen.values()], axis=0)
    if taking_part.sum() == 1:
        raise DidError(f"a single {what}: its effect can be estimated, the uncertainty cannot")
    if len(np.unique(cells.cluster[taking_part])) == 1:
        raise DidError(f"{cells.names.cluster}: all {what}s are in a single cluster: cluster by unit")
    used = taking_part | np.any([one.controls for one in chosen.values()], axis=0)
    codes, of_unit = np.unique(cells.cluster[used], return_inverse=True)
    parts = {number: [chosen[sign, number] for sign in signs if (sign, number) in chosen] for number in numbers}
    estimates, columns, doses = [], [], []
    for number in numbers:
        mass = np.array([one.mass for one in parts[number]])
        share = mass / mass.sum()
        estimates.append(float(np.sum(share * [one.estimate for one in parts[number]])))
        doses.append(float(np.sum(share * [one.cumulative for one in parts[number]])))
        by_unit = sum(s * one.contributions for s, one in zip(share, parts[number], strict=True))
        columns.append(_by_cluster(np.asarray(by_unit)[used], of_unit, len(codes)))
    by_cluster = np.column_stack(columns)
    effects = [one for number in after for one in parts[number]]
    gained = sum(one.mass * one.dose for one in effects)
    overall = sum(one.mass * one.estimate for one in effects) / gained
    by_unit = sum(one.mass / gained * one.contributions for one in effects)
    overall_by_cluster = _by_cluster(np.asarray(by_unit)[used], of_unit, len(codes))
    inference = _choose(fit, effects)
    df = np.full(1 + len(numbers), np.inf)
    if inference.method == "small_sample":
        df = _welch(np.column_stack([overall_by_cluster, by_cluster]), _cohorts(fit.paths, used, of_unit))
    value = np.array([overall, *estimates])
    spread = np.sqrt(np.r_[np.sum(overall_by_cluster**2), np.sum(by_cluster**2, axis=0)])
    columns_of = with_t(value, spread, df, fit.level)
    return SwitcherEffects(
        direction=direction,
        switches=fit.switches,
        table=_table(numbers, parts, columns_of, np.array(doses), chosen, direction),
        **{name: float(columns_of[name][0]) for name in ("estimate", "se", "df", "ci_low", "ci_high")},
        by_cluster=by_cluster,
        overall_by_cluster=overall_by_cluster,
        clusters=cells.clusters[codes],
        n_switchers=int(taking_part.sum()),
        n_clusters=len(codes),
        inference=inference,
        level=fit.level,
        dropped=_dropped(fit, signs, taking_part, used, numbers, effects, what),
        _fit=fit,
    )


def _by_cluster(by_unit: Floats, cluster: Integers, n_clusters: int) -> Floats:
    return np.bincount(cluster, by_unit, n_clusters).astype(np.float64)


def _choose(fit: Fit, effects: list[Contrast]) -> Inference:
    """The method asked for, or t where clusters of switchers or of their controls are fewer than 40."""
    cluster = fit.paths.cells.cluster
    switched, stayed = (
        len(np.unique(cluster[np.any([getattr(one, who) for one in effects], axis=0)]))
        for who in ("switchers", "controls")
    )
    if fit.inference is not None:
        return Inference(fit.inference, "as asked for", switched, stayed)
    few = min(switched, stayed) < SMALL_ARM
    reason = (
        f"by rule: {'fewer than' if few else 'at least'} {SMALL_ARM} clusters in the smaller arm ({switched} with "
        f"switchers, {stayed} with controls)"
    )
    return Inference("small_sample" if few else "influence", reason, switched, stayed)


def _cohorts(paths: TreatmentPaths, used: NDArray[np.bool_], of_unit: Integers) -> Integers:
    """(G,) clusters whose units switch together from the same treatment; those alone or of several kinds come last.

    The variance within such a cohort is estimated from its clusters.
    """
    _, cohort = np.unique(np.column_stack([paths.stratum, paths.switch])[used], axis=0, return_inverse=True)
    cohort = cohort.reshape(-1)
    n_clusters = int(of_unit.max()) + 1
    low, high = np.full(n_clusters, len(cohort)), np.full(n_clusters, -1)
    np.minimum.at(low, of_unit, cohort)
    np.maximum.at(high, of_unit, cohort)
    size = np.bincount(low[low == high], minlength=len(cohort) + 1)
    rest = (low != high) | (size[low] < 2)
    return np.unique(np.where(rest, len(cohort), low), return_inverse=True)[1].astype(np.intp)


def _welch(by_cluster: Floats, cohort: Integers) -> Floats:
    """(Q,) degrees of freedom V² / Σ V_h²/(f_h + 2) - 2 over cohorts h of f_h + 1 clusters, at least 1."""
    freedom = np.maximum(np.bincount(cohort) - 1.0, 1.0)
    parts = [np.bincount(cohort, by_cluster[:, q] ** 2, len(freedom)) for q in range(by_cluster.shape[1])]
    variance = np.column_stack(parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = variance.sum(axis=0) ** 2 / (variance**2 / (freedom[:, None] + 2)).sum(axis=0) - 2
    return np.asarray(np.maximum(df, 1.0))


def _table(
    numbers: list[int],
    parts: dict[int, list[Contrast]],
    values: dict[str, Floats],
    doses: Floats,
    chosen: Found,
    direction: str,
) -> pd.DataFrame:
    estimates, se, low, high = (values[name][1:] for name in ("estimate", "se", "ci_low", "ci_high"))

    def count(sign: int, number: int) -> int:
        return int(chosen[sign, number].switchers.sum()) if (sign, number) in chosen else 0

    joined, left = [[count(sign, number) for number in numbers] for sign in (JOINERS, LEAVERS)]
    switched = [int(np.any([one.switchers for one in parts[number]], axis=0).sum()) for number in numbers]
    stayed = [int(np.any([one.controls for one in parts[number]], axis=0).sum()) for number in numbers]
    effect = np.array(numbers)
    safe = np.where(doses > 0, doses, np.nan)
    if direction == "leaving":
        who = {"n_leavers": switched, "n_stayers": stayed}
    else:
        who = {"n_switchers": switched, "n_joiners": joined, "n_leavers": left, "n_controls": stayed}
    return pd.DataFrame(
        {
            "effect": effect,
            "event_time": effect - 1,
            "estimate": estimates,
            "se": se,
            "df": values["df"][1:],
            "ci_low": low,
            "ci_high": high,
            "dose": doses,
            "normalized": estimates / safe,
            "normalized_se": se / safe,
            **who,
        }
    )


def _dropped(
    fit: Fit,
    signs: tuple[int, ...],
    taking_part: NDArray[np.bool_],
    used: NDArray[np.bool_],
    numbers: list[int],
    effects: list[Contrast],
    what: str,
) -> pd.DataFrame:
    """The list of what was not used."""
    paths = fit.paths
    turn = np.sign(paths.to - paths.first)
    switched = np.isin(turn, signs) if fit.switches == "first" else np.zeros(len(used), dtype=bool)
    alone = switched & ~taking_part
    entries: list[tuple[str, str, int, list[Any]]] = []
    labels = paths.cells.units

    def add(kind: str, reason: str, which: NDArray[np.bool_]) -> None:
        found = np.flatnonzero(which)
        if len(found):
            entries.append((kind, reason, len(found), list(labels[found[:5]])))

    add("units", f"{what}s without outcomes before and after, or without a unit to be compared with", alone)
    others = ~used & ~alone & ~(np.isin(turn, [JOINERS, LEAVERS]) & ~switched) & np.isfinite(paths.first)
    add("units", f"no {what} to be compared with", others)
    for name, asked, sign in (("effects", fit.effects, 1), ("placebos", fit.placebos, -1)):
        missing = [n for n in range(1, (asked or 0) + 1) if sign * n not in numbers]
        if missing:
            entries.append((name, f"no {what} with a control that many periods away", len(missing), missing[:5]))
    lone = sum(one.lone for one in effects)
    if lone:
        reason = "cohorts of a single unit or cluster: centred together with the units they are compared with"
        entries.append(("standard errors", reason, lone, []))
    return pd.concat([paths.dropped, dropped_table(entries)], ignore_index=True) if entries else paths.dropped


def _joint(effects: SwitcherEffects, which: NDArray[np.bool_], what: str) -> JointTest:
    from scipy.special import chdtrc

    if not which.any():
        raise DidError(f"no {what} was estimated: there is nothing to test")
    covariance = effects.vcov[np.ix_(which, which)]
    scale = np.sqrt(np.diag(covariance))
    if (scale > 0).all():
        values = np.linalg.eigvalsh(covariance / scale / scale[:, None])
    if not (scale > 0).all() or values[0] < SINGULAR * values[-1]:
        raise DidError(
            f"the covariance of the {int(which.sum())} {what}s, estimated from {effects.n_clusters} clusters, is "
            f"singular: ask for fewer {what}s"
        )
    estimate = effects.table["estimate"].to_numpy()[which]
    statistic = float(estimate @ np.linalg.solve(covariance, estimate))
    return JointTest(statistic, int(which.sum()), float(chdtrc(int(which.sum()), statistic)))

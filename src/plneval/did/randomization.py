"""Randomisation tests: how often a random assignment of entry gives an effect as large as the one observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import Cells, as_cells, check_missing_entry, dropped_table
from plneval.did.columns import Floats, Integers
from plneval.did.design import Design, GroupTime, check_options, make_design
from plneval.did.errors import DidError
from plneval.did.permutation import PERMUTE, Exchange, exchange, share_interval
from plneval.did.permuted_statistic import Permuted, PermutedStatistic, unit_sums
from plneval.did.strata import strata_of_units

STATISTICS = ("headline", "t")
# Statistics this close to one another, relative to the largest, are ties: sums in another order differ by rounding.
TIE = 1e-9


@dataclass(frozen=True)
class RandomizationTest:
    """Result of :func:`randomization_test`.

    Attributes
    ----------
    statistic
        ``"headline"`` or ``"t"``.
    observed
        Its value for the data.
    estimate, se
        The average effect, and its cluster-robust standard error (NaN for ``"headline"``, which needs none).
    p
        Two-sided. Exact: the share of all assignments whose statistic is at least as far from 0 as the one observed
        (which is among them). Otherwise (1 + such draws) / (1 + draws).
    p_low, p_high
        Monte Carlo error: 95 % interval (Clopper and Pearson) for the p of all assignments; ``p`` itself if exact.
    ci_low, ci_high, level
        The constant effects that the test does not reject at 1 - ``level``; infinite on a side where none is.
    draws
        Assignments compared with the data: random draws or, exact, all of them.
    exact
        Whether they are all there are.
    n_assignments
        How many there are; no p is below one over it.
    scheme
        ``"unit"``, ``"cluster"`` or ``"pattern"``: see :func:`plneval.did.permutation.exchange`.
    strata
        The labels of the strata within which entries were permuted; ``None`` without.
    distribution
        (draws,) the statistic under each assignment; NaN where it does not exist (no group-time can be estimated).
    undefined
        How many of those there are; they count as extreme.
    dropped
        What was not used, and units whose entry no permutation changes.
    """

    statistic: str
    observed: float
    estimate: float
    se: float
    p: float
    p_low: float
    p_high: float
    ci_low: float
    ci_high: float
    level: float
    draws: int
    exact: bool
    n_assignments: int
    scheme: str
    strata: tuple[Any, ...] | None
    seed: int
    distribution: Floats
    undefined: int
    dropped: pd.DataFrame


def randomization_test(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    strata: str | Mapping[Any, Any] | None = None,
    statistic: str = "headline",
    draws: int = 9999,
    seed: int = 1,
    min_event: float | None = 2,
    max_event: float | None = None,
    comparison: str = "never",
    permute: str | None = None,
    panel: bool | None = None,
    allow_unbalanced: bool | str = False,
    anticipation: float = 0,
    missing_entry: str = "error",
    level: float = 0.95,
) -> RandomizationTest:
    """Test that entry has no effect on anyone by assigning the periods of entry anew (Fisher; Young 2019).

    Needs no large numbers, and works with a single treated unit; needs that the assignments compared were equally
    likely: within strata (areas, say) any unit (or cluster) might as well have entered when another did.

    Parameters
    ----------
    data, outcome, time, unit, entry, weights, cluster, panel, missing_entry
        As in :func:`plneval.did.cells.cells`. Covariates are not taken: see Notes.
    strata
        Entries are permuted within these: a column that is constant within units, or the stratum of each unit label.
    statistic
        ``"headline"``: the average effect, ``att_gt(...).aggregate("simple", min_event, max_event)``. ``"t"``: the
        same over its cluster-robust standard error. With effects that differ between units, or groups whose outcomes
        vary more than others', ``"headline"`` tests that no unit has an effect, and may reject too often if only
        their average is zero; ``"t"`` then keeps its size in large samples (Chung and Romano 2013; Wu and Ding 2021)
        and is recommended.
    draws, seed
        Random assignments. Where there are no more than ``draws``, all are enumerated and the test is exact.
    min_event, max_event
        Event times averaged; by default from the third period of treatment on.
    comparison, allow_unbalanced, anticipation
        As in :func:`plneval.did.att_gt`.
    permute
        ``"unit"`` or ``"cluster"``. By default whole clusters where ``cluster`` is given, else units. With
        ``cluster`` and ``permute="unit"``, clusters only serve the standard error of ``"t"``.
    level
        Of the confidence interval.

    Returns
    -------
    RandomizationTest

    Notes
    -----
    Whole clusters: if each holds one entry, entries are permuted over clusters (sizes may differ). Otherwise clusters
    of equal size in a stratum exchange their patterns, and units change places within clusters. Units treated from
    the first period on, and those :func:`plneval.did.att_gt` drops, take no part.

    A test adjusted for covariates is this one on the residuals of a regression that does not know who entered
    (Rosenbaum 2002).

    The confidence interval holds the effects, the same for every unit and event time from 0 on, that the test does not
    reject. For ``"headline"`` it is exact; for ``"t"`` its ends are the first crossings outwards from the estimate.

    Raises
    ------
    DidError
        As :func:`plneval.did.att_gt` (but a single treated unit is no error for ``"headline"``); an option that does
        not exist; fewer than 99 draws; strata missing or varying within units or permuted clusters; a single possible
        assignment; no effect after entry in the window.
    """
    _check(statistic, draws, permute, level)
    check_options(comparison, "dr", "varying", anticipation, allow_unbalanced)
    check_missing_entry(missing_entry)
    cells = as_cells(data, outcome, time, unit, entry, None, weights, cluster, panel=panel, missing_entry=missing_entry)
    if allow_unbalanced and not cells.panel:
        raise DidError("allow_unbalanced belongs to panels: with panel=False units need not be seen every period")
    design = make_design(
        cells,
        comparison=comparison,
        base_period="varying",
        anticipation=anticipation,
        allow_unbalanced=allow_unbalanced,
        allow_single=True,
    )
    used = np.flatnonzero(design.group >= 0)
    stratum, labels = strata_of_units(strata, data, cells, used)
    exchanged, item, of_item = _exchanged(cells, design, used, stratum, permute)
    if statistic == "t":
        _check_treated_clusters(cells, design, used)
    sums = unit_sums(design, _window(design, min_event, max_event))
    if exchanged.scheme == "cluster":
        sums = sums.gathered(item)
    evaluator = PermutedStatistic(sums, exchanged, of_item)
    studentized = statistic == "t"
    observed = evaluator.evaluate(exchanged.order[None, :], variance=studentized)
    exact = exchanged.n_assignments <= draws
    batches = exchanged.enumerate() if exact else exchanged.sample(draws, seed)
    drawn = Permuted.joined([evaluator.evaluate(batch, variance=studentized) for batch in batches])
    if not np.isfinite(observed.average[0, 0]):
        raise DidError("no group and time in the window can be estimated: widen min_event and max_event")
    note = _never_moved(cells, used, item, exchanged)
    return _result(
        drawn,
        observed,
        _Asked(statistic, seed, level, exact),
        exchanged,
        labels,
        pd.concat([design.dropped, note], ignore_index=True) if len(note) else design.dropped,
    )


@dataclass(frozen=True)
class _Asked:
    statistic: str
    seed: int
    level: float
    exact: bool


def _check(statistic: str, draws: int, permute: str | None, level: float) -> None:
    if statistic not in STATISTICS:
        raise DidError(f"statistic is {statistic!r}; it can be 'headline' or 't'")
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 99:
        raise DidError(f"draws is {draws!r}; give a whole number, 99 or more")
    if permute not in (None, *PERMUTE):
        raise DidError(f"permute is {permute!r}; it can be 'unit' or 'cluster'")
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")


def _window(design: Design, min_event: float | None, max_event: float | None) -> tuple[GroupTime, ...]:
    """The group-times that ``aggregate("simple")`` averages."""
    low = max(0.0, 0.0 if min_event is None else min_event)
    high = np.inf if max_event is None else max_event
    found = tuple(c for c in design.planned if low <= design.times[c.time] - design.groups[c.group] <= high)
    if not found:
        raise DidError(
            f"no effect after entry has an event time from {low:g} to {high:g}: widen min_event and max_event"
        )
    return found


def _exchanged(
    cells: Cells, design: Design, used: Integers, stratum: Integers, permute: str | None
) -> tuple[Exchange, Integers, Integers | None]:
    """What is exchanged; the item of each unit; and the cluster of each item (``None``: each its own)."""
    _, cluster = np.unique(cells.cluster[used], return_inverse=True)
    _, group = np.unique(design.group[used], return_inverse=True)
    alone = len(np.unique(cluster)) == len(used)
    how = permute or ("unit" if alone else "cluster")
    if how == "cluster" and alone and cells.names.cluster is None:
        raise DidError("permute='cluster' needs a cluster column: pass cluster=..., or permute='unit'")
    names = (cells.names.unit, cells.names.cluster or cells.names.unit)
    exchanged, item = exchange(group.astype(np.intp), cluster.astype(np.intp), stratum, how, names)
    return exchanged, item, None if alone or exchanged.scheme == "cluster" else cluster.astype(np.intp)


def _check_treated_clusters(cells: Cells, design: Design, used: Integers) -> None:
    treated = used[np.isin(design.group[used], sorted({cell.group for cell in design.planned}))]
    if len(np.unique(cells.cluster[treated])) == 1:
        raise DidError(
            "statistic='t' with a single treated unit or cluster: its standard error knows nothing of the treated; "
            "use statistic='headline'"
        )


def _never_moved(cells: Cells, used: Integers, item: Integers, exchanged: Exchange) -> pd.DataFrame:
    fixed = used[np.isin(item, exchanged.fixed())]
    if not len(fixed):
        return dropped_table()
    reason = "entry never permuted: no other entry in the stratum (and cluster size); they count in every statistic"
    return dropped_table([("permutations", reason, len(fixed), list(cells.units[fixed[:5]]))])


def _result(
    drawn: Permuted,
    observed: Permuted,
    asked: _Asked,
    exchanged: Exchange,
    labels: tuple[Any, ...] | None,
    dropped: pd.DataFrame,
) -> RandomizationTest:
    values, value, se = drawn.average[0], float(observed.average[0, 0]), np.nan
    estimate = value
    if asked.statistic == "t":
        se = float(np.sqrt(observed.variance[0, 0]))
        if not se > 0:
            raise DidError("the standard error is 0 or missing, so there is no t: use statistic='headline'")
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(drawn.variance[0] > 0, values / np.sqrt(drawn.variance[0]), np.nan)
        value = value / se
    undefined = ~np.isfinite(values)
    largest = float(np.max(np.abs(values[~undefined]), initial=abs(value)))
    beyond = int(np.sum(undefined | (np.abs(np.where(undefined, 0.0, values)) >= abs(value) - TIE * largest)))
    n_draws = len(values)
    p = beyond / n_draws if asked.exact else (1 + beyond) / (1 + n_draws)
    p_low, p_high = (p, p) if asked.exact else share_interval(beyond, n_draws)
    needed = _needed(n_draws, 1 - asked.level, asked.exact)
    if asked.statistic == "headline":
        low, high = _headline_interval(drawn.average, observed.average[:, 0], needed)
    else:
        low, high = _t_interval(drawn, observed, needed)
    return RandomizationTest(
        statistic=asked.statistic,
        observed=value,
        estimate=estimate,
        se=se,
        p=p,
        p_low=float(p_low),
        p_high=float(p_high),
        ci_low=low,
        ci_high=high,
        level=asked.level,
        draws=n_draws,
        exact=asked.exact,
        n_assignments=exchanged.n_assignments,
        scheme=exchanged.scheme,
        strata=labels,
        seed=asked.seed,
        distribution=values,
        undefined=int(undefined.sum()),
        dropped=dropped,
    )


def _needed(n_draws: int, alpha: float, exact: bool) -> int:
    """The number of draws at least as extreme with which p exceeds alpha."""
    target = alpha * n_draws if exact else alpha * (1 + n_draws) - 1
    return int(np.floor(target * (1 + 1e-12))) + 1


def _headline_interval(drawn: Floats, observed: Floats, needed: int) -> tuple[float, float]:
    """The effects τ with |a* - τ b*| ≥ |a - τ b| in at least ``needed`` draws, a of the data and b of the treatment.

    |b*| ≤ b, so each draw is extreme on an interval around the estimate a/b, which the roots of a ± a* = τ (b ± b*)
    bound. Draws with |b*| = b (the assignment itself) are extreme everywhere.
    """
    if needed <= 0:
        return -np.inf, np.inf
    a, b = observed
    same = ~np.isfinite(drawn[0]) | (np.abs(drawn[1]) >= b * (1 - TIE))
    with np.errstate(invalid="ignore", divide="ignore"):
        roots = np.array([(a - drawn[0]) / (b - drawn[1]), (a + drawn[0]) / (b + drawn[1])])
    low = np.sort(np.where(same, -np.inf, roots.min(axis=0)))
    high = np.sort(np.where(same, np.inf, roots.max(axis=0)))[::-1]
    return float(low[needed - 1]), float(high[needed - 1])


def _t_interval(drawn: Permuted, observed: Permuted, needed: int) -> tuple[float, float]:
    """Where, outwards from the estimate, fewer than ``needed`` draws are as extreme; by bisection."""

    def squared(found: Permuted, effect: float) -> tuple[Floats, Floats]:
        top = found.average[0] - effect * found.average[1]
        return top**2, found.variance[0] - 2 * effect * found.variance[1] + effect**2 * found.variance[2]

    def kept(effect: float) -> bool:
        top, bottom = squared(drawn, effect)
        own_top, own_bottom = squared(observed, effect)
        return int(np.sum(~(top * own_bottom < own_top * bottom * (1 - TIE)))) >= needed

    centre = float(observed.average[0, 0] / observed.average[1, 0])
    se = float(np.sqrt(observed.variance[0, 0]))
    ends = []
    for step in (-se, se):
        inside, outside = centre, centre + step
        while kept(outside) and abs(outside - centre) < 1e9 * se:
            inside, outside = outside, centre + 2 * (outside - centre)
        if abs(outside - centre) >= 1e9 * se:
            ends.append(float(np.copysign(np.inf, step)))
            continue
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if kept(middle) else (inside, middle)
        ends.append((inside + outside) / 2)
    return ends[0], ends[1]

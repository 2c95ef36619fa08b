"""Changes of switchers against units with the same treatment that have not switched: one lag, one direction at a time.

De Chaisemartin and D'Haultfœuille (2024), equations 4 to 8; the variance is centred within cohorts, with the rules for
small cohorts of DIDmultiplegtDYN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.products import linear, moments
from plneval.did.switcher_controls import Slopes
from plneval.did.treatment_paths import TreatmentPaths

Mask = NDArray[np.bool_]
JOINERS, LEAVERS = 1, -1


@dataclass(frozen=True)
class Comparison:
    """What is compared at each period. U units, T periods.

    Attributes
    ----------
    change
        (U, T) change of the outcome; NaN where a period is missing.
    switcher, control
        (U, T) who is compared with whom.
    stratum
        (U, T) treatment that both had before.
    cohort
        (U, T) what sets switchers of a stratum and period apart: the treatment they switch to.
    dose, cumulative
        (U, T) treatment at the period less the one before switching, and its sum since the switch, both counted
        positive in the direction of the switch.
    x_change
        (U, T, K) the same change of the controls.
    """

    change: Floats
    switcher: Mask
    control: Mask
    stratum: Floats
    cohort: Floats
    dose: Floats
    cumulative: Floats
    x_change: Floats | None = None


@dataclass(frozen=True)
class Contrast:
    """Average change of switchers less that of their controls, as the effect of more treatment.

    Attributes
    ----------
    mass
        Σ of the switchers' weights.
    estimate
        The average; for leavers with its sign turned, so that it is the effect of the treatment they gave up.
    dose, cumulative
        Weighted means over the switchers.
    contributions
        (U,) what each unit contributes to the error; the variance is the sum of squares (by cluster).
    switchers, controls
        (U,) who took part.
    lone
        Cohorts of a single unit or cluster, centred together with what they are compared with.
    """

    mass: float
    estimate: float
    dose: float
    cumulative: float
    contributions: Floats
    switchers: Mask
    controls: Mask
    lone: int


def event_comparison(paths: TreatmentPaths, lag: int, direction: int, change: Floats, placebo: Floats) -> Comparison:
    """First switchers in their ``lag``-th period of another treatment, against those that have not switched.

    With ``placebo`` (U, T) given, the change compared is that one and ``change`` only has to exist.
    """
    n_times = len(paths.times)
    position = np.arange(n_times)
    there = ~np.isnan(change) & ~np.isnan(placebo)
    turn = np.sign(paths.to - paths.first)
    switcher = there & (position == (paths.switch + lag - 1)[:, None]) & (turn == direction)[:, None]
    control = there & (position < paths.switch[:, None])
    gap = direction * np.where(position >= paths.switch[:, None], paths.treatment - paths.first[:, None], 0.0)
    wide = np.broadcast_to
    shape = change.shape
    return Comparison(
        change=placebo,
        switcher=switcher,
        control=control,
        stratum=wide(paths.stratum[:, None], shape),
        cohort=wide(paths.to[:, None], shape),
        dose=gap,
        cumulative=np.nancumsum(gap, axis=1),
    )


def instantaneous_comparison(paths: TreatmentPaths, direction: int, change: Floats, placebo: Floats) -> Comparison:
    """Every switch from one period to the next, against units whose treatment stays the same in both.

    For a placebo the treatment must also have stayed the same from the period before.
    """
    before = np.full_like(paths.treatment, np.nan)
    before[:, 1:] = paths.treatment[:, :-1]
    there = ~np.isnan(change) & ~np.isnan(placebo) & ~np.isnan(before) & ~np.isnan(paths.treatment)
    if placebo is not change:
        earlier = np.full_like(before, np.nan)
        earlier[:, 1:] = before[:, :-1]
        there &= earlier == before
    step = direction * (paths.treatment - before)
    return Comparison(placebo, there & (step > 0), there & (step == 0), before, paths.treatment, step, step)


def difference(values: Floats, later: int, earlier: int) -> Floats:
    """(U, T) value ``later`` periods ago less the one ``earlier`` periods ago; NaN where either is missing."""
    found = np.full(values.shape, np.nan)
    n_times = values.shape[1]
    start = max(later, earlier)
    if start < n_times:
        found[:, start:] = values[:, start - later : n_times - later] - values[:, start - earlier : n_times - earlier]
    return found


def contrast(
    comparison: Comparison,
    weight: Floats,
    cluster: Integers,
    direction: int,
    controls: dict[float, Slopes] | None = None,
) -> Contrast | None:
    """The contrast of one comparison, or ``None`` where no switcher has a control.

    ``controls`` holds the coefficients of control variables by stratum; what they explain is taken out of the changes.
    """
    n_units = len(weight)
    mass = total = dose = cumulative = 0.0
    contributions = np.zeros(n_units)
    switchers, stayers = np.zeros(n_units, dtype=bool), np.zeros(n_units, dtype=bool)
    lone = 0
    imbalance: dict[float, Floats] = {}
    for t, level in _strata(comparison):
        own = comparison.stratum[:, t] == level
        treated = np.flatnonzero(own & comparison.switcher[:, t])
        others = np.flatnonzero(own & comparison.control[:, t])
        if not len(treated) or not len(others):
            continue
        w, change = weight[:, t], comparison.change[:, t]
        size, base = w[treated].sum(), w[others].sum()
        if controls is not None and comparison.x_change is not None:
            x = comparison.x_change[:, t]
            change = change - linear(x, _slopes_of(controls, level).theta)
            apart = moments(w[treated], x[treated]) - size / base * moments(w[others], x[others])
            imbalance[level] = imbalance.get(level, np.zeros(x.shape[1])) + apart
        mass += size
        total += np.sum(w[treated] * change[treated]) - size / base * np.sum(w[others] * change[others])
        dose += np.sum(w[treated] * comparison.dose[treated, t])
        cumulative += np.sum(w[treated] * comparison.cumulative[treated, t])
        switchers[treated], stayers[others] = True, True
        centred, alone = _centred(change, w, treated, others, comparison.cohort[:, t], cluster)
        lone += alone
        contributions[treated] += w[treated] * centred[treated]
        contributions[others] -= size / base * w[others] * centred[others]
    if not mass:
        return None
    for level, apart in sorted(imbalance.items()):
        contributions -= linear(_slopes_of(controls or {}, level).influence, apart)
    return Contrast(
        mass=float(mass),
        estimate=direction * float(total / mass),
        dose=float(dose / mass),
        cumulative=float(cumulative / mass),
        contributions=direction * contributions / mass,
        switchers=switchers,
        controls=stayers,
        lone=lone,
    )


def _slopes_of(controls: dict[float, Slopes], level: float) -> Slopes:
    if level not in controls:
        raise DidError(
            f"controls: no unit of treatment {level:g} is seen in two periods running before switching, so that "
            "what the controls explain cannot be estimated: leave the controls out"
        )
    return controls[level]


def _strata(comparison: Comparison) -> Iterable[tuple[int, float]]:
    for t in range(comparison.change.shape[1]):
        levels = comparison.stratum[comparison.switcher[:, t], t]
        for level in np.unique(levels[~np.isnan(levels)]):
            yield t, float(level)


def _centred(
    change: Floats, weight: Floats, treated: Integers, others: Integers, cohort: Floats, cluster: Integers
) -> tuple[Floats, int]:
    """(U,) changes less the mean of their cohort, times sqrt(n / (n - 1)), with n the clusters of the cohort.

    A cohort of one cluster has no variation of its own: it is centred on the mean of all switchers and controls of
    the stratum, and left as it is where that is a single cluster too.
    """
    centred = np.zeros(len(change))
    everyone = np.concatenate([treated, others])
    alone = 0
    groups = [treated[cohort[treated] == value] for value in np.unique(cohort[treated])]
    for members in [*groups, others]:
        reference = members
        count = len(np.unique(cluster[members]))
        if count < 2:
            alone += 1
            reference = everyone
            count = len(np.unique(cluster[everyone]))
        if count < 2:
            centred[members] = change[members]
            continue
        mean = np.sum(weight[reference] * change[reference]) / weight[reference].sum()
        centred[members] = (change[members] - mean) * np.sqrt(count / (count - 1))
    return centred, alone

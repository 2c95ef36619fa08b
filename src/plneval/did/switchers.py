"""Effects of a treatment that switches on and off (de Chaisemartin and D'Haultfœuille 2020, 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.intervals import check_method
from plneval.did.switcher_contrasts import (
    JOINERS,
    Comparison,
    contrast,
    difference,
    event_comparison,
    instantaneous_comparison,
)
from plneval.did.switcher_controls import Slopes, slopes
from plneval.did.switcher_effects import DIRECTIONS, SIGNS, Fit, Found, SwitcherEffects, assemble
from plneval.did.treatment_paths import TreatmentPaths, follow, read_treatment

SWITCHES = ("first", "all")


def switchers(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    treatment: str | None = None,
    *,
    direction: str = "both",
    effects: int | None = None,
    placebos: int | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    controls: Sequence[str] | None = None,
    switches: str = "first",
    panel: bool | None = None,
    inference: str | None = None,
    level: float = 0.95,
) -> SwitcherEffects:
    """Estimate effects of a treatment that may switch on and off, from units that switch and units that have not yet.

    Effect l compares the change of the outcome from the period before a unit's first switch to the l-th period from it
    on with that of units that had the same treatment at first and have kept it so far (de Chaisemartin and
    D'Haultfœuille 2024, as R's DIDmultiplegtDYN). Whatever happens to the treatment after the first switch is part of
    the effect. Placebo l is the difference l periods before that period.

    Parameters
    ----------
    data, outcome, time, unit, weights, cluster
        As in :func:`plneval.did.cells.cells`. Several rows of a unit and period are put together (their weights, or
        their number, weigh the cell). Cells need the treatment and the controls among their covariates.
    treatment
        Column of the treatment: 0/1 or any ordered number, constant within unit × period.
    direction
        Switchers used: ``"joiners"`` (more treatment), ``"leavers"``, or ``"both"``, which gives each of them too.
    effects, placebos
        How many; by default all that can be estimated. Placebos need as many periods after the switch as before.
    controls
        Columns whose changes may move the outcome, with coefficients by first treatment from units that have not
        switched.
    switches
        ``"first"``, or ``"all"``: every switch from one period to the next, against units with the same treatment in
        both (DID_M, joiners and leavers apart DID_+ and DID_-; de Chaisemartin and D'Haultfœuille 2020). That gives
        the effect in the period of the switch only, and takes it that earlier treatments leave no effect behind.
    panel
        True refuses several rows of a unit at one time.
    inference
        ``"influence"``: normal intervals, as R's; ``"small_sample"``: t, with degrees of freedom from the cohorts'
        clusters; by default the second where clusters of switchers, or of their controls, are fewer than 40.
    level
        Of the confidence intervals.

    Returns
    -------
    SwitcherEffects
        Standard errors are by cluster (by unit without one), changes centred within cohorts (same first treatment,
        same switch), and normalised ones take the dose as given, as the paper does.

    Raises
    ------
    DidError
        As :func:`plneval.did.treatment_paths.read_treatment`; no switch at all; no switcher with a control; a single
        switcher or cluster of switchers; an option that does not exist.
    """
    if direction not in DIRECTIONS:
        raise DidError(f"direction is {direction!r}; it can be {', '.join(map(repr, DIRECTIONS))}")
    if switches not in SWITCHES:
        raise DidError(f"switches is {switches!r}; it can be {' or '.join(map(repr, SWITCHES))}")
    check_numbers(effects, placebos, level)
    check_method(inference)
    if switches == "all" and (effects or 1) > 1:
        raise DidError("switches='all' gives the effect in the period of the switch only: leave effects out")
    read = read_treatment(data, outcome, time, unit, treatment, controls, weights, cluster, panel)
    paths = follow(read, str(treatment))
    first = switches == "first"
    found = first_switches(paths, effects, placebos) if first else _all_switches(paths, placebos)
    return assemble(Fit(paths, found, switches, effects, placebos, inference, level), direction)


def check_numbers(effects: int | None, placebos: int | None, level: float) -> None:
    """Raise ``DidError`` for a number of effects, a number of placebos or a level that makes no sense."""
    for name, number, least in (("effects", effects, 1), ("placebos", placebos, 0)):
        if number is not None and (isinstance(number, bool) or number != int(number) or number < least):
            raise DidError(f"{name} is {number!r}; give a whole number from {least} on")
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")


def first_switches(paths: TreatmentPaths, effects: int | None, placebos: int | None) -> Found:
    """Contrasts of first switchers with units of their stratum that have not switched, by direction and effect."""
    n_times = len(paths.times)
    position = np.arange(n_times)
    stratum = np.broadcast_to(paths.stratum[:, None], paths.outcome.shape)
    controls = _slopes(paths, position < paths.switch[:, None], stratum)
    found: Found = {}
    for lag in range(1, min(effects or n_times, n_times - 1) + 1):
        change = difference(paths.outcome, 0, lag)
        spans = [(lag, change, (0, lag))]
        if placebos is None or lag <= placebos:
            spans.append((-lag, difference(paths.outcome, 2 * lag, lag), (2 * lag, lag)))
        for number, compared, span in spans:
            for direction in SIGNS["both"]:
                comparison = event_comparison(paths, lag, direction, change, compared)
                _add(found, paths, comparison, controls, (direction, number), span)
    return found


def _all_switches(paths: TreatmentPaths, placebos: int | None) -> Found:
    change = difference(paths.outcome, 0, 1)
    spans = [(1, change, (0, 1))]
    if placebos is None or placebos > 0:
        spans.append((-1, difference(paths.outcome, 2, 1), (2, 1)))
    stable = instantaneous_comparison(paths, JOINERS, change, change)
    controls = _slopes(paths, stable.control, stable.stratum)
    found: Found = {}
    for number, compared, span in spans:
        for direction in SIGNS["both"]:
            comparison = instantaneous_comparison(paths, direction, change, compared)
            _add(found, paths, comparison, controls, (direction, number), span)
    return found


def _slopes(paths: TreatmentPaths, control: NDArray[np.bool_], stratum: Floats) -> dict[float, Slopes] | None:
    if not paths.controls.shape[2]:
        return None
    change = difference(paths.outcome, 0, 1)
    names = paths.cells.covariates[1:]
    return slopes(change, _each(paths.controls, (0, 1)), paths.weight, control, stratum, names)


def _each(values: Floats, span: tuple[int, int]) -> Floats:
    return np.stack([difference(values[:, :, k], *span) for k in range(values.shape[2])], axis=2)


def _add(
    found: Found,
    paths: TreatmentPaths,
    comparison: Comparison,
    controls: dict[float, Slopes] | None,
    key: tuple[int, int],
    span: tuple[int, int],
) -> None:
    if controls is not None:
        comparison = replace(comparison, x_change=_each(paths.controls, span))
    one = contrast(comparison, paths.weight, paths.cells.cluster, key[0], controls)
    if one is not None:
        found[key] = one

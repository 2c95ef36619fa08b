"""Effects by event time as the sensitivity analyses need them: before the reference, after it, and their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plneval.did.aggregate import Aggregate
from plneval.did.columns import Floats
from plneval.did.errors import DidError


@dataclass(frozen=True)
class EventEstimates:
    """Effects by event time relative to one reference. n = n_pre + n_post.

    Attributes
    ----------
    betahat, sigma
        (n,) effects, without the reference, and their covariance.
    events
        (n,) their event times.
    reference
        The event time all effects are relative to.
    step
        Distance of consecutive event times.
    level
        Of the confidence intervals of the estimator's table.
    """

    betahat: Floats
    sigma: Floats
    events: Floats
    reference: float
    step: float
    level: float

    @property
    def n_pre(self) -> int:
        """Event times before the reference."""
        return int(np.sum(self.events < self.reference))

    @property
    def n_post(self) -> int:
        """Event times after the reference; those before 0 are ones in which anticipation was allowed for."""
        return len(self.events) - self.n_pre

    @property
    def after(self) -> Floats:
        """(n_post,) event times after the reference."""
        return self.events[self.n_pre :]

    def l_vec(self, event: float | None = None, weights: Mapping[float, float] | None = None) -> Floats:
        """(n_post,) weights of the parameter: one event time, given weights, or the mean over event times from 0 on.

        Raises
        ------
        DidError
            Both or unknown event times, event times before entry, or weights that are all zero or not finite.
        """
        if event is not None and weights is not None:
            raise DidError("event and weights exclude one another: give the one event time, or weights of several")
        if weights is None:
            weights = {event: 1.0} if event is not None else {}
            if event is None:
                from_entry = self.after[self.after >= 0]
                if not len(from_entry):
                    raise DidError("no event time from 0 on: there is no effect to bound")
                weights = dict.fromkeys(from_entry.tolist(), 1 / len(from_entry))
        vector = np.zeros(self.n_post)
        for key, weight in weights.items():
            found = np.flatnonzero((self.after == key) & (self.after >= 0))
            if not len(found):
                known = ", ".join(f"{e:g}" for e in self.after[self.after >= 0])
                raise DidError(f"event time {key!r} is not among those from entry on: {known}")
            vector[found[0]] = weight
        if not np.isfinite(vector).all() or not vector.any():
            raise DidError("the weights of the event times must be finite, and one of them other than zero")
        return vector


def event_estimates(effects: Any) -> EventEstimates:
    """Read the effects by event time of an :class:`Aggregate` (dynamic) or :class:`LinearEffects`.

    Raises
    ------
    DidError
        Not by event time, a varying base period, no reference or several, missing event times or effects, or none
        before or after the reference.
    """
    table = getattr(effects, "table", None)
    if table is None or "event_time" not in table or "estimate" not in table or "group" in table:
        raise DidError('effects by event time are needed: pass effects.aggregate("dynamic"), or event_study(...)')
    if getattr(effects, "base_period", None) != "universal":
        raise DidError(
            'base_period is "varying": effects before entry are then changes from period to period; estimate with '
            'att_gt(..., base_period="universal")'
        )
    order = np.argsort(table["event_time"].to_numpy(), kind="stable")
    events = table["event_time"].to_numpy(dtype=float)[order]
    estimates = table["estimate"].to_numpy(dtype=float)[order]
    covariance = np.asarray(effects.vcov, dtype=float)[np.ix_(order, order)]
    if not np.isfinite(estimates).all() or not np.isfinite(covariance).all():
        raise DidError("an effect or its covariance is missing: narrow the event times by min_event and max_event")
    reference = _reference(effects, events, estimates, covariance)
    gaps = np.diff(events)
    if len(gaps) and not np.allclose(gaps, gaps[0]):
        raise DidError(
            "event times are not equally spaced ("
            + ", ".join(f"{e:g}" for e in events)
            + "): bounds on changes from one to the next have no meaning; narrow them by min_event and max_event"
        )
    keep = events != reference
    found = EventEstimates(
        betahat=estimates[keep],
        sigma=covariance[np.ix_(keep, keep)],
        events=events[keep],
        reference=reference,
        step=float(gaps[0]) if len(gaps) else 1.0,
        level=float(effects.effects.level if isinstance(effects, Aggregate) else effects.level),
    )
    if not found.n_pre:
        raise DidError(
            f"no effect before the reference ({reference:g}): violations of parallel trends after entry are bounded by "
            "what is seen before it; each group needs two periods before entry, and min_event must not cut them off"
        )
    if not found.n_post:
        raise DidError(f"no effect after the reference ({reference:g}): there is nothing to bound")
    return found


def _reference(effects: Any, events: Floats, estimates: Floats, covariance: Floats) -> float:
    """The one event time that is zero by definition."""
    zero: NDArray[np.bool_] = (np.diag(covariance) <= 0) & (estimates == 0)
    if zero.sum() != 1:
        kind = "no event time is" if not zero.any() else "several event times are"
        raise DidError(
            f"{kind} a reference (zero by definition): all effects must be relative to one, as in "
            'att_gt(..., base_period="universal"), event_study(), sun_abraham() and extended_twfe(..., '
            'comparison="never"); imputation, two_stage and extended_twfe otherwise compare with all periods before '
            "entry"
        )
    reference = float(events[zero][0])
    if isinstance(effects, Aggregate):
        design = effects.effects.design
        for cell in effects.effects.estimated:
            group = design.groups[cell.group]
            event = design.times[cell.time] - group
            if event in events and design.times[cell.base] - group != reference:
                raise DidError(
                    f"group {group:g} is relative to event time {design.times[cell.base] - group:g}, others to "
                    f"{reference:g}: a period is missing before its entry; leave the group out"
                )
    return reference

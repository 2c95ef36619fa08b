"""Effects of leaving, and of switching into and out of membership, from membership as it is in each outcome year."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.models import Leaving, Switchers
from plneval.did.switcher_effects import SwitcherEffects
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.inference import influence_table, long_covariance
from plneval.estimate.sample import SchoolSample
from plneval.estimate.school_panel import in_words, note_dropped
from plneval.standards import load

Array = npt.NDArray[np.float64]
COLUMNS: Final[dict[str, Any]] = {
    "outcome": "y",
    "time": "year",
    "unit": "school",
    "treatment": "member",
    "weights": "weight",
    "cluster": "cluster",
}
STAYERS: Final = "schools that are still members"
UNSWITCHED: Final = "schools with the same membership that have not switched yet"
CHOSEN: Final = "leaving is chosen: leavers would have to have gone on like those who stayed"
NOTES: Final = ("assumptions", "standard errors")
"""Kinds that :mod:`plneval.did` lists although nothing is left out."""
NO_CARRYOVER: Final = "takes it that earlier membership leaves no effect behind"


@dataclass(frozen=True)
class _Statistic:
    """A number to be reported; ``switching`` schools (labels) are compared with ``others``."""

    estimand: str
    term: str
    event_time: int | None
    numbers: tuple[float, float, float]
    by_cluster: pd.Series
    method: str
    switching: pd.Index
    others: pd.Index
    warnings: tuple[str, ...] = ()


def membership_changes(sample: SchoolSample, spec: Leaving | Switchers, pupils: PupilCounts) -> Fit:
    """Estimate what leaving does to those who leave, or what switching does, by :mod:`plneval.did`.

    Periods are outcome years: membership in years without outcomes is not used, and event times count outcome years
    from the first one with the new membership (0). Differences before it have event times from -2 on.

    # ASSUME: leavers would have gone on as members that stayed; switchers as schools with the same membership.

    Parameters
    ----------
    sample : school-years with the column ``member`` (0/1).

    Returns
    -------
    Fit
        ``did.leaving``: ``att_leaving_event_time``, and ``att_leaving``, the average for each outcome year outside; a
        benefit that is lost is negative. ``did.switchers``: ``att_switching_event_time`` by years since the first
        switch, ``att_switching``, the average total effect for each outcome year of membership, and
        ``att_switching_year``, the effect in the year of a switch, over all switches and for joiners and leavers apart
        (always of being a member). Counts are of all school-years of the schools that take part.
    """
    leaving = isinstance(spec, Leaving)
    comparison = STAYERS if leaving else UNSWITCHED
    description = f"school-years with {sample.column}"
    frame = sample.rows.assign(member=sample.rows["member"].astype("float64"))
    frame = frame[[*COLUMNS.values()]].astype({"year": "int64", "school": "int64", "cluster": "int64"})
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "weights": "mean number of scored pupils" if sample.weight == "pupils" else "equal for all schools",
        "periods": [int(year) for year in sorted(frame["year"].unique())],
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    try:
        statistics, notes = (
            _leaving(frame, spec, sample) if isinstance(spec, Leaving) else _switching(frame, spec, sample)
        )
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, comparison, description, diagnostics)
    changes = _changes(frame, leaving=leaving)
    estimates, columns = [], {}
    for one in statistics:
        estimate = _estimate(one, sample, pupils, changes)
        estimates.append(estimate)
        if estimate.se is not None:
            columns[estimate.key] = one.by_cluster
    influence = pd.DataFrame(columns).sort_index().fillna(0.0)
    matrix = influence.to_numpy(dtype=np.float64)
    return Fit(
        spec.kind,
        sample.column,
        comparison,
        description,
        tuple(estimates),
        long_covariance(list(columns), matrix.T @ matrix),
        influence_table(influence.index.to_numpy(dtype=np.int64), list(columns), matrix),
        diagnostics,
        warnings=(*notes, *sample.exclusions.sentences()),
    )


def _leaving(frame: pd.DataFrame, spec: Leaving, sample: SchoolSample) -> tuple[list[_Statistic], tuple[str, ...]]:
    effects = did.leaving(frame, **COLUMNS, same_entry=spec.same_entry, panel=True, level=spec.confidence)
    note_dropped(sample.exclusions, effects.dropped, told=NOTES)
    return _of(effects, "att_leaving"), (CHOSEN, *_notes(effects))


def _switching(frame: pd.DataFrame, spec: Switchers, sample: SchoolSample) -> tuple[list[_Statistic], tuple[str, ...]]:
    first = did.switchers(frame, **COLUMNS, panel=True, level=spec.confidence)
    note_dropped(sample.exclusions, first.dropped, told=NOTES)
    statistics = _of(first, "att_switching")
    every = did.switchers(frame, **COLUMNS, switches="all", placebos=0, panel=True, level=spec.confidence)
    for term in ("", "joiners", "leavers"):
        try:
            apart = every if not term else every.joiners if term == "joiners" else every.leavers
        except did.DidError as reason:
            sample.exclusions.add("estimates", 1, in_words(str(reason)), term=term)
            continue
        whole = _of(apart, "att_switching")[-1]
        statistics.append(
            replace(whole, estimand="att_switching_year", term=term, event_time=0, warnings=(NO_CARRYOVER,))
        )
    return statistics, _notes(first)


def _notes(effects: SwitcherEffects) -> tuple[str, ...]:
    """What was assumed, and how standard errors were made, where nothing was left out."""
    kept = effects.dropped[effects.dropped["kind"].isin(NOTES)]
    return tuple(
        f"{count} {in_words(str(reason))}" for reason, count in zip(kept["reason"], kept["count"], strict=True)
    )


def _of(effects: SwitcherEffects, estimand: str) -> list[_Statistic]:
    """Rows of a result by event time, and its average last."""
    units = effects.units
    parts = effects.contrasts()
    statistics = []
    for row, number in enumerate(int(number) for number in effects.table["effect"]):
        found = effects.table.iloc[row]
        e = int(found["event_time"])
        switching, others = (
            np.any([getattr(one, who) for one in parts[number]], axis=0) for who in ("switchers", "controls")
        )
        statistics.append(
            _Statistic(
                f"{estimand}_event_time",
                f"e{e}",
                e,
                (float(found["estimate"]), float(found["se"]), float(found["df"])),
                pd.Series(effects.by_cluster[:, row], index=effects.clusters),
                effects.inference.method,
                units[switching],
                units[others],
            )
        )
    after = [one for one in statistics if (one.event_time or 0) >= 0]
    switched, stayed = after[0].switching, after[0].others
    for one in after[1:]:
        switched, stayed = switched.union(one.switching), stayed.union(one.others)
    average = _Statistic(
        estimand,
        "",
        None,
        (effects.estimate, effects.se, effects.df),
        pd.Series(effects.overall_by_cluster, index=effects.clusters),
        effects.inference.method,
        switched,
        stayed,
    )
    return [*statistics, average]


def _changes(frame: pd.DataFrame, *, leaving: bool) -> pd.Series:
    """Whether the school-year comes after a change of membership (leaving: after the first year out)."""
    member = frame["member"]
    by_school = frame["school"]
    if leaving:
        inside = member.groupby(by_school).cummax() == 1
        return (inside & (member == 0)).groupby(by_school).cummax()
    return (member != member.groupby(by_school).transform("first")).groupby(by_school).cummax()


def _estimate(one: _Statistic, sample: SchoolSample, pupils: PupilCounts, changed: pd.Series) -> Estimate:
    """Attach the error, none below two clusters in an arm, and what the number rests on."""
    rows = sample.rows
    switching, others = rows["school"].isin(one.switching), rows["school"].isin(one.others)
    about = switching & changed.reindex(rows.index) if one.event_time is None or one.event_time >= 0 else switching
    of_switchers, of_others = set(rows.loc[switching, "cluster"]), set(rows.loc[others, "cluster"])
    value, se, df = one.numbers
    warnings: list[str] = []
    # Switchers and those they are compared with may share a network, and then a cluster; it counts in both arms here.
    short = [arm for arm, of in (("switch", of_switchers), ("do not", of_others)) if len(of) < 2]
    known = not short and math.isfinite(se) and se > 0
    if short:
        warnings.append(f"no standard error: fewer than two clusters with schools that {short[0]}")
    elif not known:
        warnings.append("no standard error: the data cannot give one")
    elif len(of_switchers) < load("cluster_rules").wild_bootstrap_minimum_treated:
        warnings.append(f"only {len(of_switchers)} clusters with schools that switch: the interval is unreliable")
    small = one.method == "small_sample"
    return Estimate(
        one.estimand,
        one.term,
        one.event_time,
        value,
        se if known else None,
        df if known and small else None,
        "none" if not known else f"small sample, t({df:.1f})" if small else "cluster, normal",
        basis_of(sample, pupils, switching | others, about, (len(of_switchers), len(of_others - of_switchers))),
        warnings=(*warnings, *one.warnings),
    )

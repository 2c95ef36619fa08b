"""Sums that a reader knows to hold between released counts of people, table by table.

They serve twice: a suppressed count must not follow from them, and a total is worked out again from rounded parts.
Some counts are not published and can still be read off, as the pupils lost between two steps: these get cells of their
own, so that a small one is protected like any other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import pairwise

import pandas as pd

from plneval.release.disclosure import Cell
from plneval.release.sums import Sums
from plneval.release.tie_sums import tie_sums


def gather(frames: dict[str, pd.DataFrame], counts: dict[Cell, int]) -> Sums:
    """All sums between the counts of the released tables."""
    sums = Sums(dict(counts))
    _flow(frames["flow"], sums)
    _ledger(frames["ledger"], frames["rejections"], sums)
    for column in ("n_pupils", "joiners", "leavers", "movers"):
        _arms("composition", frames["composition"], ["year"], column, sums)
    for table, keys, whole, part in (
        ("attrition", ["unit"], "start", "remaining"),
        ("missingness", ["outcome", "year"], "expected", "observed"),
    ):
        for row in frames[table].index:
            # What is left over is the number lost: not published, but there for whoever subtracts.
            sums.add((table, row, whole), [(table, row, part)])
        for column in (whole, part):
            _arms(table, frames[table], keys, column, sums)
    _trends(frames["trends"], sums)
    _turnover("teacher_timeline", frames["teacher_timeline"], sums)
    _exposure(frames["own_exposure"], frames["exposure_by_event_time"], sums)
    tie_sums(frames["network_tie_shares"], frames["network_tie_contrasts"], frames["network_structure"], sums)
    _records(frames["records"], sums)
    return sums


def _groups(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[Hashable, pd.DataFrame]]:
    if len(frame):
        yield from frame.groupby(keys, sort=True, dropna=False)


def _flow(frame: pd.DataFrame, sums: Sums) -> None:
    for _, chain in _groups(frame, ["unit", "arm", "outcome"]):
        rows = list(chain.sort_values("step", kind="stable").index)
        sums.keep |= {("flow", row, "remaining") for row in (rows[0], rows[-1])}
        # From the end: the rounded total of one step is a part of the step before.
        for before, after in reversed(list(pairwise(rows))):
            sums.add(
                ("flow", before, "remaining"),
                [("flow", after, "remaining"), ("flow", after, "excluded")],
                recompute=True,
            )
    for column in ("remaining", "excluded"):
        _arms("flow", frame, ["unit", "outcome", "step"], column, sums)


def _arms(table: str, frame: pd.DataFrame, keys: list[str], column: str, sums: Sums) -> None:
    for _, group in _groups(frame, keys):
        row = {arm: index for index, arm in zip(group.index, group["arm"], strict=True)}
        if "all" in row and len(row) > 1:
            parts = [(table, row[arm], column) for arm in ("member", "comparison") if arm in row]
            sums.add((table, row["all"], column), parts)


def _ledger(ledger: pd.DataFrame, rejections: pd.DataFrame, sums: Sums) -> None:
    for index, table in zip(ledger.index, ledger["table"], strict=True):
        rules = [
            ("rejections", row, "count")
            for row, of in zip(rejections.index, rejections["table"], strict=True)
            if of == table
        ]
        sums.keep |= {("ledger", index, "read"), ("ledger", index, "kept")}
        sums.add(("ledger", index, "rejected"), rules, recompute=True)
        parts = [("ledger", index, column) for column in ("kept", "merged", "rejected")]
        sums.add(("ledger", index, "read"), parts, recompute=True)


def _trends(frame: pd.DataFrame, sums: Sums) -> None:
    for _, group in _groups(frame, ["outcome", "subgroup", "year"]):
        row = {name: index for index, name in zip(group.index, group["group"], strict=True)}
        entries = [("trends", row[name], "n_pupils") for name in sorted(row) if name not in ("member", "comparison")]
        sums.keep |= {("trends", row[name], "n_pupils") for name in ("member", "comparison") if name in row}
        if "member" in row and entries:
            sums.add(("trends", row["member"], "n_pupils"), entries)
    _subgroups("trends", frame, ["outcome", "group", "year"], ["n_pupils"], sums)


def _turnover(table: str, frame: pd.DataFrame, sums: Sums) -> None:
    """Members of a year are those that stayed of the year before, and those that came."""
    rows = list(frame.sort_values("year", kind="stable").index)
    for row in rows:
        sums.keep.add((table, row, "members"))
    for before, row in pairwise(rows):
        earlier, left = (table, before, "members"), (table, row, "left")
        if earlier in sums.counts and left in sums.counts:
            stayed = (table, row, "stayed")
            sums.counts[stayed] = sums.counts[earlier] - sums.counts[left]
            sums.add(earlier, [stayed, left])
            sums.add((table, row, "members"), [stayed, (table, row, "came")])


def _exposure(own: pd.DataFrame, linked: pd.DataFrame, sums: Sums) -> None:
    """Scores in schools that have joined are those with and without a teacher link, and those in schools that left."""
    keys = ["outcome", "event_time"]
    rows = {(outcome, time): row for row, outcome, time in linked[keys].itertuples()}
    for row, outcome, time in own[keys].itertuples():
        other = rows.get((outcome, time))
        if other is not None:
            parts = [("exposure_by_event_time", other, name) for name in ("n_linked", "n_unknown")]
            sums.add(("own_exposure", row, "n_pupils"), parts)


def _records(frame: pd.DataFrame, sums: Sums) -> None:
    for index in frame.index[frame["headline"].fillna(False).astype(bool)]:
        sums.keep |= {("records", index, column) for column in ("n_scores", "n_pupils", "n_treated")}
    alike = ["estimator", "outcome", "comparison", "estimand", "term", "event_time"]
    _subgroups("records", frame, alike, ["n_scores", "n_pupils", "n_treated"], sums)
    _parts(frame, sums)
    _of_both_sides(frame, sums)
    for _, model in _groups(frame, ["model"]):
        cells = model[model["estimand"] == "att_group_time"]
        for index in model.index[model["estimand"] == "att_event_time"]:
            parts = list(cells.index[(cells["event_time"] == model.at[index, "event_time"]).fillna(False)])
            if parts:
                sums.add(("records", index, "n_treated"), [("records", part, "n_treated") for part in parts])


def _parts(frame: pd.DataFrame, sums: Sums) -> None:
    """All treated pupils are those of the parts into which a model splits the member schools, and of unknown parts."""
    whole = frame[(frame["estimand"] == "att_third_year_on") & (frame["estimator"] == "did.att_gt")]
    for _, parts in _groups(frame[frame["estimand"] == "att_split"], ["model"]):
        first = parts.iloc[0]
        alike = (whole["outcome"] == first["outcome"]) & (whole["subgroup"] == first["subgroup"])
        for index in whole.index[alike]:
            sums.add(("records", index, "n_treated"), [("records", part, "n_treated") for part in parts.index])


def _of_both_sides(frame: pd.DataFrame, sums: Sums) -> None:
    """Pupils of both groups together less those of one: whom only participants (only their colleagues) taught."""
    differences = frame[frame["estimand"].isin([f"att_direct_less_indirect{ending}" for ending in ("", "_event_time")])]
    for index, model, estimand, term in differences[["model", "estimand", "term"]].itertuples():
        for side in ("direct", "indirect"):
            name = str(estimand).replace("direct_less_indirect", side, 1)
            alike = (frame["model"] == model) & (frame["estimand"] == name) & (frame["term"] == term)
            for row in frame.index[alike]:
                for column in ("n_scores", "n_pupils", "n_treated"):
                    # The sides are what readers need more than their difference.
                    sums.keep.add(("records", row, column))
                    sums.add(("records", index, column), [("records", row, column)])


def _subgroups(table: str, frame: pd.DataFrame, keys: list[str], columns: list[str], sums: Sums) -> None:
    """All pupils are the disadvantaged, the others, and those of whom it is not known."""
    for _, group in _groups(frame, keys):
        rows = {name: group.index[group["subgroup"] == name] for name in ("all", "disadvantaged", "not_disadvantaged")}
        for whole in rows["all"]:
            for first in rows["disadvantaged"]:
                for second in rows["not_disadvantaged"] if len(rows["not_disadvantaged"]) else [None]:
                    for column in columns:
                        parts = [(table, row, column) for row in (first, second) if row is not None]
                        sums.add((table, whole, column), parts)

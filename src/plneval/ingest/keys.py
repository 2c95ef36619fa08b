"""Keys: exact duplicates, conflicting ones, and pupil numbers that were given to two pupils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from plneval.ingest.records import Records
from plneval.ingest.tables import Table
from plneval.ingest.values import Mask

_BETWEEN = "\x1f"
"""Stands between a pupil number and what tells two pupils of that number apart; no raw identifier holds it."""


def settle_duplicates(records: Records, contract: Table, keep: Literal["first", "last"] | None = None) -> int:
    """Let every key stand once: exact duplicates are merged, conflicting ones rejected, or merged by ``keep``.

    Returns
    -------
    The number of records that were merged because of ``keep`` although their content differs.
    """
    living = np.flatnonzero(records.alive)
    if len(living) < len(records.frame):
        frame = records.frame.iloc[living].reset_index(drop=True)
    else:
        frame = records.frame
    repeated = np.flatnonzero(frame.duplicated(contract.key, keep=False).to_numpy(dtype=bool))
    if not len(repeated):
        return 0
    suspects = frame.iloc[repeated]
    exact = suspects.duplicated(keep="first").to_numpy(dtype=bool)
    records.merge(_mask(records, living[repeated[exact]]))
    suspects, places = suspects.loc[~exact], living[repeated[~exact]]
    if keep is not None:
        return records.merge(_mask(records, places[suspects.duplicated(contract.key, keep=keep).to_numpy(dtype=bool)]))
    conflicting = suspects.duplicated(contract.key, keep=False).to_numpy(dtype=bool)
    records.reject(_mask(records, places[conflicting]), contract.key[0], "conflicting_duplicate")
    return 0


def _mask(records: Records, positions: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Mask:
    mask = np.zeros(len(records.frame), dtype=bool)
    mask[positions] = True
    return mask


@dataclass(frozen=True)
class PupilIdentities:
    """Which person a pupil number means in a year.

    Attributes
    ----------
    table : pupil_id (the raw number), year, person; one row a number and year.
    recycled : numbers that were given to more than one pupil.
    """

    table: pd.DataFrame
    recycled: int

    def persons(self, number: pd.Series, year: pd.Series) -> tuple[pd.Series, Mask]:
        """The person behind each number and year, and which numbers the register does not have in that year.

        A missing number stays missing and is no stray one.
        """
        wanted = pd.DataFrame({"pupil_id": number.to_numpy(), "year": year.to_numpy()})
        found = wanted.merge(self.table, on=["pupil_id", "year"], how="left")["person"]
        found.index = number.index
        stray = (number.notna() & found.isna()).to_numpy(dtype=bool)
        # Rejected records keep their number: they are counted, never written.
        return found.where(~pd.Series(stray, index=number.index), number), stray


def tell_pupils_apart(records: Records, identity: Sequence[str]) -> PupilIdentities:
    """Tell pupils with one recycled number apart by the columns that a cohort declares.

    Of a number that is seen with more than one value of the identity columns, each value is a person of its own;
    records of such a number that lack a value are rejected by ``missing_key``, as nothing tells whose they are.

    Parameters
    ----------
    records : records of the pupils table, duplicates settled; their ``pupil_id`` becomes the person.
    identity : columns such as birth; none means that a number is a person.
    """
    frame = records.frame
    alive = pd.Series(records.alive, index=frame.index)
    person = frame["pupil_id"]
    recycled = 0
    if identity:
        marks = [
            frame[name].astype("object").where(frame[name].notna()).map(_as_text, na_action="ignore")
            for name in identity
        ]
        complete = pd.concat([mark.notna() for mark in marks], axis=1).all(axis=1)
        mark = marks[0].astype("str")
        for further in marks[1:]:
            mark = mark + _BETWEEN + further.astype("str")
        seen = pd.DataFrame({"pupil_id": person, "mark": mark})[alive & complete].drop_duplicates()
        several = seen["pupil_id"].value_counts()
        numbers = several.index[several > 1]
        recycled = len(numbers)
        shared = person.isin(numbers)
        for name, one in zip(identity, marks, strict=True):
            records.reject((shared & one.isna()).to_numpy(dtype=bool), name, "missing_key")
        person = person.where(~(shared & complete), person + _BETWEEN + mark)
    table = pd.DataFrame({"pupil_id": frame["pupil_id"], "year": frame["year"], "person": person})
    records.frame = frame.assign(pupil_id=person)
    return PupilIdentities(table[records.alive].reset_index(drop=True), recycled)


def _as_text(value: object) -> str:
    return str(value)

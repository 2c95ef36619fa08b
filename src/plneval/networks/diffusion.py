"""Diffusion: samples for the effects on participants' own pupils and on the pupils of their colleagues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from plneval.networks.exposure import taught_share
from plneval.networks.study_tables import StudyTables

Before = Literal["all_pupils", "later_participants"]
"""Who stands for a member school's pupils before it joined: all of them, or (for the effect on participants' pupils)
those taught by teachers who take part later, and the others for the other pupils."""
GROUPS = ("comparison", "before", "before_direct", "before_indirect", "direct", "indirect", "unknown")
CELLS = {
    "outcome": "str",
    "school": "Int64",
    "cluster": "Int64",
    "arm": "str",
    "entry_year": "Int64",
    "year": "Int64",
    "event_time": "Int64",
    "member": "Int64",
    "group": "str",
    "n": "Int64",
    "mean": "float64",
    "sum": "float64",
    "sum_squares": "float64",
}


@dataclass(frozen=True)
class Contrast:
    """One comparison that says something about diffusion."""

    name: str
    label: str
    groups: tuple[str, ...]
    """Groups of pupils after joining that are in it."""
    comparison: bool
    """Whether comparison schools and the time before joining are in it."""
    assumptions: tuple[str, ...]


_PARALLEL = (
    "Without the network, results of these pupils would have moved as those of pupils in comparison schools did "
    "(parallel trends)."
)
_NO_SPILL = "Comparison schools learn nothing from member schools (see the distances and other memberships)."
_NO_SORTING = (
    "Joining does not change which pupils are taught by which teachers: pupils are not moved to or from participants' "
    "classes for reasons that bear on their results."
)
_SAME_TEACHERS = (
    "Participants are not teachers whose pupils would have come to gain more in any case. Where all pupils of a school "
    "stand for the time before it joined, a lasting difference between participants and colleagues counts as effect; "
    "where pupils of later participants stand for it, it does not."
)
_NO_BACKFLOW = "Colleagues' pupils are not harmed or helped by participants' absence for network meetings."
CONTRASTS = {
    contrast.name: contrast
    for contrast in (
        Contrast(
            "direct",
            "Effect on pupils taught by participants",
            ("direct",),
            True,
            (_PARALLEL, _NO_SPILL, _NO_SORTING, _SAME_TEACHERS),
        ),
        Contrast(
            "indirect",
            "Effect on other pupils of member schools",
            ("indirect",),
            True,
            (_PARALLEL, _NO_SPILL, _NO_SORTING, _SAME_TEACHERS, _NO_BACKFLOW),
        ),
        Contrast(
            "both",
            "Direct and indirect effect side by side, and their difference",
            ("direct", "indirect"),
            True,
            (_PARALLEL, _NO_SPILL, _NO_SORTING, _SAME_TEACHERS, _NO_BACKFLOW),
        ),
        Contrast(
            "within",
            "Pupils taught by participants against other pupils of the same school and year",
            ("direct", "indirect"),
            False,
            (
                "Within a school and year, pupils of participants would have done as well as other pupils had their "
                "teachers not taken part.",
                _NO_SORTING,
                "It is the difference of the direct and the indirect effect: where colleagues learn from participants "
                "it is smaller than the direct effect.",
            ),
        ),
    )
}
"""What each contrast compares and what must hold for it to be an effect, in words for reports."""


def exposure_groups(panel: pd.DataFrame, tables: StudyTables | None = None, before: Before = "all_pupils") -> pd.Series:
    """Group of every score of the pupil panel: one of ``GROUPS``.

    'comparison' are pupils of schools that never join; 'before' those of member schools before joining (with
    ``later_participants`` 'before_direct' where a teacher who takes part at any time taught them, else
    'before_indirect', or 'unknown' without a teacher link); after joining the panel's exposure.

    Parameters
    ----------
    panel
        Pupil panel of prepare.
    tables
        Needed for ``later_participants``.

    Raises
    ------
    ValueError
        If ``later_participants`` comes without tables.
    """
    joined = panel["treated"] == 1
    group = panel["exposure"].where(joined, "before").mask(panel["arm"] == "comparison", "comparison").astype("str")
    if before == "all_pupils":
        return group
    if tables is None:
        raise ValueError("later_participants needs the study's tables")
    shares = taught_share(tables, "any_time")
    rows = panel[["pupil", "year", "outcome"]].merge(shares, on=["pupil", "year", "outcome"], how="left")
    share = rows["share_direct"].to_numpy()
    split = np.select([np.isnan(share), share > 0], ["unknown", "before_direct"], "before_indirect")
    return group.mask(group == "before", pd.Series(split, index=panel.index)).astype("str")


def contrast_rows(panel: pd.DataFrame, group: pd.Series, contrast: str) -> pd.DataFrame:
    """Rows of the pupil panel that are in a contrast, with their ``group``; unknown exposure is left out.

    With comparison schools the rows hold the time before joining, so that a difference-in-differences can be formed
    of them: the group that stands before 'direct' is 'before' or 'before_direct', and so for 'indirect'; with both
    side by side all pupils before joining are in it. ``within`` holds the years from joining on only.

    Raises
    ------
    ValueError
        If the contrast is unknown.
    """
    if contrast not in CONTRASTS:
        raise ValueError(f"no contrast '{contrast}'; there are {', '.join(CONTRASTS)}")
    wanted = set(CONTRASTS[contrast].groups)
    if CONTRASTS[contrast].comparison:
        wanted |= {"comparison", "before"} | {f"before_{name}" for name in CONTRASTS[contrast].groups}
    rows = panel.assign(group=group)
    kept: pd.DataFrame = rows.loc[group.isin(sorted(wanted))].reset_index(drop=True)
    return kept


def exposure_cells(panel: pd.DataFrame, group: pd.Series, column: str = "z") -> pd.DataFrame:
    """The panel collapsed to outcome × school × year × group: what a group-by estimator needs.

    Parameters
    ----------
    panel
        Pupil panel of prepare, or rows of it.
    group
        Result of :func:`exposure_groups` for these rows.
    column
        What is averaged; rows without it are left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``CELLS``: n scores, their mean, sum and sum of squares; sorted by outcome, school, year, group.
    """
    rows = panel.assign(group=group).dropna(subset=[column])
    keys = ["outcome", "school", "year", "group"]
    rows = rows.assign(value=rows[column].astype(float), square=rows[column].astype(float) ** 2)
    by = rows.groupby(keys, sort=True)
    table = by[["cluster", "arm", "entry_year", "event_time", "member"]].first()
    table = table.assign(n=by.size(), sum=by["value"].sum(), sum_squares=by["square"].sum())
    table["mean"] = table["sum"] / table["n"]
    return table.reset_index()[list(CELLS)].astype(CELLS)


def assumptions_table() -> pd.DataFrame:
    """Every contrast with what it assumes, in words: contrast, label, number, assumption."""
    rows = [
        (contrast.name, contrast.label, number, text)
        for contrast in CONTRASTS.values()
        for number, text in enumerate(contrast.assumptions, start=1)
    ]
    return pd.DataFrame(rows, columns=["contrast", "label", "number", "assumption"])

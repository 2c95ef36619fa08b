"""How far schools and pupils meet a network: intensity, share of teaching by participants, years of own exposure."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from plneval.networks.registry import school_network_years, teacher_network_years
from plneval.networks.study_tables import StudyTables
from plneval.prepare.exposure import participants, pupil_exposure

Participation = Literal["since_joining", "current", "any_time"]
"""Which teachers count as participants in a year. ``since_joining``: from the first year of participation on, also
after leaving (intention to treat, as in the panel); ``current``: in the years of a membership only; ``any_time``:
whoever takes part by the end of the study, also in the years before."""

INTENSITY = {
    "school": "Int64",
    "year": "Int64",
    "participants": "Int64",
    "n_teachers": "Int64",
    "intensity": "float64",
    "source": "str",
    "not_on_staff": "Int64",
}
SHARE_TOLERANCE = 1e-6
"""Shares written with few decimals may miss 1 by rounding."""


def intensity(tables: StudyTables) -> pd.DataFrame:
    """Share of a school's teachers who take part, for every school-year of membership.

    Teachers are counted in the staff register of the year (``source`` 'staff register'), else taken from
    ``school_years.n_teachers`` ('school years'), else unknown ('none'). With a register, only participants who stand in
    it at that school and year are counted; ``not_on_staff`` are the others. A share above 1 is missing: the number of
    teachers cannot be right. Participants and intensity are missing where the school has named no participant by then:
    who took part is not known, it is not nobody.
    """
    years = school_network_years(tables)[["school", "year"]].drop_duplicates().sort_values(["school", "year"])
    people = teacher_network_years(tables)[["school", "year", "teacher"]].drop_duplicates()
    staff = tables.teachers[["school", "year", "teacher"]].dropna().drop_duplicates().astype("int64")
    on_staff = people.merge(staff.assign(here=True), on=["school", "year", "teacher"], how="left")["here"].notna()
    keys = ["school", "year"]
    index = pd.MultiIndex.from_frame(years)
    registered = staff.groupby(keys).size().reindex(index)
    declared = tables.school_years.groupby(keys)["n_teachers"].first().reindex(index).astype("float64")
    from_register = registered.notna()
    everybody = people.groupby(keys).size().reindex(index).fillna(0)
    present = people.loc[on_staff.to_numpy()].groupby(keys).size().reindex(index).fillna(0)
    named_from = tables.teacher_spells.groupby("school")["entry"].min()
    named = (years["school"].map(named_from) <= years["year"]).fillna(False).to_numpy(dtype=bool)
    count = present.astype("float64").where(from_register, everybody.astype("float64")).where(named)
    teachers = registered.astype("float64").where(from_register, declared.where(declared > 0))
    share = count / teachers
    source = np.select([from_register, teachers.notna()], ["staff register", "school years"], "none")
    table = pd.DataFrame(
        {
            "participants": count,
            "n_teachers": teachers.round(),
            "intensity": share.where(share <= 1 + SHARE_TOLERANCE),
            "source": source,
            "not_on_staff": (everybody - count).where(from_register, 0),
        },
        index=index,
    )
    return table.reset_index()[list(INTENSITY)].astype(INTENSITY)


def lessons(tables: StudyTables) -> pd.DataFrame:
    """The teaching table with shares that can be summed: pupil, year, subject, teacher, share, over_one.

    # ASSUME: lessons without a share have in equal parts what the shares of the same pupil, year and subject leave of
    1; and where shares sum to more than 1, each is too large by the same factor (``over_one`` marks these).
    """
    rows = tables.teaching[["pupil", "year", "subject", "teacher", "share"]].reset_index(drop=True)
    keys = [rows["pupil"], rows["year"], rows["subject"]]
    missing = rows["share"].isna()
    if missing.any():
        known = rows["share"].fillna(0.0).groupby(keys).transform("sum")
        rows["share"] = rows["share"].fillna((1 - known).clip(lower=0) / missing.groupby(keys).transform("sum"))
    total = rows["share"].groupby(keys).transform("sum")
    rows["over_one"] = total > 1 + SHARE_TOLERANCE
    rows["share"] = rows["share"] / total.where(rows["over_one"], 1.0)
    return rows


def taught_share(tables: StudyTables, participation: Participation = "since_joining") -> pd.DataFrame:
    """Share of each pupil's teaching in a subject and year that participants gave.

    Returns
    -------
    pandas.DataFrame
        pupil, year, outcome (the subject), share_direct (part of the recorded teaching, 0 to 1), share_recorded (sum of
        the shares, at most 1), n_teachers. Pupils, years and subjects without recorded teaching have no row.
    """
    rows = lessons(tables)
    rows = rows.loc[rows["share"] > 0].reset_index(drop=True)
    rows["direct"] = rows["share"].where(_by_participant(tables, rows, participation), 0.0)
    # One key in place of three columns: grouping a quarter of a million lessons by words takes seconds.
    words, code = np.unique(rows["subject"].to_numpy(dtype=object).astype(str), return_inverse=True)
    key = rows["pupil"].to_numpy("int64") * 10_000 + rows["year"].to_numpy("int64")
    place, first, inverse = np.unique(key * max(len(words), 1) + code, return_index=True, return_inverse=True)
    recorded = np.bincount(inverse, rows["share"].to_numpy(float), minlength=len(place))
    direct = np.bincount(inverse, rows["direct"].to_numpy(float), minlength=len(place))
    found = rows.take(first)
    return pd.DataFrame(
        {
            "pupil": found["pupil"].to_numpy(),
            "year": found["year"].to_numpy(),
            "outcome": found["subject"].to_numpy(),
            "share_direct": direct / recorded,
            "share_recorded": np.minimum(recorded, 1.0),
            "n_teachers": np.bincount(inverse, minlength=len(place)),
        }
    ).astype({"pupil": "Int64", "year": "Int64", "outcome": "str"})


def _by_participant(tables: StudyTables, rows: pd.DataFrame, participation: Participation) -> pd.Series:
    """Whether each lesson's teacher was a participant in its year."""
    named = tables.teacher_spells.rename(columns={"teacher": "teacher_id"})
    if participation != "current":
        since = participants(named).set_index("teacher_id")["participates_from"]
        latest = rows["year"] if participation == "since_joining" else tables.calendar.last_year
        return (rows["teacher"].map(since) <= latest).fillna(False).astype(bool)
    inside = teacher_network_years(tables)[["teacher", "year"]].drop_duplicates()
    member = pd.MultiIndex.from_frame(inside)
    return pd.Series(pd.MultiIndex.from_frame(rows[["teacher", "year"]]).isin(member), index=rows.index)


def pupil_years(
    tables: StudyTables, participation: Literal["since_joining", "current"] = "since_joining"
) -> pd.DataFrame:
    """Exposure of every registered pupil in every year and outcome, and the years of it so far.

    The years are the pupil's own: they go with the pupil from school to school and from phase to phase, and they count
    years without tests. They are not the school's years of membership.

    Returns
    -------
    pandas.DataFrame
        pupil, year, school (attended that year), outcome, exposure ('direct', 'indirect', 'none', 'unknown'; as in the
        panel with ``since_joining``), share_direct (missing where exposure is 'none' or 'unknown'), years_direct,
        years_indirect, years_unknown (this year included), years_exposed (their sum); sorted by outcome, pupil, year.
    """
    roll = tables.pupils[["pupil", "year", "school"]].sort_values(["pupil", "year"], ignore_index=True)
    entry = tables.schools.set_index("school")["entry_year"]
    roll["treated"] = (roll["year"] >= roll["school"].map(entry)).fillna(False).astype("int64")
    shares = taught_share(tables, participation)
    parts = [_exposed(tables, roll.assign(outcome=name), shares, participation) for name in tables.cohort.outcomes]
    table = pd.concat(parts, ignore_index=True)
    table["outcome"] = table["outcome"].astype("str")
    by_pupil = [table["outcome"], table["pupil"]]
    for kind in ("direct", "indirect", "unknown"):
        table[f"years_{kind}"] = (table["exposure"] == kind).astype("int64").groupby(by_pupil).cumsum()
    table["years_exposed"] = table["years_direct"] + table["years_indirect"] + table["years_unknown"]
    return table.drop(columns="treated").sort_values(["outcome", "pupil", "year"], ignore_index=True)


def _exposed(
    tables: StudyTables, rows: pd.DataFrame, shares: pd.DataFrame, participation: Participation
) -> pd.DataFrame:
    named = tables.spells.rename(columns={"teacher": "teacher_id"})
    teaching = tables.teaching.rename(columns={"teacher": "teacher_id"})
    rows = rows.merge(shares, on=["pupil", "year", "outcome"], how="left", validate="many_to_one")
    exposure = pupil_exposure(rows, teaching, named)
    if participation == "current":
        inside = pd.MultiIndex.from_frame(school_network_years(tables)[["school", "year"]])
        member = pd.MultiIndex.from_frame(rows[["school", "year"]]).isin(inside)
        exposure = exposure.mask((exposure == "direct") & ~(rows["share_direct"] > 0), "indirect").mask(~member, "none")
    exposed = exposure.isin(["direct", "indirect"])
    kept = ["pupil", "year", "school", "outcome", "treated"]
    return rows[kept].assign(exposure=exposure, share_direct=rows["share_direct"].where(exposed))


def exposure_by_event_time(panel: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """How pupils of schools that are members meet the network, by outcome and event time.

    Parameters
    ----------
    panel
        Pupil panel of prepare.
    shares
        Result of :func:`taught_share`.

    Returns
    -------
    pandas.DataFrame
        outcome, event_time, n_schools, n_pupils (with a score, in schools that are members in the year), n_unknown (of
        these, without a teacher link), direct_share (taught by a participant, of those with a link), mean_share (mean
        share of their teaching given by participants).
    """
    rows = panel.loc[(panel["treated"] == 1) & (panel["member"] == 1)]
    rows = rows.merge(shares, on=["pupil", "year", "outcome"], how="left", validate="many_to_one")
    known = rows["exposure"] != "unknown"
    rows = rows.assign(
        unknown=~known,
        direct=(rows["exposure"] == "direct").astype(float).where(known),
        share=rows["share_direct"].where(known),
    )
    by = rows.groupby(["outcome", "event_time"])
    table = pd.DataFrame(
        {
            "n_schools": by["school"].nunique(),
            "n_pupils": by.size(),
            "n_unknown": by["unknown"].sum(),
            "direct_share": by["direct"].mean(),
            "mean_share": by["share"].mean(),
        }
    )
    return table.reset_index()


def separability(tables: StudyTables, panel: pd.DataFrame) -> pd.DataFrame:
    """Whether effects on participants' own pupils and on their colleagues' can be told apart, for each outcome.

    Parameters
    ----------
    panel
        Pupil panel of prepare; empty for school-level studies.

    Returns
    -------
    pandas.DataFrame
        outcome, separable (bool), reason ('linked', 'partly_linked', 'school_level', 'no_teaching', 'not_taught',
        'no_participants', 'one_group'), n_pupils (scores in schools that have joined; missing at school level),
        n_direct, n_indirect, n_unknown, statement (a sentence for reports).
    """
    taught = {str(word) for word in tables.teaching["subject"].dropna()}
    rows = []
    for name, outcome in tables.cohort.outcomes.items():
        own = panel.loc[(panel["outcome"] == name) & (panel["treated"] == 1), "exposure"]
        counts = {kind: int((own == kind).sum()) for kind in ("direct", "indirect", "unknown")}
        reason = _why_not(tables, name, taught, counts)
        total: int | None = len(own)
        if reason == "school_level":
            total = None
        told_apart = reason in ("linked", "partly_linked")
        text = _separability_sentence(outcome.label, reason)
        rows.append(
            (name, told_apart, reason, total, *(v if total is not None else None for v in counts.values()), text)
        )
    columns = ["outcome", "separable", "reason", "n_pupils", "n_direct", "n_indirect", "n_unknown", "statement"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"outcome": "str", "separable": "bool", "reason": "str", "statement": "str"}
    return table.astype({**kinds, **dict.fromkeys(["n_pupils", "n_direct", "n_indirect", "n_unknown"], "Int64")})


def _why_not(tables: StudyTables, name: str, taught: set[str], counts: dict[str, int]) -> str:
    if tables.cohort.study.level != "pupil":
        return "school_level"
    if tables.teaching.empty:
        return "no_teaching"
    if tables.teacher_spells.empty:
        return "no_participants"
    if name not in taught:
        return "not_taught"
    if not counts["direct"] or not counts["indirect"]:
        return "one_group"
    return "partly_linked" if counts["unknown"] else "linked"


def _separability_sentence(label: str, reason: str) -> str:
    cannot = (
        f"{label}: effects on pupils of participating teachers and on pupils of their colleagues cannot be told apart"
    )
    return {
        "school_level": f"{cannot}, because outcomes are known of schools only.",
        "no_teaching": f"{cannot}, because no data say which teacher taught which pupil.",
        "no_participants": f"{cannot}, because no data say which teachers took part.",
        "not_taught": f"{cannot}, because the teaching data hold no subject of that name.",
        "one_group": f"{cannot}, because one of the two groups holds no pupil.",
        "partly_linked": f"{label}: scores without a teacher link are left out where direct and indirect effects are "
        f"told apart.",
        "linked": f"{label}: every score in schools that joined has a teacher link.",
    }[reason]

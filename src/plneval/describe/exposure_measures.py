"""Measures of exposure and dose: who met a network, how far, for how long; and how near comparison schools are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd

from plneval.networks.attendance import school_dose
from plneval.networks.contamination import contamination as by_year
from plneval.networks.contamination import member_distances
from plneval.networks.dose import dose_bands
from plneval.networks.dose import dose_by_event_time as by_band
from plneval.networks.exposure import exposure_by_event_time as by_event_time
from plneval.networks.exposure import intensity, pupil_years, taught_share
from plneval.networks.exposure import separability as told_apart
from plneval.networks.study import NetworkStudy

EXPOSURE: Final = {
    "outcome": "str",
    "event_time": "Int64",
    "n_schools": "Int64",
    "n_linked": "Int64",
    "n_unknown": "Int64",
    "direct_share": "float64",
    "mean_share": "float64",
}
OWN_YEARS: Final = {
    "outcome": "str",
    "event_time": "Int64",
    "n_schools": "Int64",
    "n_pupils": "Int64",
    "mean_years": "float64",
    "mean_years_direct": "float64",
    "share_fewer": "float64",
    "share_more": "float64",
}
PHASES: Final = {
    "outcome": "str",
    "origin": "str",
    "destination": "str",
    "n_schools": "Int64",
    "n_pupils": "Int64",
    "mean_years_before": "float64",
    "mean_direct_before": "float64",
}
INTENSITY: Final = {
    "event_time": "Int64",
    "n_schools": "Int64",
    "n_known": "Int64",
    "mean_participants": "float64",
    "mean_teachers": "float64",
    "mean_intensity": "float64",
    "sd_intensity": "float64",
}
ATTENDANCE: Final = {
    "event_time": "Int64",
    "n_schools": "Int64",
    "n_recorded": "Int64",
    "mean_events": "float64",
    "mean_share_attended": "float64",
    "mean_teachers": "float64",
    "mean_hours": "float64",
    "mean_hours_per_teacher": "float64",
}
BANDS: Final = {
    "event_time": "Int64",
    "band": "str",
    "n_schools": "Int64",
    "mean_dose": "float64",
    "above": "float64",
    "up_to": "float64",
}
CONTAMINATION: Final = {
    "year": "Int64",
    "n_comparison": "Int64",
    "n_located": "Int64",
    "quartile_km": "float64",
    "median_km": "float64",
    "radius_km": "float64",
    "n_near": "Int64",
    "n_joins_after_study": "Int64",
    "other_networks": "str",
    "n_other": "Int64",
    "n_been_other": "Int64",
    "n_members": "Int64",
    "n_members_other": "Int64",
    "n_members_been_other": "Int64",
}


def exposure_by_event_time(study: NetworkStudy) -> pd.DataFrame:
    """Pupils of member schools by who taught them, for each outcome and event time.

    Columns: n_schools; n_linked, n_unknown (scores with and without a teacher link); direct_share (of those with a
    link: taught by a participant); mean_share (mean share of their teaching that participants gave).
    """
    if study.pupil.empty or study.tables.teaching.empty:
        return _typed(pd.DataFrame(), EXPOSURE)
    table = by_event_time(study.pupil, taught_share(study.tables))
    return _typed(table.assign(n_linked=table["n_pupils"] - table["n_unknown"]), EXPOSURE)


def exposure_separability(study: NetworkStudy) -> pd.DataFrame:
    """For each outcome, whether direct and indirect effects can be told apart, and the sentence that says so."""
    found = told_apart(study.tables, study.pupil)
    return found[["outcome", "separable", "reason", "statement"]]


def own_exposure(study: NetworkStudy) -> pd.DataFrame:
    """Years of pupils' own exposure beside their school's, for scores in schools that have joined.

    Columns: outcome, event_time, n_schools, n_pupils, mean_years (in which the pupil's school had joined, this one
    included, whatever school it was), mean_years_direct (taught by a participant), share_fewer and share_more (pupils
    with fewer, or more, years than their school has had: event time + 1).
    """
    if study.pupil.empty:
        return _typed(pd.DataFrame(), OWN_YEARS)
    scores = study.pupil.loc[study.pupil["treated"] == 1, ["outcome", "event_time", "school", "pupil", "year"]]
    own = _pupil_years(study)[["outcome", "pupil", "year", "years_exposed", "years_direct"]]
    rows = scores.merge(own, on=["outcome", "pupil", "year"], how="inner", validate="one_to_one")
    school_years = rows["event_time"] + 1
    rows = rows.assign(fewer=rows["years_exposed"] < school_years, more=rows["years_exposed"] > school_years)
    by = rows.groupby(["outcome", "event_time"])
    table = pd.DataFrame(
        {
            "n_schools": by["school"].nunique(),
            "n_pupils": by.size(),
            "mean_years": by["years_exposed"].mean(),
            "mean_years_direct": by["years_direct"].mean(),
            "share_fewer": by["fewer"].mean(),
            "share_more": by["more"].mean(),
        }
    )
    return _typed(table.reset_index(), OWN_YEARS)


def phase_changes(study: NetworkStudy) -> pd.DataFrame:
    """Pupils who change from a school of one phase to one of another, and the exposure that they bring.

    Columns: outcome, origin and destination ('joined' or 'not_joined': the old school in the last year there, the new
    one in the first), n_schools (new schools), n_pupils, mean_years_before, mean_direct_before (years of exposure, and
    of direct exposure, up to the change). Years of exposure go with the pupil; no rows where all schools that pupils
    change between are of one phase, or phases are not known.
    """
    if study.pupil.empty:
        return _typed(pd.DataFrame(), PHASES)
    rows = _pupil_years(study).sort_values(["outcome", "pupil", "year"], kind="stable")
    register = study.schools.set_index("school")
    rows["phase"] = rows["school"].map(register["phase"])
    entry = rows["school"].map(register["entry_year"]).astype("Int64")
    rows["joined"] = (rows["year"] >= entry).fillna(False).astype(bool).to_numpy()
    by = rows.groupby(["outcome", "pupil"], sort=False)
    before = by[["phase", "joined", "years_exposed", "years_direct"]].shift()
    known = before["phase"].notna() & rows["phase"].notna()
    changed = known & (before["phase"] != rows["phase"])
    words = {True: "joined", False: "not_joined"}
    found = pd.DataFrame(
        {
            "outcome": rows.loc[changed, "outcome"],
            "origin": before.loc[changed, "joined"].map(lambda one: words[bool(one)]),
            "destination": rows.loc[changed, "joined"].map(lambda one: words[bool(one)]),
            "school": rows.loc[changed, "school"],
            "years": before.loc[changed, "years_exposed"].astype("float64"),
            "direct": before.loc[changed, "years_direct"].astype("float64"),
        }
    )
    groups = found.groupby(["outcome", "origin", "destination"])
    table = pd.DataFrame(
        {
            "n_schools": groups["school"].nunique(),
            "n_pupils": groups.size(),
            "mean_years_before": groups["years"].mean(),
            "mean_direct_before": groups["direct"].mean(),
        }
    )
    return _typed(table.reset_index(), PHASES)


def teacher_intensity(study: NetworkStudy) -> pd.DataFrame:
    """Share of a school's teachers who take part, over member schools, by event time.

    Columns: event_time, n_schools, n_known (schools that named participants and whose number of teachers is known),
    mean_participants, mean_teachers, mean_intensity, sd_intensity (over those schools).
    """
    rows = _with_event_time(study, intensity(study.tables))
    known = rows.loc[rows["intensity"].notna()]
    by, of_known = rows.groupby("event_time"), known.groupby("event_time")
    table = pd.DataFrame(
        {
            "n_schools": by["school"].nunique(),
            "n_known": of_known["school"].nunique(),
            "mean_participants": of_known["participants"].mean(),
            "mean_teachers": of_known["n_teachers"].mean(),
            "mean_intensity": of_known["intensity"].mean(),
            "sd_intensity": of_known["intensity"].std(),
        }
    ).reset_index()
    return _typed(table.fillna({"n_known": 0}), INTENSITY)


def network_attendance(study: NetworkStudy) -> pd.DataFrame:
    """Meetings that member schools attended, by event time.

    Columns: event_time, n_schools (members), n_recorded (with a record of their network's meetings that year), and
    means over the recorded ones: meetings attended, share of their networks' meetings, teachers who came, hours of all
    of them together, hours of each.
    """
    dose = school_dose(study.tables)
    rows = dose.loc[(dose["member"] == 1) & (dose["event_time"] >= 0).fillna(False)]
    rows = rows.loc[rows["school"].isin(_analysed_members(study))]
    recorded = rows.loc[rows["recorded"]]
    by, of_recorded = rows.groupby("event_time"), recorded.groupby("event_time")
    means = {
        "mean_events": "events",
        "mean_share_attended": "share_attended",
        "mean_teachers": "teachers",
        "mean_hours": "hours",
        "mean_hours_per_teacher": "hours_per_teacher",
    }
    table = pd.DataFrame(
        {
            "n_schools": by["school"].nunique(),
            "n_recorded": of_recorded["school"].nunique(),
            **{name: of_recorded[column].mean() for name, column in means.items()},
        }
    ).reset_index()
    return _typed(table.fillna({"n_recorded": 0}), ATTENDANCE)


def dose_by_event_time(study: NetworkStudy) -> pd.DataFrame:
    """Member schools by event time and band of dose: mean hours at meetings of the teachers who came.

    Columns: event_time, band, n_schools, mean_dose, above and up_to (limits of the band, in hours: terciles of doses
    above zero). Bands describe: schools chose how much they took part.
    """
    dose = school_dose(study.tables)
    bands = dose_bands(dose)
    member = dose.loc[(dose["member"] == 1) & dose["school"].isin(_analysed_members(study)), ["school", "year"]]
    bands = bands.merge(member, on=["school", "year"], how="inner")
    if bands.empty or not dose["recorded"].any():
        return _typed(pd.DataFrame(), BANDS)
    limits = bands.groupby("band")[["lower", "upper"]].first().rename(columns={"lower": "above", "upper": "up_to"})
    return _typed(by_band(bands).merge(limits.reset_index(), on="band", how="left"), BANDS)


def contamination(study: NetworkStudy) -> pd.DataFrame:
    """Comparison schools by study year and how near schools that have joined are.

    Columns: year, n_comparison, n_located (with a distance), quartile_km and median_km (lower quartile and median of
    the distance to the nearest school that has joined), radius_km (declared), n_near, n_joins_after_study,
    other_networks (as declared); n_other and n_been_other (comparison schools in a network outside the programme in
    that year, and in that or an earlier one), n_members (schools that have joined by then), n_members_other and
    n_members_been_other (the same of these; all missing without data on other networks).
    """
    table = by_year(study.tables)
    distances = member_distances(study.tables)
    quartile = distances.groupby("year")["nearest_joined_km"].quantile(0.25)
    return _typed(table.assign(quartile_km=table["year"].map(quartile)), CONTAMINATION)


def _pupil_years(study: NetworkStudy) -> pd.DataFrame:
    return pupil_years(study.tables)


def _analysed_members(study: NetworkStudy) -> pd.Series:
    """Numbers of the analysed schools that joined: the schools of the results."""
    schools = study.schools
    return schools.loc[(schools["arm"] == "member") & (schools["status"] == "analysed"), "school"]


def _with_event_time(study: NetworkStudy, rows: pd.DataFrame) -> pd.DataFrame:
    """School-years of analysed members from joining on, with their event time."""
    rows = rows.loc[rows["school"].isin(_analysed_members(study))]
    entry = rows["school"].map(study.schools.set_index("school")["entry_year"]).astype("Int64")
    rows = rows.assign(event_time=rows["year"].astype("Int64") - entry)
    kept: pd.DataFrame = rows.loc[(rows["event_time"] >= 0).fillna(False).astype(bool)]
    return kept


def _typed(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The table with these columns and types, also where it has no rows."""
    if table.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return table[list(columns)].astype(columns)


OF_EXPOSURE: Final[dict[str, Callable[[NetworkStudy], pd.DataFrame]]] = {
    "exposure_by_event_time": exposure_by_event_time,
    "exposure_separability": exposure_separability,
    "own_exposure": own_exposure,
    "phase_changes": phase_changes,
    "teacher_intensity": teacher_intensity,
    "network_attendance": network_attendance,
    "dose_by_event_time": dose_by_event_time,
    "contamination": contamination,
}
"""Measure → function."""

"""Columns of the analysis panels: named here, so that configuration can be checked before the panels are made."""

from __future__ import annotations

from typing import Final, Literal

SCHOOL_COLUMNS: Final = {
    "school": "number of the school (from 1, in the order of the schools table)",
    "area": "area of the school",
    "phase": "phase of the school",
    "cluster": "number of the unit of inference; does not change over time",
    "network": "number of the school's first network; missing for schools that never join",
    "network_type": "type of that network",
    "arm": "'member' for schools that join within the study, 'comparison' for those that never do",
    "entry_year": "first year of membership, missing for comparison schools",
    "exit_year": "first year after the last membership, missing when there is none",
}
YEAR_COLUMNS: Final = {
    "year": "study year (the calendar year in which the school year ends)",
    "time": "years since the first study year",
    "event_time": "year minus entry_year, missing for comparison schools",
    "exposure_time": "event_time from entry on, 0 before and for comparison schools: years of participation completed "
    "before the year",
    "ever_member": "1 for schools that join within the study, 0 for those that never do",
    "treated": "1 from entry on, also after leaving (intention to treat), otherwise 0",
    "treated_year_1": "1 in the entry year",
    "treated_year_2": "1 in the year after",
    "treated_year_3": "1 from the third year on",
    "member": "1 while the school is a member",
    "deprivation": "deprivation of the school in that year",
    "enrolment": "pupils of the school in that year",
    "n_teachers": "teachers of the school in that year",
}
PUPIL_COLUMNS: Final = {
    "pupil": "number of the pupil (from 1, in the order of the pupils table)",
    "grade": "grade (year group)",
    "disadvantaged": "1 for disadvantaged pupils, 0 for others",
    "gender": "gender as recorded",
    "exposure": "'direct' (taught by a participant that year), 'indirect', 'none', 'unknown'",
    "mover": "1 for pupils who are seen in more than one school",
}
OUTCOME_COLUMNS: Final = {
    "outcome": "name of the outcome",
    "score": "raw score; at school level the mean",
    "z": "standardised score (see the outcome's `standardise`); at school level the mean of pupils' z or the school's",
    "z_fixed": "score on one scale for all years: centred on, and divided by the SD of, never- and not-yet-treated "
    "pupils (schools) of the first outcome year, pooled within grade",
}
CELL_COLUMNS: Final = {
    "n": "pupils behind the school-year (school-level data without counts: missing)",
    "sd": "standard deviation of pupils' raw scores within the school-year, missing when unknown",
}
PUPIL_PANEL: Final = {**SCHOOL_COLUMNS, **YEAR_COLUMNS, **PUPIL_COLUMNS, **OUTCOME_COLUMNS}
"""One row for each pupil, year and outcome."""
SCHOOL_PANEL: Final = {**SCHOOL_COLUMNS, **YEAR_COLUMNS, **OUTCOME_COLUMNS, **CELL_COLUMNS}
"""One row for each school, year, outcome and subgroup."""
DERIVED_COLUMNS: Final = {
    "comparison_arm": "1 for schools that never join, 0 for those that join: 1 less ever_member",
}
"""Columns that follow from the panel's and are made where a multilevel model names them."""


def multilevel_columns(level: Literal["pupil", "school"]) -> frozenset[str]:
    """Columns that a multilevel model of pupil-years or school-years may name."""
    panel = PUPIL_PANEL if level == "pupil" else SCHOOL_PANEL
    return frozenset({*panel, *DERIVED_COLUMNS})

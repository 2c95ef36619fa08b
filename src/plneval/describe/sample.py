"""What the measures are made from: the panels of prepare and the canonical tables behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import read_json, read_table
from plneval.config.cohort import Cohort
from plneval.prepare.numbering import numbered, numbering
from plneval.prepare.scores import grade_words, school_of_pupils

ARMS = ("member", "comparison")


@dataclass(frozen=True)
class Sample:
    """One cohort's analysed sample.

    Attributes
    ----------
    pupil, school : the panels; ``pupil`` is empty for school-level studies.
    schools : the register of schools with status.
    standardisers : pupils' SDs by outcome, subgroup and column.
    notes : counts that prepare left.
    register : pupils of the register by year: pupil, year, school (by the rule for movers), attended (the school of
        that year), grade, disadvantaged.
    school_years : covariates of schools by year: school, year, enrolment, n_teachers, deprivation.
    memberships : numbered memberships.
    """

    cohort: Cohort
    pupil: pd.DataFrame
    school: pd.DataFrame
    schools: pd.DataFrame
    standardisers: pd.DataFrame
    notes: dict[str, Any]
    register: pd.DataFrame
    school_years: pd.DataFrame
    memberships: pd.DataFrame

    @property
    def pupil_level(self) -> bool:
        return self.cohort.study.level == "pupil"

    @property
    def analysed(self) -> pd.DataFrame:
        """The schools that are analysed."""
        return self.schools.loc[self.schools["status"] == "analysed"]

    def arm_of(self, schools: pd.Series) -> pd.Series:
        """Arm of each analysed school, missing for schools that are not analysed."""
        arms: pd.Series = schools.map(self.analysed.set_index("school")["arm"])
        return arms

    def modelled(self, outcome: str) -> str:
        """Column of the panels that is modelled: z, or the raw score of outcomes that are not standardised."""
        return "score" if self.cohort.outcomes[outcome].standardise == "none" else "z"

    def has_pupil_sd(self, outcome: str) -> bool:
        """Whether the outcome's SD is that of pupils (False: only the spread of schools is known)."""
        return bool(self.notes["standardised_by"][outcome] == "pupil")

    def cells(self, outcome: str, subgroup: str = "all") -> pd.DataFrame:
        """School-years of an outcome."""
        rows = (self.school["outcome"] == outcome) & (self.school["subgroup"] == subgroup)
        return self.school.loc[rows]

    def scores(self, outcome: str) -> pd.DataFrame:
        """Pupils' scores of an outcome."""
        return self.pupil.loc[self.pupil["outcome"] == outcome]


def read_sample(cohort: Cohort, tables: Path, panel: Path) -> Sample:
    """Read what prepare wrote, and the canonical tables with numbers in place of identifiers."""
    schools = numbering(read_table(tables / "schools.parquet")["school_id"])
    networks = numbering(read_table(tables / "networks.parquet")["network_id"])
    pupils = read_table(tables / "pupils.parquet")
    register = pd.DataFrame(
        {
            "pupil": numbered(pupils["pupil_id"], numbering(pupils["pupil_id"]), "pupil"),
            "year": pupils["year"],
            "school": numbered(pupils["school_id"], schools, "school"),
            "attended": numbered(pupils["school_id"], schools, "school"),
            "grade": grade_words(pupils["grade"]),
            "disadvantaged": pupils["disadvantaged"],
        }
    )
    school_years = read_table(tables / "school_years.parquet")
    memberships = read_table(tables / "memberships.parquet")
    memberships["school"] = numbered(memberships.pop("school_id"), schools, "school")
    memberships["network"] = numbered(memberships.pop("network_id"), networks, "network")
    return Sample(
        cohort=cohort,
        pupil=read_table(panel / "panel_pupil.parquet"),
        school=read_table(panel / "panel_school.parquet"),
        schools=read_table(panel / "schools.parquet"),
        standardisers=read_table(panel / "standardisers.parquet"),
        notes=read_json(panel / "notes.json"),
        register=school_of_pupils(register, cohort.design.movers),
        school_years=school_years.assign(school=numbered(school_years["school_id"], schools, "school")),
        memberships=memberships,
    )

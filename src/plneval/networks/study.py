"""One cohort as measures and models of networks see it: tables, panels and the questionnaires."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.cohort import Cohort
from plneval.config.instrument import Form, Instrument
from plneval.networks.several_networks import school_networks
from plneval.networks.study_tables import StudyTables, read_study_tables


@dataclass(frozen=True)
class NetworkStudy:
    """A cohort's files, read when they are first used.

    Attributes
    ----------
    cohort : its configuration.
    tables_folder, panel : folders that ingest and prepare wrote.
    instrument : what the surveys asked; None where the cohort declares none.
    seed : the project's seed.
    """

    cohort: Cohort
    tables_folder: Path
    panel: Path
    instrument: Instrument | None
    seed: int = 1

    @cached_property
    def tables(self) -> StudyTables:
        """Canonical tables with prepare's numbers."""
        return read_study_tables(self.cohort, self.tables_folder, self.panel)

    @cached_property
    def pupil(self) -> pd.DataFrame:
        """Pupil panel; empty for school-level studies."""
        return read_table(self.panel / "panel_pupil.parquet")

    @cached_property
    def school(self) -> pd.DataFrame:
        """School panel: a row a school, year, outcome and subgroup."""
        return read_table(self.panel / "panel_school.parquet")

    @property
    def schools(self) -> pd.DataFrame:
        """The register of schools as prepare left it."""
        return self.tables.schools

    @cached_property
    def school_networks(self) -> pd.DataFrame:
        """The networks that each member school's effect counts for, by the design's rule: school, network, part."""
        return school_networks(self.tables)

    @property
    def pupil_level(self) -> bool:
        return self.cohort.study.level == "pupil"

    def forms_measuring(self, what: str) -> dict[str, Form]:
        """Questionnaires with a scale that measures a ``condition``, ``practice`` or ``policy``."""
        forms = {} if self.instrument is None else self.instrument.forms
        return {name: form for name, form in forms.items() if any(s.measures == what for s in form.scales.values())}

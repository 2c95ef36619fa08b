"""Everything that gates look at, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime, ModelSpec
from plneval.config.report import Report
from plneval.errors import UserError
from plneval.standards import load

MEASURES: Final = (
    "attrition",
    "baseline",
    "clusters",
    "composition",
    "contamination",
    "entry_groups",
    "mdes",
    "missingness",
    "network_checks",
    "network_data",
    "networks",
)
"""Measures that gates read."""
HEADLINE: Final = "att_third_year_on"


@dataclass(frozen=True)
class Evidence:
    """A cohort's declarations, measures and records.

    Attributes
    ----------
    specs : the cohort's models by name; exactly one is the headline's.
    measures : tables of describe by name, of those in :data:`MEASURES`.
    schools : the register of schools as prepare left it.
    records : all models' records.
    recomputed, recovery : what the independent computation and the comparison with planted effects gave.
    sensitivity : tables of :mod:`plneval.challenge.sensitivity` by name.
    findings : tables of :mod:`plneval.challenge.network_findings` by name.
    """

    cohort: Cohort
    specs: Mapping[str, ModelSpec]
    report: Report
    measures: Mapping[str, pd.DataFrame]
    schools: pd.DataFrame
    records: pd.DataFrame
    recomputed: pd.DataFrame
    recovery: pd.DataFrame
    sensitivity: Mapping[str, pd.DataFrame]
    findings: Mapping[str, pd.DataFrame]

    @cached_property
    def model(self) -> str:
        """Name of the headline's model."""
        return next(name for name, spec in self.specs.items() if spec.headline)

    @property
    def spec(self) -> ModelSpec:
        return self.specs[self.model]

    @property
    def outcome(self) -> str:
        """Name of the headline's outcome."""
        return self.spec.outcome

    @cached_property
    def headline(self) -> pd.Series | None:
        """The headline's record; None where there is none, or none with an estimate."""
        found = self.records[self.records["headline"].astype(bool)]
        if not len(found) or pd.isna(found.iloc[0]["estimate"]):
            return None
        return found.iloc[0]

    @property
    def of_model(self) -> pd.DataFrame:
        """Records of the headline's model."""
        return self.records[self.records["model"] == self.model]

    @property
    def cells(self) -> pd.DataFrame:
        """Group-time effects of the headline's model that have an estimate."""
        rows = self.of_model
        return rows[(rows["estimand"] == "att_group_time") & rows["estimate"].notna()]

    @cached_property
    def members(self) -> pd.DataFrame:
        """Analysed schools that joined."""
        return self.schools[(self.schools["status"] == "analysed") & (self.schools["arm"] == "member")]

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """Analysed schools that never joined."""
        return self.schools[(self.schools["status"] == "analysed") & (self.schools["arm"] == "comparison")]

    @cached_property
    def members_in_headline(self) -> pd.DataFrame:
        """Member schools whose entry group has an outcome from the third year on."""
        first = load("follow_up").headline_from_event_time
        if len(self.cells):
            late = self.cells[self.cells["event_time"] >= first]
            years = set(late["term"].str.extract(r"g(\d{4}):", expand=False).astype(int))
        else:
            last = self.cohort.years_of(self.outcome)[-1]
            years = {int(year) for year in self.members["entry_year"] if last - int(year) >= first}
        return self.members[self.members["entry_year"].isin(sorted(years))]

    @cached_property
    def headline_members(self) -> int | None:
        """Member schools in the headline's estimate; None where the record does not tell.

        Schools that never join are clusters of their own, so the rest of its schools are members.
        """
        record = self.headline
        not_yet = isinstance(self.spec, GroupTime) and self.spec.comparison == "not_yet"
        if record is None or not_yet or pd.isna(record["n_schools"]) or pd.isna(record["clusters_comparison"]):
            return None
        return int(record["n_schools"]) - int(record["clusters_comparison"])

    @cached_property
    def networks(self) -> int:
        """Number of networks of the member schools."""
        return int(self.members["network"].nunique())

    @property
    def school_level_scale(self) -> bool:
        """Whether effects can only be told in SDs of schools (or raw units), as SDs of pupils are not known."""
        return self.headline is None or pd.isna(self.headline["effect_size"])


def read_measures(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the measures that gates look at.

    Raises
    ------
    UserError
        If one is not there.
    """
    found = {}
    for name in MEASURES:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise UserError(f"{path}: there is no such file; run the cohort again from describe.")
        found[name] = read_table(path)
    return found

"""Released tables as one typed bundle: all that reports know. Nothing is recomputed here or after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import read_json, read_table
from plneval.errors import UserErrors
from plneval.release.door import TABLES as DOOR

TABLES = (*DOOR, "standards")
DOCUMENTS = ("study", "verdict", "reproducibility", "manifest")


@dataclass(frozen=True)
class Released:
    """Everything behind the door of one cohort.

    ``tables`` are the released tables by name (``docs/architecture.md`` gives their columns); ``study``, ``verdict``,
    ``reproducibility`` and ``manifest`` are the released documents.
    """

    folder: Path
    tables: dict[str, pd.DataFrame]
    study: dict[str, Any]
    verdict: dict[str, Any]
    reproducibility: dict[str, Any]
    manifest: dict[str, Any]

    def __getitem__(self, table: str) -> pd.DataFrame:
        """One released table."""
        return self.tables[table]

    @property
    def headline(self) -> dict[str, Any] | None:
        """The headline's record, or None where there is none."""
        record = self.verdict.get("headline")
        return dict(record) if record else None

    @property
    def is_causal(self) -> bool:
        """Whether the verdict allows the headline to be read as an effect of the programme."""
        return str(self.verdict["category"]) != "not_causal"

    @property
    def programme(self) -> str:
        return str(self.study["programme"])

    @property
    def school_level(self) -> bool:
        """Whether outcomes are known for schools only."""
        return str(self.study["level"]) == "school"

    @property
    def single_network(self) -> bool:
        """Whether all members belong to one network."""
        return int(self["networks"]["n_networks"].sum()) == 1

    @property
    def networks_named(self) -> bool:
        """Whether networks agreed to be named."""
        return bool(self.study["design"].get("networks_consent_to_be_named", False))

    @property
    def school_scale(self) -> bool:
        """Whether differences stand in SDs of schools: results of schools without the spread of their pupils."""
        return self.school_level and bool(self["records"]["effect_size"].isna().all())

    def outcome(self, name: str) -> dict[str, Any]:
        """What was declared about an outcome."""
        return dict(self.study["outcomes"].get(name, {"label": name}))

    def outcome_label(self, name: str) -> str:
        """The outcome's name in reports."""
        return str(self.outcome(name).get("label", name))

    def higher_is_better(self, outcome: str) -> bool:
        """Whether a higher score of an outcome is the better one, as declared."""
        return bool(self.outcome(outcome).get("higher_is_better", True))

    def model(self, name: str) -> dict[str, Any]:
        """What was declared about a model."""
        return dict(self.study["models"][name])

    def unit(self, model: str) -> str:
        """The unit of a model's estimates, in words."""
        declared = self.model(model)
        outcome = self.outcome(str(declared["outcome"]))
        if "formula" in declared:
            raw = str(declared["formula"]).split("~")[0].strip() == "score"
        else:
            raw = outcome.get("standardise") == "none"
        if raw:
            return str(outcome.get("unit", "points"))
        return "school-level SDs" if self.school_scale else "standard deviations"

    def confidence(self, model: str) -> str:
        """The level of a model's intervals, such as ``95 %``."""
        return f"{100 * float(self.model(model)['confidence']):g}\N{NO-BREAK SPACE}%"

    @property
    def headline_outcome(self) -> str:
        """The outcome of the headline's model."""
        return str(self.model(self.headline_model)["outcome"])

    @property
    def headline_label(self) -> str:
        """The name of the headline's outcome in reports."""
        return self.outcome_label(self.headline_outcome)

    @property
    def headline_rows(self) -> pd.DataFrame:
        """All records of the headline's model."""
        records = self["records"]
        model = self.headline_model
        return records[records["model"] == model]

    @property
    def headline_model(self) -> str:
        """The model that was declared for the headline."""
        return str(self.study["headline_model"])


def rows_of(table: pd.DataFrame) -> list[Any]:
    """The rows of a table, with its columns as attributes."""
    return list(table.itertuples())


def load(folder: Path | str) -> Released:
    """Read the released tables of a cohort.

    Parameters
    ----------
    folder:
        ``results/<cohort>/release/tables``.

    Raises
    ------
    UserErrors
        Naming every released file that is not there.
    """
    folder = Path(folder)
    files = [f"{name}.parquet" for name in TABLES] + [f"{name}.json" for name in DOCUMENTS]
    absent = [name for name in files if not (folder / name).is_file()]
    if absent:
        raise UserErrors(f"{folder / name}: no such file; run `plneval run` to release the tables" for name in absent)
    tables = {name: read_table(folder / f"{name}.parquet") for name in TABLES}
    documents = {name: read_json(folder / f"{name}.json") for name in DOCUMENTS}
    return Released(folder=folder, tables=tables, **documents)

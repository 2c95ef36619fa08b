"""Where every file of a run stands: the one place that knows folder names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STAGES = ("ingest", "prepare", "describe", "estimate", "challenge", "release", "report")


@dataclass(frozen=True)
class Layout:
    """Paths of one cohort's results.

    ``restricted`` may hold pupil rows and never leaves; ``release`` has passed the door.
    """

    results: Path
    cohort: str

    @property
    def root(self) -> Path:
        return self.results / self.cohort

    def restricted(self, stage: str) -> Path:
        """Folder of one stage that stays inside."""
        return self.root / "restricted" / stage

    @property
    def tables(self) -> Path:
        """Canonical tables and the ledger."""
        return self.restricted("ingest")

    @property
    def panel(self) -> Path:
        """Analysis panels and the sample flow."""
        return self.restricted("prepare")

    @property
    def measures(self) -> Path:
        return self.restricted("describe")

    @property
    def records(self) -> Path:
        return self.restricted("estimate")

    @property
    def findings(self) -> Path:
        return self.restricted("challenge")

    @property
    def release(self) -> Path:
        """What a funder gets: reports, and the released tables below it."""
        return self.root / "release"

    @property
    def released_tables(self) -> Path:
        return self.release / "tables"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, stage: str, model: str | None = None) -> Path:
        """Log of one job."""
        return self.logs / (f"{stage}-{model}.log" if model else f"{stage}.log")

    def problem(self, stage: str, model: str | None = None) -> Path:
        """Where a job leaves the message of a user's mistake, for the command line to show."""
        return self.logs / (f"{stage}-{model}.problem" if model else f"{stage}.problem")

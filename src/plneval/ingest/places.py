"""Where in a cohort's file something is declared, for messages that name the line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plneval.config.yaml_source import Location, YamlSource
from plneval.errors import UserError


@dataclass(frozen=True)
class CohortFile:
    """A cohort's configuration file as it is named in messages.

    Attributes
    ----------
    path : the file, such as ``config/cohorts/x.yaml``.
    source : the file as it was read, for line numbers; without it messages carry the key alone.
    """

    path: Path
    source: YamlSource | None = None

    @classmethod
    def of(cls, name: str, source: YamlSource | None = None) -> CohortFile:
        """The file of a cohort."""
        return cls(source.path if source is not None else Path("config") / "cohorts" / f"{name}.yaml", source)

    def error(self, location: Location, message: str) -> UserError:
        """An error at a key path: ``file:line: key.path: message``."""
        if self.source is not None:
            return self.source.error(location, message)
        return UserError(f"{self.path}: {'.'.join(str(part) for part in location)}: {message}")

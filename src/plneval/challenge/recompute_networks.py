"""Models about networks computed a second time, where an independent library can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.network_models import NetworkModel
from plneval.networks.study import NetworkStudy


def _after_leaving(cohort: Cohort, spec: Any, panel: Path, _: NetworkStudy | None) -> list[Recomputed]:
    from plneval.challenge.recompute_group_time import after_leaving_again

    return after_leaving_again(cohort, spec, panel)


def _split(cohort: Cohort, spec: Any, panel: Path, study: NetworkStudy | None) -> list[Recomputed]:
    from plneval.challenge.recompute_split import split_again

    return split_again(cohort, spec, panel, study)


def _spread(cohort: Cohort, spec: Any, panel: Path, study: NetworkStudy | None) -> list[Recomputed]:
    from plneval.challenge.recompute_spread import spread_again

    return spread_again(cohort, spec, panel, study)


AGAIN: Final[dict[str, Callable[[Cohort, Any, Path, NetworkStudy | None], list[Recomputed]]]] = {
    "networks.after_leaving": _after_leaving,
    "networks.split": _split,
    "networks.spread": _spread,
}
"""Kind → function of the cohort, the specification, the panel's folder and the study."""


def network_again(cohort: Cohort, spec: NetworkModel, panel: Path, study: NetworkStudy | None) -> list[Recomputed]:
    """Numbers of a model about networks from other code; none for kinds that no other library estimates."""
    again = AGAIN.get(spec.kind)
    return [] if again is None else again(cohort, spec, panel, study)

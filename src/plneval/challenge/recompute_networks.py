"""Models about networks computed a second time, where an independent library can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from plneval.challenge.recompute import Recomputed
from plneval.config.network_models import NetworkModel
from plneval.networks.study import NetworkStudy


def _after_leaving(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_group_time import after_leaving_again

    return after_leaving_again(study.cohort, spec, study.panel)


def _split(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_split import split_again

    return split_again(study.cohort, spec, study.panel, study)


def _spread(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_spread import spread_again

    return spread_again(study.cohort, spec, study.panel, study)


def _diffusion(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_diffusion import diffusion_again

    return diffusion_again(study, spec)


def _dose(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_dose import dose_again

    return dose_again(study, spec)


def _gap(study: NetworkStudy, spec: Any) -> list[Recomputed]:
    from plneval.challenge.recompute_gap import gap_parts_again

    return gap_parts_again(study, spec)


AGAIN: Final[dict[str, Callable[[NetworkStudy, Any], list[Recomputed]]]] = {
    "networks.after_leaving": _after_leaving,
    "networks.diffusion": _diffusion,
    "networks.dose": _dose,
    "networks.gap": _gap,
    "networks.split": _split,
    "networks.spread": _spread,
}
"""Kind → function of the study and the specification."""


def network_again(study: NetworkStudy, spec: NetworkModel) -> list[Recomputed]:
    """Numbers of a model about networks from other code; none for kinds that no other library estimates."""
    again = AGAIN.get(spec.kind)
    return [] if again is None else again(study, spec)

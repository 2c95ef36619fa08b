"""Which function fits which kind of model about networks; each is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from plneval.config.network_models import (
    AfterLeaving,
    Diffusion,
    DoseBands,
    GapParts,
    Mediation,
    Moderation,
    NetworkModel,
    Split,
    Spread,
)
from plneval.estimate.fit import Fit
from plneval.networks.study import NetworkStudy

FITS: Final[dict[type[NetworkModel], str]] = {
    Diffusion: "diffusion",
    DoseBands: "dose_bands",
    Split: "split",
    Spread: "spread",
    Moderation: "moderation",
    Mediation: "mediation",
    GapParts: "gap_parts",
    AfterLeaving: "after_leaving",
}
"""Kind of model → module of this package; its function of the same name takes the study and the specification."""


def fit_network_model(study: NetworkStudy, spec: NetworkModel) -> Fit:
    """Fit a model about networks by its kind."""
    name = FITS[type(spec)]
    fit: Callable[[NetworkStudy, NetworkModel], Fit] = getattr(import_module(f"plneval.estimate.{name}"), name)
    return fit(study, spec)

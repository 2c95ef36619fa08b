"""The made-up networks: their kind, their conditions of learning and how much more or less they achieve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation
from plneval.simulate.memberships import Memberships
from plneval.simulate.process import CONDITIONS, FACET_CORRELATION, FACETS, NETWORK_TYPES, PlantedEffects
from plneval.simulate.schools import AREAS, Schools
from plneval.simulate.streams import stream

FOCUSES = ("mathematical reasoning", "reading comprehension", "feedback", "vocabulary", "use of assessment data")
COMPOSITIONS = ("teachers", "teachers and leaders", "teachers, leaders and researchers", "leaders")
PARTNERS = ("", "University of Aldermoor", "Brackwater Research School", "Dunmere College of Education")


@dataclass(frozen=True)
class Networks:
    """One entry for each network."""

    code: list[str]
    name: list[str]
    type: list[int]
    focus: list[str]
    composition: list[str]
    lead: list[str]
    partner: list[str]
    started: list[int]
    conditions: NDArray[np.float64]
    """Latent conditions, a row a network, a column for each of CONDITIONS, each with mean 0 and SD 1."""
    working: NDArray[np.float64]
    """What the conditions make of the effect: the part of ``deviation`` that they explain."""
    deviation: NDArray[np.float64]
    """Effect of the network less the mean effect, as a multiple of the full direct effect."""
    facets: NDArray[np.float64]
    """Latent facets of the conditions, a row a network, a column for each of FACETS, each with mean 0 and SD 1."""

    @property
    def count(self) -> int:
        return len(self.code)


def make_networks(
    simulation: Simulation, schools: Schools, memberships: Memberships, effects: PlantedEffects
) -> Networks:
    """Draw the networks' descriptions, conditions and effects."""
    rng = stream(simulation.seed, "conditions")
    count = simulation.networks
    shared = rng.standard_normal((count, 1))
    # ASSUME: Conditions of one network correlate 0.4: networks that work well do so in many ways.
    standardised = _as_drawn if effects.as_drawn else _standardised
    conditions = standardised(np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.standard_normal((count, len(CONDITIONS))))
    residual = standardised(rng.standard_normal((count, 1)))[:, 0]
    slopes = np.array([effects.slopes[condition] for condition in CONDITIONS])
    started = [min(s.first_year for s in memberships.spells if s.network == number) for number in range(count)]
    areas = [AREAS[int(schools.area[np.flatnonzero(memberships.network == number)[0]])] for number in range(count)]
    kinds = rng.permutation(np.arange(count) % len(NETWORK_TYPES)).tolist()
    focuses = [FOCUSES[k] for k in rng.integers(0, len(FOCUSES), count).tolist()]
    # At most half of the numbers of this width are taken, so that a mistyped one can be no network's.
    width = max(2, len(str(2 * count)))
    names = [f"{area} {focus} network" for area, focus in zip(areas, focuses, strict=True)]
    return Networks(
        code=[f"NLN-{number + 1:0{width}d}" for number in range(count)],
        name=[f"{name} {number}" for number, name in enumerate(names, start=1)],
        type=kinds,
        focus=focuses,
        composition=[COMPOSITIONS[k] for k in rng.integers(0, len(COMPOSITIONS), count).tolist()],
        lead=[f"{area} Education Office" for area in areas],
        partner=[PARTNERS[k] for k in rng.integers(0, len(PARTNERS), count).tolist()],
        started=started,
        conditions=conditions,
        working=conditions @ slopes,
        deviation=conditions @ slopes + effects.residual_spread * residual,
        facets=_facets(stream(simulation.seed, "conditions", 1), conditions, standardised),
    )


def _facets(
    rng: np.random.Generator,
    conditions: NDArray[np.float64],
    standardised: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """What each facet has of its condition and of its own; from a stream of its own, which shifts no other draw."""
    own = rng.standard_normal((len(conditions), len(FACETS)))
    of_condition = conditions[:, [CONDITIONS.index(condition) for condition in FACETS.values()]]
    part = np.array([1.0 if facet == condition else FACET_CORRELATION for facet, condition in FACETS.items()])
    return standardised(part * of_condition + np.sqrt(1 - part**2) * own)


def _as_drawn(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    return draws


def _standardised(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with mean 0 and SD 1 over the networks, so that ``direct`` is the mean effect; 0 for one network."""
    if len(draws) < 2:
        return np.zeros_like(draws)
    result: NDArray[np.float64] = (draws - draws.mean(axis=0)) / draws.std(axis=0)
    return result

"""The made-up schools: where they stand, how large and how deprived they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation
from plneval.simulate.streams import distinct_codes, stream

AREAS = ("Aldermoor", "Brackwater", "Carrowdale", "Dunmere", "Eskholm", "Farrington")
PLACES = (
    "Ashgrove", "Béal Feirste Road", "Birchfield", "Château Street", "Clonmore", "Coopers Lane", "Dún Mór", "Eastgate",
    "Elmwood", "Fernhill", "Frère Jacques", "Glanyrafon", "Greenway", "Harbour View", "Heathcote", "Holmefield",
    "Ivy Bank", "Kilbróna", "Kingsmead", "Larkrise", "Lindenthal Straße", "Löwenhof", "Maplewood", "Meadowside",
    "Millbrook", "Moorland", "Northcroft", "Oakhurst", "Orchard", "Parkside", "Pâquerette", "Queensway", "Ravensbourne",
    "Riverside", "Saint Zoë", "Señora Lane", "Sandringham", "Thornbury", "Upper Ærø", "Valley", "Westbrook", "Yewtree",
)  # fmt: skip
KINDS = ("Primary School", "Community School", "Junior School", "Academy")


@dataclass(frozen=True)
class Schools:
    """One entry for each school in every array.

    ``deprivation`` and ``level_noise`` are standard normal; ``size`` is the mean number of pupils in a year group.
    """

    code: list[str]
    name: list[str]
    area: NDArray[np.int64]
    phase: list[str]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    deprivation: NDArray[np.float64]
    size: NDArray[np.float64]
    disadvantaged_share: NDArray[np.float64]

    @property
    def count(self) -> int:
        return len(self.code)


def make_schools(simulation: Simulation) -> Schools:
    """Draw the schools of all areas, in the order of their area."""
    rng = stream(simulation.seed, "schools")
    count = simulation.schools
    area = np.arange(count, dtype=np.int64) * len(AREAS) // count
    deprivation = 0.5 * rng.standard_normal(len(AREAS))[area] + 0.87 * rng.standard_normal(count)
    deprivation = (deprivation - deprivation.mean()) / deprivation.std()
    # Skewed sizes with the mean that is asked for.
    size = simulation.pupils_per_grade * np.exp(0.35 * rng.standard_normal(count) - 0.35**2 / 2)
    size *= simulation.pupils_per_grade / size.mean()
    latitude = np.round(53.0 + 0.35 * (area // 3) + 0.07 * rng.standard_normal(count), 5)
    longitude = np.round(-1.9 + 0.45 * (area % 3) + 0.09 * rng.standard_normal(count), 5)
    names = [f"{place} {kind}" for kind in KINDS for place in PLACES]
    order = rng.permutation(max(count, len(names)))[:count].tolist()
    chosen = [names[k % len(names)] + (f" {k // len(names) + 1}" if k >= len(names) else "") for k in order]
    return Schools(
        # Some numbers begin with a zero, which a careless reader loses.
        code=[f"{code:06d}" for code in distinct_codes(rng, 20_000, 160_000, count)],
        name=chosen,
        area=area,
        phase=["junior" if "Junior" in name else "primary" for name in chosen],
        latitude=latitude,
        longitude=longitude,
        deprivation=deprivation,
        size=size,
        disadvantaged_share=1 / (1 + np.exp(1.2 - 0.6 * deprivation)),
    )

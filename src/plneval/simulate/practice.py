"""Teachers' practice: what participation makes of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plneval.simulate.made import MadeStudy
from plneval.simulate.memberships import stages


def practice_gained(made: MadeStudy, year: int) -> NDArray[np.float64]:
    """What participation has made of practice in a year, for each post, on the latent scale.

    stage × participant's or colleague's gain × (1 + k × what the conditions of the network make of its effect).

    # ASSUME: practice moves with participation whatever the effect on pupils is; what conditions do not explain of a
    # network's effect on pupils, and the gap, do not go over practice.
    """
    effects, school = made.effects, made.staff.post_school
    stage = stages(made.memberships, effects)[school, year - made.years[0]]
    network = made.memberships.network[school]
    working = np.where(network >= 0, made.networks.working[network], 0.0)
    gain = np.where(made.staff.participates, effects.practice["participant"], effects.practice["colleague"])
    gained: NDArray[np.float64] = stage * gain * (1 + effects.practice_conditions * working)
    return gained

"""Teachers' practice as the surveys find it: what participation makes of it, and which answers are then expected."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from plneval.simulate.made import MadeStudy
from plneval.simulate.memberships import stages

LOWEST, HIGHEST = 1, 5
MIDDLE: Final = 3.3
"""Answer of a teacher whose latent score is 0, before rounding."""
POINTS: Final = 0.8
"""Points of the answer scale for one unit of the latent score."""
ITEM_SD: Final = 0.7
"""Of one answer around what is behind it, in points before rounding."""


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


def expected_answer(behind: NDArray[np.float64], sd: float) -> NDArray[np.float64]:
    """Mean answer to an item by people whose latent scores have a mean and an SD, rounded and cut to the scale.

    Answers lie at t or above with probability Φ((middle + points × behind − (t − ½))/σ), σ² = (points × sd)² + item²,
    and the mean of a whole number from 1 to 5 is 1 plus the sum of these over t = 2 to 5. A scale's score, the mean of
    its items turned round where worded in reverse, has the same mean.
    """
    from scipy.special import ndtr

    spread = float(np.hypot(POINTS * sd, ITEM_SD))
    at = (MIDDLE + POINTS * behind)[..., None] - (np.arange(LOWEST + 1, HIGHEST + 1) - 0.5)
    expected: NDArray[np.float64] = LOWEST + ndtr(at / spread).sum(axis=-1)
    return expected

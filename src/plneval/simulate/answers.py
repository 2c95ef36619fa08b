"""Answers to survey items: what lies behind them, what is said, and what is then expected of a scale's score."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 1, 5
MIDDLE: Final = 3.3
"""Answer of somebody at level 0, before rounding."""
STEP: Final = 0.8
"""Points of the answer scale for each SD of what lies behind an answer."""
ITEM_SD: Final = 0.7
"""SD of what is an item's own, in points before rounding."""
SPREAD: Final = 0.8
"""SD of people's policy and agency around the level of their role and school (practice: ``Process.practice_sd``)."""


def response(behind: NDArray[np.float64], noise: NDArray[np.float64], reverse: bool) -> NDArray[np.int64]:
    """Answers from 1 to 5 to one item, from what lies behind them and what is the item's own (standard normal)."""
    answer = np.clip(np.rint(MIDDLE + STEP * behind + ITEM_SD * noise), LOWEST, HIGHEST).astype(np.int64)
    result: NDArray[np.int64] = LOWEST + HIGHEST - answer if reverse else answer
    return result


def expected_response(level: NDArray[np.float64], spread: float = SPREAD) -> NDArray[np.float64]:
    r"""Mean answer of people whose levels have a mean and an SD, over people and items.

    An answer is k or more where its score passes k - 1/2: the mean is :math:`1 + \sum_{k=2}^5 \Phi((\mu - k + 1/2)/s)`
    with s² = (step × spread)² + item². A scale's score, the mean of its items turned round where worded in reverse, has
    the same mean.
    """
    from scipy.special import ndtr

    sd = float(np.hypot(STEP * spread, ITEM_SD))
    steps = [ndtr((MIDDLE + STEP * level - (k - 0.5)) / sd) for k in range(LOWEST + 1, HIGHEST + 1)]
    mean: NDArray[np.float64] = LOWEST + np.sum(steps, axis=0)
    return mean

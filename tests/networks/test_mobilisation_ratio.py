"""The ratio of indirect to direct effect: Fieller's set by hand, its three shapes, and its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from plneval.errors import UserError
from plneval.networks.ratio import mobilisation_ratio

TWO = float(2 * ndtr(2) - 1)
"""The level at which the normal quantile is 2."""


def test_bounded_interval_by_hand() -> None:
    # a = 25 - 4 = 21, b = 15, c = 9 - 4 = 5: (15 ± √120)/21
    found = mobilisation_ratio(3, 5, indirect_se=1, direct_se=1, level=TWO)
    assert (found.kind, found.ratio) == ("bounded", 0.6)
    assert (found.low, found.high) == pytest.approx(((15 - math.sqrt(120)) / 21, (15 + math.sqrt(120)) / 21), abs=1e-12)
    assert found.g == pytest.approx(4 / 25)
    assert found.words == (
        "The indirect effect is estimated at 0.60 times the direct effect; the 95.45 % interval runs from 0.19 to 1.24."
    ).replace("95.45", f"{100 * TWO:g}")


def test_covariance_and_t_enter() -> None:
    # Limits are the ratios at which indirect - ρ direct is exactly t standard errors from zero; t(10) = 2.228139.
    found = mobilisation_ratio(0.06, 0.12, indirect_se=0.02, direct_se=0.03, covariance=0.0002, df=10)
    for limit in (found.low, found.high):
        se = math.sqrt(0.0004 - 2 * limit * 0.0002 + limit**2 * 0.0009)
        assert abs(0.06 - limit * 0.12) / se == pytest.approx(2.2281388519649385, abs=1e-9)
    assert found.low < 0.5 < found.high


def test_a_direct_effect_near_zero_excludes_only_ratios_in_the_middle() -> None:
    # a = 2.25 - 4 = -1.75, b = 4.5, c = 5: (4.5 ± √29)/(-1.75)
    found = mobilisation_ratio(3, 1.5, indirect_se=1, direct_se=1, level=TWO)
    assert found.kind == "outside"
    assert (found.low, found.high) == pytest.approx(((4.5 + math.sqrt(29)) / -1.75, (4.5 - math.sqrt(29)) / -1.75))
    assert found.g > 1
    assert "the direct effect cannot be told from zero" in found.words
    assert "only ratios between -5.65 and 0.51 can be excluded" in found.words


def test_two_effects_near_zero_exclude_nothing() -> None:
    found = mobilisation_ratio(1, 1, indirect_se=1, direct_se=1, level=TWO)
    assert found.kind == "unbounded"
    assert math.isnan(found.low)
    assert found.words.endswith("no ratio at all can be excluded.")


def test_a_direct_effect_just_at_the_limit_bounds_one_side() -> None:
    found = mobilisation_ratio(3, 2, indirect_se=1, direct_se=1, level=TWO)
    # a = 4 - 4 up to rounding: ρ ≥ c/2b = 5/12.
    assert found.kind in ("bounded", "outside")
    assert min(abs(found.low - 5 / 12), abs(found.high - 5 / 12)) < 1e-9


@pytest.mark.parametrize("direct", [0.12, 0.03])
def test_the_set_holds_the_truth_in_95_per_cent_whatever_its_shape(direct: float) -> None:
    random, draws, ratio = np.random.default_rng(11), 3000, 0.4
    covariance = np.array([[0.0009, 0.0004], [0.0004, 0.0016]])
    estimates = random.multivariate_normal([ratio * direct, direct], covariance, size=draws)
    held, kinds = 0, set()
    for indirect, taught in estimates:
        found = mobilisation_ratio(indirect, taught, indirect_se=0.03, direct_se=0.04, covariance=0.0004)
        inside = found.low <= ratio <= found.high
        held += {"bounded": inside, "outside": not found.low < ratio < found.high, "unbounded": True}[found.kind]
        kinds.add(found.kind)
    assert held / draws == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / draws))
    assert {"bounded", "unbounded"} <= kinds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direct_se": 0.0}, "positive standard errors"),
        ({"covariance": 0.01}, "larger than their standard errors allow"),
        ({"indirect": float("nan")}, "needs both effects"),
        ({"direct": 0.0}, "exactly zero"),
        ({"df": 0.0}, "degrees of freedom"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, float], message: str) -> None:
    arguments = {"indirect": 0.05, "direct": 0.1, "indirect_se": 0.03, "direct_se": 0.03, **changes}
    with pytest.raises(UserError, match=message):
        mobilisation_ratio(arguments.pop("indirect"), arguments.pop("direct"), **arguments)

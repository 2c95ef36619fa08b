"""Planted spread and slopes on the scale of what is estimated: by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from plneval.challenge.recovery import planted_effect

PLANTED: dict[str, Any] = {
    "headline": {},
    "effects": {
        "spread": {"total": 0.058},
        "condition": {"trust": 0.018},
        "path": {
            "maths": {"practice": 0.25, "slope": 0.12, "indirect": 0.03, "direct": 0.01, "total": 0.04},
            "reading": {"practice": 0.25, "slope": None, "indirect": None, "direct": None, "total": None},
        },
    },
    "networks": {
        "A": {"effect": 0.10, "third_year_on": {"maths": 0.02}, "conditions": {"trust": -1.0, "focus": 0.0}},
        "B": {"effect": 0.12, "third_year_on": {"maths": 0.05}, "conditions": {"trust": 0.0, "focus": 2.0}},
        "C": {"effect": 0.14, "third_year_on": {"maths": 0.11}, "conditions": {"trust": 1.0, "focus": 0.0}},
        "D": {"effect": 0.14, "third_year_on": {"maths": None}, "conditions": {"trust": 5.0, "focus": 9.0}},
    },
}


def planted(estimand: str, term: str = "", **values: Any) -> float | None:
    record = {"estimator": "networks.spread", "outcome": "maths", "subgroup": "all", "estimand": estimand, "term": term}
    return planted_effect(PLANTED, record | values)


def test_the_spread_is_that_of_all_pupils_effects_by_network() -> None:
    effects = np.array([0.02, 0.05, 0.11])
    assert planted("network_effect_mean") == pytest.approx(0.06)
    assert planted("between_network_sd") == pytest.approx(np.sqrt((0.04**2 + 0.01**2 + 0.05**2) / 2))
    below = stats.norm.cdf(-0.06 / effects.std(ddof=1))
    assert planted("networks_below_zero") == pytest.approx(below)


def test_a_slope_is_that_on_one_condition_alone_for_one_sd() -> None:
    # Trust: (0.11 - 0.02)/2 for a point, and its SD is 1. Focus: -0.0075 for a point, times its SD of 2/√3.
    for estimand in ("moderation_slope", "moderation_slope_naive"):
        assert planted(estimand, "trust") == pytest.approx(0.045)
        assert planted(estimand, "focus") == pytest.approx(-0.0075 * 2 / np.sqrt(3))


def test_a_slope_on_a_facet_is_that_of_true_effects_on_its_true_values() -> None:
    facets = {"A": 0.0, "B": -2.0, "C": 2.0, "D": 7.0}
    networks = {name: {**one, "facets": {"disclosure": facets[name]}} for name, one in PLANTED["networks"].items()}
    record = {
        "estimator": "networks.moderation",
        "outcome": "maths",
        "subgroup": "all",
        "estimand": "moderation_slope",
        "term": "disclosure",
    }
    # Effects 0.02, 0.05 and 0.11 on 0, -2 and 2: 0.015 for a point, and its SD is 2.
    assert planted_effect({**PLANTED, "networks": networks}, record) == pytest.approx(0.03)
    assert planted_effect(PLANTED, record) is None


def test_the_path_is_held_against_its_own_truth_adjusted_and_not() -> None:
    for ending in ("", "_naive"):
        assert planted(f"path_slope{ending}", "practice") == 0.12
        assert planted(f"path_indirect{ending}", "practice") == 0.03
        assert planted(f"path_direct{ending}", "practice") == 0.01
    assert planted("path_practice", "practice") == 0.25
    assert planted("path_total", "practice") == 0.04
    # Missing where the truth has none, and for what is not planted.
    assert planted("path_indirect", outcome="reading") is None
    assert planted("path_indirect", subgroup="disadvantaged") is None
    assert planted("path_reliability") is None
    assert planted("path_rho_at_zero") is None


def test_nothing_is_planted_for_structure_subgroups_or_a_new_network() -> None:
    assert planted("moderation_slope_naive", "density") is None
    assert planted("between_network_sd", subgroup="disadvantaged") is None
    assert planted("between_network_sd", outcome="reading") is None
    assert planted("att_new_network") is None

"""Facets of the conditions: what is planted on them, and who is asked the long form."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from raw_study import read

from plneval.config.base import load
from plneval.config.cohort import Simulation
from plneval.config.instrument import Instrument
from plneval.simulate.facets import FORM, ITEMS
from plneval.simulate.memberships import make_memberships
from plneval.simulate.networks import Networks, make_networks
from plneval.simulate.process import CONDITIONS, FACETS, PlantedEffects, Process
from plneval.simulate.schools import make_schools

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def many(study) -> Networks:
    """Four hundred networks, without their pupils."""
    simulation = Simulation(seed=7, schools=1000, networks=400)
    schools = make_schools(simulation)
    memberships = make_memberships(simulation, study, schools, Process())
    return make_networks(simulation, schools, memberships, PlantedEffects(direct=0.12))


def test_facets_go_with_their_condition_more_than_with_others(many: Networks) -> None:
    """Correlations of 0.8 with the condition, 0.64 within one condition, 0.4 × 0.64 between conditions."""
    found = np.corrcoef(many.facets.T)
    names = list(FACETS)
    own = np.corrcoef(many.facets.T, many.conditions.T)[: len(names), len(names) :]
    # Standard error of a correlation: (1 - r²)/√n; the condition that facets share has one draw, so means vary as much.
    for place, (facet, condition) in enumerate(FACETS.items()):
        expected = 1.0 if facet == condition else 0.8
        assert own[place, CONDITIONS.index(condition)] == pytest.approx(expected, abs=4 * 0.36 / 20)
    for (a, one), (b, other) in combinations(enumerate(names), 2):
        parts = [1.0 if name in CONDITIONS else 0.8 for name in (one, other)]
        expected = parts[0] * parts[1] * (1.0 if FACETS[one] == FACETS[other] else 0.4)
        assert found[a, b] == pytest.approx(expected, abs=4 * (1 - expected**2) / 20)


def test_every_facet_has_a_scale_of_the_instrument_with_its_items() -> None:
    form = load(ROOT / "config" / "instruments" / "generic.yaml", Instrument).forms[FORM]
    assert {name: tuple(scale.items) for name, scale in form.scales.items()} == ITEMS
    specs = {name: spec for scale in form.scales.values() for name, spec in scale.items.items()}
    assert all(spec.reverse == name.endswith("r") for name, spec in specs.items())


def test_the_long_form_is_asked_in_the_first_two_waves_of_each_network(raw) -> None:
    def answered(form: str) -> pd.DataFrame:
        return pd.concat([read(path) for path in sorted(raw.glob(f"survey_{form}_w?.csv"))], ignore_index=True)

    short = answered("conditions").groupby("Network")["Wave"].unique()
    long = answered(FORM)
    for network, waves in long.groupby("Network")["Wave"].unique().items():
        assert sorted(waves) == sorted(short[network])[:2]
    assert set(long["Network"]) == set(short.index)
    assert set(long["Role"]) == {"participant", "leader"}


def test_the_truth_has_the_facets_of_every_network(truth, made) -> None:
    networks = list(truth["networks"].values())
    for place, facet in enumerate(FACETS):
        told = [network["facets"][facet] for network in networks]
        assert told == pytest.approx(made.networks.facets[:, place], abs=1e-12)
    for network in networks:
        assert network["facets"]["inquiry"] == pytest.approx(network["conditions"]["inquiry"], abs=1e-12)

"""From a made-up study through the estimators to `recovery`: spread, slopes on conditions and on facets are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_panels import write_study

from plneval.artifacts import read_json, read_table
from plneval.challenge.recovery import recovery
from plneval.config.base import load
from plneval.config.cohort import Cohort, Simulation
from plneval.config.instrument import Instrument
from plneval.config.models import Models
from plneval.estimate.stage import estimate
from plneval.simulate.made import make_study
from plneval.simulate.process import CONDITIONS, FACETS

SLOPES = ("moderation_slope", "moderation_slope_naive")
DRAWS = 60


def recovered(root: Path, folder: Path, seed: int) -> pd.DataFrame:
    """`recovery` of a study of the demonstration's size with fewer pupils."""
    cohort = load(root / "config" / "cohorts" / "demo.yaml", Cohort)
    instrument = load(root / "config" / "instruments" / "generic.yaml", Instrument)
    specs = load(root / "config" / "models.yaml", Models).models
    write_study(make_study(Simulation(seed=seed, schools=120, networks=18, pupils_per_grade=12), cohort.study), folder)
    records = []
    for model in ("spread_maths", "moderation_maths", "moderation_facets_maths"):
        # Ties are not in these tables, so no structure is tried.
        spec = specs[model].model_copy(update={"structure": []} if model == "moderation_maths" else {})
        estimate(cohort, "demo", model, spec, folder / "panel", folder, 1, tables=folder, instrument=instrument)
        records.append(read_table(folder / f"{model}.records.parquet"))
    return recovery(folder / "truth.json", pd.concat(records, ignore_index=True))


@pytest.fixture(scope="module")
def demonstrated(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict]:
    """The demonstration's seed, which was chosen before any estimate was seen."""
    folder = tmp_path_factory.mktemp("demonstrated")
    return recovered(root, folder, 20181), read_json(folder / "truth.json")


def test_planted_spread_and_slopes_are_found_within_three_errors(demonstrated) -> None:
    found = demonstrated[0]
    tested = found.dropna(subset=["z"])
    expected = {("spread_maths", "")} | {("moderation_maths", name) for name in CONDITIONS}
    expected |= {("moderation_facets_maths", name) for name in FACETS}
    assert set(zip(tested["model"], tested["term"], strict=True)) == expected
    assert tested["z"].abs().max() < 3
    assert set(found.loc[found["model"] == "spread_maths", "estimand"]) == {
        "network_effect_mean", "between_network_sd", "networks_below_zero",
    }  # fmt: skip


def test_the_truth_of_a_facet_is_the_slope_of_true_effects_on_its_true_values(demonstrated) -> None:
    found, truth = demonstrated
    networks = [one for one in truth["networks"].values() if one["third_year_on"]["maths"] is not None]
    effects = np.array([one["third_year_on"]["maths"] for one in networks])
    slopes = found[(found["model"] == "moderation_facets_maths") & found["estimand"].isin(SLOPES)]
    assert len(slopes) == 2 * len(FACETS)
    for facet, told in zip(slopes["term"], slopes["truth"], strict=True):
        values = np.array([one["facets"][facet] for one in networks])
        line = np.polyfit(values / values.std(ddof=1), effects, 1)
        assert told == pytest.approx(line[0], abs=1e-12)


@pytest.mark.slow
def test_intervals_hold_what_is_planted(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sixty studies: no family of slopes, and no number about the spread, is covered less than chance allows.

    A study's own truth is compared, which leaves out that its networks are drawn; coverage may be above 95 %.
    """
    tables = [recovered(root, tmp_path_factory.mktemp(f"draw{seed}"), seed) for seed in range(DRAWS)]
    found = pd.concat(tables, ignore_index=True).dropna(subset=["covered"])
    covered = found["covered"].astype(float).groupby([found["model"], found["estimand"]]).mean()
    assert len(covered) == 3 + 2 + 2
    # Slopes of one study go together: a family's coverage varies up to as much as that of one slope.
    assert covered.min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / DRAWS)

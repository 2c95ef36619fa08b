"""Diffusion, dose and the gap's parts a second time: the numbers of the estimators, by other code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

sys.path.append(str(Path(__file__).resolve().parent.parent / "estimate"))

from estimate_panels import cohort, pupil_panel

from plneval.challenge.recompute import MAIN, recompute, recompute_all
from plneval.challenge.recompute_gap import TERMS, gap_parts_again
from plneval.challenge.recompute_networks import network_again
from plneval.config.cohort import Cohort, Simulation
from plneval.config.network_models import Diffusion, DoseBands, GapParts
from plneval.estimate.diffusion import diffusion
from plneval.estimate.dose_bands import dose_bands
from plneval.estimate.gap_parts import gap_parts
from plneval.estimate.stage import estimate
from plneval.ingest.stage import ingest
from plneval.networks.study import NetworkStudy
from plneval.prepare.stage import prepare
from plneval.simulate.study import simulate

ABOUT: dict[str, Any] = {"label": "l", "outcome": "maths", "role": "exploratory"}
DIFFUSION = Diffusion(kind="networks.diffusion", **ABOUT)
DOSE = DoseBands(kind="networks.dose", **ABOUT)
GAP = GapParts(kind="networks.gap", **ABOUT)
ESTIMATORS = {"networks.diffusion": diffusion, "networks.dose": dose_bands, "networks.gap": gap_parts}


@pytest.fixture(scope="module")
def study(root: Path, tmp_path_factory: pytest.TempPathFactory) -> NetworkStudy:
    """18 simulated schools, some of which leave; pupils are the weight."""
    folder = tmp_path_factory.mktemp("networks")
    declared = yaml.safe_load((root / "config" / "cohorts" / "demo.yaml").read_text(encoding="utf-8"))
    config = Cohort.model_validate(declared)
    simulate(Simulation(seed=11, schools=18, networks=4, pupils_per_grade=5, effect=0.4), config.study, folder / "raw")
    ingest(config, "demo", folder / "raw", folder / "ingest")
    prepare(config, folder / "ingest", folder / "prepare")
    return NetworkStudy(config, folder / "ingest", folder / "prepare", None)


def in_schools(study: NetworkStudy) -> Any:
    """The same study with schools as the weight."""
    design = study.cohort.design.model_copy(update={"weight": "schools"})
    config = study.cohort.model_copy(update={"design": design})
    return NetworkStudy(config, study.tables_folder, study.panel, None)


@pytest.mark.parametrize(
    ("spec", "weight"),
    [
        (DIFFUSION, "pupils"),
        (DIFFUSION.model_copy(update={"before": "later_participants", "outcome": "reading"}), "schools"),
        (DIFFUSION.model_copy(update={"subgroup": "disadvantaged"}), "schools"),
        (DOSE, "pupils"),
        (DOSE.model_copy(update={"measure": "share", "edges": [0.4, 0.8]}), "schools"),
        (GAP, "pupils"),
    ],
    ids=["diffusion", "same_teachers", "disadvantaged", "dose", "dose_share", "gap"],
)
def test_main_effects_agree_to_ten_digits(study: NetworkStudy, spec: Any, weight: str) -> None:
    own = study if weight == "pupils" else in_schools(study)
    fit = ESTIMATORS[spec.kind](own, spec)
    fitted = {(one.estimand, one.term): one for one in fit.estimates if one.estimand in MAIN[spec.kind]}
    again = {(one.estimand, one.term): one for one in network_again(own, spec)}
    assert set(again) == set(fitted)
    assert len(again) >= 2
    for key, one in fitted.items():
        assert again[key].value == pytest.approx(one.estimate, abs=1e-10), key
        if again[key].se is not None:
            assert again[key].se == pytest.approx(one.se, rel=1e-9), key
    if spec.kind == "networks.diffusion":
        assert again["within_school", ""].se is not None
    if spec.kind == "networks.gap":
        assert all(one.se is not None for one in again.values())


def gap_study(seed: int) -> Any:
    """Twelve schools with few pupils: some have none of a group in a year, some none at all, some are there late."""
    draws = np.random.default_rng(seed)
    rows = []
    for school in range(1, 13):
        entry = (2012 if school % 2 else 2013) if school <= 6 else None
        for year in (2010, 2011, 2012, 2014, 2015):
            for group in (0, 1):
                for _ in range(draws.poisson(1.5) if school % 6 else draws.poisson(0.4)):
                    rows.append(
                        {
                            "school": school,
                            "year": year,
                            "pupil": len(rows),
                            "entry_year": entry,
                            "cluster": (school + 1) // 2,
                            "z": draws.normal() - 0.5 * group,
                            "disadvantaged": group,
                        }
                    )
    frame = pd.DataFrame(rows).astype({"entry_year": "Int64"})
    return SimpleNamespace(cohort=cohort("pupils"), panel=Path(), pupil=pupil_panel(frame))


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_the_gap_agree_where_schools_lack_pupils_of_a_group(seed: int) -> None:
    made = gap_study(seed)
    fitted = {one.term: one for one in gap_parts(made, GAP).estimates if one.estimand == "gap_narrowed"}
    again = {one.term: one for one in gap_parts_again(made, GAP)}
    assert list(again) == list(TERMS)
    for term, one in fitted.items():
        assert again[term].value == pytest.approx(one.estimate, abs=1e-10), term
        assert again[term].se == pytest.approx(one.se, rel=1e-9), term
    assert sum(again[term].value for term in TERMS[1:]) == pytest.approx(again["total"].value, abs=1e-10)


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        (DIFFUSION, [("att_direct", ""), ("within_school", "")]),
        (DOSE, [("dose_third_year_on", "high")]),
        (GAP, [("gap_narrowed", "sorting")]),
    ],
    ids=["diffusion", "dose", "gap"],
)
def test_a_wrong_estimate_does_not_agree(
    study: NetworkStudy, tmp_path: Path, spec: Any, keys: list[tuple[str, str]]
) -> None:
    estimate(study.cohort, "study", "m", spec, study.panel, tmp_path, seed=1, tables=study.tables_folder)
    records = pd.read_parquet(tmp_path / "m.records.parquet")
    for estimand, term in keys:
        records.loc[(records["estimand"] == estimand) & (records["term"] == term), "estimate"] += 1e-5
    table = recompute_all(study.cohort, {"m": spec}, study.panel, records, study)
    agrees = table.set_index(["estimand", "term"])["agrees"]
    assert set(table["estimand"]) <= set(MAIN[spec.kind])
    assert not agrees[keys].any()
    assert agrees.drop(keys).all()


def test_without_the_networks_tables_nothing_about_them_is_computed_again(study: NetworkStudy) -> None:
    about = {"label": "l", "outcome": "maths", "subgroup": "gap", "estimator": "networks.gap", "model": "m"}
    records = pd.DataFrame([{**about, "estimand": "gap_narrowed", "term": "total", "estimate": 0.1, "se": 0.1}])
    assert recompute(study.cohort, GAP, study.panel, records).empty

"""Growth models' networks, arms, robust errors and shares, against lme4 and clubSandwich (reference/growth.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, pupil_panel, school_panel, write_panel
from scipy.stats import norm

from plneval import multilevel
from plneval.config.models import Multilevel
from plneval.errors import UserError

REFERENCE = Path(__file__).parent / "reference"
TERMS = ["treated_year_1", "treated_year_2", "treated_year_3"]
LEVEL = (0.3, -0.2, 0.1, -0.3, 0.2, -0.1)
EFFECT = (0.2, 0.1, -0.1, 0.25, -0.2, -0.05)
NETWORKS = (
    "z_fixed ~ C(year) + C(grade) + ever_member + treated + (0 + ever_member + treated | network) + (1 | school) "
    "+ (1 | pupil)"
)


def spec(formula: str, **settings: Any) -> Multilevel:
    declared = {"kind": "multilevel", "label": "l", "outcome": "maths", "formula": formula, "effect_terms": TERMS}
    return Multilevel.model_validate(declared | {"headline_terms": ["treated_year_3"]} | settings)


def pupils() -> pd.DataFrame:
    """Schools 13 to 24 are members, two by two in networks."""
    data = pd.read_csv(REFERENCE / "growth.csv").astype({"entry_year": "Int64"})
    network = ((data["school"] - 13) // 2).where(data["entry_year"].notna())
    cluster = (100 + network).fillna(data["school"]).astype("int64")
    return data.assign(grade=data["grade"].astype(str), cluster=cluster)


def between_networks() -> pd.DataFrame:
    """With levels and effects of networks added, as growth.R adds them."""
    data = pupils()
    treated = (data["year"] >= data["entry_year"]).fillna(False).to_numpy(dtype=float)
    network = (data["cluster"] - 100).where(data["cluster"] >= 100)
    added = network.map(dict(enumerate(LEVEL))).fillna(0) + network.map(dict(enumerate(EFFECT))).fillna(0) * treated
    return data.assign(z=data["z"] + added)


def panel(folder: Path, rows: pd.DataFrame) -> Path:
    means = rows.groupby(["school", "year"], as_index=False).agg(
        z=("z", "mean"), entry_year=("entry_year", "first"), n=("z", "size"), cluster=("cluster", "first")
    )
    return write_panel(folder, school_panel(means), pupil_panel(rows), sds={"z_fixed": 0.9})


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((REFERENCE / "growth.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panel(tmp_path_factory.mktemp("growth"), pupils())


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Records and diagnostics of the model with networks."""
    made = panel(tmp_path_factory.mktemp("networks"), between_networks())
    model = spec(NETWORKS, effect_terms=["treated"], headline_terms=["treated"])
    records, diagnostics = fitted(cohort("pupils"), model, made)
    return made, records, diagnostics


def test_school_variance_by_arm_is_lme4s(folder: Path, reference: dict[str, Any]) -> None:
    random = "(0 + comparison_arm | school) + (0 + ever_member | school) + (1 | pupil)"
    model = spec(f"z_fixed ~ C(year) + C(grade) + arm + {' + '.join(TERMS)} + {random}")
    records, diagnostics = fitted(cohort("pupils"), model, folder)
    expected = reference["arms"]
    assert diagnostics["criterion"] == pytest.approx(expected["criterion"], abs=1e-5)
    for name, theirs in (("comparison_arm", "school.1: comparison_arm"), ("ever_member", "school: ever_member")):
        variance = records.loc[("variance", f"school: {name}"), "estimate"]
        assert variance == pytest.approx(expected["variances"][theirs], rel=1e-4)
    for term in TERMS:
        record, own = records.loc[("coefficient", term)], expected["coefficients"][term]
        assert record["estimate"] == pytest.approx(own["estimate"], abs=1e-6)
        assert record["se"] == pytest.approx(own["se"], rel=1e-5)


@pytest.mark.parametrize("kind", ["CR1", "CR2", "CR3"])
def test_robust_errors_are_clubsandwichs(folder: Path, reference: dict[str, Any], kind: str) -> None:
    formula = f"z_fixed ~ C(year) + C(grade) + arm + {' + '.join(TERMS)} + (time | school) + (1 | pupil)"
    # In this panel every school is a cluster of its own.
    schools = panel(folder / "schools", pupils().assign(cluster=lambda rows: rows["school"]))
    records, diagnostics = fitted(cohort("pupils"), spec(formula, robust=kind), schools)
    for term in TERMS:
        record, own = records.loc[("coefficient", term)], reference["robust"][kind][term]
        assert record["se"] == pytest.approx(own["se"], rel=1e-4)
        if kind == "CR2":
            assert record["df"] == pytest.approx(own["df"], rel=1e-3)
        assert record["vcov"] == f"REML, {kind} by cluster, Satterthwaite"
    assert records.loc[("att_third_year_on", ""), "se"] == records.loc[("coefficient", TERMS[2]), "se"]
    assert diagnostics["robust"] == {"kind": kind, "clusters": 24}


def test_clusters_of_several_schools_hold_them_whole(folder: Path) -> None:
    formula = f"z_fixed ~ C(year) + arm + {' + '.join(TERMS)} + (1 | school) + (1 | pupil)"
    records, diagnostics = fitted(cohort("pupils"), spec(formula, robust="CR0"), folder)
    assert diagnostics["robust"]["clusters"] == 12 + 6
    rows = pupils()
    columns = {f"t{k}": (rows["year"] - rows["entry_year"] == k).fillna(False).astype(float) for k in (0, 1)}
    columns["t2"] = (rows["year"] - rows["entry_year"] >= 2).fillna(False).astype(float)
    m = multilevel.fit(
        "z ~ C(year) + arm + t0 + t1 + t2 + (1 | school) + (1 | pupil)",
        rows.assign(arm=rows["entry_year"].notna().astype(float), **columns),
    )
    table = m.robust("CR0", "cluster").set_index("term")
    assert records.loc[("coefficient", TERMS[2]), "se"] == pytest.approx(table.loc["t2", "se"], rel=1e-6)
    assert records.loc[("coefficient", TERMS[2]), "df"] == pytest.approx(table.loc["t2", "df"], rel=1e-6)


def test_pupils_who_move_are_no_silent_fallback_of_robust_errors(tmp_path: Path) -> None:
    rows = pupils()
    rows.loc[rows["pupil"] == 1002, "pupil"] = 2002
    made = panel(tmp_path, rows)
    formula = "z_fixed ~ C(year) + arm + treated + (1 | school) + {pupil}"
    treated = {"effect_terms": ["treated"], "headline_terms": ["treated"], "robust": "CR2"}
    with pytest.raises(UserError, match=r"1 pupils are seen in several schools.*\(1 \| school:pupil\)"):
        fitted(cohort("pupils"), spec(formula.format(pupil="(1 | pupil)"), **treated), made)
    records, _ = fitted(cohort("pupils"), spec(formula.format(pupil="(1 | school:pupil)"), **treated), made)
    assert "CR2 by cluster" in records.loc[("coefficient", "treated"), "vcov"]


def test_robust_errors_and_kenward_and_rogers_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="leave degrees_of_freedom out"):
        spec(NETWORKS, robust="CR2", degrees_of_freedom="kenward_roger")


Networks = tuple[Path, pd.DataFrame, dict[str, Any]]


def test_networks_are_those_of_lme4(networks: Networks, reference: dict[str, Any]) -> None:
    _, records, diagnostics = networks
    expected = reference["networks"]
    # Comparison schools are one network in which nothing varies.
    assert diagnostics["groups"]["network"] == 7
    assert diagnostics["criterion"] == pytest.approx(expected["fit"]["criterion"], abs=1e-5)
    sd = records.loc[("between_network_sd", "treated")]
    assert sd["estimate"] == pytest.approx(expected["sd_of_effect"], rel=1e-4)
    own = expected["fit"]["coefficients"]["treated"]
    headline = records.loc[("att_third_year_on", "")]
    assert headline["estimate"] == pytest.approx(own["estimate"], abs=1e-6)
    assert headline["se"] == pytest.approx(own["se"], rel=1e-4)
    effects = records.loc["network_effect"]
    departures = sorted(effects["estimate"] - headline["estimate"])
    np.testing.assert_allclose(departures, sorted(expected["departures"]), atol=2e-4)
    # What a reader could use: departures of effects that are fixed effects too add up to 0.
    assert sum(departures) == pytest.approx(0, abs=1e-8)
    share = norm.cdf(-headline["estimate"] / sd["estimate"])
    assert records.loc[("networks_below_zero", ""), "estimate"] == pytest.approx(share, rel=1e-9)


def test_the_spreads_interval_is_that_of_the_restricted_profile(networks: Networks) -> None:
    _, records, diagnostics = networks
    sd = records.loc[("between_network_sd", "treated")]
    assert 0 < sd["ci_low"] < sd["estimate"] < sd["ci_high"]
    assert sd["vcov"] == "REML, profile likelihood"
    rows = between_networks()
    frame = rows.assign(
        ever=rows["entry_year"].notna().astype(float),
        treated=(rows["year"] >= rows["entry_year"]).fillna(False).astype(float),
        network=(rows["cluster"] - 99).where(rows["cluster"] >= 100, 0),
    )
    m = multilevel.fit(
        "z ~ C(year) + C(grade) + ever + treated + (0 + ever + treated|network) + (1|school) + (1|pupil)", frame
    )
    table = m.profile(reml=True)
    whole = table[(table["group"] == "network") & (table["name1"] == "treated") & table["name2"].isna()].iloc[0]
    assert sd["ci_low"] == pytest.approx(whole["ci_low"], rel=1e-4)
    assert sd["ci_high"] == pytest.approx(whole["ci_high"], rel=1e-4)
    assert diagnostics["criterion"] == pytest.approx(m.criterion, abs=1e-6)


def test_networks_without_spread_have_an_interval_from_zero(folder: Path) -> None:
    model = spec(NETWORKS, effect_terms=["treated"], headline_terms=["treated"])
    records, _ = fitted(cohort("pupils"), model, folder)
    sd = records.loc[("between_network_sd", "treated")]
    assert sd["ci_low"] == 0
    assert sd["ci_high"] > sd["estimate"]


def test_networks_are_numbered_by_size_and_hold_their_schools(networks: Networks) -> None:
    _, records, _ = networks
    effects = records.loc["network_effect"]
    assert list(effects.index) == [f"network {k}" for k in range(1, 7)]
    assert (effects["n_schools"] == 2).all()
    rows = between_networks()
    treated = rows[(rows["year"] >= rows["entry_year"]).fillna(False)]
    assert effects["n_treated"].tolist() == treated.groupby("cluster")["pupil"].nunique().tolist()
    assert (effects["se"] > 0).all()
    assert effects["n_pupils"].isna().all()


def test_shares_are_those_of_the_variances(folder: Path) -> None:
    formula = f"z_fixed ~ C(year) + C(grade) + arm + {' + '.join(TERMS)} + (1 | school) + (1 | pupil)"
    records, _ = fitted(cohort("pupils"), spec(formula), folder)
    school, pupil, residual = (
        records.loc[("variance", name), "estimate"] for name in ("school: intercept", "pupil: intercept", "residual")
    )
    total = school + pupil + residual
    found = records.loc["intraclass_correlation"]
    assert found.loc["school", "estimate"] == pytest.approx(school / total, rel=1e-8)
    assert found.loc["pupil", "estimate"] == pytest.approx((school + pupil) / total, rel=1e-8)
    assert (found["ci_low"] < found["estimate"]).all()
    assert (found["ci_high"] > found["estimate"]).all()
    r_squared = records.loc["r_squared", "estimate"]
    fixed = total * r_squared["marginal"] / (1 - r_squared["marginal"])
    assert r_squared["conditional"] == pytest.approx((fixed + school + pupil) / (fixed + total), rel=1e-8)


def test_value_added_is_the_schools_level_and_its_change(tmp_path: Path) -> None:
    model = spec(
        "z_fixed ~ C(year) + ever_member + treated + (treated | school) + (1 | pupil)",
        effect_terms=["treated"],
        headline_terms=["treated"],
    )
    rows = between_networks()
    records, diagnostics = fitted(cohort("pupils"), model, panel(tmp_path, rows))
    assert "no_value_added" not in diagnostics
    frame = rows.assign(
        ever=rows["entry_year"].notna().astype(float),
        treated=(rows["year"] >= rows["entry_year"]).fillna(False).astype(float),
    )
    m = multilevel.fit("z ~ C(year) + ever + treated + (treated | school) + (1 | pupil)", frame)
    effects = m.random_effects("school").pivot(index="school", columns="name", values="estimate").loc[13:]
    change = effects["treated"] + m.fixed.set_index("term").loc["treated", "estimate"]
    found = records.loc["school_value_added"]
    for name, values in (
        ("before joining", effects["Intercept"]),
        ("after joining", effects["Intercept"] + change),
        ("change", change),
    ):
        for percent in (10, 25, 50, 75, 90):
            expected = np.quantile(values, percent / 100)
            assert found.loc[f"{name}, {percent} percent", "estimate"] == pytest.approx(expected, abs=1e-5)
    # Twelve schools: two lie at or below the lowest decile's upper neighbour, six at or below the median's.
    assert list(found.loc[["change, 10 percent", "change, 25 percent", "change, 50 percent"], "n_schools"]) == [2, 3, 6]


def test_a_slope_of_time_leaves_no_before_and_after(folder: Path) -> None:
    model = spec(
        "z_fixed ~ C(year) + ever_member + treated + (time + treated | school) + (1 | pupil)",
        effect_terms=["treated"],
        headline_terms=["treated"],
    )
    records, diagnostics = fitted(cohort("pupils"), model, folder)
    assert "time" in diagnostics["no_value_added"]
    assert "school_value_added" not in records.index.get_level_values(0)

"""The linear estimators against pyfixest 0.60 and diff-diff on data made here, and published values on mpdta."""

from __future__ import annotations

import json
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

VALUES = json.loads((Path(__file__).parent / "reference" / "pyfixest_values.json").read_text())
ETWFE = json.loads((Path(__file__).parent / "reference" / "etwfe_values.json").read_text())
MPDTA = Path(__file__).resolve().parents[3] / "shared" / "data" / "reference" / "mpdta.csv"
UNITS = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry", "vcov": "cr1"}
SCHOOLS = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False, "vcov": "cr1"}
COUNTIES = {"outcome": "lemp", "time": "year", "unit": "countyreal", "entry": "first.treat"}


def agree(found: pd.DataFrame, name: str, like: str = "") -> None:
    """Estimates and standard errors to nine digits, in the order of the reference's terms that contain ``like``."""
    expected = np.array([values for term, values in VALUES[name].items() if like in term])
    np.testing.assert_allclose(found[["estimate", "se"]].to_numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "source", "options"),
    [
        ("twfe", did_data.panel, UNITS),
        (
            "twfe_covariate_weights_cluster",
            did_data.panel,
            {**UNITS, "covariates": ["x"], "weights": "w_varying", "cluster": "network"},
        ),
        ("twfe_unbalanced", did_data.unbalanced, UNITS),
        ("twfe_rows", did_data.pupils, {**SCHOOLS, "covariates": ["x", "female"], "weights": "w"}),
    ],
)
def test_two_way_fixed_effects_are_pyfixests(name: str, source: object, options: dict[str, object]) -> None:
    agree(did.twfe(source(), **options).table, name, "treated")


def test_event_studies_are_pyfixests() -> None:
    panel = did.event_study(did_data.panel(), **UNITS, cluster="network")
    agree(panel.table.dropna(), "event_study")
    agree(did.event_study(did_data.pupils(), **SCHOOLS).table.dropna(), "event_study_rows")
    assert panel.table.set_index("event_time").loc[-1, "estimate"] == 0
    assert np.isnan(panel.table.set_index("event_time").loc[-1, "se"])


def test_group_time_coefficients_are_pyfixests() -> None:
    """Sun and Abraham's regression, also on rows with covariates and weights; Wooldridge's on an unbalanced panel."""
    agree(did.sun_abraham(did_data.panel(), **UNITS, weights="w").effects.dropna(), "saturated")
    rows = did.sun_abraham(did_data.pupils(), **SCHOOLS, covariates=["x"], weights="w")
    agree(rows.effects.dropna(), "saturated_rows", "cell::")
    agree(did.extended_twfe(did_data.unbalanced(), **UNITS).effects, "treated_cells")


def test_two_stage_standard_error_is_that_of_did2s() -> None:
    """To seven digits: pyfixest's first stage is iterative."""
    found = did.two_stage(did_data.panel(), **UNITS)
    np.testing.assert_allclose([[found.estimate, found.se]], list(VALUES["did2s"].values()), rtol=3e-7)


def test_imputation_is_diff_diffs() -> None:
    """diff-diff's BorusyakJaravelSpiess: overall and by event time, standard errors included."""
    diff_diff = pytest.importorskip("diff_diff")
    fitted = diff_diff.ImputationDiD().fit(
        did_data.panel(), outcome="y", unit="unit", time="year", first_treat="entry", aggregate="event_study"
    )
    found = did.imputation(did_data.panel(), **UNITS)
    np.testing.assert_allclose([found.estimate, found.se], [fitted.overall_att, fitted.overall_se], rtol=1e-8)
    by_event = {e: (v["effect"], v["se"]) for e, v in fitted.event_study_effects.items() if e >= 0}
    expected = [by_event[e] for e in found.table["event_time"]]
    np.testing.assert_allclose(found.table[["estimate", "se"]].to_numpy(), expected, rtol=1e-8)


def test_bacon_decomposition_is_diff_diffs() -> None:
    diff_diff = pytest.importorskip("diff_diff")
    frame = did_data.panel(60)
    fitted = diff_diff.BaconDecomposition(weights="exact").fit(
        frame, outcome="y", unit="unit", time="year", first_treat="entry"
    )
    found = did.bacon(frame, outcome="y", time="year", unit="unit", entry="entry")
    expected = sorted((one.estimate, one.weight) for one in fitted.comparisons)
    np.testing.assert_allclose(sorted(zip(found.table["estimate"], found.table["weight"], strict=True)), expected)


def test_extended_twfe_with_a_covariate_is_plain_least_squares_with_every_dummy() -> None:
    """statsmodels on the formula of R's etwfe (reference/etwfe_values.py)."""
    found = did.extended_twfe(did_data.panel(), **UNITS, covariates=["z"])
    assert found.estimate == pytest.approx(ETWFE["panel"]["estimate"], rel=1e-9)
    assert found.se == pytest.approx(ETWFE["panel"]["se"], rel=1e-9)


def test_bacon_weights_of_the_castle_doctrine_depend_on_entries_only() -> None:
    """50 states, 2000 to 2010, of which 1, 13, 4, 2 and 1 enter in 2005 to 2009: bacondecomp's published weights."""
    entry = np.repeat([0, 2005, 2006, 2007, 2008, 2009], [29, 1, 13, 4, 2, 1])
    data = pd.DataFrame({"state": np.repeat(np.arange(50), 11), "year": np.tile(np.arange(2000, 2011), 50)})
    data = data.assign(entry=entry[data["state"]], y=np.sin(data["state"] * data["year"]))
    found = did.bacon(data, outcome="y", time="year", unit="state", entry="entry")
    kinds = ["treated vs never treated", "earlier vs later treated", "later vs earlier treated"]
    assert list(found.summary["kind"]) == kinds
    np.testing.assert_allclose(found.summary["weight"], [0.90834, 0.05976, 0.03190], atol=5e-6)


def test_bacon_of_the_castle_doctrine() -> None:
    """bacondecomp's example (log homicides): 0.0818116169 in all. ``post`` of the data lags the law by a year."""
    castle = pytest.importorskip("causaldata", reason="causaldata, which holds the data, is not installed").castle
    data = castle.load_pandas().data[["sid", "year", "post", "l_homicide"]].astype({"year": int, "l_homicide": float})
    entry = data["sid"].map(data[data["post"] == 1].groupby("sid")["year"].min() - 1).fillna(0)
    found = did.bacon(data.assign(entry=entry), outcome="l_homicide", time="year", unit="sid", entry="entry")
    assert found.estimate == pytest.approx(0.0818116169, abs=5e-10)
    np.testing.assert_allclose(found.summary["weight"], [0.90834, 0.05976, 0.03190], atol=5e-6)
    np.testing.assert_allclose(found.summary["estimate"], [0.08796, -0.00554, 0.07032], atol=5e-6)


@pytest.fixture(scope="module")
def counties() -> pd.DataFrame:
    if not MPDTA.exists():
        pytest.skip("mpdta.csv is not at hand")
    return pd.read_csv(MPDTA)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (did.twfe, (-0.0365489, 0.0132651554)),
        (did.two_stage, (-0.0477099, 0.0134784)),
        (did.imputation, (-0.0477099, 0.0132225)),
    ],
)
def test_published_overall_values(counties: pd.DataFrame, estimator: object, expected: tuple[float, float]) -> None:
    """fixest, did2s and didimputation on mpdta, to the digits published."""
    found = estimator(counties, **COUNTIES)
    assert found.vcov_type == "cr1"
    assert (found.estimate, found.se) == (pytest.approx(expected[0], abs=5e-8), pytest.approx(expected[1], abs=5e-8))


def test_published_sun_abraham_effect_at_entry(counties: pd.DataFrame) -> None:
    at_entry = did.sun_abraham(counties, **COUNTIES).table.set_index("event_time").loc[0]
    assert at_entry["estimate"] == pytest.approx(-0.0199318, abs=5e-8)
    assert at_entry["se"] == pytest.approx(0.0118575, abs=5e-8)


def test_published_extended_twfe_with_a_covariate(counties: pd.DataFrame) -> None:
    """R's etwfe, vignette: lemp ~ lpop, emfx() overall -0.0506 (0.0125) and by event time."""
    found = did.extended_twfe(counties, **COUNTIES, covariates=["lpop"])
    assert (round(found.estimate, 4), round(found.se, 4)) == (-0.0506, 0.0125)
    assert found.estimate == pytest.approx(ETWFE["mpdta"]["estimate"], rel=1e-9)
    assert found.se == pytest.approx(ETWFE["mpdta"]["se"], rel=1e-9)
    np.testing.assert_allclose(found.table["estimate"], [-0.0332, -0.0573, -0.1379, -0.1095], atol=5.1e-5)
    np.testing.assert_allclose(found.table["se"], [0.0134, 0.0172, 0.0308, 0.0323], atol=1.1e-4)

"""Group-time effects against numbers of the R package did 2.5.1 for county teen employment (mpdta)."""

from __future__ import annotations

from pathlib import Path

import pytest
from estimate_panels import cohort, fitted, mpdta, needs_mpdta
from scipy.stats import chi2

from plneval.config.models import GroupTime

pytestmark = needs_mpdta


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mpdta(tmp_path_factory.mktemp("mpdta"))


def spec(**settings: object) -> GroupTime:
    return GroupTime.model_validate({"kind": "did.att_gt", "label": "mpdta", "outcome": "maths", **settings})


@pytest.mark.parametrize(
    ("settings", "estimate", "se"),
    [
        ({}, -0.039951275, 0.012034013),
        ({"comparison": "not_yet"}, -0.039763626, 0.012052425),
        ({"covariates": ["deprivation"], "method": "dr"}, -0.041751772, 0.011502838),
        ({"covariates": ["deprivation"], "method": "ipw"}, -0.041777082, None),
        ({"covariates": ["deprivation"], "method": "or"}, -0.041968612, None),
    ],
    ids=["never", "not_yet", "doubly_robust", "weighting", "outcome_regression"],
)
def test_overall_effect_and_analytical_standard_error_are_those_of_r_did(
    panel: Path, settings: dict[str, object], estimate: float, se: float | None
) -> None:
    overall = fitted(cohort(), spec(**settings), panel)[0].loc[("att_overall", "")]
    assert overall["estimate"] == pytest.approx(estimate, abs=1e-9)
    if se is not None:
        assert overall["se"] == pytest.approx(se, abs=1e-9)
        assert overall["vcov"] == "cluster, normal"


def test_joint_test_of_effects_before_joining_is_that_of_r_did(panel: Path) -> None:
    """The statistic is R's, and its p is among the diagnostics; the record has the bootstrap's, 999 draws."""
    records, diagnostics = fitted(cohort(), spec(), panel)
    pretrend = records.loc[("pretrend", "joint")]
    assert chi2.sf(pretrend["estimate"], 5) == pytest.approx(0.16812, abs=5e-6)
    assert diagnostics["pretrend"]["p_chi_squared"] == pytest.approx(0.16812, abs=5e-6)
    assert pretrend["df"] == 5
    assert pretrend["vcov"] == "wild cluster bootstrap, 999 draws"
    # Three Monte Carlo standard errors of a share of 999.
    assert pretrend["p"] == pytest.approx(0.168, abs=3 * 0.0119)


def test_base_years_and_counts_are_stated(panel: Path) -> None:
    records, diagnostics = fitted(cohort(), spec(), panel)
    assert diagnostics["base_years"] == {"2004": 2003, "2006": 2005, "2007": 2006}
    overall = records.loc[("att_overall", "")]
    assert (overall["clusters_treated"], overall["clusters_comparison"], overall["n_schools"]) == (191, 309, 500)
    assert diagnostics["exclusions"] == []

"""Effects on covariates against att_gt, a hand calculation of Holm's adjustment, and a known truth."""

from __future__ import annotations

import did_data
import numpy as np
import pytest
from scipy.stats import chi2, f

from plneval import did
from plneval.did.composition import holm

NAMES = {"time": "year", "unit": "school", "entry": "entry"}


def test_each_row_is_att_gt_with_the_covariate_as_outcome() -> None:
    data = did_data.pupils_with_parts()
    found = did.composition(data, **NAMES, covariates=["x", "female", "part"], weights="w", comparison="not_yet")
    for row in found.table.itertuples():
        effects = did.att_gt(data, row.covariate, **NAMES, panel=False, weights="w", comparison="not_yet")
        overall = effects.aggregate("simple").intervals()
        for part in ("estimate", "se", "df", "ci_low", "ci_high", "p"):
            assert getattr(row, part) == pytest.approx(getattr(overall, part), rel=1e-12)
        assert row.p_before == pytest.approx(effects.pretest().p)
        assert found.inference[row.covariate].method == "small_sample"
    assert found.df_denominator == pytest.approx(found.table["df"].min() - 2)
    within = found.table["df"].min()
    ratio = found.statistic * found.df_denominator / (3 * within)
    assert found.p == pytest.approx(f.sf(ratio, 3, found.df_denominator))
    np.testing.assert_allclose(np.sqrt(np.diag(found.vcov)), found.table["se"], rtol=1e-12)


def test_the_joint_test_is_that_of_a_single_covariate_squared() -> None:
    found = did.composition(did_data.pupils(), **NAMES, covariates=["female"])
    row = found.table.iloc[0]
    assert found.statistic == pytest.approx((row["estimate"] / row["se"]) ** 2)
    assert found.p == pytest.approx(row["p"])  # F with 1 and ν degrees of freedom is t² with ν
    assert row["p_holm"] == row["p"]
    found = did.composition(did_data.pupils(), **NAMES, covariates=["female", "x"], inference="influence")
    assert found.p == pytest.approx(chi2.sf(found.statistic, 2))


def test_the_joint_test_does_not_depend_on_how_covariates_are_combined() -> None:
    data = did_data.pupils_with_parts()
    data = data.assign(mixed=data["x"] + 2 * data["female"])
    one = did.composition(data, **NAMES, covariates=["x", "female"], inference="influence")
    other = did.composition(data, **NAMES, covariates=["mixed", "female"], inference="influence")
    assert other.statistic == pytest.approx(one.statistic, rel=1e-8)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.9])), [0.09, 0.04, 0.09, 0.9])


def test_a_change_of_composition_is_found_exactly_without_noise() -> None:
    data = did_data.pupils()
    share = 0.2 * (data["year"] - 2010)
    after = (data["entry"] > 0) & (data["year"] >= data["entry"])
    data = data.assign(share=share + 0.25 * after + 1e-6 * data["x"], steady=share + 1e-6 * data["female"])
    table = did.composition(data, **NAMES, covariates=["share", "steady"]).table.set_index("covariate")
    assert table.loc["share", "estimate"] == pytest.approx(0.25, abs=1e-5)
    assert table.loc["steady", "estimate"] == pytest.approx(0.0, abs=1e-5)


def test_missing_values_of_a_covariate_are_listed_for_it_alone() -> None:
    data = did_data.pupils()
    data.loc[:9, "x"] = np.nan
    found = did.composition(data, **NAMES, covariates=["x", "female"])
    assert found.dropped["reason"].tolist() == ["x: the outcome x is missing"]
    assert found.dropped["count"].tolist() == [10]


@pytest.mark.parametrize(
    ("covariates", "words"),
    [
        ([], "name the columns"),
        (["x", "x"], "each once"),
        (["x", "twice"], "collinear"),
        (["fixed", "x"], "'fixed' do not vary"),
        (["text"], "not a number"),
        (["none"], "no column 'none'"),
    ],
)
def test_bad_input_is_refused(covariates: list[str], words: str) -> None:
    data = did_data.pupils()
    data = data.assign(twice=2 * data["x"], fixed=1.0, text="a")
    with pytest.raises(did.DidError, match=words):
        did.composition(data, **NAMES, covariates=covariates)

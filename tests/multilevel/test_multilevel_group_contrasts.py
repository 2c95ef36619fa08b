"""A group's own coefficient, and effects of heavily crossed levels, against Henderson's equations written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from multilevel_dense import Floats, fixed_columns, made_design, pieces
from scipy.linalg import block_diag

from plneval.multilevel import Fit, MultilevelError, fit


def frame_of(design: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"y": design.y, "time": design.columns[1], "x": design.columns[2]})
    for level in design.levels:
        frame[level.name] = level.codes
    frame["w"] = 1.0 if design.weights is None else design.weights
    return frame


def prediction_errors(design: Any, m: Fit) -> tuple[Floats, Floats]:
    """(p + effects,) solution of Henderson's equations and its covariance, level by level, group by group.

    Written for u = Λv, so that variances of zero need no inverse.
    """
    x, weights = fixed_columns(design), np.ones(len(design.y)) if design.weights is None else design.weights
    columns, back = [x], [np.eye(x.shape[1])]
    factors = m.parameters.factors(m.theta)
    for level, z, factor in zip(design.levels, pieces(design), factors, strict=True):
        groups = int(level.codes.max()) + 1
        indicator = np.eye(groups)[level.codes]
        columns.append(np.einsum("ng,nq->ngq", indicator, z @ factor).reshape(len(z), -1))
        back.append(np.kron(np.eye(groups), factor))
    whole, change = np.hstack(columns), block_diag(*back)
    prior = np.diag(np.r_[np.zeros(x.shape[1]), np.ones(whole.shape[1] - x.shape[1])])
    inverse = np.linalg.inv(whole.T @ (weights[:, None] * whole) + prior)
    return change @ inverse @ whole.T @ (weights * design.y), m.sigma**2 * change @ inverse @ change.T


FORMULAS = {
    2: "y ~ time * x + (time | pupil) + (time | school)",
    3: "y ~ time * x + (time | pupil) + (time | school) + (1 | network) + (0 + time | network)",
}


@pytest.mark.parametrize(("levels", "weights", "movers"), [(2, False, False), (3, True, False), (2, False, True)])
def test_a_groups_own_coefficient_has_hendersons_prediction_error(levels: int, weights: bool, movers: bool) -> None:
    design = made_design(levels, weights=weights, movers=movers, schools=15, networks=5, offset=20.0, seed=4)
    m = fit(FORMULAS[levels], frame_of(design), weights="w" if weights else None)
    assert m.engine == ("crossed" if movers else "nested")
    solution, covariance = prediction_errors(design, m)
    start = 4
    for place, level in enumerate(design.levels):
        width = sum(len(term.columns) for term in level.terms)
        groups = int(level.codes.max()) + 1
        if place > 0 or not movers:
            table = m.group_contrast(level.name, "time", {"time": 1.0, "time:x": 0.5})
            assert list(table[level.name]) == list(range(groups))
            for group in range(groups):
                contrast = np.zeros(len(solution))
                contrast[[1, 3]] = 1.0, 0.5
                contrast[start + group * width + 1] = 1.0
                expected = float(np.sqrt(contrast @ covariance @ contrast))
                assert table["estimate"][group] == pytest.approx(contrast @ solution, abs=1e-8)
                assert table["se"][group] == pytest.approx(expected, rel=1e-7)
        start += groups * width
    reach = (table["ci_high"] - table["estimate"]) / table["se"]
    np.testing.assert_allclose(reach, 1.959964, rtol=1e-6)


def test_group_contrasts_that_cannot_be_are_refused() -> None:
    m = fit(FORMULAS[2], frame_of(made_design(2)))
    crossed = fit(FORMULAS[2], frame_of(made_design(2, movers=True)))
    with pytest.raises(MultilevelError, match="all but the one with most groups"):
        crossed.group_contrast("pupil", "time", {})
    for group, name, fixed, message in (
        ("school", "x", {}, "no random effect 'x' of school; there are Intercept, time"),
        ("school", "time", {"z": 1.0}, "no fixed effect 'z'"),
        ("area", "time", {}, "no random effects of 'area'"),
    ):
        with pytest.raises(MultilevelError, match=message):
            m.group_contrast(group, name, fixed)


def test_a_profile_of_one_standard_deviation_is_that_of_the_whole() -> None:
    m = fit(FORMULAS[2], frame_of(made_design(2, schools=15, seed=4)))
    one = m.profile(0.9, reml=True, only=[("school", "time")])
    whole = m.profile(0.9, reml=True)
    own = whole[(whole["group"] == "school") & (whole["name1"] == "time") & whole["name2"].isna()]
    assert list(one["group"]) == ["school"]
    for column in ("estimate", "ci_low", "ci_high"):
        assert one[column][0] == own[column].iloc[0]
    with pytest.raises(MultilevelError, match="no standard deviation of x by school"):
        m.profile(only=[("school", "x")])


def test_robust_errors_of_a_contrast_are_those_of_the_term_in_other_columns() -> None:
    frame = frame_of(made_design(2, schools=15, seed=4))
    m = fit("y ~ time + x + (1 | pupil) + (time | school)", frame)
    # time + x is a term of its own where x is replaced by x − time.
    other = fit("y ~ time + z + (1 | pupil) + (time | school)", frame.assign(z=frame["x"] - frame["time"]))
    errors = m.robust_errors("CR2")
    contrast = np.array([0.0, 1.0, 1.0])
    expected = other.robust("CR2").set_index("term").loc["time"]
    assert np.sqrt(contrast @ errors.covariance @ contrast) == pytest.approx(expected["se"], rel=1e-5)
    assert errors.df(contrast) == pytest.approx(expected["df"], rel=1e-4)
    assert errors.clusters == 15

"""Data that no model can be fitted to are refused in words; what can be left out is left out and listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from multilevel_reference import study

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.fit import fit, statistics


def growth(**columns: Any) -> pd.DataFrame:
    return study("growth").assign(**columns)


@pytest.mark.parametrize(
    ("formula", "columns", "message"),
    [
        ("score ~ year + (1|row)", {"row": np.arange(1229)}, "row has 1229 groups in 1229 rows"),
        ("score ~ year + (1|one)", {"one": 1}, "one has one group only"),
        ("score ~ year + (1|school/one)", {"one": 1}, None),
        ("score ~ year + (1|school)", {"score": 3.0}, "the outcome score is constant"),
        ("score ~ year + (1|school)", {"score": 2.0 * study("growth")["year"] + 1e6}, "score is constant, or fitted"),
        ("score ~ year + (year + treated + weight + sex|pupil)", {}, "random effects .* in 1229 rows"),
    ],
)
def test_what_cannot_be_fitted_is_refused(formula: str, columns: dict[str, Any], message: str | None) -> None:
    if message is None:
        # Each school holds one group: both levels are the same groups, and only the sum of their variances is known.
        m = fit(formula, growth(**columns))
        assert m.criterion == pytest.approx(fit("score ~ year + (1|school)", growth()).criterion, abs=1e-6)
        return
    with pytest.raises(MultilevelError, match=message):
        fit(formula, growth(**columns))


@pytest.mark.parametrize("source", ["frame", "chunks", "statistics"])
def test_collinear_columns_are_named_and_left_out_as_lme4_does(source: str) -> None:
    data = growth(half=growth()["year"] / 2 + 7, twice=2 * growth()["treated"])
    formula = "score ~ year + half + treated + twice + sex + (1|school/pupil)"
    given: Any = {"frame": data, "chunks": [data[:700], data[700:]]}.get(source)
    m = fit(statistics(formula, data)) if source == "statistics" else fit(formula, given)
    row = m.dropped[m.dropped["kind"] == "columns"].iloc[0]
    assert row["first"] == ("half", "twice")
    assert row["count"] == 2
    smaller = fit("score ~ year + treated + sex + (1|school/pupil)", growth())
    assert m.terms == smaller.terms
    np.testing.assert_allclose(m.fixed["estimate"], smaller.fixed["estimate"], rtol=1e-6)
    np.testing.assert_allclose(m.fixed["se"], smaller.fixed["se"], rtol=1e-6)
    assert m.criterion == pytest.approx(smaller.criterion, abs=1e-7)
    if source != "statistics":
        np.testing.assert_allclose(m.predict(data[:5]), smaller.predict(growth()[:5]), rtol=1e-6)


def test_fewer_rows_than_fixed_effects_are_refused() -> None:
    few = growth(row=np.arange(1229)).groupby("school").head(2)[:8]
    with pytest.raises(MultilevelError, match="8 rows are not enough for 8 fixed effects"):
        fit("score ~ 0 + C(row) + (1|school)", few)


def test_groups_that_exist_once_among_others_are_no_mistake() -> None:
    data = growth()
    lonely = data.assign(school=np.where(np.arange(len(data)) == 5, "alone", data["school"]), pupil=range(len(data)))
    lonely["pupil"] //= 3
    m = fit("score ~ year + (1|school)", lonely)
    assert m.groups == {"school": 41}
    assert m.converged
    effects = m.random_effects("school").set_index("school")
    assert effects.loc["alone", "se"] > effects.drop("alone")["se"].max()


def test_what_was_dropped_is_told_by_the_fit() -> None:
    data = growth()
    data.loc[20:29, "score"] = np.nan
    data.loc[data["school"] == "s39", "pupil"] = data.loc[data["school"] == "s00", "pupil"].iloc[0]
    m = fit("score ~ year + (1|school/pupil)", data)
    assert m.n == 1219
    assert m.dropped["reason"].tolist()[0] == "the outcome score is missing"
    assert "counted apart as pupil:school" in m.dropped["reason"].tolist()[1]


def test_pupils_who_move_are_counted_and_fitted_crossed() -> None:
    data = study("movers")
    m = fit("score ~ year + (1|pupil) + (1|school)", data)
    assert m.engine == "crossed"
    moved = m.dropped[m.dropped["kind"] == "groups"].iloc[0]
    assert moved["count"] == int((data.groupby("pupil")["school"].nunique() > 1).sum())
    with pytest.raises(MultilevelError, match="not nested"):
        statistics("score ~ year + (1|pupil) + (1|school)", data)


def test_messages_hold_no_ids_of_pupils() -> None:
    data = growth(pupil="secret" + growth()["pupil"], year=growth()["year"].astype(float))
    data.loc[3, "year"] = np.inf
    with pytest.raises(MultilevelError) as error:
        fit("score ~ year + (1|school/pupil)", data)
    assert "secret" not in str(error.value)
    # Two halves in which one pupil is in two schools.
    data = growth(pupil="secret" + growth()["pupil"])
    data.loc[data.index[-1], "pupil"] = data["pupil"].iloc[0]
    formula = "score ~ year + (1|pupil) + (1|school)"
    with pytest.raises(MultilevelError) as error:
        fit(statistics(formula, data[:600]) + statistics(formula, data[600:]))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("seed", range(12))
def test_small_odd_studies_never_break(seed: int) -> None:
    """A dozen rows, few groups, sparse categories: a fit, or a sentence."""
    random = np.random.default_rng(seed)
    n = int(random.integers(4, 25))
    data = pd.DataFrame(
        {
            "y": random.standard_normal(n).round(int(random.integers(0, 4))),
            "x": random.integers(0, 3, n),
            "c": random.choice(list("abc"), n),
            "p": random.integers(0, max(2, n // 2), n),
            "s": random.integers(0, 3, n),
        }
    )
    for formula in (
        "y ~ x + (1|s)",
        "y ~ x*c + (x|s)",
        "y ~ c + (1|s/p)",
        "y ~ x + (1|p) + (1|s)",
        "y ~ 0 + c + (x||s)",
    ):
        try:
            m = fit(formula, data)
        except MultilevelError:
            continue
        assert np.isfinite(m.criterion)
        assert np.isfinite(m.fixed[["estimate", "se"]]).all().all()
        assert m.criterion_at(np.full(m.theta.shape, 0.3)) >= m.criterion - 1e-7

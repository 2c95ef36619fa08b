"""Averages from a later event time on, and references where periods are missing before entry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval import did

COLUMNS = {"outcome": "y", "time": "time", "unit": "unit", "entry": "entry", "weights": "size", "cluster": "cluster"}


def staggered(seed: int = 5) -> pd.DataFrame:
    """Periods 1 to 8 without 4: the base of the group that enters in 5 is period 3."""
    rng = np.random.default_rng(seed)
    units = pd.DataFrame({"unit": np.arange(80), "entry": rng.choice([0, 4, 5, 6], 80), "size": rng.uniform(1, 5, 80)})
    rows = units.merge(pd.DataFrame({"time": [1, 2, 3, 5, 6, 7, 8]}), how="cross")
    rows["y"] = rng.normal(size=len(rows)) + rng.normal(size=80)[rows["unit"]] + 0.3 * (rows["time"] >= rows["entry"])
    rows["cluster"] = rows["unit"]
    return rows[rng.uniform(size=len(rows)) > 0.05].reset_index(drop=True)


def dummies(rows: pd.DataFrame, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of ``effects`` and their CR1 covariance by a dummy for every unit and period."""
    nuisance = np.hstack([pd.get_dummies(rows[name], dtype=float) for name in ("unit", "time")])[:, :-1]
    x, root = np.hstack([effects, nuisance]), np.sqrt(rows["size"].to_numpy())
    beta, *_ = np.linalg.lstsq(x * root[:, None], rows["y"] * root, rcond=None)
    score = x * ((rows["y"] - x @ beta) * root**2).to_numpy()[:, None]
    by_cluster = np.array([score[rows["cluster"] == c].sum(axis=0) for c in rows["cluster"].unique()])
    bread = np.linalg.inv(x.T @ (root[:, None] ** 2 * x))
    k, n, g = effects.shape[1], len(rows), len(by_cluster)
    factor = g / (g - 1) * (n - 1) / (n - k - rows["time"].nunique())
    return beta[:k], (bread @ (by_cluster.T @ by_cluster) @ bread)[:k, :k] * factor


@pytest.mark.parametrize("estimator", [did.imputation, did.sun_abraham, did.extended_twfe])
def test_the_average_from_the_third_period_weighs_groups_and_times_by_their_rows(estimator) -> None:  # type: ignore[no-untyped-def]
    rows = staggered()
    result = estimator(rows, **COLUMNS)
    effects = result.effects[result.effects["event_time"] >= 2]
    mass = rows.groupby(["entry", "time"])["size"].sum()
    weights = [mass[row.group, row.time] for row in effects.itertuples()]
    late = result.aggregate("simple", min_event=2)
    assert late.estimate == pytest.approx(np.average(effects["estimate"], weights=weights), abs=1e-12)
    assert late.table["estimate"].tolist() == [late.estimate]
    all_years = result.aggregate("simple")
    assert all_years.estimate == pytest.approx(result.estimate, abs=1e-14)


def test_the_error_of_that_average_is_the_contrast_s() -> None:
    rows = staggered()
    result = did.extended_twfe(rows, **COLUMNS, vcov="cr1")
    cells = result.aggregate("group_time")
    keys = [f"{row.group},{row.time}" for row in cells.table.itertuples()]
    label = rows["entry"].astype(str) + "," + rows["time"].astype(str)
    beta, covariance = dummies(rows, np.column_stack([(label == key).to_numpy(float) for key in keys]))
    np.testing.assert_allclose(cells.table["estimate"], beta, atol=1e-10)
    late = (cells.table["event_time"] >= 2).to_numpy()
    share = np.array([rows.loc[label == key, "size"].sum() for key in keys]) * late
    share /= share.sum()
    assert result.aggregate("simple", min_event=2).se == pytest.approx(np.sqrt(share @ covariance @ share), rel=1e-9)


def test_the_reference_of_a_group_is_its_last_period_before_entry() -> None:
    rows = staggered()
    result = did.event_study(rows, **COLUMNS, vcov="cr1", reference="last", min_event=-3, max_event=3)
    event = (rows["time"] - rows["entry"]).where(rows["entry"] > 0).clip(-3, 3)
    base = {4: 3, 5: 3, 6: 5}
    event = event.mask(rows["time"] == rows["entry"].map(base))
    values = sorted(event.dropna().unique())
    assert result.table["event_time"].tolist() == [-3, -2, -1, 0, 1, 2, 3]
    beta, covariance = dummies(rows, np.column_stack([(event == value).to_numpy(float) for value in values]))
    table = result.table.set_index("event_time")
    np.testing.assert_allclose(table.loc[values, "estimate"], beta, atol=1e-10)
    np.testing.assert_allclose(table.loc[values, "se"], np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert -1 not in values
    assert table.loc[-1, "estimate"] == 0
    assert np.isnan(table.loc[-1, "se"])
    mass = np.array([rows.loc[event == value, "size"].sum() * (value >= 2) for value in values])
    late = result.aggregate("simple", min_event=2)
    assert late.estimate == pytest.approx(beta @ mass / mass.sum(), abs=1e-10)


def test_without_gaps_the_last_period_before_entry_is_event_time_minus_one() -> None:
    rows = staggered()
    rows = rows[rows["entry"] != 5]
    usual, last = (did.event_study(rows, **COLUMNS, reference=one) for one in (-1, "last"))
    pd.testing.assert_frame_equal(usual.table, last.table)


@pytest.mark.parametrize(("kind", "min_event"), [("dynamic", 2), ("simple", -1), ("simple", 9)])
def test_a_window_that_makes_no_sense_is_refused(kind: str, min_event: float) -> None:
    with pytest.raises(did.DidError, match="event"):
        did.imputation(staggered(), **COLUMNS).aggregate(kind, min_event=min_event)


def test_late_entrants_of_an_event_study_are_never_treated_or_have_event_times() -> None:
    rows = staggered().query("time < 6")
    as_never = did.event_study(rows, **COLUMNS, vcov="cr1", reference="last")
    pd.testing.assert_frame_equal(
        as_never.table,
        did.event_study(rows.assign(entry=rows["entry"].replace(6, 0)), **COLUMNS, vcov="cr1", reference="last").table,
    )
    result = did.event_study(rows, **COLUMNS, vcov="cr1", reference="last", late_entry="group")
    event = (rows["time"] - rows["entry"]).where(rows["entry"] > 0)
    event = event.mask(rows["time"] == rows["entry"].map({4: 3, 5: 3, 6: 5}))
    values = sorted(event.dropna().unique())
    beta, covariance = dummies(rows, np.column_stack([(event == value).to_numpy(float) for value in values]))
    table = result.table.set_index("event_time").loc[values]
    np.testing.assert_allclose(table["estimate"], beta, atol=1e-10)
    np.testing.assert_allclose(table["se"], np.sqrt(np.diag(covariance)), rtol=1e-9)

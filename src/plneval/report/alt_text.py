"""Texts for readers who cannot see a figure, built from the data that it draws."""

from __future__ import annotations

import pandas as pd

from plneval.report.direction import axis_unit, axis_units
from plneval.report.formats import interval, listed, number, plural, word
from plneval.report.load import Released, rows_of
from plneval.report.model_wording import ESTIMATORS


def effect_by_year(released: Released, data: pd.DataFrame) -> str:
    """Estimates by year of participation, each with its interval."""
    what = "effect" if released.is_causal else "difference found"
    label = released.headline_label
    before = [
        f"{abs(row.event_time)} years before joining {_estimate(row)}" for row in rows_of(data) if row.event_time < 0
    ]
    after = [f"year {row.event_time + 1} {_estimate(row)}" for row in rows_of(data) if row.event_time >= 0]
    unit = axis_unit(released, released.headline_model)
    text = f"Points with confidence intervals: {what} in {unit}, {label}, by year of participation. "
    return text + "; ".join([*after, *before]).replace("1 years", "1 year") + "."


def effect_by_year_and_model(released: Released, data: pd.DataFrame) -> str:
    """Estimates by year of participation of every model."""
    parts = []
    for _, mine in data.groupby("model", sort=False):
        values = [f"event time {number(row.event_time, 0)} {_estimate(row)}" for row in rows_of(mine)]
        parts.append(f"{mine['label'].iloc[0]}: {'; '.join(values)}")
    text = f"Panels of points with confidence intervals, one for each model, in {axis_units(released, data)}"
    return f"{text}. {'. '.join(parts)}."


def trends(released: Released, data: pd.DataFrame) -> str:
    """Means by year of every group."""
    parts = []
    for (outcome, group), mine in data.groupby(["outcome", "group"], sort=False):
        name = {"member": "member schools", "comparison": "comparison schools"}.get(
            str(group), f"schools that joined in {group}"
        )
        values = ", ".join(f"{row.year} {number(row.mean_z)}" for row in rows_of(mine))
        parts.append(f"{released.outcome_label(str(outcome))}, {name}: {values}")
    return f"Lines of the mean by year with confidence intervals. {'. '.join(parts)}."


def baseline_differences(data: pd.DataFrame, satisfied: float, adjustment: float) -> str:
    """Standardised differences before joining and the bands behind them."""
    values = "; ".join(f"{row.label} {number(row.hedges_g, 2, signed=True)}" for row in rows_of(data))
    bands = f"bands mark differences up to {number(satisfied)} and up to {number(adjustment)}"
    return f"Points: standardised differences between members and comparison schools before joining; {bands}. {values}."


def estimates_by_estimator(released: Released, data: pd.DataFrame) -> str:
    """Estimates from the third year on, by model."""
    values = "; ".join(
        f"{row.label} ({ESTIMATORS.get(row.estimator, word(row.estimator))}) {_estimate(row)}" for row in rows_of(data)
    )
    unit = axis_unit(released, released.headline_model)
    return f"Points with confidence intervals: estimate from the third year on in {unit}, by estimator. {values}."


def sample_flow(data: pd.DataFrame) -> str:
    """Schools that remain and are excluded, step by step."""
    parts = []
    for stage, mine in data.groupby("stage", sort=False):
        counts = []
        for row in rows_of(mine):
            arm = {"member": "member schools", "comparison": "comparison schools", "all": "schools"}.get(
                row.arm, row.arm
            )
            remaining = plural(row.remaining, arm[:-1], arm) if not pd.isna(row.remaining) else f"{arm}: not shown"
            excluded = (
                ""
                if pd.isna(row.excluded) or row.excluded == 0
                else f" ({number(row.excluded, 0)} excluded: {row.reason})"
            )
            counts.append(f"{remaining}{excluded}")
        parts.append(f"{stage}: {listed(counts)}")
    return f"Flow diagram of schools. {'. '.join(parts)}."


def _estimate(row: object) -> str:
    """An estimate with its interval."""
    estimate, low, high = (getattr(row, name) for name in ("estimate", "ci_low", "ci_high"))
    if pd.isna(low) or pd.isna(high):
        return f"{number(estimate)}, without interval"
    return f"{number(estimate)} ({interval(low, high)})"

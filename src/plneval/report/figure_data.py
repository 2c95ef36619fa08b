"""The data behind every figure: what is drawn is exactly what stands in ``release/data/<figure>.csv``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from plneval.artifacts import write_text
from plneval.report.equity_data import EQUITY_FIGURES
from plneval.report.exposure_data import EXPOSURE_FIGURES
from plneval.report.load import Released
from plneval.report.membership_data import leaving_over_time, members_over_time, network_structure
from plneval.report.spread_data import SPREAD_FIGURES
from plneval.report.tie_data import TIE_FIGURES

ARMS = ("member", "comparison", "all")
_NORMAL_95 = 1.959964
"""Half width of a 95 % normal interval in standard errors."""


def effect_by_year(released: Released) -> pd.DataFrame:
    """Event-time estimates of the headline's model, one row for each event time that may be shown.

    Columns: event_time, year_of_participation (event time + 1; missing before joining), estimate, ci_low, ci_high (in
    ``unit``), n_schools, unit.
    """
    return _event_times(released, released.headline_rows).drop(columns=["model", "label", "estimator"])


def effect_by_year_and_model(released: Released) -> pd.DataFrame:
    """Event-time estimates of every model that has them; columns as :func:`effect_by_year`, with the model's name."""
    return _event_times(released, released["records"])


def _event_times(released: Released, records: pd.DataFrame) -> pd.DataFrame:
    rows = records[(records["estimand"] == "att_event_time") & records["estimate"].notna()]
    data = pd.DataFrame(
        {
            "model": rows["model"],
            "label": rows["label"],
            "estimator": rows["estimator"],
            "event_time": rows["event_time"].astype("Int64"),
            "year_of_participation": (rows["event_time"] + 1).where(rows["event_time"] >= 0).astype("Int64"),
            "estimate": rows["estimate"],
            "ci_low": rows["ci_low"],
            "ci_high": rows["ci_high"],
            "n_schools": rows["n_schools"],
            "unit": [released.unit(name) for name in rows["model"]],
        }
    )
    # Models keep their order in the records, the headline's first.
    order = {name: i for i, name in enumerate(dict.fromkeys([released.headline_model, *records["model"]]))}
    ranked = data.assign(_rank=data["model"].map(order).astype("int64"))
    return ranked.sort_values(["_rank", "event_time"]).drop(columns="_rank").reset_index(drop=True)


def trends(released: Released) -> pd.DataFrame:
    """Mean of the headline's outcome by year, members against comparison schools, with 95 % normal intervals.

    Columns: outcome, group, year, mean_z, low, high, n_schools.
    """
    rows = _trend_rows(released)
    shown = rows["group"].isin(["member", "comparison"]) & (rows["outcome"] == released.headline_outcome)
    return rows[shown].reset_index(drop=True)


def trends_by_entry_year(released: Released) -> pd.DataFrame:
    """Mean of every outcome by year, for comparison schools and each entry group; columns as :func:`trends`.

    An outcome without entry groups that may be shown has the members taken together.
    """
    rows = _trend_rows(released)
    has_groups = rows.groupby("outcome")["group"].transform(lambda groups: groups.str.isdigit().any())
    return rows[(rows["group"] != "member") | ~has_groups].reset_index(drop=True)


def _trend_rows(released: Released) -> pd.DataFrame:
    table = released["trends"]
    rows = table[(table["subgroup"] == "all") & table["mean_z"].notna()]
    data = rows[["outcome", "group", "year", "mean_z"]].copy()
    data["low"] = rows["mean_z"] - _NORMAL_95 * rows["se"]
    data["high"] = rows["mean_z"] + _NORMAL_95 * rows["se"]
    data["n_schools"] = rows["n_schools"]
    # The headline's outcome comes first, the others in the order of their names.
    order = {name: (name != released.headline_outcome) * i for i, name in enumerate(released.study["outcomes"], 1)}
    ranked = data.assign(_rank=data["outcome"].map(order).astype("int64"))
    return ranked.sort_values(["_rank", "group", "year"]).drop(columns="_rank").reset_index(drop=True)


def baseline_differences(released: Released) -> pd.DataFrame:
    """Standardised differences before joining. Columns: covariate, label, hedges_g, standardiser, category."""
    table = released["baseline"]
    rows = table[table["hedges_g"].notna()]
    return rows[["covariate", "label", "hedges_g", "standardiser", "category"]].reset_index(drop=True)


def estimates_by_estimator(released: Released) -> pd.DataFrame:
    """The estimate from the third year on, by every model of the headline's outcome and pupils.

    Columns: model, label, estimator, role, estimate, ci_low, ci_high, unit.
    """
    records = released["records"]
    mine = released.model(released.headline_model)
    rows = records[
        (records["estimand"] == "att_third_year_on")
        & (records["outcome"] == mine["outcome"])
        & (records["subgroup"] == mine["subgroup"])
        & records["estimate"].notna()
    ]
    data: pd.DataFrame = rows[["model", "label", "estimator", "role", "estimate", "ci_low", "ci_high"]].copy()
    data["unit"] = [released.unit(name) for name in rows["model"]]
    first = data["model"] == released.headline_model
    ordered: pd.DataFrame = pd.concat([data[first], data[~first]])
    return ordered.reset_index(drop=True)


def honest_bounds(released: Released) -> pd.DataFrame:
    """Intervals of the headline under violations of parallel trends, where they may be shown.

    Columns: kind, m, ci_low, ci_high, excludes_zero, estimate, unit.
    """
    table = released["honest"]
    rows = table[table["ci_low"].notna()]
    data: pd.DataFrame = rows[["kind", "m", "ci_low", "ci_high", "excludes_zero", "estimate"]].reset_index(drop=True)
    return data.assign(unit=released.unit(released.headline_model))


def sample_flow(released: Released) -> pd.DataFrame:
    """Schools that remain after each step, by arm where arms are known.

    Columns: step, stage, arm, remaining, excluded, reason.
    """
    table = released["flow"]
    rows = table[(table["unit"] == "schools") & (table["outcome"].fillna("") == "")]
    data = rows[["step", "stage", "arm", "remaining", "excluded", "reason"]].copy()
    if set(data["arm"]) > {"all"}:
        data = data[data["arm"] != "all"]
    data["_arm"] = data["arm"].map({arm: i for i, arm in enumerate(ARMS)})
    return data.sort_values(["step", "_arm"]).drop(columns="_arm").reset_index(drop=True)


FIGURES: dict[str, Callable[[Released], pd.DataFrame]] = {
    "effect_by_year": effect_by_year,
    "trends": trends,
    "sample_flow": sample_flow,
    "baseline_differences": baseline_differences,
    "trends_by_entry_year": trends_by_entry_year,
    "estimates_by_estimator": estimates_by_estimator,
    "effect_by_year_and_model": effect_by_year_and_model,
    "honest_bounds": honest_bounds,
    "members_over_time": members_over_time,
    "leaving_over_time": leaving_over_time,
    "network_structure": network_structure,
    **TIE_FIGURES,
    **EXPOSURE_FIGURES,
    **SPREAD_FIGURES,
    **EQUITY_FIGURES,
}
"""Every figure of both reports, by the name of its CSV file."""


def write_all(released: Released, folder: Path) -> list[Path]:
    """Write ``<figure>.csv`` for every figure; numbers in full, missing values empty, words safe in a spreadsheet."""
    written = []
    for name, data_of in FIGURES.items():
        data = data_of(released)
        for column in data.columns:
            if pd.api.types.is_string_dtype(data[column].dtype):
                data[column] = data[column].map(_no_formula, na_action="ignore")
        path = folder / f"{name}.csv"
        write_text(path, data.to_csv(index=False, lineterminator="\n"))
        written.append(path)
    return written


def _no_formula(text: str) -> str:
    """A word that a spreadsheet will not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

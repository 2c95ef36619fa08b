"""The tables of models: what each estimated, how it was recomputed, and whether it finds what was planted."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report import direction, equity_names, exposure_names, formats, model_wording
from plneval.report.load import Released, rows_of
from plneval.report.tables import STATUSES, counts, intervals, numbers, p_values, texts

_AGGREGATES = {
    "att_third_year_on": "From the third year on",
    "att_third_year_on_equal": "From the third year on, event times weighted equally",
    "att_overall": "All years of participation",
    "att_new_network": "From the third year on, in a new network (prediction interval)",
    "between_network_sd": "Standard deviation of the effect between networks",
    "att_leaving": "Leaving, for each outcome year outside",
    "att_after_leaving": "After leaving, against schools that never join",
    "att_switching": "Membership, for each outcome year of it",
    "att_switching_year": "In the year of a switch",
    "network_effect_mean": "Mean over networks, from the third year on",
    "networks_below_zero": "Share of networks with an effect below zero",
    "moderation_slope": "Difference for one SD of the condition, adjusted for reliability",
    "moderation_slope_naive": "Difference for one SD of the condition, not adjusted",
    "path_practice": "Practice, for a year of participation",
    "path_slope": "Results, for a point of practice",
    "path_indirect": "Results over practice, for a year of participation (indirect)",
    "path_direct": "Results otherwise, for a year of participation (direct)",
    "path_slope_naive": "Results, for a point of practice, not adjusted for its error",
    "path_indirect_naive": "Results over practice, for a year of participation (indirect), not adjusted",
    "path_direct_naive": "Results otherwise, for a year of participation (direct), not adjusted",
    "path_total": "Results, for a year of participation (total)",
    "path_reliability": "Reliability of practice, participation held fixed",
    "path_rho_at_zero": "Correlation of errors at which nothing is left of the indirect path",
    **exposure_names.AGGREGATES,
    **equity_names.AGGREGATES,
    "pretrend": "Joint test of trends before joining (statistic)",
}
_BY_TERM = {
    "moderation_slope": "one SD, adjusted for reliability",
    "moderation_slope_naive": "one SD, not adjusted",
}
"""Estimands of which a model has one for each term, after the term: short, as there may be dozens."""
_EVENT_TIMES = {
    "att_event_time": "Event time",
    "att_leaving_event_time": "Outcome years since leaving:",
    "att_after_leaving_event_time": "Years since the first one out:",
    "att_switching_event_time": "Outcome years since the first switch:",
    **exposure_names.EVENT_TIMES,
}
_YES = {True: "yes", False: "no", "": formats.MISSING}
_ORDER = [*_AGGREGATES, *_EVENT_TIMES, "coefficient"]


def models(released: Released) -> pd.DataFrame:
    """Every model: what it is about, how it was fitted, and how sure its inference is."""
    by_model = released["records"].groupby("model", sort=False)
    first = pd.concat([model_wording.representative(rows) for _, rows in by_model])
    converged = by_model["converged"].all()
    return pd.DataFrame(
        {
            "Model": texts(first["label"]),
            "Estimator": texts(first["estimator"], model_wording.ESTIMATORS),
            "Role": texts(first["role"]),
            "Clusters (members / comparison)": [
                f"{a} / {b}"
                for a, b in zip(counts(first, "clusters_treated"), counts(first, "clusters_comparison"), strict=True)
            ],
            "Covariance": texts(first["vcov"]),
            "Converged": ["yes" if converged[name] else "no" for name in first["model"]],
        }
    )


def estimates(released: Released, model: str) -> pd.DataFrame:
    """Aggregates, event times and terms of one model; group-time cells and variances have tables of their own."""
    records = released["records"]
    rows = records[(records["model"] == model) & records["estimand"].isin(_ORDER)]
    rank = rows["estimand"].map({name: i for i, name in enumerate(_ORDER)})
    rows = rows.assign(_rank=rank).sort_values(["_rank", "event_time"], kind="stable")
    has_size = rows["effect_size"].notna().any()
    frame = pd.DataFrame(
        {
            "Estimand": [estimand_name(row, direction.of_model(released, model)) for row in rows_of(rows)],
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "p": p_values(rows, "p"),
        }
    )
    if has_size:
        frame["Effect size"] = numbers(rows, "effect_size")
        frame["Months"] = numbers(rows, "months", 0)
    frame["Schools"] = counts(rows, "n_schools")
    return frame


def estimate_widths(frame: pd.DataFrame) -> dict[str, float]:
    """Widths for the columns of :func:`estimates`: intervals stay on one line."""
    widths = {"Estimand": 27.0, "Interval": 20.0}
    return {name: widths.get(name, 10.0) for name in frame.columns}


def estimand_name(row: Any, lower_is_better: bool = False) -> str:
    """An estimand in words; those of the gap depend on which direction of the outcome is the better one."""
    if str(row.estimand).startswith("dose_"):
        return exposure_names.by_dose(row)
    if row.estimand in equity_names.AGGREGATES:
        return equity_names.estimand(row, lower_is_better)
    if row.estimand in _AGGREGATES:
        if row.estimand in _BY_TERM:
            return f"{formats.word(row.term)}: {_BY_TERM[row.estimand]}"
        apart = f", {row.term} only" if row.estimand == "att_switching_year" and row.term else ""
        return f"{_AGGREGATES[row.estimand]}{apart}"
    if row.estimand in _EVENT_TIMES:
        return f"{_EVENT_TIMES[row.estimand]} {formats.number(row.event_time, 0)}"
    return formats.word(row.term)


def group_times(released: Released) -> pd.DataFrame:
    """Group-time effects of the headline's model: joined in × year."""
    rows = released.headline_rows
    rows = rows[rows["estimand"] == "att_group_time"]
    # A term is 'g2016:t2018'.
    parts = rows["term"].str.extract(r"^g(\d+):t(\d+)$")
    return pd.DataFrame(
        {
            "Joined in": parts[0],
            "Year": parts[1],
            "Event time": numbers(rows, "event_time", 0),
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Schools": counts(rows, "n_schools"),
        }
    )


def recomputation(released: Released) -> pd.DataFrame:
    """The headline, its parts and other models' main effects computed twice, with the agreement in digits."""
    table = released["recomputed"]
    frame = pd.DataFrame(
        {
            "Estimand": [_recomputed_name(row, released) for row in rows_of(table)],
            "Estimate": numbers(table, "estimate", 3),
            "Recomputed": numbers(table, "recomputed", 3),
            "SE": numbers(table, "se", 3),
            "SE recomputed": numbers(table, "se_recomputed", 3),
            "Digits": numbers(table, "digits", 1),
            "Agrees": ["yes" if value else "no" for value in table["agrees"].fillna(False)],
            "By": texts(table["by"]),
        }
    )
    # One program for all stands in the caption instead.
    return frame.drop(columns="By") if frame["By"].nunique() == 1 else frame


def recomputation_caption(released: Released) -> str:
    """The caption of :func:`recomputation`, with the program that computed again where it is one."""
    programs = sorted(set(released["recomputed"]["by"].dropna()))
    by = programs[0] if len(programs) == 1 else "other software"
    return f"The headline, its parts and the main effects of other models, computed again by {by}; agreement in digits."


def _recomputed_name(row: Any, released: Released) -> str:
    if row.estimand in equity_names.AGGREGATES:
        about = equity_names.estimand(row, direction.of_model(released, row.model))
        return f"{formats.word(row.model)}: {about}"
    if str(row.estimand).startswith("dose_"):
        return f"{formats.word(row.model)}: {exposure_names.by_dose(row).lower()}"
    if row.model != released.headline_model:
        return f"{formats.word(row.model)}: {_AGGREGATES.get(row.estimand, row.estimand).lower()}"
    if row.estimand in _AGGREGATES:
        return _AGGREGATES[row.estimand]
    return formats.word(row.term) if not formats.is_missing(row.term) and row.term else formats.word(row.estimand)


def recoveries(released: Released) -> list[tuple[str, str, pd.DataFrame]]:
    """Planted effects and the estimates of them, in simulated studies: label, caption and table of every model."""
    table = released["recovery"]
    names = released["records"].drop_duplicates("model").set_index("model")["label"]
    found = []
    for model in dict.fromkeys(table["model"]):
        frame = _recovery(table[table["model"] == model], direction.of_model(released, model))
        label = f"tbl-recovery-{model.replace('_', '-')}"
        found.append(
            (label, f"Planted effects and the estimates of them: {formats.word(names.get(model, model))}.", frame)
        )
    return found


def _recovery(table: pd.DataFrame, lower_is_better: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Estimand": [_recovered_name(row, lower_is_better) for row in rows_of(table)],
            "Estimate": numbers(table, "estimate", 3),
            "SE": numbers(table, "se", 3),
            "Planted": numbers(table, "truth", 3),
            "Distance in SE": numbers(table, "z"),
            "Within the interval": [_YES[value] for value in table["covered"].astype("object").fillna("")],
        }
    )


def _recovered_name(row: Any, lower_is_better: bool) -> str:
    if row.estimand in _BY_TERM:
        return f"{formats.word(row.term)}: {_BY_TERM[row.estimand]}"
    if row.estimand in equity_names.AGGREGATES:
        return equity_names.estimand(row, lower_is_better)
    if row.estimand == "coefficient":
        return formats.word(row.term)
    words = _EVENT_TIMES.get(row.estimand, "Event time")
    return _AGGREGATES.get(row.estimand) or f"{words} {formats.number(row.event_time, 0)}"


def standards(released: Released) -> pd.DataFrame:
    """Published thresholds and tables that were used; those from memory carry a mark."""
    table = released["standards"]
    table = table[table["used"].fillna(False).astype(bool)]
    return pd.DataFrame(
        {
            "Standard": texts(table["title"]),
            "Version": texts(table["version"]),
            "Status": texts(table["status"], STATUSES),
            "Source": [formats.MISSING if formats.is_missing(text) else str(text) for text in table["source"]],
        }
    )

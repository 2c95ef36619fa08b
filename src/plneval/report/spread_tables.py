"""Tables about differences between networks, questionnaires, conditions, practice over waves and the path over it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report import direction, formats
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, numbers, p_values, texts, years

SPREAD = {
    "network_effect_mean": "Mean over networks",
    "between_network_sd": "Standard deviation between networks",
    "att_new_network": "A new network (prediction interval)",
    "networks_below_zero": "Share of networks below zero",
}
ROLES = {"participant": "participants", "colleague": "colleagues", "leader": "leaders"}
TIMINGS = {
    "before_or_early": "before, or up to a year after joining",
    "during": "during participation",
    "after_outcome": "after the outcome",
}
STATES = {
    "fitted": "fitted",
    "fitted_improper": "fitted, with a variance or a correlation out of bounds",
    "sample_too_small": "sample too small",
    "not_identified": "not identified",
    "singular": "an item is a sum of others",
    "not_converged": "did not converge",
}
PATH = {
    "path_practice": "Practice, for a year of participation (points)",
    "path_slope": "Results, for a point of practice",
    "path_indirect": "Results over practice, for a year of participation",
    "path_direct": "Results otherwise, for a year of participation",
    "path_total": "Results, for a year of participation",
    "path_rho_at_zero": "Correlation of errors at which nothing of the indirect path is left",
}


def spread(released: Released) -> pd.DataFrame:
    """How far the effect differs between networks, by networks' own estimates and by growth models side by side."""
    records = released["records"]
    rows = records[records["estimand"].isin(list(SPREAD)) & ~_levels(records)]
    rank = rows["estimand"].map({name: place for place, name in enumerate(SPREAD)})
    rows = rows.assign(_rank=rank).sort_values(["_rank"], kind="stable")
    return pd.DataFrame(
        {
            "Quantity": [_quantity(released, row) for row in rows_of(rows)],
            "Estimated from": ["networks" if own else "pupils' growth" for own in _own(rows)],
            "Estimate": numbers(rows, "estimate", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Networks": counts(rows, "n_networks"),
        }
    )


def _quantity(released: Released, row: Any) -> str:
    words = SPREAD[str(row.estimand)]
    lower = row.estimand == "networks_below_zero" and direction.lower_is_better(released, row.outcome)
    return f"{words} (the better side)" if lower else words


def _own(rows: pd.DataFrame) -> list[bool]:
    return [str(name).startswith("networks.") for name in rows["estimator"]]


def _levels(records: pd.DataFrame) -> pd.Series:
    """Spread of networks' levels in growth models, which is not that of their effects."""
    return (
        (records["estimand"] == "between_network_sd")
        & ~records["term"].fillna("").str.startswith(("treated", "C("))
        & (records["estimator"] == "multilevel")
    )


def no_spread(released: Released) -> str:
    """Why nothing is said about the spread between networks."""
    if released.single_network:
        return (
            "There is one network only. How far networks differ from one another cannot be estimated, and what was "
            "found speaks of this network alone."
        )
    return "How far the effect differs between networks was not estimated: no model of it could be fitted."


def spread_note(released: Released) -> str:
    """What the spread rests on, and what is withheld."""
    records = released["records"]
    own = records[(records["estimand"] == "between_network_sd") & (records["estimator"] == "networks.spread")]
    if own.empty:
        return ""
    shown = len(released["network_caterpillar"])
    row = own.iloc[0]
    total = int(row["n_networks"]) if not formats.is_missing(row["n_networks"]) else None
    text = (
        "Each network's effect is that of its schools against schools that never join. With few schools in a network "
        "its own error cannot be told: schools are taken to vary alike around their network's effect. Whatever else "
        "the schools of one network share, shocks of a year included, counts as the network's effect, so the standard "
        "deviation, and the share of networks on the other side of zero than their mean, are upper readings. "
        "The table's second source is the growth model, which takes pupils' growth and all years into one model."
    )
    if total is None:
        return text
    left = total - shown
    if not shown:
        return f"{text} No network is shown on its own: too few schools stand behind each."
    if left:
        return (
            f"{text} {formats.plural(left, 'network')} of {total} may not be shown: too few schools stand behind them."
        )
    return f"{text} All {total} networks may be shown{'' if released.networks_named else ', without their names'}."


def instrument(released: Released) -> list[str]:
    """What the questionnaires are and what their makers say of their quality."""
    table = released["survey_instrument"]
    if table.empty:
        return ["The study declares no questionnaire, so nothing is known of conditions, practice and policy."]
    first = table.iloc[0]
    answered = [str(label) for label, used in zip(table["label"], table["answered"], strict=True) if used]
    lines = [f"{first['title']}. {first['note']}".strip()]
    silent = len(table) - len(answered)
    used = formats.listed(answered) if answered else "none of its questionnaires"
    unused = (
        f" {formats.plural(silent, 'questionnaire')} of the instrument stood unused." if silent and answered else ""
    )
    return [*lines, f"Answered was: {used}.{unused}"]


def scales(released: Released) -> pd.DataFrame:
    """Reliability of every scale in every wave."""
    table = released["survey_scales"]
    return pd.DataFrame(
        {
            "Scale": texts(table["label"]),
            "Wave": texts(table["wave"]),
            "People": counts(table, "n"),
            "Mean": numbers(table, "mean"),
            "SD": numbers(table, "sd"),
            "Alpha": numbers(table, "alpha"),
            "Interval": intervals(table, "alpha_low", "alpha_high"),
            "Omega": numbers(table, "omega_total"),
        }
    )


def items(released: Released) -> pd.DataFrame:
    """How every item goes with the rest of its scale, in the wave of its questionnaire that most people answered."""
    every = released["survey_items"]
    most = every.sort_values("n", ascending=False, kind="stable").drop_duplicates("form").set_index("form")["wave"]
    table = every[every["wave"] == every["form"].map(most)]
    mark = [" (reversed)" if turned else "" for turned in table["reverse"].fillna(False)]
    return pd.DataFrame(
        {
            "Item": [f"{text}{turned}" for text, turned in zip(texts(table["wording"]), mark, strict=True)],
            "Wave": texts(table["wave"]),
            "People": counts(table, "n"),
            "Mean": numbers(table, "mean"),
            "SD": numbers(table, "sd"),
            "With the rest": numbers(table, "r_drop"),
            "Alpha without": numbers(table, "alpha_if_dropped"),
        }
    )


def agreement(released: Released) -> pd.DataFrame:
    """How far members of one network, or of one school, agree on conditions, of which networks' means are used."""
    every = released["survey_agreement"]
    measures = released["survey_scales"].drop_duplicates(["form", "scale"]).set_index(["form", "scale"])["measures"]
    keys = pd.MultiIndex.from_frame(every[["form", "scale"]])
    table = every[measures.reindex(keys).eq("condition").fillna(False).to_numpy(dtype=bool)]
    return pd.DataFrame(
        {
            "Scale": texts(table["label"]),
            "Wave": texts(table["wave"]),
            "Within": texts(table["level"]),
            "Groups": counts(table, "n_groups"),
            "ICC(1)": numbers(table, "icc1"),
            "ICC(2)": numbers(table, "icc2"),
            "Interval": intervals(table, "icc2_low", "icc2_high"),
            "r_wg (median)": numbers(table, "r_wg_j_median"),
        }
    )


def factor_models(released: Released) -> pd.DataFrame:
    """The factor model of every questionnaire and wave, or why there is none."""
    table = released["survey_factor_model"]
    return pd.DataFrame(
        {
            "Questionnaire": texts(table["form"]),
            "Wave": texts(table["wave"]),
            "State": texts(table["state"], STATES),
            "People / needed": [
                f"{a} / {b}" for a, b in zip(counts(table, "n"), counts(table, "n_needed"), strict=True)
            ],
            "χ² (df)": [
                f"{value} ({df})" if value != formats.MISSING else formats.MISSING
                for value, df in zip(numbers(table, "chi2", 1), counts(table, "df"), strict=True)
            ],
            "CFI": numbers(table, "cfi"),
            "RMSEA": numbers(table, "rmsea"),
            "SRMR": numbers(table, "srmr"),
        }
    )


def notes(released: Released) -> pd.DataFrame:
    """Answers that were not used."""
    table = released["survey_notes"]
    return pd.DataFrame(
        {
            "Questionnaire": texts(table["form"]),
            "Wave": texts(table["wave"]),
            "Answers": counts(table, "count"),
            "What happened": texts(table["text"]),
        }
    )


def moderation(released: Released) -> pd.DataFrame:
    """Every condition that was tried, with p adjusted for their number."""
    table = released["moderation_conditions"]
    return pd.DataFrame(
        {
            "Condition": texts(table["label"]),
            "Adjusted": numbers(table, "estimate", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
            "Not adjusted": numbers(table, "naive", 3),
            "Reliability": numbers(table, "reliability"),
            "p": p_values(table, "p"),
            "p (Holm)": p_values(table, "p_holm"),
            "p (BH)": p_values(table, "p_fdr"),
            "Networks": counts(table, "n_networks"),
        }
    )


def moderation_notes(released: Released) -> list[str]:
    """What stands behind the slopes: when conditions were measured, what was left out, and why."""
    table = released["moderation_conditions"]
    said: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        for sentence in _said(row):
            said.setdefault(sentence, []).append(str(row["label"]))
    everybody = len(table)
    return [
        f"{'All' if len(names) == everybody else formats.listed(names)}: {sentence}."
        for sentence, names in said.items()
    ]


def _said(row: dict[Any, Any]) -> list[str]:
    if row["state"] != "estimated":
        return [str(row["reason"])]
    timing = str(row["timing"])
    told = [] if timing in ("", "during") else [f"measured {TIMINGS.get(timing, timing)}"]
    warned = "" if formats.is_missing(row["warnings"]) else str(row["warnings"])
    return [*told, *(part for part in warned.split("; ") if part)]


def practice(released: Released) -> pd.DataFrame:
    """Practice and policy by wave and who answered, with the change since each network's first wave."""
    table = released["practice_waves"]
    return pd.DataFrame(
        {
            "Scale": texts(table["label"]),
            "Answered by": texts(table["role"], ROLES),
            "Wave": texts(table["wave"]),
            "Year": years(table["year"]),
            "People": counts(table, "n_respondents"),
            "Mean": numbers(table, "mean"),
            "Interval": intervals(table, "ci_low", "ci_high"),
            "Change": numbers(table, "change", signed=True),
            "Interval of change": intervals(table, "change_low", "change_high"),
        }
    )


def path(released: Released) -> pd.DataFrame:
    """The path over practice."""
    records = released["records"]
    rows = records[records["estimand"].isin(list(PATH))]
    rank = rows["estimand"].map({name: place for place, name in enumerate(PATH)})
    rows = rows.assign(_rank=rank).sort_values(["model", "_rank"], kind="stable")
    return pd.DataFrame(
        {
            "Path": texts(rows["estimand"], PATH),
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Schools": counts(rows, "n_schools"),
        }
    )

"""Tables about differences between networks, questionnaires, practice over waves and the path over it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report import direction, formats
from plneval.report.load import Released, rows_of
from plneval.report.long_forms import without_long
from plneval.report.tables import counts, intervals, numbers, texts, years

SPREAD = {
    "network_effect_mean": "Mean over networks",
    "between_network_sd": "Standard deviation between networks",
    "att_new_network": "A new network (prediction interval)",
    "networks_below_zero": "Share of networks below zero",
}
ROLES = {"participant": "participants", "colleague": "colleagues", "leader": "leaders"}
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
    "path_reliability": "Reliability of practice, participation held fixed",
    "path_rho_at_zero": "Correlation of errors at which nothing of the indirect path is left",
}
NOT_ADJUSTED = {name: f"{name}_naive" for name in ("path_slope", "path_indirect", "path_direct")}
"""Records of the path adjusted for the error in practice, and those beside them that are not."""


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
    """Reliability of every scale in every wave, questionnaires with many scales left out."""
    table = without_long(released, "survey_scales")
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
            "Standard": _standings(table, "standard"),
        }
    )


def reliability_words() -> str:
    """What alpha, omega, ICC and r_wg say, with the numbers of the standard that they are held against."""
    from plneval.standards import load

    quality = load("survey_quality")
    reliability, icc2, r_wg = (
        formats.number(value) for value in (quality.minimum_reliability, quality.minimum_icc2, quality.minimum_r_wg)
    )
    return (
        f"Alpha and omega say how well the items of a scale go together; below {reliability} a scale measures with "
        "much error. ICC(1) is the share of the scores' variance that lies between networks or schools, ICC(2) the "
        f"reliability of their means (at least {icc2}), r_wg the agreement within them (median at least {r_wg}). r_wg "
        "compares with answers spread evenly over the scale (the uniform null) and with nothing else: where people "
        "tend to one side of a scale whatever they think, it is too high. The standards are conventions from "
        "published work, quoted from memory; a scale or mean below them is still shown."
    )


def _standings(table: pd.DataFrame, *columns: str) -> list[str]:
    """Whether coefficients reach their standard, in one word, or which of two do not; ``c`` where withheld."""
    names = {"icc2_standard": "ICC(2)", "r_wg_standard": "r_wg"}
    said = []
    for row in table.to_dict("records"):
        if any(row.get(f"{column}_suppressed") is True for column in columns):
            said.append(formats.SUPPRESSED)
            continue
        words = {column: "" if formats.is_missing(row[column]) else str(row[column]) for column in columns}
        below = [names.get(column, "") for column, word in words.items() if word == "below"]
        if len(below) == len(columns):
            said.append("below" if len(below) == 1 else "both below")
        elif below:
            said.append(f"{below[0]} below")
        else:
            said.append("met" if "met" in words.values() else formats.MISSING)
    return said


def items(released: Released) -> pd.DataFrame:
    """How every item goes with the rest of its scale, in the wave of its questionnaire that most people answered."""
    every = without_long(released, "survey_items")
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
    every = without_long(released, "survey_agreement")
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
            "Standard": _standings(table, "icc2_standard", "r_wg_standard"),
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


def asked_late(released: Released) -> str:
    """How many schools answered about practice for the first time after their first year; empty where not known."""
    table = released["practice_waves"]
    own = table[(table["measures"] == "practice") & table["schools_asked_late"].notna()]
    if own.empty:
        return ""
    parts = []
    for role, rows in own.groupby("role", sort=False):
        number = int(rows["schools_asked_late"].max())
        schools = formats.plural(number, "school") if number else "no school"
        parts.append(f"{schools} ({ROLES.get(str(role), formats.word(role))})")
    return f"The first answers about practice came after the first year of participation in {formats.listed(parts)}."


def path(released: Released) -> pd.DataFrame:
    """The path over practice, adjusted for the error in practice and, where that makes a difference, not adjusted."""
    records = released["records"]
    rows = records[records["estimand"].isin(list(PATH))]
    rank = rows["estimand"].map({name: place for place, name in enumerate(PATH)})
    rows = rows.assign(_rank=rank).sort_values(["model", "_rank"], kind="stable")
    naive = records[records["estimand"].isin(list(NOT_ADJUSTED.values()))].set_index(["model", "estimand"])
    keys = pd.MultiIndex.from_arrays([rows["model"], rows["estimand"].map(NOT_ADJUSTED)])
    beside = naive.reindex(keys).reset_index(drop=True)
    return pd.DataFrame(
        {
            "Path": texts(rows["estimand"], PATH),
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Not adjusted": numbers(beside, "estimate", 3),
            "Interval, not adjusted": intervals(beside, "ci_low", "ci_high", 3),
            "Schools": counts(rows, "n_schools"),
        }
    )


def path_notes(released: Released) -> list[str]:
    """Why there is no adjusted path, where there is none, what else was warned of, and what the sensitivity is of."""
    records = released["records"]
    rows = records[records["estimand"] == "path_indirect"]
    said = [part for warned in rows["warnings"].dropna() for part in str(warned).split("; ") if part]
    # That the path is exploratory is said above the table.
    notes = [f"{formats.sentence_case(part)}." for part in dict.fromkeys(said) if not part.startswith("exploratory")]
    names = released["mediation_sensitivity"]["path"].unique().tolist()
    for name, words in (("adjusted", "adjusted for the error in practice"), ("naive", "not adjusted")):
        if name in names:
            notes.append(f"What follows about an unobserved cause is of the path that is {words}.")
    return notes

"""Simulated studies: estimates, and the scorecard of sustainability, held against what was planted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import pandas as pd

from plneval.artifacts import read_json
from plneval.challenge.planted_equity import planted_interaction
from plneval.challenge.planted_lasting import planted_criterion
from plneval.challenge.planted_networks import PLANTED
from plneval.challenge.planted_spread import PLANTED_SPREAD
from plneval.config.models import ModelSpec
from plneval.errors import UserError
from plneval.estimate.split_parts import OF_NETWORKS

COLUMNS: Final = {
    "model": "str",
    "estimand": "str",
    "term": "str",
    "event_time": "Int64",
    "estimate": "float64",
    "se": "float64",
    "truth": "float64",
    "z": "float64",
    "covered": "boolean",
}
HEADLINES: Final = {"att_third_year_on": "effect", "att_third_year_on_equal": "equal_event_times"}
"""Estimands → keys of ``truth.json`` under ``headline``."""
BY_EVENT_TIME: Final = "did.att_gt"
"""The estimator whose event times are those of the truth; the two-way event study pools its ends."""


def recovery(truth: Path | None, records: pd.DataFrame, first_networks: bool = True) -> pd.DataFrame:
    """Compare the third-year-on effects of all models, and group-time effects by event time, with the planted ones.

    Planted effects are averages over treated pupils in standard deviations of never- and not-yet-treated pupils of the
    same year and grade, the scale of ``z``. Growth models have one fixed scale (``z_fixed``): there the comparison is
    exact only as far as SDs do not change over years. The planted effect on the gap weighs each group by its own
    pupils, the estimate both by the disadvantaged; the interaction of a growth model weighs school-years by how much
    they say. No effect is planted that a model of leaving or of switchers estimates: they compare with what would have
    been, or count by years of membership.

    Parameters
    ----------
    truth : ``truth.json`` of a simulated study (``docs/simulate.md``); None for a real study.
    records : records of all models.
    first_networks : whether every school counts for its first network, by which the truth tells networks and their
        kinds apart. Otherwise effects by network and by kind of network have no planted value.

    Returns
    -------
    DataFrame
        Columns of :data:`COLUMNS`: ``z`` = (estimate - truth)/se; ``covered``: whether the interval holds the truth;
        both missing without a standard error. No rows for a real study.

    Raises
    ------
    UserError
        If the file is not there or does not hold planted effects.
    """
    if truth is None:
        return _table([])
    planted = _read(truth)
    rows = []
    for record in records.to_dict("records"):
        if not first_networks and _by_network(record):
            continue
        value = planted_effect(planted, record)
        if value is not None and pd.notna(record["estimate"]):
            rows.append(_compared(record, value))
    return _table(rows)


def with_planted(truth: Path | None, card: pd.DataFrame, headline: ModelSpec) -> pd.DataFrame:
    """The scorecard of sustainability with the planted values beside those that were found.

    Products are counted, not sampled, so their shares have no interval and nothing is covered.

    Parameters
    ----------
    truth : ``truth.json`` of a simulated study; None for a real one.
    card : criterion, value, ci_low and ci_high over all networks.
    headline : the model whose outcome the criteria about pupils are about.

    Returns
    -------
    DataFrame
        With the columns ``truth`` and ``covered``; both are missing where nothing is planted or nothing was found.

    Raises
    ------
    UserError
        As :func:`recovery`.
    """
    planted = {} if truth is None else _read(truth)
    values = [_number(planted_criterion(planted, str(criterion), headline)) for criterion in card["criterion"]]
    told = pd.Series(values, index=card.index, dtype="float64").where(card["value"].notna())
    inside = (card["ci_low"] <= told) & (told <= card["ci_high"])
    bounded = told.notna() & card["ci_low"].notna() & card["ci_high"].notna()
    return card.assign(truth=told, covered=inside.astype("boolean").where(bounded))


def _read(truth: Path) -> dict[str, Any]:
    if not truth.exists():
        raise UserError(f"{truth}: the file of planted effects is not there; run `plneval simulate` again.")
    planted = read_json(truth)
    if not isinstance(planted, dict) or "headline" not in planted or "effects" not in planted:
        raise UserError(f"{truth}: no planted effects found (keys 'headline' and 'effects').")
    return planted


def planted_effect(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
    """The planted effect that a record estimates; None where there is none."""
    outcome, subgroup, estimand = record["outcome"], record["subgroup"], record["estimand"]
    if str(record["estimator"]).startswith("networks."):
        of_network = PLANTED.get(estimand)
        return None if of_network is None else _number(of_network(planted, record))
    if estimand == "coefficient":
        return _number(planted_interaction(planted, record))
    if subgroup == "gap":
        gap = planted["effects"].get("gap", {}).get(outcome, {})
        return _number(gap.get("difference")) if estimand == "att_third_year_on" else None
    if estimand in HEADLINES:
        headline = planted["headline"].get(outcome)
        if headline is not None and subgroup != "all":
            headline = headline.get("subgroups", {}).get(subgroup)
        return None if headline is None else _number(headline.get(HEADLINES[estimand]))
    if estimand == "att_event_time" and record["estimator"] == BY_EVENT_TIME and subgroup == "all":
        by_event_time = planted["effects"].get("event_time", {}).get(outcome, {})
        return _number(by_event_time.get(str(record["event_time"]), {}).get("all"))
    return None


def _by_network(record: dict[Any, Any]) -> bool:
    kind = str(record["term"]).split(":")[0]
    return record["estimand"] in PLANTED_SPREAD or (record["estimand"] == "att_split" and kind in OF_NETWORKS)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _compared(record: dict[Any, Any], truth: float) -> dict[str, Any]:
    estimate, se = float(record["estimate"]), record["se"]
    known = pd.notna(se) and float(se) > 0
    bounded = pd.notna(record["ci_low"]) and pd.notna(record["ci_high"])
    return {
        "model": record["model"],
        "estimand": record["estimand"],
        "term": record.get("term") or "",
        "event_time": record["event_time"],
        "estimate": estimate,
        "se": se,
        "truth": truth,
        "z": (estimate - truth) / float(se) if known else None,
        "covered": bool(record["ci_low"] <= truth <= record["ci_high"]) if bounded else None,
    }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in COLUMNS.items()})

"""Released tables about surveys, practice over waves, spread between networks, moderation and mediation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pandas as pd

from plneval.config.report import Disclosure
from plneval.release.door_types import Kind, Statistics, Table

INTERVAL: Final[dict[str, Kind]] = {"ci_low": "estimate", "ci_high": "estimate"}
WHERE: Final[dict[str, Kind]] = {"form": "name", "wave": "term", "scale": "name"}
RELIABILITY: Final = ("mean", "sd", "alpha", "alpha_low", "alpha_high", "omega_total", "mean_correlation")
ITEM: Final = ("mean", "sd", "r_total", "r_drop", "alpha_if_dropped")
AGREEMENT: Final = ("icc1", "icc1_low", "icc1_high", "icc2", "icc2_low", "icc2_high", "r_wg_j_median")
FIT: Final = (
    "chi2",
    "p",
    "cfi",
    "tli",
    "rmsea",
    "rmsea_low",
    "rmsea_high",
    "srmr",
    "lowest_loading",
    "highest_correlation",
)
SLOPES: Final = ("estimate", "ci_low", "ci_high", "naive", "naive_low", "naive_high", "p", "p_holm", "p_fdr")
LEVEL: Final = ("mean", "ci_low", "ci_high", "sd")
CHANGE: Final = ("change", "change_low", "change_high")


def _numbers(names: tuple[str, ...]) -> dict[str, Kind]:
    return dict.fromkeys(names, "estimate")


SPREAD_TABLES: Final[dict[str, Table]] = {
    "survey_instrument": Table(
        "describe",
        {"title": "label", "note": "label", "form": "name", "label": "label", "items": "count", "answered": "flag"},
    ),
    "survey_scales": Table(
        "describe",
        {
            **WHERE,
            "label": "label",
            "measures": "name",
            "n": "people",
            "n_schools": "schools",
            "k": "count",
            **_numbers(RELIABILITY),
            "warnings": "text",
            "standard": "name",
        },
        statistics=(Statistics((*RELIABILITY, "standard"), ("n",), ("n_schools",)),),
    ),
    "survey_items": Table(
        "describe",
        {
            **WHERE,
            "item": "name",
            "wording": "label",
            "reverse": "flag",
            "n": "people",
            "n_schools": "schools",
            **_numbers(ITEM),
        },
        statistics=(Statistics(ITEM, ("n",), ("n_schools",)),),
    ),
    "survey_agreement": Table(
        "describe",
        {
            **WHERE,
            "label": "label",
            "level": "name",
            "n_groups": "schools",
            "n_respondents": "people",
            **_numbers(AGREEMENT),
            "warnings": "text",
            "icc2_standard": "name",
            "r_wg_standard": "name",
        },
        statistics=(Statistics((*AGREEMENT, "icc2_standard", "r_wg_standard"), ("n_respondents",), ("n_groups",)),),
    ),
    "survey_factor_model": Table(
        "describe",
        {
            "form": "name",
            "wave": "term",
            "state": "name",
            "n": "people",
            "n_schools": "schools",
            "n_parameters": "count",
            "n_needed": "count",
            "df": "integer",
            **_numbers(FIT),
        },
        statistics=(Statistics(FIT, ("n",), ("n_schools",)),),
    ),
    "survey_notes": Table(
        "describe", {"rule": "name", "form": "name", "wave": "term", "count": "people", "text": "text"}
    ),
    "practice_waves": Table(
        "describe",
        {
            **WHERE,
            "label": "label",
            "measures": "name",
            "role": "name",
            "year": "year",
            **_numbers(LEVEL),
            **_numbers(CHANGE),
            "n_respondents": "people",
            "n_schools": "schools",
            "n_networks": "count",
            "schools_behind_change": "schools",
            "schools_asked_late": "count",
        },
        statistics=(
            Statistics((*LEVEL, "schools_asked_late"), ("n_respondents",), ("n_schools",)),
            Statistics(CHANGE, ("n_respondents",), ("n_schools", "schools_behind_change")),
        ),
    ),
    "network_caterpillar": Table(
        "challenge",
        {
            "model": "word",
            "position": "integer",
            "shrunken": "estimate",
            **INTERVAL,
            "schools_at_least": "schools",
            "name": "consented",
        },
        # Networks that may not be shown were left out by networks_that_may_be_shown().
        statistics=(Statistics(("shrunken", "ci_low", "ci_high"), schools=("schools_at_least",)),),
    ),
    "moderation_conditions": Table(
        "challenge",
        {
            "model": "word",
            "kind": "name",
            "condition": "name",
            "label": "label",
            "state": "name",
            "reason": "text",
            **_numbers(SLOPES),
            "reliability": "estimate",
            "residual_sd": "estimate",
            "timing": "name",
            "n_networks": "schools",
            "n_schools": "schools",
            "warnings": "text",
        },
        statistics=(Statistics((*SLOPES, "reliability", "residual_sd"), schools=("n_networks", "n_schools")),),
    ),
    "mediation_sensitivity": Table(
        "challenge",
        {
            "model": "word",
            "path": "name",
            "rho": "estimate",
            "indirect": "estimate",
            **INTERVAL,
            "n_schools": "schools",
        },
        statistics=(Statistics(("indirect", "ci_low", "ci_high"), schools=("n_schools",)),),
    ),
}


def networks_that_may_be_shown(
    table: pd.DataFrame, rule: Disclosure, consent: bool, school_names: Collection[str] = ()
) -> pd.DataFrame:
    """The caterpillar of the networks that may be shown, with new positions, and with names only where they consent.

    Networks of fewer schools than the minimum are left out. If that is one network, the one with the next fewest
    schools goes too: together with the mean of all, the others would tell it. Fewer networks than the minimum are not
    shown at all, and how many schools each has is not told, which could name it. A name that holds a school's is left
    out all the same: schools did not agree.
    """
    held = [any(school in str(name) for school in school_names) for name in table["name"]]
    table = table.assign(name=table["name"].mask(pd.Series(held, index=table.index) | (not consent), ""))
    parts = []
    for _, own in table.groupby("model", sort=False):
        few = own["schools_at_least"].lt(rule.minimum_schools).fillna(True).astype(bool)
        kept = own[~few]
        if few.sum() == 1 and len(kept):
            kept = kept.drop(index=kept["schools_at_least"].astype("int64").idxmin())
        if len(kept) >= rule.minimum_schools:
            parts.append(kept.assign(position=range(1, len(kept) + 1), schools_at_least=rule.minimum_schools))
    whole = pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]
    return whole.astype(table.dtypes.to_dict())

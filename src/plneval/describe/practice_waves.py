"""Teachers' practice and school policy over the waves of the surveys, by who answers."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from plneval.networks.answers import scored
from plneval.networks.lasting_change import lasting_change, ordered_waves
from plneval.networks.study import NetworkStudy
from plneval.standards import load

COLUMNS: Final = {
    "form": "str",
    "wave": "str",
    "scale": "str",
    "label": "str",
    "measures": "str",
    "role": "str",
    "year": "Int64",
    "mean": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "sd": "float64",
    "change": "float64",
    "change_low": "float64",
    "change_high": "float64",
    "n_respondents": "Int64",
    "n_schools": "Int64",
    "n_networks": "Int64",
    "schools_behind_change": "Int64",
}


def practice_waves(study: NetworkStudy) -> pd.DataFrame:
    """Scores of practice and policy by scale, role and wave, and their change; columns :data:`COLUMNS`.

    ``mean`` is over respondents, in points of the scale, with a t interval over schools' means. ``change`` is from each
    network's first wave up to this one, averaged over networks by :mod:`plneval.networks.lasting_change`; it is missing
    where too few answered. ``schools_behind_change`` is the smaller number of schools of the first and this wave.
    Nobody in comparison schools was asked, so neither is an effect.

    # ASSUME: the interval takes schools as independent.
    """
    rows: list[dict[str, Any]] = []
    for measured in ("practice", "policy"):
        for name in study.forms_measuring(measured):
            found = scored(study, name)
            if found is None:
                continue
            for scale, about in found.form.scales.items():
                if about.measures == measured:
                    own = found.scores.loc[found.scores["scale"] == scale]
                    key = {"form": name, "scale": scale, "label": about.label, "measures": measured}
                    rows += [{**key, **row} for role in found.form.roles for row in _by_wave(own, role)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _by_wave(scores: pd.DataFrame, role: str) -> list[dict[str, Any]]:
    rules = load("sustainability")
    own = scores.loc[scores["role"] == role].dropna(subset=["score", "school"])
    waves = ordered_waves(own)
    first = own.loc[own["wave"] == waves[0], "school"].nunique() if waves else 0
    rows = []
    for place, wave in enumerate(waves):
        here = own.loc[own["wave"] == wave]
        schools = here.groupby("school")["score"].agg(["mean", "size"])
        mean = float(here["score"].mean())
        half = _half_width(schools, mean, rules.confidence_level)
        change = lasting_change(own, True, rules, waves[: place + 1]) if place else None
        years = here["year"].dropna()
        rows.append(
            {
                "role": role,
                "wave": wave,
                "year": int(years.mode().min()) if len(years) else None,
                "mean": mean,
                "ci_low": mean - half,
                "ci_high": mean + half,
                "sd": float(here["score"].std()),
                "change": None if change is None else change.change.mean,
                "change_low": None if change is None else change.change.ci_low,
                "change_high": None if change is None else change.change.ci_high,
                "n_respondents": len(here),
                "n_schools": len(schools),
                "n_networks": int(here["network"].nunique()),
                "schools_behind_change": None if change is None else min(len(schools), first),
            }
        )
    return rows


def _half_width(schools: pd.DataFrame, mean: float, level: float) -> float:
    """Of the t interval of the mean over respondents, clustered by school: √(g/(g − 1) Σ n²(m − mean)²)/Σ n."""
    from scipy import stats

    g = len(schools)
    if g < 2:
        return float("nan")
    spread = float((schools["size"] ** 2 * (schools["mean"] - mean) ** 2).sum())
    se = math.sqrt(g / (g - 1) * spread) / float(schools["size"].sum())
    return float(stats.t.ppf((1 + level) / 2, g - 1)) * se

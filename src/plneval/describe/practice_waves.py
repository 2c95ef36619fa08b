"""Teachers' practice and school policy over the waves of the surveys, by who answers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.networks.answers import scored
from plneval.networks.cluster_means import ClusterMean, cluster_mean
from plneval.networks.lasting_change import lasting_change, ordered_waves
from plneval.networks.study import NetworkStudy
from plneval.standards import load
from plneval.standards.records import SustainabilityRules

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
    "schools_asked_late": "Int64",
}


def practice_waves(study: NetworkStudy) -> pd.DataFrame:
    """Scores of practice and policy by scale, role and wave, and their change; columns :data:`COLUMNS`.

    ``mean`` is over respondents, in points of the scale, with an interval by network (networks that share schools count
    as one; in a study of one network by school, missing below three). ``change`` is from each network's first wave up
    to this one, averaged over networks by :mod:`plneval.networks.lasting_change`; it is missing where too few answered.
    ``schools_behind_change`` is the smaller number of schools of the first and this wave. Nobody in comparison schools
    was asked, so neither is an effect.

    A wave holds those who are members then: who has left does not answer any more. ``schools_asked_late`` are the
    schools behind the scale and role whose first answers came after their first year of participation; their change
    lacks what came before.
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
                    rows += [{**key, **row} for role in found.form.roles for row in _by_wave(study, own, role)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _by_wave(study: NetworkStudy, scores: pd.DataFrame, role: str) -> list[dict[str, Any]]:
    rules = load("sustainability")
    own = scores.loc[scores["role"] == role].dropna(subset=["score", "network"])
    waves = ordered_waves(own)
    first = own.loc[own["wave"] == waves[0], "school"].nunique() if waves else 0
    late = _asked_late(study, own)
    rows = []
    for place, wave in enumerate(waves):
        here = own.loc[own["wave"] == wave]
        schools = int(here["school"].nunique())
        level = _level(here, own["network"].nunique() > 1, rules)
        change = lasting_change(own, True, rules, waves[: place + 1]) if place else None
        years = here["year"].dropna()
        rows.append(
            {
                "role": role,
                "wave": wave,
                "year": int(years.mode().min()) if len(years) else None,
                "mean": level.estimate,
                "ci_low": level.low,
                "ci_high": level.high,
                "sd": float(here["score"].std()),
                "change": None if change is None else change.change.mean,
                "change_low": None if change is None else change.change.ci_low,
                "change_high": None if change is None else change.change.ci_high,
                "n_respondents": len(here),
                "n_schools": schools,
                "n_networks": int(here["network"].nunique()),
                "schools_behind_change": None if change is None else min(schools, first),
                "schools_asked_late": late,
            }
        )
    return rows


def _level(here: pd.DataFrame, several: bool, rules: SustainabilityRules) -> ClusterMean:
    """The mean over respondents with its interval by cluster: networks, or the schools of the only network."""
    cluster = here["cluster"] if several else here["school"]
    fewest = 2 if several else rules.minimum_schools
    # Of one network an answer without a school has no cluster; it is in no interval and so in no mean.
    sums = here.groupby(cluster, sort=True)["score"].agg(["size", "sum"])
    size, total = (sums[column].to_numpy(dtype=np.float64)[:, None] for column in ("size", "sum"))
    return cluster_mean(size, total, level=rules.confidence_level, clusters=fewest)


def _asked_late(study: NetworkStudy, scores: pd.DataFrame) -> int | None:
    """Schools whose first answers came after their first year of participation; None where none can be placed."""
    entry = study.schools.set_index("school")["entry_year"].astype("Int64")
    first = scores.dropna(subset=["school", "year"]).groupby("school")["year"].min()
    return int((first > first.index.to_series().map(entry)).fillna(False).sum()) if len(first) else None

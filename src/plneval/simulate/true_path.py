"""The planted path participation → practice → pupils, and the planted change of practice, free of noise.

Both are what an estimator would find in the data if teachers answered what is expected of them and scores moved by the
planted effects alone: the same schools, years, waves and averages.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from plneval.simulate.made import MadeStudy
from plneval.simulate.streams import stream
from plneval.simulate.voices import answers_of, wave_years

FULL = 3
"""Years of participation up to which an effect is expected to grow."""


def respondents(made: MadeStudy) -> pd.DataFrame:
    """Who answered about practice: wave, year, role, school, network and ``expected``, the score expected of them."""
    rng = stream(made.simulation.seed, "surveys")
    parts = []
    for wave, year in enumerate(wave_years(made.study), start=1):
        table = answers_of(made, rng, year)
        asked = table.loc[table["role"] != "leader", ["role", "school", "expected:practice"]]
        parts.append(asked.rename(columns={"expected:practice": "expected"}).assign(wave=str(wave), year=year))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(network=made.memberships.network[found["school"].to_numpy()])


def true_path(made: MadeStudy, scored: pd.DataFrame, asked: pd.DataFrame) -> dict[str, Any]:
    """The path between the schools that answered in one wave.

    Parameters
    ----------
    scored : of one subject, by :func:`plneval.simulate.truth.scored_effects`.
    asked : by :func:`respondents`.

    Returns
    -------
    wave and schools; practice (points of practice for a year of participation), slope (effect for a point of practice,
    participation held fixed), indirect (their product), direct (effect for a year of participation, practice held
    fixed) and total, each missing where it has no meaning. The wave is the one in which years of participation, up to
    three, vary most. Practice is the mean over a school's respondents of the score expected of them. The effect is the
    change of the mean planted effect on the school's pupils from the last outcome year before joining, when it was 0,
    to the first one from the survey's year on.
    """
    effect = scored.groupby(["school", "year"])["standardised"].mean().reset_index()
    tables = []
    for wave, own in asked.groupby("wave", sort=True):
        year = int(own["year"].iloc[0])
        entry = pd.Series(made.memberships.entry_year)
        entry = entry[(entry > 0) & (entry <= year)]
        after = effect[effect["year"] >= year].drop_duplicates("school").set_index("school")["standardised"]
        first = effect.groupby("school")["year"].min()
        before = first.index[first < entry.reindex(first.index)]
        table = pd.DataFrame(
            {
                "wave": wave,
                "participation": np.minimum(year - entry + 1, FULL).astype("float64"),
                "practice": own.groupby("school")["expected"].mean(),
                "effect": after,
            }
        )
        tables.append(table.loc[table.index.isin(before)].dropna())
    chosen = max(tables, key=lambda table: float(table["participation"].var(ddof=0)) if len(table) else -1.0)
    return _coefficients(chosen)


def _coefficients(schools: pd.DataFrame) -> dict[str, Any]:
    """The path of least squares through participation, practice and effect."""
    names = ("practice", "slope", "indirect", "direct", "total")
    counts = {"wave": str(schools["wave"].iloc[0]) if len(schools) else None, "schools": len(schools)}
    x, m, y = (
        schools[column].to_numpy(dtype=np.float64) - schools[column].mean()
        for column in ("participation", "practice", "effect")
    )
    if len(schools) < 3 or x @ x < 1e-12 * len(x):
        return {**counts, **dict.fromkeys(names)}
    to_practice, total = float(x @ m / (x @ x)), float(x @ y / (x @ x))
    left = m - to_practice * x
    if left @ left < 1e-12 * len(x):
        return {**counts, **dict.fromkeys(names), "practice": to_practice, "total": total}
    slope = float(left @ y / (left @ left))
    indirect = to_practice * slope
    return {**counts, **dict(zip(names, (to_practice, slope, indirect, total - indirect, total), strict=True))}


def true_practice_changes(asked: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Change of practice expected of participants and of colleagues from each network's first wave, in points.

    By role and last wave: the mean over networks with answers in two waves up to it, of the last one's mean less the
    first one's, weighted by n₁n₂/(n₁ + n₂) with n₁ and n₂ their answers.
    """
    known = asked[asked["network"] >= 0]
    waves = sorted(known["wave"].unique())
    found: dict[str, dict[str, float]] = {}
    for role, own in known.groupby("role", sort=True):
        means = own.groupby(["network", "wave"])["expected"].agg(["mean", "size"])
        for place in range(1, len(waves)):
            rises, weights = [], []
            for _, network in means.groupby(level="network"):
                here = network.droplevel("network").reindex(waves[: place + 1]).dropna()
                if len(here) > 1:
                    first, last = here.iloc[0], here.iloc[-1]
                    rises.append(last["mean"] - first["mean"])
                    weights.append(first["size"] * last["size"] / (first["size"] + last["size"]))
            if rises:
                found.setdefault(str(role), {})[waves[place]] = float(np.average(rises, weights=weights))
    return found

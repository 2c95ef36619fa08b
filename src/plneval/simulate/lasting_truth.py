"""What is true about lasting change in a made-up study, on the scale of each criterion of the scorecard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from plneval.simulate.agency import agency_levels
from plneval.simulate.answers import expected_response
from plneval.simulate.made import MadeStudy
from plneval.simulate.process import SUBJECTS
from plneval.simulate.voices import answering

THIRD_YEAR = 2
"""Event time of the third year of participation."""
NOTE = (
    "Practice, policy and agency are in points of the answer scale: what the people who answered would say on "
    "average, given their role and how long their school has taken part. For practice and policy it is the change "
    "from a network's first to its last wave with answers, averaged over networks with weights n1 n2/(n1 + n2); for "
    "agency the mean in each network's last wave, weighted by answers. Products are shares of those whose state is "
    "known at the last time of asking, in the rows that survive the planted errors; they are counted, so that an "
    "estimate must equal them. Effects are those of headline and effects, by outcome; the trend is the slope of the "
    "group-time effects on event time from the third year on, within entry groups, weighted by treated pupils."
)


def lasting_truth(made: MadeStudy, told: dict[str, Any], products: pd.DataFrame) -> dict[str, Any]:
    """The true value of each criterion, by its name in the scorecard; None where a study has none.

    Parameters
    ----------
    told : ``headline`` and ``effects`` of ``truth.json``.
    products : rows of the inventory that survive the planted errors.
    """
    answers = _expected_answers(made)
    by_role = {role: answers[answers["role"] == role] for role in ("participant", "colleague", "leader")}
    participants, colleagues = by_role["participant"], by_role["colleague"]
    last = products.sort_values("year", kind="stable").groupby(["network", "product"]).tail(1)
    effects = told["effects"]
    return {
        "practice_participants": _change(participants, "practice"),
        "practice_colleagues": _change(colleagues, "practice"),
        "policy": _change(by_role["leader"], "policy"),
        "effect_third_year_on": {subject: told["headline"][subject]["effect"] for subject in SUBJECTS},
        "effect_trend": {subject: _trend(effects["group_time"][subject]) for subject in SUBJECTS},
        "effect_after_leaving": {subject: effects["after_leaving"][subject]["effect"] for subject in SUBJECTS},
        "agency_participants": _last_level(participants, "agency"),
        "agency_colleagues": _last_level(colleagues, "agency"),
        "products_used": _share(last["used"]),
        "products_improved": _share(last["improved"]),
        "products": {
            "recorded": len(last),
            "used_not_known": int(last["used"].isna().sum()),
            "improved_not_known": int(last["improved"].isna().sum()),
        },
        "note": NOTE,
    }


def _expected_answers(made: MadeStudy) -> pd.DataFrame:
    """Everybody who answered: wave, network, role, and their expected practice, policy and agency."""
    parts = []
    for wave, year, answers in answering(made):
        parts.append(
            pd.DataFrame(
                {
                    "wave": wave,
                    "network": made.memberships.network[answers["school"]],
                    "role": answers["role"],
                    "practice": answers["expected:practice"],
                    "policy": answers["expected:policy"],
                    "agency": expected_response(agency_levels(made, answers, year)),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _by_wave(answers: pd.DataFrame, what: str) -> list[pd.DataFrame]:
    """Of each network its waves in order, with the mean and the number of answers."""
    means = answers.groupby(["network", "wave"])[what].agg(["mean", "size"]).reset_index()
    return [own for _, own in means.groupby("network")]


def _change(answers: pd.DataFrame, what: str) -> float | None:
    rises, weights = [], []
    for own in _by_wave(answers, what):
        mean, size = own["mean"].to_numpy(dtype=np.float64), own["size"].to_numpy(dtype=np.float64)
        if len(own) > 1:
            rises.append(mean[-1] - mean[0])
            weights.append(size[0] * size[-1] / (size[0] + size[-1]))
    return float(np.average(rises, weights=weights)) if rises else None


def _last_level(answers: pd.DataFrame, what: str) -> float | None:
    last = pd.concat([own.tail(1) for own in _by_wave(answers, what)]) if len(answers) else answers
    return float(np.average(last["mean"], weights=last["size"])) if len(last) else None


def _share(states: pd.Series) -> float | None:
    known = states.dropna()
    return float(known.mean()) if len(known) else None


def _trend(cells: dict[str, Any]) -> float | None:
    """Slope of effects on event time within entry groups; cells are named as g2014:t2016."""
    rows = pd.DataFrame(
        [(int(name[1:5]), int(name[-4:]), one["effect"], one["treated_pupils"]) for name, one in cells.items()],
        columns=["entry", "year", "effect", "weight"],
    )
    rows["time"] = rows["year"] - rows["entry"]
    rows = rows[rows["time"] >= THIRD_YEAR]
    pupils = rows["weight"].groupby(rows["entry"]).transform("sum")
    centre = (rows["weight"] * rows["time"]).groupby(rows["entry"]).transform("sum") / pupils
    lean = rows["weight"] * (rows["time"] - centre)
    spread = float((lean * (rows["time"] - centre)).sum())
    return float((lean * rows["effect"]).sum()) / spread if spread > 0 else None

"""What is true about a made-up study: its planted effects as an estimator would meet them in the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.simulate.made import MadeStudy
from plneval.simulate.other_programmes import years_in_others
from plneval.simulate.planted import PlantedErrors
from plneval.simulate.process import CONDITIONS, FACETS, GRADES, NETWORK_TYPES, SUBJECTS
from plneval.simulate.schools import AREAS
from plneval.simulate.true_path import respondents, true_path, true_practice_changes

THIRD_YEAR = 2
"""Event time of the third year of participation."""
NOTE = (
    "Effects are in standard deviations of the score among never- and not-yet-treated pupils of the same year and "
    "grade (schools that were members before the first outcome year left out), as they are in the data that survive "
    "the planted errors: for each pupil what participation added to the score, in points before rounding, divided by "
    "that standard deviation. A group-time cell's effect is the mean over its pupils with a score. The headline is the "
    "mean over cells with event_time 2 or more, each weighted by its pupils with a score (treated_pupils): intention "
    "to treat, all schools that joined within the study, also after leaving; the entry year follows the rule for late "
    "joining with the cutoff of 31 January. schools_weighted gives each school-year the same weight within and across "
    "cells; equal_event_times gives each event time the same weight. direct and indirect are pupils of participating "
    "teachers and of their colleagues while the school is a member; they are no part of the headline's definition."
)


def truth(made: MadeStudy, kept: NDArray[np.bool_], errors: PlantedErrors) -> dict[str, Any]:
    """Everything that is planted, for ``truth.json``.

    Parameters
    ----------
    made : the study.
    kept : scores that survive the planted errors, a row a scored pupil-year and a column a subject.
    errors : what was planted in the raw files.
    """
    scored, asked = scored_effects(made, kept), respondents(made)
    treated = {subject: scored[(scored["subject"] == subject) & scored["treated"]] for subject in SUBJECTS}
    late = {subject: table[table["event_time"] >= THIRD_YEAR] for subject, table in treated.items()}
    return {
        "note": NOTE,
        "simulation": made.simulation.model_dump(mode="json"),
        "study": made.study.model_dump(mode="json"),
        "headline": {**{subject: _headline(late[subject]) for subject in SUBJECTS}, "note": NOTE},
        "effects": {
            "event_time": {subject: _by_event_time(treated[subject]) for subject in SUBJECTS},
            "group_time": {subject: _by_cell(treated[subject]) for subject in SUBJECTS},
            "exposure": {subject: _by_exposure(late[subject]) for subject in SUBJECTS},
            "gap": {subject: _gap(late[subject]) for subject in SUBJECTS},
            "split": _split(made, late),
            "after_leaving": {subject: _after_leaving(treated[subject]) for subject in SUBJECTS},
            "condition": _conditions(made),
            "spread": _spread(made),
            "path": {subject: true_path(made, scored[scored["subject"] == subject], asked) for subject in SUBJECTS},
            "practice": true_practice_changes(asked),
            "planted": _planted(made),
        },
        "networks": _networks(made, late),
        "schools": _schools(made),
        "ledger": {
            **errors.as_json(),
            "notes": {"recycled_identifier": int(made.pupils.recycled.sum()) // 2, "movers": made.pupils.movers()},
        },
    }


def scored_effects(made: MadeStudy, kept: NDArray[np.bool_]) -> pd.DataFrame:
    """Every surviving score with the true effect on it: the hidden table behind the truth.

    Columns: subject, person, school, network, year, grade (position), points, effect (in points), standardised (effect
    in standard deviations), treated, event_time (below 0 before joining and for comparison schools), member,
    direct, disadvantaged. Schools that are left-censored are not in it.
    """
    pupils, scores, memberships = made.pupils, made.scores, made.memberships
    row = scores.row
    school, year = pupils.row_school[row], pupils.row_year[row]
    entry = memberships.entry_year[school]
    base = pd.DataFrame(
        {
            "person": pupils.row_person[row],
            "school": school,
            "network": memberships.network[school],
            "year": year,
            "grade": pupils.row_grade[row],
            "entry_year": entry,
            "event_time": np.where(entry > 0, year - entry, np.iinfo(np.int64).min),
            "treated": (entry > 0) & (year >= entry),
            "member": memberships.member[school, year - made.years[0]],
            "disadvantaged": pupils.disadvantaged[pupils.row_person[row]],
        }
    )
    parts = []
    for column, subject in enumerate(SUBJECTS):
        table = base.assign(
            subject=subject,
            points=scores.points[:, column],
            effect=scores.effect_points[:, column],
            direct=scores.direct[:, column],
        )
        parts.append(table[kept[:, column] & memberships.analysed[school]])
    table = pd.concat(parts, ignore_index=True)
    keys = ["subject", "year", "grade"]
    controls = table[~table["treated"]].groupby(keys)["points"].std(ddof=1).rename("sd").reset_index()
    table = table.merge(controls, on=keys, how="left", validate="many_to_one")
    table["standardised"] = table["effect"] / table["sd"]
    return table


def _mean(table: pd.DataFrame) -> float | None:
    return float(table["standardised"].mean()) if len(table) else None


def _headline(late: pd.DataFrame) -> dict[str, Any]:
    """The mean over pupils in the third year on, and the same by subgroup and with other weights."""

    def part(table: pd.DataFrame) -> dict[str, Any]:
        schools = table.groupby(["school", "year"])["standardised"].mean()
        times = table.groupby("event_time")["standardised"].mean()
        return {
            "effect": _mean(table),
            "treated_pupils": len(table),
            "school_years": len(schools),
            "schools_weighted": float(schools.mean()) if len(schools) else None,
            "equal_event_times": float(times.mean()) if len(times) else None,
        }

    return {
        **part(late),
        "subgroups": {
            "disadvantaged": part(late[late["disadvantaged"]]),
            "not_disadvantaged": part(late[~late["disadvantaged"]]),
        },
    }


def _by_exposure(table: pd.DataFrame) -> dict[str, Any]:
    """Means over pupils in current member schools, by who taught them, and over all."""
    members = table[table["member"]]
    return {
        "all": _mean(table),
        "direct": _mean(members[members["direct"]]),
        "indirect": _mean(members[~members["direct"]]),
        "direct_share": float(members["direct"].mean()) if len(members) else None,
        "treated_pupils": len(table),
    }


def _by_event_time(treated: pd.DataFrame) -> dict[str, Any]:
    return {str(time): _by_exposure(table) for time, table in treated.groupby("event_time")}


def _by_cell(treated: pd.DataFrame) -> dict[str, Any]:
    return {
        f"g{entry}:t{year}": {
            "effect": _mean(table),
            "treated_pupils": len(table),
            "schools": int(table["school"].nunique()),
        }
        for (entry, year), table in treated.groupby(["entry_year", "year"])
    }


def _gap(late: pd.DataFrame) -> dict[str, Any]:
    """Effect on disadvantaged pupils, on others, and by how much it narrows the gap."""
    disadvantaged, others = _mean(late[late["disadvantaged"]]), _mean(late[~late["disadvantaged"]])
    difference = disadvantaged - others if disadvantaged is not None and others is not None else None
    return {
        "disadvantaged": disadvantaged,
        "not_disadvantaged": others,
        "difference": difference,
        "within_schools": _within_schools(late),
    }


def _within_schools(late: pd.DataFrame) -> float | None:
    """By how much the gap narrows within schools: differences of effects, weighted as a school's gap counts in all.

    A school's weight in a cell of entry year and year is the mean of its shares of all disadvantaged and of all other
    pupils; cells weigh by their pupils.
    """
    total, pupils = 0.0, 0
    for _, cell in late.groupby(["entry_year", "year"]):
        of_school = cell.groupby(["school", "disadvantaged"])["standardised"]
        mean, size = of_school.mean().unstack(), of_school.size().unstack(fill_value=0)
        if size.shape[1] == 2:
            weight = (size / size.sum()).mean(axis=1)
            total += len(cell) * float((weight * (mean[True] - mean[False])).sum())
            pupils += len(cell)
    return total / pupils if pupils else None


def _split(made: MadeStudy, late: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Mean over pupils from the third year on, by what the school's first network is, and by area and phase."""
    networks, schools = made.networks, made.schools
    kinds = {
        "network_type": ("network", [NETWORK_TYPES[number] for number in networks.type]),
        "network_focus": ("network", networks.focus),
        "composition": ("network", networks.composition),
        "area": ("school", [AREAS[number] for number in schools.area]),
        "phase": ("school", schools.phase),
    }
    return {
        kind: {
            subject: {
                str(value): _mean(own) for value, own in late[subject].groupby(np.array(names)[late[subject][of]])
            }
            for subject in SUBJECTS
        }
        for kind, (of, names) in kinds.items()
    }


def _after_leaving(treated: pd.DataFrame) -> dict[str, Any]:
    """Mean over pupils in schools that have left and have not returned."""
    left = treated[~treated["member"]]
    return {
        "effect": _mean(left),
        "treated_pupils": len(left),
        "school_years": len(left[["school", "year"]].drop_duplicates()),
    }


def _conditions(made: MadeStudy) -> dict[str, float]:
    """Effect for each standard deviation of a network's condition: directly taught pupils, third year on, maths."""
    return {condition: made.effects.direct * made.effects.slopes[condition] for condition in CONDITIONS}


def _spread(made: MadeStudy) -> dict[str, float]:
    """Standard deviation between networks of the full effect on directly taught pupils in maths."""
    return {
        "total": abs(made.effects.direct) * float(made.networks.deviation.std()),
        "beyond_conditions": abs(made.effects.direct)
        * (made.effects.residual_spread if made.networks.count > 1 else 0.0),
    }


def _planted(made: MadeStudy) -> dict[str, Any]:
    """The effects as they were planted, in the standard deviations of the data generating process."""
    effects = made.effects
    return {
        "direct_from_third_year": effects.direct,
        "by_year_of_participation": [effects.direct * part for part in effects.ramp],
        "indirect_part": effects.indirect,
        "gap": effects.direct * effects.gap,
        "practice": dict(effects.practice),
        "practice_conditions": effects.practice_conditions,
        "left_each_year_after_leaving": effects.fade,
        "subjects": dict(effects.subjects),
        "grades": list(GRADES),
    }


def _networks(made: MadeStudy, late: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Of each network, by its raw identifier: full direct effect in maths, effect from the third year on, conditions,
    facets of the conditions.

    ``third_year_on`` is the mean over all pupils of the schools whose first network it is, in the third year or later,
    also after leaving; missing where there are none.
    """
    by_network = {
        subject: {int(str(network)): _mean(own) for network, own in table.groupby("network")}
        for subject, table in late.items()
    }
    return {
        code: {
            "effect": made.effects.direct * (1 + float(made.networks.deviation[number])),
            "third_year_on": {subject: by_network[subject].get(number) for subject in SUBJECTS},
            "conditions": {
                condition: float(made.networks.conditions[number, place]) for place, condition in enumerate(CONDITIONS)
            },
            "facets": {facet: float(made.networks.facets[number, place]) for place, facet in enumerate(FACETS)},
        }
        for number, code in enumerate(made.networks.code)
    }


def _schools(made: MadeStudy) -> dict[str, Any]:
    """Counts of schools by what they are in the analysis; leavers include those that returned."""
    memberships = made.memberships
    entries = memberships.entry_year[memberships.joiner]
    pairs = {
        (int(first), int(second))
        for first, second in zip(memberships.network, memberships.second_network, strict=True)
        if second >= 0
    }
    return {
        "schools": made.schools.count,
        "comparison": int((memberships.entry_year == 0).sum()),
        "joiners": int(memberships.joiner.sum()),
        "left_censored": int(memberships.left_censored.sum()),
        "late_joiners": int(memberships.late.sum()),
        "leavers": int(memberships.ever_left.sum()),
        "returners": int(memberships.returned.sum()),
        "in_two_networks": int((memberships.second_network >= 0).sum()),
        "networks": made.networks.count,
        "clusters_treated": made.networks.count - len(pairs),
        "entry_years": {str(year): int((entries == year).sum()) for year in np.unique(entries).tolist()},
        "in_other_programmes": _in_others(made),
        "pupils": len(made.pupils.code),
    }


def _in_others(made: MadeStudy) -> dict[str, Any]:
    """Schools in a programme outside the evaluated one at some time, and by study year; joiners from joining on."""
    memberships = made.memberships
    inside = years_in_others(memberships, made.other_spells)
    comparison = memberships.entry_year == 0
    joined = memberships.joiner[:, None] & (memberships.entry_year[:, None] <= np.array(memberships.years))
    return {
        "comparison": int((inside.any(axis=1) & comparison).sum()),
        "joiners": int((inside.any(axis=1) & memberships.joiner).sum()),
        "comparison_by_year": _by_year(memberships.years, inside & comparison[:, None]),
        "joined_by_year": _by_year(memberships.years, inside & joined),
    }


def _by_year(years: list[int], schools: NDArray[np.bool_]) -> dict[str, int]:
    return {str(year): int(count) for year, count in zip(years, schools.sum(axis=0), strict=True)}

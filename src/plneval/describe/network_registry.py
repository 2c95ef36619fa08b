"""Networks as they are described, their members over time, and what the cohort's data say about networks at all."""

from __future__ import annotations

import pandas as pd

from plneval.networks.attendance import network_hours
from plneval.networks.other_programmes import others_known
from plneval.networks.problems import RULES, data_problems
from plneval.networks.registry import Rule, networks_by_rule, registry
from plneval.networks.several_networks import counted_elsewhere
from plneval.networks.study import NetworkStudy
from plneval.networks.timeline import timeline

REGISTRY = {
    "characteristic": "str",
    "category": "str",
    "n_networks": "Int64",
    "n_schools": "Int64",
    "with_lead": "Int64",
    "with_partner": "Int64",
    "one_school": "Int64",
    "several_areas": "Int64",
    "mean_schools": "float64",
    "mean_years": "float64",
}
CHARACTERISTICS = ("type", "focus", "composition", "area")
NOT_RECORDED = "not recorded"
SCHOOLS = {"type": "str", "year": "Int64"}
COUNTS = ("n_networks", "members", "present_at_start", "joined", "left", "returned")
OVERLAP = {
    "rule": "str",
    "n_schools": "Int64",
    "n_school_years": "Int64",
    "n_other_network": "Int64",
    "n_schools_elsewhere": "Int64",
}
RULES_OF_OVERLAP: tuple[Rule, ...] = ("first", "strongest_dose", "all")
DATA = {"part": "str", "available": "bool", "needed_for": "str"}
PROBLEMS = {"rule": "str", "table": "str", "count": "Int64", "meaning": "str"}


def network_registry(study: NetworkStudy) -> pd.DataFrame:
    """Networks by type, focus, composition and area (that of most of their schools); columns ``REGISTRY``.

    The first row, ``all``, is about all of them. ``n_schools`` counts the schools of each network that were ever in it
    within the study (a school in two networks in both), ``with_lead`` and ``with_partner`` networks for which one is
    named, ``one_school`` those that never had two schools at once, ``several_areas`` those with schools of several
    areas. Means are over networks: schools ever in it, and study years with members.
    """
    found = registry(study.tables)
    rows = [_row("all", "", found)] if len(found) else []
    # One network is of no area: its schools are of many, or it is the only one of its area.
    for name in CHARACTERISTICS if len(found) > 1 else CHARACTERISTICS[:3]:
        words = found[name].fillna(NOT_RECORDED)
        rows += [_row(name, str(word), own) for word, own in found.groupby(words, sort=True)]
    return pd.DataFrame(rows, columns=list(REGISTRY)).astype(REGISTRY)


def _row(characteristic: str, category: str, own: pd.DataFrame) -> tuple[object, ...]:
    return (
        characteristic,
        category,
        len(own),
        int(own["n_schools"].sum()),
        int(own["lead"].sum()),
        int(own["partner"].sum()),
        int(own["one_school"].sum()),
        int((own["n_areas"] > 1).sum()),
        float(own["n_schools"].mean()),
        float(own["years_with_members"].mean()),
    )


def network_timeline(study: NetworkStudy) -> pd.DataFrame:
    """Member schools by study year, of all networks (type '') and by type; counts of ``TIMELINE``.

    All schools of the register count, also those that the analysis of effects leaves out, such as members from before
    the first outcome year.
    """
    types = study.tables.networks.set_index("network")["type"].fillna(NOT_RECORDED)
    parts = [timeline(study.tables, "school").assign(type="")]
    for name in sorted(types.unique()) if types.nunique() > 1 else []:
        parts.append(timeline(study.tables, "school", types.index[types == name]).assign(type=name))
    columns = ["type", "year", *COUNTS]
    return pd.concat(parts, ignore_index=True)[columns].astype({"type": "str"})


def teacher_timeline(study: NetworkStudy) -> pd.DataFrame:
    """Named participants by study year, those that came and those that left; no rows where the cohort names none.

    ``came`` are new participants, those that came back, and in the first year those that were there before: the parts
    are few people each. Participants = those of the year before + came − left.
    """
    found = timeline(study.tables, "teacher")
    found["came"] = found["joined"] + found["returned"] + found["present_at_start"]
    named = len(study.tables.teacher_spells) > 0
    return found[["year", "members", "came", "left"]].iloc[: len(found) if named else 0]


def network_overlap(study: NetworkStudy) -> pd.DataFrame:
    """Schools in several networks at once, under each rule; columns ``OVERLAP``.

    ``n_schools`` and ``n_school_years`` are in several networks in some year. ``n_other_network`` are school-years that
    count for another network than by the rule ``first`` (with ``all``: for several, in equal parts), year by year.
    ``n_schools_elsewhere`` are schools whose effect counts for another network than their first, wholly or in part:
    that is decided once a school (:func:`plneval.networks.several_networks.school_networks`). ``declared`` marks the
    rule of ``design.several_networks``.
    """
    tables = study.tables
    first = networks_by_rule(tables, "first").set_index(["school", "year"])["network"]
    hours = network_hours(tables)
    rows = []
    for rule in RULES_OF_OVERLAP:
        found = networks_by_rule(tables, rule, hours)
        several = found.loc[found["n_networks"] > 1]
        pairs = pd.MultiIndex.from_frame(several[["school", "year"]])
        other = several.loc[several["network"].to_numpy() != first.reindex(pairs).to_numpy()]
        n_years = len(several.drop_duplicates(["school", "year"]))
        years = len(other.drop_duplicates(["school", "year"]))
        rows.append((rule, several["school"].nunique(), n_years, years, counted_elsewhere(tables, rule)))
    table = pd.DataFrame(rows, columns=list(OVERLAP)).astype(OVERLAP)
    return table.assign(declared=table["rule"] == tables.cohort.design.several_networks)


def network_data(study: NetworkStudy) -> pd.DataFrame:
    """What the cohort knows of its networks, and what each part is needed for; columns ``DATA``."""
    tables = study.tables
    described = tables.networks
    places = tables.schools[["latitude", "longitude"]].notna().all(axis=1)
    parts = [
        (f"{name}_of_networks", name in described and bool(described[name].notna().any()), f"results by {name}")
        for name in ("type", "focus", "composition")
    ]
    parts += [
        ("several_networks", len(described) > 1, "the spread of effects between networks and effects by conditions"),
        ("teachers_in_networks", len(tables.teacher_spells) > 0, "who takes part, and the share of a school's staff"),
        ("attendance", len(tables.activity) > 0, "dose: hours and meetings"),
        ("staff_register", len(tables.teachers) > 0, "the share of a school's teachers who take part"),
        ("teaching", len(tables.teaching) > 0, "telling direct from indirect effects on pupils"),
        ("surveys", len(tables.surveys) > 0, "conditions, practice, policy and agency"),
        ("ties", len(tables.ties) > 0, "the structure of networks"),
        ("products", len(tables.products) > 0, "whether what networks made is still used and improved"),
        ("other_networks", others_known(tables), "telling the programme from other support of either arm"),
        ("coordinates", bool(places.any()), "distances between schools"),
        ("pupil_results", study.pupil_level, "effects for disadvantaged pupils and on the gap"),
    ]
    return pd.DataFrame(parts, columns=list(DATA)).astype(DATA)


def network_problems(study: NetworkStudy) -> pd.DataFrame:
    """Data about networks that cannot be right, by rule, with what was done; columns ``PROBLEMS``."""
    found = data_problems(study.tables)
    return found.assign(meaning=[RULES[rule] for rule in found["rule"]])[list(PROBLEMS)].astype(PROBLEMS)

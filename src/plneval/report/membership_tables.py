"""Tables and sentences about networks, their members, their structure and leaving."""

from __future__ import annotations

import pandas as pd

from plneval.report import formats
from plneval.report.direction import is_better, lower_is_better
from plneval.report.load import Released, rows_of
from plneval.report.model_tables import estimand_name
from plneval.report.tables import counts, intervals, numbers, p_values, shares, texts, years

_CHARACTERISTICS = {
    "all": "All networks",
    "type": "Type",
    "focus": "Focus",
    "composition": "Composition",
    "area": "Area of most schools",
}
_PARTS = {
    "type_of_networks": "The type of networks",
    "focus_of_networks": "The focus of networks",
    "composition_of_networks": "The composition of networks",
    "several_networks": "More than one network",
    "teachers_in_networks": "The teachers who take part",
    "attendance": "Attendance at meetings",
    "staff_register": "The schools' staff by year",
    "teaching": "Who teaches which pupil",
    "surveys": "Surveys",
    "ties": "Ties between people",
    "products": "What networks made",
    "other_networks": "Networks outside the programme",
    "coordinates": "Where schools are",
    "pupil_results": "Results of pupils",
}
_MEASURES = {
    "density": "Density (ties / possible ties)",
    "reciprocity": "Reciprocity (share of ties returned)",
    "indegree_centralisation": "Centralisation, ties received",
    "outdegree_centralisation": "Centralisation, ties given",
    "betweenness_centralisation": "Centralisation, betweenness",
    "share_across_schools": "Share of ties across schools",
    "share_brokered_across": "Share brokered across schools",
    "mean_strength": "Strength of ties",
    "mean_distance_km": "Distance between schools (km)",
    "mean_similarity": "Similarity of schools (Gower)",
}
_EXITS = {
    "joined": ("Joined within the study", "years of membership"),
    "left": ("Left at some time", "years of membership before leaving"),
    "returned": ("Came back", "years out before coming back"),
    "out_at_end": ("Out in the last year", "years out by then"),
}
_COVARIATES = {"disadvantaged": "Share of disadvantaged pupils", "entry_year": "Year of joining"}
LEAVING = ("att_leaving", "att_after_leaving", "att_switching")
"""Estimands of models about leaving, by what they begin with."""


def registry(released: Released) -> pd.DataFrame:
    """Networks by what they are, with their schools, leads and partners."""
    table = released["network_registry"]
    return pd.DataFrame(
        {
            "Networks by": _once(texts(table["characteristic"], _CHARACTERISTICS)),
            "Which": ["" if not str(word) else formats.sentence_case(word) for word in table["category"].fillna("")],
            "Networks": counts(table, "n_networks"),
            "Schools": counts(table, "n_schools"),
            "With a lead": counts(table, "with_lead"),
            "With a partner": counts(table, "with_partner"),
            "Schools each": numbers(table, "mean_schools", 1),
            "Years each": numbers(table, "mean_years", 1),
        }
    )


def _once(words: list[str]) -> list[str]:
    """Words of a group of rows on its first row only."""
    return [word if not place or words[place - 1] != word else "" for place, word in enumerate(words)]


def registry_notes(released: Released) -> list[str]:
    """What has to be known beside the table of networks."""
    whole = released["network_registry"]
    whole = whole[whole["characteristic"] == "all"]
    notes = []
    for row in rows_of(whole):
        if row.n_networks == 1:
            notes.append(
                "All member schools belong to one network, so results cannot be split by network, and how far effects "
                "differ between networks cannot be estimated: it would take several networks to see any difference "
                "between them."
            )
        if row.one_school:
            found = formats.plural(row.one_school, "network", "networks")
            notes.append(f"{found} never had two schools at once: such a network is one of people of one school.")
        if row.n_networks > 1 and row.several_areas:
            notes.append(f"{formats.plural(row.several_areas, 'network')} had schools of more than one area.")
    return notes


_RULES = {
    "first": "the network joined first",
    "strongest_dose": "the network with most hours",
    "all": "all of them in equal parts",
}


def overlap(released: Released) -> str:
    """How schools in several networks at once are counted, and what another rule would change."""
    table = released["network_overlap"]
    declared = table[table["declared"].fillna(False).astype(bool)]
    if declared.empty:
        return ""
    row = declared.iloc[0]
    if not row["n_schools"]:
        return "No school was in several networks at once."
    text = (
        f"{formats.plural(row['n_schools'], 'school')} took part in several networks at once "
        f"({formats.plural(row['n_school_years'], 'school-year')}); as declared, the effect on such a school counts "
        f"for {_RULES[str(row['rule'])]}, wherever effects are told by network, by kind of network or by a condition "
        "of networks. That is decided once a school, over its years of membership up to the third."
    )
    others = table[(table["rule"] == "strongest_dose") & (row["rule"] == "first")]
    for other in rows_of(others):
        changed = formats.number(other.n_schools_elsewhere, 0)
        text += f" By {_RULES['strongest_dose']}, {changed} of these schools would count for another one."
    if row["rule"] != "first":
        changed = formats.number(row["n_schools_elsewhere"], 0)
        text += (
            f" So {changed} of these schools count for another network than the one joined first, or not for it alone."
        )
    return f"{text} Clusters of inference merge networks that share schools."


def network_data(released: Released) -> pd.DataFrame:
    """What is recorded about networks, and what it is needed for."""
    table = released["network_data"]
    return pd.DataFrame(
        {
            "Part": texts(table["part"], _PARTS),
            "Recorded": ["yes" if bool(known) else "no data" for known in table["available"]],
            "Needed for": texts(table["needed_for"].map(formats.sentence_case)),
        }
    )


def not_recorded(released: Released) -> str:
    """The sentence that says which parts have no data; empty where nothing is missing."""
    table = released["network_data"]
    absent = table[~table["available"].astype(bool)]
    if absent.empty:
        return ""
    reasons = [f"{words} ({text})" for words, text in zip(_lower(absent["part"]), absent["needed_for"], strict=True)]
    return f"Not in the data, with what therefore cannot be said: {formats.listed(reasons)}."


def _lower(parts: pd.Series) -> list[str]:
    words = [_PARTS.get(str(part), formats.word(part)) for part in parts]
    return [word[:1].lower() + word[1:] for word in words]


def timeline(released: Released) -> pd.DataFrame:
    """Member schools of all networks by year."""
    table = released["network_timeline"]
    table = table[table["type"].fillna("") == ""]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Networks with members": counts(table, "n_networks"),
            "Member schools": counts(table, "members"),
            "There at the start": counts(table, "present_at_start"),
            "Joined": counts(table, "joined"),
            "Left": counts(table, "left"),
            "Came back": counts(table, "returned"),
        }
    )


def timeline_by_type(released: Released) -> pd.DataFrame:
    """Member schools by year, a column for each type of network; no rows where there is one type only."""
    table = released["network_timeline"]
    types = [str(name) for name in dict.fromkeys(table["type"].fillna("")) if name]
    if not types:
        return pd.DataFrame()
    parts = {name: table[table["type"] == name] for name in types}
    columns = {formats.sentence_case(name): counts(own, "members") for name, own in parts.items()}
    return pd.DataFrame({"Year": years(parts[types[0]]["year"]), **columns})


def participants(released: Released) -> pd.DataFrame:
    """Named participants by year."""
    table = released["teacher_timeline"]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Participants": counts(table, "members"),
            "Came": counts(table, "came"),
            "Left": counts(table, "left"),
        }
    )


def problems(released: Released) -> pd.DataFrame:
    """Data about networks that cannot be right, and what was done."""
    table = released["network_problems"]
    return pd.DataFrame(
        {
            "Table": texts(table["table"]),
            "Rule": texts(table["rule"]),
            "Count": counts(table, "count"),
            "What was found and done": texts(table["meaning"].map(formats.sentence_case)),
        }
    )


def structure(released: Released) -> pd.DataFrame:
    """Measures of structure over networks, by wave."""
    table = released["network_structure"]
    return pd.DataFrame(
        {
            "Measure": texts(table["measure"], _MEASURES),
            "Wave": counts(table, "wave"),
            "Networks": counts(table, "n_networks"),
            "Mean": numbers(table, "mean"),
            "SD": numbers(table, "sd"),
            "Median": numbers(table, "median"),
            "Middle half": intervals(table, "quartile_1", "quartile_3"),
        }
    )


def structure_waves(released: Released) -> str:
    """Who stands behind the measures of structure, wave by wave."""
    table = released["network_structure"].drop_duplicates("wave")
    parts = [
        f"wave {counts(row, 'wave')[0]}: {counts(row, 'n_actors')[0]} participants of {counts(row, 'n_schools')[0]} "
        f"schools with {counts(row, 'n_ties')[0]} ties"
        for row in (table.iloc[[place]] for place in range(len(table)))
    ]
    return f"People behind the measures, in {'; '.join(parts)}." if parts else ""


def exits(released: Released) -> pd.DataFrame:
    """Schools that left and came back, with the years that they were in or out."""
    table = released["network_exits"]
    return pd.DataFrame(
        {
            "Schools that": [_EXITS[str(what)][0] for what in table["what"]],
            "Schools": counts(table, "n_schools"),
            "On average": [
                f"{value} {_EXITS[str(what)][1]}" if value not in (formats.MISSING, formats.SUPPRESSED) else value
                for value, what in zip(numbers(table, "mean_years", 1), table["what"], strict=True)
            ],
        }
    )


def exit_timing(released: Released) -> pd.DataFrame:
    """First exits by year of participation."""
    table = released["network_exit_timing"]
    return pd.DataFrame(
        {
            "Year of participation": [formats.number(time + 1, 0) for time in table["event_time"]],
            "Followed as members until then": counts(table, "at_risk"),
            "Out for the first time": counts(table, "left"),
            "Share of them": shares(table, "hazard"),
            "Not left so far": shares(table, "still_in"),
        }
    )


def leavers(released: Released) -> pd.DataFrame:
    """How schools that left differed from those that stayed, before either had joined."""
    table = released["network_leavers"]
    return pd.DataFrame(
        {
            "Before joining": [_covariate(released, str(name)) for name in table["covariate"]],
            "Left: mean": _means(table, "mean_leavers"),
            "Stayed: mean": _means(table, "mean_stayers"),
            "Difference": numbers(table, "difference", signed=True),
            "In school-level SDs": numbers(table, "hedges_g", signed=True),
            "Schools: left / stayed": [
                f"{a} / {b}" for a, b in zip(counts(table, "n_leavers"), counts(table, "n_stayers"), strict=True)
            ],
        }
    )


def _means(table: pd.DataFrame, column: str) -> list[str]:
    """Means as text; a mean year has no separator of thousands."""
    of_years = [str(name) == "entry_year" for name in table["covariate"]]
    shown = numbers(table, column)
    return [text.replace(",", "") if year else text for text, year in zip(shown, of_years, strict=True)]


def _covariate(released: Released, name: str) -> str:
    if name in released.study["outcomes"]:
        return released.outcome_label(name)
    return _COVARIATES.get(name, formats.sentence_case(name))


def leaving_effects(released: Released) -> pd.DataFrame:
    """What models say about leaving: against those that stay, against schools that never join, and switchers."""
    records = released["records"]
    about = records["estimand"].astype(str).str.startswith(LEAVING)
    wanted = records[about & ~records["estimand"].isin(["att_switching", "att_switching_event_time"])]
    rows = wanted[(wanted["estimand"] != "att_switching_year") | (wanted["term"] == "leavers")]
    return pd.DataFrame(
        {
            "Model": texts(rows["label"]),
            "What": [estimand_name(row) for row in rows_of(rows)],
            "Estimate": numbers(rows, "estimate"),
            "Interval": intervals(rows, "ci_low", "ci_high"),
            "p": p_values(rows, "p"),
            "Clusters that left": counts(rows, "clusters_treated"),
        }
    )


def leaving_sentences(released: Released) -> list[str]:
    """How leaving is to be read, and what the data do not tell."""
    sentences = []
    if any(rule == "gap_filled_status" for rule in released["ingest_notes"]["rule"]):
        sentences.append(
            "Membership in years without a list was filled in from the years around them (see the notes on what was "
            "recognised while reading), so an exit that is counted in such a year may have come in any of them."
        )
    return sentences


def leaving_reading(released: Released) -> str:
    """How the table of effects of leaving is to be read."""
    records = released["records"]
    about = records[records["estimand"].astype(str).str.startswith(LEAVING)]
    lower = [name for name in dict.fromkeys(about["outcome"]) if lower_is_better(released, name)]
    turned = f" (positive in {formats.listed([released.outcome_label(name) for name in lower])}, where less is better)"
    return (
        f"A benefit that is lost is negative in the first comparison{turned if lower else ''}. In the second, the "
        "effect of having joined at all on pupils of schools that have left and are not back; it fades if little of "
        "what was learnt lasts. Schools choose to leave, so neither is an effect of leaving unless those that left "
        "would otherwise have moved like the others."
    )


def after_leaving(released: Released) -> str:
    """For the funder report: how many left, and what is left of the effect on their pupils."""
    table = released["network_exits"].set_index("what")
    if "left" not in table.index or not table.at["left", "n_schools"]:
        return "No school is known to have left its network within the years of the study."
    joined, left, back = (table.at[name, "n_schools"] for name in ("joined", "left", "returned"))
    back_words = "none of them came back" if not back else f"{formats.number(back, 0)} of them came back"
    text = f"{formats.number(left, 0)} of {formats.plural(joined, 'school')} left at some time; {back_words}."
    records = released["records"]
    of_headline = (records["outcome"] == released.headline_outcome) & (records["subgroup"] == "all")
    rows = records[(records["estimand"] == "att_after_leaving") & records["ci_low"].notna() & of_headline]
    if rows.empty:
        return f"{text} How results went on in schools that had left was not estimated, or cannot be shown."
    row = rows.iloc[0]
    interval = formats.interval(row["ci_low"], row["ci_high"])
    finding = (
        "above zero" if row["ci_low"] > 0 else "below zero" if row["ci_high"] < 0 else "too uncertain to tell from zero"
    )
    if row["ci_low"] > 0 or row["ci_high"] < 0:
        side = "better" if is_better(released, row["outcome"], float(row["estimate"])) else "worse"
        finding += f", the {side} side here" if lower_is_better(released, row["outcome"]) else ""
    return (
        f"{text} In the years after leaving, results in these schools ({released.headline_label}) had changed since "
        f"before joining by {formats.number(row['estimate'], signed=True)} {released.unit(str(row['model']))} relative "
        f"to schools that never joined ({released.confidence(str(row['model']))} interval {interval}): {finding}. "
        "Schools choose to leave, so this need not be due to the network."
    )

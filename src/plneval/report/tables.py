"""Data frames ready to print in both reports: every cell is text with its final number format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from plneval.report import formats, wording
from plneval.report.direction import months_of_progress, reading
from plneval.report.load import Released

STATUSES = {
    "verified": "verified at the source",
    "recall": "† from memory, to be confirmed",
    "own": "the project's own",
    "chosen": "chosen for this study",
    "declared": "declared for this study",
}


def show(frame: pd.DataFrame, label: str, caption: str, empty: str, **options: Any) -> None:
    """Print a table with caption and label, or, where it has no rows, the sentence that says why.

    Parameters
    ----------
    frame:
        The table.
    label:
        ``tbl-…``, to refer to it.
    caption:
        One plain sentence.
    empty:
        What is printed instead of an empty table.
    options:
        ``align`` and ``widths`` of :func:`plneval.report.render.emit.table`.
    """
    from plneval.report.render import emit

    if frame.empty:
        emit.text(empty)
        return
    emit.table(frame, caption=caption, label=label, **options)


def counts(table: pd.DataFrame, column: str) -> list[str]:
    """A column of counts as text, ``c`` where a count was suppressed."""
    return _shown(table, column, formats.count)


def texts(values: pd.Series, names: dict[str, str] | None = None) -> list[str]:
    """A column of words as text, names replaced by their words."""
    return [(names or {}).get(str(value)) or formats.word(value) for value in values]


def numbers(table: pd.DataFrame, column: str, digits: int = 2, signed: bool = False) -> list[str]:
    """A column of numbers as text, ``c`` where a number was suppressed."""
    return _shown(table, column, lambda value: formats.number(value, digits, signed))


def p_values(table: pd.DataFrame, column: str) -> list[str]:
    """A column of p-values as text, ``c`` where one was suppressed."""
    return _shown(table, column, formats.p_value)


def shares(table: pd.DataFrame, column: str) -> list[str]:
    """A column of shares as percentages, ``c`` where one was suppressed."""
    return _shown(table, column, formats.share)


def intervals(table: pd.DataFrame, low: str, high: str, digits: int = 2) -> list[str]:
    """Two columns as intervals in words, ``c`` where they were suppressed."""
    shown = [formats.interval(a, b, digits) for a, b in zip(table[low], table[high], strict=True)]
    return [formats.SUPPRESSED if flag else text for flag, text in zip(_flags(table, low), shown, strict=True)]


def _shown(table: pd.DataFrame, column: str, show_one: Callable[[Any], str]) -> list[str]:
    pairs = zip(table[column], _flags(table, column), strict=True)
    return [formats.SUPPRESSED if flag else show_one(value) for value, flag in pairs]


def _flags(table: pd.DataFrame, column: str) -> list[bool]:
    """Whether each value of a column was suppressed."""
    name = f"{column}_suppressed"
    return [bool(flag) for flag in table[name].fillna(False)] if name in table else [False] * len(table)


def years(values: pd.Series) -> list[str]:
    """A column of years, without a thousands separator."""
    return [formats.MISSING if formats.is_missing(value) else str(int(value)) for value in values]


def design(released: Released) -> pd.DataFrame:
    """The study and its design as declared before the analysis."""
    study, declared = released.study, released.study["design"]
    cutoff = _month_day(str(declared["join_cutoff"]))
    rows = [
        ("Programme", released.programme),
        ("Years", wording.years(released)),
        ("Level of the results", "schools" if released.school_level else "pupils"),
        ("Outcomes", formats.listed([_outcome_line(released, name) for name in study["outcomes"]])),
        ("Headline", f"{released.headline_label}, from the third year of participation on"),
        (
            "How schools became members",
            _ASSIGNMENTS.get(str(declared["assignment"]), formats.word(declared["assignment"])),
        ),
        ("Joining counts for a school year until", cutoff),
        ("The headline averages over", f"treated {declared['weight']}"),
        ("Unit of inference", "network of members, school otherwise" if declared["cluster"] == "network" else "school"),
        ("Pupils who change school belong to", _MOVERS.get(str(declared["movers"]), formats.word(declared["movers"]))),
        ("Comparison schools in other networks", formats.word(declared["comparison_in_other_networks"])),
        ("Comparison schools near members", formats.word(declared["comparison_near_members"])),
        ("Smallest entry group shown on its own", formats.plural(declared["minimum_entry_group"], "school")),
    ]
    return pd.DataFrame(rows, columns=["What", "As declared"])


_ASSIGNMENTS = {"randomised": "drawn by lot", "matched": "matched", "self_selected": "by their own choice"}
_MOVERS = {"school_at_outcome": "the school of the outcome's year", "school_at_entry": "the first school seen"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _month_day(text: str) -> str:
    month, day = text.split("-")
    return f"{int(day)} {_MONTHS[int(month) - 1]}"


def _outcome_line(released: Released, name: str) -> str:
    unit = released.outcome(name).get("unit")
    return f"{released.outcome_label(name)} ({unit})" if unit else released.outcome_label(name)


TIDIER = {
    "name": "Name",
    "why": "Why",
    "materials": "What: materials",
    "procedures": "What: procedures",
    "provider": "Who provided",
    "how": "How",
    "where": "Where",
    "when_and_how_much": "When and how much",
    "tailoring": "Tailoring",
    "modifications": "Modifications",
    "how_well_planned": "How well: planned",
    "how_well_actual": "How well: actual",
}
_TIDIER_SHORT = ("why", "procedures", "provider", "when_and_how_much", "how_well_actual")


def programme(released: Released, short: bool = False) -> pd.DataFrame:
    """What the programme is, by the TIDieR checklist."""
    keys = _TIDIER_SHORT if short else tuple(TIDIER)
    described = released.study["tidier"]
    return pd.DataFrame(
        [(TIDIER[key], formats.word(described.get(key))) for key in keys], columns=["Item", "Description"]
    )


def costs(released: Released) -> pd.DataFrame:
    """What taking part costs, as declared."""
    rows = [
        (
            formats.word(cost["item"]),
            f"{formats.number(cost['amount'], 0)} {cost['currency']}",
            formats.word(cost["per"]),
            formats.number(cost["years"], 0 if float(cost["years"]).is_integer() else 1),
        )
        for cost in released.study.get("costs", [])
    ]
    return pd.DataFrame(rows, columns=["Item", "Amount", "Per", "Years covered"])


def key_figures(released: Released) -> pd.DataFrame:
    """The headline in numbers: what stands beside the verdict in the funder report."""
    record = released.headline
    rows: list[tuple[str, str]] = []
    what = (
        "Effect from the third year on"
        if released.is_causal
        else "Difference found from the third year on (not an effect)"
    )
    if record is None or formats.is_missing(record["estimate"]):
        rows.append((what, "no estimate"))
    else:
        estimate, low, high, unit = wording.headline_numbers(released)
        rows.append((what, f"{formats.number(estimate)} {unit}"))
        rows.append(
            (
                f"Values compatible with the data ({released.confidence(released.headline_model)} interval)",
                f"{formats.interval(low, high)} {unit}",
            )
        )
        if released.is_causal and not formats.is_missing(record.get("months")):
            low_end, high_end = wording.progress_ends(released, record)
            span = f"{formats.months(low_end)} to {formats.months(high_end)}"
            own = months_of_progress(released, released.headline_outcome, record["months"])
            months = wording.months_counted(own)
            rows.append(("In months of progress", f"{months} (interval {span})"))
    rows += [("How to read it", sentence) for sentence in reading(released, released.headline_outcome)]
    source = _headline_row(released)
    if len(source):
        rows.append(("Schools that it rests on", counts(source, "n_schools")[0]))
        if released.study["design"]["weight"] == "schools":
            rows.append(("Member schools among them", counts(source, "n_treated")[0]))
        rows.append(("Networks that it rests on", counts(source, "n_networks")[0]))
        if not released.school_level:
            rows.append(("Pupils that it rests on", counts(source, "n_pupils")[0]))
    return pd.DataFrame(rows, columns=["", "Finding"]).rename(columns={"": "In numbers"})


def _headline_row(released: Released) -> pd.DataFrame:
    """The headline's row of the released records, with its flags of suppression."""
    records = released["records"]
    return records[records["headline"].fillna(False).astype(bool)].head(1)


def checks(released: Released) -> pd.DataFrame:
    """Every check with its result in words and its statement; those not met come first."""
    gates = _by_result(released)
    return pd.DataFrame(
        {
            "Check": [wording.gate(str(name)) for name in gates["gate"]],
            "Result": [wording.RESULTS[str(result)] for result in gates["result"]],
            "What was found": texts(gates["statement"]),
        }
    )


def checks_in_full(released: Released) -> pd.DataFrame:
    """Every check with value, threshold and statement."""
    gates = _by_result(released)
    return pd.DataFrame(
        {
            "Check": [wording.gate(str(name)) for name in gates["gate"]],
            "Result": [wording.RESULTS[str(result)] for result in gates["result"]],
            "Value": [_measured(value) for value in gates["value"]],
            "Threshold": [_measured(value) for value in gates["threshold"]],
            "What was found": texts(gates["statement"]),
        }
    )


def threshold_sources(released: Released) -> pd.DataFrame:
    """Where the thresholds of the checks come from, and which checks each source serves."""
    gates = _by_result(released)
    grouped = gates.groupby(["source", "status"], sort=False, dropna=False)["gate"].agg(list).reset_index()
    return pd.DataFrame(
        {
            "Source of the threshold": [
                formats.MISSING if formats.is_missing(text) else str(text) for text in grouped["source"]
            ],
            "Status": texts(grouped["status"], STATUSES),
            "Checks": [formats.listed([wording.gate(str(name)) for name in names]) for names in grouped["gate"]],
        }
    )


def _by_result(released: Released) -> pd.DataFrame:
    order = {"fail": 0, "caution": 1, "pass": 2}
    gates = released["gates"]
    return gates.assign(_order=gates["result"].map(order)).sort_values("_order", kind="stable")


def _measured(value: Any) -> str:
    """A gate's value: whole numbers plain, others with up to three decimals."""
    if formats.is_missing(value):
        return formats.MISSING
    if isinstance(value, str):
        return formats.word(value)
    return formats.number(value, 0 if float(value).is_integer() else 3)


def other_results(released: Released) -> pd.DataFrame:
    """The estimate from the third year on of every model but the headline's, for the funder report."""
    records = released["records"]
    rows = records[
        (records["estimand"] == "att_third_year_on")
        & (records["model"] != released.headline_model)
        & records["estimate"].notna()
    ]
    frame = pd.DataFrame(
        {
            "Analysis": texts(rows["label"]),
            "Estimate": numbers(rows, "estimate"),
            "Interval": intervals(rows, "ci_low", "ci_high"),
            "Unit": [released.unit(str(name)) for name in rows["model"]],
            "Role": texts(rows["role"]),
        }
    )
    # One unit for all stands in the caption instead.
    return frame.drop(columns="Unit") if frame["Unit"].nunique() <= 1 else frame


def participants(released: Released) -> pd.DataFrame:
    """Networks and their schools by type of network."""
    table = released["networks"]
    return pd.DataFrame(
        {
            "Type of network": texts(table["type"].map(formats.sentence_case)),
            "Networks": counts(table, "n_networks"),
            "Schools": counts(table, "n_schools"),
        }
    )


def how_to_read(released: Released) -> pd.DataFrame:
    """Words and numbers of the funder report, explained."""
    rows = wording.how_to_read(released)
    shown = (key_figures(released), other_results(released), participants(released))
    if any((frame == formats.SUPPRESSED).any(axis=None) for frame in shown):
        rows.append(("c", "A number that is not shown, because too few people or schools stand behind it."))
    return pd.DataFrame(rows, columns=["Word", "How to read it"])

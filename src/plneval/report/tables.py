"""Data frames ready to print in both reports: every cell is text with its final number format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from plneval.report import formats, wording
from plneval.report.load import Released

ARMS = {"member": "members", "comparison": "comparison", "all": "all"}
CATEGORIES = {"satisfied": "satisfied", "adjustment": "with adjustment", "not_satisfied": "not satisfied"}


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


# Study and programme -------------------------------------------------------------------------------------------------


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


# Headline and checks -------------------------------------------------------------------------------------------------


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
            span = f"{formats.months(record['months_low'])} to {formats.months(record['months_high'])}"
            rows.append(("In months of progress", f"{formats.months(record['months'])} (interval {span})"))
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
    """Every check with value, threshold and the threshold's source."""
    gates = _by_result(released)
    source = [
        formats.word(name) + ("" if formats.is_missing(status) or str(status) != "recall" else " (†)")
        for name, status in zip(gates["source"], gates["status"], strict=True)
    ]
    return pd.DataFrame(
        {
            "Check": [wording.gate(str(name)) for name in gates["gate"]],
            "Result": [wording.RESULTS[str(result)] for result in gates["result"]],
            "Value": [_measured(value) for value in gates["value"]],
            "Threshold": [_measured(value) for value in gates["threshold"]],
            "Source of the threshold": source,
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
    return pd.DataFrame(wording.how_to_read(released), columns=["Word", "How to read it"])


# Data and sample -----------------------------------------------------------------------------------------------------


def ledger(released: Released) -> pd.DataFrame:
    """Records read, kept, merged and rejected, by table."""
    table = released["ledger"]
    table = table[table["read"].isna() | (table["read"] > 0)]
    return pd.DataFrame(
        {
            "Table": texts(table["table"]),
            "Read": counts(table, "read"),
            "Kept": counts(table, "kept"),
            "Merged duplicates": counts(table, "merged"),
            "Rejected": counts(table, "rejected"),
        }
    )


def rejections(released: Released) -> pd.DataFrame:
    """Rejected records by table and rule."""
    table = released["rejections"]
    return pd.DataFrame(
        {
            "Table": texts(table["table"]),
            "Rule": texts(table["rule"]),
            "Records": counts(table, "count"),
            "Rejected because": texts(table["meaning"]),
        }
    )


def ingest_notes(released: Released) -> pd.DataFrame:
    """What was recognised while reading, without a record being rejected."""
    table = released["ingest_notes"]
    return pd.DataFrame({"Table": texts(table["table"]), "Count": counts(table, "count"), "Note": texts(table["text"])})


def flows(released: Released) -> list[tuple[str, str, pd.DataFrame]]:
    """The ways from the register to the analysis: label, caption and table of each unit and outcome.

    A step has a row; the arms stand side by side, with what remains and, in brackets, what was excluded.
    """
    table = released["flow"].assign(outcome=released["flow"]["outcome"].fillna(""))
    order = {"schools": 0, "pupils": 1, "scores": 2}
    found = []
    for unit, outcome in sorted(
        {*zip(table["unit"], table["outcome"], strict=True)}, key=lambda key: (order[key[0]], key[1] != "", key[1])
    ):
        mine = table[(table["unit"] == unit) & (table["outcome"] == outcome)]
        about = (
            f"{formats.sentence_case(unit)}, {released.outcome_label(outcome)}"
            if outcome
            else formats.sentence_case(unit)
        )
        label = f"tbl-flow-{unit}" + (f"-{_slug(outcome)}" if outcome else "")
        found.append((label, f"{about}: what remains after each step, and in brackets what it excluded.", _flow(mine)))
    return found


def _flow(table: pd.DataFrame) -> pd.DataFrame:
    """One flow: steps as rows, arms as columns."""
    cells = table.assign(
        cell=[
            remaining if excluded in ("0", formats.MISSING) else f"{remaining} ({formats.MINUS}{excluded})"
            for remaining, excluded in zip(counts(table, "remaining"), counts(table, "excluded"), strict=True)
        ]
    )
    ends = {table["step"].min(), table["step"].max()}
    excluding = set(table.loc[table["excluded"].isna() | (table["excluded"] > 0), "step"])
    cells = cells[cells["step"].isin(ends | excluding)]
    wide = cells.pivot(index="step", columns="arm", values="cell")
    steps = table.drop_duplicates("step").set_index("step").loc[wide.index]
    arms = [arm for arm in ("member", "comparison", "all") if arm in wide]
    return pd.DataFrame(
        {
            "Step": [formats.sentence_case(stage) for stage in steps["stage"]],
            **{formats.sentence_case(ARMS[arm]): texts(wide[arm]) for arm in arms},
            "Excluded because": [
                formats.word(reason) if step in excluding else formats.MISSING
                for step, reason in steps["reason"].items()
            ],
        }
    )


def _slug(name: str) -> str:
    return name.replace("_", "-")


def entry_groups(released: Released) -> pd.DataFrame:
    """Schools and networks by year of joining."""
    table = released["entry_groups"]
    return pd.DataFrame(
        {
            "Joined in": [
                f"{year}{' (pooled)' if pooled else ''}"
                for year, pooled in zip(years(table["entry_year"]), table["pooled"], strict=True)
            ],
            "Schools": counts(table, "n_schools"),
            "Networks": counts(table, "n_networks"),
            "Years followed": counts(table, "years_followed"),
        }
    )


def membership(released: Released) -> pd.DataFrame:
    """Member schools by year."""
    table = released["membership"]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Members": counts(table, "members"),
            "Joined": counts(table, "joined"),
            "Left": counts(table, "left"),
            "Returned": counts(table, "returned"),
        }
    )


# Comparability and precision -----------------------------------------------------------------------------------------


def baseline(released: Released) -> pd.DataFrame:
    """Means of both arms before joining and their standardised difference."""
    table = released["baseline"]
    return pd.DataFrame(
        {
            "Measure": texts(table["label"]),
            "Members": numbers(table, "mean_member"),
            "Comparison": numbers(table, "mean_comparison"),
            "SD": numbers(table, "sd"),
            "Hedges' g": numbers(table, "hedges_g", signed=True),
            "Equivalence": texts(table["category"], CATEGORIES),
            "Pre–post r": numbers(table, "pre_post_correlation"),
            "Schools": _pairs(table, "n_schools_member", "n_schools_comparison"),
        }
    )


def composition(released: Released) -> pd.DataFrame:
    """Pupils of each arm by year and how they changed; columns that hold nothing are left out."""
    table = released["composition"]
    frame = pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Arm": texts(table["arm"], ARMS),
            "Schools": counts(table, "n_schools"),
            "Pupils": counts(table, "n_pupils"),
            "Joined": counts(table, "joiners"),
            "Left": counts(table, "leavers"),
            "Moved": counts(table, "movers"),
            "Disadvantaged": shares(table, "share_disadvantaged"),
            "Deprivation": numbers(table, "mean_deprivation"),
        }
    )
    return _without_empty(frame, keep=("Year", "Arm", "Schools"))


def attrition(released: Released) -> pd.DataFrame:
    """Schools and pupils seen first and last."""
    table = released["attrition"]
    return pd.DataFrame(
        {
            "Unit": texts(table["unit"]),
            "Arm": texts(table["arm"], ARMS),
            "At the start": counts(table, "start"),
            "Still there": counts(table, "remaining"),
            "Lost": shares(table, "rate"),
        }
    )


def missingness(released: Released) -> pd.DataFrame:
    """Results observed of those expected, by outcome and year, the arms side by side."""
    table = released["missingness"]
    cells = table.assign(
        observed_of_expected=_pairs(table, "observed", "expected"), missing_shown=shares(table, "missing_share")
    )
    wide = cells.pivot(index=["outcome", "year"], columns="arm", values=["observed_of_expected", "missing_shown"])
    order = {name: i for i, name in enumerate(released.study["outcomes"])}
    wide = wide.sort_index(key=lambda level: level.map(order) if level.name == "outcome" else level)
    frame = pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name, _ in wide.index],
            "Year": [str(int(year)) for _, year in wide.index],
        }
    )
    for arm in ("member", "comparison", "all"):
        if ("missing_shown", arm) in wide:
            name = formats.sentence_case(ARMS[arm])
            frame[f"{name}: observed / expected"] = texts(wide["observed_of_expected", arm])
            frame[f"{name}: missing"] = texts(wide["missing_shown", arm])
    return frame


def intraclass(released: Released) -> pd.DataFrame:
    """How alike pupils of one school are."""
    table = released["intraclass"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "Level": texts(table["level"]),
            "Intraclass correlation": numbers(table, "intraclass_correlation", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
            "Pupils": counts(table, "n_pupils"),
            "Schools": counts(table, "n_schools"),
            "Method": texts(table["method"]),
        }
    )


def clusters(released: Released) -> pd.DataFrame:
    """Units of inference by outcome."""
    table = released["clusters"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "Unit of inference": texts(table["unit"]),
            "With members": counts(table, "treated"),
            "Comparison": counts(table, "comparison"),
            "Networks": counts(table, "networks"),
        }
    )


def mdes(released: Released) -> pd.DataFrame:
    """The smallest effect that the design could have detected."""
    table = released["mdes"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "MDES": numbers(table, "mdes", 3),
            "Power": numbers(table, "power"),
            "Alpha": numbers(table, "alpha"),
            "Design": texts(table["design"]),
            "Assumptions": [
                formats.MISSING if formats.is_missing(text) else str(text) for text in table["assumptions"]
            ],
        }
    )


def _pairs(table: pd.DataFrame, first: str, second: str) -> list[str]:
    return [f"{a} / {b}" for a, b in zip(counts(table, first), counts(table, second), strict=True)]


def _without_empty(frame: pd.DataFrame, keep: tuple[str, ...]) -> pd.DataFrame:
    """Leave out columns in which every value is missing."""
    return frame[[name for name in frame.columns if name in keep or not (frame[name] == formats.MISSING).all()]]

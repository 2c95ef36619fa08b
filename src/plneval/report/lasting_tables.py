"""The scorecard of sustainability, and what networks made, as tables and sentences."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from plneval.report import formats
from plneval.report.direction import lower_is_better
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, numbers, shares
from plneval.report.wording import article_free

PARTS: Final = {"practice": "Practice and policy", "outcomes": "Results of pupils", "agency": "Agency and products"}
VERDICTS: Final = {
    "shown": f"✓{formats.NBSP}Shown",
    "not_shown": f"✗{formats.NBSP}Not{formats.NBSP}shown",
    "no_data": f"–{formats.NBSP}No{formats.NBSP}data",
}
SHORT: Final = {
    "practice_participants": "Participants' practice",
    "practice_colleagues": "Colleagues' practice",
    "policy": "School policy",
    "effect_third_year_on": "Results from the third year on",
    "effect_trend": "No decline over the years",
    "effect_after_leaving": "Results after leaving",
    "agency_participants": "Participants' agency",
    "agency_colleagues": "Colleagues' agency",
    "products_used": "Products still used",
    "products_improved": "Products still developed",
}
"""Criteria in a few words."""
UNITS: Final = {"points": "points", "sd": "SD", "sd_a_year": "SD a year", "share": ""}


def scorecard(released: Released) -> pd.DataFrame:
    """Every criterion: what was found of it over all networks, and in how many networks it is shown."""
    table = released["sustainability"]
    frame = pd.DataFrame(
        {
            "Part": [PARTS.get(str(part), formats.sentence_case(part)) for part in table["part"]],
            "Criterion": [_criterion(released, row) for row in rows_of(table)],
            "Verdict": [VERDICTS[str(verdict)] for verdict in table["verdict"]],
            "What was found": [found_words(row) for row in rows_of(table)],
        }
    )
    columns = [counts(table, f"networks_{name}") for name in VERDICTS]
    frame["Networks"] = [_together(row) for row in zip(*columns, strict=True)]
    return frame


def _together(row: tuple[str, ...]) -> str:
    """Three counts in one cell; a single sign where all of them are missing or withheld."""
    return row[0] if set(row) in ({formats.MISSING}, {formats.SUPPRESSED}) else " / ".join(row)


def turned(released: Released) -> list[str]:
    """That effects stand turned round in the scorecard, where less of the outcome is better; nothing otherwise."""
    if not lower_is_better(released, released.headline_outcome):
        return []
    label = article_free(released.headline_label)
    return [f"Less is better in {label}: the scorecard has these effects turned round, so that plus is better."]


def _criterion(released: Released, row: Any) -> str:
    """A criterion's own words; who achieves less where less is better has the better results."""
    label = str(row.label)
    if row.part == "outcomes" and lower_is_better(released, released.headline_outcome):
        return label.replace("Pupils achieve more", "Pupils' results are better")
    return label


def found_words(row: Any) -> str:
    """What was found of a criterion: value, interval and what it rests on; why there is nothing; ``c`` if withheld."""
    if row.verdict == "no_data":
        return str(row.reason)
    if getattr(row, "value_suppressed", False) or formats.is_missing(row.value):
        return formats.SUPPRESSED
    if row.unit == "share":
        products = formats.plural(row.n_products, "product")
        if not formats.is_missing(row.n_networks):
            products += f" of {formats.plural(row.n_networks, 'network')}"
        needed = f"at least {formats.share(row.threshold, 0)} needed"
        unknown = "" if formats.is_missing(row.n_products_unknown) else _unknown(int(row.n_products_unknown))
        return f"{formats.share(row.value, 0)} of {products}{unknown}; {needed}."
    text = f"{formats.number(row.value, 2, signed=row.part != 'agency')} {UNITS.get(str(row.unit), '')}".strip()
    text += f" ({formats.interval(row.ci_low, row.ci_high)}"
    for column, noun in (("n_networks", "network"), ("n_schools", "school"), ("n_respondents", "respondent")):
        number = getattr(row, column)
        if not formats.is_missing(number):
            text += f"; {formats.plural(number, noun)}"
    return f"{text}). {_limit(row)}"


def _unknown(number: int) -> str:
    return f" (not known of {number} more)" if number else ""


def _limit(row: Any) -> str:
    if row.verdict == "shown":
        return f"The interval lies above {formats.number(row.threshold)}."
    if row.ci_low > row.threshold:
        return "It rose, but less than half of the highest rise is left."
    return f"The interval does not lie above {formats.number(row.threshold)}."


def degrees(released: Released) -> pd.DataFrame:
    """The four degrees: which one all networks together reach, and how many networks reach which."""
    table = released["sustainability_degrees"]
    frame = pd.DataFrame(
        {
            "Degree": [f"{formats.number(row.degree, 0)} – {formats.word(row.name)}" for row in _named(table)],
            "Meaning": [formats.sentence_case(words) for words in table["words"]],
            "All networks together": ["✓" if reached else "" for reached in table["overall"].fillna(False)],
        }
    )
    frame["Networks"] = counts(table, "n_networks")
    return frame


def _named(table: pd.DataFrame) -> list[Any]:
    """Rows without their number, which would hide the column ``name``."""
    return list(table.itertuples(index=False))


def summary(released: Released) -> list[str]:
    """How many criteria are shown, which degree that is, and what is not known; plain words."""
    table = released["sustainability"]
    verdicts = list(table["verdict"])
    shown, failed, unknown = (verdicts.count(name) for name in VERDICTS)
    own = released["sustainability_degrees"]
    reached = own[own["overall"].fillna(False).astype(bool)]
    words = str(reached["words"].iloc[0]) if len(reached) else "not known"
    found = f"{shown} {_is(shown)} shown, {failed} {_is(failed)} not, and for {unknown} there are no data"
    if not unknown:
        found = f"{shown} {_is(shown)} shown and {failed} {_is(failed)} not"
    lines = [
        f"Of {formats.plural(len(table), 'criterion', 'criteria')} of lasting change, {found}. Together this is degree "
        f"{formats.number(reached['degree'].iloc[0], 0)} of 3: {words}."
        if len(reached)
        else "Whether anything lasts cannot be said."
    ]
    for verdict, start in (("shown", "Shown"), ("not_shown", "Not shown"), ("no_data", "No data on")):
        names = [SHORT.get(str(key), formats.word(key)) for key in table.loc[table["verdict"] == verdict, "criterion"]]
        if names:
            lines.append(f"{start}: {formats.listed([names[0], *(_small(name) for name in names[1:])])}.")
    return lines


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _small(name: str) -> str:
    return f"{name[:1].lower()}{name[1:]}"


def network_words(released: Released) -> str:
    """In how many networks anything is shown; empty where networks are not counted."""
    table = released["sustainability_degrees"]
    if table["n_networks"].isna().any() or table.empty:
        return (
            "With one network, or so few that each could tell the others' results, networks are not counted by degree."
        )
    total = int(table["n_networks"].sum())
    some = int(table.loc[table["degree"] > 0, "n_networks"].sum())
    return (
        f"Taken one by one, {some} of {formats.plural(total, 'network')} {'shows' if some == 1 else 'show'} something. "
        "A network of two or three schools can show little, so the others are not known to have failed. No network is "
        "named."
    )


TIMES: Final = {"year": "School year", "years_since_recorded": "Years since first recorded"}


def products(released: Released, by: str) -> pd.DataFrame:
    """What networks made: shares still used and improved, by school year or by years since first recorded."""
    table = released["product_use"]
    rows = table[table["by"] == by]
    used, improved = (rows[rows["what"] == what].reset_index(drop=True) for what in ("used", "improved"))
    return pd.DataFrame(
        {
            TIMES[by]: [str(int(time)) for time in used["time"]],
            "Networks": counts(used, "n_networks"),
            "Recorded": counts(used, "n_recorded"),
            "Known if used": counts(used, "n_known"),
            "Used": shares(used, "share"),
            "Known if improved": counts(improved, "n_known"),
            "Improved": shares(improved, "share"),
        }
    )


def planted(released: Released) -> pd.DataFrame:
    """Criteria of a made-up study with what was planted; no rows for a real study."""
    table = released["sustainability"]
    rows = table[table["truth"].notna()]
    return pd.DataFrame(
        {
            "Criterion": [SHORT.get(str(key), formats.word(key)) for key in rows["criterion"]],
            "Found": numbers(rows, "value", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Planted": numbers(rows, "truth", 3),
            "Within the interval": [_WITHIN[value] for value in rows["covered"].astype("object").fillna("")],
        }
    )


_WITHIN: Final = {True: "yes", False: "no", "": formats.MISSING}

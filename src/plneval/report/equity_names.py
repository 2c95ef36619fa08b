"""Estimands about parts of the member schools and about the gap, in words."""

from __future__ import annotations

from typing import Any, Final

from plneval.report.formats import sentence_case, word

BY: Final = {
    "deprivation": "Deprivation of the area",
    "disadvantaged_share": "Share of disadvantaged pupils",
    "area": "Area",
    "phase": "Phase",
    "network_type": "Type of network",
    "network_focus": "Focus of the network",
    "composition": "Composition of the network",
}
"""What member schools are split by."""
THIRDS: Final = {"low": "lowest third", "middle": "middle third", "high": "highest third"}
GAP_PARTS: Final = {
    "total": "In all",
    "within_schools": "Gaps within schools",
    "where_pupils_are": "More or fewer pupils in schools with large gaps",
    "schools_means": "Change of the schools that other pupils attend more often",
    "sorting": "Who attends which school",
}
"""Parts of the gap's change, in the order in which they are told."""
AGGREGATES: Final = {
    "att_split": "From the third year on",
    "att_split_difference": "Highest less lowest third",
    "split_test": "Joint test that all parts have one effect (statistic)",
    "gap_narrowed": "Narrowing of the gap, members less comparison schools",
    "gap_narrowed_in_arm": "Narrowing of the gap",
}
WARNED: Final = {
    "att_split": "some parts",
    "att_split_difference": "highest less lowest third",
    "split_test": "the test that parts are alike",
    "gap_narrowed": "the change of the gap",
    "gap_narrowed_in_arm": "the change of the gap within one arm",
}
ESTIMATORS: Final = {
    "networks.split": "group-time effects (Callaway and Sant'Anna), part by part",
    "networks.gap": "decomposition of the gap's change (Kitagawa)",
}
REPRESENTATIVE: Final = ("gap_narrowed", "att_split")
"""Estimands that stand for a model as a whole."""


def part(by: str, name: str) -> str:
    """A part in words."""
    if by in ("deprivation", "disadvantaged_share"):
        return THIRDS.get(name, word(name))
    return name


def moving(lower_is_better: bool) -> str:
    """What plus means for the gap: of an outcome of which less is better, disadvantaged pupils' rise widens it."""
    return "Widening" if lower_is_better else "Narrowing"


def estimand(row: Any, lower_is_better: bool = False) -> str:
    """A record about a part or about the gap in words; its term says which."""
    by, _, rest = str(row.term).partition(":")
    gap = AGGREGATES.get(str(row.estimand), "").replace(moving(False), moving(lower_is_better))
    if row.estimand == "att_split":
        return f"{BY.get(by, word(by))}: {part(by, rest)}"
    if row.estimand == "gap_narrowed":
        return f"{gap}: {GAP_PARTS.get(by, word(by)).lower()}"
    if row.estimand == "gap_narrowed_in_arm":
        return f"{gap}, {word(by)} schools: {GAP_PARTS.get(rest, word(rest)).lower()}"
    return AGGREGATES.get(str(row.estimand), sentence_case(row.estimand))

"""Every idea of the literature that the design takes up can be pointed to in the technical report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_study import Project

REPORTS = Path(__file__).parents[2] / "reports"
ROWS = {
    "many types of networks; every estimate can be split by type": (
        "sec-registry",
        "tbl-registry",
        "fig-members-over-time",
        "sec-splits",
        "tbl-splits",
        "fig-splits",
    ),
    "few teachers learn on behalf of others: direct and indirect exposure, both effects": (
        "sec-own-exposure",
        "tbl-exposure",
        "sec-diffusion",
        "fig-direct-indirect",
        "tbl-diffusion-assumptions",
    ),
    "takes at least three years: dynamic effects, headline from the third year on": (
        "fig-event-times",
        "tbl-estimators",
        "sec-group-times",
        "tbl-entry-groups",
    ),
    "participation does not automatically improve outcomes: spread, a new network, power, every verdict possible": (
        "sec-between-networks",
        "tbl-network-spread",
        "fig-network-caterpillar",
        "tbl-mdes",
        "tbl-pretrend-power",
        "sec-summary",
    ),
    "teachers' learning, teaching practice, pupils: practice as outcome and as mediator": (
        "sec-practice",
        "tbl-practice-waves",
        "fig-practice",
        "sec-practice-path",
        "tbl-practice-path",
        "fig-path-sensitivity",
    ),
    "conditions: scales with reliability, moderation by each": (
        "sec-questionnaires",
        "tbl-survey-scales",
        "tbl-survey-agreement",
        "sec-conditions",
        "tbl-moderation",
        "fig-moderation",
    ),
    "sustainability: scorecard of three parts, effect after leaving": (
        "sec-sustainability",
        "fig-sustainability",
        "tbl-sustainability",
        "tbl-sustainability-degrees",
        "sec-leaving",
        "tbl-leaving-effects",
    ),
    "disadvantaged areas and attainment gaps": (
        "sec-gap",
        "tbl-equity",
        "sec-gap-parts",
        "tbl-gap-parts",
        "fig-splits",
    ),
    "proximity, similarity, ties": ("sec-structure", "fig-network-structure", "tbl-structure", "tbl-nearness"),
}
"""The rows of the design's first table, and where in the technical report each is answered."""
INCLUDE = re.compile(r"^\{\{< include (\S+) >\}\}$", re.MULTILINE)


def whole(name: str) -> str:
    """A report's source with everything that it includes in its place."""
    text = (REPORTS / name).read_text(encoding="utf-8")
    return INCLUDE.sub(lambda found: whole(found[1]), text)


def labels(text: str) -> set[str]:
    sections = re.findall(r"\{#(sec-[a-z-]+)\}", text)
    figures = re.findall(r"^#\| label: (fig-[a-z-]+)$", text, re.MULTILINE)
    return {*sections, *figures, *re.findall(r"\"(tbl-[a-z-]+)\"", text)}


@pytest.mark.parametrize("idea", ROWS)
def test_every_row_of_the_designs_first_table_has_its_place(idea: str) -> None:
    assert set(ROWS[idea]) - labels(whole("technical.qmd")) == set()


@pytest.mark.parametrize("idea", ROWS)
def test_every_row_has_numbers_in_the_demonstrations_report(idea: str, finished: Project) -> None:
    page = (finished.release / "technical.html").read_text(encoding="utf-8")
    for label in ROWS[idea]:
        # A table without rows is a sentence instead and has no label; a figure without data says so in its words.
        assert re.search(rf'id="{label}"', page), f"{label} is not in the report"
        if label.startswith("fig-"):
            alt = re.search(rf'<figure id="{label}">.*?<img\b[^>]*\balt="([^"]*)"', page, re.DOTALL)
            assert alt is not None, f"{label} is no picture"
            assert not alt[1].startswith("No "), f"{label} has nothing to draw"


def test_no_label_of_the_report_stands_twice() -> None:
    text = whole("technical.qmd")
    found = re.findall(r"\{#(sec-[a-z-]+)\}|^#\| label: (fig-[a-z-]+)$", text, re.MULTILINE)
    names = ["".join(pair) for pair in found]
    assert sorted(names) == sorted(set(names))

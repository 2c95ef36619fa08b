"""Every idea of the literature that the design takes up, and where in the technical report it is answered."""

from __future__ import annotations

import re
from pathlib import Path

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
    "proximity, similarity, ties": (
        "sec-structure",
        "fig-network-structure",
        "tbl-structure",
        "fig-tie-blocks",
        "fig-tie-bands",
        "tbl-tie-bands",
        "tbl-nearness",
    ),
}
"""The rows of the design's first table, and the sections, tables and figures of each."""
INCLUDE = re.compile(r"^\{\{< include (\S+) >\}\}$", re.MULTILINE)


def whole(name: str) -> str:
    """A report's source with everything that it includes in its place."""
    text = (REPORTS / name).read_text(encoding="utf-8")
    return INCLUDE.sub(lambda found: whole(found[1]), text)

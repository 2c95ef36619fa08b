"""Raw files of the long form about conditions of learning: a scale for each facet, asked in a network's first waves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.simulate.answers import response
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.process import FACET_ANSWERED, FACETS, RESPONDENT_SD, RESPONDENT_SHARED
from plneval.simulate.streams import stream
from plneval.simulate.voices import answer_sheet, answering

FORM: Final = "conditions_long"
_ENDINGS: Final = {
    **dict.fromkeys(("focus_network", "trust", "inquiry"), ("1", "2", "3", "4r")),
    **dict.fromkeys(("group_learning", "network_leadership", "mobilising"), ("1", "2", "3")),
}
ITEMS: Final = {
    facet: tuple(f"{facet}_{ending}" for ending in _ENDINGS.get(facet, ("1", "2", "3r"))) for facet in FACETS
}
"""Items of each facet, from 1 to 5; those that end in r are worded in reverse."""
WAVES_ASKED: Final = 2
"""Waves in which a network answers the long form, from its first on.

# ASSUME: With 36 items beside the 15 of the short form nobody is asked more often; no network is left out.
"""


def write_long_form(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``survey_conditions_long_w<wave>.csv``: those who answered the short form, in their network's first two waves."""
    rng = stream(made.simulation.seed, "surveys", 1)
    typist = Typist(stream(made.simulation.seed, "surveys", 2))
    items = [item for of_facet in ITEMS.values() for item in of_facet]
    for wave, year, here in long_answers(made, rng):
        table = answer_sheet(made, here, wave, year, FORM, items)
        again = table.iloc[typist.rows(1, table)]
        lost = table.iloc[typist.rows(1, table)].assign(StaffNo="")
        stray = table.iloc[typist.rows(1, table)]
        # In the name of teachers who did not answer, so that only the school is unknown.
        stray = stray.assign(
            SchoolNo=[typist.typo(code, made.school_codes) for code in stray["SchoolNo"]],
            StaffNo=[code for code in made.staff.code if code not in set(table["StaffNo"])][: len(stray)],
        )
        unclear = [row for row in typist.rows(2, table) if row not in again.index]
        table.loc[unclear, items[0]] = "3-4"
        table = shuffled(with_rows(table, again, lost, stray), typist.rng)
        errors.read["surveys"] += len(items) * len(table)
        errors.merge("surveys", len(items) * len(again))
        errors.reject("surveys", "missing_key", len(items) * len(lost))
        errors.reject("surveys", "unknown_school", len(items) * len(stray))
        errors.reject("surveys", "bad_type", len(unclear))
        write_text_table(out / f"survey_{FORM}_w{wave}.csv", table, TextFormat())


def long_answers(made: MadeStudy, rng: np.random.Generator) -> list[tuple[int, int, pd.DataFrame]]:
    """The waves with their school years and answers: one row a post (post, role, school, an item a column)."""
    asked: dict[int, int] = {}
    waves = []
    for wave, year, answers in answering(made):
        here = answers.loc[answers["role"] != "colleague", ["post", "role", "school"]].reset_index(drop=True)
        network = made.memberships.network[here["school"].to_numpy()]
        first = np.array([asked.setdefault(int(one), wave) for one in network], dtype=np.int64)
        table = _answers(made, rng, here)
        waves.append((wave, year, table[wave - first < WAVES_ASKED].reset_index(drop=True)))
    return waves


def _answers(made: MadeStudy, rng: np.random.Generator, here: pd.DataFrame) -> pd.DataFrame:
    """What respondents say of their network's facets. Drawn for every post, so that who answers shifts no draw."""
    post = here["post"].to_numpy()
    network = made.memberships.network[here["school"].to_numpy()]
    posts = len(made.staff.post_school)
    shared = {condition: rng.standard_normal(posts)[post] for condition in dict.fromkeys(FACETS.values())}
    answers: dict[str, NDArray[np.int64]] = {}
    for place, (facet, condition) in enumerate(FACETS.items()):
        own = rng.standard_normal(posts)[post]
        view = np.sqrt(RESPONDENT_SHARED) * shared[condition] + np.sqrt(1 - RESPONDENT_SHARED) * own
        behind = FACET_ANSWERED * made.networks.facets[network, place] + RESPONDENT_SD * view
        for item in ITEMS[facet]:
            noise = rng.standard_normal(posts)[post]
            answers[f"{FORM}:{item}"] = response(behind, noise, item.endswith("r"))
    return here.assign(**answers)

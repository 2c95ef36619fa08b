"""Raw files of the survey about agency: participants and colleagues who answered about their practice, three waves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.simulate.answers import SPREAD, response
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.memberships import stages
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.streams import stream
from plneval.simulate.voices import answer_sheet, answering

ITEMS = ("agency_1", "agency_2", "agency_3", "agency_4r")
"""Items of the form, from 1 to 5; the one that ends in r is worded in reverse."""
LEVELS = {"participant": (0.10, 0.30), "colleague": (-0.75, 0.15)}
"""Level of each role behind its answers, and by how much full participation raises it (``answers.response`` says how).

# ASSUME: Participants act on their own initiative, the more the longer they take part; colleagues, who did not choose,
# mostly wait. Planted whatever the effect on pupils is.
"""


def agency_levels(made: MadeStudy, answers: pd.DataFrame, year: int) -> NDArray[np.float64]:
    """Level behind the answers of each row of ``answers`` (role, school) in a year; missing for leaders."""
    stage = stages(made.memberships, made.effects)[answers["school"], year - made.years[0]]
    levels = np.full(len(answers), np.nan)
    for role, (start, rise) in LEVELS.items():
        own = (answers["role"] == role).to_numpy()
        levels[own] = start + rise * stage[own]
    return levels


def agency_answers(made: MadeStudy) -> Iterator[tuple[int, int, pd.DataFrame]]:
    """The waves with their school years and the answers: post, role, school, ``agency:<item>``; leaders are not asked.

    Those who answered about their practice answer about their agency as well.
    """
    rng = stream(made.simulation.seed, "agency")
    posts = len(made.staff.post_school)
    for wave, year, answers in answering(made):
        here = answers[answers["role"] != "leader"].reset_index(drop=True)
        post = here["post"].to_numpy()
        # Drawn for every post, so that who answers does not shift the draws.
        behind = agency_levels(made, here, year) + SPREAD * rng.standard_normal(posts)[post]
        for item in ITEMS:
            noise = rng.standard_normal(posts)[post]
            here[f"agency:{item}"] = response(behind, noise, item.endswith("r"))
        yield wave, year, here


def write_agency(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``survey_agency_w<wave>.csv``: the same people, waves and shape as the survey of practice."""
    typist = Typist(stream(made.simulation.seed, "agency", 1))
    for wave, year, answers in agency_answers(made):
        table = answer_sheet(made, answers, wave, year, "agency", ITEMS)
        again = table.iloc[typist.rows(1, table)]
        lost = table.iloc[typist.rows(1, table)].assign(StaffNo="")
        unclear = [row for row in typist.rows(2, table) if row not in again.index]
        table.loc[unclear, ITEMS[0]] = "4/5"
        table = shuffled(with_rows(table, again, lost), typist.rng)
        errors.read["surveys"] += len(ITEMS) * len(table)
        errors.merge("surveys", len(ITEMS) * len(again))
        errors.reject("surveys", "missing_key", len(ITEMS) * len(lost))
        errors.reject("surveys", "bad_type", len(unclear))
        write_text_table(out / f"survey_agency_w{wave}.csv", table, TextFormat())

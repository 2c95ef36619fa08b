"""Raw files of surveys, of ties between participants and of network activity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.config.cohort import Study
from plneval.simulate.answers import SPREAD, expected_response, response
from plneval.simulate.calendar import entry_years, start_of
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.memberships import stages
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.practice import practice_gained
from plneval.simulate.process import CONDITIONS
from plneval.simulate.staff import HEAD
from plneval.simulate.streams import stream

INSTRUMENTS = {
    "conditions": (
        *(f"{condition}_{number}" for condition in CONDITIONS for number in (1, 2)),
        *(f"{condition}_3{'r' if condition in ('collaboration', 'inquiry') else ''}" for condition in CONDITIONS),
    ),
    "practice": ("practice_1", "practice_2", "practice_3", "practice_4r"),
    "policy": ("policy_1", "policy_2", "policy_3"),
}
"""Items of each instrument, from 1 to 5; those that end in r are worded in reverse."""
WORDS = ("strongly disagree", "disagree", "neither", "agree", "strongly agree")
WORDED_WAVE = 2
"""The wave whose answers are written as words."""


def wave_years(study: Study) -> list[int]:
    """School years of the three survey waves: from the first year of joining to the last study year."""
    first = entry_years(study)[0]
    return [first, (first + study.last_year) // 2, study.last_year]


def write_surveys(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``survey_<instrument>_w<wave>.csv``: participants, colleagues and leaders of member schools, three waves."""
    typist = made.typist("surveys")
    for wave, year, answers in answering(made):
        for instrument, items in INSTRUMENTS.items():
            table = _survey(made, answers, wave, year, instrument)
            records = len(items)
            again = table.iloc[typist.rows(1, table)]
            lost = table.iloc[typist.rows(1, table)].assign(StaffNo="")
            stray = table.iloc[typist.rows(1, table)]
            # Nobody else's number, so that only the school is unknown.
            stray = stray.assign(
                SchoolNo=[typist.typo(code, made.school_codes) for code in stray["SchoolNo"]],
                StaffNo=_silent(made, typist, set(table["StaffNo"])),
            )
            for row in typist.rows(2, table):
                if row not in again.index:
                    table.loc[row, items[0]] = "2-3"
                    errors.reject("surveys", "bad_type", 1)
            table = shuffled(with_rows(table, again, lost, stray), typist.rng)
            errors.read["surveys"] += records * len(table)
            errors.merge("surveys", records * len(again))
            errors.reject("surveys", "missing_key", records * len(lost))
            errors.reject("surveys", "unknown_school", records * len(stray))
            write_text_table(out / f"survey_{instrument}_w{wave}.csv", table, TextFormat())


def answering(made: MadeStudy) -> Iterator[tuple[int, int, pd.DataFrame]]:
    """The waves with their school years and answers (:func:`answers_of`), the same ones every time."""
    rng = stream(made.simulation.seed, "surveys")
    for wave, year in enumerate(wave_years(made.study), start=1):
        yield wave, year, answers_of(made, rng, year)


def _silent(made: MadeStudy, typist: Typist, answered: set[str]) -> str:
    """A teacher who did not answer."""
    silent = [code for code in made.staff.code if code not in answered]
    return silent[int(typist.rng.integers(0, len(silent)))]


def answers_of(made: MadeStudy, rng: np.random.Generator, year: int) -> pd.DataFrame:
    """Who answers in a year: one row a post (post, role, school), with a column ``<instrument>:<item>`` for each item.

    ``level:practice`` and ``level:policy`` are what lies behind the answers of a person of that role and school,
    ``expected:practice`` and ``expected:policy`` the scores that are then expected, in points of the scale.

    # ASSUME: Practice moves with participation (:mod:`plneval.simulate.practice`), and policy by 0.5 SD in full effect;
    # both are planted whatever the effect on pupils is.
    """
    staff, memberships = made.staff, made.memberships
    column = year - made.years[0]
    school = staff.post_school
    leader = np.array([role == HEAD for role in staff.post_role])
    asked = memberships.member[school, column] & (leader | staff.participates | (rng.random(len(school)) < 0.5))
    asked &= rng.random(len(school)) < 0.8
    role = np.where(leader, "leader", np.where(staff.participates, "participant", "colleague"))
    stage = stages(memberships, made.effects)[school, column]
    conditions = 0.7 * made.networks.conditions[memberships.network[school]]
    conditions = conditions + 0.5 * rng.standard_normal(conditions.shape)
    spread = {"practice": made.process.practice_sd, "policy": SPREAD}
    table = pd.DataFrame({"post": np.arange(len(school)), "role": role, "school": school})
    for number, condition in enumerate(CONDITIONS):
        table[condition] = conditions[:, number]
    for instrument, level in (("practice", practice_gained(made, year)), ("policy", 0.5 * stage)):
        table[f"level:{instrument}"] = level
        table[f"expected:{instrument}"] = expected_response(level, spread[instrument])
        table[instrument] = level + spread[instrument] * rng.standard_normal(len(school))
    for instrument, items in INSTRUMENTS.items():
        for item in items:
            behind = table[item.split("_")[0]].to_numpy(dtype=np.float64)
            noise = rng.standard_normal(len(school))
            table[f"{instrument}:{item}"] = response(behind, noise, item.endswith("r"))
    answers: pd.DataFrame = table[asked].reset_index(drop=True)
    return answers


def _survey(made: MadeStudy, answers: pd.DataFrame, wave: int, year: int, instrument: str) -> pd.DataFrame:
    """One instrument's raw table in one wave; leaders alone answer about policy, and they not about practice."""
    leader = answers["role"] == "leader"
    asked = {"conditions": leader | (answers["role"] == "participant"), "practice": ~leader, "policy": leader}
    here = answers[asked[instrument]].reset_index(drop=True)
    return answer_sheet(made, here, wave, year, instrument, INSTRUMENTS[instrument])


def answer_sheet(
    made: MadeStudy, here: pd.DataFrame, wave: int, year: int, instrument: str, items: Sequence[str]
) -> pd.DataFrame:
    """The raw table of answers (post, role, school, ``<instrument>:<item>``), in words in one wave."""
    post, school = here["post"].to_numpy(), here["school"].to_numpy()
    network = made.memberships.network[school]
    day = start_of(made.study, year) + dt.timedelta(days=180)
    table = pd.DataFrame(
        {
            "StaffNo": np.array(made.staff.code)[made.staff.teacher[post, year - made.years[0]]],
            "SchoolNo": np.array(made.schools.code)[school],
            "Network": np.array(made.networks.code)[network],
            "Role": here["role"].to_numpy(),
            "Wave": str(wave),
            "Date": [(day + dt.timedelta(days=int(number) % 21)).isoformat() for number in post],
        }
    ).astype(object)
    for item in items:
        answer = here[f"{instrument}:{item}"].to_numpy()
        table[item] = np.array(WORDS, dtype=object)[answer - 1] if wave == WORDED_WAVE else answer.astype(str)
    return table


def write_ties(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``ties.csv``: who turns to whom among a network's participants; trust grows with nearness and with waves."""
    typist, rng = made.typist("ties"), stream(made.simulation.seed, "ties")
    staff = made.staff
    rows: list[tuple[str, str, str, str, str]] = []
    for wave, year in enumerate(wave_years(made.study), start=1):
        column = year - made.years[0]
        for network in range(made.networks.count):
            posts, score = tie_scores(made, wave, network)
            tied = rng.random(score.shape) < 1 / (1 + np.exp(-score))
            np.fill_diagonal(tied, False)
            strength = np.clip(np.rint(2.8 + 0.5 * score + rng.standard_normal(score.shape)), 1, 5).astype(np.int64)
            advice = rng.random(score.shape) < 0.6
            code = [staff.code[teacher] for teacher in staff.teacher[posts, column].tolist()]
            for i, j in np.argwhere(tied).tolist():
                kind = "advice" if advice[i, j] else "materials"
                rows.append((str(wave), code[i], code[j], kind, str(strength[i, j])))
    table = pd.DataFrame(rows, columns=["Wave", "From", "To", "Kind", "Strength"]).astype(object)
    chosen = typist.rows(12, table)
    again, nameless, twice, vague = (table.iloc[chosen[a:b]] for a, b in ((0, 4), (4, 7), (7, 9), (9, 12)))
    nameless = nameless.assign(From="")
    twice = twice.assign(Strength=[str(int(text) % 5 + 1) for text in twice["Strength"]])
    table.loc[vague.index, "Strength"] = "often"
    table = shuffled(with_rows(table, again, nameless, twice), typist.rng)
    errors.read["ties"] += len(table)
    errors.merge("ties", len(again))
    errors.reject("ties", "missing_key", len(nameless))
    errors.reject("ties", "conflicting_duplicate", 2 * len(twice))
    errors.reject("ties", "bad_type", len(vague))
    write_text_table(out / "ties.csv", table, TextFormat())


def tie_scores(made: MadeStudy, wave: int, network: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A network's participating posts in a wave (from 1), and the log odds of a tie of each with each other."""
    staff, memberships, schools = made.staff, made.memberships, made.schools
    column = wave_years(made.study)[wave - 1] - made.years[0]
    active = staff.participates & memberships.member[staff.post_school, column]
    posts = np.flatnonzero(active & (memberships.network[staff.post_school] == network))
    school = staff.post_school[posts]
    apart = np.hypot(
        schools.latitude[school][:, None] - schools.latitude[school],
        0.6 * (schools.longitude[school][:, None] - schools.longitude[school]),
    )
    unlike = np.abs(schools.deprivation[school][:, None] - schools.deprivation[school])
    score = -1.2 + 0.9 * (school[:, None] == school) - 4 * apart - 0.3 * unlike
    score += 0.4 * made.networks.conditions[network, CONDITIONS.index("collaboration")] + 0.3 * (wave - 1)
    return posts, score


def write_activity(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``events.csv``: which teachers came to which meeting of their network, when and for how long."""
    typist, rng = made.typist("activity"), stream(made.simulation.seed, "activity")
    staff, memberships = made.staff, made.memberships
    rows: list[tuple[str, str, str, str, str, str]] = []
    number = 0
    for column, year in enumerate(made.years):
        active = staff.participates & memberships.member[staff.post_school, column]
        for network in range(made.networks.count):
            posts = np.flatnonzero(active & (memberships.network[staff.post_school] == network))
            for meeting in range(int(rng.integers(4, 7))):
                came = posts[rng.random(len(posts)) < 0.8]
                day = start_of(made.study, year) + dt.timedelta(days=30 + 45 * meeting + int(rng.integers(0, 15)))
                hours = ("1.5", "2", "3", "6")[int(rng.integers(0, 4))]
                if len(came):
                    number += 1
                for post in came.tolist():
                    school = made.schools.code[int(staff.post_school[post])]
                    teacher = staff.code[int(staff.teacher[post, column])]
                    event = f"E{number:05d}"
                    rows.append((made.networks.code[network], event, school, teacher, day.isoformat(), hours))
    names = ["Network", "Event", "SchoolNo", "TeacherNo", "Date", "Hours"]
    table = pd.DataFrame(rows, columns=names).astype(object)
    table = _with_strange_events(made, typist, table, errors)
    errors.read["activity"] += len(table)
    write_text_table(out / "events.csv", shuffled(table, typist.rng), TextFormat())


def _with_strange_events(made: MadeStudy, typist: Typist, table: pd.DataFrame, errors: PlantedErrors) -> pd.DataFrame:
    chosen = typist.rows(15, table)
    again, stray_network, stray_school, nameless = (
        table.iloc[chosen[a:b]] for a, b in ((0, 5), (5, 7), (7, 9), (9, 11))
    )
    words, days = chosen[11:13], chosen[13:15]
    stray_network = stray_network.assign(
        Network=[typist.typo(code, set(made.networks.code)) for code in stray_network["Network"]]
    )
    stray_school = stray_school.assign(
        SchoolNo=[typist.typo(code, made.school_codes) for code in stray_school["SchoolNo"]]
    )
    nameless = nameless.assign(Event="")
    table.loc[words, "Hours"] = "two"
    table.loc[days, "Date"] = [f"{text[:4]}-02-31" for text in table.loc[days, "Date"]]
    errors.merge("activity", len(again))
    errors.reject("activity", "unknown_network", len(stray_network))
    errors.reject("activity", "unknown_school", len(stray_school))
    errors.reject("activity", "missing_key", len(nameless))
    errors.reject("activity", "bad_type", len(words) + len(days))
    return with_rows(table, again, stray_network, stray_school, nameless)

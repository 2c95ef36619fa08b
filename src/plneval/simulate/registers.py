"""Raw files of schools, networks and memberships, in the programme and outside it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from plneval.simulate.calendar import year_label
from plneval.simulate.formats import TextFormat, write_excel_table, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.other_programmes import PROGRAMMES
from plneval.simulate.planted import PlantedErrors, shuffled, with_rows
from plneval.simulate.schools import AREAS
from plneval.simulate.streams import stream
from plneval.simulate.teacher_spells import teacher_spells

NETWORK_TYPE_CODES = ("DUT", "RLN", "LS", "TDT", "PDN")
"""Short words of the programme office for the network types, in the order of NETWORK_TYPES."""


def write_schools(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``schools.csv``: cp1252 with accented names, semicolons; a closed school with two names."""
    schools, typist = made.schools, made.typist("schools")
    table = pd.DataFrame(
        {
            "SchoolNo": schools.code,
            "SchoolName": schools.name,
            "Area": [AREAS[area] for area in schools.area.tolist()],
            "Phase": schools.phase,
            "Latitude": [f"{value:.5f}" for value in schools.latitude.tolist()],
            "Longitude": [f"{value:.5f}" for value in schools.longitude.tolist()],
        }
    )
    again = table.iloc[typist.rows(3, table)]
    closed = table.iloc[[0, 0]].assign(
        SchoolNo=typist.typo(schools.code[0], made.school_codes),
        SchoolName=["Old Mill School", "The Old Mill (closed)"],
    )
    table = shuffled(with_rows(table, again, closed), typist.rng)
    errors.read["schools"] += len(table)
    errors.merge("schools", len(again))
    errors.reject("schools", "conflicting_duplicate", len(closed))
    write_text_table(out / "schools.csv", table, TextFormat("cp1252", ";"))


def write_school_years(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``school_context.csv``: years as 2016/17, some years that the study does not have."""
    schools, study, typist = made.schools, made.study, made.typist("school_years")
    rng = stream(made.simulation.seed, "school_years")
    years = [study.first_year - 1, *made.years, study.last_year + 1]
    shape = (len(years), schools.count)
    enrolment = np.rint(7 * schools.size * np.exp(0.03 * rng.standard_normal(shape))).astype(np.int64)
    deprivation = np.maximum(1, 25 + 10 * schools.deprivation + 0.8 * rng.standard_normal(shape))
    table = pd.DataFrame(
        {
            "SchoolNo": schools.code * len(years),
            "SchoolYear": np.repeat([year_label(year) for year in years], schools.count),
            "OnRoll": enrolment.ravel().astype(str),
            "Teachers": np.rint(enrolment / 19.0).astype(np.int64).ravel().astype(str),
            "DeprivationIndex": [f"{value:.1f}" for value in deprivation.ravel().tolist()],
        }
    ).astype(object)
    within = table.iloc[schools.count : -schools.count].reset_index(drop=True)
    # Of the years outside the study, a few rows are in the file.
    before, after = table.iloc[: schools.count], table.iloc[-schools.count :]
    outside = with_rows(before.iloc[typist.rows(5, before)], after.iloc[typist.rows(4, after)])
    chosen = typist.rows(14, within)
    unreadable, negative, blank, again = chosen[:3], chosen[3:5], chosen[5:9], within.iloc[chosen[9:]]
    within.loc[unreadable, "DeprivationIndex"] = "n/k"
    within.loc[negative, "OnRoll"] = [f"-{number}" for number in within.loc[negative, "OnRoll"]]
    within.loc[blank, "DeprivationIndex"] = "NA"
    stray = within.iloc[typist.rows(3, within)]
    stray = stray.assign(SchoolNo=[typist.typo(code, made.school_codes) for code in stray["SchoolNo"]])
    stray["DeprivationIndex"], stray["OnRoll"] = "25.0", "200"
    total = stray.iloc[[0]].assign(SchoolNo="")
    table = shuffled(with_rows(within, outside, again, stray, total), typist.rng)
    errors.read["school_years"] += len(table)
    errors.merge("school_years", len(again))
    errors.reject("school_years", "bad_type", len(unreadable))
    errors.reject("school_years", "out_of_range", len(negative))
    errors.reject("school_years", "year_outside_study", len(outside))
    errors.reject("school_years", "unknown_school", len(stray))
    errors.reject("school_years", "missing_key", len(total))
    write_text_table(out / "school_context.csv", table, TextFormat())


def write_networks(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``networks.xlsx``: column names in the third row, types in the programme office's short words."""
    networks = made.networks
    table = pd.DataFrame(
        {
            "No.": networks.code,
            "Network": networks.name,
            "Type": [NETWORK_TYPE_CODES[kind] for kind in networks.type],
            "Focus": networks.focus,
            "Composition": networks.composition,
            "Lead": networks.lead,
            "Research partner": networks.partner,
            "Since": networks.started,
        }
    )
    errors.read["networks"] += len(table)
    write_excel_table(
        out / "networks.xlsx", table, "Networks", ["Northbridge Learning Networks (made up)", "Register of networks"]
    )


def write_memberships(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``network_members.csv``: schools' memberships with a byte order mark; ``network_participants.csv``: teachers'."""
    typist, networks, schools = made.typist("memberships"), made.networks, made.schools
    spells = made.memberships.spells
    table = pd.DataFrame(
        {
            "Network": [networks.code[spell.network] for spell in spells],
            "SchoolNo": [schools.code[spell.school] for spell in spells],
            "From": [spell.joined.isoformat() for spell in spells],
            "To": [spell.left.isoformat() if spell.left else "" for spell in spells],
        }
    )
    again = table.iloc[typist.rows(3, table)]
    picked = typist.rows(2, table)
    joined = [spells[row].joined for row in picked]
    reverse = table.iloc[picked].assign(
        From=[(day + dt.timedelta(days=40)).isoformat() for day in joined],
        To=[(day - dt.timedelta(days=100)).isoformat() for day in joined],
    )
    stray_network = table.iloc[typist.rows(2, table)]
    stray_network = stray_network.assign(
        Network=[typist.typo(code, set(networks.code)) for code in stray_network["Network"]]
    )
    stray_school = table.iloc[typist.rows(2, table)]
    stray_school = stray_school.assign(
        SchoolNo=[typist.typo(code, made.school_codes) for code in stray_school["SchoolNo"]]
    )
    no_date = table.iloc[typist.rows(1, table)].assign(From="")
    no_day = table.iloc[typist.rows(1, table)]
    no_day = no_day.assign(From=[f"{text[:4]}-02-31" for text in no_day["From"]])
    table = shuffled(with_rows(table, again, reverse, stray_network, stray_school, no_date, no_day), typist.rng)
    errors.read["memberships"] += len(table)
    errors.merge("memberships", len(again))
    for rule, rows in (
        ("spell_reversed", reverse),
        ("unknown_network", stray_network),
        ("unknown_school", stray_school),
        ("missing_key", no_date),
        ("bad_type", no_day),
    ):
        errors.reject("memberships", rule, len(rows))
    write_text_table(out / "network_members.csv", table, TextFormat("utf-8-sig"))
    teachers = pd.DataFrame(
        [
            (
                networks.code[spell.network], schools.code[spell.school], made.staff.code[spell.teacher], spell.role,
                spell.joined.isoformat(), spell.left.isoformat() if spell.left else "",
            )
            for spell in teacher_spells(made)
        ],
        columns=["Network", "SchoolNo", "TeacherNo", "Role", "From", "To"],
    )  # fmt: skip
    again = teachers.iloc[typist.rows(4, teachers)]
    table = shuffled(with_rows(teachers, again), typist.rng)
    errors.read["memberships"] += len(table)
    errors.merge("memberships", len(again))
    write_text_table(out / "network_participants.csv", table, TextFormat())


def write_other_programmes(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``other_programmes.csv``: a regional office's list, cp1252 and semicolons, with the day first in its dates."""
    typist, schools, spells = made.typist("other_memberships"), made.schools, made.other_spells

    def day(date: dt.date | None) -> str:
        return f"{date:%d/%m/%Y}" if date else ""

    table = pd.DataFrame(
        {
            "Programme": [PROGRAMMES[spell.programme] for spell in spells],
            "School": [schools.code[spell.school] for spell in spells],
            "Start": [day(spell.joined) for spell in spells],
            "End": [day(spell.left) for spell in spells],
        }
    ).astype(object)
    again = table.iloc[typist.rows(2, table)]
    picked = typist.rows(2, table)
    reverse = table.iloc[picked].assign(
        Start=[day(spells[row].joined + dt.timedelta(days=40)) for row in picked],
        End=[day(spells[row].joined - dt.timedelta(days=100)) for row in picked],
    )
    stray = table.iloc[typist.rows(2, table)]
    stray = stray.assign(School=[typist.typo(code, made.school_codes) for code in stray["School"]])
    nameless = table.iloc[typist.rows(1, table)].assign(Programme="")
    no_date = table.iloc[typist.rows(1, table)].assign(Start="")
    no_day = table.iloc[typist.rows(1, table)]
    no_day = no_day.assign(Start=[f"31/02/{text[-4:]}" for text in no_day["Start"]])
    # One spell that nobody else has, with two ends.
    (row,) = typist.rows(1, table)
    begun = spells[row].joined + dt.timedelta(days=11)
    ends = [day(begun + dt.timedelta(days=length)) for length in (300, 340)]
    twice = table.iloc[[row, row]].assign(Start=day(begun), End=ends)
    table = shuffled(with_rows(table, again, reverse, stray, nameless, no_date, no_day, twice), typist.rng)
    errors.read["other_memberships"] += len(table)
    errors.merge("other_memberships", len(again))
    for rule, rows in (
        ("spell_reversed", len(reverse)),
        ("unknown_school", len(stray)),
        ("missing_key", len(nameless) + len(no_date)),
        ("bad_type", len(no_day)),
        ("conflicting_duplicate", len(twice)),
    ):
        errors.reject("other_memberships", rule, rows)
    write_text_table(out / "other_programmes.csv", table, TextFormat("cp1252", ";"))

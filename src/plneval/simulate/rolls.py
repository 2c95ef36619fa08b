"""Raw files of staff, pupils on roll, and who teaches whom."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from plneval.simulate.calendar import year_label
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.process import GRADES
from plneval.simulate.scores import taught_by
from plneval.simulate.staff import JOB_SHARE

STAFF_SHAPES = (
    (TextFormat(), ("TeacherNo", "SchoolNo", "Role")),
    (TextFormat("cp1252", ";"), ("Staff ref", "School", "Post")),
)


@dataclass(frozen=True)
class RollShape:
    """One office's way of writing rolls: form, column names, and whether words or codes stand in the columns."""

    form: TextFormat
    names: tuple[str, ...]
    coded: bool


ROLL_SHAPES = (
    RollShape(TextFormat(), ("UPN", "SchoolNo", "NCYear", "PupilPremium", "Sex", "BirthMonth"), coded=False),
    RollShape(TextFormat("cp1252", ";"), ("PupilNo", "School", "YearGroup", "FSM", "Gender", "Born"), coded=True),
    RollShape(
        TextFormat(gzipped=True), ("UPN", "SchoolNo", "NCYear", "PupilPremium", "Sex", "BirthMonth"), coded=False
    ),
)
"""Shapes of the yearly files, used in turn."""
LAST_ROLL_SHAPE = RollShape(
    TextFormat("utf-8-sig"),
    ("Academic year", "Pupil number", "School number", "Year group", "Disadvantaged", "Gender", "Birth month"),
    coded=True,
)


def write_teachers(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``staff_<year>.csv``: who works where, with supply teachers of unknown schools."""
    typist, staff = made.typist("teachers"), made.staff
    codes, known = np.array(staff.code), set(made.teacher_codes)
    for position, year in enumerate(made.years):
        form, names = STAFF_SHAPES[position % len(STAFF_SHAPES)]
        table = pd.DataFrame(
            {
                "teacher": codes[staff.teacher[:, position]],
                "school": [made.schools.code[school] for school in staff.post_school.tolist()],
                "role": staff.post_role,
            }
        ).astype(object)
        again = table.iloc[typist.rows(2, table)]
        more = [again]
        errors.merge("teachers", len(again))
        if position % 2 == 0:
            supply = table.iloc[typist.rows(1, table)].assign(role="supply teacher", teacher=_new(typist, known))
            supply["school"] = [typist.typo(code, made.school_codes) for code in supply["school"]]
            two_roles = table.iloc[[0, 0]].assign(teacher=_new(typist, known), role=["assistant", "mentor"])
            nobody = table.iloc[[1]].assign(teacher="", role="vacant")
            more += [supply, two_roles, nobody]
            errors.reject("teachers", "unknown_school", len(supply))
            errors.reject("teachers", "conflicting_duplicate", len(two_roles))
            errors.reject("teachers", "missing_key", len(nobody))
        table = shuffled(with_rows(table, *more), typist.rng)
        errors.read["teachers"] += len(table)
        table.columns = pd.Index(names)
        write_text_table(out / f"staff_{year}{form.ending}", table, form)


def _new(typist: Typist, known: set[str]) -> str:
    """A teacher's number that nobody has, and that nobody gets later."""
    code = typist.typo(min(known), known)
    known.add(code)
    return code


def write_pupils(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``census_<year>.*`` and, for the last year, ``roll_<year>.csv`` with next year's pupils in it."""
    typist, known = made.typist("pupils"), set(made.pupil_codes)
    for position, year in enumerate(made.years):
        last = year == made.years[-1]
        shape = LAST_ROLL_SHAPE if last else ROLL_SHAPES[position % len(ROLL_SHAPES)]
        table = _roll(made, year, shape.coded)
        table = with_rows(table, *_strange_pupils(made, typist, known, table, errors))
        if last:
            table.insert(0, "year", year_label(year))
            ahead = table.iloc[typist.rows(15, table)]
            ahead = ahead.assign(
                year=year_label(year + 1),
                pupil=[_unused(typist, known) for _ in range(len(ahead))],
                school=made.schools.code[0],
                disadvantaged="0",
            )
            errors.reject("pupils", "year_outside_study", len(ahead))
            table = with_rows(table, ahead)
        table = shuffled(table, typist.rng)
        errors.read["pupils"] += len(table)
        table.columns = pd.Index(shape.names)
        write_text_table(out / f"{'roll' if last else 'census'}_{year}{shape.form.ending}", table, shape.form)


def _roll(made: MadeStudy, year: int, coded: bool) -> pd.DataFrame:
    """Pupils on roll in a year, as text, in words or in codes."""
    pupils = made.pupils
    rows = np.flatnonzero(pupils.row_year == year)
    person = pupils.row_person[rows]
    grade = np.array(GRADES)[pupils.row_grade[rows]].astype(str)
    return pd.DataFrame(
        {
            "pupil": np.array(pupils.code)[person],
            "school": np.array(made.schools.code)[pupils.row_school[rows]],
            "grade": np.char.add("Y", grade) if coded else grade,
            "disadvantaged": np.where(pupils.disadvantaged[person], *(("1", "0") if coded else ("Y", "N"))),
            "gender": np.where(pupils.girl[person], *(("2", "1") if coded else ("F", "M"))),
            "birth": np.array(pupils.birth)[person],
        }
    ).astype(object)


def _strange_pupils(
    made: MadeStudy, typist: Typist, known: set[str], table: pd.DataFrame, errors: PlantedErrors
) -> list[pd.DataFrame]:
    """Rows below a year's roll: exact duplicates, and pupils with errors who have no scores anywhere."""
    again = table.iloc[typist.rows(3, table)]

    def invented(rows: int) -> pd.DataFrame:
        some = table.iloc[typist.rows(rows, table)]
        return some.assign(pupil=[_unused(typist, known) for _ in range(len(some))])

    stray = invented(2)
    stray["school"] = [typist.typo(code, made.school_codes) for code in stray["school"]]
    unreadable = invented(1).assign(disadvantaged="?")
    twice = invented(1)
    other = next(code for code in made.schools.code if code != twice["school"].iloc[0])
    twice = with_rows(twice, twice.assign(school=other))
    nameless = invented(1).assign(pupil="")
    errors.merge("pupils", len(again))
    errors.reject("pupils", "unknown_school", len(stray))
    errors.reject("pupils", "bad_type", len(unreadable))
    errors.reject("pupils", "conflicting_duplicate", len(twice))
    errors.reject("pupils", "missing_key", len(nameless))
    return [again, stray, unreadable, twice, nameless]


def _unused(typist: Typist, known: set[str]) -> str:
    """A pupil number that nobody has, and that nobody gets later."""
    while True:
        code = f"S{int(typist.rng.integers(10**11, 10**12)):012d}"
        if code not in known:
            known.add(code)
            return code


def write_teaching(made: MadeStudy, out: Path, errors: PlantedErrors) -> None:
    """``teaching.csv.gz``: pupil, year as 2016/17, subject, teacher and share of the lessons."""
    typist, pupils, staff = made.typist("teaching"), made.pupils, made.staff
    everyone = np.arange(len(pupils.row_person))
    first, second = taught_by(staff, pupils, everyone)
    column = pupils.row_year - made.years[0]
    codes, teachers = np.array(pupils.code), np.array(staff.code)
    labels = np.array([year_label(year) for year in made.years])
    main_share, second_share = f"{1 - JOB_SHARE:g}", f"{JOB_SHARE:g}"
    parts = []
    for subject, word in enumerate(("Ma", "Rd")):
        shared = second[:, subject] >= 0
        for post, row, share in (
            (first[:, subject], everyone, np.where(shared, main_share, "1")),
            (second[shared, subject], everyone[shared], np.full(int(shared.sum()), second_share)),
        ):
            parts.append(
                pd.DataFrame(
                    {
                        "UPN": codes[pupils.row_person[row]],
                        "SchoolYear": labels[column[row]],
                        "Subject": word,
                        "TeacherNo": teachers[staff.teacher[post, column[row]]],
                        "Share": share,
                    }
                )
            )
    table = pd.concat(parts, ignore_index=True).astype(object)
    table = table.sort_values(["SchoolYear", "TeacherNo", "Subject", "UPN"], kind="stable", ignore_index=True)
    table = with_rows(table, *_strange_lessons(made, typist, table, errors))
    errors.read["teaching"] += len(table)
    write_text_table(out / "teaching.csv.gz", table, TextFormat(gzipped=True))


def _strange_lessons(made: MadeStudy, typist: Typist, table: pd.DataFrame, errors: PlantedErrors) -> list[pd.DataFrame]:
    """Rows below the lessons: exact duplicates, and errors that take no genuine lesson away."""
    chosen = typist.rows(60, table)
    again, stray_pupil, stray_teacher = (table.iloc[chosen[a:b]] for a, b in ((0, 20), (20, 35), (35, 45)))
    stray_pupil = stray_pupil.assign(UPN=[typist.typo(code, made.pupil_codes) for code in stray_pupil["UPN"]])
    stray_teacher = stray_teacher.assign(
        TeacherNo=[typist.typo(code, made.teacher_codes) for code in stray_teacher["TeacherNo"]]
    )
    # Another teacher who works in that year, so that only the share is wrong.
    colleagues: dict[str, list[str]] = defaultdict(list)
    for label, teacher in table[["SchoolYear", "TeacherNo"]].drop_duplicates().itertuples(index=False, name=None):
        colleagues[label].append(teacher)
    taught = set(table.iloc[chosen[45:]].merge(table, on=["UPN", "SchoolYear"])["TeacherNo_y"])
    wrong_share = table.iloc[chosen[45:]]
    wrong_share = wrong_share.assign(
        TeacherNo=[next(t for t in colleagues[label] if t not in taught) for label in wrong_share["SchoolYear"]],
        Share=["1.4" if row % 3 else "half" for row in range(len(wrong_share))],
    )
    unreadable = int((wrong_share["Share"] == "half").sum())
    errors.merge("teaching", len(again))
    errors.reject("teaching", "unknown_pupil", len(stray_pupil))
    errors.reject("teaching", "unknown_teacher", len(stray_teacher))
    errors.reject("teaching", "bad_type", unreadable)
    errors.reject("teaching", "out_of_range", len(wrong_share) - unreadable)
    return [again, stray_pupil, stray_teacher, wrong_share]

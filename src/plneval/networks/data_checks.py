"""How often data about networks are wrong, of how many records: what the gate ``network_data`` is formed from."""

from __future__ import annotations

import pandas as pd

from plneval.networks.answers import Scored
from plneval.networks.exposure import lessons
from plneval.networks.problems import data_problems, participants_elsewhere
from plneval.networks.registry import school_network_years
from plneval.networks.reliability import reliability_table
from plneval.networks.study_tables import StudyTables

CHECKS = {"rule": "str", "count": "Int64", "out_of": "Int64"}


def data_checks(tables: StudyTables, forms: list[Scored]) -> pd.DataFrame:
    """Every rule of the standard ``network_data`` that tables and answers can be held against; columns ``CHECKS``.

    ``out_of`` is how many records, people, networks, schools or waves were looked at, rejected ones included; where it
    is 0 there are no such data, which is not the same as none of them being wrong.
    """
    found = data_problems(tables).set_index("rule")["count"]
    lost = tables.rejections.groupby("table").size()
    outside, answers, few, waves = _answers(forms)

    def rows(table: str, kept: pd.DataFrame) -> int:
        return len(kept) + int(lost.get(table, 0))

    staff_elsewhere = participants_elsewhere(tables)["school"].nunique() if len(tables.teachers) else 0
    participants = tables.teacher_spells["teacher"].nunique()
    comparison = int((tables.schools["arm"] == "comparison").sum())
    taught = lessons(tables)[["pupil", "year", "subject"]].drop_duplicates()
    checks = {
        "membership_without_date": (None, rows("memberships", tables.spells)),
        "teacher_in_two_registers": (None, rows("teachers", tables.teachers)),
        "teacher_in_two_schools": (None, participants),
        "participant_in_comparison_school": (None, participants if len(tables.teachers) else 0),
        "comparison_school_with_participant": (
            staff_elsewhere,
            comparison if len(tables.teachers) and participants else 0,
        ),
        "network_of_one_school": (None, school_network_years(tables)["network"].nunique()),
        "share_over_one": (None, rows("teaching", tables.teaching)),
        "shares_over_one": (None, len(taught)),
        "attendance_without_date": (None, rows("activity", tables.activity)),
        "tie_to_unknown_person": (None, rows("ties", tables.ties)),
        "answer_outside_scale": (outside, answers),
        "few_respondents": (few, waves),
    }
    table = [
        (rule, int(found.get(rule, 0)) if count is None else count, out_of) for rule, (count, out_of) in checks.items()
    ]
    return pd.DataFrame(table, columns=list(CHECKS)).astype(CHECKS)


def _answers(forms: list[Scored]) -> tuple[int, int, int, int]:
    """Answers outside their scale, all answers; waves of a form with too few respondents for a scale, all waves."""
    outside = answers = few = waves = 0
    for one in forms:
        items = [item for scale in one.form.scales.values() for item in scale.items if item in one.answers.table]
        wrong = int(one.notes.loc[one.notes["rule"] == "answer_outside_scale", "count"].sum())
        outside, answers = outside + wrong, answers + wrong + int(one.answers.table[items].notna().sum().sum())
        notes = reliability_table(one.answers, one.form)[2]
        few += notes.loc[notes["rule"] == "few_respondents", "wave"].nunique()
        waves += one.answers.table["wave"].nunique()
    return outside, answers, few, waves

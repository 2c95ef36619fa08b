"""Reading a made-up study's raw files with pandas alone, and finding the errors in them by hand-written rules.

Nothing here knows how the files were made: names, encodings and codes are those of ``docs/simulate.md``.
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pandas as pd

YEARS = range(2012, 2020)
MISSING = {"", "NA", "-9", "X", "absent"}


def read(path: Path, encoding: str = "utf-8", sep: str = ",") -> pd.DataFrame:
    """A raw file as text cells, nothing taken for missing."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding=encoding, sep=sep)


def schools(raw: Path) -> pd.DataFrame:
    return read(raw / "schools.csv", "cp1252", ";")


def school_register(raw: Path) -> set[str]:
    """Schools that stand once, or more often in the same words."""
    table = schools(raw).drop_duplicates()
    return set(table["SchoolNo"][~table["SchoolNo"].duplicated(keep=False)])


def staff(raw: Path) -> pd.DataFrame:
    files = []
    for place, year in enumerate(YEARS):
        table = read(raw / f"staff_{year}.csv", *(("cp1252", ";") if place % 2 else ()))
        table.columns = ["teacher", "school", "role"]
        files.append(table.assign(year=year))
    return pd.concat(files, ignore_index=True)


def label_year(label: str) -> int:
    """2016/17 is 2017."""
    return int(label[:4]) + 1


def pupils(raw: Path) -> pd.DataFrame:
    """All rolls below each other; grade, gender and disadvantage in the words of the first file."""
    files = []
    for place, year in enumerate(YEARS[:-1]):
        if place % 3 == 2:
            table = read(raw / f"census_{year}.csv.gz")
        else:
            table = read(raw / f"census_{year}.csv", *(("cp1252", ";") if place % 3 else ()))
        table.columns = ["pupil", "school", "grade", "disadvantaged", "gender", "birth"]
        files.append(table.assign(year=year))
    last = read(raw / "roll_2019.csv", "utf-8-sig")
    last.columns = ["year", "pupil", "school", "grade", "disadvantaged", "gender", "birth"]
    files.append(last.assign(year=last["year"].map(label_year)))
    table = pd.concat(files, ignore_index=True)
    table["grade"] = table["grade"].str.removeprefix("Y")
    table["disadvantaged"] = table["disadvantaged"].replace({"Y": "1", "N": "0"})
    return table


def results(raw: Path) -> pd.DataFrame:
    """All results as records: pupil, year, outcome, score as text."""
    forms = {
        2012: ("results_2012.csv", "utf-8", ",", "UPN", "MATHS_SS", "READ_SS"),
        2013: ("results_2013.csv", "cp1252", ";", "PupilNo", "MA_SCORE", "RD_SCORE"),
        2015: ("results_2015.csv.gz", "utf-8", ",", "UPN", "MATHS_SS", "READ_SS"),
        2016: ("results_2016.tsv", "utf-8-sig", "\t", "pupil_number", "maths_scaled", "reading_scaled"),
        2018: ("results_2018.csv", "utf-8", ",", "UPN", "MATHS_SS", "READ_SS"),
        2019: (
            "assessment_extract_2019.csv", "utf-8-sig", ",", "Pupil number", "Mathematics (scaled)", "Reading (scaled)",
        ),
    }  # fmt: skip
    records = []
    for year, (name, encoding, sep, pupil, maths, reading) in forms.items():
        table = read(raw / name, encoding, sep)
        years = table["Academic year"].map(label_year) if "Academic year" in table else year
        for outcome, column in (("maths", maths), ("reading", reading)):
            records.append(
                pd.DataFrame({"pupil": table[pupil], "year": years, "outcome": outcome, "score": table[column]})
            )
    return pd.concat(records, ignore_index=True)


def is_number(text: pd.Series) -> pd.Series:
    return text.str.fullmatch(r"-?\d+(\.\d+)?")


def judge(table: pd.DataFrame, rules: list[tuple[str, pd.Series]], key: list[str]) -> tuple[pd.DataFrame, dict, int]:
    """Apply rules in their order, then merge exact duplicates, then reject what is left of repeated keys.

    Returns what is kept, the count of rejected records by rule, and the count of merged ones.
    """
    rejected: Counter[str] = Counter()
    good = pd.Series(True, index=table.index)
    for rule, wrong in rules:
        rejected[rule] += int((wrong & good).sum())
        good &= ~wrong
    kept = table[good]
    merged = int(kept.duplicated().sum())
    kept = kept.drop_duplicates()
    conflicting = kept.duplicated(key, keep=False)
    rejected["conflicting_duplicate"] += int(conflicting.sum())
    return kept[~conflicting], {rule: count for rule, count in sorted(rejected.items()) if count}, merged


def judge_pupils(raw: Path) -> tuple[pd.DataFrame, dict, int]:
    table = pupils(raw)
    return judge(
        table,
        [
            ("missing_key", table["pupil"] == ""),
            ("bad_type", ~is_number(table["disadvantaged"])),
            ("year_outside_study", ~table["year"].isin(YEARS)),
            ("unknown_school", ~table["school"].isin(school_register(raw))),
        ],
        ["pupil", "year"],
    )


def judge_results(raw: Path) -> tuple[pd.DataFrame, dict, int]:
    table = results(raw)
    absent = table["score"].isin(MISSING)
    number = is_number(table["score"])
    score = pd.to_numeric(table["score"].where(number & ~absent))
    register = judge_pupils(raw)[0]
    on_roll = set(zip(register["pupil"], register["year"], strict=True))
    known = pd.Series([pair in on_roll for pair in zip(table["pupil"], table["year"], strict=True)], index=table.index)
    return judge(
        table.assign(score=score.where(number | absent)),
        [
            ("missing_key", table["pupil"] == ""),
            ("bad_type", ~number & ~absent),
            ("out_of_range", score.notna() & ~score.between(0, 200)),
            ("year_outside_study", ~table["year"].isin(YEARS)),
            ("unknown_pupil", ~known),
        ],
        ["pupil", "year", "outcome"],
    )


def teaching(raw: Path) -> pd.DataFrame:
    with gzip.open(raw / "teaching.csv.gz", "rt", encoding="utf-8") as stream:
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    table["year"] = table["SchoolYear"].map(label_year)
    return table

"""Rows read = rows kept + rows rejected + exact duplicates merged, over made-up messy files.

A second reader and a second set of rules, written row by row in plain Python, say what must come out.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from ingest_study import Study

PUPILS = [("P1", 2015), ("P1", 2016), ("P2", 2015), ("P2", 2016), ("0P2", 2016)]
ROSTER = "pupil,year,school,grade,fsm\n" + "".join(f"{pupil},{year},001,3,1\n" for pupil, year in PUPILS)
OUTCOMES = ("maths", "reading")

pupil = st.sampled_from(["P1", "P2", "0P2", "P2 ", "", "P9", "missing"])
year = st.sampled_from(["2015", "2016", "2015/16", "2016-17", "1999", "", "x15"])
score = st.sampled_from(["1", "1.0", "2", "250", "-1", "", "NA", "12a", " 3 ", "nan"])
good_row = st.tuples(pupil, year, score, score)
broken_row = st.one_of(
    st.tuples(pupil),
    st.tuples(pupil, year, score),
    st.tuples(pupil, year, score, score, score),
    st.just(("", "", "", "")),
)
rows = st.lists(st.one_of(good_row, good_row, good_row, broken_row), min_size=1, max_size=12)
layout = st.tuples(
    st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]), st.booleans()
)
files = st.lists(st.tuples(rows, layout), min_size=1, max_size=3)

Record = tuple[str, int, str, float | None]


def written(content: list[tuple[str, ...]], style: tuple[str, str, bool]) -> bytes:
    delimiter, encoding, quoted = style
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\r\n" if quoted else "\n")
    # The accent makes a file that is cp1252 differ from UTF-8.
    writer.writerow(["pupil", "year", "maths", "reading \u00e9"])
    writer.writerows(content)
    return stream.getvalue().encode(encoding)


def expected(contents: list[list[tuple[str, ...]]]) -> tuple[list[int], list[Record], Counter[str], int]:
    """Records read of every file, records kept, rejections by rule and records merged."""
    read: list[int] = []
    rules: Counter[str] = Counter()
    living: dict[tuple[str, int, str], list[float | None]] = defaultdict(list)
    for content in contents:
        read.append(0)
        for row in content:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != 4:
                read[-1] += 1
                rules["bad_row"] += 1
                continue
            for position, outcome in enumerate(OUTCOMES, start=2):
                read[-1] += 1
                rule, record = judged(row[0].strip(), row[1].strip(), outcome, row[position].strip())
                if rule:
                    rules[rule] += 1
                else:
                    living[record[:3]].append(record[3])
    kept, merged = [], 0
    for key, values in living.items():
        distinct = list(dict.fromkeys(values))
        merged += len(values) - len(distinct)
        if len(distinct) == 1:
            kept.append((*key, distinct[0]))
        else:
            rules["conflicting_duplicate"] += len(distinct)
    return read, sorted(kept, key=str), rules, merged


def judged(pupil: str, year: str, outcome: str, score: str) -> tuple[str | None, Record]:
    years = {"2015": 2015, "2016": 2016, "2015/16": 2016, "2016-17": 2017, "1999": 1999}
    numbers = {"1": 1.0, "1.0": 1.0, "2": 2.0, "250": 250.0, "-1": -1.0, "3": 3.0, "7": 7.0, "": None, "NA": None}
    record = (pupil, years.get(year, 0), outcome, numbers.get(score))
    if pupil in ("", "missing") or not year:
        return "missing_key", record
    if year not in years or score not in numbers:
        return "bad_type", record
    if record[1] == 1999:
        return "year_outside_study", record
    # Only maths has a range, from 0 to 200.
    if outcome == "maths" and record[3] is not None and not 0 <= record[3] <= 200:
        return "out_of_range", record
    if (pupil, record[1]) not in PUPILS:
        return "unknown_pupil", record
    return None, record


def study_of(folder: Path, made: list[tuple[list[tuple[str, ...]], tuple[str, str, bool]]]) -> Study:
    study = Study(folder)
    study.files["pupils.csv"] = ROSTER
    del study.files["scores.csv"]
    for number, (content, style) in enumerate(made):
        study.files[f"scores_{number}.csv"] = written(content, style)
    # One score that is right, so that a table is left.
    study.files["scores_9.csv"] = written([("0P2", "2016", "7", "7")], (",", "utf-8", False))
    study.declared["data"]["missing"] = ["missing", "NA"]
    study.sources["outcomes"][0] |= {
        "files": "scores_*.csv",
        "outcomes": {"maths": "maths", "reading": "reading \u00e9"},
    }
    return study


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    # Every example reads files: shrinking one would take minutes.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(files)
@example([([("P1", "2015", "1", "1"), ("", "", "")], (",", "utf-8", False))])
@example([([("P1", "2015", "1", "1"), ("P1", "2015", "1.0", "2"), ("P1", "2015")], (",", "cp1252", True))])
def test_every_record_is_kept_rejected_or_merged_and_an_independent_reading_agrees(
    made: list[tuple[list[tuple[str, ...]], tuple[str, str, bool]]],
) -> None:
    made = [(content, style) for content, style in made if any(any(cell.strip() for cell in row) for row in content)]
    with TemporaryDirectory() as folder:
        tables = study_of(Path(folder), made).load()
    contents = [*(content for content, _ in made), [("0P2", "2016", "7", "7")]]
    read, kept, rules, merged = expected(contents)
    entries: list[dict[str, Any]] = [s for s in tables.ledger.summary()["sources"] if s["table"] == "outcomes"]
    assert [entry["read"] for entry in entries] == read
    assert all(entry["read"] == entry["kept"] + entry["rejected"] + entry["merged"] for entry in entries)
    assert tables.ledger.rejected_by_rule("outcomes") == dict(rules)
    assert tables.ledger.total("outcomes", "merged") == merged
    found = tables.frames["outcomes"]
    values = found["score"].astype(object).where(found["score"].notna(), None)
    assert kept == sorted(zip(found["pupil_id"], found["year"], found["outcome"], values, strict=True), key=str)
    assert len(tables.ledger.frame()) == sum(rules.values())

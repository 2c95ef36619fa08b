"""Excel workbooks and Parquet files."""

from __future__ import annotations

import datetime as dt
import io
import struct
from typing import Any

import openpyxl
import pandas as pd
import pytest
from ingest_study import Study

from plneval.errors import UserError


def workbook(rows: list[list[Any]], sheet: str = "Data", before: list[list[Any]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "Cover"
    page = book.create_sheet(sheet)
    for row in [*(before or []), *rows]:
        page.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def protected_workbook() -> bytes:
    """The outer shell of an encrypted workbook: a compound file with a stream called EncryptedPackage."""
    sector = 512
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 16
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + b"\x00" * 6
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<I", 0) + b"\xff" * (4 * 108)
    table = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE) + b"\xff" * (sector - 8)

    def entry(name: str, kind: int, child: int) -> bytes:
        encoded = name.encode("utf-16-le")
        return (
            encoded.ljust(64, b"\x00")
            + struct.pack("<HBB", len(encoded) + 2 if name else 0, kind, 1)
            + struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child)
            + b"\x00" * 36
            + struct.pack("<IQ", 0xFFFFFFFE, 0)
        )

    directory = entry("Root Entry", 5, 1) + entry("EncryptedPackage", 2, 0xFFFFFFFF) + entry("", 0, 0xFFFFFFFF) * 2
    return header + table + directory


def use(study: Study, name: str, content: bytes, **changes: Any) -> Study:
    study.files[name] = content
    study.sources["outcomes"][0] |= {"files": name, **changes}
    return study


def test_numbers_as_identifiers_lose_the_decimals_that_spreadsheets_give_them(study: Study) -> None:
    study.files["schools.csv"] = "id,name\n610229,Ash\n001,Birch\n002,Cedar\n"
    study.files["pupils.csv"] = "pupil,year,school,grade,fsm\n42,2015,610229,3,1\n007,2016,001,3,0\n"
    rows = [["pupil", "year", "maths"], [42.0, 2015, 99.5], ["007", 2016.0, 100]]
    found = use(study, "scores.xlsx", workbook(rows), sheet="Data").load().frames["outcomes"]
    assert found[["pupil_id", "year", "score"]].to_numpy().tolist() == [["007", 2016, 100.0], ["42", 2015, 99.5]]


def test_sheet_and_header_row_are_found_and_rows_numbered_as_in_the_sheet(study: Study) -> None:
    rows = [["pupil", "year", "maths"], ["P1", 2015, 99], [None, None, None], ["P2", 2015, "x"], [None, None, None]]
    content = workbook(rows, before=[["Report"], [None]])
    tables = use(study, "scores.xlsx", content, sheet=2, header_row=3).load()
    assert tables.frames["outcomes"]["score"].tolist() == [99.0]
    # Rows 1 and 2 are the title, 3 the header, 5 is empty.
    assert tables.ledger.frame()[["row", "rule"]].to_numpy().tolist() == [[6, "bad_type"]]


def test_date_cells_are_dates_whatever_the_declared_order(study: Study) -> None:
    rows = [["net", "school", "from", "to"], ["N1", "001", dt.date(2016, 9, 1), dt.datetime(2017, 8, 31, 0, 0)]]
    study.files["members.xlsx"] = workbook(rows)
    study.sources["memberships"][0] |= {"files": "members.xlsx", "sheet": "Data", "dates": "month_first"}
    found = study.load().frames["memberships"]
    assert found["joined"].tolist() == [pd.Timestamp("2016-09-01")]
    assert found["left"].tolist() == [pd.Timestamp("2017-08-31")]


def test_parquet_columns_of_every_type_are_read_as_their_text(study: Study) -> None:
    study.files["pupils.csv"] = "pupil,year,school,grade,fsm\n42,2015,001,3,1\n43,2015,001,3,0\n"
    frame = pd.DataFrame(
        {"pupil": [42.0, 43.0, None], "year": pd.array([2015, 2015, 2015], "Int16"), "maths": [0.1 + 0.2, 1e-7, 5.0]}
    )
    tables = use(study, "scores.parquet", parquet(frame)).load()
    assert tables.frames["outcomes"]["pupil_id"].tolist() == ["42", "43"]
    # The number itself comes back, to the last bit.
    assert tables.frames["outcomes"]["score"].tolist() == [0.1 + 0.2, 1e-7]
    assert tables.ledger.frame()[["row", "column", "rule"]].to_numpy().tolist() == [[3, "pupil_id", "missing_key"]]


def test_parquet_dates_flags_and_categories(study: Study) -> None:
    study.files["pupils.parquet"] = parquet(
        pd.DataFrame(
            {
                "pupil": pd.Categorical(["P1", "P2"]),
                "year": [2015, 2016],
                "school": ["001", "002"],
                "grade": [3, 4],
                "fsm": [True, False],
            }
        )
    )
    study.files["members.parquet"] = parquet(
        pd.DataFrame({"net": ["N1"], "school": ["001"], "from": [pd.Timestamp("2016-09-01")], "to": [pd.NaT]})
    )
    study.sources["pupils"][0]["files"] = "pupils.parquet"
    study.sources["memberships"][0]["files"] = "members.parquet"
    study.files["scores.csv"] = "pupil,year,maths\nP1,2015,1\n"
    frames = study.load().frames
    assert frames["pupils"]["disadvantaged"].tolist() == [1.0, 0.0]
    assert frames["pupils"]["grade"].tolist() == ["3", "4"]
    assert frames["memberships"]["joined"].tolist() == [pd.Timestamp("2016-09-01")]
    assert frames["memberships"]["left"].isna().all()


@pytest.mark.parametrize(
    ("name", "content", "changes", "message"),
    [
        ("s.xlsx", workbook([["a"], [1]]), {"sheet": "Dta"}, r"no sheet 'Dta'\. Did you mean 'Data'\?.*Cover, Data"),
        ("s.xlsx", workbook([["a"], [1]]), {"sheet": 3}, "there is no sheet 3; the workbook has 2: Cover, Data"),
        (
            "s.xlsx",
            workbook([["a"], [1]]),
            {"sheet": "Data", "header_row": 7},
            "row 7, and the sheet 'Data' has 2 rows",
        ),
        ("s.xlsx", workbook([["a"]]), {"sheet": "Data"}, "has a header and no rows"),
        ("s.xlsx", workbook([["a"], [1]])[:300], {}, "not an Excel workbook, or it is damaged"),
        ("s.xlsx", b"pupil,year\n1,2\n", {}, "not an Excel workbook, or it is damaged"),
        ("s.xls", b"\xd0\xcf\x11\xe0garbage", {}, "not an Excel workbook, or it is damaged"),
        ("s.xlsx", protected_workbook(), {}, "protected by a password"),
        ("s.xlsx", b"", {}, "empty"),
        ("s.parquet", b"", {}, "empty"),
        ("s.parquet", b"PAR1 nothing PAR1", {}, "not a Parquet file, or it is damaged"),
        ("s.parquet", parquet(pd.DataFrame({"pupil": ["P1"]}))[:-20], {}, "not a Parquet file, or it is damaged"),
        ("s.parquet", parquet(pd.DataFrame({"pupil": []})), {}, "no rows"),
        ("s.parquet", parquet(pd.DataFrame({"pupil": [["P1"]]})), {}, "'pupil' holds list"),
        ("s.dat", b"pupil,year\n", {}, "format cannot be told from the ending '.dat'"),
        ("s.xlsx.gz", b"\x1f\x8b", {}, "only text files may be gzipped"),
    ],
)
def test_files_that_cannot_be_read_are_one_clear_message(
    study: Study, name: str, content: bytes, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        use(study, name, content, **changes).load()
    assert name in str(caught.value)

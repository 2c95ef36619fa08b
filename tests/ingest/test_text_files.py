"""CSV and TSV files: encodings, delimiters, headers, broken rows."""

from __future__ import annotations

import gzip

import pytest
from ingest_study import Study

from plneval.config.sources import Source
from plneval.errors import UserError
from plneval.ingest.text import decode, detect_delimiter

NAMES = "id,name\n001,École Zoë\n002,Straße\n003,Łódź\n"
SCORES = "pupil,year,maths\nP1,2015,101\nP2,2015,99\n"


def names_of(study: Study, content: bytes, **changes: object) -> list[str]:
    study.files["schools.csv"] = content
    study.sources["schools"][0] |= changes
    return study.load().frames["schools"]["name"].tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_and_without_byte_order_mark_is_recognised(study: Study, encoding: str) -> None:
    assert names_of(study, NAMES.encode(encoding)) == ["École Zoë", "Straße", "Łódź"]


def test_cp1252_is_the_fallback_and_is_noted(study: Study) -> None:
    study.files["schools.csv"] = "id,name\n001,École Zoë\n002,Straße\n003,30 €\n".encode("cp1252")
    tables = study.load()
    assert tables.frames["schools"]["name"].tolist() == ["École Zoë", "Straße", "30 €"]
    notes = [(note.rule, note.table, note.count) for note in tables.ledger.notes]
    assert ("encoding_detected", "schools", 1) in notes
    assert next(f for f in tables.files if f["table"] == "schools")["encoding"] == "cp1252"


def test_a_declared_encoding_is_used_and_not_noted(study: Study) -> None:
    content = "id,name\n001,Łódź\n002,b\n003,c\n".encode("cp1250")
    study.files["schools.csv"] = content
    study.sources["schools"][0]["encoding"] = "cp1250"
    tables = study.load()
    assert tables.frames["schools"]["name"][0] == "Łódź"
    assert not [note for note in tables.ledger.notes if note.rule == "encoding_detected"]


@pytest.mark.parametrize(
    ("data", "declared", "message"),
    [
        # 0x81 means nothing in cp1252, and 0xff nothing in UTF-8.
        (b"a,b\n1,\xff\x81\n", None, r"x.csv: line 2: byte 8 \(0x81\) is not valid in UTF-8 or cp1252"),
        ("a\né\n".encode("cp1252"), "utf-8", r"x.csv: line 2: byte 3 \(0xe9\) is not valid in its encoding utf-8"),
        ("a\né\n".encode(), "ascii", r"line 2: byte 3 \(0xc3\)"),
        (b"a,b\n1,2\n", "utf-99", "there is no encoding 'utf-99'"),
        (b"PK\x03\x04\x00\x00\xff\xfe", None, "binary"),
        (b"a,b\n1,\x00\n", None, "NUL"),
        (b"  \n\n", None, "empty"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], None, "utf-16"),
    ],
)
def test_bytes_that_are_no_text_are_named_with_line_and_byte(data: bytes, declared: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decode(data, "x.csv", declared)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("a;b;c\n1,5;2,5;3\n", ";"),
        ("a\tb\n1,2\t3\n", "\t"),
        ("a|b\n1|2\n", "|"),
        # A comma within quotes stands in every row, and in the header.
        ('"last, first";id\n"Doe, J";1\n"Poe, E";2\n', ";"),
        ("only\n1\n2\n", ","),
        ("name, first;id\nDoe;1\nPoe;2\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_splits_all_rows_alike(text: str, delimiter: str) -> None:
    assert detect_delimiter(text) == delimiter


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        ("pupil;year;maths\nP1;2015;100,5\n", {"decimal": ","}),
        ("pupil\tyear\tmaths\nP1\t2015\t100.5\n", {}),
        ("pupil\tyear\tmaths\nP1\t2015\t100.5\n", {"format": "tsv"}),
        ("pupil:year:maths\nP1:2015:100.5\n", {"delimiter": ":"}),
        ('"pupil","year","maths"\r\n"P1","2015","100.5"\r\n', {}),
        ("pupil,year,maths\rP1,2015,100.5", {}),
        (gzip.compress(b"pupil,year,maths\nP1,2015,100.5\n", mtime=0), {}),
        ("Results of the county\n(extract)\npupil,year,maths\nP1,2015,100.5\n", {"header_row": 3}),
        ("\ufeff pupil , year ,  maths \n P1 , 2015 , 100.5 \n", {}),
    ],
    ids=["semicolon", "tab", "declared tsv", "colon", "quoted crlf", "cr", "gzip", "header row", "blanks and mark"],
)
def test_one_score_is_read_whatever_the_file_looks_like(
    study: Study, content: str | bytes, changes: dict[str, object]
) -> None:
    found = study.outcomes_of(content, **changes)
    assert found[["pupil_id", "year", "score"]].to_numpy().tolist() == [["P1", 2015, 100.5]]


def test_gzipped_files_with_their_ending_and_leading_zeros_survive(study: Study) -> None:
    study.files["pupils.csv"] = "pupil,year,school,grade,fsm\n007,2015,001,3,1\n7,2015,001,3,1\n"
    study.files["scores_2015.csv.gz"] = gzip.compress(b"pupil,maths\n007,1\n7,2\n", mtime=0)
    source = study.sources["outcomes"][0]
    source |= {"files": "scores_*.csv.gz", "year": {"file_name": r"_(\d{4})"}}
    found = study.load().frames["outcomes"]
    assert dict(zip(found["pupil_id"], found["score"], strict=True)) == {"007": 1.0, "7": 2.0}


def test_rows_of_the_wrong_width_are_rejected_with_their_number_and_never_shifted(study: Study) -> None:
    text = "pupil,year,maths\nP1,2015,101\nP2,2015\n\nP1,2016,1,2\n  \nP2,2016,98\n"
    study.files["scores.csv"] = text
    tables = study.load()
    ledger = tables.ledger.frame()
    # Rows as a spreadsheet numbers them: header 1, the empty line 4 is no record.
    assert ledger[["file", "row", "column", "rule"]].to_numpy().tolist() == [
        ["scores.csv", 3, "", "bad_row"],
        ["scores.csv", 5, "", "bad_row"],
    ]
    assert tables.frames["outcomes"]["score"].tolist() == [101.0, 98.0]
    assert (tables.ledger.total("outcomes", "read"), tables.ledger.total("outcomes", "kept")) == (4, 2)


def test_the_row_number_counts_the_lines_above_the_header(study: Study) -> None:
    found = study
    found.files["scores.csv"] = "title\n\npupil,year,maths\nP1,2015,101\nP2,2015,abc\nP2,2016\n"
    found.sources["outcomes"][0]["header_row"] = 3
    ledger = found.load().ledger.frame()
    assert ledger[["row", "column", "rule"]].to_numpy().tolist() == [[5, "score", "bad_type"], [6, "", "bad_row"]]


def test_line_breaks_within_quotes_belong_to_their_cell(study: Study) -> None:
    study.files["schools.csv"] = 'id,name\n001,"Ash\nSchool"\n002,"say ""hi"", all"\n003,Cedar\n'
    assert study.load().frames["schools"]["name"].tolist() == ["Ash\nSchool", 'say "hi", all', "Cedar"]


def test_rows_of_delimiters_only_are_no_records(study: Study) -> None:
    study.files["scores.csv"] = SCORES + ",,\n,,\n"
    assert study.load().ledger.total("outcomes", "read") == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('pupil,year,maths\nP1,2015,101\nP2,2015,"99\nP1,2016,100\n', "quotation mark is opened in row 3"),
        ('pupil,year,maths\nP1,2015,"1\n' + "P1,2015,1\n" * 30 + 'P2,2015,1"\n', "row 2: a quoted cell runs over"),
        ("pupil,year,maths\n", "header and no rows"),
        ("", "empty"),
        (gzip.compress(b"pupil,year,maths\nP1,2015,1\n", mtime=0)[:-9], "gzip file is damaged"),
        ("one line", "header and no rows"),
    ],
)
def test_files_that_cannot_be_trusted_are_refused(study: Study, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study.outcomes_of(content)


def test_a_header_row_behind_the_end_of_the_file_is_named(study: Study) -> None:
    with pytest.raises(UserError, match="declared in row 9, and the file ends before it"):
        study.outcomes_of(SCORES, header_row=9)


def test_a_column_name_that_stands_twice_is_refused_only_where_it_is_mapped(study: Study) -> None:
    twice = "pupil,year,maths,maths,other,other,\nP1,2015,1,2,3,4,\n"
    with pytest.raises(UserError, match=r"the column 'maths' stands 2 times in scores\.csv"):
        study.outcomes_of(twice)
    assert study.outcomes_of(twice.replace("maths,maths", "maths,maths2"))["score"].tolist() == [1.0]


def test_a_source_without_declared_reading_is_read_by_its_defaults() -> None:
    source = Source(files="a.csv", columns={"a": "b"})
    assert (source.format, source.header_row, source.dates, source.decimal, source.keep) == (
        "auto",
        1,
        "iso",
        ".",
        None,
    )

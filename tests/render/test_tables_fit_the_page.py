"""Tables get the width they need, and wide ones do not run off the page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import panflute as pf
import pytest
from report_sources import document_xml_of, html_of, main_of, printed, typst_of, write_source

from plneval.report.render.pandoc import READER, run_pandoc
from plneval.report.render.tables import PAGE_CHARACTERS, Extent, extent, fit

TABLE = "```{python}\n#| echo: false\n#| output: asis\n#| label: tbl-x\n#| tbl-cap: T\nx\n```\n"


def _pipe(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n" + "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


def _table(tmp_path: Path, rows: list[list[str]]) -> Any:
    doc = pf.load(io.StringIO(run_pandoc(["-f", READER, "-t", "json"], _pipe(rows), tmp_path)))
    return doc.content[0]


def test_a_narrow_table_keeps_natural_widths(tmp_path: Path) -> None:
    chosen = fit(_table(tmp_path, [["Model", "Effect"], ["Event study", "0.12"]]))
    assert (chosen.widths, chosen.scale) == (None, 1.0)


def test_long_texts_wrap_and_short_columns_keep_their_words(tmp_path: Path) -> None:
    chosen = fit(_table(tmp_path, [["Gate", "Question"], ["baseline", "word " * 60]]))
    assert chosen.widths is not None
    assert sum(chosen.widths) == pytest.approx(1)
    assert chosen.scale == 1.0
    # 'baseline' has 8 letters; its column holds at least these.
    assert chosen.widths[0] * PAGE_CHARACTERS >= 8
    assert chosen.widths[1] > 0.8


def test_many_columns_shrink_the_type(tmp_path: Path) -> None:
    columns = 14
    chosen = fit(_table(tmp_path, [["abcdefgh"] * columns, ["1.00"] * columns]))
    # 14 columns of 8 letters and the space between them: 14 x 10.5 = 147 characters on 104.
    assert chosen.scale == pytest.approx(PAGE_CHARACTERS / 147)


def test_a_very_wide_table_gets_a_page_on_its_side(tmp_path: Path) -> None:
    rows = _pipe([["abcdefgh"] * 18, ["1.00"] * 18])
    assert "#page(flipped: true)" in typst_of(write_source(tmp_path, TABLE), {0: [printed(rows)]})


def test_header_rows_repeat_on_every_page(tmp_path: Path) -> None:
    rows = _pipe([["Model", "Effect"], *([["a", "1"]] * 120)])
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert "table.header(" in typst_of(write_source(tmp_path / "a", TABLE), {0: [printed(rows)]})
    assert "<w:tblHeader" in document_xml_of(write_source(tmp_path / "b", TABLE), {0: [printed(rows)]})


def test_given_widths_are_kept_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    from plneval.report.render import emit

    emit.table(pd.DataFrame({"Item": ["Why"], "Text": ["words " * 40]}), widths={"Item": 1, "Text": 3})
    output = {0: [printed(capsys.readouterr().out)]}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert '<col style="width: 25%"' in main_of(html_of(write_source(tmp_path / "a", TABLE), output))
    assert "columns: (25%, 75%)" in typst_of(write_source(tmp_path / "b", TABLE), output)


def test_pages_let_the_browser_choose_and_scroll(tmp_path: Path) -> None:
    rows = _pipe([["Gate", "Question"], ["baseline", "word " * 60]])
    page = main_of(html_of(write_source(tmp_path, TABLE), {0: [printed(rows)]}))
    assert "<colgroup>" not in page
    assert 'class="table-scroll prose" tabindex="0" role="region" aria-label="Table' in page


def test_small_tables_stay_on_one_page_and_rows_of_long_ones_do(tmp_path: Path) -> None:
    # 12 rows and the header: 13 x (11.5 + 8) = 254 points; 40 rows: 800 points, more than a page holds.
    small = _table(tmp_path, [["Year", "Schools"], *([["2012", "54"]] * 12)])
    long = _table(tmp_path, [["Year", "Schools"], *([["2012", "54"]] * 40)])
    assert extent(small, fit(small)) == Extent(whole=True, whole_rows=True)
    assert extent(long, fit(long)) == Extent(whole=False, whole_rows=True)


def test_a_row_that_could_fill_a_page_may_break(tmp_path: Path) -> None:
    table = _table(tmp_path, [["Item", "Text"], ["Why", "word " * 1500]])
    assert extent(table, fit(table)) == Extent(whole=False, whole_rows=False)


@pytest.mark.parametrize("rows", [12, 40])
def test_a_table_at_the_foot_of_a_page_begins_where_it_has_room(tmp_path: Path, rows: int) -> None:
    pdf = pytest.importorskip("typst")
    # These paragraphs leave room for the heading and a few rows, less than 3.6 cm, on the first page.
    filler = "\n\n".join(["Filler."] * 29) + "\n\n# Heading of the table\n\n"
    table = _pipe([["Year", "Schools"], *[[f"{1900 + i}", "54"] for i in range(rows)]])
    source = typst_of(write_source(tmp_path, filler + TABLE), {0: [printed(table)]})
    typst_file = tmp_path / "report.typ"
    typst_file.write_text(source, encoding="utf-8")
    assert isinstance(pdf.compile(str(typst_file)), bytes)
    # Heading and first rows lie on one page: the place of every element by typst's own account.
    probe = "\n#context [#metadata((heading: query(heading).last().location().page(), "
    probe += "table: query(table).first().location().page())) <places>]\n"
    typst_file.write_text(source + probe, encoding="utf-8")
    places = json.loads(pdf.query(str(typst_file), "<places>", field="value", one=True))
    assert places == {"heading": 2, "table": 2}


def test_rows_with_long_texts_name_their_columns_for_telephones(tmp_path: Path) -> None:
    three = _pipe([["Check", "Result", "What was found"], ["Intake", "Met", "word " * 20]])
    two = _pipe([["Item", "Text"], ["Why", "word " * 20]])
    short = _pipe([["Check", "Result", "Value"], ["Intake", "Met", "1"]])
    pages = []
    for i, rows in enumerate((three, two, short)):
        (tmp_path / str(i)).mkdir()
        pages.append(main_of(html_of(write_source(tmp_path / str(i), TABLE), {0: [printed(rows)]})))
    assert 'data-label="What was found"' in pages[0]
    assert "data-label" not in pages[1]
    assert 'class="table-scroll prose"' in pages[1]
    assert 'class="table-scroll"' in pages[2]
    assert "data-label" not in pages[2]

"""Whatever stands in data comes out as the same characters: never as markup, in no format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from report_sources import document_xml_of, html_of, main_of, printed, typst_of, write_source

from plneval.report.render import emit
from plneval.report.render.pandoc import READER, run_pandoc

NASTY = [
    "<script>alert(1)</script>", '#import "x": *', '#read("/etc/passwd")', "@fig-x", "[@brown2018]",
    "{{< include x.qmd >}}", "$x$", "$$y$$", "a|b", "`code`", "`x`{=html}", '=HYPERLINK("http://x")',
    "*b* _c_ **d**", "~~s~~ H~2~O x^2^", "[a](http://x)", "![a](b.png)", "--- -- ...", '\'q\' "q"',
    "\\alpha \\newpage", "&amp; &lt;", "<!-- c -->", "^[note]", "[^1]", "::: {.callout-note}", ":::",
    "http://example.org", "// comment", "/* c */", "x ~ y", "# head", "- item", "+ item", "= head", "/ term: x",
    "1. one", "a) x", "(@) x", "> quote", "| line", "+---+---+", '\\', "{#id .x}", "]{.x}", "<https://x.y>", "-5",
    "−0.05", "3.14", "1.", "10 %", "$5 and $6", "%}", "é ☐ 中", "- [ ] task", ": def", "*[HTML]: x", "[x]: http://y",
    "#{x}", "a -- b", "--x", "Fig. 3", "&#x3c;b&#x3e;", "%title", "---", "***",
]  # fmt: skip


def _inlines(tmp_path: Path, markdown: str) -> list[dict[str, object]]:
    blocks = json.loads(run_pandoc(["-f", READER, "-t", "json"], markdown, tmp_path))["blocks"]
    assert [block["t"] for block in blocks] == ["Para"]
    return list(blocks[0]["c"])


@pytest.mark.slow
@pytest.mark.parametrize("nasty", NASTY)
def test_each_text_alone_is_one_paragraph_of_its_own_characters(tmp_path: Path, nasty: str) -> None:
    inlines = _inlines(tmp_path, f"\n{emit.escape(nasty)}\n")
    assert {inline["t"] for inline in inlines} <= {"Str", "Space"}
    assert "".join(str(inline.get("c", " ")) for inline in inlines) == " ".join(nasty.split())


def test_all_texts_in_a_row_are_paragraphs_of_their_own_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nasty in NASTY:
        emit.text(nasty)
    blocks = json.loads(run_pandoc(["-f", READER, "-t", "json"], capsys.readouterr().out, tmp_path))["blocks"]
    shown = ["".join(str(inline.get("c", " ")) for inline in block["c"]) for block in blocks]
    assert {block["t"] for block in blocks} == {"Para"}
    assert shown == NASTY


def _table_output(capsys: pytest.CaptureFixture[str]) -> str:
    emit.table(pd.DataFrame({"Text | <b>": NASTY, "Again": NASTY}))
    return capsys.readouterr().out


TABLE = "```{python}\n#| echo: false\n#| output: asis\n#| label: tbl-x\n#| tbl-cap: T\nx\n```\n"


def test_table_cells_reach_html_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = main_of(html_of(write_source(tmp_path, TABLE), {0: [printed(_table_output(capsys))]}))
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", body, re.DOTALL)
    unescaped = [
        cell.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", '"')
        .replace("&#39;", "'")
        .replace("&amp;", "&")
        for cell in cells
    ]
    assert unescaped == [text for text in NASTY for _ in range(2)]
    assert "<script>alert" not in page


def test_table_cells_reach_typst_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import typst

    typst_of(write_source(tmp_path, TABLE), {0: [printed(_table_output(capsys))]})
    source = str(tmp_path / "work" / "report.typ")
    markup = [
        "list",
        "enum",
        "terms",
        "heading",
        "raw",
        "link",
        "ref",
        "math.equation",
        "strong",
        "emph",
        "footnote",
    ]
    found = {kind: json.loads(typst.query(source, kind, ignore_system_fonts=True)) for kind in markup}
    assert found == {kind: [] for kind in markup}
    (table,) = json.loads(typst.query(source, "table", ignore_system_fonts=True))
    assert len([child for child in table["children"] if child["func"] == "cell"]) == 2 * len(NASTY)


def test_table_cells_reach_word_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xml = document_xml_of(write_source(tmp_path, TABLE), {0: [printed(_table_output(capsys))]})
    # No field, no link and no picture can come out of a cell.
    table = xml.split("<w:tbl>")[1].split("</w:tbl>")[0]
    assert not re.search(r"<w:(hyperlink|fldSimple|fldChar|drawing|footnoteReference)", table)
    shown = ["".join(re.findall(r"<w:t[^>]*>([^<]*)</w:t>", row)) for row in table.split("<w:tc>")[3:]]
    assert "=HYPERLINK(&quot;http:" in "".join(shown)


def test_callout_and_heading_titles_are_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emit.callout("warning", '"Quoted" <b> @fig-x', ["$5", "*star*"])
    emit.heading("1. <i> {#x}", label="sec-a")
    page = main_of(
        html_of(
            write_source(tmp_path, TABLE.replace("#| label: tbl-x\n#| tbl-cap: T\n", "")),
            {0: [printed(capsys.readouterr().out)]},
        )
    )
    assert "&lt;b&gt; @fig-x" in page
    assert "<p>$5</p>" in page
    assert "<p>*star*</p>" in page
    assert 'id="sec-a"' in page
    assert "1. &lt;i&gt; {#x}" in page


def test_control_characters_and_direction_marks_are_dropped() -> None:
    assert emit.escape("a\x00b\u202ec\x1bd\ne") == "abcd e"


def test_tables_align_numbers_right_and_show_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {"Model": ["a", "b"], "Effect": ["0.12 [0.01, 0.20]", "−0.05"], "p": ["< 0.001", None], "Pupils": [1200, 3]}
    )
    emit.table(frame)
    lines = capsys.readouterr().out.strip().splitlines()
    assert [rule.strip()[0] + rule.strip()[-1] for rule in lines[1].strip("|").split("|")] == [":-", "-:", "-:", "-:"]
    assert lines[3].split("|")[3].strip() == "–"


@pytest.mark.parametrize(
    ("frame", "options", "word"),
    [
        (pd.DataFrame({"a": []}), {}, "one row"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "twice"),
        (pd.DataFrame({"a": [1]}), {"align": {"b": "left"}}, "not there"),
        (pd.DataFrame({"a": [1], "b": [1]}), {"widths": {"a": 1}}, "missing"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(
    frame: pd.DataFrame, options: dict[str, dict[str, str]], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        emit.table(frame, **options)  # type: ignore[arg-type]

"""Figures, tables, equations and sections are numbered in order, and references lead to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_sources import document_xml_of, html_of, main_of, picture, printed, typst_of, write_source

from plneval.errors import UserError

FIGURE = (
    '```{python}\n#| echo: false\n#| label: fig-%s\n#| fig-cap: "The *first* caption"\n'
    '#| fig-alt: "What it shows"\nx\n```\n\n'
)
TABLE = '```{python}\n#| echo: false\n#| output: asis\n#| label: tbl-%s\n#| tbl-cap: "Numbers"\nx\n```\n\n'
BARE = "```{python}\nx\n```\n"
PIPE = "\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n"

BODY = (
    "# One {#sec-one}\n\nSee @tbl-a, @fig-b, [-@fig-a], [@fig-a; @eq-m], @sec-two and [compare @sec-one].\n\n"
    + FIGURE % "a" + FIGURE % "b" + TABLE % "a"
    + "## Two {#sec-two}\n\n$$ y = x $$ {#eq-m}\n\n# Aside {.unnumbered}\n\n# Three {#sec-three}\n\n@sec-three\n"
)  # fmt: skip
OUTPUTS = {0: [picture()], 1: [picture()], 2: [printed(PIPE)]}


def _result(kind: str) -> dict[str, object]:
    return {"output_type": "execute_result", "data": {kind: "1"}, "metadata": {}}


def _links(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'<a href="#([^"]+)"\s+class="crossref"[^>]*>([^<]*)</a>', page)
    return [(target, words.replace("\xa0", " ").replace("&nbsp;", " ")) for target, words in found]


def test_references_are_links_with_word_and_number(tmp_path: Path) -> None:
    page = main_of(html_of(write_source(tmp_path, BODY), OUTPUTS))
    assert _links(page) == [
        ("tbl-a", "Table 1"),
        ("fig-b", "Figure 2"),
        ("fig-a", "1"),
        ("fig-a", "Figure 1"),
        ("eq-m", "Equation 1"),
        ("sec-two", "Section 1.1"),
        ("sec-one", "Section 1"),
        ("sec-three", "Section 2"),
    ]
    for target, _ in _links(page):
        assert page.count(f'id="{target}"') == 1


def test_captions_carry_the_number_and_figures_their_alternative_text(tmp_path: Path) -> None:
    page = main_of(html_of(write_source(tmp_path, BODY), OUTPUTS))
    assert re.search(r'<figure id="fig-a">\s*<img[^>]*alt="What it shows"', page)
    assert re.search(r"<figcaption>.*?Figure.1:</span> The <em>first</em>\s+caption", page, re.DOTALL)
    assert re.search(r'<table id="tbl-a">\s*<caption>.*?Table.1:</span> Numbers</caption>', page, re.DOTALL)


def test_headings_outside_the_numbering_keep_their_words(tmp_path: Path) -> None:
    page = main_of(html_of(write_source(tmp_path, BODY), OUTPUTS))
    headings = [
        re.sub(r"<[^>]*>", "", text).strip() for text in re.findall(r"<h[23][^>]*>(.*?)</h[23]>", page, re.DOTALL)
    ]
    assert headings == ["1 One", "1.1 Two", "Aside", "2 Three"]


def test_the_pdf_has_the_same_numbers_and_live_links(tmp_path: Path) -> None:
    text = typst_of(write_source(tmp_path, BODY), OUTPUTS)
    assert "#link(<tbl-a>)[Table~1]" in text
    assert "#link(<sec-two>)[Section~1.1]" in text
    assert "#caption-label[Figure~2:]" in text
    assert "math.equation(numbering" in text


def test_the_word_document_has_the_same_numbers_and_bookmarks(tmp_path: Path) -> None:
    xml = document_xml_of(write_source(tmp_path, BODY), OUTPUTS)
    for label in ("tbl-a", "fig-a", "fig-b", "eq-m", "sec-one", "sec-two"):
        assert f'w:anchor="{label}"' in xml
        assert re.search(rf'<w:bookmarkStart[^>]*w:name="{label}"', xml)
    assert 'descr="What it shows"' in xml


def test_sections_that_begin_at_level_two_are_numbered_from_one(tmp_path: Path) -> None:
    page = main_of(html_of(write_source(tmp_path, "## A {#sec-a}\n\n### B\n\n@sec-a\n")))
    assert _links(page) == [("sec-a", "Section 1")]
    assert "<h2" in page
    assert "<h4" not in page


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("See @fig-gone.\n", r"report\.qmd:4: reference @fig-gone leads nowhere; there is no Figure label"),
        ("# A {#sec-a}\n\nSee @sec-b.\n", r"report\.qmd:6: reference @sec-b leads nowhere; there are sec-a"),
        ("# A\n\n### B\n", r"report\.qmd:6: heading 'B' skips a level"),
        ("## A\n\n# B\n", r"report\.qmd:4: heading 'A' skips a level"),
        ("# A {#sec-a}\n\n# B {#sec-a}\n", r"report\.qmd:6: label 'sec-a' is already used at .*report\.qmd:4"),
    ],
)
def test_references_that_lead_nowhere_and_skipped_levels_are_errors(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        html_of(write_source(tmp_path, body))


@pytest.mark.parametrize(
    ("body", "outputs", "message"),
    [
        (FIGURE % "a", {}, "shows no figure"),
        (TABLE % "a", {}, "prints no table"),
        (TABLE % "a", {0: [printed("Only words.\n")]}, "prints one table, this one prints 0"),
        (TABLE % "a", {0: [printed(PIPE + PIPE)]}, "this one prints 2"),
        ((TABLE % "a").replace("#| output: asis\n", ""), {0: [printed(PIPE)]}, "output: asis"),
        ((FIGURE % "a").replace('#| fig-alt: "What it shows"\n', ""), {0: [picture()]}, "without alternative text"),
        (BARE, {0: [_result("text/html")]}, "emit.table"),
        (BARE, {0: [_result("application/x")]}, "application/x"),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit_their_cell_are_errors(
    tmp_path: Path, body: str, outputs: dict[int, list[object]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        html_of(write_source(tmp_path, body), outputs)  # type: ignore[arg-type]


def test_a_table_of_the_source_is_numbered_with_those_of_cells(tmp_path: Path) -> None:
    body = TABLE % "a" + "| x |\n|---|\n| 1 |\n\n: Written here {#tbl-here}\n\n@tbl-here\n"
    page = main_of(html_of(write_source(tmp_path, body), {0: [printed(PIPE)]}))
    assert _links(page) == [("tbl-here", "Table 2")]


def test_citations_and_their_list_come_from_the_bibliography(tmp_path: Path) -> None:
    (tmp_path / "refs.bib").write_text(
        "@book{brown2018, author={Brown, Chris and Poortman, Cindy}, title={Networks for learning},\n"
        "publisher={Routledge}, year={2018}}\n"
    )
    front = "---\ntitle: A\nbibliography: refs.bib\n---\n"
    page = main_of(
        html_of(
            write_source(tmp_path, "As @brown2018 say [@brown2018, p. 3].\n\n# References\n\n::: {#refs}\n:::\n", front)
        )
    )
    assert "Brown and Poortman" in page
    assert re.search(r'id="ref-brown2018".*<em>Networks for\s+Learning</em>', page, re.DOTALL)


def test_a_citation_without_its_work_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "refs.bib").write_text("@book{a2018, author={A}, title={B}, year={2018}}\n")
    front = "---\ntitle: A\nbibliography: refs.bib\n---\n"
    with pytest.raises(UserError, match=r"report\.qmd:5: citation @b2018 is in no bibliography file"):
        html_of(write_source(tmp_path, "As @b2018 says.\n", front))


def test_images_beside_the_source_are_taken_along_and_missing_ones_are_errors(tmp_path: Path) -> None:
    import base64

    from report_sources import PNG

    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(base64.b64decode(PNG))
    path = write_source(tmp_path, '![Its caption](pictures/a.png){#fig-p fig-alt="A red square"}\n\n@fig-p\n')
    page = main_of(html_of(path))
    assert re.search(r'<img [^>]*src="data:image/png;base64,[^"]*"[^>]*alt="A red square"', page)
    assert _links(page) == [("fig-p", "Figure 1")]
    path.write_text(path.read_text().replace("a.png", "b.png"))
    (tmp_path / "work").rename(tmp_path / "old")
    with pytest.raises(UserError, match=r"report\.qmd:4: image 'pictures/b\.png': no such file"):
        html_of(path)

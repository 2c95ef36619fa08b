"""Callouts look like what they are and tabsets lose nothing, in every format."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_sources import document_xml_of, html_of, main_of, picture, typst_of, write_source

from plneval.report.render.subset import CALLOUT_KINDS

TABS = (
    "# A\n\n::: {.panel-tabset}\n\n## Maths\n\nText of maths.\n\n## Reading\n\nText of reading.\n\n:::\n\n"
    "# B {#sec-b}\n\n@sec-b\n"
)


@pytest.mark.parametrize("kind", CALLOUT_KINDS)
def test_a_callout_is_a_box_with_its_title_and_its_kind_in_words(tmp_path: Path, kind: str) -> None:
    page = main_of(html_of(write_source(tmp_path, f'::: {{.callout-{kind} title="Read this"}}\nThe text.\n:::\n')))
    assert f'class="callout callout-{kind}" role="note"' in page
    assert re.search(rf'visually-hidden">{kind.capitalize()}:</span>\s*Read this', page)
    assert "<p>The text.</p>" in page


def test_callouts_take_a_heading_as_title_without_numbering_it(tmp_path: Path) -> None:
    page = main_of(
        html_of(write_source(tmp_path, "# One\n\n::: {.callout-tip}\n## A *title*\n\nText.\n:::\n\n# Two\n"))
    )
    assert re.search(r"A\s+<em>title</em></p>", page)
    assert [re.sub(r"<[^>]*>", "", text) for text in re.findall(r"<h2[^>]*>(.*?)</h2>", page)] == ["1 One", "2 Two"]


def test_callouts_in_pdf_and_word_are_boxes_of_their_kind(tmp_path: Path) -> None:
    body = '::: {.callout-warning title="Mind"}\nThe text.\n\n- one\n- two\n:::\n'
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert '#callout("warning")[' in typst_of(write_source(tmp_path / "a", body))
    xml = document_xml_of(write_source(tmp_path / "b", body))
    styles = re.findall(r'<w:pStyle w:val="(Callout[^"]*)"', xml)
    assert styles == ["CalloutWarningTitle", "CalloutWarning", "CalloutWarning", "CalloutWarning"]
    assert "•" in xml


def test_tabs_hold_all_their_content_and_need_no_script(tmp_path: Path) -> None:
    page = html_of(write_source(tmp_path, TABS))
    main = main_of(page)
    tabs = re.findall(r'<section [^>]*class="[^"]*\btab"[^>]*>', main)
    assert len(tabs) == 2
    assert "Text of maths." in main
    assert "Text of reading." in main
    # Nothing is hidden in the page itself; the script hides, and print styles show again what it hid.
    assert "hidden" not in "".join(tabs)
    assert re.search(r"@media print.*\.tab\[hidden\] \{ display: block !important; \}", page, re.DOTALL)


@pytest.mark.slow
def test_a_browser_shows_the_first_tab_and_the_other_when_it_is_chosen(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser is installed")
    look = "Array.from(document.querySelectorAll('.panel-tabset > .tab')).map(tab => tab.offsetHeight > 20).join()"
    script = (
        f"<script>var before = {look}; document.querySelectorAll('[role=tab]')[1].click();"
        f"document.title = 'seen ' + before + ' then ' + {look};</script></body>"
    )
    path = tmp_path / "page.html"
    path.write_text(html_of(write_source(tmp_path, TABS)).replace("</body>", script), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "<title>seen true,false then false,true</title>" in shown


def test_tab_titles_are_neither_numbered_nor_listed(tmp_path: Path) -> None:
    front = "---\ntitle: A title\ntoc: true\n---\n"
    page = html_of(write_source(tmp_path, TABS, front))
    contents = page.split('<nav class="toc"')[1].split("</nav>")[0]
    assert "Maths" not in contents
    assert "Section\xa02" in main_of(page).replace("&nbsp;", "\xa0")


def test_tabs_become_plain_headings_in_pdf_and_word(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text = typst_of(write_source(tmp_path / "a", TABS))
    assert "#heading(level: 2, outlined: false, numbering: none)[Maths]" in text
    assert "Text of reading." in text
    xml = document_xml_of(write_source(tmp_path / "b", TABS))
    assert re.search(r'w:val="Heading2".{0,80}Maths', xml)
    assert "Text of reading." in xml


def test_figures_side_by_side_share_one_caption(tmp_path: Path) -> None:
    cell = (
        '```{python}\n#| echo: false\n#| label: fig-p\n#| fig-cap: "Both"\n'
        '#| fig-alt: ["Left", "Right"]\n#| layout-ncol: 2\nx\n```\n'
    )
    outputs = {0: [picture(), picture()]}
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    page = main_of(html_of(write_source(folders[0], cell), outputs))
    assert 'class="layout-grid" style="--columns: 2"' in page
    assert re.findall(r'alt="([^"]*)"', page) == ["Left", "Right"]
    assert page.count("<figcaption") == 1
    assert "#grid(columns: (1fr,) * 2" in typst_of(write_source(folders[1], cell), outputs)
    assert document_xml_of(write_source(folders[2], cell), outputs).count("<w:drawing>") == 2

"""The finished files: whole, the same every time, readable on their own, and honest about who made them."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_sources import write_source

from plneval.errors import UserError
from plneval.report.render import RenderResult, render

FRONT = (
    '---\ntitle: "A & B <report>"\nsubtitle: From the source\nauthor: [First Person, Second Person]\n'
    "date: 1 March 2026\ntoc: true\n---\n"
)
BODY = """
```{python}
#| tags: [parameters]
cohort = "default"
```

# What was found {#sec-found}

The effect grows (@fig-effect); @tbl-effect gives it as a number, $x < 1$.

```{python}
#| echo: false
#| label: fig-effect
#| fig-cap: "Effect by year"
from plneval.report.render import emit
from matplotlib.figure import Figure
figure = Figure(figsize=(5, 3))
figure.subplots().plot([1, 2, 3], [0.1, 0.2, 0.3], label=cohort)
emit.figure(figure, alt="A line that rises from 0.1 to 0.3.")
```

```{python}
#| echo: false
#| label: tbl-effect
#| tbl-cap: "Effect of the cohort"
#| output: asis
import pandas as pd
emit.table(pd.DataFrame({"Cohort": [cohort], "Effect": ["0.12"]}))
```
"""
FORMATS = ("html", "pdf", "docx")


def _render(folder: Path, source: Path) -> tuple[RenderResult, dict[str, bytes]]:
    outputs = {name: folder / f"report.{name}" for name in FORMATS}
    result = render(
        source, outputs, {"cohort": "Chicago <ISP>"}, renderer="embedded", metadata={"subtitle": "Of *Chicago* <ISP>"}
    )
    return result, {name: path.read_bytes() for name, path in outputs.items()}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[RenderResult, dict[str, bytes]]:
    """One report in all three formats."""
    folder = tmp_path_factory.mktemp("rendered")
    return _render(folder / "out", write_source(folder, BODY, FRONT))


def test_a_second_render_elsewhere_gives_the_same_bytes(
    rendered: tuple[RenderResult, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    folder = tmp_path / "another" / "folder"
    folder.mkdir(parents=True)
    _, again = _render(tmp_path / "out", write_source(folder, BODY, FRONT))
    assert {name: again[name] == rendered[1][name] for name in FORMATS} == dict.fromkeys(FORMATS, True)


def test_no_path_of_this_computer_and_no_present_time_is_in_a_file(
    rendered: tuple[RenderResult, dict[str, bytes]],
) -> None:
    import datetime
    import tempfile

    page, pdf = rendered[1]["html"].decode("utf-8"), rendered[1]["pdf"].decode("latin-1")
    with zipfile.ZipFile(io.BytesIO(rendered[1]["docx"])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        word = "".join(
            archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith((".xml", ".rels"))
        )
    year = str(datetime.datetime.now(tz=datetime.UTC).year)
    for text in (page, pdf, word):
        assert tempfile.gettempdir() not in text
        assert str(Path.home()) not in text
    assert f">{year}-" not in word
    assert f"D:{year}" not in pdf


class _Page(HTMLParser):
    """Collects start tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_stands_alone_and_is_accessible(rendered: tuple[RenderResult, dict[str, bytes]]) -> None:
    text = rendered[1]["html"].decode("utf-8")
    tags = _Page(text).tags
    for tag, attributes in tags:
        for name in ("src", "href", "data", "srcset"):
            address = attributes.get(name) or ""
            assert address.startswith(("#", "data:")) or not address, (tag, address)
    assert not re.search(r"@import|url\((?!data:)", text)
    assert ("html", {"lang": "en-GB"}) in tags
    assert text.count("<h1") == 1
    assert [attributes["alt"] for tag, attributes in tags if tag == "img"] == ["A line that rises from 0.1 to 0.3."]
    assert any(
        tag == "a" and attributes.get("class") == "skip-link" and attributes["href"] == "#content"
        for tag, attributes in tags
    )
    assert any(tag == "main" and attributes.get("id") == "content" for tag, attributes in tags)
    assert any(tag == "nav" for tag, _ in tags)
    assert any(tag == "math" for tag, _ in tags)
    identifiers = [attributes["id"] for _, attributes in tags if attributes.get("id")]
    assert len(identifiers) == len(set(identifiers))
    links = {(attributes.get("href") or "")[1:] for tag, attributes in tags if tag == "a"}
    assert links <= set(identifiers)


def test_titles_and_parameters_reach_every_format_as_text(rendered: tuple[RenderResult, dict[str, bytes]]) -> None:
    page = rendered[1]["html"].decode("utf-8")
    assert "<h1>A &amp; B" in page
    assert "Of *Chicago* &lt;ISP&gt;" in page
    assert "From the source" not in page
    assert "Chicago &lt;ISP&gt;</td>" in page
    with zipfile.ZipFile(io.BytesIO(rendered[1]["docx"])) as archive:
        words = archive.read("word/document.xml").decode("utf-8")
    assert "Of *Chicago* &lt;ISP&gt;" in words
    assert "First Person" in words
    assert "Second Person" in words


def test_every_file_says_what_rendered_it(rendered: tuple[RenderResult, dict[str, bytes]]) -> None:
    result, files = rendered
    line = f"Rendered by plneval's embedded renderer ({result.version})".replace("'", "’")
    assert result.renderer == "embedded"
    assert re.fullmatch(r"pandoc [\d.]+, typst [\d.]+", result.version)
    page = files["html"].decode("utf-8").replace("&#39;", "’")
    assert line in page.split("<footer>")[1]
    with zipfile.ZipFile(io.BytesIO(files["docx"])) as archive:
        assert line in archive.read("word/document.xml").decode("utf-8").replace("&#39;", "’").replace("'", "’")


def test_the_pdf_holds_the_same_words(rendered: tuple[RenderResult, dict[str, bytes]], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    (tmp_path / "a.pdf").write_bytes(rendered[1]["pdf"])
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "a.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in (
        "A & B",
        "Of *Chicago* <ISP>",
        "Figure 1: Effect by year",
        "Table 1: Effect of the cohort",
        "Page 1 of",
        "embedded renderer",
    ):
        assert words in text.replace("\xa0", " ")


def test_the_pdf_is_tagged_with_alternative_texts(
    rendered: tuple[RenderResult, dict[str, bytes]], tmp_path: Path
) -> None:
    # Typst refuses to write PDF/UA-1 without tags, title and alternative texts; the file says that it is one.
    assert b"pdfuaid:part>1<" in rendered[1]["pdf"]
    source = write_source(tmp_path, "# A\n\n$x^2$ and\n\n$$ \\frac{a}{b} $$\n")
    render(source, {"pdf": tmp_path / "a.pdf"}, renderer="embedded", workdir=tmp_path / "work")
    (text,) = (tmp_path / "work").glob("*/report.typ")
    assert 'alt: "\\\\frac{a}{b}"' in text.read_text(encoding="utf-8")


def test_letters_without_a_font_are_boxes_and_a_warning(tmp_path: Path) -> None:
    result = render(write_source(tmp_path, "# A\n\nα Ω ☐ ü\n"), {"pdf": tmp_path / "a.pdf"}, renderer="embedded")
    assert result.warnings == []
    result = render(write_source(tmp_path, "# A\n\n中 ü\n"), {"pdf": tmp_path / "a.pdf"}, renderer="embedded")
    assert [warning.split(":")[0] for warning in result.warnings] == ["the PDF shows boxes for 中"]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_the_word_document_is_well_formed_and_its_parts_are_declared(
    rendered: tuple[RenderResult, dict[str, bytes]],
) -> None:
    with zipfile.ZipFile(io.BytesIO(rendered[1]["docx"])) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "[Content_Types].xml"
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                ElementTree.fromstring(archive.read(name))  # noqa: S314 - our own file
        relations = archive.read("word/_rels/document.xml.rels").decode("utf-8")
        for target in re.findall(r'Target="((?!http)[^"]+)"(?![^>]*External)', relations):
            assert f"word/{target}" in archive.namelist()
        styles = archive.read("word/styles.xml").decode("utf-8")
        document = archive.read("word/document.xml").decode("utf-8")
    defined = re.findall(r'w:styleId="([^"]+)"', styles)
    assert len(defined) == len(set(defined))
    assert set(re.findall(r'<w:(?:pStyle|rStyle|tblStyle) w:val="([^"]+)"', document)) <= set(defined)


def test_no_file_is_replaced_when_one_format_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import plneval.report.render.embedded as embedded

    def fail(*_: object) -> tuple[bytes, list[str]]:
        raise UserError("typst says no")

    monkeypatch.setattr(embedded, "write_pdf", fail)
    source = write_source(tmp_path, "Text.\n", FRONT)
    (tmp_path / "a.html").write_text("before")
    with pytest.raises(UserError, match="typst says no"):
        render(source, {"html": tmp_path / "a.html", "pdf": tmp_path / "a.pdf"}, renderer="embedded")
    assert (tmp_path / "a.html").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "report.qmd"]


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        ({"htm": "a.htm"}, {}, "Did you mean 'html'"),
        ({"html": "a.html"}, {"renderer": "latex"}, "renderer 'latex' is not known"),
        ({"html": "a.html"}, {"metadata": {"titel": "x"}}, "Did you mean 'title'"),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    tmp_path: Path, outputs: dict[str, str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        render(write_source(tmp_path, "Text.\n"), outputs, **options)  # type: ignore[arg-type]

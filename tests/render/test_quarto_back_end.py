"""What Quarto is asked to do, with a stand-in for the `quarto` command that keeps what it was given."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from report_sources import picture, printed, with_outputs, write_source

from plneval.errors import UserError
from plneval.report.render import render
from plneval.report.render.quarto_cli import quarto_command, quarto_version, render_quarto

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("1.9.37")
elif os.environ.get("STAND_IN_FAILS"):
    print("ERROR: something in the notebook", file=sys.stderr)
    sys.exit(1)
else:
    with open(os.environ["STAND_IN_LOG"], "a") as log:
        call = {{"arguments": sys.argv[1:], "files": sorted(os.listdir("."))}}
        call["notebook"] = json.load(open("report.ipynb"))
        log.write(json.dumps(call) + "\\n")
    pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text("made by " + sys.argv[sys.argv.index("--to") + 1])
"""
FRONT = "---\ntitle: A title\nauthor: Someone\ntoc: true\nbibliography: lists/refs.bib\n---\n"
BODY = """
```{python}
#| tags: [parameters]
x = 1
```

# One {#sec-one}

See @fig-a, @sec-one and @key.

::: {.panel-tabset}

## First

```{python}
#| label: fig-a
#| echo: false
#| fig-cap: 'It''s "quoted": *yes*'
#| fig-alt: replaced
draw()
```

:::

```{python}
#| label: tbl-a
#| output: asis
#| tbl-cap: T
emit()
```
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in `quarto` on the PATH; the path of its log."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "quarto"
    command.write_text(STAND_IN)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    quarto_command.cache_clear()
    quarto_version.cache_clear()
    yield tmp_path / "log"
    quarto_command.cache_clear()
    quarto_version.cache_clear()


def _calls(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _rendered(tmp_path: Path, formats: list[str]) -> dict[str, bytes]:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "refs.bib").write_text("@book{key, author={A}, title={B}, year={2020}}\n")
    stderr = {"output_type": "stream", "name": "stderr", "text": "a warning\n"}
    outputs = {1: [picture(alt='Computed: "it\'s" 0.1'), stderr], 2: [printed("\n| a |\n|---|\n| 1 |\n")]}
    executed = with_outputs(write_source(tmp_path, BODY, FRONT), outputs)
    folder = tmp_path / "work"
    folder.mkdir()
    return render_quarto(executed, executed.document.meta | {"subtitle": "Outside"}, formats, folder)


def test_every_format_is_one_call_without_execution_in_a_folder_of_its_own(tmp_path: Path, log: Path) -> None:
    finished = _rendered(tmp_path, ["html", "pdf", "docx"])
    assert finished == {"html": b"made by html", "pdf": b"made by typst", "docx": b"made by docx"}
    calls = _calls(log)
    assert [call["arguments"] for call in calls] == [
        ["render", "report.ipynb", "--no-execute", "--to", "html", "--output", "report.html"],
        ["render", "report.ipynb", "--no-execute", "--to", "typst", "--output", "report.pdf"],
        ["render", "report.ipynb", "--no-execute", "--to", "docx", "--output", "report.docx"],
    ]
    assert all(call["files"] == ["refs.bib", "report.ipynb"] for call in calls)


def test_the_notebook_is_in_quartos_form(tmp_path: Path, log: Path) -> None:
    _rendered(tmp_path, ["html"])
    cells = _calls(log)[0]["notebook"]["cells"]
    assert [cell["cell_type"] for cell in cells] == ["raw", "markdown", "code", "markdown", "code", "markdown"]
    front = yaml.safe_load("".join(cells[0]["source"]).strip("-\n"))
    assert front["format"]["html"] == {
        "embed-resources": True, "html-math-method": "mathml", "number-sections": True, "toc": True, "toc-depth": 3,
    }  # fmt: skip
    assert front["format"]["typst"]["number-sections"] is True
    assert front["execute"]["enabled"] is False
    assert (front["title"], front["subtitle"], front["bibliography"], front["lang"]) == (
        "A title",
        "Outside",
        ["refs.bib"],
        "en-GB",
    )
    # Markdown verbatim, with the tabset opened in one cell and closed in another.
    assert "::: {.panel-tabset}" in "".join(cells[1]["source"])
    assert "".join(cells[3]["source"]).strip() == ":::"


def test_a_printed_table_carries_its_caption_and_label_in_its_markdown(tmp_path: Path, log: Path) -> None:
    # Quarto ignores `label` and `tbl-cap` of a cell with `output: asis` (quarto-dev/quarto-cli, issue 3770).
    _rendered(tmp_path, ["html"])
    cell = _calls(log)[0]["notebook"]["cells"][4]
    assert "tbl-" not in "".join(cell["source"])
    assert [("".join(output["text"])) for output in cell["outputs"]] == [
        "\n::: {#tbl-a}\n\n| a |\n|---|\n| 1 |\n\nT\n\n:::\n"
    ]


def test_cells_keep_their_options_and_take_computed_alternative_texts(tmp_path: Path, log: Path) -> None:
    _rendered(tmp_path, ["html"])
    cell = _calls(log)[0]["notebook"]["cells"][2]
    lines = "".join(cell["source"]).splitlines()
    options = yaml.safe_load("\n".join(line.removeprefix("#| ") for line in lines if line.startswith("#|")))
    assert options["fig-cap"] == 'It\'s "quoted": *yes*'
    assert options["fig-alt"] == 'Computed: "it\'s" 0.1'
    assert (options["label"], options["echo"]) == ("fig-a", False)
    assert lines[-1] == "draw()"
    # What the cell wrote to standard error is for the person who renders.
    assert [output["output_type"] for output in cell["outputs"]] == ["display_data"]


def test_texts_are_lists_of_lines_and_word_gets_bitmaps(tmp_path: Path, log: Path) -> None:
    _rendered(tmp_path, ["html", "docx"])
    html, docx = (call["notebook"]["cells"] for call in _calls(log))
    assert html[4]["outputs"][0]["text"][3:6] == ["| a |\n", "|---|\n", "| 1 |\n"]
    assert "image/svg+xml" in html[2]["outputs"][0]["data"]
    assert sorted(docx[2]["outputs"][0]["data"]) == ["image/png", "text/plain"]


def test_the_page_says_which_quarto_made_it(tmp_path: Path, log: Path) -> None:
    _rendered(tmp_path, ["html"])
    assert "Rendered by Quarto 1.9.37" in "".join(_calls(log)[0]["notebook"]["cells"][-1]["source"])


def test_auto_takes_quarto_where_it_is_installed(tmp_path: Path, log: Path) -> None:
    result = render(write_source(tmp_path, "Text.\n"), {"html": tmp_path / "a.html"})
    assert (result.renderer, result.version) == ("quarto", "1.9.37")
    assert (tmp_path / "a.html").read_text() == "made by html"
    assert len(_calls(log)) == 1


def test_a_failure_of_quarto_is_told_in_its_words_and_replaces_nothing(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAILS", "1")
    (tmp_path / "a.html").write_text("before")
    with pytest.raises(UserError, match=r"Quarto cannot make html \(exit code 1\): ERROR: something in the notebook"):
        render(write_source(tmp_path, "Text.\n"), {"html": tmp_path / "a.html"})
    assert (tmp_path / "a.html").read_text() == "before"
    assert not log.exists()


def test_references_that_lead_nowhere_are_errors_with_quarto_too(tmp_path: Path, log: Path) -> None:
    with pytest.raises(UserError, match="@fig-gone leads nowhere"):
        render(write_source(tmp_path, "See @fig-gone.\n"), {"html": tmp_path / "a.html"})
    assert not log.exists()


def test_without_quarto_it_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plneval.report.render.quarto_cli.quarto_command", lambda: None)
    with pytest.raises(UserError, match="no `quarto` is installed"):
        render(write_source(tmp_path, "Text.\n"), {"html": tmp_path / "a.html"}, renderer="quarto")


@pytest.mark.slow
def test_real_quarto_renders_all_formats(tmp_path: Path) -> None:
    if quarto_command() is None:
        pytest.skip("Quarto is not installed")
    body = "# One {#sec-one}\n\nSee @sec-one, @tbl-a and @fig-a.\n\n" + BODY.split("@key.")[1].replace(
        "draw()", _DRAW
    ).replace("emit()", _EMIT)
    outputs = {name: tmp_path / f"a.{name}" for name in ("html", "pdf", "docx")}
    result = render(write_source(tmp_path, body), outputs, renderer="quarto")
    page = outputs["html"].read_text(encoding="utf-8")
    assert f"Rendered by Quarto {result.version}" in page
    assert "?@" not in page
    assert "Table" in page
    assert outputs["pdf"].read_bytes().startswith(b"%PDF-")
    assert outputs["docx"].read_bytes().startswith(b"PK")


_DRAW = (
    "from matplotlib.figure import Figure\nfrom plneval.report.render import emit\n"
    "f = Figure()\nf.subplots().plot([1, 2])\nemit.figure(f)"
)
_EMIT = "import pandas as pd\nemit.table(pd.DataFrame({'a': ['1']}))"

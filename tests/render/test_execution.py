"""Cells run once, with the parameters given, in a fixed environment; what goes wrong is one clear message."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from report_sources import write_source

from plneval.errors import UserError
from plneval.report.render import render
from plneval.report.render.execute import execute
from plneval.report.render.outputs import Printed, shown_outputs
from plneval.report.render.parameters import injected_source
from plneval.report.render.qmd import parse

PARAMETERS = "```{python}\n#| tags: [parameters]\ncohort = 'default'\nyears = [1, 2]\n```\n\n"
ASIS = "```{python}\n#| echo: false\n#| output: asis\n%s\n```\n"


def test_given_parameters_are_on_the_page_and_the_others_keep_their_defaults(tmp_path: Path) -> None:
    path = write_source(tmp_path, PARAMETERS + ASIS % "print(cohort, years, params['cohort'], sorted(params))")
    render(path, {"html": tmp_path / "a.html"}, {"cohort": "chicago"}, renderer="embedded")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "chicago [1, 2] chicago" in page
    assert "default" not in page.split("<main")[1]


def test_the_environment_is_fixed_and_cells_run_beside_their_source(tmp_path: Path) -> None:
    names = "PYTHONHASHSEED SOURCE_DATE_EPOCH MPLBACKEND OMP_NUM_THREADS OPENBLAS_NUM_THREADS"
    shown_words = f"[os.environ[name] for name in '{names}'.split()], os.path.basename(os.getcwd()), sys.executable"
    code = f"import os, sys\nprint({shown_words})"
    executed = execute(parse(write_source(tmp_path, ASIS % code)), {})
    (shown,) = shown_outputs(executed.blocks[0])  # type: ignore[arg-type]
    assert isinstance(shown, Printed)
    import os
    import sys

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "315532800")
    assert shown.text.strip() == f"{['0', epoch, 'Agg', '1', '1']} {tmp_path.name} {sys.executable}"


def test_a_failing_cell_names_file_line_cell_and_message_and_nothing_is_written(tmp_path: Path) -> None:
    body = "Text.\n\n```{python}\n#| label: tbl-a\n#| tbl-cap: T\n#| output: asis\nx = 1\nvalue = {}['gone']\n```\n"
    path = write_source(tmp_path, body)
    target = tmp_path / "a.html"
    target.write_text("what was there")
    with pytest.raises(UserError) as error:
        render(path, {"html": target, "docx": tmp_path / "a.docx"}, renderer="embedded")
    assert str(error.value) == f"{path}:11: cell 'tbl-a' failed: KeyError: 'gone'"
    assert target.read_text() == "what was there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "report.qmd"]


def test_a_failure_inside_a_called_function_names_the_line_of_the_cell(tmp_path: Path) -> None:
    path = write_source(tmp_path, "```{python}\nimport json\n\njson.loads('{')\n```\n")
    with pytest.raises(UserError, match=r"report\.qmd:7: cell failed: JSONDecodeError: Expecting property name"):
        execute(parse(path), {})


def test_standard_error_is_a_warning_and_not_on_the_page(tmp_path: Path) -> None:
    code = "import warnings\nwarnings.warn('look here')\nprint('on the page')"
    result = render(write_source(tmp_path, ASIS % code), {"html": tmp_path / "a.html"}, renderer="embedded")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "on the page" in page
    assert "look here" not in page
    assert len(result.warnings) == 1
    assert "report.qmd:4: cell:" in result.warnings[0]
    assert "look here" in result.warnings[0]


def test_two_renders_of_one_source_at_once_do_not_meet(tmp_path: Path) -> None:
    path = write_source(tmp_path, PARAMETERS + ASIS % "import time; time.sleep(0.5); print('This is ' + cohort)")

    def one(cohort: str) -> str:
        render(path, {"html": tmp_path / f"{cohort}.html"}, {"cohort": cohort}, renderer="embedded")
        return (tmp_path / f"{cohort}.html").read_text(encoding="utf-8")

    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(one, ["first", "second"]))
    assert "This is first" in pages[0]
    assert "This is second" in pages[1]


@pytest.mark.parametrize(
    ("body", "params", "message"),
    [
        (PARAMETERS, {"cohrt": "x"}, r":4: no parameter 'cohrt'; declared: cohort, years\. Did you mean 'cohort'\?"),
        ("Text.\n", {"cohort": "x"}, "no cell is tagged"),
        (PARAMETERS, {"cohort": float("nan")}, "not plain data"),
        (PARAMETERS, {"cohort": object()}, "not plain data"),
        (PARAMETERS.replace("years = ", "print"), {}, r"report\.qmd:7: the parameters cell may only assign names"),
        (PARAMETERS + PARAMETERS, {}, "second cell tagged"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_set_are_refused_before_anything_runs(
    tmp_path: Path, body: str, params: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        injected_source(parse(write_source(tmp_path, body)), params)


def test_parameter_values_are_data_and_never_code(tmp_path: Path) -> None:
    value = '\'); import os; os.abort() #\n"""'
    source = injected_source(
        parse(write_source(tmp_path, PARAMETERS)), {"cohort": value, "years": [Path("."), None, True, 1.5]}
    )
    assert source is not None
    names: dict[str, object] = {"cohort": "default"}
    exec(source, names)  # noqa: S102 - this is what the kernel does with it
    assert names["cohort"] == value
    assert names["years"] == [str(Path.cwd()), None, True, 1.5]


@pytest.mark.parametrize(
    ("options", "code_shown", "output_shown"),
    [
        ("", True, True),
        ("#| echo: false\n", False, True),
        ("#| output: false\n", True, False),
        ("#| include: false\n", False, False),
    ],
)
def test_echo_output_and_include_decide_what_is_shown(
    tmp_path: Path, options: str, code_shown: bool, output_shown: bool
) -> None:
    from report_sources import html_of, main_of, printed

    page = main_of(
        html_of(
            write_source(tmp_path, f"```{{python}}\n{options}the_code = 1\n```\n"), {0: [printed("the <output>\n")]}
        )
    )
    assert ("the_code" in page) == code_shown
    assert ("the &lt;output&gt;" in page) == output_shown
    assert "#|" not in page

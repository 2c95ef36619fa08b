"""What is not in the declared subset of Quarto is an error that names file and line; what is in it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_sources import write_source

from plneval.errors import UserError
from plneval.report.render.qmd import Cell, Markdown, parse

# The body begins on line 4 of the file.
NOT_ALLOWED = [
    ("Text <b>bold</b>", 4, "raw HTML"),
    ("ok\n\n</div>", 6, "raw HTML"),
    ("The effect is `{python} effect` SD", 4, "inline code"),
    ("The effect is `r effect` SD", 4, "inline code"),
    ("`x`{=html}", 4, "attributes on inline code"),
    ("a [word]{.smallcaps} here", 4, "attributes on a piece of text"),
    ("{{< pagebreak >}}", 4, "shortcode"),
    ("see {{< include a.qmd >}} here", 4, "shortcode"),
    ("a \\newpage b", 4, "LaTeX command"),
    ("as @lst-code shows", 4, "cross-reference"),
    ("::: {.column-margin}\nx\n:::", 4, "block"),
    ("::: note\nx\n:::", 4, "block"),
    ('::: {.callout-note collapse="true"}\nx\n:::', 4, "block"),
    ("::: {.callout-note}\nx", 4, "never closed"),
    ("x\n\n:::", 6, "closes nothing"),
    ("```{r}\n1\n```", 4, "only `{python}` cells"),
    ("```{python, echo=FALSE}\n1\n```", 4, "`#|` lines"),
    ("```{=html}\n<b>\n```", 4, "only `{python}` cells"),
    ("```{python}\n1", 4, "never closed"),
    ("```{python}\n#| code-fold: true\n1\n```", 5, "code-fold"),
    ("```{python}\n#| echo: true\n#| fig-width: 5\n1\n```", 6, "fig-width"),
    ("```{python}\n#| output: markdown\n1\n```", 5, "output"),
    ("```{python}\n#| echo: maybe\n1\n```", 5, "true or false"),
    ("```{python}\n#| label: fig-x\n1\n```", 5, "needs a fig-cap"),
    ("```{python}\n#| label: x\n#| tbl-cap: A table\n1\n```", 5, "must begin with 'tbl-'"),
    ("```{python}\n#| fig-cap: [a, b]\n1\n```", 5, "one text"),
    ("```{python}\n#| layout-ncol: 9\n1\n```", 5, "layout-ncol"),
    ("```{python}\n#| tags: [hide]\n1\n```", 5, "tags"),
    ("```{python}\n#| echo: true\n#| echo: false\n1\n```", 6, "twice"),
    ("# Head {.smaller}", 4, "heading attributes"),
    ("![a](https://example.org/a.png)", 4, "no network"),
    ("![a](a.png){height=3in}", 4, "image attributes"),
]


@pytest.mark.parametrize(
    ("body", "line", "word"), NOT_ALLOWED, ids=[body.split("\n")[0][:30] for body, _, _ in NOT_ALLOWED]
)
def test_what_is_not_in_the_subset_is_refused_with_file_and_line(
    tmp_path: Path, body: str, line: int, word: str
) -> None:
    path = write_source(tmp_path, body)
    with pytest.raises(UserError) as error:
        parse(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert word in str(error.value)


@pytest.mark.parametrize(
    ("front", "line", "word"),
    [
        ("---\ntitle: A\ntheme: cosmo\n---\n", 3, "theme"),
        ("---\ntitle: A\nparams:\n  a: 1\n---\n", 3, "parameters"),
        ("---\ntitle: A\ndate: today\n---\n", 3, "changes from run to run"),
        ("---\ntitle: A\nhtml-math-method: mathjax\n---\n", 3, "can only be mathml"),
        ("---\ntitle: A\nnumber-sections: false\n---\n", 3, "can only be true"),
        ("---\ntitle: A\nlang: de\n---\n", 3, "English"),
        ("---\ntitle: A\nformat:\n  revealjs: default\n---\n", 3, "revealjs"),
        ("---\ntitle: A\nformat:\n  html:\n    code-fold: true\n---\n", 3, "code-fold"),
        ("---\ntitle: A\nexecute:\n  cache: true\n---\n", 3, "cache"),
        ("---\ntitle: A\ntitle: B\n---\n", 3, "twice"),
        ("---\ntoc: true\n---\n", 2, "no 'title'"),
        ("---\ntitle: [\n---\n", 2, "YAML"),
        ("---\ntitle: !!python/object/apply:os.system [ls]\n---\n", 2, "YAML"),
        ("---\ntitle: A\n", 1, "not closed"),
        ("# No front matter\n", 1, "begins with front matter"),
    ],
)
def test_front_matter_is_checked_key_by_key(tmp_path: Path, front: str, line: int, word: str) -> None:
    path = write_source(tmp_path, "Text.\n", front)
    with pytest.raises(UserError) as error:
        parse(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert word in str(error.value)


def test_several_mistakes_are_reported_in_one_go(tmp_path: Path) -> None:
    path = write_source(tmp_path, "<b>\n\n```{r}\n1\n```\n\n{{< video x >}}\n")
    with pytest.raises(UserError) as error:
        parse(path)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["4", "6", "10"]


def test_code_and_math_may_hold_what_text_may_not(tmp_path: Path) -> None:
    body = (
        "Code `<b>` and `\\newpage`, math $\\alpha < \\beta$, <https://example.org>.\n\n"
        "```\n<b>{{< x >}}\n::: {.x}\n```\n\n$$ \\frac{1}{2} $$\n"
    )
    assert len(parse(write_source(tmp_path, body)).blocks) == 1


def test_math_over_several_lines_may_hold_commands(tmp_path: Path) -> None:
    assert len(parse(write_source(tmp_path, "$$\nY = \\alpha_s + \\varepsilon <x>\n$$ {#eq-a}\n")).blocks) == 1


def test_comments_are_left_out_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = write_source(tmp_path, "<!-- one\ntwo -->\n\n```{python}\nx = '<!-- kept -->'\n```\n\n<b>\n")
    with pytest.raises(UserError, match=r":11: raw HTML"):
        parse(path)
    path.write_text(path.read_text().replace("<b>", "end"))
    document = parse(path)
    assert document.cells[0].source == "x = '<!-- kept -->'"
    assert all("one" not in block.text for block in document.blocks if isinstance(block, Markdown))


def test_a_cell_keeps_its_source_its_options_and_its_place(tmp_path: Path) -> None:
    body = (
        "Text.\n\n```{python}\n#| label: fig-a\n#| fig-cap: |\n#|   A caption\n#|   in two lines.\n"
        '#| fig-alt: "Alt"\nx = 1\n```\n'
    )
    cell = parse(write_source(tmp_path, body)).cells[0]
    assert (cell.line, cell.options.label, cell.options.fig_cap) == (6, "fig-a", "A caption in two lines.")
    assert cell.options.fig_alt == ("Alt",)
    assert cell.source.endswith("x = 1")


def test_execute_options_of_the_front_matter_are_the_cells_defaults(tmp_path: Path) -> None:
    front = "---\ntitle: A\nexecute:\n  echo: false\n---\n"
    cells = parse(write_source(tmp_path, "```{python}\n1\n```\n\n```{python}\n#| echo: true\n1\n```\n", front)).cells
    assert [cell.options.echo for cell in cells] == [False, True]


def test_includes_are_read_in_place_and_errors_name_the_included_file(tmp_path: Path) -> None:
    (tmp_path / "part.qmd").write_text("Part.\n\n```{python}\nx = 1\n```\n")
    document = parse(write_source(tmp_path, "Before.\n\n{{< include part.qmd >}}\n\nAfter.\n"))
    kinds = [block.text.strip() if isinstance(block, Markdown) else "cell" for block in document.blocks]
    assert kinds == ["Before.", "Part.", "cell", "After."]
    assert isinstance(document.blocks[2], Cell)
    assert (document.blocks[2].path.name, document.blocks[2].line) == ("part.qmd", 3)
    (tmp_path / "part.qmd").write_text("Part.\n\n<b>\n")
    with pytest.raises(UserError, match=r"part\.qmd:3: raw HTML"):
        parse(tmp_path / "report.qmd")


@pytest.mark.parametrize(
    ("target", "word"),
    [("missing.qmd", "no such file"), ("../outside.qmd", "outside the folder"), ("report.qmd", "includes itself")],
)
def test_an_include_that_cannot_be_read_is_refused_where_it_stands(tmp_path: Path, target: str, word: str) -> None:
    (tmp_path.parent / "outside.qmd").write_text("x\n")
    with pytest.raises(UserError, match=rf"report\.qmd:4: include '{target}'.*{word}"):
        parse(write_source(tmp_path, f"{{{{< include {target} >}}}}\n"))


def test_a_label_used_by_two_cells_names_both_places(tmp_path: Path) -> None:
    cell = "```{python}\n#| label: tbl-a\n#| tbl-cap: T\n1\n```\n"
    with pytest.raises(UserError, match=r"report\.qmd:10: label 'tbl-a' is already used at .*report\.qmd:4"):
        parse(write_source(tmp_path, f"{cell}\n{cell}"))


def test_a_missing_source_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        parse(tmp_path / "none.qmd")

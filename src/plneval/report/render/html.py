"""The HTML page: one file with styles, images and formulas inside, readable without network or script."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import panflute as pf

from plneval.report.render import theme
from plneval.report.render.callouts import html_callout
from plneval.report.render.pandoc import run_pandoc
from plneval.report.render.tables import fit, given_widths, holds_prose, name_cells, set_widths
from plneval.report.render.tabsets import html_tabset

# In a table of two columns the first names what the second says.
_SELF_EXPLAINING = 2


def html_blocks(doc: Any) -> None:
    """Change a resolved report into the blocks the page's template and styles are made for (in place)."""
    doc.walk(_tables)
    doc.walk(html_callout)
    doc.walk(html_tabset)
    doc.walk(_equation)
    doc.walk(_layout)
    doc.walk(_one_heading_down)


def write_html(json_text: str, arguments: list[str], folder: Path) -> bytes:
    """The finished page, as UTF-8.

    Parameters
    ----------
    json_text:
        The report as pandoc JSON, already changed by :func:`html_blocks`.
    arguments:
        Pandoc arguments that all formats share (citations, table of contents).
    folder:
        Where figures and the bibliography lie.
    """
    assets = files("plneval.report.render") / "assets"
    (folder / "page.html").write_text((assets / "page.html").read_text(encoding="utf-8"), encoding="utf-8")
    options = [
        "-f",
        "json",
        "-t",
        "html5",
        "--standalone",
        "--template=page.html",
        "--embed-resources",
        "--mathml",
        "--wrap=none",
    ]
    options += ["--syntax-highlighting=none", "--variable-json", f"style:{_json_text(stylesheet())}"]
    return run_pandoc([*options, *arguments], json_text, folder).encode("utf-8")


def stylesheet() -> str:
    """The page's stylesheet with the colours and fonts of :mod:`~plneval.report.render.theme`."""
    names = {
        "ink": theme.INK,
        "muted": theme.MUTED,
        "rule": theme.RULE,
        "paper": theme.PAPER,
        "surface": theme.SURFACE,
        "accent": theme.ACCENT,
        "accent-dark": theme.ACCENT_DARK,
        "sans": theme.SANS,
        "mono": theme.MONO,
    }
    variables = " ".join(f"--{name}: {value};" for name, value in names.items())
    kinds = [
        f".callout-{kind} {{ --callout: {strong}; --callout-tint: {tint}; }}"
        for kind, (strong, tint) in theme.CALLOUTS.items()
    ]
    rules = (files("plneval.report.render") / "assets" / "page.css").read_text(encoding="utf-8")
    return "\n".join([f":root {{ {variables} }}", *kinds, rules])


def _json_text(text: str) -> str:
    import json

    return json.dumps(text)


def _tables(element: Any, _doc: Any) -> Any:
    """Let the browser choose widths unless the author did; put every table into a container that scrolls."""
    if not isinstance(element, pf.Table):
        return None
    wide = fit(element).scale < 1.0
    prose = holds_prose(element)
    if prose and len(element.colspec) > _SELF_EXPLAINING:
        name_cells(element)
    set_widths(element, given_widths(element))
    name = (
        pf.stringify(element.caption.content[0]).split(":")[0]
        if element.caption and element.caption.content
        else "Table"
    )
    # Focusable, so that a table wider than a telephone can be scrolled from the keyboard (WCAG 2.1.1).
    return pf.Div(
        element,
        classes=["table-scroll", *["wide"] * wide, *["prose"] * prose],
        attributes={"tabindex": "0", "role": "region", "aria-label": name},
    )


def _equation(element: Any, _doc: Any) -> Any:
    if isinstance(element, pf.Div) and "equation" in element.classes and "number" in element.attributes:
        number = element.attributes.pop("number")
        element.content.append(pf.Para(pf.Str(f"({number})")))
        return element
    return None


def _layout(element: Any, _doc: Any) -> Any:
    if isinstance(element, pf.Div) and "plneval-layout" in element.classes:
        columns = element.attributes["columns"]
        return pf.Div(*element.content, classes=["layout-grid"], attributes={"style": f"--columns: {columns}"})
    return None


def _one_heading_down(element: Any, _doc: Any) -> None:
    """The title is the page's only first-level heading."""
    if isinstance(element, pf.Header):
        element.level = min(6, element.level + 1)

"""The PDF: pandoc writes typst, the typst package sets it, with the fonts it brings along."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import panflute as pf

from plneval.errors import UserError
from plneval.report.render import theme
from plneval.report.render.callouts import typst_callout
from plneval.report.render.execute import source_date_epoch
from plneval.report.render.pandoc import run_pandoc
from plneval.report.render.tables import Fit, break_long_words, extent, fit, set_widths
from plneval.report.render.tabsets import plain_tabset
from plneval.report.render.typst_markup import typst_block, typst_inline

# Accessible PDF (ISO 14289-1): tagged, with alternative texts and without skipped heading levels, or it is not made.
_STANDARD: Literal["ua-1"] = "ua-1"
_NO_GLYPH = re.compile(r'the text `?"([^"]+)"`? could not be displayed with font')
_TABLE_POINTS = 9.0
_TURN_BELOW = 0.75
# What a page on its side holds, relative to an upright one (29.7 - 4.8 cm against 21 - 4.8 cm).
_LANDSCAPE = 1.53
_TIGHT = "#set table(inset: (x: 3pt, y: 3pt))"
_MARKER = re.compile(r"([-+=/])|(\d+)(\.)$")


def typst_version() -> str:
    """The version of the typst package, such as ``0.15.2``."""
    from importlib.metadata import version

    return version("typst")


def typst_blocks(doc: Any) -> None:
    """Change a resolved report into the blocks the typst template is made for (in place)."""
    doc.walk(_table)
    doc.walk(plain_tabset)
    doc.walk(typst_callout)
    doc.walk(_equation)
    doc.walk(_layout)
    doc.walk(_styled)
    doc.walk(_image)
    doc.walk(_formula)
    doc.walk(_literal_start)


def write_pdf(json_text: str, arguments: list[str], folder: Path) -> tuple[bytes, list[str]]:
    """The finished PDF, and what is imperfect about it.

    Parameters
    ----------
    json_text:
        The report as pandoc JSON, already changed by :func:`typst_blocks`.
    arguments:
        Pandoc arguments that all formats share (citations, table of contents).
    folder:
        Where figures and the bibliography lie.

    Raises
    ------
    UserError
        If typst cannot set the page: with its words and the line of the typst text.
    """
    import typst

    template = (files("plneval.report.render") / "assets" / "page.typ").read_text(encoding="utf-8")
    (folder / "page.typ").write_text(template, encoding="utf-8")
    options = ["-f", "json", "-t", "typst-citations", "--standalone", "--template=page.typ"]
    options += ["--wrap=none", "--syntax-highlighting=none"]
    for name, value in _theme_variables().items():
        options += ["--variable-json", f"{name}:{json.dumps(value)}"]
    (folder / "report.typ").write_text(run_pandoc([*options, *arguments], json_text, folder), encoding="utf-8")
    try:
        return _set(folder, _STANDARD), []
    except typst.TypstError as error:
        words = str(error.diagnostic or error.message).replace(f"{folder}/", "").strip()
        absent = sorted(set(_NO_GLYPH.findall(words)))
        if not absent or any(not _NO_GLYPH.search(line) for line in words.splitlines() if line.startswith("error")):
            raise UserError(f"the PDF cannot be set: {words}") from None
    # Only letters of a script that no font at hand has: the page is made with boxes in their place, and that is said.
    warning = f"the PDF shows boxes for {' '.join(absent)}: no font at hand has them (so it is not PDF/UA)"
    return _set(folder, None), [warning]


def _set(folder: Path, standard: Literal["ua-1"] | None) -> bytes:
    """Let typst set ``report.typ``."""
    import typst

    moment = datetime.datetime.fromtimestamp(source_date_epoch(), tz=datetime.UTC)
    places = [str(_fallback_fonts(folder))]
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=places)
    source = str(folder / "report.typ")
    return bytes(typst.compile(source, root=str(folder), font_paths=fonts, timestamp=moment, pdf_standards=standard))


def _fallback_fonts(folder: Path) -> Path:
    """A folder with DejaVu, which matplotlib brings along, for letters and signs that typst's own fonts do not have.

    Not matplotlib's whole folder: the last-resort font there has a box for every letter, and hides that one is missing.
    """
    place = folder / "fonts"
    place.mkdir(exist_ok=True)
    spec = find_spec("matplotlib")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for font in Path(location).glob("mpl-data/fonts/ttf/DejaVuS*.ttf"):
            shutil.copyfile(font, place / font.name)
    return place


def _theme_variables() -> dict[str, Any]:
    colours = {"ink": theme.INK, "muted": theme.MUTED, "rule": theme.RULE, "surface": theme.SURFACE}
    colours |= {"accent": theme.ACCENT, "accent-dark": theme.ACCENT_DARK}
    callouts = [{"kind": kind, "strong": strong, "tint": tint} for kind, (strong, tint) in theme.CALLOUTS.items()]
    return {f"color-{name}": value for name, value in colours.items()} | {"callouts": callouts}


def _table(element: Any, _doc: Any) -> Any:
    if not isinstance(element, pf.Table):
        return None
    element.walk(break_long_words)
    chosen = fit(element)
    set_widths(element, chosen.widths)
    if chosen.scale < _TURN_BELOW:
        # Too wide for readable type on an upright page: the table gets a page on its side.
        chosen = fit(element, _LANDSCAPE)
        set_widths(element, chosen.widths)
        size = round(_TABLE_POINTS * chosen.scale, 2)
        return [
            typst_block(f"#page(flipped: true)[#show table: set text(size: {size}pt)\n{_TIGHT}"),
            element,
            typst_block("]"),
        ]
    return [typst_block("\n".join(["#[", *_table_rules(element, chosen)])), element, typst_block("]")]


def _table_rules(table: Any, chosen: Fit) -> list[str]:
    """Typst rules for one table: its type size, and where it may break over pages."""
    rules = []
    if chosen.scale < 1.0:
        rules += [f"#show table: set text(size: {round(_TABLE_POINTS * chosen.scale, 2)}pt)", _TIGHT]
    breaks = extent(table, chosen)
    if breaks.whole_rows:
        rules.append("#set table.cell(breakable: false)")
    if breaks.whole:
        rules += [
            "#show figure.where(kind: table): set block(breakable: false)",
            "#show table: block.with(breakable: false)",
        ]
    else:
        rules.append("#room-for-first-rows()")
    return rules


def _equation(element: Any, _doc: Any) -> Any:
    if isinstance(element, pf.Div) and "equation" in element.classes and "number" in element.attributes:
        number = element.attributes.pop("number")
        element.content = [typst_block(f'#set math.equation(numbering: _ => "({number})")'), *element.content]
        return element
    return None


def _layout(element: Any, _doc: Any) -> Any:
    if not (isinstance(element, pf.Div) and "plneval-layout" in element.classes):
        return None
    columns = int(element.attributes["columns"])
    parts = [typst_block(f"#grid(columns: (1fr,) * {columns}, gutter: 10pt, align: center + bottom,")]
    for block in element.content:
        parts += [typst_block("["), block, typst_block("],")]
    return [*parts, typst_block(")")]


def _styled(element: Any, _doc: Any) -> Any:
    """Caption labels and section numbers in the template's own functions."""
    if isinstance(element, pf.Span):
        for name, function in (("caption-label", "caption-label"), ("header-section-number", "section-number")):
            if name in element.classes:
                head, tail = typst_inline(f"#{function}["), typst_inline("]")
                return [head, *element.content, tail]
    return None


def _image(element: Any, _doc: Any) -> Any:
    """Images with their alternative text, which pandoc 3.9 does not hand on to typst."""
    if not isinstance(element, pf.Image):
        return None
    width = element.attributes.get("width", "auto")
    options = f"alt: {_typst_text(pf.stringify(element))}"
    options += f", width: {width}" if re.fullmatch(r"\d+(\.\d+)?(%|cm|mm|in|pt)", width) else ""
    return typst_inline(f"#box(image({_typst_text(element.url)}, {options}))")


def _formula(element: Any, _doc: Any) -> Any:
    """Formulas with their TeX source as alternative text."""
    if not isinstance(element, pf.Math):
        return None
    head = typst_inline(f"#[#set math.equation(alt: {_typst_text(' '.join(element.text.split()))});")
    return [head, element, typst_inline("]")]


def _typst_text(text: str) -> str:
    """A text as a typst string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal_start(element: Any, _doc: Any) -> Any:
    """Escape what would begin a list or a heading: pandoc 3.9 does not at the start of table cells and list items."""
    if isinstance(element, pf.Str) and (match := _MARKER.match(element.text)):
        head = f"\\{match[1]}" if match[1] else f"{match[2]}\\."
        rest = element.text[match.end() :]
        return [typst_inline(head), *([pf.Str(rest)] if rest else [])]
    return None

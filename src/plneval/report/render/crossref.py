"""Numbers for figures, tables, equations and sections, and the references to them.

Numbering happens once, before any format is written, so that "Table 2" is the same table in HTML, PDF and DOCX.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import panflute as pf

from plneval.errors import UserErrors
from plneval.report.render.qmd import Document
from plneval.report.render.subset import CROSSREF_KINDS

WORDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}
_REFERENCE = re.compile(rf"(?P<kind>{'|'.join(CROSSREF_KINDS)})-", re.IGNORECASE)
_EQUATION_LABEL = re.compile(r"\{#(?P<label>eq-[\w-]+)\}")
_NOT_SECTIONS = ("callout-", "panel-tabset")


@dataclass
class Labels:
    """Every label of a report with its number, in order of appearance."""

    numbers: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    _counters: dict[str, int] = field(default_factory=dict)

    def next(self, kind: str, label: str) -> str:
        """Give the next number of a kind, and note the label."""
        self._counters[kind] = self._counters.get(kind, 0) + 1
        number = str(self._counters[kind])
        self.add(label, number)
        return number

    def add(self, label: str, number: str) -> None:
        """Note a label's number."""
        if label in self.numbers:
            self.duplicates.append(label)
        self.numbers[label] = number


def is_reference(identifier: str) -> bool:
    """Whether a citation's identifier is a cross-reference (``fig-x``) and not a work of literature."""
    return _REFERENCE.match(identifier) is not None


def resolve(doc: Any, document: Document) -> Labels:
    """Number everything and replace every cross-reference by a link with its words.

    Figures become ``Figure`` elements with "Figure 1: …" as caption, tables get "Table 1: …", equations become blocks
    of class ``equation`` with an attribute ``number``, section headings get their number.

    Raises
    ------
    UserErrors
        For references to a label that is nowhere, labels that occur twice, and labelled cells without a table.
    """
    labels = Labels()
    problems: list[str] = []
    doc.walk(lambda element, _doc: _equation(element, labels))
    doc.walk(lambda element, _doc: _float(element, labels, document, problems))
    _sections(doc, labels, document, problems)
    doc.walk(lambda element, _doc: _reference(element, labels, document, problems))
    problems += [f"{document.locate('#' + label)}: label '{label}' is used twice" for label in labels.duplicates]
    if problems:
        raise UserErrors(list(dict.fromkeys(problems)))
    return labels


def _float(element: Any, labels: Labels, document: Document, problems: list[str]) -> Any:
    """Turn a labelled figure or table into its numbered form."""
    if isinstance(element, pf.Div) and "plneval-figure" in element.classes:
        *content, caption = element.content
        return _figure(element.identifier, content, list(caption.content), labels)
    if isinstance(element, pf.Div) and "plneval-table" in element.classes:
        *content, caption = element.content
        tables = _tables(content)
        if len(tables) != 1:
            where = document.locate(f"label: {element.identifier}")
            problems.append(f"{where}: a cell with tbl-cap prints one table, this one prints {len(tables)}")
            return content
        tables[0].identifier = element.identifier
        _caption_table(tables[0], list(caption.content), labels)
        return content
    if isinstance(element, pf.Table) and element.caption is not None and element.caption.content:
        # A table written in the source with its own caption line; those in cells have none yet.
        if not _inside(element, ("plneval-table",)):
            _caption_table(element, list(element.caption.content[0].content), labels)
        return element
    if isinstance(element, pf.Para) and len(element.content) == 1 and isinstance(element.content[0], pf.Image):
        image = element.content[0]
        if image.identifier.startswith("fig-"):
            identifier, image.identifier = image.identifier, ""
            caption_inlines = list(image.content)
            image.content = [pf.Str(image.attributes.get("fig-alt", pf.stringify(image)))]
            image.attributes.pop("fig-alt", None)
            return _figure(identifier, [element], caption_inlines, labels)
    return None


def _tables(blocks: list[Any]) -> list[Any]:
    """The tables among blocks and inside their divs, in order."""
    inside = [_tables(list(block.content)) if isinstance(block, pf.Div) else [block] for block in blocks]
    return [block for group in inside for block in group if isinstance(block, pf.Table)]


def _figure(identifier: str, content: list[Any], caption: list[Any], labels: Labels) -> Any:
    if identifier:
        caption = _numbered("fig", labels.next("fig", identifier), caption)
    blocks = [pf.Plain(*block.content) if isinstance(block, pf.Para) else block for block in content]
    return pf.Figure(*blocks, caption=pf.Caption(pf.Plain(*caption)), identifier=identifier)


def _caption_table(table: Any, caption: list[Any], labels: Labels) -> None:
    if table.identifier:
        caption = _numbered("tbl", labels.next("tbl", table.identifier), caption)
    table.caption = pf.Caption(pf.Plain(*caption))


def _numbered(kind: str, number: str, caption: list[Any]) -> list[Any]:
    label = pf.Span(pf.Str(f"{WORDS[kind]}\u00a0{number}:"), classes=["caption-label"])
    return [label, pf.Space(), *caption]


def _equation(element: Any, labels: Labels) -> Any:
    """``$$…$$ {#eq-x}`` in a paragraph of its own becomes a numbered block."""
    if not isinstance(element, pf.Para):
        return None
    content = [item for item in element.content if not isinstance(item, (pf.Space, pf.SoftBreak))]
    if len(content) != 2 or not isinstance(content[0], pf.Math) or not isinstance(content[1], pf.Str):
        return None
    match = _EQUATION_LABEL.fullmatch(content[1].text)
    if match is None:
        return None
    number = labels.next("eq", match["label"])
    return pf.Div(pf.Para(content[0]), identifier=match["label"], classes=["equation"], attributes={"number": number})


def _sections(doc: Any, labels: Labels, document: Document, problems: list[str]) -> None:
    """Number headings outside callouts and tabsets, and move the highest level to 1."""
    headings: list[Any] = []

    def collect(element: Any, _doc: Any) -> None:
        if isinstance(element, pf.Header):
            if _inside(element, _NOT_SECTIONS):
                element.classes += [name for name in ("unnumbered", "unlisted") if name not in element.classes]
            headings.append(element)

    doc.walk(collect)
    shift = min((heading.level for heading in headings if "unlisted" not in heading.classes), default=1) - 1
    counters: list[int] = []
    above = 0
    for heading in headings:
        heading.level = max(1, heading.level - shift)
        if not _inside(heading, ("callout-",)):
            if heading.level > above + 1:
                # Readers who jump from heading to heading lose their way; accessible PDF forbids it.
                words = pf.stringify(heading).strip()
                problems.append(
                    f"{document.locate(words, start='#')}: heading '{words}' skips a level; use one '#' less"
                )
            above = heading.level
        if "unnumbered" in heading.classes:
            continue
        counters = [*counters, *[0] * heading.level][: heading.level]
        counters[-1] += 1
        number = ".".join(str(count) for count in counters)
        if heading.identifier.startswith("sec-"):
            labels.add(heading.identifier, number)
        heading.content = [pf.Span(pf.Str(number), classes=["header-section-number"]), pf.Space(), *heading.content]


def _reference(element: Any, labels: Labels, document: Document, problems: list[str]) -> Any:
    """Replace a citation of labels by links."""
    if not isinstance(element, pf.Cite) or not any(is_reference(item.id) for item in element.citations):
        return None
    found: list[Any] = []
    for position, item in enumerate(element.citations):
        label = item.id[0].lower() + item.id[1:]
        kind = label.split("-")[0]
        number = labels.numbers.get(label)
        if not is_reference(item.id) or number is None:
            known = [name for name in labels.numbers if name.startswith(f"{kind}-")]
            hint = f"there are {', '.join(known)}" if known else f"there is no {WORDS.get(kind, 'such')} label at all"
            problems.append(f"{document.locate('@' + item.id)}: reference @{item.id} leads nowhere; {hint}")
            continue
        words = number if item.mode == "SuppressAuthor" else f"{WORDS[kind]}\u00a0{number}"
        if position:
            found += [pf.Str(","), pf.Space()]
        found += [*item.prefix, pf.Space()] if item.prefix else []
        found += [pf.Link(pf.Str(words), url=f"#{label}", classes=["crossref"]), *item.suffix]
    return found


def _inside(element: Any, classes: tuple[str, ...]) -> bool:
    """Whether an ancestor is a block with a class that begins with one of these."""
    parent = element.parent
    while parent is not None:
        if isinstance(parent, pf.Div) and any(name.startswith(classes) for name in parent.classes):
            return True
        parent = parent.parent
    return False

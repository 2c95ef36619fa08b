"""Callout boxes, in the form each format has for them."""

from __future__ import annotations

from typing import Any

import panflute as pf

from plneval.report.render.subset import CALLOUT_KINDS
from plneval.report.render.typst_markup import typst_block


def callout_kind(element: Any) -> str | None:
    """The kind of a callout block, or None for anything else."""
    if isinstance(element, pf.Div):
        for name in element.classes:
            if name.startswith("callout-") and name.removeprefix("callout-") in CALLOUT_KINDS:
                return str(name.removeprefix("callout-"))
    return None


def title_and_body(element: Any, kind: str) -> tuple[list[Any], list[Any]]:
    """A callout's title (its first heading, its ``title``, or the name of its kind) and the blocks below it."""
    content = list(element.content)
    if content and isinstance(content[0], pf.Header):
        return list(content[0].content), content[1:]
    title = element.attributes.get("title") or kind.capitalize()
    return [pf.Str(title)], content


def html_callout(element: Any, _doc: Any) -> Any:
    """An aside with the kind said in words for those who cannot see its colour."""
    kind = callout_kind(element)
    if kind is None:
        return None
    title, body = title_and_body(element, kind)
    spoken = [pf.Span(pf.Str(f"{kind.capitalize()}:"), classes=["visually-hidden"]), pf.Space()]
    words = title if pf.stringify(pf.Para(*title)).strip().lower() == kind else [*spoken, *title]
    head = pf.Div(pf.Para(*words), classes=["callout-title"])
    return pf.Div(
        head,
        pf.Div(*body, classes=["callout-body"]),
        classes=["callout", f"callout-{kind}"],
        attributes={"role": "note"},
    )


def typst_callout(element: Any, _doc: Any) -> Any:
    """A call of the template's ``callout`` function."""
    kind = callout_kind(element)
    if kind is None:
        return None
    title, body = title_and_body(element, kind)
    return [typst_block(f'#callout("{kind}")['), pf.Para(*title), typst_block("]["), *body, typst_block("]")]


def docx_callout(element: Any, _doc: Any) -> Any:
    """Paragraphs in the callout styles of the reference document."""
    kind = callout_kind(element)
    if kind is None:
        return None
    title, body = title_and_body(element, kind)
    style = f"Callout {kind.capitalize()}"
    head = pf.Div(pf.Para(*title), attributes={"custom-style": f"{style} Title"})
    paragraphs = [part for block in body for part in _without_lists(block)]
    return pf.Div(head, pf.Div(*paragraphs, attributes={"custom-style": style}))


def _without_lists(block: Any) -> list[Any]:
    """Lists as paragraphs with their marks: list items have a style of their own in Word, outside the box."""
    if not isinstance(block, (pf.BulletList, pf.OrderedList)):
        return [block]
    paragraphs = []
    for number, item in enumerate(block.content, start=1):
        mark = "•" if isinstance(block, pf.BulletList) else f"{number}."
        first, *others = item.content
        paragraphs.append(pf.Para(pf.Str(f"{mark}\u2002"), *first.content))
        paragraphs += [part for other in others for part in _without_lists(other)]
    return paragraphs

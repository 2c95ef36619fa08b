"""Tabsets: tabs on a screen, one heading after the other everywhere else."""

from __future__ import annotations

from typing import Any

import panflute as pf


def is_tabset(element: Any) -> bool:
    """Whether a block is a tabset."""
    return isinstance(element, pf.Div) and "panel-tabset" in element.classes


def html_tabset(element: Any, _doc: Any) -> Any:
    """Wrap each tab in a block of its own; the page's script makes tabs of them, without it they stand in a row."""
    if not is_tabset(element):
        return None
    content = list(element.content)
    level = min((block.level for block in content if isinstance(block, pf.Header)), default=0)
    intro: list[Any] = []
    tabs: list[list[Any]] = []
    for block in content:
        if isinstance(block, pf.Header) and block.level == level:
            block.classes = [*block.classes, "tab-title"]
            tabs.append([block])
        elif tabs:
            tabs[-1].append(block)
        else:
            intro.append(block)
    panels = [pf.Div(*tab, classes=["tab"]) for tab in tabs]
    return pf.Div(*intro, *panels, classes=["panel-tabset"])


def plain_tabset(element: Any, _doc: Any) -> Any:
    """The tabs' content under plain headings that are neither numbered nor listed."""
    return list(element.content) if is_tabset(element) else None

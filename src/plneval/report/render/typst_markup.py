"""Typst markup of our own between pandoc's: the calls of the template's functions."""

from __future__ import annotations

from typing import Any

import panflute as pf


def typst_block(text: str) -> Any:
    """A block of typst markup."""
    # panflute 2.3 does not list typst among the raw formats, though pandoc does: the format is set afterwards.
    block = pf.RawBlock(text, format="markdown")
    block.format = "typst"
    return block


def typst_inline(text: str) -> Any:
    """A piece of typst markup inside a line."""
    inline = pf.RawInline(text, format="markdown")
    inline.format = "typst"
    return inline

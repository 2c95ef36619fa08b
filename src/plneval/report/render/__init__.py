"""Rendering reports: a ``.qmd`` source in a declared subset of Quarto to HTML, PDF and DOCX.

>>> from plneval.report.render import render
>>> render(Path("reports/funder.qmd"), {"html": Path("funder.html")}, {"released": Path("results/demo/release")})

The source language, the two back ends and what they promise are described in ``docs/renderer.md``.
"""

from plneval.report.render.rendering import Renderer, RenderResult, render

__all__ = ["RenderResult", "Renderer", "render"]

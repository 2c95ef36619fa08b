"""Which markdown a report source may use: the line checks of the declared subset."""

from __future__ import annotations

import re

CALLOUT_KINDS = ("note", "tip", "warning", "caution", "important")
CROSSREF_KINDS = ("fig", "tbl", "sec", "eq")
_OTHER_CROSSREFS = "lst|thm|lem|cor|prp|cnj|def|exm|exr|sol|rem|alg|nte|tip|wrn|imp|cau|suppfig"

_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_MATH = re.compile(r"(?<![\\$])\$\$.*?\$\$|(?<![\\$])\$(?=\S)[^$]*?(?<=\S)\$(?!\d)")
_AUTOLINK = re.compile(r"<(https?://[^>\s]+|mailto:[^>\s]+|[^>\s@]+@[^>\s]+)>")
_ATTRIBUTES = re.compile(r"""[#.][^\s}="']+|[\w-]+=("[^"]*"|'[^']*'|[^\s}"']+)|-""")
_DIV = re.compile(r"^ {0,3}:{3,}\s*(?P<rest>\S.*?)?\s*:*\s*$")
_HEADING = re.compile(r"^#{1,6}\s.*?\{(?P<attributes>[^{}]*)\}\s*$")
_IMAGE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)]*)\)(\{(?P<attributes>[^{}]*)\})?")

# (pattern searched in a line whose code spans and math are masked, what was found, what to do)
_FORBIDDEN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"\{\{+<"), "a shortcode", "only `{{< include file.qmd >}}` on a line of its own is supported"),
    (re.compile(r"(?<!\\)<(?:[A-Za-z/][^>]*|[!?][^>]*)>"), "raw HTML", "write it in markdown, or print it from a cell"),
    (
        re.compile(r"(?<!\\)\\[A-Za-z]{2,}"),
        "a LaTeX command outside math",
        "write it in markdown, or between dollar signs",
    ),
    (
        re.compile(r"(?<!\\)\]\{"),
        "attributes on a piece of text",
        "only headings, images, equations and `:::` blocks take attributes",
    ),
    (
        re.compile(rf"(?<![\w\\])@(?:{_OTHER_CROSSREFS})-\w"),
        "this kind of cross-reference",
        "supported: @fig-, @tbl-, @sec-, @eq-",
    ),
)


def mask_code_and_math(line: str) -> str:
    """Replace code spans, inline math and autolinks by blanks, keeping the length."""
    for pattern in (_CODE_SPAN, _MATH, _AUTOLINK):
        line = pattern.sub(lambda match: " " * len(match.group()), line)
    return line


def line_problem(line: str) -> str | None:
    """Say what in a line of markdown (outside fences) is not in the subset, or None."""
    for span in _CODE_SPAN.finditer(line):
        inner, after = span.group().strip("`"), line[span.end() :]
        if re.match(r"\s*(\{\w+\}|r |python )", inner):
            return "inline code is not supported; print the sentence from a cell with `#| output: asis`"
        if after.startswith("{"):
            return "attributes on inline code are not supported; leave out the `{…}` after it"
    masked = mask_code_and_math(line)
    for pattern, found, remedy in _FORBIDDEN:
        if match := pattern.search(masked):
            return f"{found} is not supported: {line[match.start() : match.end()]!r}; {remedy}"
    if match := _HEADING.match(masked):
        return _heading_problem(match["attributes"])
    for match in _IMAGE.finditer(masked):
        if problem := _image_problem(match["target"], match["attributes"]):
            return problem
    return None


def div_problem(line: str) -> str | None:
    """Say why a ``:::`` line that opens a block is not in the subset, or None."""
    match = _DIV.match(line)
    rest = (match["rest"] if match else None) or ""
    allowed = '::: {.callout-note title="…"} (note, tip, warning, caution, important), ::: {.panel-tabset}, ::: {#refs}'
    if not (rest.startswith("{") and rest.endswith("}")):
        return f"block {rest!r} is not supported; allowed: {allowed}"
    tokens = attribute_tokens(rest[1:-1])
    if tokens is None:
        return f"block attributes {rest!r} cannot be read; allowed: {allowed}"
    if tokens in (["#refs"], [".panel-tabset"]):
        return None
    kinds = [token for token in tokens if token.startswith(".")]
    others = [token for token in tokens if not token.startswith((".", "title="))]
    if len(kinds) == 1 and kinds[0] in {f".callout-{kind}" for kind in CALLOUT_KINDS} and not others:
        return None
    return f"block {rest!r} is not supported; allowed: {allowed}"


def is_div_line(line: str) -> bool:
    """Whether the line is a ``:::`` fence."""
    return re.match(r"^ {0,3}:{3,}", line) is not None


def is_div_close(line: str) -> bool:
    """Whether the line closes a ``:::`` block."""
    return re.match(r"^ {0,3}:{3,}\s*$", line) is not None


def attribute_tokens(text: str) -> list[str] | None:
    """Split the inside of ``{…}`` into ``#id``, ``.class`` and ``key=value``; None if something else is in it."""
    tokens = [match.group() for match in _ATTRIBUTES.finditer(text)]
    return tokens if not _ATTRIBUTES.sub("", text).strip() else None


def _heading_problem(attributes: str) -> str | None:
    tokens = attribute_tokens(attributes)
    if tokens is None or any(
        not token.startswith("#") and token not in (".unnumbered", ".unlisted", "-") for token in tokens
    ):
        return f"heading attributes '{{{attributes}}}' are not supported; allowed: #sec-name, .unnumbered, .unlisted"
    return None


def _image_problem(target: str, attributes: str | None) -> str | None:
    if re.match(r"\s*[a-z]+:|\s*//", target):
        return f"image {target!r} is not a file beside the source; reports use no network"
    if attributes is None:
        return None
    tokens = attribute_tokens(attributes)
    if tokens is None or any(not token.startswith(("#fig-", "fig-alt=", "width=")) for token in tokens):
        return f"image attributes '{{{attributes}}}' are not supported; allowed: #fig-name, fig-alt=\"…\", width=50%"
    return None

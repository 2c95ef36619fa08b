"""The Word styles of a report: pandoc's reference document with our typography written into it."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from dataclasses import dataclass, replace

from plneval.report.render import theme
from plneval.report.render.pandoc import pandoc_path

# Fonts every current Word has; other programs take their nearest.
_FONT = "Calibri"
# A4 with margins of 2.3 cm, in twentieths of a point; the order of the elements is the standard's.
_SECTION = (
    '<w:footerReference w:type="default" r:id="rIdFooter1" />'
    '<w:footnotePr><w:numRestart w:val="eachSect" /></w:footnotePr>'
    '<w:pgSz w:w="11906" w:h="16838" />'
    '<w:pgMar w:top="1304" w:right="1304" w:bottom="1304" w:left="1304" w:header="624" w:footer="624" w:gutter="0" />'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@dataclass(frozen=True)
class Style:
    """A paragraph style. Sizes are in half points, distances in twentieths of a point, colours as ``#rrggbb``."""

    identifier: str
    name: str
    base: str = "Normal"
    size: int | None = None
    colour: str | None = None
    bold: bool = False
    before: int | None = None
    after: int | None = None
    keep_next: bool = False
    outline: int | None = None
    indent: int | None = None
    border: tuple[str, str] | None = None
    extra: str = ""

    def xml(self) -> str:
        """The ``w:style`` element; the order of its children is the one the standard prescribes."""
        paragraph = "<w:keepNext /><w:keepLines />" if self.keep_next else ""
        if self.border:
            strong, tint = (_hex(colour) for colour in self.border)
            paragraph += f'<w:pBdr><w:left w:val="single" w:sz="36" w:space="8" w:color="{strong}" /></w:pBdr>'
            paragraph += f'<w:shd w:val="clear" w:color="auto" w:fill="{tint}" />'
        paragraph += self.extra
        spacing = [
            f'w:{name}="{value}"'
            for name, value in (("before", self.before), ("after", self.after))
            if value is not None
        ]
        paragraph += f"<w:spacing {' '.join(spacing)} />" if spacing else ""
        paragraph += f'<w:ind w:left="{self.indent}" />' if self.indent is not None else ""
        paragraph += f'<w:outlineLvl w:val="{self.outline}" />' if self.outline is not None else ""
        run = "<w:b /><w:bCs />" if self.bold else ""
        run += f'<w:color w:val="{_hex(self.colour)}" />' if self.colour else ""
        run += f'<w:sz w:val="{self.size}" /><w:szCs w:val="{self.size}" />' if self.size else ""
        default = ' w:default="1"' if self.identifier == "Normal" else ""
        base = f'<w:basedOn w:val="{self.base}" />' if self.identifier != "Normal" else ""
        following = '<w:next w:val="BodyText" />' if self.outline is not None else ""
        return (
            f'<w:style w:type="paragraph"{default} w:styleId="{self.identifier}">'
            f'<w:name w:val="{self.name}" />{base}{following}'
            f"<w:qFormat /><w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr></w:style>"
        )


def paragraph_styles() -> list[Style]:
    """All paragraph styles we set."""
    dark = theme.ACCENT_DARK
    styles = [
        Style("Normal", "Normal", size=21, colour=theme.INK),
        Style("BodyText", "Body Text", before=0, after=140),
        Style("FirstParagraph", "First Paragraph", "BodyText"),
        Style("Compact", "Compact", "BodyText", before=20, after=40),
        Style("Title", "Title", size=48, bold=True, colour=dark, before=0, after=80, keep_next=True),
        Style("Subtitle", "Subtitle", size=26, colour=theme.INK, before=0, after=80, keep_next=True),
        Style("Author", "Author", size=20, colour=theme.MUTED, before=0, after=20),
        Style("Date", "Date", size=20, colour=theme.MUTED, before=0, after=300),
        Style("Caption", "caption", size=19, colour=theme.MUTED, before=80, after=200),
        Style("TableCaption", "Table Caption", "Caption", before=240, after=80, keep_next=True),
        Style("ImageCaption", "Image Caption", "Caption"),
        Style("CaptionedFigure", "Captioned Figure", "BodyText", before=200, after=40, keep_next=True),
        Style("Figure", "Figure", "BodyText", before=120, after=120),
        Style("TableText", "Table Text", "BodyText", size=18, before=30, after=30),
        Style("TableTextSmall", "Table Text Small", "BodyText", size=14, before=20, after=20),
        Style(
            "ContentsTitle",
            "Contents Title",
            size=20,
            bold=True,
            colour=theme.MUTED,
            before=120,
            after=60,
            keep_next=True,
        ),
        Style("Contents1", "Contents 1", size=20, before=20, after=20),
        Style("Contents2", "Contents 2", size=20, before=0, after=0, indent=300),
        Style("Contents3", "Contents 3", size=20, before=0, after=0, indent=600),
        Style("RenderedBy", "Rendered By", size=16, colour=theme.MUTED, before=480, after=0),
        Style("SourceCode", "Source Code", size=17, before=80, after=160, extra=_shade(theme.SURFACE)),
    ]
    sizes = {1: 32, 2: 26, 3: 23, 4: 21, 5: 21, 6: 21}
    for level, size in sizes.items():
        before = 400 if level == 1 else 280
        styles.append(
            Style(
                f"Heading{level}",
                f"heading {level}",
                size=size,
                bold=True,
                colour=dark,
                before=before,
                after=100,
                keep_next=True,
                outline=level - 1,
            )
        )
    for kind, box in theme.CALLOUTS.items():
        name = kind.capitalize()
        # Same border, tint and distances in both, so that Word draws title and text as one box.
        body = Style(f"Callout{name}", f"Callout {name}", "BodyText", before=60, after=120, indent=200, border=box)
        identifier, title = f"{body.identifier}Title", f"{body.name} Title"
        styles += [body, replace(body, identifier=identifier, name=title, bold=True, colour=box[0], keep_next=True)]
    return styles


def reference_document() -> bytes:
    """A ``reference.docx`` for pandoc: its default one with our styles, page size and page numbers."""
    original = subprocess.run(
        [pandoc_path(), "--print-default-data-file", "reference.docx"], capture_output=True, check=True
    ).stdout
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            text = source.read(name)
            target.writestr(
                name, _patched(name, text.decode("utf-8")).encode("utf-8") if name.endswith((".xml", ".rels")) else text
            )
        target.writestr("word/footer1.xml", _footer())
    return out.getvalue()


def _patched(name: str, text: str) -> str:
    """One part of the reference document with our changes."""
    if name == "word/styles.xml":
        return _styles(text)
    if name == "word/document.xml":
        section = f'<w:sectPr xmlns:r="{_RELATION}">{_SECTION}</w:sectPr>'
        return re.sub(r"<w:sectPr.*?</w:sectPr>", section, text, count=1, flags=re.DOTALL)
    if name == "word/_rels/document.xml.rels":
        link = f'<Relationship Type="{_RELATION}/footer" Id="rIdFooter1" Target="footer1.xml" />'
        return text.replace("</Relationships>", f"{link}</Relationships>")
    if name == "[Content_Types].xml":
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"
        return text.replace("</Types>", f'<Override PartName="/word/footer1.xml" ContentType="{kind}" /></Types>')
    if name == "word/theme/theme1.xml":
        return re.sub(r'(<a:latin typeface=")Aptos[^"]*"', rf'\1{_FONT}"', text)
    return text


def _styles(text: str) -> str:
    for style in [*(style.xml() for style in paragraph_styles()), _plain_table_style(), _table_style()]:
        identifier = re.search(r'w:styleId="([^"]+)"', style)
        assert identifier is not None
        old = re.compile(rf'<w:style [^>]*w:styleId="{identifier[1]}"[^>]*>.*?</w:style>', re.DOTALL)
        text = old.sub("", text).replace("</w:styles>", f"{style}</w:styles>")
    return text.replace('w:lang w:val="en-US"', 'w:lang w:val="en-GB"')


def _plain_table_style() -> str:
    """A table without lines, for figures side by side; pandoc's document names it and does not define it."""
    return (
        '<w:style w:type="table" w:default="1" w:styleId="TableNormal"><w:name w:val="Normal Table" />'
        '<w:tblPr><w:tblInd w:w="0" w:type="dxa" /></w:tblPr></w:style>'
    )


def _table_style() -> str:
    """Rules above and below, a bold header, thin lines between rows."""
    ink, rule = _hex(theme.INK), _hex(theme.RULE)
    border = '<w:{edge} w:val="single" w:sz="{size}" w:space="0" w:color="{colour}" />'
    borders = border.format(edge="top", size=8, colour=ink) + border.format(edge="bottom", size=8, colour=ink)
    borders += border.format(edge="insideH", size=4, colour=rule)
    below_header = border.format(edge="bottom", size=8, colour=ink)
    margins = "".join(f'<w:{side} w:w="80" w:type="dxa" />' for side in ("left", "right"))
    return (
        '<w:style w:type="table" w:styleId="Table"><w:name w:val="Table" />'
        '<w:basedOn w:val="TableNormal" />'
        f"<w:qFormat /><w:tblPr><w:tblBorders>{borders}</w:tblBorders><w:tblCellMar>{margins}</w:tblCellMar></w:tblPr>"
        f'<w:tblStylePr w:type="firstRow"><w:rPr><w:b /></w:rPr><w:tcPr><w:tcBorders>{below_header}</w:tcBorders>'
        '<w:vAlign w:val="bottom" /></w:tcPr></w:tblStylePr></w:style>'
    )


def _footer() -> str:
    """Page numbers, as fields that Word fills while showing the page."""
    grey = f'<w:rPr><w:color w:val="{_hex(theme.MUTED)}" /><w:sz w:val="16" /></w:rPr>'
    text = f'<w:r>{grey}<w:t xml:space="preserve">{{0}}</w:t></w:r>'
    field = f'<w:fldSimple w:instr="{{0}}"><w:r>{grey}<w:t>1</w:t></w:r></w:fldSimple>'
    words = text.format("Page ") + field.format("PAGE") + text.format(" of ") + field.format("NUMPAGES")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<w:ftr xmlns:w="{_WORD}" xmlns:r="{_RELATION}">'
        f'<w:p><w:pPr><w:pStyle w:val="Normal" /><w:jc w:val="right" /></w:pPr>{words}</w:p></w:ftr>'
    )


def _shade(colour: str) -> str:
    return f'<w:shd w:val="clear" w:color="auto" w:fill="{_hex(colour)}" />'


def _hex(colour: str) -> str:
    return colour.lstrip("#").upper()

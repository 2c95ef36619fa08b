"""Names that hold markup, formulas and commands are shown as they were written, and run nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from tiny_study import TinyStudy

HOSTILE = (
    """<script>alert(1)</script> $\\bad$ #import "x" =1+1 $x$ *b* [a](http://x.example) """
    """{{< include y >}} `r` @fig-a {=html}"""
)


def test_names_with_markup_and_formulas_reach_the_reports_as_plain_text(tmp_path: Path) -> None:
    study = TinyStudy(tmp_path)
    study.declared["title"] = HOSTILE
    study.declared["programme"] = f"=1+1 {HOSTILE}"
    study.declared["outcomes"]["maths"]["label"] = f"=2+2 {HOSTILE}"
    study.declared["tidier"]["why"] = HOSTILE
    study.models["cs"]["label"] = f"=3+3 {HOSTILE}"
    study.report["branding"] = {"organisation": HOSTILE, "contact": HOSTILE}
    study.project["formats"] = ["html", "pdf", "docx"]
    study.files["schools.csv"] = "id,name\n" + "".join(
        f'{s},"=HYPERLINK(""{s}"") <b>School</b>"\n' for s in range(1, 15)
    )
    study.walk()
    release = study.results / "release"
    for report in ("funder", "technical"):
        page = (release / f"{report}.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert "http://x.example" not in re.findall(r'href="([^"]*)"', page)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "HYPERLINK" not in page
        # Scores carry pupils' numbers and SDs, so the scale is that of pupils.
        assert not re.search(r"[\d(]\s*school-level SD", page)
        assert (release / f"{report}.pdf").read_bytes().startswith(b"%PDF-")
        assert (release / f"{report}.docx").stat().st_size > 10_000
    assert "'=3+3 <script>" in (study.tables / "records.csv").read_text(encoding="utf-8")
    for path in sorted(release.rglob("*.csv")):
        text = path.read_text(encoding="utf-8")
        assert "HYPERLINK" not in text, path.name
        for cell in pd.read_csv(path, dtype="str", keep_default_na=False).to_numpy().ravel():
            assert not re.match(r"[=@]|[+-](?![\d.]|inf)", cell), (path.name, cell)

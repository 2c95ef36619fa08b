"""Finished reports, read as a reader reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from page_text import alternative_texts, docx_text, html_text, pdf_text
from released_study import write_released

from plneval.artifacts import read_json, read_table, write_table
from plneval.config.layout import Layout
from plneval.config.project import Project
from plneval.config.report import Branding, Report
from plneval.errors import UserError
from plneval.report.stage import report

SOURCES = Path(__file__).parents[2] / "reports"
MISSING = re.compile(r"\b(nan|NaN|None|NaT)\b|<NA>")
CODE = re.compile(r"released\[|emit\.|tables\.|import |#\||\{#|:::")
REFUSED = re.compile(r"\b(caused|effects? (of|on)|improved|led to)\b")
NAMES = ("funder", "technical")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("variant", ["benefit", "not_causal"])
def test_pages_hold_the_verdict_and_no_trace_of_code_or_missing_values(
    rendered: Callable[..., Path], variant: str
) -> None:
    release = rendered(variant, "html")
    verdict = read_json(release / "tables" / "verdict.json")
    study = read_json(release / "tables" / "study.json")
    for name in NAMES:
        text = html_text(release / f"{name}.html")
        assert verdict["sentence"] in text
        assert verdict["short"] in text
        assert study["title"] in text
        assert study["branding"]["organisation"] in text
        assert (study["branding"]["contact"] in text) == (name == "funder")
        assert "Rendered by plneval's embedded renderer" in text
        assert not MISSING.search(text)
        assert not CODE.search(text)


def test_the_funder_page_shows_the_released_estimate(rendered: Callable[..., Path]) -> None:
    text = html_text(rendered("benefit", "html") / "funder.html")
    assert "Effect from the third year on 0.12 standard deviations" in text
    assert "0.05 to 0.18" in text
    assert "2 months of additional progress" in text


def test_the_funder_page_of_a_refused_study_has_no_causal_words(rendered: Callable[..., Path]) -> None:
    release = rendered("not_causal", "html")
    verdict = read_json(release / "tables" / "verdict.json")
    text = html_text(release / "funder.html")
    for refusal in (verdict["sentence"], *verdict["reasons"], *verdict["cannot_conclude"]):
        text = text.replace(refusal, "")
    assert not REFUSED.search(text)
    assert "must not be read as the work of the programme" in text
    assert "months of additional progress" not in text
    assert not any(REFUSED.search(alt or "") for alt in alternative_texts(release / "funder.html"))


def test_names_of_networks_are_text_on_the_page_and_in_the_data(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "results", "named")
    folder = write_released(layout.released_tables, "benefit")
    table = read_table(folder / "network_caterpillar.parquet")
    names = ["=Oak", "<b>A & B</b>", "Elm", "Ash", "Fir", "Yew"]
    write_table(folder / "network_caterpillar.parquet", table.assign(name=names))
    project = Project(cohorts=["named"], formats=["html"])
    report(project, "named", Report(branding=Branding(organisation="Team")), layout, SOURCES, "embedded")
    page = (layout.release / "technical.html").read_text(encoding="utf-8")
    assert "<b>A & B</b>" not in page
    assert any("<b>A & B</b> 0.01" in (text or "") for text in alternative_texts(layout.release / "technical.html"))
    data = (layout.release / "data" / "network_caterpillar.csv").read_text(encoding="utf-8")
    assert "<b>A & B</b>" in data
    assert ",'=Oak," in data


@pytest.mark.parametrize("variant", ["benefit", "not_causal"])
def test_every_picture_has_an_alternative_text_with_numbers(rendered: Callable[..., Path], variant: str) -> None:
    for name, pictures in (("funder", 2), ("technical", 6)):
        texts = alternative_texts(rendered(variant, "html") / f"{name}.html")
        assert len(texts) >= pictures
        # In the place of a figure that cannot be drawn stands a sentence.
        assert all(text and re.search(r"\d|^No |cannot be", text) for text in texts)


def test_the_data_behind_every_figure_is_written(rendered: Callable[..., Path]) -> None:
    names = {path.name for path in (rendered("benefit", "html") / "data").glob("*.csv")}
    assert {"effect_by_year.csv", "trends.csv", "sample_flow.csv", "baseline_differences.csv"} <= names


def test_the_technical_page_answers_everything_the_house_asks_for(rendered: Callable[..., Path]) -> None:
    text = html_text(rendered("benefit", "html") / "technical.html")
    wanted = ("out of range", "Hedges' g", "MDES", "Intraclass correlation", "Event time \u22123", "Digits", "Planted")
    for words in (*wanted, "TIDieR", "TREND", "seeds / project", "† from memory", "t(15)", "0123456789abcdef…"):
        assert words in text


def test_nothing_is_replaced_when_a_report_cannot_be_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "results", "demo")
    write_released(layout.released_tables, "benefit")
    (layout.release / "funder.html").write_text("before", encoding="utf-8")
    sources = tmp_path / "reports"
    sources.mkdir()
    (sources / "funder.qmd").write_text((SOURCES / "funder.qmd").read_text(encoding="utf-8"), encoding="utf-8")
    (sources / "technical.qmd").write_text("---\ntitle: x\n---\n\n```{r}\n1\n```\n", encoding="utf-8")
    project = Project(cohorts=["demo"], formats=["html"])
    with pytest.raises(UserError, match=r"technical\.qmd:5"):
        report(project, "demo", Report(branding=Branding(organisation="Team")), layout, sources, "embedded")
    assert (layout.release / "funder.html").read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in layout.release.iterdir()) == ["funder.html", "tables"]


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["benefit", "not_causal", "inconclusive"])
def test_all_formats_say_the_same(rendered: Callable[..., Path], variant: str) -> None:
    release = rendered(variant, "html", "pdf", "docx")
    verdict = read_json(release / "tables" / "verdict.json")
    for name in NAMES:
        for text in (
            html_text(release / f"{name}.html"),
            docx_text(release / f"{name}.docx"),
            pdf_text(release / f"{name}.pdf"),
        ):
            assert _flat(verdict["sentence"]) in text
            assert _flat(verdict["short"]) in text
            assert not MISSING.search(text)
            assert not CODE.search(text)


@pytest.mark.slow
def test_two_renders_of_one_release_are_the_same_page(rendered: Callable[..., Path], tmp_path: Path) -> None:
    first = rendered("benefit", "html")
    layout = Layout(tmp_path / "elsewhere", "benefit")
    write_released(layout.released_tables, "benefit")
    project = Project(cohorts=["benefit"], formats=["html"])
    report(project, "benefit", Report(branding=Branding(organisation="Team")), layout, SOURCES, "embedded")
    for name in NAMES:
        assert (layout.release / f"{name}.html").read_bytes() == (first / f"{name}.html").read_bytes()

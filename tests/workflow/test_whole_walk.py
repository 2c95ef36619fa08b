"""From raw files to finished reports: what a run leaves, and what its reports say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from literature_rows import ROWS, whole
from small_study import Project

FORMATS = ("html", "pdf", "docx")


def words(html: Path) -> str:
    """The text of a page, blanks folded."""
    text = html.read_text(encoding="utf-8")
    text = re.sub(r"(?s)<(style|script|head)\b.*?</\1>", " ", text)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def verdict(project: Project) -> dict[str, object]:
    return json.loads((project.release / "tables" / "verdict.json").read_text(encoding="utf-8"))


def test_both_reports_are_there_in_every_format(finished: Project) -> None:
    for report in ("funder", "technical"):
        for form in FORMATS:
            path = finished.release / f"{report}.{form}"
            assert path.stat().st_size > 10_000, path
    assert (finished.release / "funder.pdf").read_bytes().startswith(b"%PDF-")
    assert "word/document.xml" in ZipFile(finished.release / "funder.docx").namelist()


def test_the_funder_report_says_the_verdict(finished: Project) -> None:
    sentence = re.sub(r"\s+", " ", str(verdict(finished)["sentence"]))
    assert sentence in words(finished.release / "funder.html")


def test_the_headline_in_the_report_is_the_records(finished: Project) -> None:
    records = pd.read_parquet(finished.release / "tables" / "records.parquet")
    headline = records[records["headline"] & (records["estimand"] == "att_third_year_on")]
    assert len(headline) == 1
    estimate = f"{abs(headline['estimate'].iloc[0]):.2f}"
    assert estimate in words(finished.release / "funder.html")


def test_no_page_shows_missing_values_or_code(finished: Project) -> None:
    for report in ("funder", "technical"):
        text = words(finished.release / f"{report}.html")
        for found in (
            "nan",
            "NaN",
            "<NA>",
            "None",
            "Traceback",
            "import ",
            "def ",
            "{{",
            "#|",
            "@fig-",
            "@tbl-",
            "?fig",
            "??",
        ):
            assert not re.search(rf"(?<![\w-]){re.escape(found)}(?![\w-])", text), f"{report}: {found}"


def test_pages_load_nothing_from_elsewhere(finished: Project) -> None:
    for report in ("funder", "technical"):
        html = (finished.release / f"{report}.html").read_text(encoding="utf-8")
        assert not re.findall(
            r"""(?:src|href)=["'](?:https?:)?//(?!quarto\.org|doi\.org)""", re.sub(r"<a\b[^>]*>", "", html)
        )


def test_every_picture_has_words_for_those_who_cannot_see_it(finished: Project) -> None:
    for report in ("funder", "technical"):
        html = (finished.release / f"{report}.html").read_text(encoding="utf-8")
        pictures = re.findall(r"<img\b[^>]*>", html)
        assert pictures, report
        for picture in pictures:
            assert re.search(r'alt="[^"]{20,}"', picture), picture[:200]


def test_the_technical_report_shows_every_model_and_gate(finished: Project) -> None:
    text = words(finished.release / "technical.html")
    records = pd.read_parquet(finished.release / "tables" / "records.parquet")
    for label in records["label"].unique():
        assert label in text, label
    gates = pd.read_parquet(finished.release / "tables" / "gates.parquet")
    for statement in gates["statement"]:
        assert re.sub(r"\s+", " ", statement) in text, statement


def test_the_page_says_which_renderer_made_it(finished: Project) -> None:
    assert re.search(r"(?i)rendered (by|with) .*(quarto|embedded)", words(finished.release / "technical.html"))


def test_the_ledger_counts_what_was_planted(finished: Project) -> None:
    truth = json.loads((finished.folder / "data" / "demo" / "truth.json").read_text(encoding="utf-8"))
    ledger = json.loads((finished.results / "restricted" / "ingest" / "ledger.json").read_text(encoding="utf-8"))
    found = {
        table: {rule: n for rule, n in counts["rejected"].items() if n}
        for table, counts in ledger["tables"].items()
        if any(counts["rejected"].values())
    }
    planted = {table: rules for table, rules in truth["ledger"]["rejected"].items() if rules}
    assert len(planted) >= 8
    assert found == planted
    for counts in ledger["tables"].values():
        assert counts["read"] == counts["kept"] + sum(counts["rejected"].values()) + counts["merged"]


def test_nothing_but_the_declared_files_is_in_the_release(finished: Project) -> None:
    manifest = json.loads((finished.release / "tables" / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps(manifest)
    for path in sorted((finished.release / "tables").rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            assert path.name in text, path.name
    beside = {path.name for path in finished.release.iterdir()}
    assert beside == {"tables", "data", *(f"{report}.{form}" for report in ("funder", "technical") for form in FORMATS)}


def test_no_identifier_leaves(finished: Project) -> None:
    pupils = pd.read_parquet(finished.results / "restricted" / "ingest" / "pupils.parquet", columns=["pupil_id"])
    schools = pd.read_parquet(finished.results / "restricted" / "ingest" / "schools.parquet")
    secrets = {*pupils["pupil_id"].head(200), *schools["school_id"], *schools["name"].dropna()}
    for path in sorted(finished.release.rglob("*")):
        if path.is_file() and path.suffix in {".csv", ".json", ".html"}:
            text = path.read_text(encoding="utf-8")
            assert not [secret for secret in secrets if secret in text], path.name
    for path in sorted((finished.results / "logs").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in text], path.name


def test_a_finished_study_runs_nothing_again(finished: Project) -> None:
    assert "Everything is up to date" in finished.run("--dry-run")


def would_run(project: Project) -> set[str]:
    return set(re.findall(r"would run: (.+)", project.run("--dry-run")))


def test_a_changed_model_reruns_that_model_its_findings_and_the_reports_only(finished: Project) -> None:
    path = finished.folder / "config" / "models.yaml"
    before = path.read_text(encoding="utf-8")
    try:
        finished.edit(
            "config/models.yaml",
            r"(\n  twfe_maths:\n(?:    .*\n)*?    role: )exploratory",
            r"\1secondary",
        )
        assert would_run(finished) == {
            "Fitting twfe_maths to demo",
            "Challenging the findings of demo",
            "Passing the results of demo through disclosure control",
            "Writing the reports of demo",
        }
    finally:
        path.write_text(before, encoding="utf-8")


def test_changed_wording_reruns_no_model(finished: Project) -> None:
    path = finished.folder / "config" / "report.yaml"
    before = path.read_text(encoding="utf-8")
    try:
        finished.edit("config/report.yaml", "organisation: .*", "organisation: Somebody else")
        assert would_run(finished) <= {
            "Challenging the findings of demo",
            "Passing the results of demo through disclosure control",
            "Writing the reports of demo",
        }
    finally:
        path.write_text(before, encoding="utf-8")


@pytest.mark.slow
def test_hash_seed_cores_and_the_key_of_identifiers_do_not_matter(
    finished: Project, another: Callable[[], Project]
) -> None:
    other = another()
    other.run("--cores", "1", hash_seed="4711", key="another key")
    for path in sorted(finished.release.rglob("*")):
        if not path.is_file():
            continue
        twin = other.release / path.relative_to(finished.release)
        # Whether identifiers had a key is said on the reproducibility page.
        if path.name in {
            "reproducibility.json",
            "manifest.json",
            "ingest_notes.csv",
            "ingest_notes.parquet",
        } or path.name.startswith("technical."):
            continue
        assert path.read_bytes() == twin.read_bytes(), path.name


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(finished: Project, another: Callable[[], Project]) -> None:
    other = another()
    other.run("--cores", "1", hash_seed="4711")
    names = {path.relative_to(finished.release) for path in finished.release.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other.release) for path in other.release.rglob("*") if path.is_file()}
    different = [
        name for name in sorted(names) if (finished.release / name).read_bytes() != (other.release / name).read_bytes()
    ]
    assert different == []


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_pdf_pages_hold_the_verdict(finished: Project) -> None:
    done = subprocess.run(
        ["pdftotext", str(finished.release / "funder.pdf"), "-"], capture_output=True, text=True, check=True
    )
    # Lines break and hyphenate in print: letters alone are compared.
    letters = re.compile(r"[\W_]+")
    assert letters.sub("", str(verdict(finished)["sentence"])) in letters.sub("", done.stdout)


@pytest.mark.parametrize("idea", ROWS)
def test_every_row_has_numbers_in_the_demonstrations_report(idea: str, finished: Project) -> None:
    page = (finished.release / "technical.html").read_text(encoding="utf-8")
    for label in ROWS[idea]:
        # A table without rows is a sentence instead and has no label; a figure without data says so in its words.
        assert re.search(rf'id="{label}"', page), f"{label} is not in the report"
        if label.startswith("fig-"):
            alt = re.search(rf'<figure id="{label}">.*?<img\b[^>]*\balt="([^"]*)"', page, re.DOTALL)
            assert alt is not None, f"{label} is no picture"
            assert not alt[1].startswith("No "), f"{label} has nothing to draw"


def test_no_label_of_the_report_stands_twice() -> None:
    text = whole("technical.qmd")
    found = re.findall(r"\{#(sec-[a-z-]+)\}|^#\| label: (fig-[a-z-]+)$", text, re.MULTILINE)
    names = ["".join(pair) for pair in found]
    assert sorted(names) == sorted(set(names))


NETWORK_TRUTHS = (
    "att_direct",
    "att_indirect",
    "att_direct_less_indirect",
    "within_school",
    "mobilisation_ratio",
    "att_after_leaving",
    "gap_narrowed",
    "att_split",
    "network_effect_mean",
    "between_network_sd",
    "moderation_slope",
    "path_practice",
    "path_total",
)
"""Estimands of models about networks for which the simulated study has a planted value."""


def test_planted_effects_about_networks_are_found_from_raw_files_on(finished: Project) -> None:
    """Every kind is compared with its truth; of the averages nine in ten intervals hold it, and none is far away."""
    recovery = pd.read_parquet(finished.release / "tables" / "recovery.parquet")
    assert set(NETWORK_TRUTHS) <= set(recovery["estimand"])
    averages = recovery[recovery["event_time"].isna() & recovery["estimand"].isin(NETWORK_TRUTHS)]
    assert averages["covered"].dropna().astype(bool).mean() >= 0.9
    assert averages["z"].abs().max() < 4


def test_the_scorecard_is_held_against_its_truth(finished: Project) -> None:
    card = pd.read_parquet(finished.release / "tables" / "sustainability.parquet").set_index("criterion")
    surveyed = card.loc[["practice_participants", "practice_colleagues", "agency_participants", "agency_colleagues"]]
    assert surveyed["truth"].notna().all()
    # Products are counted: what is found is what is there.
    products = card.loc[["products_used", "products_improved"]]
    assert products["value"].tolist() == pytest.approx(products["truth"].tolist(), abs=5e-4)

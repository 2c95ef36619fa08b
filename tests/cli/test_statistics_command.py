"""``plneval statistics`` and ``plneval combine``, from prepared panels of two sites to one fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plneval.cli import main as command
from plneval.config.panel_columns import PUPIL_PANEL

YEARS = range(2014, 2018)


def panel(seed: int, schools: int = 8, pupils: int = 48) -> pd.DataFrame:
    """A prepared pupil panel: pupils of some schools in four years; schools 1 to 4 are members from 2015 on."""
    draw = np.random.default_rng(seed)
    keys = [(s, 1000 * s + k, year) for s in range(1, schools + 1) for k in range(pupils) for year in YEARS]
    rows = pd.DataFrame(keys, columns=["school", "pupil", "year"])
    member = rows["school"] <= 4
    since = (rows["year"] - 2015).where(member, -1)
    rows["time"] = rows["year"] - 2014
    rows["treated"] = (since >= 0).astype(int)
    for k in (1, 2, 3):
        rows[f"treated_year_{k}"] = (since == k - 1 if k < 3 else since >= 2).astype(int)
    rows["arm"] = np.where(member, "member", "comparison")
    rows["ever_member"] = member.astype(int)
    rows["network"] = rows["school"].where(member).astype("Int64") % 2 + 1
    rows["disadvantaged"] = rows["pupil"] % 2
    rows["grade"] = np.where(rows["pupil"] % 1000 < pupils // 2, "3", "4")
    rows["outcome"], rows["area"], rows["cluster"] = "maths", "North", rows["school"]
    effects = draw.normal(size=(schools + 1, 2))
    own = dict(zip(rows["pupil"].unique(), draw.normal(size=schools * pupils), strict=True))
    rows["z_fixed"] = (
        rows["pupil"].map(own)
        + effects[rows["school"], 0]
        + 0.3 * effects[rows["school"], 1] * rows["time"]
        + draw.normal(size=len(rows))
    )
    return rows.reindex(columns=list(PUPIL_PANEL))


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    shutil.copytree(root / "config", tmp_path / "config")
    restricted = tmp_path / "results" / "demo" / "restricted"
    (restricted / "prepare").mkdir(parents=True)
    (restricted / "ingest").mkdir()
    panel(1).to_parquet(restricted / "prepare" / "panel_pupil.parquet")
    pd.DataFrame({"name": ["Oak Hill School"]}).to_parquet(restricted / "ingest" / "schools.parquet")
    return tmp_path


def plneval(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process; its exit code."""
    monkeypatch.setattr("sys.argv", ["plneval", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return int(ended.value.code or 0)


def test_two_sites_write_files_and_one_of_them_fits_both(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for site, seed in (("north", 1), ("south", 2)):
        restricted = project / "results" / "demo" / "restricted"
        panel(seed).to_parquet(restricted / "prepare" / "panel_pupil.parquet")
        file = project / f"{site}.plnstats"
        more = ["--replace"] if site == "south" else []
        asked = ["--cohort", "demo", "--model", "growth_maths", "--site", site, "--out", str(file), *more]
        assert plneval(monkeypatch, "statistics", *asked, "--project", str(project)) == 0
        assert "1,536 pupil-years of 8 schools are in the file, 100%" in capsys.readouterr().out
        files.append(str(file))
    assert plneval(monkeypatch, "combine", *files, "--out", str(project / "fixed.csv")) == 0
    said = capsys.readouterr().out
    assert "2 sites, 3,072 rows" in said
    assert "16 school" in said
    fixed = pd.read_csv(project / "fixed.csv")
    assert {"term", "estimate", "se", "p"} <= set(fixed.columns)
    assert np.isfinite(fixed["estimate"]).all()


def test_mistakes_end_with_exit_code_2_and_no_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str) -> str:
        assert plneval(monkeypatch, *arguments) == 2
        return capsys.readouterr().err

    def asked(model: str, *more: str) -> str:
        return refused("statistics", "--cohort", "demo", "--model", model, "--project", str(project), *more)

    assert "no model 'growth_math'. Did you mean 'growth_maths'?" in asked("growth_math")
    assert "no statistics that add up over sites" in asked("cs_maths")
    assert "write COLUMN=CATEGORY" in asked("growth_maths", "--levels", "grade")
    assert "'grade' also holds '4'" in asked("growth_maths", "--levels", "grade=3,5")
    assert "cannot name a site" in asked("growth_maths", "--site", "../north")
    few = panel(1, pupils=30)
    few.to_parquet(project / "results" / "demo" / "restricted" / "prepare" / "panel_pupil.parquet")
    assert "only 0 schools have rows that may leave" in asked("growth_maths")
    (project / "results" / "demo" / "restricted" / "prepare" / "panel_pupil.parquet").unlink()
    assert "make it by: plneval run --cohort demo" in asked("growth_maths")
    assert not (project / "results" / "demo" / "release").exists()
    (project / "bad.plnstats").write_bytes(b"PK\x03\x04 cut")
    message = refused("combine", str(project / "bad.plnstats"))
    assert "bad.plnstats: this is no statistics file, or it was cut short" in message
    assert "missing.plnstats" in refused("combine", str(project / "missing.plnstats"))


def test_two_files_of_one_site_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["statistics", "--cohort", "demo", "--model", "growth_maths", "--project", str(project)]
    assert plneval(monkeypatch, *asked) == 0
    file = project / "results" / "demo" / "release" / "statistics" / "demo-growth_maths.plnstats"
    assert plneval(monkeypatch, "combine", str(file), str(file)) == 2
    assert "the site 'demo' is also that of" in capsys.readouterr().err

"""The raw files of a made-up study: the same bytes every time, and mapped as a whole by the demonstration's file."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plneval.artifacts import digest_file, read_json
from plneval.config.base import load
from plneval.config.cohort import Cohort, Simulation, Study
from plneval.errors import UserError
from plneval.simulate.formats import write_excel_table
from plneval.simulate.study import simulate

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from plneval.config.cohort import Simulation, Study
from plneval.simulate.study import simulate
simulate(Simulation(seed=3, schools=14, networks=3, pupils_per_grade=6), Study(first_year=2014, last_year=2019),
         Path(sys.argv[1]))
"""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(folder.iterdir())}


def test_the_same_bytes_come_out_whatever_the_hash_seed_the_clock_and_the_time_zone(tmp_path):
    outcomes = []
    for hash_seed, zone in (("0", "UTC"), ("12345", "Asia/Tokyo")):
        out = tmp_path / hash_seed
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
        subprocess.run([sys.executable, "-c", SCRIPT, str(out)], check=True, env=environment)
        outcomes.append(digests(out))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) > 30


def test_another_seed_gives_other_files(tmp_path):
    study = Study(first_year=2014, last_year=2019)
    for seed in (1, 2):
        simulate(Simulation(seed=seed, schools=12, networks=2, pupils_per_grade=5), study, tmp_path / str(seed))
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] == second[name]]


def test_no_time_of_writing_stands_in_excel_and_gzip_files(raw, tmp_path):
    write_excel_table(tmp_path / "x.xlsx", pd.DataFrame({"a": ["1"]}), "S", ["title"])
    with zipfile.ZipFile(tmp_path / "x.xlsx") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2000, 1, 1, 0, 0, 0)}
        properties = archive.read("docProps/core.xml").decode()
    assert properties.count("2000-01-01T00:00:00Z") == 2
    for path in raw.glob("*.gz"):
        header = path.read_bytes()[:10]
        assert header[4:8] == b"\0\0\0\0"  # RFC 1952: time of the last change
        assert not header[3] & 0b1000  # RFC 1952: no file name


def test_excel_rows_stand_below_the_title(tmp_path):
    write_excel_table(tmp_path / "x.xlsx", pd.DataFrame({"a": ["1"], "b": [2]}), "Networks", ["one", "two"])
    back = pd.read_excel(tmp_path / "x.xlsx", sheet_name="Networks", header=2, engine="openpyxl")
    assert back.to_dict("list") == {"a": [1], "b": [2]}


def test_every_file_is_mapped_exactly_once_by_the_demonstration(raw):
    cohort = load(ROOT / "config" / "cohorts" / "demo.yaml", Cohort)
    patterns = [pattern for sources in cohort.sources.values() for source in sources for pattern in source.patterns]
    names = sorted(path.name for path in raw.iterdir())
    mapped = {name: [pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)] for name in names}
    assert {name: found for name, found in mapped.items() if len(found) != 1} == {"truth.json": []}
    unused = [pattern for pattern in patterns if not fnmatch.filter(names, pattern)]
    assert unused == []


def test_the_demonstration_keeps_its_seed_and_asks_for_what_was_promised():
    cohort = load(ROOT / "config" / "cohorts" / "demo.yaml", Cohort)
    assert cohort.simulate is not None
    assert (cohort.simulate.seed, cohort.simulate.schools, cohort.simulate.networks) == (20181, 120, 18)
    years = range(cohort.study.first_year, cohort.study.last_year + 1)
    assert (len(years), len(cohort.study.outcome_years)) == (8, 6)
    assert cohort.design.join_cutoff == "01-31"  # the cutoff that the truth's entry years follow


def test_names_keep_their_accents_in_the_encoding_of_their_file(raw):
    text = (raw / "schools.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        text.decode("utf-8")
    assert "é" in text.decode("cp1252")
    assert (raw / "network_members.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in (raw / "results_2018.csv").read_bytes()


@pytest.mark.parametrize(
    ("simulation", "study", "words"),
    [
        (Simulation(seed=1, schools=12, networks=9), Study(first_year=2012, last_year=2019), "9 networks need"),
        (Simulation(seed=1), Study(first_year=2012, last_year=2013), "too short to simulate"),
        (Simulation(seed=1), Study(first_year=2012, last_year=2019, level="school"), "study.level"),
    ],
)
def test_a_study_that_cannot_be_made_is_refused_before_anything_is_written(simulation, study, words, tmp_path):
    with pytest.raises(UserError, match=words):
        simulate(simulation, study, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_files_of_an_earlier_simulation_go_and_whatever_else_is_there_stays(tmp_path):
    simulation = Simulation(seed=1, schools=12, networks=1, pupils_per_grade=5)
    simulate(simulation, Study(first_year=2013, last_year=2018), tmp_path)
    (tmp_path / "mine.csv").write_text("a\n1\n")
    assert (tmp_path / "staff_2013.csv").exists()
    simulate(simulation, Study(first_year=2014, last_year=2019), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert "staff_2013.csv" not in names
    assert {"staff_2019.csv", "mine.csv", "truth.json"} <= names
    assert names - {"mine.csv", "truth.json"} == set(read_json(tmp_path / "truth.json")["files"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simulation", "study"),
    [
        (Simulation(seed=2, schools=12, networks=1, pupils_per_grade=5), Study(first_year=2014, last_year=2017)),
        (
            Simulation(seed=3, schools=50, networks=22, pupils_per_grade=5, effect=-0.2),
            Study(first_year=2010, last_year=2024, missing_outcome_years=[2010, 2020, 2021], school_year_start="01-01"),
        ),
        (
            Simulation(seed=4, schools=1000, networks=100, pupils_per_grade=5),
            Study(first_year=2014, last_year=2019, school_year_start="02-29"),
        ),
    ],
)
def test_studies_of_other_shapes_can_be_made(simulation, study, tmp_path):
    simulate(simulation, study, tmp_path)
    truth = read_json(tmp_path / "truth.json")
    assert truth["schools"]["schools"] == simulation.schools
    assert np.sign(truth["headline"]["maths"]["effect"]) == np.sign(simulation.effect)
    for outcome_year in study.outcome_years:
        assert len(list(tmp_path.glob(f"*_{outcome_year}.*"))) == 3  # staff, roll, results

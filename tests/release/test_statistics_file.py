"""Statistics files: what they hold, that they add up to the pooled fit, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plneval import multilevel
from plneval.config.report import Disclosure
from plneval.errors import UserError
from plneval.multilevel.exchange import anonymous, packed, read_shared, unpacked
from plneval.release.statistics_file import (
    check_file,
    release_file,
    select_rows,
    statistics_file,
    with_categories,
)

FORMULA = "z ~ C(year) + treated + disadvantaged + (1 + time | school) + (1 | pupil)"
RULE = Disclosure()
YEARS = (2011, 2012, 2013)


def site(seed: int, schools: int = 12, pupils: int = 24) -> pd.DataFrame:
    """Pupils of some schools in three years, half of them disadvantaged, schools 1 to 4 treated from 2012."""
    draw = np.random.default_rng(seed)
    rows = [
        (school, school * 1000 + k, year) for school in range(1, schools + 1) for k in range(pupils) for year in YEARS
    ]
    table = pd.DataFrame(rows, columns=["school", "pupil", "year"])
    table["time"] = table["year"] - 2011
    table["disadvantaged"] = table["pupil"] % 2
    table["treated"] = ((table["school"] <= 4) & (table["year"] >= 2012)).astype("Int64")
    own = dict(zip(table["pupil"].unique(), draw.normal(size=table["pupil"].nunique()), strict=True))
    school = draw.normal(size=(schools + 1, 2))
    table["z"] = (
        table["pupil"].map(own)
        + school[table["school"], 0]
        + 0.3 * school[table["school"], 1] * table["time"]
        + 0.2 * table["treated"].astype(float)
        + draw.normal(size=len(table))
    )
    return table


def content_of(table: pd.DataFrame, name: str, formula: str = FORMULA) -> bytes:
    return statistics_file(select_rows(table, formula, "pupil", RULE), formula, name, RULE)


def written(folder: Path, table: pd.DataFrame, name: str) -> Path:
    path = folder / f"{name}.plnstats"
    path.write_bytes(content_of(table, name))
    return path


def test_a_file_is_read_to_the_bit() -> None:
    found = anonymous(multilevel.statistics(FORMULA, site(1)), "north")
    again = unpacked(packed(found, "north", {}), "file").statistics
    assert again.model == found.model
    assert (again.n, again.sum_log_weights, again.sizes) == (found.n, found.sum_log_weights, found.sizes)
    for mine, theirs in (
        (found.centre.shift, again.centre.shift),
        (found.centre.slope, again.centre.slope),
        (found.rows, again.rows),
        (found.cross, again.cross),
        (found.cells.patterns, again.cells.patterns),
        (found.cells.parent, again.cells.parent),
        (found.cells.pattern, again.cells.pattern),
        (found.cells.count, again.cells.count),
        (found.cells.products, again.cells.products),
    ):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    assert found.labels[1] is not None
    assert again.labels[1] is not None
    assert again.labels[1].equals(found.labels[1])
    # What was read and written again is the same file.
    assert packed(again, "north", {}) == packed(found, "north", {})


def test_networks_above_schools_are_read_to_the_bit() -> None:
    table = site(2).assign(network=lambda rows: rows["school"] // 4)
    formula = "z ~ treated + (1 | network) + (1 | school) + (1 | pupil)"
    found = multilevel.statistics(formula, table)
    again = unpacked(packed(found, "north", {}), "file").statistics
    assert again.sizes == (288, 12, 4)
    assert packed(again, "north", {}) == packed(found, "north", {})
    ours, theirs = multilevel.fit(found), multilevel.fit(again)
    assert theirs.criterion == pytest.approx(ours.criterion, abs=1e-9)


def test_the_files_of_two_sites_added_give_the_fit_of_the_pooled_rows(tmp_path: Path) -> None:
    north, south = site(1), site(2, schools=9)
    paths = [written(tmp_path, north, "north"), written(tmp_path, south, "south")]
    added = multilevel.read_statistics(paths[0]) + multilevel.read_statistics(paths[1])
    # Both sites number schools and pupils from 1: they are told apart here by hand.
    pooled = pd.concat([north, south.assign(school=south["school"] + 500, pupil=south["pupil"] + 10**6)])
    shared, whole = multilevel.fit(added), multilevel.fit(FORMULA, pooled)
    assert shared.groups == whole.groups == {"pupil": 504, "school": 21}
    assert shared.criterion == pytest.approx(whole.criterion, rel=1e-10)
    for column in ("estimate", "se"):
        np.testing.assert_allclose(shared.fixed[column], whole.fixed[column], rtol=0, atol=1e-10)
    # At one point of the criterion nothing of the optimiser's stopping rule is left.
    assert shared.criterion_at(whole.theta) == pytest.approx(whole.criterion_at(whole.theta), rel=1e-10)


def test_pupils_who_share_their_occasions_with_too_few_are_left_out_and_counted() -> None:
    table = site(3)
    # Nine pupils of school 5 miss the last year; ten of school 6 do.
    gone = set(range(5000, 5018, 2)) | set(range(6000, 6020, 2))
    table = table[~(table["pupil"].isin(gone) & (table["year"] == 2013))]
    found = select_rows(table, FORMULA, "pupil", RULE)
    # School 5: 9 with two years go, and the 3 others of the 12 disadvantaged (even numbers are not disadvantaged).
    assert found.people_left_out == 9 + 3 + 2
    assert found.rows_left_out == 9 * 2 + 3 * 3 + 2 * 3
    assert found.schools_left_out == 0
    assert set(found.rows["school"]) == set(range(1, 13))


def test_a_school_with_few_pupils_is_not_in_the_file_and_is_counted() -> None:
    table = site(4)
    table = table[(table["school"] != 7) | (table["pupil"] < 7009)]
    shared = unpacked(content_of(table, "north"), "file")
    assert shared.statistics.sizes == (11 * 24, 11)
    assert shared.notes["schools_left_out"] == 1
    assert shared.notes["pupils_left_out"] == "fewer than 10"
    assert shared.notes["rows_left_out"] == "25"
    assert int(shared.statistics.cells.count.min()) >= 10


def test_every_count_in_the_file_is_zero_or_large_enough() -> None:
    """Counts of disadvantaged pupils by school, year and pattern, from the sums themselves."""
    draw = np.random.default_rng(5)
    table = site(5, pupils=40)
    table = table[draw.uniform(size=len(table)) < 0.85]
    table["disadvantaged"] = (table["pupil"] % 7 == 0).astype(int)
    kept = select_rows(table, FORMULA, "pupil", RULE).rows
    assert 0 < len(kept) < len(table)
    for by in (["school", "year"], ["school", "disadvantaged"], ["school", "year", "disadvantaged"]):
        assert kept.groupby(by)["pupil"].nunique().min() >= 10
    occasions = kept.groupby(["school", "pupil"])["year"].agg(tuple).reset_index()
    assert occasions.groupby(["school", "year"]).size().min() >= 10


def test_a_covariate_with_a_value_for_each_pupil_leaves_nothing_to_share() -> None:
    table = site(6).assign(age=lambda rows: rows["pupil"] * 1.5)
    with pytest.raises(UserError, match=r"only 0 schools have rows that may leave.*broader categories"):
        select_rows(table, FORMULA.replace("treated", "treated + age"), "pupil", RULE)
    with pytest.raises(UserError, match="only 0 schools"):
        select_rows(site(6), FORMULA.replace("treated", "treated + pupil"), "pupil", RULE)


def test_school_years_of_few_pupils_are_left_out() -> None:
    table = site(7).groupby(["school", "year", "time", "treated"], as_index=False)["z"].mean()
    table["n"] = np.where((table["school"] == 3) & (table["year"] == 2012), 9.0, 30.0)
    table.loc[0, "n"] = np.nan
    formula = "z ~ C(year) + treated + (1 | school)"
    found = select_rows(table, formula, "school", RULE)
    assert found.rows_left_out == 2
    shared = unpacked(statistics_file(found, formula, "north", RULE), "file")
    assert shared.statistics.n == len(table) - 2


def test_nothing_in_the_file_names_anybody() -> None:
    table = site(8)
    table["school"] += 770_000
    table["pupil"] = table["pupil"].map(lambda number: f"p_{number:016x}")
    content = content_of(table, "north")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        stored = np.load(io.BytesIO(archive.read("rows.npy")), allow_pickle=False)
    assert b"p_00" not in everything
    assert b"77000" not in everything
    assert len(stored) == 12
    labels = unpacked(content, "file").statistics.labels
    assert labels[0] is None
    assert list(labels[1] if labels[1] is not None else []) == [f"north/{k}" for k in range(1, 13)]


def test_the_order_of_schools_follows_from_their_sums_alone() -> None:
    table = site(9)
    renamed = table.assign(school=13 - table["school"], pupil=50_000 - table["pupil"])
    first, second = (unpacked(content_of(each, "north"), "file").statistics for each in (table, renamed))
    np.testing.assert_array_equal(first.cells.parent, second.cells.parent)
    np.testing.assert_allclose(np.sort(first.cross[:, 0]), np.sort(second.cross[:, 0]), rtol=1e-12)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert content_of(site(1), "north") == content_of(site(1), "north")


def test_sites_that_have_other_categories_are_refused_until_they_declare_them(tmp_path: Path) -> None:
    north, south = site(1), site(2)
    south = south[south["year"] > 2011]
    with pytest.raises(multilevel.MultilevelError, match=r"different columns.*declare the same categories"):
        multilevel.read_statistics(written(tmp_path, north, "north")) + multilevel.read_statistics(
            written(tmp_path, south, "south")
        )
    parts = []
    for name, table in (("north", north), ("south", south)):
        found = select_rows(table, FORMULA, "pupil", RULE)
        rows = with_categories(found.rows, FORMULA, {"year": ["2011", "2012", "2013"]})
        content = packed(multilevel.statistics(FORMULA, rows), name, {})
        parts.append(unpacked(content, name).statistics)
    pooled = pd.concat([north, south.assign(school=south["school"] + 500, pupil=south["pupil"] + 10**6)])
    assert multilevel.fit(parts[0] + parts[1]).criterion == pytest.approx(
        multilevel.fit(FORMULA, pooled).criterion, rel=1e-10
    )
    with pytest.raises(UserError, match="'year' also holds 2013"):
        with_categories(north, FORMULA, {"year": ["2011", "2012"]})
    with pytest.raises(UserError, match="'time' is no column of categories"):
        with_categories(north, FORMULA, {"time": ["0", "1", "2"]})


def test_columns_with_constants_from_the_rows_are_refused() -> None:
    formula = FORMULA.replace("disadvantaged", "scale(time)")
    with pytest.raises(UserError, match=r"scale\(time\) takes its constants from the rows"):
        content_of(site(1), "north", formula)


def test_a_second_file_of_a_cohort_is_refused(tmp_path: Path) -> None:
    first, other = content_of(site(1), "north"), content_of(site(1), "north", FORMULA.replace(" + disadvantaged", ""))
    path, ledger = tmp_path / "a.plnstats", tmp_path / "restricted"
    release_file(first, path, ledger, "growth")
    release_file(first, path, ledger, "growth")
    with pytest.raises(UserError, match=r"'growth' was written before.*--replace"):
        release_file(other, tmp_path / "b.plnstats", ledger, "other")
    assert not (tmp_path / "b.plnstats").exists()
    release_file(other, tmp_path / "b.plnstats", ledger, "other", again=True)
    assert (tmp_path / "b.plnstats").read_bytes() == other


def test_the_last_look_finds_what_must_not_leave() -> None:
    small = packed(multilevel.statistics(FORMULA, site(1, pupils=9)), "north", {"level": "pupil"})
    with pytest.raises(UserError, match="a cell of fewer than 10 pupils"):
        check_file(unpacked(small, "file"), RULE, [])
    named = site(1).assign(kind=lambda rows: np.where(rows["school"] < 5, "Oak Hill", "other"))
    formula = FORMULA.replace("disadvantaged", "kind")
    with pytest.raises(UserError, match="the name of a school"):
        statistics_file(select_rows(named, formula, "pupil", RULE), formula, "north", RULE, ["Oak Hill"])


def rewritten(content: bytes, changes: dict[str, bytes | None]) -> bytes:
    """The file with some of its entries replaced, added or (None) left out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        entries = {name: old.read(name) for name in old.namelist()} | changes
        for name, data in entries.items():
            if data is not None:
                new.writestr(name, data)
    return stream.getvalue()


def with_header(content: bytes, **changes: object) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        header = json.loads(archive.read("header.json"))
    return rewritten(content, {"header.json": json.dumps(header | changes).encode()})


def hostile() -> dict[str, bytes]:
    good = content_of(site(1), "north")
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        header = json.loads(archive.read("header.json"))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    huge = {key: dict(value) for key, value in header["arrays"].items()}
    huge["cross"]["shape"] = [1 << 40, 100]
    model = dict(header["model"])
    return {
        "empty": b"",
        "text": b"term,estimate\n",
        "cut in half": good[: len(good) // 2],
        "cut at the end": good[:-1],
        "a byte changed": good[:2000] + bytes([good[2000] ^ 255]) + good[2001:],
        "no header": rewritten(good, {"header.json": None}),
        "header no JSON": rewritten(good, {"header.json": b"{"}),
        "header a list": rewritten(good, {"header.json": b"[]"}),
        "deep header": rewritten(good, {"header.json": b"[" * 100_000}),
        "later version": with_header(good, version=2),
        "site a path": with_header(good, site="../north"),
        "negative rows": with_header(good, n=-1),
        "other rows": with_header(good, n=header["n"] + 1),
        "unknown key": with_header(good, more=1),
        "array missing": rewritten(good, {"cross.npy": None}),
        "array added": rewritten(good, {"more.npy": b""}),
        "array pickled": rewritten(good, {"rows.npy": pickled.getvalue()}),
        "huge": with_header(good, arrays=huge),
        "position outside": with_header(good, model=model | {"fixed": [0, 99]}),
        "formula a number": with_header(good, model=model | {"formula": 3}),
        "levels of another number": with_header(good, model=model | {"levels": model["levels"][:1]}),
    }


@pytest.mark.parametrize("kind", list(hostile()))
def test_a_hostile_or_damaged_file_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.plnstats"
    path.write_bytes(hostile()[kind])
    with pytest.raises(multilevel.MultilevelError, match=r"bad.plnstats: "):
        read_shared(path)


def test_a_pickle_is_not_loaded_even_if_its_digest_is_right() -> None:
    good = content_of(site(1), "north")
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        arrays = json.loads(archive.read("header.json"))["arrays"]
    arrays["rows"] = {"shape": [1], "sha256": hashlib.sha256(stream.getvalue()).hexdigest()}
    bad = rewritten(with_header(good, arrays=arrays), {"rows.npy": stream.getvalue()})
    with pytest.raises(multilevel.MultilevelError, match="rows is no plain array"):
        unpacked(bad, "file")

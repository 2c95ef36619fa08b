"""Every source gives the same columns and groups; what cannot be used is dropped and counted, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from multilevel_reference import study

from plneval.multilevel import census, chunks, frame
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.frame import intake

FORMULA = "score ~ year*sex + I(scale(year)**2) + (year|school/pupil) + (0 + sex|school)"


def growth(**columns: Any) -> pd.DataFrame:
    return study("growth").assign(**columns)


def rows_of(read: Any) -> pd.DataFrame:
    """All rows of all designs, sorted."""
    parts = []
    for design in read:
        columns = {
            name: np.asarray(column, dtype=float) for name, column in zip(design.names, design.columns, strict=True)
        }
        groups = {level.name: level.labels.take(level.codes).astype(str) for level in design.levels}
        weights = np.ones(len(design.y)) if design.weights is None else design.weights
        parts.append(pd.DataFrame({"y": design.y, "w": weights, **columns, **groups}))
    found = pd.concat(parts)
    return found.sort_values(list(found.columns)).reset_index(drop=True)


def sources(data: pd.DataFrame) -> dict[str, Any]:
    import ibis

    half = len(data) // 2
    table = pa.Table.from_pandas(data, preserve_index=False)
    return {
        "arrow": table,
        "ibis": ibis.memtable(data),
        "chunks": [data[:half], data[half:]],
        "arrow chunks": [table[:half], table[half:].combine_chunks().to_batches()[0]],
        "dictionary": {name: data[name].to_numpy() for name in data},
        "nullable": data.convert_dtypes(),
        "arrow-backed": data.convert_dtypes(dtype_backend="pyarrow"),
        "objects": data.astype(object),
    }


@pytest.mark.parametrize("source", sorted(sources(study("growth"))))
def test_every_source_gives_the_same_rows(source: str) -> None:
    data = growth()
    expected = rows_of(intake(FORMULA, data, "weight"))
    found = rows_of(intake(FORMULA, sources(data)[source], "weight"))
    # The constants of scale() come from sums in another order.
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-13)


def test_an_iterator_is_enough_where_categories_are_declared() -> None:
    formula = FORMULA.replace("I(scale(year)**2)", "I(year**2)")
    data = growth(sex=pd.Categorical(growth()["sex"]))
    found = rows_of(intake(formula, (part for part in [data[:500], data[500:]]), "weight"))
    pd.testing.assert_frame_equal(found, rows_of(intake(formula, data, "weight")), check_dtype=False)


def test_an_iterator_of_undeclared_categories_says_what_to_declare() -> None:
    data = growth()
    with pytest.raises(MultilevelError, match=r"make sex a pandas\.Categorical"):
        intake(FORMULA.replace("I(scale(year)**2)", "year"), iter([data]))
    with pytest.raises(MultilevelError, match=r"scale\(year\) needs all rows"):
        intake(FORMULA, iter([data]))


def test_a_category_that_only_later_chunks_have_is_refused_in_an_iterator() -> None:
    data = growth()
    parts = [data[:500].assign(sex=pd.Categorical(data["sex"][:500])), data[500:].assign(sex="Other")]
    read = intake("score ~ sex + (1|school)", iter(parts))
    with pytest.raises(MultilevelError, match="the category 'Other' is in 729 rows but not among those known"):
        rows_of(read)


def test_an_iterator_is_read_once() -> None:
    read = intake("score ~ year + (1|school)", iter([growth()]))
    rows_of(read)
    with pytest.raises(MultilevelError, match="have been read"):
        rows_of(read)


def test_an_iterator_of_schools_waits_until_it_knows_which_groups_lie_within_which() -> None:
    data = growth(network=growth()["school"].str[1])
    formula = "score ~ year + (1|network) + (1|school) + (1|pupil)"
    read = intake(formula, (part for _, part in data.groupby("school")))
    (first, *_) = list(read)
    assert [level.name for level in first.levels] == ["pupil", "school", "network"]


def test_an_iterator_whose_later_chunks_break_the_nesting_is_refused() -> None:
    data = growth()
    data.loc[data.index[-1], "pupil"] = data["pupil"].iloc[0]
    read = intake("score ~ year + (1|school) + (1|pupil)", iter([data[:600], data[600:]]))
    with pytest.raises(MultilevelError, match="other nesting of the groups"):
        rows_of(read)


def test_rows_with_something_missing_are_dropped_and_counted() -> None:
    data = growth()
    data["year"] = data["year"].astype(float)
    data.loc[[3, 4, 5], "score"] = np.nan
    data.loc[[5, 6], "year"] = np.nan
    data.loc[7, "sex"] = None
    data.loc[8, "pupil"] = None
    data.loc[9, "weight"] = np.nan
    data.loc[[10, 11], "weight"] = 0.0
    expected = [
        ("rows", "the outcome score is missing", 3),
        ("rows", "year is missing", 1),
        ("rows", "sex is missing", 1),
        ("rows", "the group pupil is missing", 1),
        ("rows", "the weight weight is missing", 1),
        ("rows", "the weight is 0", 2),
    ]
    formula = "score ~ year + sex + (1|pupil) + (1|school)"
    kept = rows_of(intake(formula, data, "weight"))
    assert len(kept) == len(data) - 9
    for name, source in sources(data).items():
        if name == "dictionary":
            continue
        read = intake(formula, source, "weight")
        pd.testing.assert_frame_equal(rows_of(read), kept, check_dtype=False)
        assert [tuple(row) for row in read.dropped[["kind", "reason", "count"]].to_numpy()] == expected, name
    assert intake(formula, data, "weight").dropped["first"].tolist()[0] == (3, 4, 5)


@pytest.mark.parametrize("source", ["pandas", "arrow", "ibis", "chunks"])
@pytest.mark.parametrize("column", ["score", "year"])
def test_infinite_values_are_refused(source: str, column: str) -> None:
    data = growth(year=growth()["year"].astype(float))
    data.loc[[7, 700], column] = np.inf
    with pytest.raises(MultilevelError, match=f"{column}: infinite values in (2 rows|rows 7, 700|row 7)"):
        rows_of(intake("score ~ year + (1|school)", {"pandas": data, **sources(data)}[source]))


@pytest.mark.parametrize("source", ["pandas", "arrow", "ibis", "chunks"])
def test_negative_weights_are_refused(source: str) -> None:
    data = growth()
    data.loc[7, "weight"] = -1.0
    with pytest.raises(MultilevelError, match="weight: negative"):
        rows_of(intake("score ~ year + (1|school)", {"pandas": data, **sources(data)}[source], "weight"))


def test_a_transform_that_gives_no_number_is_refused() -> None:
    with pytest.raises(MultilevelError, match=r"log\(year\) is not a finite number in .* rows"):
        rows_of(intake("score ~ log(year) + (1|school)", growth()))


def test_data_without_a_complete_row_say_why() -> None:
    with pytest.raises(MultilevelError, match="the outcome score is missing in 1229 rows"):
        intake("score ~ year + (1|school)", growth(score=np.nan))
    with pytest.raises(MultilevelError, match="the data have no rows"):
        intake("score ~ year + (1|school)", growth()[:0])


@pytest.mark.parametrize("source", ["pandas", "arrow", "ibis", "chunks"])
def test_pupils_in_two_schools_are_crossed_and_counted(source: str) -> None:
    data = study("movers")
    movers = int((data.groupby("pupil")["school"].nunique() > 1).sum())
    read = intake("score ~ year + (1|pupil) + (1|school)", {"pandas": data, **sources(data)}[source])
    (design, *_) = list(read)
    assert not design.nested
    assert [level.name for level in design.levels] == ["pupil", "school"]
    notes = read.dropped[read.dropped["kind"] == "groups"]
    assert notes["count"].tolist() == [movers]
    assert "crossed" in notes["reason"].iloc[0]


@pytest.mark.parametrize("source", ["pandas", "arrow", "ibis", "chunks"])
def test_ids_that_recur_are_made_unique_by_a_slash_and_counted(source: str) -> None:
    data = study("four_levels")
    data = data.assign(school=data["network"] + "/" + data["school"].astype(str))
    read = intake("score ~ year + (1|school/pupil)", {"pandas": data, **sources(data)}[source])
    designs = list(read)
    assert all(design.nested for design in designs)
    groups = {label for design in designs for label in design.levels[0].labels.take(design.levels[0].codes)}
    assert len(groups) == len(data.drop_duplicates(["school", "pupil"])) == 368
    recurring = int((data.groupby("pupil")["school"].nunique() > 1).sum())
    assert ("groups", recurring) in list(zip(read.dropped["kind"], read.dropped["count"], strict=True))


def test_labels_that_would_look_alike_are_refused() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 3.0], "a": ["1:1", "1", "2"], "b": ["2", "1:2", "2"]})
    with pytest.raises(MultilevelError, match="look alike"):
        intake("y ~ 1 + (1|a:b)", data)


def test_categories_without_rows_are_left_out_unless_parts_are_to_be_added() -> None:
    data = growth(sex=pd.Categorical(growth()["sex"], categories=["None", "Female", "Male", "Other"]))
    (whole,) = intake("score ~ sex + (1|school)", data)
    assert whole.names == ("Intercept", "sex[T.Male]")
    (part,) = intake("score ~ sex + (1|school)", data, keep_categories=True)
    assert part.names == ("Intercept", "sex[T.Female]", "sex[T.Male]", "sex[T.Other]")


@pytest.mark.parametrize(
    ("formula", "changed", "message"),
    [
        ("score ~ when + (1|school)", {"when": pd.Timestamp("2020-01-01")}, "neither numbers nor categories"),
        ("sex ~ year + (1|school)", {}, "the outcome must be numbers"),
        ("score ~ log(sex) + (1|school)", {}, "sex: sex must be numbers"),
        ("score ~ sex + (1|school)", {"sex": "Male"}, "sex has one category only"),
        ("score ~ scale(treated) + (1|school)", {"treated": 1}, "do not differ"),
        ("score ~ poly(treated, 2) + (1|school)", {}, "2 distinct values"),
        ("score ~ C(year, Treatment(9)) + (1|school)", {}, "the reference 9 is no category"),
        ("score ~ (dummy(sex, 'X')|school)", {}, "'X' is no category"),
        ("score ~ C(sex, levels=['Male']) + (1|school)", {}, "the category 'Female'"),
        ("score ~ mixed + (1|school)", {"mixed": ["a", *[1.0] * 1228]}, "mixes kinds"),
    ],
)
def test_columns_that_cannot_be_what_the_formula_asks_are_named(formula: str, changed: Any, message: str) -> None:
    with pytest.raises(MultilevelError, match=message):
        rows_of(intake(formula, growth(**changed)))


def test_dimensions_too_large_for_memory_say_how_large() -> None:
    n = 400_000
    data = pd.DataFrame({"y": np.zeros(n), "g": np.arange(n) % 7, "h": np.arange(n) % 3, "c": np.arange(n) // 2})
    with pytest.raises(MultilevelError, match=r"200,000 columns, 199,999 of them from C\(c\).* need [\d,]+ GB"):
        intake("y ~ C(c) + (1|g)", data)
    data["c"] = np.arange(n) % 1500
    with pytest.raises(MultilevelError, match=r"in each of 20,000 groups need [\d,]+ GB"):
        intake("y ~ C(c) + (1|school/pupil)", data.assign(school=np.arange(n) // 20, pupil=np.arange(n) // 4))


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(MultilevelError, match="data is a int"):
        intake("score ~ year + (1|school)", 5)
    with pytest.raises(MultilevelError, match="a chunk is a str"):
        intake("score ~ year + (1|school)", ["score"])


def test_weights_may_be_an_array_beside_a_table() -> None:
    data = growth()
    found = rows_of(intake("score ~ year + (1|school)", data, data["weight"].to_numpy()))
    pd.testing.assert_frame_equal(found, rows_of(intake("score ~ year + (1|school)", data, "weight")))
    with pytest.raises(MultilevelError, match="array of shape"):
        intake("score ~ year + (1|school)", data, np.ones(5))
    with pytest.raises(MultilevelError, match=r"no column 'wieght' in the data\. Did you mean 'weight'"):
        intake("score ~ year + (1|school)", data, "wieght")


@pytest.mark.parametrize("shuffled", [False, True])
def test_large_tables_come_in_designs_of_whole_pupils(monkeypatch: pytest.MonkeyPatch, shuffled: bool) -> None:
    data = growth()
    expected = rows_of(intake(FORMULA, data))
    if shuffled:
        data = data.sample(frac=1.0, random_state=1)
    for module in (frame, chunks):
        monkeypatch.setattr(module, "DESIGN_ROWS", 1000)
    for source in (data, pa.Table.from_pandas(data, preserve_index=False), sources(data)["ibis"]):
        read = intake(FORMULA, source)
        designs = list(read)
        assert read.whole_units
        assert len(designs) > 1
        pupils = [set(design.levels[0].labels.take(np.unique(design.levels[0].codes))) for design in designs]
        assert sum(map(len, pupils)) == len(set.union(*pupils))
    pd.testing.assert_frame_equal(rows_of(intake(FORMULA, data)), expected, rtol=1e-13)


def test_chunks_know_whether_pupils_are_whole() -> None:
    data = growth()
    whole = [part for _, part in data.groupby(data["school"].str[1])]
    assert intake("score ~ year + (1|pupil) + (1|school)", whole).whole_units
    assert not intake("score ~ year + (1|pupil) + (1|school)", [data[:600], data[600:]]).whole_units


def test_the_census_of_ids_does_not_depend_on_their_types() -> None:
    small, large = pd.Index([1, 2], dtype="int16"), pd.Index([1, 2], dtype="int64")
    np.testing.assert_array_equal(census._hashes(small), census._hashes(large))


def test_a_database_gives_the_same_bits_with_any_number_of_threads() -> None:
    import ibis

    data = pd.concat([growth().assign(pupil=growth()["pupil"] + f"_{k}") for k in range(20)])
    found = []
    for threads in (1, 2, 2):
        connection = ibis.duckdb.connect(threads=threads)
        table = connection.create_table("rows", data.sample(frac=1.0, random_state=threads))
        (design,) = intake("score ~ year + sex + (1|school/pupil)", table)
        found.append(design)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].y, other.y)
        for mine, theirs in zip(found[0].columns, other.columns, strict=True):
            np.testing.assert_array_equal(mine, theirs)

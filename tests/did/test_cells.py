"""The collapse: exact sums, the same from every kind of table, and nothing silent."""

from __future__ import annotations

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

NAMES = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}
SUMS = ("n", "sw", "sww", "swy", "swyy", "sxx", "sxy")


def assert_close(found: did.Cells, expected: did.Cells, rtol: float) -> None:
    for name in ("entry", "cluster", "unit", "time", "subgroup", "n"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    for name in SUMS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=rtol, atol=rtol, err_msg=name)
    assert found.constant_covariates == expected.constant_covariates
    assert found.constant_weights == expected.constant_weights


def test_sums_are_those_of_a_hand_calculation() -> None:
    data = pd.DataFrame(
        {
            "school": ["b", "b", "a", "b"],
            "year": [2020, 2020, 2020, 2021],
            "entry": [2021, 2021, 0, 2021],
            "y": [1.0, 2.0, 5.0, 4.0],
            "x": [3.0, 4.0, 6.0, 7.0],
            "w": [0.5, 2.0, 1.0, 1.0],
        }
    )
    cells = did.cells(data, **NAMES, covariates=["x"], weights="w")
    assert list(cells.units) == ["a", "b"]
    assert cells.times.tolist() == [2020, 2021]
    assert cells.entry.tolist() == [np.inf, 2021]
    assert cells.unit.tolist() == [0, 1, 1]
    assert cells.time.tolist() == [0, 0, 1]
    assert cells.n.tolist() == [1, 2, 1]
    assert cells.sw.tolist() == [1, 2.5, 1]
    assert cells.sww.tolist() == [1, 4.25, 1]
    assert cells.swy.tolist() == [5, 4.5, 4]
    assert cells.swyy.tolist() == [25, 8.5, 16]
    assert cells.sxx[1].tolist() == [[2.5, 9.5], [9.5, 36.5]]
    assert cells.sxy[1].tolist() == [4.5, 17.5]
    assert cells.n_rows == 4
    assert not cells.constant_covariates
    assert not cells.constant_weights


def test_permuted_rows_agree_and_the_same_rows_are_identical() -> None:
    data = did_data.pupils()
    options = {**NAMES, "covariates": ["x", "female"], "weights": "w"}
    cells = did.cells(data, **options)
    again = did.cells(data, **options)
    assert all(np.array_equal(getattr(cells, name), getattr(again, name)) for name in SUMS)
    shuffled = data.sample(frac=1, random_state=1)
    assert_close(did.cells(shuffled, **options), cells, 1e-12)


@pytest.mark.parametrize("kind", ["arrow", "ibis", "strings", "floats", "categories", "nullable"])
def test_every_kind_of_table_gives_the_same_cells(kind: str) -> None:
    data = did_data.pupils().assign(network=lambda frame: frame["school"] // 3)
    options = {**NAMES, "covariates": ["x", "female"], "weights": "w", "cluster": "network", "subgroup": "female"}
    options["covariates"] = ["x"]
    expected = did.cells(data, **options)
    if kind == "arrow":
        import pyarrow as pa

        table: object = pa.Table.from_pandas(data)
    elif kind == "ibis":
        import ibis

        table = ibis.memtable(data)
    elif kind == "strings":
        table = data.assign(school=data["school"].map("{:03d}".format))
    elif kind == "floats":
        table = data.assign(school=data["school"].astype(float), year=data["year"].astype(float))
    elif kind == "categories":
        table = data.assign(school=pd.Categorical(data["school"].map("{:03d}".format)))
    else:
        table = data.assign(entry=data["entry"].astype("Int64"), school=data["school"].astype("Int64"))
    assert_close(did.cells(table, **options), expected, 1e-13)


def test_database_sums_do_not_depend_on_order_or_threads() -> None:
    import ibis

    data = did_data.pupils()
    options = {**NAMES, "covariates": ["x"], "weights": "w"}
    connection = ibis.duckdb.connect()
    table = connection.create_table("pupils", data)
    shuffled = connection.create_table("shuffled", data.sample(frac=1, random_state=2))
    first = did.cells(table, **options)
    connection.raw_sql("SET threads = 1")
    second = did.cells(shuffled, **options)
    for name in SUMS:
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_sparse_keys_take_the_sorted_route() -> None:
    # Units far apart and one row each: more unit × time pairs than can be laid out.
    rows = 3000
    data = pd.DataFrame({"school": np.arange(rows) * 10**12, "year": np.arange(rows) % 500, "entry": 0, "y": 1.0})
    data["entry"] = np.where(data["school"] % (2 * 10**12) == 0, 250, 0)
    cells = did.cells(data, **NAMES)
    assert len(cells.n) == rows
    assert cells.times[cells.time].tolist() == data["year"].tolist()


def test_entry_is_normalised() -> None:
    data = pd.DataFrame(
        {"school": [1, 1, 2, 2, 3, 3], "year": [1, 2] * 3, "entry": [0, 0, np.inf, np.inf, np.nan, np.nan], "y": 1.0}
    )
    assert np.isinf(did.cells(data, **NAMES, missing_entry="never").entry).all()
    with pytest.raises(did.DidError, match="the entry is missing in rows 4, 5: fill them in"):
        did.cells(data, **NAMES)


def test_missing_values_are_listed_with_their_count() -> None:
    data = did_data.pupils()
    data.loc[[3, 8], "y"] = np.nan
    data.loc[[8, 10, 11], "x"] = np.nan
    data.loc[20, "w"] = 0.0
    cells = did.cells(data, **NAMES, covariates=["x"], weights="w")
    assert cells.dropped["reason"].tolist() == [
        "the outcome y is missing",
        "the covariate x is missing",
        "the weight is 0",
    ]
    assert cells.dropped["count"].tolist() == [2, 2, 1]
    assert cells.dropped["first"].tolist() == [(3, 8), (10, 11), (20,)]
    assert cells.n_rows == len(data) - 5
    import ibis

    in_database = did.cells(ibis.memtable(data), **NAMES, covariates=["x"], weights="w")
    assert in_database.dropped["count"].tolist() == [2, 2, 1]


def test_subgroups_pool_to_the_cells_without_them() -> None:
    data = did_data.pupils()
    split = did.cells(data, **NAMES, covariates=["x"], subgroup="female")
    assert len(split.subgroups) == 2
    assert_close(split.pooled(), did.cells(data, **NAMES, covariates=["x"]), 1e-12)


def test_selected_covariates_are_those_collapsed_alone() -> None:
    data = did_data.pupils()
    cells = did.cells(data, **NAMES, covariates=["x", "female"])
    assert_close(cells.select(["female"]), did.cells(data, **NAMES, covariates=["female"]), 1e-12)
    with pytest.raises(did.DidError, match=r"hold no cross-products of 'w'.*cells\(\.\.\., covariates="):
        cells.select(["w"])


BAD = {
    "unknown column": (lambda d: d, {"outcome": "score"}, "no column 'score' in the data"),
    "entry of text": (
        lambda d: d.assign(entry=d["entry"].astype(str)),
        {},
        "the entry column 'entry' is of type .*not a number.*0, missing or infinity",
    ),
    "entry varies": (
        lambda d: d.assign(entry=d["entry"].where(d.index != 1, 2012)),
        {},
        "entry: the entry varies within 1 unit, first in rows 0, 1: ",
    ),
    "cluster splits a unit": (
        lambda d: d.assign(network=np.where(d.index == 1, 99, 5)),
        {"cluster": "network"},
        "network: the cluster varies within 1 unit, first in rows 0, 1: clusters are made of whole units",
    ),
    "negative weight": (
        lambda d: d.assign(w=d["w"].where(d.index != 4, -1.0)),
        {"weights": "w"},
        "w: negative or infinite weights in row 4",
    ),
    "missing weight": (
        lambda d: d.assign(w=d["w"].where(d.index != 4)),
        {"weights": "w"},
        "w: the weight is missing in row 4",
    ),
    "infinite outcome": (
        lambda d: d.assign(y=d["y"].where(d.index != 4, np.inf)),
        {},
        "y: infinite values in row 4",
    ),
    "missing time": (
        lambda d: d.assign(year=d["year"].where(d.index != 4)),
        {},
        "year: the time is missing or infinite in row 4",
    ),
    "text covariate": (
        lambda d: d.assign(x="a"),
        {"covariates": ["x"]},
        "covariate column 'x' is of type .*indicator",
    ),
    "duplicates in a panel": (
        lambda d: d,
        {"panel": True},
        "panel=True, but .* rows share their school and year with another, first rows 0, 1.*panel=False",
    ),
    "zero entry with negative periods": (
        lambda d: d.assign(year=d["year"] - 2014),
        {},
        "the entry is 0 while periods are negative",
    ),
    "outcome as covariate": (lambda d: d, {"covariates": ["y"]}, "cannot be a covariate of itself"),
    "unknown table": (lambda d: d.to_numpy(), {}, "data is a ndarray; give a pandas DataFrame"),
    "missing_entry": (lambda d: d, {"missing_entry": "drop"}, "missing_entry is 'drop'"),
    "missing unit": (
        lambda d: d.assign(school=d["school"].where(d.index != 4)),
        {},
        "school: the unit is missing in row 4",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_named_with_rows_and_remedy(case: str) -> None:
    change, options, words = BAD[case]
    with pytest.raises(did.DidError, match=words):
        did.cells(change(did_data.pupils()), **{**NAMES, **options})


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("entry", 2012, "the entry varies within 1 units"),
        ("w", -1.0, "w: negative weights in 1 rows"),
        ("year", None, "year: the time is missing"),
        ("network", 99, "the cluster varies within 1 units"),
    ],
)
def test_bad_input_in_a_database_is_counted(column: str, value: float | None, words: str) -> None:
    import ibis

    data = did_data.pupils().assign(network=lambda frame: frame["school"] // 3)
    data[column] = data[column].astype(float)
    data.loc[1, column] = np.nan if value is None else value
    with pytest.raises(did.DidError, match=words):
        did.cells(ibis.memtable(data), **NAMES, weights="w", cluster="network")

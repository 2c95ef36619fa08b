"""One fit, whatever the rows come in: memory, a database, chunks, statistics of parts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from multilevel_reference import study

from plneval import multilevel

FORMULAS = {
    "nested": "score ~ year*sex + (year|pupil) + (1|school)",
    "slash": "score ~ scale(year) + C(treated) + (1|school/pupil)",
    "crossed": "score ~ year + (1|pupil) + (1|school)",
}


def data_of(kind: str) -> pd.DataFrame:
    return study("movers" if kind == "crossed" else "growth")


def source(data: pd.DataFrame, name: str) -> Any:
    if name == "database":
        import ibis

        return ibis.duckdb.connect(threads=2).create_table("rows", data.sample(frac=1.0, random_state=3))
    half = len(data) // 2
    return {
        "arrow": pa.Table.from_pandas(data, preserve_index=False),
        "chunks": [data[:half], data[half:]],
        "shuffled": data.sample(frac=1.0, random_state=1),
        "same": data,
    }[name]


def assert_equal(one: multilevel.Fit, other: multilevel.Fit, tolerance: float) -> None:
    assert one.criterion == pytest.approx(other.criterion, rel=tolerance)
    for column in ("estimate", "se"):
        np.testing.assert_allclose(one.fixed[column], other.fixed[column], rtol=tolerance)
    # Differences of gradients lose digits that estimates keep.
    np.testing.assert_allclose(one.fixed["df"], other.fixed["df"], rtol=1e-6)
    np.testing.assert_allclose(one.variance["variance"], other.variance["variance"], rtol=100 * tolerance)


@pytest.mark.parametrize("kind", sorted(FORMULAS))
@pytest.mark.parametrize("name", ["arrow", "chunks", "database", "shuffled"])
def test_the_fit_does_not_depend_on_where_the_rows_are(kind: str, name: str) -> None:
    data = data_of(kind)
    expected = multilevel.fit(FORMULAS[kind], data)
    # Crossed levels are factored together: rounding of sums is amplified a little more.
    tolerance = 1e-8 if kind == "crossed" else 1e-10
    assert_equal(multilevel.fit(FORMULAS[kind], source(data, name)), expected, tolerance)


@pytest.mark.parametrize("kind", sorted(FORMULAS))
@pytest.mark.parametrize("name", ["same", "database"])
def test_repeats_are_identical_to_the_bit(kind: str, name: str) -> None:
    data = data_of(kind)
    first, second = (multilevel.fit(FORMULAS[kind], source(data, name)) for _ in range(2))
    assert first.criterion == second.criterion
    pd.testing.assert_frame_equal(first.fixed, second.fixed, check_exact=True)
    pd.testing.assert_frame_equal(first.variance, second.variance, check_exact=True)


def test_statistics_of_parts_add_to_those_of_the_whole() -> None:
    data = data_of("nested").astype({"sex": "category"})
    expected = multilevel.fit(FORMULAS["nested"], data)
    cuts = [0, 150, 611, 612, len(data)]  # pupils are cut in two
    parts = [multilevel.statistics(FORMULAS["nested"], data[a:b]) for a, b in pairwise(cuts)]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    assert_equal(multilevel.fit(total), expected, 1e-10)
    whole = multilevel.statistics(FORMULAS["nested"], data).cross_products().to_numpy()
    scale = np.sqrt(np.outer(np.diagonal(whole), np.diagonal(whole)))
    np.testing.assert_array_less(np.abs(total.cross_products().to_numpy() - whole) / scale, 1e-12)

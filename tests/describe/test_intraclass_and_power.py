"""Intraclass correlation, cluster autocorrelation and the minimum detectable effect size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plneval.describe.intraclass import first_year_analysis, intraclass, one_way
from plneval.describe.power import cluster_autocorrelation, mdes
from plneval.describe.sample import Sample

Make = Callable[..., Sample]
# Shrout and Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss() -> None:
    means = SHROUT_FLEISS.mean(axis=1)
    within = ((SHROUT_FLEISS - means[:, None]) ** 2).sum(axis=1)
    found = one_way(np.full(6, 4.0), means, within)
    assert found.between == pytest.approx(11.24, abs=0.005)  # table 3
    assert found.within == pytest.approx(6.26, abs=0.005)
    assert found.intraclass_correlation == pytest.approx(0.17, abs=0.005)  # ICC(1,1), table 4
    # psych::ICC of R prints -0.133 and 0.723 for these data.
    assert found.interval() == pytest.approx((-0.133, 0.723), abs=0.0006)


def test_mean_squares_of_unequal_groups_are_those_of_the_analysis_of_variance() -> None:
    groups = [[3.0, 5.0], [1.0, 2.0, 6.0], [8.0, 9.0, 4.0, 7.0, 7.0]]
    sizes = np.array([2.0, 3.0, 5.0])
    means = np.array([np.mean(group) for group in groups])
    within = np.array([np.var(group) * len(group) for group in groups])
    found = one_way(sizes, means, within)
    assert found.between / found.within == pytest.approx(stats.f_oneway(*groups).statistic, abs=1e-12)
    assert found.n_0 == pytest.approx((10 - 38 / 10) / 2, abs=1e-12)


def test_the_interval_covers_the_correlation_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    sizes = rng.integers(10, 60, 40).astype(float)
    for _ in range(400):
        school = rng.normal(0, np.sqrt(0.15), 40)
        means = school + rng.normal(0, np.sqrt(0.85 / sizes))
        within = 0.85 * rng.chisquare(sizes - 1)
        low, high = one_way(sizes, means, within).interval()
        covered += low <= 0.15 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.033)  # 3 standard errors of a share


def test_nothing_can_be_said_where_nothing_varies() -> None:
    with pytest.raises(ValueError, match="varies"):
        one_way(np.array([2.0, 2.0]), np.array([1.0, 2.0]), np.zeros(2))
    with pytest.raises(ValueError, match="2 groups with 2 units"):
        one_way(np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.zeros(2))


def test_the_first_outcome_year_is_analysed_with_scores_centred_within_grade(make_sample: Make) -> None:
    rows = [
        {"pupil": 10 * school + k, "school": school, "year": 2014, "grade": grade, "z": value + 100 * int(grade == "5")}
        for school, values in ((1, [1, 2, 4]), (3, [3, 5, 5]), (4, [0, 2, 3]))
        for grade in ("4", "5")
        for k, value in enumerate(values)
    ]
    late = [{**row, "year": 2016, "z": 7.0 * row["school"]} for row in rows]
    found = first_year_analysis(make_sample(rows + late), "maths")
    assert found is not None
    once = stats.f_oneway([1, 2, 4] * 2, [3, 5, 5] * 2, [0, 2, 3] * 2)
    assert found.between / found.within == pytest.approx(once.statistic, abs=1e-9)
    table = intraclass(make_sample(rows + late))
    assert table["level"].tolist() == ["school"]
    assert table["n_pupils"].tolist() == [18]


def test_summaries_of_schools_give_what_their_pupils_give(make_sample: Make) -> None:
    pupils = {1: [1.0, 2, 4], 3: [3.0, 5, 5, 6], 4: [0.0, 2]}
    rows = [
        {"school": school, "year": 2014, "score": np.mean(v), "n": len(v), "sd": np.std(v, ddof=1)}
        for school, v in pupils.items()
    ]
    found = first_year_analysis(make_sample(None, rows, study={"level": "school"}), "maths")
    assert found is not None
    assert found.between / found.within == pytest.approx(stats.f_oneway(*pupils.values()).statistic, abs=1e-9)


def test_without_the_spread_of_pupils_there_is_no_correlation_and_no_minimum_detectable_effect(
    make_sample: Make,
) -> None:
    rows = [{"school": school, "year": year, "z": school} for school in (1, 2, 3, 4) for year in (2014, 2017)]
    sample = make_sample(None, rows, standardised_by="school", study={"level": "school"})
    assert intraclass(sample).empty
    assert mdes(sample)["mdes"].isna().all()
    assert mdes(sample)["assumptions"].str.contains("not known").all()


def school_years(cac: float, seed: int, schools: int = 3000, years: int = 5, n: int = 25) -> pd.DataFrame:
    """School-year means with ρ = 0.2, pupils' variance within schools 0.8, and a gap between the arms."""
    rng = np.random.default_rng(seed)
    lasting = rng.normal(0, np.sqrt(0.2 * cac), (schools, 1))
    yearly = rng.normal(0, np.sqrt(0.2 * (1 - cac)), (schools, years))
    noise = rng.normal(0, np.sqrt(0.8 / n), (schools, years))
    arm = np.where(np.arange(schools) % 2, "member", "comparison")
    return pd.DataFrame(
        {
            "school": np.repeat(np.arange(schools), years),
            "arm": np.repeat(arm, years),
            "year": np.tile(np.arange(2014, 2014 + years), schools),
            "n": n,
            "z": (lasting + yearly + noise + (arm == "member")[:, None]).ravel(),
        }
    )


@pytest.mark.parametrize("cac", [0.5, 0.9])
def test_the_cluster_autocorrelation_that_made_the_data_is_found(cac: float) -> None:
    assert cluster_autocorrelation(school_years(cac, 5), "z", 0.8) == pytest.approx(cac, abs=0.03)


def test_the_minimum_detectable_effect_follows_from_what_is_stated(make_sample: Make) -> None:
    rng = np.random.default_rng(2)
    ids = range(1, 41)
    schools = pd.DataFrame(
        {
            "school": ids,
            "arm": ["member" if k <= 20 else "comparison" for k in ids],
            "entry_year": pd.array([2015 if k <= 20 else None for k in ids], dtype="Int64"),
            "network": pd.array([1 if k <= 20 else None for k in ids], dtype="Int64"),
            "cluster": ids,
            "status": "analysed",
        }
    )
    levels = rng.normal(0, 0.4, 41)
    pupil = [
        {"pupil": 100 * school + k, "school": school, "year": year, "grade": "4", "z": levels[school] + rng.normal()}
        for school in ids
        for year in range(2014, 2018)
        for k in range(20)
    ]
    frame = pd.DataFrame(pupil)
    cells = [
        {"school": school, "year": year, "z": part["z"].mean(), "n": 20}
        for (school, year), part in frame.groupby(["school", "year"])
    ]
    sample = make_sample(pupil, cells, schools)
    row = mdes(sample).iloc[0]
    analysis = first_year_analysis(sample, "maths")
    assert analysis is not None
    icc = analysis.intraclass_correlation
    cac = cluster_autocorrelation(sample.cells("maths"), "z", analysis.within)
    # One year before joining (2014) and one from the third year on (2017), 40 schools, half of them members.
    variance = (icc * (1 - cac) + (1 - icc) / 20) * (1 / 1 + 1 / 1) / (40 * 0.25)
    multiplier = stats.t.ppf(0.975, 38) + stats.t.ppf(0.8, 38)
    assert row["mdes"] == pytest.approx(multiplier * np.sqrt(variance), rel=1e-9)
    assert (row["power"], row["alpha"]) == (0.8, 0.05)
    assert "J = 40 schools" in row["assumptions"]

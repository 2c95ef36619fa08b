"""Synthetic difference-in-differences as a model: closed forms, the rule for standard errors, what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, school_panel, write_panel

from plneval import did
from plneval.config.models import Synthetic

SYNTHETIC = Synthetic(kind="did.synthetic", label="l", outcome="maths")
YEARS = (2010, 2011, 2012, 2013, 2014, 2015, 2016)


def study(entries: dict[int, int], schools: int = 20, noise: float = 0.2, seed: int = 1) -> pd.DataFrame:
    """Schools 1 to ``schools``; ``entries`` says which join when; effect 0.5, 1 from the third year on."""
    draws = np.random.default_rng(seed)
    rows = []
    for school in range(1, schools + 1):
        level, slope, entry = draws.normal(), draws.uniform(0, 0.3), entries.get(school)
        for year in YEARS:
            effect = 0.0 if entry is None or year < entry else 1.0 if year >= entry + 2 else 0.5
            z = level + slope * (year - 2010) + effect + draws.normal(scale=noise)
            rows.append({"school": school, "year": year, "entry_year": entry, "z": z})
    return pd.DataFrame(rows).astype({"entry_year": "Int64"})


def fit(folder: Path, rows: pd.DataFrame, **settings: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    return fitted(cohort(**settings), SYNTHETIC, write_panel(folder, school_panel(rows)))


def test_with_hardly_any_noise_the_planted_effects_are_found(tmp_path: Path) -> None:
    """Levels and slopes, and members that lie between others: 0.5 in two years, 1 in three."""
    rows = study({}, schools=12, noise=0.01)
    wide = rows.pivot(index="school", columns="year", values="z")
    members = {21: (1, 2), 22: (3, 4), 23: (5, 6)}
    for school, (one, other) in members.items():
        wide.loc[school] = (wide.loc[one] + wide.loc[other]) / 2 + np.array([0, 0, 0.5, 0.5, 1, 1, 1])
    table = wide.stack().rename("z").reset_index()
    table["entry_year"] = pd.Series(np.where(table["school"] > 20, 2012, np.nan)).astype("Int64")
    records, _ = fit(tmp_path, table)
    # Little varies but levels and slopes, and weights match slopes as closely as the ridge penalty lets them.
    assert records.loc[("att_overall", ""), "estimate"] == pytest.approx((2 * 0.5 + 3 * 1) / 5, abs=0.15)
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx(1, abs=0.2)
    events = records.loc["att_event_time", "estimate"]
    assert events["e2"] - events["e1"] == pytest.approx(0.5, abs=0.05)


def test_one_entry_group_is_what_the_engine_gives_and_variances_are_sums_of_squares(tmp_path: Path) -> None:
    rows = study(dict.fromkeys(range(1, 8), 2013))
    records, diagnostics = fit(tmp_path, rows)
    data = rows.assign(entry=rows["entry_year"].astype(float))
    names = {"outcome": "z", "time": "year", "unit": "school", "entry": "entry"}
    for estimand, start in (("att_overall", 0), ("att_third_year_on", 2)):
        found = did.synthetic(data, **names, vcov="jackknife", min_event=start, missing_entry="never")
        record = records.loc[(estimand, "")]
        assert record["estimate"] == pytest.approx(found.estimate, rel=1e-12)
        assert record["se"] == pytest.approx(found.se, rel=1e-12)
        assert record["ci_high"] - record["estimate"] == pytest.approx(1.959964 * found.se, rel=1e-6)
    assert (records["vcov"] == "jackknife by cluster, normal").all()
    influence = pd.read_parquet(tmp_path / "records" / "m.influence.parquet")
    covariance = pd.read_parquet(tmp_path / "records" / "m.vcov.parquet")
    squares = influence.assign(square=influence["influence"] ** 2).groupby("term")["square"].sum()
    own = covariance[covariance["row_term"] == covariance["column_term"]].set_index("row_term")["covariance"]
    for (estimand, term), record in records.iterrows():
        assert squares[f"{estimand}|{term}"] == pytest.approx(record["se"] ** 2, rel=1e-10)
        assert own[f"{estimand}|{term}"] == pytest.approx(record["se"] ** 2, rel=1e-10)
    assert list(records.loc["att_event_time"].index) == ["e0", "e1", "e2", "e3"]
    assert "test before joining" in diagnostics["not_given"]
    assert diagnostics["standard_errors"] == "jackknife: 7 treated clusters, not fewer than 6"


def test_event_times_weigh_groups_by_their_schools_and_average_to_the_whole(tmp_path: Path) -> None:
    entries = dict.fromkeys(range(1, 5), 2013) | dict.fromkeys(range(5, 8), 2014)
    records, diagnostics = fit(tmp_path, study(entries))
    events = records.loc["att_event_time", "estimate"]
    schools = {"e0": 7, "e1": 7, "e2": 7, "e3": 4}
    whole = sum(schools[term] * events[term] for term in schools) / sum(schools.values())
    assert records.loc[("att_overall", ""), "estimate"] == pytest.approx(whole, rel=1e-12)
    assert dict(records.loc["att_event_time", "n_treated"]) == schools
    assert [row["group"] for row in diagnostics["fit"]] == [2013, 2014]
    assert all(1 <= row["effective_schools"] <= 13 for row in diagnostics["fit"])


@pytest.mark.parametrize(
    ("entries", "networks", "vcov", "warning"),
    [
        ({1: 2013}, {}, "placebo schools, normal", "takes comparison schools to vary as member schools do"),
        ({1: 2013, 2: 2013}, {}, "placebo schools, normal", "takes comparison schools to vary"),
        # Two networks of two schools: placebo errors take schools to be independent.
        (dict.fromkeys((1, 2, 3, 4), 2013), {2: 1, 4: 3}, "jackknife by cluster, normal", "only 2 treated clusters"),
        # One network: nothing is left.
        ({1: 2013, 2: 2013}, {2: 1}, "none", "no standard error: jackknife: .*placebo: "),
        # Seven clusters, but an entry group of a single one.
        (dict.fromkeys(range(1, 7), 2013) | {7: 2014}, {}, "placebo schools, normal", "takes comparison schools"),
    ],
)
def test_standard_errors_follow_the_rule(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entries: dict[int, int],
    networks: dict[int, int],
    vcov: str,
    warning: str,
) -> None:
    monkeypatch.setattr("plneval.estimate.synthetic_did.REPLICATIONS", 50)
    rows = study(entries, schools=16, noise=0.5)
    rows["cluster"] = rows["school"].replace(networks)
    records, _ = fit(tmp_path, rows)
    record = records.loc[("att_third_year_on", "")]
    assert record["vcov"] == vcov
    assert pd.isna(record["se"]) == (vcov == "none")
    assert pd.Series([record["warnings"]]).str.contains(warning).all()
    influence = pd.read_parquet(tmp_path / "records" / "m.influence.parquet")
    assert len(influence) > 0 if vcov.startswith("jackknife") else influence.empty


def test_what_cannot_be_used_is_listed(tmp_path: Path) -> None:
    entries = dict.fromkeys(range(1, 8), 2013) | {8: 2011, 9: 2016, 10: 2018}
    rows = study(entries)
    rows = rows[~((rows["school"] == 12) & (rows["year"] == 2014))]
    records, diagnostics = fit(tmp_path, rows)
    listed = {(row["unit"], row["reason"]): row["count"] for row in diagnostics["exclusions"]}
    assert listed == {
        ("schools", "joined after the last outcome year: neither treated nor a school that never joins"): 1,
        ("schools", "not seen in every outcome year"): 1,
        ("schools", "fewer than 2 periods before entry"): 1,
        ("groups", "no event time of 2 or more: not in the third-year effect"): 1,
    }
    # Seven members and nine of the ten comparison schools; the group of 2016 is in the average of all years.
    assert records.loc[("att_third_year_on", ""), "n_schools"] == 16
    assert records.loc[("att_overall", ""), "n_schools"] == 17
    assert "not seen in every outcome year" in records.loc[("att_overall", ""), "warnings"]


@pytest.mark.parametrize(
    ("entries", "key", "reason"),
    [
        (dict.fromkeys(range(1, 8), 2011), "not_estimated", "no treated school can be used"),
        (dict.fromkeys(range(1, 8), 2015), "no_headline", "follow-up too short"),
        ({}, "not_estimated", "no school enters by the last period"),
    ],
)
def test_what_is_not_estimable_is_said(tmp_path: Path, entries: dict[int, int], key: str, reason: str) -> None:
    records, diagnostics = fit(tmp_path, study(entries))
    assert reason in str(diagnostics[key])
    assert ("att_third_year_on", "") not in records.index
    assert (("att_overall", "") in records.index) == (key == "no_headline")

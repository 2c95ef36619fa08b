"""What the stage writes, and what a record says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, pupil_panel, school_panel, write_panel

from plneval.config.models import EventStudy, GroupTime
from plneval.errors import UserError
from plneval.estimate.records import COLUMNS, to_table
from plneval.estimate.stage import estimate

ARCHITECTURE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def contract() -> list[str]:
    """Columns of the records as ``docs/architecture.md`` lists them, without the remarks in brackets."""
    section = ARCHITECTURE.read_text(encoding="utf-8").split("## Records")[1]
    start = section.index("cohort, model, label")
    listed = re.sub(r"\([^)]*\)", "", section[start : section.index("Estimands:")])
    return [name.strip(" .\n") for name in listed.split(",")]


def study(seed: int = 1, pupils_per_year: int = 3) -> pd.DataFrame:
    """Pupils of eight members (2012) and eight others, 2010 to 2014, in networks of two."""
    draws = np.random.default_rng(seed)
    rows = []
    for school in range(1, 17):
        for year in range(2010, 2015):
            for place in range(pupils_per_year):
                rows.append(
                    {
                        "school": school,
                        "year": year,
                        "pupil": school * 100 + (year - 2010) // 3 * 10 + place,
                        "entry_year": 2012 if school <= 8 else None,
                        "cluster": (school + 1) // 2 if school <= 8 else school,
                        "z": draws.normal() + (0.5 if school <= 8 and year >= 2014 else 0.0),
                    }
                )
    return pd.DataFrame(rows).astype({"entry_year": "Int64"})


def panel(folder: Path, sds: dict[str, float] | None = None) -> Path:
    rows = study()
    keys = ["school", "year", "cluster"]
    means = rows.groupby(keys, as_index=False).agg(z=("z", "mean"), entry_year=("entry_year", "first"), n=("z", "size"))
    return write_panel(folder, school_panel(means), pupil_panel(rows), sds)


GROUP_TIME = GroupTime(kind="did.att_gt", label="l", outcome="maths", headline=True)
EVENT_STUDY = EventStudy(kind="did.event_study", label="l", outcome="maths")


def test_records_have_the_columns_of_the_contract_in_order(tmp_path: Path) -> None:
    assert list(COLUMNS) == contract()
    records, _ = fitted(cohort("pupils"), GROUP_TIME, panel(tmp_path, {"z": 1.0}))
    empty = to_table([])
    assert list(empty.columns) == contract()
    assert empty.dtypes.equals(records.reset_index()[list(COLUMNS)].dtypes)


def test_effect_sizes_divide_by_the_stored_sd_and_months_follow_the_table(tmp_path: Path) -> None:
    records, diagnostics = fitted(cohort("pupils"), GROUP_TIME, panel(tmp_path, {"z": 2.0, "score": 99.0}))
    headline = records.loc[("att_third_year_on", "")]
    for name in ("", "_low", "_high"):
        original = {"": "estimate", "_low": "ci_low", "_high": "ci_high"}[name]
        assert headline[f"effect_size{name}"] == pytest.approx(headline[original] / 2, rel=1e-12)
    assert diagnostics["standardiser"]["sd"] == 2.0
    assert headline["months_table"] == "trial"
    assert records.loc[("att_event_time", "e-2"), "effect_size"] == pytest.approx(
        records.loc[("att_event_time", "e-2"), "estimate"] / 2
    )
    assert pd.isna(records.loc[("att_event_time", "e-2"), "months"])
    assert pd.isna(records.loc[("pretrend", "joint"), "effect_size"])


def test_months_are_those_of_the_published_table(tmp_path: Path) -> None:
    folder = panel(tmp_path)
    size = fitted(cohort("pupils"), GROUP_TIME, folder)[0].loc[("att_third_year_on", ""), "estimate"]
    # An SD that makes the effect size 0.21: three months in the trial table.
    sds = pd.DataFrame(
        {
            "outcome": ["maths"],
            "subgroup": ["all"],
            "column": ["z"],
            "sd": [size / 0.21],
            "sd_total": [1.0],
            "n_pupils": [1],
        }
    )
    sds.to_parquet(folder / "standardisers.parquet")
    record = fitted(cohort("pupils"), GROUP_TIME, folder)[0].loc[("att_third_year_on", "")]
    assert record["effect_size"] == pytest.approx(0.21)
    assert record["months"] == 3


def test_without_an_sd_of_pupils_there_is_no_effect_size_and_no_months(tmp_path: Path) -> None:
    records, _ = fitted(cohort("pupils"), GROUP_TIME, panel(tmp_path))
    assert records[["effect_size", "effect_size_low", "effect_size_high", "months", "months_low"]].isna().all(axis=None)
    assert (records["standardiser"] == "").all()
    assert (records["months_table"] == "").all()


def test_outcomes_that_are_not_standardised_are_modelled_as_scores(tmp_path: Path) -> None:
    rows = study()
    means = rows.groupby(["school", "year"], as_index=False).agg(z=("z", "mean"), entry_year=("entry_year", "first"))
    table = school_panel(means.assign(score=means["z"] * 10)).assign(z=np.nan)
    records, diagnostics = fitted(cohort(standardise="none"), GROUP_TIME, write_panel(tmp_path / "a", table))
    plain, _ = fitted(cohort(), GROUP_TIME, write_panel(tmp_path / "b", school_panel(means)))
    key = ("att_third_year_on", "")
    assert records.loc[key, "estimate"] == pytest.approx(10 * plain.loc[key, "estimate"], rel=1e-12)
    assert diagnostics["column"] == "score"


def test_counts_tell_pupils_from_scores_and_networks_from_schools(tmp_path: Path) -> None:
    records, _ = fitted(cohort("pupils"), GROUP_TIME, panel(tmp_path, {"z": 1.0}))
    headline = records.loc[("att_third_year_on", "")]
    # One cell, 2014 against 2011: 16 schools × 2 years × 3 pupils, the pupils of 2014 being others than those of 2011.
    assert headline[["n_scores", "n_pupils", "n_schools", "n_networks", "n_treated"]].tolist() == [96, 96, 16, 4, 24]
    assert headline[["clusters_treated", "clusters_comparison"]].tolist() == [4, 8]
    # All cells: 2010 to 2012 share their pupils, and so do 2013 and 2014.
    assert records.loc[("att_overall", ""), "n_pupils"] == 16 * 6
    assert records.loc[("att_overall", ""), "n_scores"] == 16 * 4 * 3


def test_subgroups_read_their_own_rows(tmp_path: Path) -> None:
    rows = study()
    means = rows.groupby(["school", "year"], as_index=False).agg(z=("z", "mean"), entry_year=("entry_year", "first"))
    both = pd.concat([school_panel(means), school_panel(means.assign(z=-means["z"])).assign(subgroup="disadvantaged")])
    folder = write_panel(tmp_path, both)
    own = GROUP_TIME.model_copy(update={"subgroup": "disadvantaged"})
    key = ("att_third_year_on", "")
    whole = fitted(cohort(), GROUP_TIME, folder)[0].loc[key]
    part = fitted(cohort(), own, folder)[0].loc[key]
    assert part["estimate"] == pytest.approx(-whole["estimate"], rel=1e-12)
    assert part["subgroup"] == "disadvantaged"


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    folder = panel(tmp_path, {"z": 1.0})
    digests = []
    for name in ("a", "b"):
        for model, spec in (("cs", GROUP_TIME), ("twfe", EVENT_STUDY)):
            estimate(cohort("pupils"), "study", model, spec, folder, tmp_path / name, seed=1)
        files = sorted((tmp_path / name).iterdir())
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert digests[0] == digests[1]
    assert [name for name, _ in digests[0]] == [
        f"{model}.{part}"
        for model in ("cs", "twfe")
        for part in ("influence.parquet", "json", "records.parquet", "vcov.parquet")
    ]


def test_a_changed_specification_changes_its_digest_only(tmp_path: Path) -> None:
    folder = panel(tmp_path, {"z": 1.0})
    first = fitted(cohort("pupils"), GROUP_TIME, folder)[0].iloc[0]
    second = fitted(cohort("pupils"), GROUP_TIME.model_copy(update={"confidence": 0.9}), folder)[0].iloc[0]
    assert first["digest_spec"] != second["digest_spec"]
    assert first["digest_data"] == second["digest_data"]
    assert first["digest_code"] == second["digest_code"]
    assert second["ci_high"] - second["ci_low"] < first["ci_high"] - first["ci_low"]


def test_an_outcome_that_the_cohort_lacks_is_an_error(tmp_path: Path) -> None:
    model = GROUP_TIME.model_copy(update={"outcome": "reading"})
    with pytest.raises(UserError, match="names the outcome 'reading'"):
        fitted(cohort(), model, panel(tmp_path))

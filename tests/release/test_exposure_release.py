"""What leaves of exposure, diffusion and dose: small counts and results on few schools do not."""

from __future__ import annotations

import pandas as pd
import pytest
from restricted_by_hand import cohort, frames, spec

from plneval.config.report import Disclosure
from plneval.release.control import Controlled, control

RULE = Disclosure(minimum_count=10, round_to=5, minimum_schools=3, digits=3)


@pytest.fixture(scope="module")
def shown() -> Controlled:
    named = {"cs_maths": spec(), "cs_all": spec(), "cs_dis": spec(subgroup="disadvantaged")}
    return control(frames(), cohort(), "hill", named, RULE)


def test_small_counts_and_what_gives_them_away_are_suppressed(shown: Controlled) -> None:
    table = shown.frames["exposure_by_event_time"].set_index("event_time")
    # Seven scores without a teacher link are suppressed; 4,003 with one would give them away beside all 4,010.
    assert pd.isna(table.loc[0, "n_unknown"])
    assert table.loc[0, "direct_share"] == pytest.approx(0.423) or pd.isna(table.loc[0, "direct_share"])
    own = shown.frames["own_exposure"].set_index("event_time")
    visible = [pd.notna(table.loc[0, "n_linked"]), pd.notna(own.loc[0, "n_pupils"])]
    assert not all(visible)
    # 0.998 of 2,001 pupils leaves four.
    assert pd.isna(table.loc[1, "direct_share"])
    phases = shown.frames["phase_changes"].set_index("destination")
    assert pd.isna(phases.loc["not_joined", "mean_years_before"])
    assert phases.loc["joined", "n_pupils"] == 50


def test_means_over_fewer_schools_than_the_minimum_are_withheld(shown: Controlled) -> None:
    for name, column in (
        ("exposure_by_event_time", "mean_share"),
        ("own_exposure", "mean_years"),
        ("teacher_intensity", "mean_intensity"),
        ("network_attendance", "mean_hours"),
        ("dose_by_event_time", "mean_dose"),
        ("mobilisation", "ratio"),
    ):
        table = shown.frames[name]
        assert pd.isna(table[column].iloc[-1]), name
        assert bool(table[f"{column}_suppressed"].iloc[-1]), name


def test_the_headline_without_very_few_comparison_schools_is_withheld(shown: Controlled) -> None:
    table = shown.frames["doubtful_comparison"].set_index("variant")
    assert table.loc["without_near", "estimate"] == pytest.approx(0.13)
    assert pd.isna(table.loc["without_later", "estimate"])
    assert table.loc["all", "estimate"] == pytest.approx(0.12)
    # Two variants that differ by one school tell that school's part; two member schools are too few.
    assert pd.isna(table.loc["without_any", "estimate"])
    assert pd.isna(table.loc["without_other_in_either", "estimate"])

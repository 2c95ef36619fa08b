"""What leaves of possible ties: no cell of too few networks, and none that other cells and tables give away."""

from __future__ import annotations

import pandas as pd
import pytest
from restricted_by_hand import cohort, frames, spec

from plneval.config.report import Disclosure
from plneval.release.control import control

RULE = Disclosure(minimum_count=10, round_to=5, minimum_schools=3, digits=3)


@pytest.fixture(scope="module")
def shown() -> dict[str, pd.DataFrame]:
    named = {"cs_maths": spec(), "cs_all": spec(), "cs_dis": spec(subgroup="disadvantaged")}
    return control(frames(), cohort(), "hill", named, RULE).frames


def test_a_group_of_two_networks_is_withheld_and_does_not_follow_from_the_others(shown) -> None:
    table = shown["network_tie_shares"]
    blocks = table[table["basis"] == "block"].set_index("band")
    assert blocks.loc["near_unlike", ["n_people", "n_pairs", "n_ties", "share", "ci_low"]].isna().all()
    for count in ("n_pairs", "n_ties"):
        other = table[(table["band"] == "other_school") & (table["wave"] == 1)].iloc[0]
        alike = blocks.drop(index="near_unlike")
        assert pd.isna(other[count]) or alike[count].isna().any(), count
    assert blocks["share"].notna().any()


def test_a_wave_of_two_networks_does_not_follow_from_all_waves(shown) -> None:
    table = shown["network_tie_shares"]
    whole = table[table["basis"] == "all"]
    for count in ("n_pairs", "n_ties"):
        assert pd.isna(whole.loc[whole["wave"] == 2, count].iloc[0])
        assert whole.loc[whole["wave"] != 2, count].isna().any() or whole.loc[whole["wave"].isna(), count].isna().any()
    # Nor from the table of structure, which repeats the ties of a wave.
    structure = shown["network_structure"].set_index("wave")["n_ties"]
    ties = whole.set_index("wave")["n_ties"]
    if pd.isna(ties[1]):
        assert pd.isna(structure[1])


def test_a_difference_goes_where_one_of_its_sides_rests_on_few_ties(shown) -> None:
    table = shown["network_tie_shares"].set_index("band")
    assert pd.isna(table.loc["farthest", "share"])
    contrast = shown["network_tie_contrasts"].iloc[0]
    assert pd.isna(contrast["n_ties_second"])
    assert contrast[["difference", "ci_low", "ci_high"]].isna().all()

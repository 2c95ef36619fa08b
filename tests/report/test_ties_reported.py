"""Ties as readers meet them: groups of people, never people; what may not be shown is told and not drawn."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from plneval.report import tie_data, tie_figures
from plneval.report.load import Released

Study = Callable[[str], Released]


def plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def test_a_line_stands_for_each_group_with_its_share_and_its_possible_ties(released: Study) -> None:
    data = tie_data.tie_blocks(released("benefit"))
    assert data["to"].tolist() == ["same_school", "near_alike", "far_unlike"]
    drawn = tie_figures.tie_blocks(released("benefit"))
    assert plain(drawn.alt).endswith(
        "Wave 1 (2016): same school 48 % of 210 possible ties; near, alike 15 % of 135 possible ties; "
        "far, unlike not shown."
    )
    words = [plain(text.get_text()) for axes in drawn.figure.axes for text in axes.texts]
    assert {"48 %", "15 %", "not\nshown", "Same school (210)", "Near, alike\n(135)", "Far, unlike"} <= set(words)
    # Wider lines where more of the possible ties exist.
    widths = [line.get_linewidth() for line in drawn.figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert widths[0] / widths[1] == pytest.approx(0.481 / 0.147)


def test_bands_stand_in_order_with_limits_and_intervals(released: Study) -> None:
    data = tie_data.tie_bands(released("benefit"))
    assert data["band"].tolist() == ["same_school", "other_school", "nearest", "farthest"]
    alt = plain(tie_figures.tie_bands(released("benefit")).alt)
    assert "Nearest third (up to 11 km) 18 %  (15 to 23 %)" in alt
    assert "Farthest third (above 17 km) 13 %  (7 to 21 %)" in alt
    table = tie_data.bands_table(released("benefit"))
    assert table["Limits"].tolist() == ["", "", "up to 11 km", "above 17 km", "0.62 to 0.77"]
    assert table["Possible ties"].tolist()[:2] == ["420", "1,140"]


def test_only_an_interval_without_zero_says_that_people_turn_more_to_some(released: Study) -> None:
    same, near, alike = (plain(text) for text in tie_data.contrast_sentences(released("benefit")))
    assert same.endswith("+33 of 100 possible ties (28 to 38), so that people turn to them more.")
    assert near.endswith("(−1 to 11), so that no difference can be told from chance.")
    assert alike == (
        "Whether people turn more to those of the most alike third of other schools rather than the least alike may "
        "not be shown."
    )


def test_without_ties_the_figures_say_why_there_is_nothing(released: Study) -> None:
    for study in ("not_causal", "inconclusive"):
        assert tie_figures.tie_blocks(released(study)).alt == tie_figures.NO_TIES
        assert tie_figures.tie_bands(released(study)).alt == tie_figures.NO_TIES
        assert tie_data.bands_table(released(study)).empty
        assert tie_data.contrast_sentences(released(study)) == []
    assert isinstance(tie_data.tie_blocks(released("inconclusive")), pd.DataFrame)

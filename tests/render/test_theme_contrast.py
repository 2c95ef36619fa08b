"""Every text colour is readable on what it stands on (WCAG 2.2 AA: 4.5 to 1)."""

from __future__ import annotations

import pytest

from plneval.report.render import theme
from plneval.report.render.theme import contrast_ratio


def test_the_contrast_ratio_is_that_of_the_standard() -> None:
    # Black on white is 21 by definition; #767676 is the best known grey that just passes (4.54).
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21)
    assert contrast_ratio("#ffffff", "#767676") == pytest.approx(4.54, abs=0.005)
    assert contrast_ratio("#777777", "#ffffff") < 4.5


@pytest.mark.parametrize("background", [theme.PAPER, theme.SURFACE])
@pytest.mark.parametrize("name", ["INK", "MUTED", "ACCENT", "ACCENT_DARK", "POSITIVE", "NEGATIVE", "UNCERTAIN"])
def test_text_is_readable_on_every_surface(name: str, background: str) -> None:
    assert contrast_ratio(getattr(theme, name), background) >= 4.5


@pytest.mark.parametrize("kind", sorted(theme.CALLOUTS))
def test_callouts_are_readable_on_their_tint(kind: str) -> None:
    strong, tint = theme.CALLOUTS[kind]
    assert contrast_ratio(strong, tint) >= 4.5
    assert contrast_ratio(theme.INK, tint) >= 4.5
    assert contrast_ratio(theme.ACCENT, tint) >= 4.5


@pytest.mark.parametrize("colour", theme.SERIES)
def test_series_stand_out_from_the_paper(colour: str) -> None:
    # Graphical objects need 3 to 1; these are used for labels too.
    assert contrast_ratio(colour, theme.PAPER) >= 4.5

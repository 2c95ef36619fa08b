"""Disclosure presets as their sources state them; applying them is tested with the release."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from plneval.standards.disclosure import PRESETS, preset
from plneval.standards.records import DisclosurePreset


def test_opensafely_redacts_one_to_seven_and_then_rounds_to_five() -> None:
    rules = preset("opensafely")
    assert (rules.redact_counts_from, rules.redact_counts_to, rules.rounding_base) == (1, 7, 5)
    assert rules.redact_before_rounding
    assert rules.totals_from_rounded
    assert not rules.minimum_maximum_allowed


def test_tre_has_the_defaults_of_acro() -> None:
    """safe_threshold 10 (zeros disclosive), safe_dof_threshold 10, safe_nk 2 and 0.90, safe_pratio_p 0.10."""
    rules = preset("tre")
    assert (rules.redact_counts_from, rules.redact_counts_to, rules.minimum_residual_df) == (0, 9, 10)
    assert (rules.dominance_contributors, rules.dominance_maximum_share) == (2, 0.90)
    assert (rules.remainder_minimum_share_of_largest, rules.rounding_base) == (0.10, 5)


def test_ferpa10_suppresses_below_ten_with_complementary_suppression() -> None:
    rules = preset("ferpa10")
    assert (rules.redact_counts_to, rules.secondary_suppression, rules.rounding_base) == (9, True, None)


def test_public_suppresses_no_count() -> None:
    rules = preset("public")
    assert rules.redact_counts_from is None
    assert rules.redact_counts_to is None


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_lets_a_result_of_fewer_than_three_schools_out(name: str) -> None:
    assert preset(name).minimum_schools == 3
    assert preset(name).name == f"disclosure_{name}"


def test_unknown_preset_is_named_with_the_likely_one() -> None:
    with pytest.raises(ValueError, match=r"no disclosure preset 'ferpa'.*Did you mean 'ferpa10'"):
        preset("ferpa")


def test_half_a_rule_is_refused() -> None:
    rules = preset("tre").model_dump() | {"redact_counts_from": None}
    with pytest.raises(ValidationError, match="go together"):
        DisclosurePreset.model_validate(rules)

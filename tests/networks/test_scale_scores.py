"""Scores from answers: reversal, minimum answers, and every kind of answer that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_form import FORM

from plneval.config.base import load
from plneval.config.instrument import Instrument
from plneval.errors import UserError, UserErrors
from plneval.networks.scales import group_scores, read_answers, scale_scores
from plneval.simulate.voices import INSTRUMENTS


def surveys(*answers: tuple[str, str, str, str | None, float | None]) -> pd.DataFrame:
    """Rows of (respondent, wave, item, role, response); respondents s1..., of school s and network n."""
    rows = [
        {
            "respondent_id": who,
            "instrument": "made",
            "wave": wave,
            "item": item,
            "date": pd.Timestamp("2016-03-01"),
            "school_id": who[0],
            "network_id": "n",
            "teacher_id": who,
            "role": role,
            "response": response,
        }
        for who, wave, item, role, response in answers
    ]
    return pd.DataFrame(rows)


def person(who: str, wave: str, values: tuple[float | None, ...], role: str | None = "participant") -> list:
    return [(who, wave, item, role, value) for item, value in zip("abc", values, strict=True)]


def counts(notes: pd.DataFrame) -> dict[tuple[str, str], int]:
    rows = zip(notes["rule"], notes["item"], notes["count"], strict=True)
    return {(str(rule), str(item)): int(count) for rule, item, count in rows}


def test_reversed_items_are_turned_round_and_the_score_is_the_mean_of_the_items_answered() -> None:
    found = read_answers(surveys(*person("p1", "1", (4, 5, 2)), *person("p2", "1", (4, None, 1))), "made", FORM)
    assert found.table["c"].tolist() == [4, 5]  # 1 + 5 - 2, 1 + 5 - 1
    scores, notes = scale_scores(found, FORM)
    assert scores["score"].tolist() == pytest.approx([13 / 3, 4.5])
    assert scores["n_answered"].tolist() == [3, 2]
    assert notes.empty


def test_too_few_answers_give_no_score_and_are_counted() -> None:
    found = read_answers(surveys(*person("p1", "1", (4, None, None)), *person("p2", "1", (4, 4, 2))), "made", FORM)
    scores, notes = scale_scores(found, FORM)
    assert scores["score"].isna().tolist() == [True, False]
    assert counts(notes) == {("too_few_answers", "trust"): 1}


def test_an_answer_outside_the_scale_or_between_its_points_counts_as_not_answered() -> None:
    rows = surveys(*person("p1", "1", (4, 9, 2)), *person("p2", "1", (4, 4, 2.5)), *person("p3", "1", (1, 2, 3)))
    found = read_answers(rows, "made", FORM)
    assert found.table[["a", "b", "c"]].isna().sum().to_dict() == {"a": 0, "b": 1, "c": 1}
    assert counts(found.notes) == {("answer_outside_scale", "b"): 1, ("answer_outside_scale", "c"): 1}


def test_a_wrongly_declared_range_is_refused_with_item_and_values_found() -> None:
    rows = surveys(*person("p1", "1", (4, 70, 2)), *person("p2", "1", (4, 85, 2)))
    with pytest.raises(UserError, match=r"'b' with answers from 70 to 85; correct `lowest` and `highest`"):
        read_answers(rows, "made", FORM)


def test_answers_of_roles_not_asked_are_left_out_and_unknown_roles_kept_both_counted() -> None:
    rows = surveys(
        *person("p1", "1", (1, 1, 1)),
        *person("p2", "1", (2, 2, 2), role="colleague"),
        *person("p3", "1", (3, 3, 3), role=None),
    )
    found = read_answers(rows, "made", FORM)
    assert found.table["respondent_id"].tolist() == ["p1", "p3"]
    assert counts(found.notes) == {(rule, item): 1 for rule in ("role_missing", "role_not_asked") for item in "abc"}


def test_unknown_items_are_counted_and_an_item_that_a_wave_did_not_ask_is_named() -> None:
    rows = surveys(*person("p1", "1", (1, 1, 1)), ("p1", "2", "a", "leader", 3), ("p1", "2", "b", "leader", 4))
    extra = surveys(("p1", "1", "z", "leader", 3))
    found = read_answers(pd.concat([rows, extra]), "made", FORM)
    assert counts(found.notes) == {("unknown_item", "z"): 1, ("item_not_asked", "c"): 1}
    scores, _ = scale_scores(found, FORM)
    assert scores["score"].tolist() == pytest.approx([(1 + 1 + 5) / 3, 3.5])


def test_an_unknown_form_is_refused_with_the_likely_name() -> None:
    with pytest.raises(UserError, match=r"no answers to the form 'maed'; the table holds made\. Did you mean 'made'\?"):
        read_answers(surveys(*person("p1", "1", (1, 1, 1))), "maed", FORM)


def test_group_scores_average_respondents_and_count_their_schools() -> None:
    rows = surveys(*person("p1", "1", (1, 1, 5)), *person("q1", "1", (3, 3, 3)), *person("q2", "1", (5, 5, 1)))
    scores, _ = scale_scores(read_answers(rows, "made", FORM), FORM)
    (network,) = group_scores(scores, "network_id").to_dict("records")
    assert (network["score"], network["sd"]) == (pytest.approx(3.0), pytest.approx(2.0))
    assert (network["n_respondents"], network["n_schools"]) == (3, 2)


def test_the_generic_instrument_fits_the_made_up_study(root: Path) -> None:
    forms = load(root / "config" / "instruments" / "generic.yaml", Instrument).forms
    for name, items in INSTRUMENTS.items():
        scales = forms[name].scales.values()
        asked = {item: spec.reverse for scale in scales for item, spec in scale.items.items()}
        assert asked == {item: item.endswith("r") for item in items}


def test_every_construct_of_the_literature_has_a_scale(root: Path) -> None:
    forms = load(root / "config" / "instruments" / "generic.yaml", Instrument).forms
    assert set(forms["conditions_long"].scales) == {
        "focus_network",
        "focus_school",
        "trust",
        "disclosure",
        "inquiry",
        "individual_learning",
        "group_learning",
        "network_leadership",
        "formalising",
        "prioritising",
        "mobilising",
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("lowest: 5\n    highest: 1", r"highest: the highest answer is 1 and the lowest 5; it must lie above"),
        ("lowest: 1\n    highest: 5\n    anchors: [less, more]", r"anchors: 2 words for 5 answers from 1 to 5"),
        ("lowest: 1\n    highest: 5\n    rules: []", r"there is no such key\. Did you mean 'roles'\?"),
    ],
)
def test_a_mistake_in_the_instrument_file_names_its_line(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    scale = "{label: T, meaning: M, measures: condition, sources: [s], items: {a: {wording: A}, b: {wording: B}}}"
    head = f"title: X\nforms:\n  f:\n    label: F\n    {lines}\n    roles: [leader]\n    scales:\n"
    path.write_text(f"{head}      t: {scale}\n")
    with pytest.raises(UserErrors, match=rf"x\.yaml:\d+: forms\.f.*{message}"):
        load(path, Instrument)


def test_an_item_of_two_scales_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    scale = "{label: T, meaning: M, measures: condition, sources: [s], items: {a: {wording: A}, b: {wording: B}}}"
    head = "title: X\nforms:\n  f:\n    label: F\n    lowest: 1\n    highest: 5\n    roles: [leader]\n    scales:\n"
    path.write_text(f"{head}      t: {scale}\n      u: {scale}\n")
    with pytest.raises(UserErrors, match=r"x\.yaml:10: .*the item belongs to the scale 't' already"):
        load(path, Instrument)

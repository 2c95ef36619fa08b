"""Effects of parts of the member schools at the door: thin ones are withheld, unnamed, and cannot be worked out."""

from __future__ import annotations

from typing import Any

import pandas as pd
from restricted_by_hand import cohort, frames, record, records_table, spec

from plneval.config.report import Disclosure
from plneval.release.control import control

RULE = Disclosure(minimum_schools=3)
MODELS = ("cs_maths", "cs_all", "cs_dis", "twfe", "by_type")


def part(term: str, treated: int, clusters: int, estimand: str = "att_split") -> dict[str, Any]:
    numbers = {"estimate": 0.1, "se": 0.03, "ci_low": 0.04, "ci_high": 0.16, "p": 0.01, "n_schools": 80}
    row = record(estimand, term=term, n_treated=treated, clusters_treated=clusters, **numbers)
    return {**row, "model": "by_type", "estimator": "networks.split"}


def released(*rows: dict[str, Any]) -> dict[str, pd.DataFrame]:
    tables = frames()
    made = records_table([*tables["records"].to_dict("records"), *rows])
    tables["records"] = made
    again = tables["recomputed"].head(1).assign(model="by_type", estimand="att_split")
    terms = [row["term"] for row in rows if row["estimand"] == "att_split"]
    tables["recomputed"] = pd.concat([tables["recomputed"], *(again.assign(term=term) for term in terms)])
    return control(tables, cohort(), "hill", {name: spec() for name in MODELS}, RULE).frames


def test_a_part_of_two_networks_and_the_next_smallest_are_withheld_without_their_names() -> None:
    found = released(
        part("network_type:lesson study", 900, 6),
        part("network_type:Northern circle", 400, 2),
        part("network_type:data use team", 700, 4),
        part("network_type:circle", 600, 3),
    )
    own = found["records"][found["records"]["model"] == "by_type"]
    assert own["term"].tolist() == [
        "network_type:lesson study",
        "network_type:not shown 1",
        "network_type:data use team",
        "network_type:not shown 2",
    ]
    assert own["estimate"].isna().tolist() == [False, True, False, True]
    assert own["withheld"].tolist()[1] == "fewer than 3 schools"
    assert own["withheld"].tolist()[3] == "could be worked out from another effect that is withheld"
    again = found["recomputed"][found["recomputed"]["model"] == "by_type"]
    assert again["term"].tolist() == own["term"].tolist()
    assert again["estimate"].isna().tolist() == [False, True, False, True]
    assert not any("Northern circle" in frame.to_csv() for frame in found.values())


def test_a_difference_goes_with_its_parts() -> None:
    bands = [part("deprivation:low", 900, 6), part("deprivation:middle", 800, 6)]
    difference = part("deprivation:high-low", 700, 4, "att_split_difference")
    shown = released(*bands, part("deprivation:high", 700, 4), difference)["records"]
    assert shown.loc[shown["model"] == "by_type", "estimate"].notna().all()
    thin = released(
        *bands, part("deprivation:high", 700, 2), part("deprivation:high-low", 700, 4, difference["estimand"])
    )
    assert thin["records"].loc[thin["records"]["model"] == "by_type", "estimate"].notna().tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_criteria_on_few_respondents_schools_or_networks_have_no_numbers() -> None:
    card = released()["sustainability"].set_index("criterion")
    assert card.loc["practice_participants", ["value", "truth", "covered"]].tolist() == [0.412, 0.3, True]
    assert card["value"].isna().to_dict() == {
        "practice_participants": False,
        "policy": True,
        "effect_third_year_on": False,
        "effect_after_leaving": True,
        "products_used": False,
        "products_improved": True,
    }
    assert card.loc["policy", ["value_suppressed", "n_respondents_suppressed"]].tolist() == [True, True]
    assert card.loc["products_used", "n_products_unknown"] == 2


COUNTS = ["networks_shown", "networks_not_shown", "networks_no_data"]


def test_where_two_networks_have_data_it_is_not_told_in_how_many_a_criterion_is_shown() -> None:
    card = released()["sustainability"].set_index("criterion")
    assert card.loc["practice_participants", COUNTS].tolist() == [2, 5, 3]
    for criterion in ("effect_third_year_on", "products_improved"):
        assert card.loc[criterion, COUNTS].isna().all()
        assert card.loc[criterion, [f"{name}_suppressed" for name in COUNTS]].all()


def test_of_two_networks_it_is_not_told_how_many_reach_which_degree() -> None:
    tables = frames()
    models = {name: spec() for name in MODELS}
    shown = control(tables, cohort(), "hill", models, RULE).frames["sustainability_degrees"]
    assert shown["n_networks"].tolist() == [4, 6, 0, 0]
    tables["sustainability_degrees"] = tables["sustainability_degrees"].assign(
        n_networks=[1, 1, 0, 0], networks_behind=2
    )
    two = control(tables, cohort(), "hill", models, RULE).frames["sustainability_degrees"]
    assert two["n_networks"].isna().all()
    assert two["n_networks_suppressed"].all()
    assert two["overall"].tolist() == [False, True, False, False]
    # The preset's own minimum governs, not a fixed three.
    strict = control(frames(), cohort(), "hill", models, Disclosure(minimum_schools=11)).frames
    assert strict["sustainability_degrees"]["n_networks"].isna().all()


def test_shares_of_products_rest_on_networks_and_schools() -> None:
    use = released()["product_use"]
    # Of two networks, of five networks with two schools, of many, of the study's only network with nine schools.
    assert use["share"].isna().tolist() == [True, True, False, False]
    assert use["share_suppressed"].tolist() == [True, True, False, False]
    assert use["n_known"].tolist() == [7, 12, 22, 22]

"""The scorecard as a finding: effects, their trend and survey scores become criteria; what is missing says why."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).resolve().parent.parent / "estimate"))

from estimate_panels import cohort, school_panel, write_panel

from plneval.artifacts import write_json
from plneval.challenge import sustainability as findings
from plneval.challenge.effect_trend import effect_trend
from plneval.challenge.sustainability import NOT_CAUSAL, sustainability
from plneval.config.models import GroupTime

SPEC = GroupTime(kind="did.att_gt", label="l", outcome="maths", headline=True)
# What member schools gain in their third, fourth and fifth year: means of 0.30, 0.20 and 0.10.
GAINS = {1: (0.40, 0.25, 0.10), 2: (0.20, 0.15, 0.10), 3: (0.30, 0.25, 0.20), 4: (0.30, 0.15, 0.00)}
OTHERS = {5: (0.02, 0.00, 0.04), 6: (0.00, 0.02, -0.02), 7: (-0.02, 0.01, 0.00), 8: (0.00, -0.03, -0.02)}


def panel(folder: Path, years: int = 3) -> Path:
    rows = []
    for school, gains in {**GAINS, **OTHERS}.items():
        for year, gain in zip((2010, 2011, 2014, 2015, 2016), (0.0, 0.0, *gains), strict=True):
            if year >= 2014 and year - 2013 > years:
                continue
            entry = 2012 if school in GAINS else None
            rows.append({"school": school, "year": year, "entry_year": entry, "z": 0.1 * school + gain})
            rows[-1] |= {"cluster": school, "network": 1 + school % 2}
    return write_panel(folder, school_panel(pd.DataFrame(rows).astype({"entry_year": "Int64"})), sds={"z": 1.0})


def inventory(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """Products by hand: network, product_id, year, used, improved."""
    table = pd.DataFrame(list(rows), columns=["network", "product_id", "year", "used", "improved"])
    return table.assign(kind="lesson plan").astype(
        {"network": "Int64", "year": "Int64", "used": float, "improved": float}
    )


def study(
    folder: Path, instrument: Any = None, higher_is_better: bool = True, products: Iterable[tuple[Any, ...]] = ()
) -> Any:
    made = cohort("schools")
    made.outcomes["maths"] = made.outcomes["maths"].model_copy(update={"higher_is_better": higher_is_better})
    forms = {} if instrument is None else instrument
    return SimpleNamespace(
        cohort=made,
        panel=folder,
        instrument=instrument,
        school_networks=None,
        tables=SimpleNamespace(
            spells=pd.DataFrame({"network": [1, 2, 2], "school": [1, 2, 4]}), products=inventory(products)
        ),
        forms_measuring=lambda what: {name: form for name, form in forms.items() if name == what},
    )


def record(estimand: str, estimate: float, model: str = "cs") -> dict[str, Any]:
    ends = {"ci_low": estimate - 0.1, "ci_high": estimate + 0.1}
    named = {"model": model, "estimand": estimand, "outcome": "maths", "subgroup": "all", "n_schools": 8}
    return {**named, "estimate": estimate, **ends}


def test_the_trend_is_the_slope_of_effects_on_years(tmp_path: Path) -> None:
    """Each school's own slope over three years, members' mean less comparison's, with Welch's error and 3 df."""
    found = effect_trend(cohort("schools"), SPEC, panel(tmp_path))
    assert not isinstance(found, str)
    members, others = ([(gains[2] - gains[0]) / 2 for gains in arm.values()] for arm in (GAINS, OTHERS))
    expected = np.mean(members) - np.mean(others)
    se = np.sqrt(np.var(members, ddof=1) / 4 + np.var(others, ddof=1) / 4)
    half = stats.t.ppf(0.975, 3) * se
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert (found.ci_low, found.ci_high) == pytest.approx((expected - half, expected + half), rel=1e-9)
    assert found.n_schools == 8


def test_one_late_year_has_no_trend_and_says_so(tmp_path: Path) -> None:
    found = effect_trend(cohort("schools"), SPEC, panel(tmp_path, years=1))
    assert found == "No entry group has results in two years from the third year on."


def test_effects_become_criteria_and_what_is_missing_has_its_reason(tmp_path: Path) -> None:
    records = pd.DataFrame([record("att_third_year_on", 0.2), record("att_third_year_on", 0.9, "other")])
    tables = sustainability(study(panel(tmp_path)), {"cs": SPEC}, records, causal=True)
    card = tables["sustainability"].set_index("criterion")
    assert len(card) == 10
    third = card.loc["effect_third_year_on"]
    assert (third["verdict"], third["value"], third["ci_low"], third["n_schools"]) == ("shown", 0.2, 0.1, 8)
    assert card.loc["effect_trend", "verdict"] == "not_shown"
    assert card.loc["effect_trend", "unit"] == "sd_a_year"
    assert card.loc["effect_after_leaving", "verdict"] == "no_data"
    assert card.loc["effect_after_leaving", "reason"].startswith("No model of the effect after leaving")
    assert card.loc["practice_participants", "reason"].startswith("The cohort declares no instrument")
    assert card.loc["products_used", "reason"] == findings.NO_PRODUCTS
    # Nothing is met without data: one of ten criteria, in one of three parts.
    assert (card["verdict"] == "shown").sum() == 1
    degrees = tables["sustainability_degrees"]
    assert degrees.loc[degrees["overall"], "name"].tolist() == ["begun"]
    assert degrees["n_networks"].sum() == 2
    assert card.loc["products_used", "networks_no_data"] == 2


def test_an_effect_after_leaving_is_taken_from_its_record(tmp_path: Path) -> None:
    records = pd.DataFrame([record("att_third_year_on", 0.2), record("att_after_leaving", 0.05, "left")])
    card = sustainability(study(panel(tmp_path)), {"cs": SPEC}, records, causal=True)["sustainability"]
    row = card.set_index("criterion").loc["effect_after_leaving"]
    assert (row["verdict"], row["value"], row["threshold"]) == ("not_shown", 0.05, 0.0)


def test_where_lower_is_better_signs_turn_round(tmp_path: Path) -> None:
    records = pd.DataFrame([record("att_third_year_on", -0.2)])
    made = study(panel(tmp_path), higher_is_better=False)
    card = sustainability(made, {"cs": SPEC}, records, causal=True)["sustainability"].set_index("criterion")
    row = card.loc["effect_third_year_on"]
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx((0.2, 0.1, 0.3))
    assert card.loc["effect_trend", "value"] > 0


def test_a_refused_verdict_leaves_no_effect_to_judge(tmp_path: Path) -> None:
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    card = sustainability(study(panel(tmp_path)), {"cs": SPEC}, records, causal=False)["sustainability"]
    outcomes = card[card["part"] == "outcomes"]
    assert set(outcomes["verdict"]) == {"no_data"}
    assert set(outcomes["reason"]) == {NOT_CAUSAL}
    assert outcomes["networks_no_data"].tolist() == [2, 2, 2]


def test_surveys_fill_practice_and_agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten participants of each network rise by a point; two scales of one respondent are averaged."""
    rows = []
    for network in (1, 2):
        for wave, level in (("1", 2.0), ("2", 3.0)):
            for person in range(10):
                for scale, shift in (("a", -0.5), ("b", 0.5)):
                    score = level + shift + 0.01 * person * network
                    who = {"respondent_id": f"{network}{person}", "wave": wave, "network": network}
                    who |= {"cluster": network, "school": 10 * network + person % 3}
                    rows.append({**who, "role": "participant", "scale": scale, "score": score})
    scores = pd.DataFrame(rows)
    scale = SimpleNamespace(measures="practice")
    forms = {"practice": SimpleNamespace(label="Practice", scales={"a": scale, "b": scale})}
    forms["agency"] = SimpleNamespace(label="Agency", scales={})
    answered = SimpleNamespace(form=forms["practice"], scores=scores.drop(columns="respondent_id"), raw=scores)
    monkeypatch.setattr(findings, "scored", lambda _, name: answered if name == "practice" else None)
    made = study(panel(tmp_path), instrument=forms)
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    card = sustainability(made, {"cs": SPEC}, records, causal=True)["sustainability"].set_index("criterion")
    row = card.loc["practice_participants"]
    assert (row["verdict"], row["n_networks"], row["networks_shown"]) == ("shown", 2, 2)
    assert row["value"] == pytest.approx(1.0, abs=1e-12)
    assert (
        card.loc["practice_colleagues", "reason"] == "Nobody who was to answer for this answered the form 'Practice'."
    )
    assert card.loc["agency_participants", "reason"] == "The form 'Agency' was not asked, or nobody answered it."
    assert card.loc["policy", "reason"] == "The instrument has no questions about policy."


THREE_USED = [(1, "a", 2014, 1, 1), (1, "b", 2014, 1, 0), (1, "c", 2014, 1, 0)]
# Network 2 gives out the same numbers. Of its c nobody could tell in 2015 whether it is used, of d never anything.
INVENTORY = [
    *THREE_USED,
    (1, "a", 2015, 1, 0),
    (2, "a", 2014, 1, 1),
    (2, "a", 2016, 0, 0),
    (2, "c", 2014, 1, 1),
    (2, "c", 2015, None, 1),
    (2, "d", 2015, None, None),
]


def test_products_count_as_at_the_last_time_of_asking_and_unknown_ones_are_counted_apart(tmp_path: Path) -> None:
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    made = study(panel(tmp_path), products=INVENTORY)
    tables = sustainability(made, {"cs": SPEC}, records, causal=True)
    card = tables["sustainability"].set_index("criterion")
    used = card.loc["products_used"]
    # a, b and c of network 1 are used, a of network 2 is not; its c and d are not known.
    assert (used["verdict"], used["value"], used["n_products"], used["n_products_unknown"]) == ("shown", 0.75, 4, 2)
    assert (used["n_networks"], used["n_schools"]) == (2, 3)
    improved = card.loc["products_improved"]
    # a, b, c of network 1 are not, a of network 2 is not and its c is: 1 of 5.
    assert (improved["verdict"], improved["value"], improved["n_products_unknown"]) == ("not_shown", 0.2, 1)
    # Network 1 alone has three products of known use: what the counts rest on is one network.
    counts = ["networks_shown", "networks_not_shown", "networks_no_data", "networks_behind"]
    assert used[counts].tolist() == [1, 0, 1, 1]
    assert tables["sustainability_degrees"]["networks_behind"].tolist() == [2] * 4


def test_products_of_the_only_network_rest_on_its_schools(tmp_path: Path) -> None:
    made = study(panel(tmp_path), products=THREE_USED)
    made.tables.spells = pd.DataFrame({"network": [1, 1, 1], "school": [1, 2, 3]})
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    tables = sustainability(made, {"cs": SPEC}, records, causal=True)
    used = tables["sustainability"].set_index("criterion").loc["products_used"]
    assert (used["verdict"], used["value"], used["n_schools"]) == ("shown", 1.0, 3)
    assert used[["n_networks", "networks_shown", "networks_behind"]].isna().all()
    assert tables["sustainability_degrees"][["n_networks", "networks_behind"]].isna().all(axis=None)


def test_one_network_without_an_inventory_has_no_data_on_products_and_says_why(tmp_path: Path) -> None:
    made = study(panel(tmp_path))
    made.tables.spells = pd.DataFrame({"network": [1, 1, 1], "school": [1, 2, 3]})
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    card = sustainability(made, {"cs": SPEC}, records, causal=True)["sustainability"].set_index("criterion")
    for criterion in ("products_used", "products_improved"):
        assert card.loc[criterion, ["verdict", "reason"]].tolist() == ["no_data", findings.NO_PRODUCTS]
        assert pd.isna(card.loc[criterion, "networks_no_data"])


def test_two_products_are_too_few_and_the_reason_says_how_many_are_known(tmp_path: Path) -> None:
    made = study(panel(tmp_path), products=[*THREE_USED[:2], (2, "z", 2016, None, 1)])
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    card = sustainability(made, {"cs": SPEC}, records, causal=True)["sustainability"].set_index("criterion")
    assert card.loc["products_used", "verdict"] == "no_data"
    assert card.loc["products_used", "reason"] == (
        "Of 2 products it is known whether they are still used, of 1 more it is not known; 3 are needed."
    )
    # Whether they are improved is known of all three.
    assert card.loc["products_improved", "verdict"] == "shown"


def test_what_is_planted_stands_beside_what_was_found(tmp_path: Path) -> None:
    write_json(
        tmp_path / "truth.json",
        {
            "headline": {},
            "effects": {},
            "sustainability": {
                "effect_third_year_on": {"maths": 0.31},
                "effect_after_leaving": {"maths": 0.1},
                "products_used": 0.75,
                "note": "x",
            },
        },
    )
    made = study(panel(tmp_path), products=INVENTORY)
    records = pd.DataFrame([record("att_third_year_on", 0.2)])
    tables = sustainability(made, {"cs": SPEC}, records, tmp_path / "truth.json", causal=True)
    card = tables["sustainability"].set_index("criterion")
    # The interval ends at 0.3. Products are counted and have none; where nothing was found, nothing is compared.
    assert card.loc["effect_third_year_on", ["truth", "covered"]].tolist() == [0.31, False]
    assert card.loc["products_used", "truth"] == card.loc["products_used", "value"]
    assert pd.isna(card.loc["products_used", "covered"])
    assert pd.isna(card.loc["effect_after_leaving", "truth"])
    real = sustainability(made, {"cs": SPEC}, records, causal=True)["sustainability"]
    assert real[["truth", "covered"]].isna().all(axis=None)

"""Numbers that are shown do not give away one that is withheld: diffusion, dose, event times and their averages."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from restricted_by_hand import cohort, frames, record, records_table, spec

from plneval.config.report import Disclosure
from plneval.release.control import control
from plneval.release.thin_results import withheld_records
from plneval.report.exposure_data import SIDES

RULE = Disclosure(minimum_schools=3, minimum_count=10)
FEW, WORKED_OUT = "fewer than 3 schools", "could be worked out from another effect that is withheld"
PEOPLE = "rests on fewer than 10 people, or could reveal such a count"
ENTERED = pd.DataFrame({"entry_year": [2014, 2015], "n_schools": [10, 12]})
NUMBERS = {"estimate": 0.1, "se": 0.03, "ci_low": 0.04, "ci_high": 0.16, "p": 0.01, "n_schools": 80}
MODELS = ("cs_maths", "cs_all", "cs_dis", "twfe", "spread_to", "dose")
DIFFUSION = ("att_direct", "att_indirect", "att_direct_less_indirect", "within_school", "mobilisation_ratio")


def diffusion(clusters: dict[str, int], treated: dict[str, int], time: int | None = None) -> list[dict[str, Any]]:
    """What the model gives: the difference and the ratio rest on the schools and pupils of both sides together."""
    rows = []
    for name in DIFFUSION:
        side = name.removeprefix("att_")
        more = max(clusters.values()) if side not in SIDES else clusters[side]
        pupils = sum(treated.values()) if side not in SIDES else treated[side]
        where = {} if time is None else {"term": f"e{time}", "event_time": time}
        ending = "" if time is None else "_event_time"
        people = {"n_treated": pupils, "n_pupils": 2000 + pupils, "n_scores": 3000 + 2 * pupils}
        row = record(f"{name}{ending}", clusters_treated=more, **{**NUMBERS, **where, **people})
        rows.append({**row, "model": "spread_to", "estimator": "networks.diffusion"})
    return rows


def released(rows: list[dict[str, Any]], whole: bool = False) -> dict[str, pd.DataFrame]:
    """Through the door; without ``whole`` there is no effect on all pupils that the two sides could be parts of."""
    tables = frames()
    others = tables["records"] if whole else tables["records"].assign(outcome="reading")
    tables["records"] = records_table([*others.to_dict("records"), *rows])
    ratio = tables["mobilisation"].iloc[[0]]
    times = dict.fromkeys(row["event_time"] for row in rows)
    tables["mobilisation"] = pd.concat(
        [ratio.assign(model="spread_to", event_time=time, clusters_treated=9) for time in times], ignore_index=True
    )
    names = {name: spec() for name in MODELS}
    return control(tables, cohort(outcomes=OUTCOMES), "hill", names, RULE).frames


OUTCOMES = {"maths": {"label": "Mathematics"}, "reading": {"label": "Reading"}}


def own(found: dict[str, pd.DataFrame], model: str = "spread_to") -> pd.DataFrame:
    records = found["records"]
    return records[records["model"] == model].set_index(["estimand", "term"])


@pytest.mark.parametrize(
    ("clusters", "treated", "why"),
    [
        ({"direct": 2, "indirect": 3}, {"direct": 300, "indirect": 400}, FEW),
        ({"direct": 3, "indirect": 2}, {"direct": 300, "indirect": 400}, FEW),
        ({"direct": 9, "indirect": 9}, {"direct": 8, "indirect": 4000}, PEOPLE),
    ],
)
def test_difference_and_ratio_go_where_one_side_is_withheld(
    clusters: dict[str, int], treated: dict[str, int], why: str
) -> None:
    found = released([*diffusion(clusters, treated), *diffusion(clusters, treated, 2)])
    records = own(found).droplevel("term")
    thin = "direct" if clusters["direct"] == 2 or treated["direct"] < 10 else "indirect"
    other = "indirect" if thin == "direct" else "direct"
    for ending in ("", "_event_time"):
        assert records.at[f"att_{thin}{ending}", "withheld"] == why
        assert pd.notna(records.at[f"att_{other}{ending}", "estimate"])
        for name in ("att_direct_less_indirect", "within_school", "mobilisation_ratio"):
            assert records.at[f"{name}{ending}", "withheld"] != ""
            assert records.loc[f"{name}{ending}", list(NUMBERS)[:5]].isna().all()
    ratio = found["mobilisation"]
    assert len(ratio) == 2
    assert ratio[["ratio", "ci_low", "ci_high", "excluded_from", "excluded_to"]].isna().all(axis=None)
    assert ratio["ratio_suppressed"].all()


def test_nothing_is_withheld_where_both_sides_are_shown() -> None:
    found = released(diffusion({"direct": 3, "indirect": 3}, {"direct": 300, "indirect": 400}))
    assert own(found)["withheld"].tolist() == [""] * 5
    assert found["mobilisation"]["ratio"].notna().all()


def test_the_other_side_goes_too_where_the_effect_on_all_pupils_is_shown() -> None:
    # The two are parts of all pupils, whose effect the headline is, and the share of either is released.
    found = released(diffusion({"direct": 2, "indirect": 9}, {"direct": 300, "indirect": 400}), whole=True)
    assert own(found)["withheld"].tolist() == [FEW, *[WORKED_OUT] * 4]


def test_pupils_of_one_side_only_are_protected_like_a_count() -> None:
    # 4006 of both sides less 4000 would leave six pupils whom only participants taught.
    rows = diffusion({"direct": 9, "indirect": 9}, {"direct": 2000, "indirect": 4000})
    both = {"n_treated": 4006, "n_pupils": 6006, "n_scores": 11006}
    rows = [{**row, **both} if row["n_treated"] == 6000 else row for row in rows]
    records = own(released(rows)).droplevel("term")
    indirect, both = (records.at[name, "n_treated"] for name in ("att_indirect", "att_direct_less_indirect"))
    assert pd.isna(indirect) or pd.isna(both)


def dose(bands: dict[str, tuple[int, int]], time: int | None = None) -> list[dict[str, Any]]:
    """Clusters and treated pupils by band."""
    rows = []
    for band, (clusters, treated) in bands.items():
        where = {"term": band} if time is None else {"term": f"{band}:e{time}", "event_time": time}
        estimand = "dose_third_year_on" if time is None else "dose_event_time"
        row = record(estimand, clusters_treated=clusters, n_treated=treated, **{**NUMBERS, **where})
        rows.append({**row, "model": "dose", "estimator": "networks.dose"})
    return rows


@pytest.mark.parametrize("time", [None, 2])
@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ({"low": (2, 100), "middle": (9, 900), "high": (8, 800)}, [FEW, "", WORKED_OUT]),
        ({"low": (2, 100), "middle": (9, 900), "high": (2, 800)}, [FEW, "", FEW]),
        # The first is withheld later, with its count of eight pupils.
        ({"low": (9, 8), "middle": (9, 900), "high": (8, 800)}, ["", "", WORKED_OUT]),
        ({"low": (3, 100), "middle": (9, 900), "high": (8, 800)}, ["", "", ""]),
    ],
)
def test_a_single_withheld_band_of_dose_takes_the_next_smallest_with_it(
    bands: dict[str, tuple[int, int]], expected: list[str], time: int | None
) -> None:
    table = records_table(dose(bands, time))
    assert withheld_records(table, ENTERED, cohort(), {"dose": spec()}, RULE).tolist() == expected


def reasons(rows: list[tuple[str, str, int | None, int, int]]) -> dict[str, str]:
    """Reasons by estimand and term; rows: estimand, term, event time, treated pupils, clusters."""
    table = records_table(
        [
            {
                **record(estimand, term=term, event_time=time, n_treated=treated, clusters_treated=clusters, **NUMBERS),
                "model": "m",
                "estimator": "networks.diffusion",
            }
            for estimand, term, time, treated, clusters in rows
        ]
    )
    found = withheld_records(table, ENTERED, cohort(), {"m": spec()}, RULE)
    return dict(zip(table["estimand"] + table["term"], found, strict=True))


def test_one_event_time_does_not_follow_from_the_average_and_the_others() -> None:
    sizes = {2: (900, 9), 3: (700, 7), 4: (500, 5), 5: (100, 2)}
    rows = [("att_direct", "", None, 1500, 9)]
    rows += [("att_direct_event_time", f"e{time}", time, *size) for time, size in ((0, (800, 9)), *sizes.items())]
    found = reasons(rows)
    assert found["att_direct"] == ""
    assert found["att_direct_event_timee5"] == FEW
    assert found["att_direct_event_timee4"] == WORKED_OUT
    assert [found[f"att_direct_event_timee{time}"] for time in (0, 2, 3)] == ["", "", ""]
    # Two that are thin rest on the same few schools, and so does what the others leave of the average.
    sizes[4] = (500, 2)
    both = reasons(rows[:1] + [("att_direct_event_time", f"e{time}", time, *size) for time, size in sizes.items()])
    assert [both[f"att_direct_event_timee{time}"] for time in sizes] == ["", WORKED_OUT, FEW, FEW]


def test_a_band_of_dose_in_a_year_does_not_follow_from_its_other_years() -> None:
    rows = [("dose_third_year_on", band, None, 900, 9) for band in ("low", "high")]
    rows += [
        ("dose_event_time", f"{band}:e{time}", time, 100 * (9 - time), 2 if time == 4 else 9)
        for band in ("low", "high")
        for time in (2, 3, 4)
    ]
    found = reasons(rows)
    assert {term: why for term, why in found.items() if why} == {
        "dose_event_timelow:e4": FEW,
        "dose_event_timehigh:e4": FEW,
        "dose_event_timelow:e3": WORKED_OUT,
        "dose_event_timehigh:e3": WORKED_OUT,
    }


def group_times(entry: dict[int, int], cells: dict[tuple[int, int], int]) -> dict[str, str]:
    """Reasons in a model of group-time effects with all its averages; cells: (entry year, event time) → pupils."""
    rows = [
        record("att_group_time", term=f"g{g}:t{g + e}", event_time=e, n_treated=n, **NUMBERS)
        for (g, e), n in cells.items()
    ]
    for time in sorted({e for _, e in cells}):
        together = sum(n for (_, e), n in cells.items() if e == time)
        rows.append(record("att_event_time", term=f"e{time}", event_time=time, n_treated=together, **NUMBERS))
    rows += [record(name, n_treated=9000, **NUMBERS) for name in ("att_third_year_on", "att_third_year_on_equal")]
    table = records_table([{**row, "model": "m"} for row in rows])
    entered = pd.DataFrame({"entry_year": list(entry), "n_schools": list(entry.values())})
    found = withheld_records(table, entered, cohort(), {"m": spec()}, RULE)
    return dict(zip(table["estimand"] + table["term"], found, strict=True))


def test_an_event_time_of_one_thin_entry_group_takes_another_its_smallest_cell_and_the_equal_average_with_it() -> None:
    cells = {
        (2014, 2): 60,
        (2015, 2): 900,
        (2016, 2): 800,
        (2014, 3): 70,
        (2015, 3): 600,
        (2016, 3): 500,
        (2014, 4): 50,
    }
    found = group_times({2014: 2, 2015: 12, 2016: 11}, cells)
    assert found["att_event_timee4"] == found["att_group_timeg2014:t2018"] == FEW
    # e3, the next smallest, and not only its thin cell: its two other cells with what is known of their mean …
    assert found["att_event_timee3"] == WORKED_OUT
    assert found["att_group_timeg2014:t2017"] == FEW
    assert found["att_group_timeg2016:t2019"] == WORKED_OUT
    assert found["att_group_timeg2015:t2018"] == ""
    # … and the average that weights event times equally would be a second equation for the two.
    assert found["att_third_year_on_equal"] == WORKED_OUT
    assert found["att_third_year_on"] == found["att_event_timee2"] == ""


def test_cells_of_an_event_time_that_is_withheld_do_not_give_it_back() -> None:
    cells = {(2014, 2): 900, (2015, 2): 800, (2014, 3): 600, (2015, 3): 500, (2016, 4): 50}
    found = group_times({2014: 10, 2015: 12, 2016: 2}, cells)
    assert found["att_event_timee4"] == found["att_group_timeg2016:t2020"] == FEW
    assert found["att_event_timee3"] == WORKED_OUT
    # With one of its two cells hidden the event time stays unknown.
    assert [found[f"att_group_timeg{g}:t{g + 3}"] for g in (2014, 2015)] == ["", WORKED_OUT]

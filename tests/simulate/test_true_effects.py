"""truth.json tells the effects that are in the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw_study
from raw_study import label_year, read

from plneval.artifacts import read_json
from plneval.config.cohort import Study
from plneval.simulate.calendar import entry_years
from plneval.simulate.memberships import stages
from plneval.simulate.process import GRADES, NETWORK_TYPES, PlantedEffects
from plneval.simulate.truth import scored_effects

YEARS = list(raw_study.YEARS)


def entry_of(raw):
    """Entry year of each member school, from the raw spells and the cutoff of 31 January."""
    table = read(raw / "network_members.csv", "utf-8-sig")
    day = pd.to_datetime(table["From"], errors="coerce", format="%Y-%m-%d")
    good = day.notna() & table["SchoolNo"].isin(raw_study.school_register(raw))
    good &= table["Network"].str.fullmatch(r"NLN-0[1-5]") & ~((table["To"] != "") & (table["To"] < table["From"]))
    day = day[good]
    # From September on it is the next calendar year's school year; from February to August it counts for the next one.
    year = day.dt.year + (day.dt.month >= 9).astype(int) + day.dt.month.between(2, 8).astype(int)
    return year.groupby(table["SchoolNo"][good]).min()


def test_the_headline_is_the_mean_difference_that_the_effect_makes_to_the_raw_scores(written, truth):
    """Against a twin study of the same seed without any effect: only rounding to whole points stands between them.

    Rounding adds at most half a point to each score; over more than a thousand scores its mean is below 0.003 SD.
    """
    with_effect, _, _ = raw_study.judge_results(written(0.3))
    without, _, _ = raw_study.judge_results(written(0.0))
    key = ["pupil", "year", "outcome"]
    both = with_effect.merge(without, on=key, suffixes=("", "_without"), validate="one_to_one")
    both = both.merge(raw_study.judge_pupils(written(0.3))[0], on=["pupil", "year"], validate="many_to_one")
    entry = entry_of(written(0.3))
    both["entry"] = both["school"].map(entry)
    both = both[both["score"].notna() & ~(both["entry"] < 2012)]
    control = both[~(both["year"] >= both["entry"])]
    sd = control.groupby(["outcome", "year", "grade"])["score"].std().rename("sd").reset_index()
    both = both.merge(sd, on=["outcome", "year", "grade"])
    late = both[both["year"] - both["entry"] >= 2]
    for outcome in ("maths", "reading"):
        here = late[late["outcome"] == outcome]
        recomputed = ((here["score"] - here["score_without"]) / here["sd"]).mean()
        assert truth["headline"][outcome]["treated_pupils"] == len(here) > 500
        assert truth["headline"][outcome]["effect"] == pytest.approx(recomputed, abs=0.003)
        assert recomputed > 0.05


def test_the_headline_is_the_mean_of_the_hidden_effects_over_the_raw_standard_deviations(raw, truth, made):
    kept, _, _ = raw_study.judge_results(raw)
    kept = kept[kept["score"].notna()]
    register, _, _ = raw_study.judge_pupils(raw)
    table = kept.merge(register, on=["pupil", "year"], validate="many_to_one")
    pupils, scores = made.pupils, made.scores
    hidden = pd.DataFrame(
        {
            "pupil": np.array(pupils.code)[pupils.row_person[scores.row]],
            "year": pupils.row_year[scores.row],
            "maths": scores.effect_points[:, 0],
            "reading": scores.effect_points[:, 1],
        }
    ).melt(["pupil", "year"], var_name="outcome", value_name="effect")
    table = table.merge(hidden, on=["pupil", "year", "outcome"], validate="one_to_one")
    table["entry"] = table["school"].map(entry_of(raw))
    table = table[~(table["entry"] < 2012)]
    cells = []
    for (outcome, year, grade), cell in table.groupby(["outcome", "year", "grade"]):
        sd = cell["score"][~(cell["entry"] <= year)].std()
        cells.append(cell.assign(outcome=outcome, grade=grade, effect=cell["effect"] / sd))
    table = pd.concat(cells)
    table["event_time"] = table["year"] - table["entry"]
    for outcome in ("maths", "reading"):
        here = table[table["outcome"] == outcome]
        late = here[here["event_time"] >= 2]
        told = truth["headline"][outcome]
        assert told["effect"] == pytest.approx(late["effect"].mean(), abs=1e-12)
        poor = late[late["disadvantaged"] == "1"]
        assert told["subgroups"]["disadvantaged"]["effect"] == pytest.approx(poor["effect"].mean(), abs=1e-12)
        assert told["subgroups"]["disadvantaged"]["treated_pupils"] == len(poor)
        for (entry, year), cell in here[here["event_time"] >= 0].groupby(["entry", "year"]):
            planted = truth["effects"]["group_time"][outcome][f"g{int(entry)}:t{year}"]
            assert planted["effect"] == pytest.approx(cell["effect"].mean(), abs=1e-12)
            assert (planted["treated_pupils"], planted["schools"]) == (len(cell), cell["school"].nunique())


def test_cells_average_to_the_headline_with_their_pupils_as_weights(truth):
    for outcome in ("maths", "reading"):
        cells = truth["effects"]["group_time"][outcome]
        late = [cell for name, cell in cells.items() if int(name[-4:]) - int(name[1:5]) >= 2]
        weights = [cell["treated_pupils"] for cell in late]
        mean = np.average([cell["effect"] for cell in late], weights=weights)
        assert truth["headline"][outcome]["effect"] == pytest.approx(mean, abs=1e-12)
        assert truth["headline"][outcome]["treated_pupils"] == sum(weights)


def test_networks_average_to_the_headline_with_their_pupils_as_weights(truth, made):
    table = scored_effects(made, ~np.isnan(made.scores.points))
    for outcome in ("maths", "reading"):
        late = table[(table["subject"] == outcome) & (table["event_time"] >= 2)]
        told = {number: one["third_year_on"][outcome] for number, one in enumerate(truth["networks"].values())}
        by = late.groupby("network")["standardised"]
        assert {number for number, value in told.items() if value is not None} == set(by.groups)
        # The scores that planted errors lose are a few in a hundred.
        for number, mean in by.mean().items():
            assert told[number] == pytest.approx(mean, abs=0.02)
        mean = np.average([told[number] for number in by.groups], weights=by.size())
        assert truth["headline"][outcome]["effect"] == pytest.approx(mean, abs=0.005)


def test_parts_average_to_the_headline_and_within_schools_is_what_schools_gaps_lose(truth, made):
    """By hand from the hidden effects: the mean over a type's pupils, and each school's own difference of effects."""
    scored = scored_effects(made, ~np.isnan(made.scores.points))
    maths = scored[scored["treated"] & (scored["event_time"] >= 2) & (scored["subject"] == "maths")]
    kinds = pd.Series([NETWORK_TYPES[kind] for kind in made.networks.type])
    for name, planted in truth["effects"]["split"]["network_type"]["maths"].items():
        of_type = maths[maths["network"].map(kinds) == name]
        assert planted == pytest.approx(of_type["standardised"].mean(), abs=0.01)
    areas = truth["effects"]["split"]["area"]["maths"]
    assert min(areas.values()) < truth["headline"]["maths"]["effect"] < max(areas.values())
    own = maths.groupby(["school", "disadvantaged"])["standardised"].mean().unstack().dropna()
    differences = own[True] - own[False]
    assert differences.min() < truth["effects"]["gap"]["maths"]["within_schools"] < differences.max()
    assert truth["effects"]["gap"]["maths"]["within_schools"] == pytest.approx(differences.mean(), abs=0.02)


def test_without_an_effect_nothing_is_planted_anywhere(written):
    truth = read_json(written(0.0) / "truth.json")

    def effects(value, path):
        if isinstance(value, dict):
            for key, below in value.items():
                yield from effects(below, (*path, key))
        elif path[-1] in (
            "effect",
            "all",
            "direct",
            "indirect",
            "schools_weighted",
            "equal_event_times",
            "difference",
            "within_schools",
        ):
            yield path, value

    told = list(effects({"headline": truth["headline"], "effects": truth["effects"], "n": truth["networks"]}, ()))
    assert len(told) > 50
    assert [path for path, value in told if value != 0] == []
    assert set(truth["effects"]["condition"].values()) == {0.0}
    assert truth["effects"]["spread"] == {"total": 0.0, "beyond_conditions": 0.0}
    assert truth["effects"]["planted"]["by_year_of_participation"] == [0.0, 0.0, 0.0]
    assert truth["effects"]["planted"]["gap"] == 0.0


def test_an_effect_changes_scores_of_treated_pupils_only(written):
    """Same seed with and without effect: who joins, who is on roll, and all untreated scores stay as they are."""
    for name in ("network_members.csv", "census_2015.csv", "teaching.csv.gz", "survey_practice_w3.csv"):
        assert (written(0.3) / name).read_bytes() == (written(0.0) / name).read_bytes()
    register = raw_study.judge_pupils(written(0.3))[0]
    scores = []
    for effect in (0.3, 0.0):
        kept = raw_study.judge_results(written(effect))[0].merge(register, on=["pupil", "year"])
        kept["treated"] = kept["year"] >= kept["school"].map(entry_of(written(effect)))
        scores.append(kept.set_index(["pupil", "year", "outcome"]))
    treated = scores[0]["treated"]
    changed = (scores[0]["score"] - scores[1]["score"]).abs()
    assert (changed[~treated].dropna() == 0).all()
    assert changed[treated].mean() > 0.5


def test_stages_rise_fade_after_leaving_and_go_on_after_a_return(made):
    """By hand for a school that enters in 2014, leaves after 2015 and returns in 2017, and one that stays away."""
    member = np.array([[0, 0, 1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0, 0], [1] * 8, [0] * 8], dtype=bool)
    memberships = type(made.memberships)(
        **{**vars(made.memberships), "member": member, "entry_year": np.array([2014, 2014, 2011, 0])}
    )
    effects = PlantedEffects(direct=1.0, ramp=(0.25, 0.5, 1.0), fade=0.6)
    expected = [
        [0, 0, 0.25, 0.5, 0.3, 1, 1, 1],
        [0, 0, 0.25, 0.5, 0.3, 0.18, 0.108, 0.0648],
        [0.5, 1, 1, 1, 1, 1, 1, 1],
        [0] * 8,
    ]
    assert stages(memberships, effects) == pytest.approx(np.array(expected), abs=1e-12)


def test_disadvantaged_pupils_gain_more_by_the_planted_gap(made):
    """Directly taught in a stayer's third year on, within one network: the difference is gap × 15 points in maths."""
    scores, pupils, memberships = made.scores, made.pupils, made.memberships
    school = pupils.row_school[scores.row]
    full = stages(memberships, made.effects)[school, pupils.row_year[scores.row] - 2012] == 1
    poor = pupils.disadvantaged[pupils.row_person[scores.row]]
    compared = 0
    for network in range(made.networks.count):
        here = full & scores.direct[:, 0] & (memberships.network[school] == network)
        if (here & poor).any() and (here & ~poor).any():
            compared += 1
            gain = scores.effect_points[here & poor, 0].mean() - scores.effect_points[here & ~poor, 0].mean()
            assert gain == pytest.approx(0.3 * 0.5 * 15, abs=1e-9)
    assert compared >= 4


def test_mean_over_networks_is_the_effect_that_was_asked_for_and_conditions_move_it(truth):
    effects = [network["effect"] for network in truth["networks"].values()]
    assert np.mean(effects) == pytest.approx(0.3, abs=1e-12)
    assert truth["effects"]["spread"]["total"] == pytest.approx(np.std(effects), abs=1e-12)
    slopes = truth["effects"]["condition"]
    conditions = pd.DataFrame([network["conditions"] for network in truth["networks"].values()])
    explained = sum(slopes[name] * conditions[name] for name in slopes)
    beyond = np.array(effects) - 0.3 - np.asarray(explained)
    assert np.std(beyond) == pytest.approx(truth["effects"]["spread"]["beyond_conditions"], abs=1e-12)
    assert slopes["learning"] == 0


def test_who_was_taught_by_a_participant_can_be_found_in_the_raw_files(raw, made):
    """Teaching and teachers' spells, with the rule for late joining, give back the hidden indicator."""
    spells = read(raw / "network_participants.csv").drop_duplicates()
    joined, left = pd.to_datetime(spells["From"]), pd.to_datetime(spells["To"].replace("", "2030-01-01"))
    taking_part = set()
    for teacher, first, last in zip(spells["TeacherNo"], joined, left, strict=True):
        for year in YEARS:
            if first <= pd.Timestamp(year, 1, 31) and last > pd.Timestamp(year, 1, 31):
                taking_part.add((teacher, year))
    lessons = raw_study.teaching(raw)
    lessons = lessons[lessons["Share"].isin(["1", "0.6", "0.4"])]
    lessons["direct"] = [pair in taking_part for pair in zip(lessons["TeacherNo"], lessons["year"], strict=True)]
    found = lessons.groupby(["UPN", "year", "Subject"])["direct"].any()
    scores, pupils = made.scores, made.pupils
    school = pupils.row_school[scores.row]
    member = made.memberships.member[school, pupils.row_year[scores.row] - 2012]
    codes, years = np.array(pupils.code)[pupils.row_person[scores.row]], pupils.row_year[scores.row]
    for column, subject in enumerate(("Ma", "Rd")):
        index = pd.MultiIndex.from_arrays([codes[member], years[member], [subject] * int(member.sum())])
        assert (found.reindex(index).to_numpy(dtype=bool) == scores.direct[member, column]).all()
        assert 0.2 < scores.direct[member, column].mean() < 0.7


def test_entry_years_leave_outcomes_before_joining_and_in_the_third_year(study):
    assert entry_years(study) == [2014, 2015, 2016, 2017]
    assert entry_years(Study(first_year=2014, last_year=2017)) == [2015]
    assert entry_years(Study(first_year=2014, last_year=2018)) == [2016]
    assert entry_years(Study(first_year=2000, last_year=2015)) == [2002, 2006, 2009, 2013]
    assert label_year("2016/17") == 2017


def test_scored_effects_leave_out_left_censored_schools(made):
    kept = ~np.isnan(made.scores.points)
    table = scored_effects(made, kept)
    censored = np.flatnonzero(made.memberships.left_censored)
    assert len(censored) > 0
    assert not table["school"].isin(censored).any()
    assert set(table["grade"]) == set(range(len(GRADES)))
    assert (table.loc[~table["treated"], "effect"] == 0).all()

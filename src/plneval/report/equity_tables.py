"""Tables about disadvantaged pupils, the gap and its parts, and effects by part of the member schools."""

from __future__ import annotations

from typing import Final

import pandas as pd

from plneval.report import direction, equity_names, formats, model_wording, wording
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, numbers, p_values, texts

GAP_TERMS: Final = ("treated_year_3:disadvantaged", "disadvantaged:treated_year_3")
"""The coefficient of a growth model that is the effect on the gap from the third year on."""
SUBGROUPS: Final = ("disadvantaged", "not_disadvantaged")
ARMS: Final = {"member": "Members", "comparison": "Comparison", "difference": "Difference"}


def equity(released: Released) -> pd.DataFrame:
    """Effects on disadvantaged pupils, on others, and on the gap between them, by every model that has one."""
    rows = gap_rows(released)
    what = []
    for row in rows_of(rows):
        if row.subgroup in SUBGROUPS:
            what.append(f"Effect on {wording.subgroup(row.subgroup)}")
        else:
            what.append(f"{equity_names.moving(direction.lower_is_better(released, row.outcome))} of the gap")
    return pd.DataFrame(
        {
            "What": what,
            "Outcome": [released.outcome_label(name) for name in rows["outcome"]],
            "From": texts(rows["estimator"], model_wording.ESTIMATORS),
            "Estimate": numbers(rows, "estimate", 3, signed=True),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "p": p_values(rows, "p"),
            "Schools": counts(rows, "n_schools"),
        }
    )


def gap_reading(released: Released) -> str:
    """What plus and minus mean for the gap, by outcome."""
    outcomes = list(dict.fromkeys(str(name) for name in gap_rows(released)["outcome"]))
    lower = [name for name in outcomes if direction.lower_is_better(released, name)]
    if not lower:
        return "Plus means that the gap narrows."
    labels = formats.listed([wording.article_free(released.outcome_label(name)) for name in lower])
    turned = f"Less is better in {labels}: plus means that disadvantaged pupils' results rose more than others'"
    rest = "" if set(lower) == set(outcomes) else " In other outcomes plus means that it narrows."
    return f"{turned}, so that the gap widens.{rest}"


def gap_parts_caption(released: Released) -> str:
    """The caption of :func:`gap_parts`; the records' plus is a widening where less is better."""
    records = released["records"]
    models = dict.fromkeys(records.loc[records["estimand"] == "gap_narrowed", "model"])
    lower = {direction.of_model(released, model) for model in models}
    moving = " or ".join(equity_names.moving(one) for one in sorted(lower)) if lower else equity_names.moving(False)
    return (
        f"{formats.sentence_case(moving.lower())} of the gap from the last year with results before joining to the "
        "third year on, by part; interval and p of the difference."
    )


def gap_rows(released: Released) -> pd.DataFrame:
    """Records of disadvantaged pupils, of others, and of the gap, from the third year on."""
    records = released["records"]
    third = records["estimand"] == "att_third_year_on"
    subgroups = [third & (records["subgroup"] == name) & (records["estimator"] == "did.att_gt") for name in SUBGROUPS]
    gaps = [
        third & (records["subgroup"] == "gap"),
        (records["estimator"] == "multilevel")
        & records["term"].isin(GAP_TERMS)
        & (records["estimand"] == "coefficient"),
        (records["estimand"] == "gap_narrowed") & (records["term"] == "total"),
    ]
    return pd.concat([records[chosen] for chosen in (*subgroups, *gaps)], ignore_index=True)


def gap_parts(released: Released) -> pd.DataFrame:
    """The change of the gap by part, in members, comparison schools, and the difference of the two."""
    records = released["records"]
    own = records[records["estimand"].isin(["gap_narrowed", "gap_narrowed_in_arm"])].copy()
    in_arm = own["estimand"] == "gap_narrowed_in_arm"
    split = own["term"].astype("str").str.partition(":")
    own["arm"] = split[0].where(in_arm, "difference") if len(own) else ""
    own["part"] = split[2].where(in_arm, split[0]) if len(own) else ""
    found = []
    for model, rows in own.groupby("model", sort=False):
        for name, words in equity_names.GAP_PARTS.items():
            cells = {arm: rows[(rows["arm"] == arm) & (rows["part"] == name)] for arm in ARMS}
            if all(len(cell) == 1 for cell in cells.values()):
                difference = cells["difference"]
                found.append(
                    {
                        "Outcome": released.outcome_label(str(released.model(str(model))["outcome"])),
                        "Part": words,
                        **{words: numbers(cells[arm], "estimate", 3, signed=True)[0] for arm, words in ARMS.items()},
                        "Interval": intervals(difference, "ci_low", "ci_high", 3)[0],
                        "p": p_values(difference, "p")[0],
                    }
                )
    frame = pd.DataFrame(found)
    # One outcome for all stands in the caption instead.
    return frame.drop(columns="Outcome") if len(frame) and frame["Outcome"].nunique() == 1 else frame


def splits(released: Released) -> pd.DataFrame:
    """Effects from the third year on by part of the member schools."""
    rows = _split_rows(released)
    terms = [str(term).partition(":") for term in rows["term"]]
    return pd.DataFrame(
        {
            "By": [equity_names.BY.get(by, formats.word(by)) for by, _, _ in terms],
            "Part": [equity_names.part(by, name) for by, _, name in terms],
            "Estimate": numbers(rows, "estimate", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Networks": counts(rows, "n_networks"),
            "Schools": counts(rows, "n_schools"),
        }
    )


def _split_rows(released: Released) -> pd.DataFrame:
    records = released["records"]
    return records[records["estimand"] == "att_split"].reset_index(drop=True)


def split_notes(released: Released) -> list[str]:
    """Whether parts differ, by what schools are split; what is withheld and what could not be estimated."""
    records = released["records"]
    own = records[records["estimator"] == "networks.split"]
    lines = []
    for model, rows in own.groupby("model", sort=False):
        parts = rows[rows["estimand"] == "att_split"]
        by = str(parts["term"].iloc[0]).partition(":")[0] if len(parts) else str(model)
        name = equity_names.BY.get(by, formats.word(by))
        said = [_test_words(rows, _alpha(released, str(model)))]
        for row in rows_of(rows[rows["estimand"] == "att_split_difference"]):
            if not formats.is_missing(row.estimate):
                between = formats.interval(row.ci_low, row.ci_high)
                said.append(f"highest less lowest third {formats.number(row.estimate, 2, signed=True)} ({between})")
        hidden = int(parts["estimate"].isna().sum())
        if hidden:
            verb = "is" if hidden == 1 else "are"
            of = "it or could be told from the others" if hidden == 1 else "them, or could be told from the others"
            said.append(f"{formats.plural(hidden, 'part')} {verb} not shown, since too few networks stand behind {of}")
        lines.append(f"{name}: {'; '.join(said)}.")
    return lines


def _alpha(released: Released, model: str) -> float:
    """The level of a test that goes with the model's intervals."""
    return 1 - float(released.model(model)["confidence"])


def _test_words(rows: pd.DataFrame, alpha: float) -> str:
    known = rows[(rows["estimand"] == "split_test") & rows["p"].notna()]
    if len(known):
        p = float(known["p"].iloc[0])
        found = "the parts differ by more than chance" if p < alpha else "no difference that chance could not make"
        return f"{found} (p = {formats.p_value(p)})"
    if len(rows[rows["estimand"] == "att_split"]) < 2:
        return "one part only, so there is nothing to compare"
    return "whether the parts differ cannot be tested, because too few networks stand behind some of them"


def funder(released: Released) -> list[str]:
    """What is known about disadvantaged pupils and about kinds of schools and networks, in plain words."""
    rows = gap_rows(released)
    gap = rows[(rows["subgroup"] == "gap") & (rows["estimand"] == "att_third_year_on")]
    gap = gap[(gap["outcome"] == released.headline_outcome) & gap["estimate"].notna() & gap["ci_low"].notna()]
    if gap.empty:
        first = "Whether disadvantaged pupils gained more or less than others cannot be said from these data."
    else:
        row = gap.iloc[0]
        unit = released.unit(str(row["model"]))
        label = wording.article_free(released.outcome_label(str(row["outcome"])))
        span = formats.interval(row["ci_low"], row["ci_high"])
        estimate = float(row["estimate"])
        lower = direction.lower_is_better(released, row["outcome"])
        moved = direction.moved_gap(released, row["outcome"], estimate)
        plus, minus = ("widening", "narrowing") if lower else ("narrowing", "widening")
        first = (
            f"From the third year on, the gap in {label} between disadvantaged and other pupils {moved} by "
            f"{formats.number(abs(estimate))} {unit} more in member schools than in comparison schools"
            f"{'' if released.is_causal else ', which must not be read as the work of the programme'}; "
            f"the data are compatible with a {plus} by {span}"
        )
        if float(row["ci_low"]) > 0 or float(row["ci_high"]) < 0:
            first += (
                ". The interval excludes that nothing happened."
                if moved == "narrowed"
                else ". The gap grew by more than chance would make it."
            )
        else:
            first += f" (minus would be a {minus}), so this may be chance."
    records = released["records"]
    tests = records[records["estimand"] == "split_test"]
    if tests.empty:
        return [first]
    if any(row.p < _alpha(released, row.model) for row in rows_of(tests[tests["p"].notna()])):
        second = (
            "Some kinds of schools or networks stand out in a first look; with so many comparisons that may be chance, "
            "and it is no ground for choosing between them."
        )
    else:
        second = (
            "Split by deprivation, intake or kind of network, no part can be told apart from the others: too few "
            "networks stand behind each."
        )
    return [first, second]

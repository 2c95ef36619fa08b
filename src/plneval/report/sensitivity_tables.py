"""Tables of the sensitivity analyses: what it would take to overturn the headline, and what else was tried."""

from __future__ import annotations

import pandas as pd

from plneval.report import formats, model_wording
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, numbers, p_values, shares, texts

HONEST = {
    "relative_magnitudes": "Change after joining, in multiples of the largest before",
    "smoothness": "Change of the trend from year to year",
}
COMPARISONS = {
    "treated_vs_never_treated": "Members with schools that never join",
    "earlier_vs_later_treated": "Earlier members with later ones, before these join",
    "later_vs_earlier_treated": "Later members with schools that have already joined",
    "treated_vs_always_treated": "Members with schools that joined before the first year",
}


def estimators(released: Released) -> pd.DataFrame:
    """The estimate from the third year on by every model of the headline's outcome and pupils."""
    records = released["records"]
    mine = released.model(released.headline_model)
    rows = records[
        (records["estimand"] == "att_third_year_on")
        & (records["outcome"] == mine["outcome"])
        & (records["subgroup"] == mine["subgroup"])
    ]
    return pd.DataFrame(
        {
            "Estimator": texts(rows["estimator"], model_wording.ESTIMATORS),
            "Compared with": texts(rows["comparison"]),
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "p": p_values(rows, "p"),
        }
    )


def honest(released: Released) -> pd.DataFrame:
    """Intervals that hold under violations of parallel trends up to a bound, by kind of bound."""
    table = released["honest"]
    return pd.DataFrame(
        {
            "Violation": texts(table["kind"], HONEST),
            "Up to": numbers(table, "m", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
            "Excludes zero": ["yes" if value else "no" for value in table["excludes_zero"].fillna(False)],
        }
    )


def honest_sentences(released: Released) -> list[str]:
    """What the bounds rest on, and from where on they overturn the result."""
    table = released["honest"]
    lines = []
    for kind, rows in table.groupby("kind", sort=False):
        row = rows.iloc[0]
        what = HONEST.get(str(kind), formats.word(kind))
        if formats.is_missing(row["breakdown"]):
            said = "no size that was tried brings zero into the interval" if row["excludes_zero"] else "not shown"
        elif float(row["breakdown"]) == 0:
            said = "the interval contains zero without any violation"
        else:
            said = f"the interval contains zero from {formats.number(row['breakdown'], 3)} on"
        lines.append(f"{what}: {said}.")
    if len(table):
        lines.append(f"They rest on {table['groups'].iloc[0]}; estimates are taken as normal.")
    return lines


def power(released: Released) -> pd.DataFrame:
    """What the effects before joining could have shown."""
    table = released["pretrend_power"]
    rows = [
        ("Event times before joining", "event_times", 0),
        ("Drift a year that a single effect reveals with probability 50 %", "slope_50", 3),
        ("Drift a year that a single effect reveals with probability 80 %", "slope_80", 3),
        ("Drift a year that the joint test reveals with probability 80 %", "joint_80", 3),
        ("What the second of these would come to from the third year on", "implied_80", 3),
        ("The estimate from the third year on of the same entry groups", "estimate", 3),
    ]
    found = [(what, numbers(table.head(1), column, digits)[0]) for what, column, digits in rows if len(table)]
    return pd.DataFrame(found, columns=["What", "Value"])


def placebo(released: Released) -> pd.DataFrame:
    """Effects of made-up joining dates, which should be zero."""
    table = released["placebo"]
    return pd.DataFrame(
        {
            "Date moved back by": [formats.plural(years, "year") for years in table["years_earlier"]],
            "Estimate": numbers(table, "estimate", 3),
            "SE": numbers(table, "se", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
            "p": p_values(table, "p"),
            "Member schools": counts(table, "n_members"),
            "Schools": counts(table, "n_schools"),
        }
    )


def leave_one_out(released: Released) -> pd.DataFrame:
    """The estimate from the third year on without one network after the other."""
    table = released["leave_one_out"]
    return pd.DataFrame(
        {
            "Order": numbers(table, "position", 0),
            "Schools left out": counts(table, "n_schools"),
            "Estimate": numbers(table, "estimate", 3),
            "SE": numbers(table, "se", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
        }
    )


def decomposition(released: Released) -> pd.DataFrame:
    """What the single two-way coefficient averages."""
    table = released["bacon"]
    return pd.DataFrame(
        {
            "Comparison": texts(table["kind"], COMPARISONS),
            "Weight": shares(table, "weight"),
            "Estimate": numbers(table, "estimate", 3),
        }
    )


def decomposition_sentence(released: Released) -> str:
    """The coefficient and what it leaves out; nothing without a decomposition."""
    table = released["bacon"]
    if table.empty:
        return ""
    row = table.head(1)
    return (
        f"The coefficient of schools seen in every year is {numbers(row, 'coefficient', 3)[0]} "
        f"({counts(row, 'n_schools')[0]} schools; {counts(row, 'n_left_out')[0]} left out). Comparisons with schools "
        "that have already joined count what happens to these as if it were a trend."
    )


def multiplicity(released: Released) -> pd.DataFrame:
    """p of the effects that are not confirmatory, adjusted for how many there are."""
    table = released["multiplicity"]
    names = released["records"].drop_duplicates("model").set_index("model")["label"]
    return pd.DataFrame(
        {
            "Analysis": [formats.word(names.get(row.model, row.model)) for row in rows_of(table)],
            "Role": texts(table["role"]),
            "p": p_values(table, "p"),
            "p (Holm)": p_values(table, "p_holm"),
            "p (Benjamini–Hochberg)": p_values(table, "p_fdr"),
        }
    )

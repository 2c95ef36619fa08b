"""The tables of data, sample, comparability and precision in the technical report."""

from __future__ import annotations

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released
from plneval.report.tables import counts, intervals, numbers, shares, texts, years

ARMS = {"member": "members", "comparison": "comparison", "all": "all"}
CATEGORIES = {"satisfied": "satisfied", "adjustment": "with adjustment", "not_satisfied": "not satisfied"}


def ledger(released: Released) -> pd.DataFrame:
    """Records read, kept, merged and rejected, by table."""
    table = released["ledger"]
    table = table[table["read"].isna() | (table["read"] > 0)]
    return pd.DataFrame(
        {
            "Table": texts(table["table"]),
            "Read": counts(table, "read"),
            "Kept": counts(table, "kept"),
            "Merged duplicates": counts(table, "merged"),
            "Rejected": counts(table, "rejected"),
        }
    )


def rejections(released: Released) -> pd.DataFrame:
    """Rejected records by table and rule."""
    table = released["rejections"]
    return pd.DataFrame(
        {
            "Table": texts(table["table"]),
            "Rule": texts(table["rule"]),
            "Records": counts(table, "count"),
            "Rejected because": texts(table["meaning"]),
        }
    )


def ingest_notes(released: Released) -> pd.DataFrame:
    """What was recognised while reading, without a record being rejected."""
    table = released["ingest_notes"]
    return pd.DataFrame({"Table": texts(table["table"]), "Count": counts(table, "count"), "Note": texts(table["text"])})


def flows(released: Released) -> list[tuple[str, str, pd.DataFrame]]:
    """The ways from the register to the analysis: label, caption and table of each unit and outcome.

    A step has a row; the arms stand side by side, with what remains and, in brackets, what was excluded.
    """
    table = released["flow"].assign(outcome=released["flow"]["outcome"].fillna(""))
    order = {"schools": 0, "pupils": 1, "scores": 2}
    found = []
    for unit, outcome in sorted(
        {*zip(table["unit"], table["outcome"], strict=True)}, key=lambda key: (order[key[0]], key[1] != "", key[1])
    ):
        mine = table[(table["unit"] == unit) & (table["outcome"] == outcome)]
        about = (
            f"{formats.sentence_case(unit)}, {released.outcome_label(outcome)}"
            if outcome
            else formats.sentence_case(unit)
        )
        label = f"tbl-flow-{unit}" + (f"-{_slug(outcome)}" if outcome else "")
        found.append((label, f"{about}: what remains after each step, and in brackets what it excluded.", _flow(mine)))
    return found


def _flow(table: pd.DataFrame) -> pd.DataFrame:
    """One flow: steps as rows, arms as columns."""
    cells = table.assign(
        cell=[
            remaining if excluded in ("0", formats.MISSING) else f"{remaining} ({formats.MINUS}{excluded})"
            for remaining, excluded in zip(counts(table, "remaining"), counts(table, "excluded"), strict=True)
        ]
    )
    ends = {table["step"].min(), table["step"].max()}
    excluding = set(table.loc[table["excluded"].isna() | (table["excluded"] > 0), "step"])
    cells = cells[cells["step"].isin(ends | excluding)]
    wide = cells.pivot(index="step", columns="arm", values="cell")
    steps = table.drop_duplicates("step").set_index("step").loc[wide.index]
    arms = [arm for arm in ("member", "comparison", "all") if arm in wide]
    return pd.DataFrame(
        {
            "Step": [formats.sentence_case(stage) for stage in steps["stage"]],
            **{formats.sentence_case(ARMS[arm]): texts(wide[arm]) for arm in arms},
            "Excluded because": [
                formats.word(reason) if step in excluding else formats.MISSING
                for step, reason in steps["reason"].items()
            ],
        }
    )


def _slug(name: str) -> str:
    return name.replace("_", "-")


def entry_groups(released: Released) -> pd.DataFrame:
    """Schools and networks by year of joining."""
    table = released["entry_groups"]
    return pd.DataFrame(
        {
            "Joined in": [
                f"{year}{' (pooled)' if pooled else ''}"
                for year, pooled in zip(years(table["entry_year"]), table["pooled"], strict=True)
            ],
            "Schools": counts(table, "n_schools"),
            "Networks": counts(table, "n_networks"),
            "Years followed": counts(table, "years_followed"),
        }
    )


def membership(released: Released) -> pd.DataFrame:
    """Member schools by year."""
    table = released["membership"]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Members": counts(table, "members"),
            "Joined": counts(table, "joined"),
            "Left": counts(table, "left"),
            "Returned": counts(table, "returned"),
        }
    )


def baseline(released: Released) -> pd.DataFrame:
    """Means of both arms before joining and their standardised difference."""
    table = released["baseline"]
    return pd.DataFrame(
        {
            "Measure": texts(table["label"]),
            "Members": numbers(table, "mean_member"),
            "Comparison": numbers(table, "mean_comparison"),
            "SD": numbers(table, "sd"),
            "Hedges' g": numbers(table, "hedges_g", signed=True),
            "Equivalence": texts(table["category"], CATEGORIES),
            "Pre–post r": numbers(table, "pre_post_correlation"),
            "Schools": _pairs(table, "n_schools_member", "n_schools_comparison"),
        }
    )


def composition(released: Released) -> pd.DataFrame:
    """Pupils of each arm by year and how they changed; columns that hold nothing are left out."""
    table = released["composition"]
    frame = pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Arm": texts(table["arm"], ARMS),
            "Schools": counts(table, "n_schools"),
            "Pupils": counts(table, "n_pupils"),
            "Joined": counts(table, "joiners"),
            "Left": counts(table, "leavers"),
            "Moved": counts(table, "movers"),
            "Disadvantaged": shares(table, "share_disadvantaged"),
            "Deprivation": numbers(table, "mean_deprivation"),
        }
    )
    return _without_empty(frame, keep=("Year", "Arm", "Schools"))


def attrition(released: Released) -> pd.DataFrame:
    """Schools and pupils seen first and last."""
    table = released["attrition"]
    return pd.DataFrame(
        {
            "Unit": texts(table["unit"]),
            "Arm": texts(table["arm"], ARMS),
            "At the start": counts(table, "start"),
            "Still there": counts(table, "remaining"),
            "Lost": shares(table, "rate"),
        }
    )


def missingness(released: Released) -> pd.DataFrame:
    """Results observed of those expected, by outcome and year, the arms side by side."""
    table = released["missingness"]
    cells = table.assign(
        observed_of_expected=_pairs(table, "observed", "expected"), missing_shown=shares(table, "missing_share")
    )
    wide = cells.pivot(index=["outcome", "year"], columns="arm", values=["observed_of_expected", "missing_shown"])
    order = {name: i for i, name in enumerate(released.study["outcomes"])}
    wide = wide.sort_index(key=lambda level: level.map(order) if level.name == "outcome" else level)
    frame = pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name, _ in wide.index],
            "Year": [str(int(year)) for _, year in wide.index],
        }
    )
    for arm in ("member", "comparison", "all"):
        if ("missing_shown", arm) in wide:
            name = formats.sentence_case(ARMS[arm])
            frame[f"{name}: observed / expected"] = texts(wide["observed_of_expected", arm])
            frame[f"{name}: missing"] = texts(wide["missing_shown", arm])
    return frame


def intraclass(released: Released) -> pd.DataFrame:
    """How alike pupils of one school are."""
    table = released["intraclass"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "Level": texts(table["level"]),
            "Intraclass correlation": numbers(table, "intraclass_correlation", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
            "Pupils": counts(table, "n_pupils"),
            "Schools": counts(table, "n_schools"),
        }
    )


def clusters(released: Released) -> pd.DataFrame:
    """Units of inference by outcome."""
    table = released["clusters"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "Unit of inference": texts(table["unit"]),
            "With members": counts(table, "treated"),
            "Comparison": counts(table, "comparison"),
            "Networks": counts(table, "networks"),
        }
    )


def mdes(released: Released) -> pd.DataFrame:
    """The smallest effect that the design could have detected."""
    table = released["mdes"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(str(name)) for name in table["outcome"]],
            "MDES": numbers(table, "mdes", 3),
            "Power": numbers(table, "power"),
            "Alpha": numbers(table, "alpha"),
        }
    )


def _pairs(table: pd.DataFrame, first: str, second: str) -> list[str]:
    return [f"{a} / {b}" for a, b in zip(counts(table, first), counts(table, second), strict=True)]


def _without_empty(frame: pd.DataFrame, keep: tuple[str, ...]) -> pd.DataFrame:
    """Leave out columns in which every value is missing."""
    return frame[[name for name in frame.columns if name in keep or not (frame[name] == formats.MISSING).all()]]

"""Tables about exposure, direct and indirect effects, dose and comparison schools near members."""

from __future__ import annotations

import pandas as pd

from plneval.networks.diffusion import assumptions_table
from plneval.report import formats
from plneval.report.exposure_data import BANDS
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, numbers, p_values, shares, texts, years

JOINED = {"joined": "a school that had joined", "not_joined": "another school"}
VARIANTS = {
    "all": "All comparison schools",
    "without_near": "Without those near a school that has joined",
    "without_later": "Without those that join a network after the study",
    "without_other": "Without those in other networks",
    "without_any": "Without any of these",
    "without_other_in_either": "Without schools of either arm in other networks",
}
STATUSES = {
    "estimated": "",
    "nothing_left_out": "no school to leave out",
    "no_distance": "no distance declared",
    "no_places": "places of schools not known",
    "no_data": "no data on other networks",
    "not_estimable": "cannot be estimated",
}
_ROWS = {
    "att_direct": "Pupils taught by participants",
    "att_indirect": "Other pupils of member schools",
    "att_direct_less_indirect": "Difference of the two",
    "within_school": "Contrast within schools and years",
}


def exposure(released: Released) -> pd.DataFrame:
    """Who taught the pupils of member schools, by outcome and year of participation."""
    table = released["exposure_by_event_time"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(name) for name in table["outcome"]],
            "Year of participation": _year(table),
            "Schools": counts(table, "n_schools"),
            "Scores with a teacher link": counts(table, "n_linked"),
            "Without a link": counts(table, "n_unknown"),
            "Taught by a participant": shares(table, "direct_share"),
            "Mean share of teaching by participants": [_percent(one) for one in numbers(table, "mean_share", 3)],
        }
    )


def own_exposure(released: Released) -> pd.DataFrame:
    """Years of pupils' own exposure beside their school's."""
    table = released["own_exposure"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(name) for name in table["outcome"]],
            "School's years": _year(table),
            "Pupils": counts(table, "n_pupils"),
            "Own years (mean)": numbers(table, "mean_years"),
            "Of these direct": numbers(table, "mean_years_direct"),
            "Fewer than the school": shares(table, "share_fewer"),
            "More": shares(table, "share_more"),
        }
    )


def phase_changes(released: Released) -> pd.DataFrame:
    """Pupils who change phase, and the years of exposure that they bring."""
    table = released["phase_changes"]
    return pd.DataFrame(
        {
            "Outcome": [released.outcome_label(name) for name in table["outcome"]],
            "From": texts(table["origin"], JOINED),
            "To": texts(table["destination"], JOINED),
            "Pupils": counts(table, "n_pupils"),
            "Years of exposure before (mean)": numbers(table, "mean_years_before"),
            "Of these direct": numbers(table, "mean_direct_before"),
        }
    )


def taking_part(released: Released) -> pd.DataFrame:
    """How much schools took part: teachers, meetings and hours, by year of participation."""
    people, meetings = released["teacher_intensity"], released["network_attendance"]
    frame = pd.DataFrame(
        {
            "Year of participation": _year(people),
            "Teachers taking part": numbers(people, "mean_participants", 1),
            "Share of teachers": [_percent(one) for one in numbers(people, "mean_intensity", 3)],
            "Schools where known": counts(people, "n_known"),
        }
    )
    other = pd.DataFrame(
        {
            "Year of participation": _year(meetings),
            "Meetings attended": numbers(meetings, "mean_events", 1),
            "Share of meetings": [_percent(one) for one in numbers(meetings, "mean_share_attended", 3)],
            "Hours a teacher": numbers(meetings, "mean_hours_per_teacher", 1),
            "Schools with records": counts(meetings, "n_recorded"),
        }
    )
    if not (people["n_known"].sum() or meetings["n_recorded"].sum()):
        return frame.head(0)
    both = frame.merge(other, on="Year of participation", how="outer").fillna(formats.MISSING)
    return both.sort_values("Year of participation", key=lambda column: column.astype("int64"), ignore_index=True)


def third_year_on(released: Released, model: str) -> pd.DataFrame:
    """Direct and indirect effects from the third year on, their difference, and the contrast within schools."""
    records = released["records"]
    rows = records[(records["model"] == model) & records["estimand"].isin(_ROWS)]
    rows = rows.sort_values("estimand", key=lambda names: names.map({n: i for i, n in enumerate(_ROWS)}), kind="stable")
    return pd.DataFrame(
        {
            "Pupils": texts(rows["estimand"], _ROWS),
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "p": p_values(rows, "p"),
            "Pupils counted": counts(rows, "n_treated"),
            "Schools": counts(rows, "n_schools"),
            "Clusters (members)": counts(rows, "clusters_treated"),
        }
    )


def by_year(released: Released, model: str) -> pd.DataFrame:
    """The same by year of participation; every number with its interval."""
    records = released["records"]
    rows = records[(records["model"] == model) & (records["event_time"] >= 0).fillna(False)]
    frame: pd.DataFrame | None = None
    for name, words in _ROWS.items():
        own = rows[rows["estimand"] == f"{name}_event_time"].sort_values("event_time")
        both = zip(numbers(own, "estimate"), intervals(own, "ci_low", "ci_high"), strict=True)
        part = pd.DataFrame({"Year of participation": _year(own), words: [f"{one} ({span})" for one, span in both]})
        frame = part if frame is None else frame.merge(part, on="Year of participation", how="outer")
    return pd.DataFrame() if frame is None else frame.fillna(formats.MISSING)


def before_joining(released: Released, model: str) -> pd.DataFrame:
    """Differences of both groups before joining: they should be near zero."""
    records = released["records"]
    early = records[(records["model"] == model) & (records["event_time"] < 0).fillna(False)]
    rows = early[early["estimand"].isin(["att_direct_event_time", "att_indirect_event_time"])]
    return pd.DataFrame(
        {
            "Pupils": texts(rows["estimand"].str.removesuffix("_event_time"), _ROWS),
            "Years before joining": [formats.number(-time, 0) for time in rows["event_time"]],
            "Estimate": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
        }
    )


def mobilisation(released: Released, model: str) -> pd.DataFrame:
    """The ratio of the indirect to the direct effect with Fieller's set, from the third year on and by year."""
    table = released["mobilisation"]
    table = table[table["model"] == model]
    return pd.DataFrame(
        {
            "Year of participation": ["third year on" if one == formats.MISSING else one for one in _year(table)],
            "Indirect / direct": numbers(table, "ratio"),
            "Ratios that the data do not contradict": [
                formats.SUPPRESSED if shown == formats.SUPPRESSED else _set(row)
                for row, shown in zip(rows_of(table), numbers(table, "ratio"), strict=True)
            ],
        }
    )


def _set(row: object) -> str:
    """Fieller's set in words."""
    kind, low, high = (getattr(row, name) for name in ("kind", "ci_low", "ci_high"))
    if kind == "bounded":
        return formats.interval(low, high)
    if kind == "unbounded":
        return "all: the direct effect cannot be told from zero"
    if kind == "outside":
        first, last = (getattr(row, name) for name in ("excluded_from", "excluded_to"))
        if formats.is_missing(first):
            return f"all above {formats.number(last)}"
        if formats.is_missing(last):
            return f"all below {formats.number(first)}"
        return f"all but {formats.number(first)} to {formats.number(last)}"
    return "not known: an effect has no standard error"


def assumptions() -> pd.DataFrame:
    """What each comparison assumes, in words; what several assume stands once."""
    table = assumptions_table()
    together = table.groupby("assumption", sort=False)["label"].agg(list)
    everything = table["label"].nunique()
    return pd.DataFrame(
        {
            "Assumption": list(together.index),
            "Needed for": ["all of them" if len(of) == everything else "; ".join(of) for of in together],
        }
    )


def dose(released: Released) -> pd.DataFrame:
    """Member schools by dose band and year of participation."""
    table = released["dose_by_event_time"]
    order = table["band"].map({band: place for place, band in enumerate(BANDS)})
    table = table.assign(_order=order).sort_values(["event_time", "_order"], kind="stable")
    return pd.DataFrame(
        {
            "Year of participation": _year(table),
            "Dose": texts(table["band"]),
            "Hours a teacher": [_limits(row) for row in rows_of(table)],
            "Schools": counts(table, "n_schools"),
            "Mean hours": numbers(table, "mean_dose", 1),
        }
    )


def _limits(row: object) -> str:
    low, high = (getattr(row, name) for name in ("above", "up_to"))
    if formats.is_missing(low):
        return formats.MISSING
    if formats.is_missing(high):
        return f"above {formats.number(low, 1)}"
    return "0" if high == 0 else f"above {formats.number(low, 1)} up to {formats.number(high, 1)}"


def by_dose(released: Released, model: str) -> pd.DataFrame:
    """Differences from comparison schools by band of dose, from the third year on and by year of participation."""
    records = released["records"]
    rows = records[(records["model"] == model) & records["estimand"].isin(["dose_third_year_on", "dose_event_time"])]
    band = rows["term"].str.split(":").str[0]
    rows = rows.assign(_band=band.map({name: place for place, name in enumerate(BANDS)}), band=band)
    rows = rows.sort_values(["estimand", "_band", "event_time"], ascending=[False, True, True], kind="stable")
    return pd.DataFrame(
        {
            "Dose": texts(rows["band"]),
            "Year of participation": ["third year on" if one == formats.MISSING else one for one in _year(rows)],
            "Difference": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
            "Networks' clusters": counts(rows, "clusters_treated"),
        }
    )


def nearness(released: Released) -> pd.DataFrame:
    """How near comparison schools are to schools that have joined, by year."""
    table = released["contamination"]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Comparison schools": counts(table, "n_comparison"),
            "With a place": counts(table, "n_located"),
            "Lower quartile (km)": numbers(table, "quartile_km", 1),
            "Median (km)": numbers(table, "median_km", 1),
            "Nearer than declared": counts(table, "n_near"),
            "Join a network after the study": counts(table, "n_joins_after_study"),
        }
    )


def other_networks(released: Released) -> pd.DataFrame:
    """Schools of both arms in networks outside the programme, by year; no rows without data on them."""
    table = released["contamination"]
    table = table[table["n_been_other"].notna()]
    return pd.DataFrame(
        {
            "Year": years(table["year"]),
            "Comparison schools": counts(table, "n_comparison"),
            "In another network": counts(table, "n_other"),
            "In one so far": counts(table, "n_been_other"),
            "Member schools": counts(table, "n_members"),
            "Members in another": counts(table, "n_members_other"),
            "Members in one so far": counts(table, "n_members_been_other"),
        }
    )


def doubtful_comparison(released: Released) -> pd.DataFrame:
    """The headline with all comparison schools and without doubtful ones."""
    table = released["doubtful_comparison"]
    return pd.DataFrame(
        {
            "Compared with": texts(table["variant"], VARIANTS),
            "Left out": _left_out(table, "n_left_out"),
            "Members left out": _left_out(table, "n_members_left_out"),
            "Estimate": [
                STATUSES.get(status) or shown
                for status, shown in zip(table["status"], numbers(table, "estimate", 3), strict=True)
            ],
            "SE": numbers(table, "se", 3),
            "Interval": intervals(table, "ci_low", "ci_high", 3),
        }
    )


def _left_out(table: pd.DataFrame, column: str) -> list[str]:
    return [formats.count(0 if formats.is_missing(value) else value) for value in table[column]]


def _year(table: pd.DataFrame) -> list[str]:
    """Event times as years of participation."""
    return [formats.MISSING if formats.is_missing(time) else str(int(time) + 1) for time in table["event_time"]]


def _percent(shown: str) -> str:
    """A share that stands as a number, such as 0.377, as a percentage."""
    if shown in (formats.SUPPRESSED, formats.MISSING):
        return shown
    return formats.share(float(shown))

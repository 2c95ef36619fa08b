"""Tables to panel: the one public function is :func:`prepare`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import read_table, write_json, write_table
from plneval.config.cohort import Cohort
from plneval.errors import UserErrors
from plneval.ingest.places import CohortFile
from plneval.prepare import panel as panels
from plneval.prepare.clusters import Clusters, assign_clusters
from plneval.prepare.exclusions import check_schools, check_scores, school_status
from plneval.prepare.exposure import pupil_exposure
from plneval.prepare.membership import Calendar, member_years, school_membership, spells
from plneval.prepare.numbering import numbered, numbering
from plneval.prepare.sample_flow import complete_schools, sample_flow
from plneval.prepare.scores import pupil_scores, school_of_pupils, school_scores, usable
from plneval.prepare.standardise import Standardised, standardise
from plneval.prepare.standardisers import standardisers

TABLES = ("schools", "school_years", "networks", "memberships", "pupils", "outcomes", "teaching")


@dataclass(frozen=True)
class Prepared:
    """Everything that the stage writes."""

    pupil: pd.DataFrame
    school: pd.DataFrame
    schools: pd.DataFrame
    flow: pd.DataFrame
    standardisers: pd.DataFrame
    notes: dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """The schools that are analysed, and the records that were read."""

    calendar: Calendar
    spells: pd.DataFrame
    membership: pd.DataFrame
    member_years: pd.DataFrame
    pupils: pd.DataFrame
    scores: pd.DataFrame
    status: pd.Series


def prepare(cohort: Cohort, tables: Path, out: Path, place: CohortFile | None = None) -> None:
    """Make the analysis panels of a cohort from its canonical tables.

    Parameters
    ----------
    cohort
        The cohort's configuration.
    tables
        Folder that ingest wrote.
    out
        Folder for ``panel_pupil.parquet``, ``panel_school.parquet``, ``schools.parquet``, ``flow.parquet``,
        ``standardisers.parquet`` and ``notes.json``; nothing is written when the data do not make a study.
    place
        The cohort's file as it was read, so that messages carry lines.

    Raises
    ------
    UserError
        If no member or comparison school is left, an outcome has no score or no variance, or a study year that is not
        declared as missing has no outcomes.
    """
    prepared = make_panels(cohort, {name: read_table(tables / f"{name}.parquet") for name in TABLES}, place)
    write_table(out / "panel_pupil.parquet", prepared.pupil)
    write_table(out / "panel_school.parquet", prepared.school)
    write_table(out / "schools.parquet", prepared.schools)
    write_table(out / "flow.parquet", prepared.flow)
    write_table(out / "standardisers.parquet", prepared.standardisers)
    write_json(out / "notes.json", prepared.notes)


def check_sample(cohort: Cohort, tables: dict[str, pd.DataFrame], place: CohortFile | None = None) -> dict[str, int]:
    """Check that the tables make a study, and write nothing.

    Returns
    -------
    Schools that can be analysed, by arm ('member', 'comparison').

    Raises
    ------
    UserError
        As :func:`prepare`, but for outcomes that have scores and cannot be standardised.
    """
    sample = draw_sample(cohort, number_tables(tables), place or CohortFile(Path("config") / "cohorts"))
    analysed = sample.membership.loc[sample.status == "analysed", "arm"]
    return {arm: int((analysed == arm).sum()) for arm in ("member", "comparison")}


def make_panels(cohort: Cohort, tables: dict[str, pd.DataFrame], place: CohortFile | None = None) -> Prepared:
    """What :func:`prepare` writes, from tables in memory; raises what it raises."""
    place = place or CohortFile(Path("config") / "cohorts")
    tables = number_tables(tables)
    sample = draw_sample(cohort, tables, place)
    analysed = sample.status == "analysed"
    in_study = sample.spells.loc[sample.spells["entry"] <= sample.calendar.last_year]
    clusters = assign_clusters(sample.membership, in_study, analysed, cohort.design.cluster)
    kept = usable(sample.scores) & sample.scores["school"].map(analysed).fillna(False).astype(bool)
    schools = panels.schools_table(
        tables["schools"], tables["networks"], sample.membership, clusters.cluster, sample.status
    )
    rows = _with_school_years(sample.scores.loc[kept], schools, tables, sample)
    scaled = standardise(rows, rows["treated"] == 0, cohort)
    _check_scaled(scaled, cohort, place)
    scores = scaled.scores.loc[scaled.scores["has_reference"]].reset_index(drop=True)
    schools, sample = _without_scores(schools, sample, scores, place)
    has_reference = pd.Series(False, index=sample.scores.index)
    has_reference[kept] = scaled.scores["has_reference"].to_numpy()
    flow = sample_flow(cohort, sample.membership, sample.status, sample.scores, sample.pupils, has_reference)
    groups = panels.subgroup_rows(scores) if cohort.study.level == "pupil" else scores
    cells = panels.school_cells(groups)
    pupil = panels.empty_pupil_panel()
    if cohort.study.level == "pupil":
        scores["exposure"] = pupil_exposure(scores, tables["teaching"], sample.spells)
        pupil = panels.pupil_panel(scores)
    return Prepared(
        pupil=pupil,
        school=panels.school_panel(_with_school_years(cells, schools, tables, sample)),
        schools=schools,
        flow=flow,
        standardisers=standardisers(groups, scaled.pupil_scale),
        notes=notes(cohort, sample, clusters, scaled, pupil),
    )


def number_tables(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Put numbers in place of the identifiers of schools, networks and pupils in every table."""
    schools = numbering(tables["schools"]["school_id"])
    networks = numbering(tables["networks"]["network_id"])
    pupils = numbering(tables["pupils"]["pupil_id"])
    found = {}
    for name, table in tables.items():
        table = table.copy()
        for column, target, numbers in (
            ("school_id", "school", schools),
            ("network_id", "network", networks),
            ("pupil_id", "pupil", pupils),
        ):
            if column in table.columns:
                table[target] = numbered(table.pop(column), numbers, target)
        found[name] = table
    return found


def draw_sample(cohort: Cohort, tables: dict[str, pd.DataFrame], place: CohortFile) -> Sample:
    """Membership, matched scores and the status of every school; raises :class:`UserError` where no study is left."""
    calendar = Calendar.of(cohort)
    declared = {
        source.status.first_year_entry
        for source in cohort.sources.get("memberships", [])
        if source.status is not None and source.status.first_year_entry is not None
    }
    school_spells = spells(tables["memberships"], calendar, declared)
    membership = school_membership(school_spells, calendar, tables["schools"]["school"])
    pupils = school_of_pupils(tables["pupils"], cohort.design.movers)
    if cohort.study.level == "pupil":
        scores = pupil_scores(tables["outcomes"], pupils, cohort)
    else:
        scores = school_scores(tables["outcomes"], cohort)
    check_scores(scores, cohort, place)
    status = school_status(membership, scores)
    check_schools(membership, status, calendar, place)
    return Sample(calendar, school_spells, membership, member_years(school_spells, calendar), pupils, scores, status)


def _with_school_years(
    rows: pd.DataFrame, schools: pd.DataFrame, tables: dict[str, pd.DataFrame], sample: Sample
) -> pd.DataFrame:
    return panels.school_year_columns(
        rows, schools, tables["school_years"], sample.member_years, sample.calendar.first_year
    )


def _check_scaled(scaled: Standardised, cohort: Cohort, place: CohortFile) -> None:
    lost = []
    for name in cohort.outcomes:
        of_outcome = scaled.scores["outcome"] == name
        if not (of_outcome & scaled.scores["has_reference"]).any():
            lost.append(
                place.error(
                    ("outcomes", name),
                    f"no year and grade holds two schools or pupils that have not joined yet and whose scores differ, "
                    f"so it cannot be standardised ({int(of_outcome.sum())} scores). Check its column under "
                    f"sources.outcomes, or declare outcomes.{name}.standardise: none.",
                )
            )
    if lost:
        raise UserErrors(lost)


def _without_scores(
    schools: pd.DataFrame, sample: Sample, scores: pd.DataFrame, place: CohortFile
) -> tuple[pd.DataFrame, Sample]:
    """Take out schools none of whose scores could be standardised, and check once more that a study is left."""
    left = schools["school"].isin(scores["school"].unique())
    lost = (schools["status"] == "analysed") & ~left
    if not lost.any():
        return schools, sample
    schools = schools.assign(status=schools["status"].mask(lost, "no_reference"))
    status = pd.Series(schools["status"].to_numpy(), index=sample.status.index, dtype="str")
    check_schools(sample.membership, status, sample.calendar, place)
    return schools, Sample(**{**vars(sample), "status": status})


def notes(
    cohort: Cohort, sample: Sample, clusters: Clusters, scaled: Standardised, pupil: pd.DataFrame
) -> dict[str, Any]:
    """Counts that reports need beside the flow (``notes.json``)."""
    membership, status = sample.membership, sample.status
    joiners = membership["arm"] == "member"
    analysed = joiners & (status == "analysed")
    complete = complete_schools(sample.scores, cohort)
    last_seen = sample.scores.loc[usable(sample.scores)].groupby("school")["year"].max().reindex(membership.index)
    unseen = (last_seen < membership["entry_year"]).fillna(False).astype(bool)
    return {
        "schools": len(membership),
        "joiners": int(joiners.sum()),
        "left_censored_schools": int(membership["left_censored"].sum()),
        "late_joiners": int((membership["late_joiner"] & analysed).sum()),
        "entry_uncertain_schools": int((membership["entry_uncertain"] & analysed).sum()),
        "leavers": int((membership["ever_left"] & analysed).sum()),
        "returners": int((membership["returned"] & analysed).sum()),
        "joining_after_study": int(membership["joins_after_study"].sum()),
        "members_without_outcome_after_joining": int((unseen & analysed).sum()),
        "movers": int(sample.pupils.loc[sample.pupils["mover"] == 1, "pupil"].nunique()),
        "movers_rule": cohort.design.movers,
        "cluster_unit": clusters.unit,
        "networks": clusters.networks,
        "networks_merged": clusters.merged_networks,
        "standardised_by": {name: "pupil" if scaled.pupil_scale[name] else "school" for name in cohort.outcomes},
        "schools_with_outcome_in_all_years": {name: len(found) for name, found in complete.items()},
        "scores_with_unknown_exposure": int((pupil["exposure"] == "unknown").sum()),
    }

"""Effects on participants' own pupils and on their colleagues' pupils, their difference and the mobilisation ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from plneval import did
from plneval.config.cohort import Design
from plneval.config.models import GroupTime
from plneval.config.network_models import Diffusion
from plneval.errors import UserError
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts, basis_of, school_years
from plneval.estimate.fit import Basis, Estimate, Fit, unestimable
from plneval.estimate.group_time import estimate_effects, fit_of, statistics_of, without_references
from plneval.estimate.sample import Exclusions, SchoolSample, modelled_column
from plneval.estimate.school_panel import in_words, note_dropped
from plneval.estimate.side_by_side import SideBySide
from plneval.estimate.within_school import within_school
from plneval.networks.diffusion import assumptions_table, contrast_rows, exposure_groups
from plneval.networks.exposure import separability
from plneval.networks.ratio import mobilisation_ratio
from plneval.networks.study import NetworkStudy

SIDES: Final = ("direct", "indirect")
COMPARISON: Final = "schools that never join"
LEFT: Final = "school has left its network: its pupils are taught by neither participants nor their colleagues"


@dataclass(frozen=True)
class _Side:
    """One of the two groups of pupils: its school-years, pupils and estimates."""

    sample: SchoolSample
    fit: Fit
    used: dict[str, pd.DataFrame]
    """Key of an estimate → school-years (school, year, treated) that it rests on."""


def diffusion(study: NetworkStudy, spec: Diffusion) -> Fit:
    r"""Estimate direct and indirect effects by group-time effects of two groups of the same schools' pupils.

    A member school's outcome after joining is the mean of the pupils taught by participants (direct) or of the others
    (indirect), in years in which the school is a member; before joining it is that of the pupils who stand for that
    time (``before``). Schools weigh as their mean number of scored pupils of the group from joining on, comparison
    schools as their mean number of scored pupils (``design.weight: pupils``), or all alike. Pupils of schools that have
    left are in neither group.

    Returns
    -------
    Fit
        ``att_direct``, ``att_indirect`` (event times from the third year on, weighted by treated pupils or schools) and
        ``att_direct_event_time``, ``att_indirect_event_time``; ``att_direct_less_indirect`` and its event times, whose
        errors take up that both effects rest on the same clusters; ``within_school`` and its event times;
        ``mobilisation_ratio`` and its event times, with Fieller's set where it is an interval.
    """
    column = modelled_column(study.cohort, spec.outcome)
    description = f"{column} of pupils in years in which their school was a member, and of comparison schools"
    rows = _rows(study, spec)
    told = separability(study.tables, rows).set_index("outcome").loc[spec.outcome]
    exclusions = Exclusions()
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "before": spec.before,
        "separability": {"reason": str(told["reason"]), "statement": str(told["statement"])},
        "assumptions": assumptions_table().drop(columns="number").to_dict("records"),
        "weights": "mean number of scored pupils of the group" if study.cohort.design.weight == "pupils" else "equal",
        "exclusions": exclusions.rows,
        "intervals": "pointwise",
    }
    if not told["separable"]:
        diagnostics["not_estimated"] = [str(told["statement"])]
        return unestimable(spec.kind, column, COMPARISON, description, diagnostics)
    group = exposure_groups(rows, study.tables, spec.before)
    left = (rows["treated"] == 1) & (rows["member"] == 0)
    exclusions.add("pupil-years", int(left.sum()), LEFT)
    unknown = (group == "unknown") & ~left
    exclusions.add("pupil-years", int(unknown.sum()), "no teacher link, or no participant of the school is named")
    group = group.mask(left, "left")
    try:
        table = effects_by_group(rows, group, column, spec, study.cohort.design, exclusions)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, column, COMPARISON, description, diagnostics)
    covariance, influences = table.tables()
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        description,
        tuple(table.estimates),
        covariance,
        influences,
        diagnostics,
        warnings=exclusions.sentences(),
    )


def effects_by_group(
    rows: pd.DataFrame, group: pd.Series, column: str, spec: Diffusion, design: Design, exclusions: Exclusions
) -> SideBySide:
    """The estimates of :func:`diffusion` from scores and their groups.

    Parameters
    ----------
    rows : scores of one outcome, with the columns of the pupil panel.
    group : :func:`plneval.networks.diffusion.exposure_groups`, with another word for scores in neither group.
    exclusions : takes up what is left out.

    Raises
    ------
    DidError
        If there is nothing to estimate.
    """
    sides = {name: _side(rows, group, name, column, spec, design, exclusions) for name in SIDES}
    table = SideBySide()
    for name, side in sides.items():
        table.add(side.fit, {"att_third_year_on": f"att_{name}", "att_event_time": f"att_{name}_event_time"})
    _compare(table, sides, rows, spec, design.weight)
    for estimate, influence in within_school(rows, group, column):
        table.append(estimate, influence)
    return table


def _rows(study: NetworkStudy, spec: Diffusion) -> pd.DataFrame:
    """Scores of the outcome and the pupils that are modelled."""
    panel = study.pupil.loc[study.pupil["outcome"] == spec.outcome]
    if spec.subgroup != "all":
        panel = panel.loc[panel["disadvantaged"] == (1 if spec.subgroup == "disadvantaged" else 0)]
    return panel.reset_index(drop=True)


def _side(
    rows: pd.DataFrame,
    group: pd.Series,
    name: str,
    column: str,
    spec: Diffusion,
    design: Design,
    exclusions: Exclusions,
) -> _Side:
    """Group-time effects on one group of pupils; raises ``DidError`` if there are none."""
    own = contrast_rows(rows, group, name).dropna(subset=[column])
    sample = side_sample(own, column, design.weight)
    model = GroupTime.of(spec)
    found, lone = estimate_effects(sample, model)
    note_dropped(sample.exclusions, found.dropped, told=("group-times", "units × group-times"))
    members = Members(found)
    effects = without_references(found)
    diagnostics: dict[str, Any] = {}
    statistics = statistics_of(effects, members, diagnostics, design.minimum_entry_group)
    pupils = PupilCounts(own[["school", "year", "pupil"]])
    fit = fit_of(sample, model, members, pupils, statistics, diagnostics, lone)
    exclusions.rows += [{**row, "group": name} for row in sample.exclusions.rows]
    used = {}
    for one in statistics:
        of_any, treated = members.rows(sample.rows, one.cells)
        years = sample.rows.loc[of_any, ["school", "year"]]
        used[f"{one.estimand}|{one.term}"] = years.assign(treated=treated[of_any])
    return _Side(sample, fit, used)


def side_sample(rows: pd.DataFrame, column: str, weight: str) -> SchoolSample:
    """School-years of one group of pupils, with one weight for each school.

    # ASSUME: a member school weighs as its mean number of scored pupils of the group in its years from joining on, a
    comparison school as its mean number of scored pupils.
    """
    keys = ["school", "year"]
    by = rows.groupby(keys, sort=True)
    table = by[["cluster", "network", "entry_year"]].first()
    table = table.assign(y=by[column].mean(), n=by.size()).reset_index()
    about = (table["year"] >= table["entry_year"]).fillna(False).astype(bool) | table["entry_year"].isna()
    mean = table["n"].where(about).astype("float64").groupby(table["school"]).transform("mean")
    exclusions = Exclusions()
    without = mean.isna()
    exclusions.add("schools", table.loc[without, "school"].nunique(), "no pupil of the group from joining on")
    table = table.assign(weight=1.0 if weight == "schools" else mean).loc[~without].reset_index(drop=True)
    return SchoolSample(table, column, "schools" if weight == "schools" else "pupils", exclusions)


def _compare(table: SideBySide, sides: dict[str, _Side], rows: pd.DataFrame, spec: Diffusion, weight: str) -> None:
    """Add the differences and the ratios of the two effects, from the third year on and by event time."""
    found = {(one.estimand, one.term): one for one in table.estimates}
    pupils = PupilCounts(rows[["school", "year", "pupil"]])
    everybody = side_sample(rows.dropna(subset=[sides["direct"].sample.column]), sides["direct"].sample.column, weight)
    for (estimand, term), direct in list(found.items()):
        indirect = found.get((estimand.replace("direct", "indirect", 1), term))
        if not estimand.startswith("att_direct") or indirect is None:
            continue
        if spec.before == "all_pupils" and (direct.event_time or 0) < 0:
            # The same pupils stand for both groups then: a difference would only be one of schools' weights.
            continue
        ending = estimand.removeprefix("att_direct")
        source = "att_third_year_on|" if not ending else f"att_event_time|{term}"
        basis = _union(sides, source, everybody, pupils, direct, indirect)
        difference = _difference(table, direct, indirect, f"att_direct_less_indirect{ending}", basis)
        table.append_difference(difference, direct.key, indirect.key)
        if direct.event_time is None or direct.event_time >= 0:
            table.append(_ratio(table, direct, indirect, f"mobilisation_ratio{ending}", basis, spec.confidence))


def _union(
    sides: dict[str, _Side],
    source: str,
    everybody: SchoolSample,
    pupils: PupilCounts,
    direct: Estimate,
    indirect: Estimate,
) -> Basis:
    """What both effects together rest on; networks that only one of them has count too."""
    years = pd.concat([side.used[source] for side in sides.values()])
    keys = school_years(everybody.rows)
    used = pd.Series(pd.Index(keys).isin(school_years(years)))
    treated = pd.Series(pd.Index(keys).isin(school_years(years.loc[years["treated"]])))
    counts = (
        max(direct.basis.clusters_treated or 0, indirect.basis.clusters_treated or 0),
        max(direct.basis.clusters_comparison or 0, indirect.basis.clusters_comparison or 0),
    )
    return basis_of(everybody, pupils, used, treated, counts)


def _difference(table: SideBySide, direct: Estimate, indirect: Estimate, estimand: str, basis: Basis) -> Estimate:
    value = direct.estimate - indirect.estimate
    variance = (
        table.variance_of_difference(direct.key, indirect.key) if table.known(direct.key, indirect.key) else math.nan
    )
    known = math.isfinite(variance) and variance > 0
    df = _fewer(direct.df, indirect.df)
    words = "none" if not known else direct.vcov if direct.df == df else indirect.vcov
    said = "no standard error: one of the two effects has none, or they have the same error"
    return Estimate(
        estimand,
        direct.term,
        direct.event_time,
        value,
        math.sqrt(variance) if known else None,
        df if known else None,
        words,
        basis,
        warnings=tuple(dict.fromkeys((*direct.warnings, *indirect.warnings))) if known else (said,),
    )


def _ratio(
    table: SideBySide, direct: Estimate, indirect: Estimate, estimand: str, basis: Basis, level: float
) -> Estimate:
    """The ratio with Fieller's limits where they are an interval; ``vcov`` says what kind of set it is."""
    value = indirect.estimate / direct.estimate if direct.estimate else math.nan
    unknown: dict[str, Any] = {"se": None, "df": None, "basis": basis, "scaled": False, "bounds": (None, None)}
    if not table.known(direct.key, indirect.key) or direct.se is None or indirect.se is None:
        said = ("no interval: one of the two effects has no standard error",)
        return Estimate(estimand, direct.term, direct.event_time, value, vcov="none", warnings=said, **unknown)
    df = _fewer(direct.df, indirect.df)
    try:
        found = mobilisation_ratio(
            indirect.estimate,
            direct.estimate,
            indirect_se=indirect.se,
            direct_se=direct.se,
            covariance=table.covariance(direct.key, indirect.key),
            df=df,
            level=level,
        )
    except UserError as reason:
        return Estimate(
            estimand, direct.term, direct.event_time, value, vcov="none", warnings=(str(reason),), **unknown
        )
    unknown["df"] = df
    if found.kind == "bounded":
        unknown["bounds"] = (found.low, found.high)
    notes = () if found.kind == "bounded" else ("no interval: the direct effect cannot be told from zero",)
    return Estimate(
        estimand, direct.term, direct.event_time, value, vcov=f"Fieller, {found.kind}", warnings=notes, **unknown
    )


def _fewer(first: float | None, second: float | None) -> float | None:
    """The smaller degrees of freedom; missing for the normal distribution."""
    known = [df for df in (first, second) if df is not None]
    return min(known) if known else None

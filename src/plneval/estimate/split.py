"""The effect from the third year on for parts of the member schools: by what they, or their networks, are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.models import GroupTime
from plneval.config.network_models import Split
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Basis, Estimate, Fit, unestimable
from plneval.estimate.group_time import (
    COMPARISONS,
    estimate_effects,
    fit_of,
    statistics_of,
    without_references,
)
from plneval.estimate.inference import covariance_table, influence_table, wald_test
from plneval.estimate.sample import SchoolSample, modelled_column, read_school_sample
from plneval.estimate.school_panel import in_words, note_dropped
from plneval.estimate.split_parts import BANDS, OF_NETWORKS, ORDER, note_unknown, of_part, ordered, parts_of
from plneval.networks.study import NetworkStudy
from plneval.standards import load

Array = npt.NDArray[np.float64]
HEADLINE: Final = "att_third_year_on"


def split(study: NetworkStudy, spec: Split) -> Fit:
    """Estimate the effect from the third year on in every part by :func:`plneval.did.att_gt`, and compare the parts.

    A part's effect is that of :func:`plneval.estimate.group_time.group_time` on the part's member schools. By
    deprivation, share of disadvantaged pupils, area and phase, comparison schools are of the same part; by type, focus
    and composition of networks, which comparison schools have not, all of them are. Schools that join later are
    comparison (``not_yet``) within their own part only. A school that counts for networks of several kinds
    (:func:`plneval.networks.several_networks.school_networks`) is in each of their parts with that part of its weight:
    the parts' mean by weight is the effect on all member schools, against schools that never join.

    # ASSUME: parts are told apart by what was so before joining, so that no school moves between them; other things
    # that differ between parts are not adjusted for: a difference between parts is an association.

    Returns
    -------
    Fit
        ``att_split`` with term ``deprivation:low`` and the like; ``att_split_difference`` (highest less lowest third,
        where parts are thirds); ``split_test``, the Wald test that all parts have one effect (term ``joint``). Parts
        share clusters: their covariance comes from the influence by cluster. Degrees of freedom of a part are at most
        the clusters of its smaller arm less 1, those of comparisons the fewest of any part. Parts that cannot be
        estimated are counted in the warnings, with the reason in the diagnostics.
    """
    column = modelled_column(study.cohort, spec.outcome)
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column, tuple(spec.covariates))
    pupils = PupilCounts.read(study.panel, spec.outcome, spec.subgroup)
    parts = parts_of(study, spec)
    words = f"{COMPARISONS[spec.comparison]}{'' if spec.by in OF_NETWORKS else ' and are of the same part'}"
    description = f"schools with {column} in both years of a cell, part by part"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "by": spec.by,
        "weights": f"mean number of scored {sample.weight}" if sample.weight == "pupils" else "equal for all schools",
        "exclusions": sample.exclusions.rows,
        "parts": {},
        "intervals": "pointwise",
    }
    note_unknown(sample, parts, spec)
    joined = sample.rows.loc[sample.rows["entry_year"].notna(), "school"]
    found: list[tuple[Estimate, pd.Series]] = []
    for name in ordered(sorted(parts.loc[parts["school"].isin(joined), "part"].unique())):
        own = parts.loc[parts["part"] == name]
        estimate, influence = _of_part(of_part(sample, own, spec), spec, pupils, f"{spec.by}:{name}", own, diagnostics)
        if estimate is not None:
            found.append((estimate, influence))
    if not found:
        reasons = {str(said.get("not_estimated")) for said in diagnostics["parts"].values()}
        diagnostics["not_estimated"] = sorted(reasons) or ["no member school is of a known part"]
        return unestimable(spec.kind, column, words, description, diagnostics)
    lost = sum("not_estimated" in said for said in diagnostics["parts"].values())
    said = (f"{lost} parts could not be estimated (too few schools or years)",) if lost else ()
    estimates = [estimate for estimate, _ in found]
    known = [(estimate, influence) for estimate, influence in found if estimate.se is not None]
    matrix = pd.DataFrame({estimate.key: influence for estimate, influence in known}).fillna(0.0).sort_index()
    estimates += _comparisons(known, matrix, spec)
    keys, values = [str(key) for key in matrix.columns], matrix.to_numpy(dtype=np.float64)
    return Fit(
        spec.kind,
        column,
        words,
        description,
        tuple(estimates),
        covariance_table(keys, values),
        influence_table(_clusters(matrix.index), keys, values),
        diagnostics,
        warnings=(*said, *sample.exclusions.sentences()),
    )


def _of_part(
    sample: SchoolSample, spec: Split, pupils: PupilCounts, term: str, own: pd.DataFrame, diagnostics: dict[str, Any]
) -> tuple[Estimate | None, pd.Series]:
    """The part's effect from the third year on and its influence by cluster; None where there is none."""
    said = diagnostics["parts"].setdefault(term, {"exclusions": sample.exclusions.rows})
    nothing = pd.Series(dtype="float64")
    as_group_time = GroupTime.of(spec, spec.comparison)
    try:
        effects, lone = estimate_effects(sample, as_group_time)
    except did.DidError as reason:
        said["not_estimated"] = in_words(str(reason))
        return None, nothing
    note_dropped(sample.exclusions, effects.dropped, told=("group-times", "units × group-times"))
    members = Members(effects)
    effects = without_references(effects)
    late = [one for one in statistics_of(effects, members, said, 1) if one.estimand == HEADLINE]
    if not late:
        said["not_estimated"] = said.get("no_headline", "no cell from joining on can be estimated")
        return None, nothing
    fit = fit_of(sample, as_group_time, members, pupils, late, said, lone)
    estimate = next(one for one in fit.estimates if one.estimand == HEADLINE)
    influence = fit.influence.loc[fit.influence["term"] == estimate.key]
    used = members.rows(sample.rows, late[0].cells)[0] & sample.rows["entry_year"].notna()
    networks = own.loc[own["school"].isin(sample.rows.loc[used, "school"]), "network"].nunique()
    estimate = replace(estimate, estimand="att_split", term=term, basis=replace(estimate.basis, n_networks=networks))
    estimate = _with_few_clusters(estimate)
    # A missing cluster is variation that this part alone borrows from its comparison schools.
    labels = [f"c{cluster}" if pd.notna(cluster) else f"{term}:{row}" for row, cluster in influence["cluster"].items()]
    return estimate, pd.Series(influence["influence"].to_numpy(dtype=np.float64), index=labels, dtype="float64")


def _with_few_clusters(estimate: Estimate) -> Estimate:
    """With no more degrees of freedom than clusters of the smaller arm less 1.

    A part may hold two or three networks. Welch's degrees of freedom would then rest on the comparison schools, from
    which networks that are alone in their entry group borrow their variation, and promise what two networks cannot.
    """
    if estimate.se is None or estimate.df is None:
        return estimate
    fewest = min(estimate.basis.clusters_treated or 0, estimate.basis.clusters_comparison or 0) - 1.0
    df = min(estimate.df, fewest)
    return replace(estimate, df=df, vcov=f"small sample, t({df:.1f})")


def _comparisons(known: list[tuple[Estimate, pd.Series]], matrix: pd.DataFrame, spec: Split) -> list[Estimate]:
    """The test that parts have one effect and, of thirds, highest less lowest; empty with fewer than two parts."""
    if len(known) < 2:
        return []
    estimates = [estimate for estimate, _ in known]
    values, influence = np.array([one.estimate for one in estimates]), matrix.to_numpy(dtype=np.float64)
    small = load("cluster_rules").small_sample_below
    found: list[Estimate] = []
    lowest, highest = (f"{spec.by}:{band}" for band in (ORDER[0], ORDER[-1]))
    terms = [one.term for one in estimates]
    if spec.by in BANDS and lowest in terms and highest in terms:
        low, high = terms.index(lowest), terms.index(highest)
        difference = influence[:, high] - influence[:, low]
        own = [estimates[place] for place in (low, high)]
        df = _fewest(own)
        vcov = "cluster, normal" if df is None else f"small sample, t({df:.1f})"
        value, se = float(values[high] - values[low]), float(np.sqrt(difference @ difference))
        found.append(Estimate("att_split_difference", f"{spec.by}:high-low", None, value, se, df, vcov, _together(own)))
    basis = _together(estimates)
    fewest = min(basis.clusters_treated or 0, basis.clusters_comparison or 0)
    df_test = float(fewest - 1) if fewest < small else None
    test = wald_test(values[1:] - values[0], influence[:, 1:] - influence[:, [0]], df_test)
    note = (
        () if test.p is not None else (f"no test: {test.df} restrictions, but only {fewest} clusters in a part's arm",)
    )
    vcov = "Wald, chi-squared" if df_test is None else f"Wald, F({test.df}, {test.df_denominator:g})"
    found.append(
        Estimate(
            "split_test", "joint", None, test.statistic, None, float(test.df), vcov, basis, test.p, (None, None),
            scaled=False, warnings=note,
        )
    )  # fmt: skip
    return found


def _fewest(estimates: list[Estimate]) -> float | None:
    known = [one.df for one in estimates if one.df is not None]
    return min(known) if known else None


def _together(estimates: list[Estimate]) -> Basis:
    """Counts behind a comparison of parts: those of the part with fewest, since it rests on each of them."""
    bases = [vars(one.basis) for one in estimates]
    least = {
        name: min(int(basis[name]) for basis in bases) if all(basis[name] is not None for basis in bases) else None
        for name in bases[0]
    }
    return Basis(**least)


def _clusters(labels: pd.Index) -> pd.Series:
    """Numbers of clusters from the rows' labels; missing for borrowed variation."""
    numbers = [int(label[1:]) if re.fullmatch(r"c\d+", label) else None for label in labels]
    return pd.Series(pd.array(numbers, dtype="Int64"))

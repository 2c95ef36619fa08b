"""Randomisation inference for a headline that rests on too few treated clusters for any standard error."""

from __future__ import annotations

import math
from dataclasses import replace

from plneval import did
from plneval.config.models import GroupTime
from plneval.estimate.fit import Fit
from plneval.estimate.sample import SchoolSample
from plneval.estimate.school_panel import COLUMNS, in_words, school_panel
from plneval.standards import load

HEADLINE = "att_third_year_on"
DRAWS = 9999


def with_randomization(fit: Fit, sample: SchoolSample, spec: GroupTime, seed: int, strata: str | None = None) -> Fit:
    """The fit with p and interval of the third-year effect by :func:`plneval.did.randomization_test`, if it needs it.

    Below the number of treated clusters under which the wild bootstrap is unreliable, entry years are permuted over
    clusters (whole networks; of one size where they hold schools of several entry years). The interval holds the
    constant effects that the test does not reject; the standard error stays for comparison.

    # ASSUME: any network (school) of a stratum (of the study, where strata are not declared) might as well have joined
    # when another of it did.

    Parameters
    ----------
    strata : column of the sample (``design.randomise_within``); a network may not reach over strata.
    """
    found = [one for one in fit.estimates if one.estimand == HEADLINE]
    limit = load("cluster_rules").wild_bootstrap_minimum_treated
    if not found or (found[0].basis.clusters_treated or 0) >= limit:
        return fit
    frame, _ = school_panel(sample, ())
    try:
        if spec.covariates:
            raise did.DidError("a randomisation test takes no covariates")
        test = did.randomization_test(
            frame,
            **COLUMNS,
            statistic="headline",
            strata=None if strata is None else dict(sample.rows.groupby("school")[strata].first()),
            draws=DRAWS,
            seed=seed,
            min_event=load("follow_up").headline_from_event_time,
            comparison=spec.comparison,
            panel=True,
            allow_unbalanced="pairwise",
            anticipation=spec.anticipation,
            missing_entry="never",
            level=spec.confidence,
        )
    except did.DidError as reason:
        said = f"no randomisation test: {in_words(str(reason))}"
        fit.diagnostics["randomization"] = {"refused": said}
        headline = replace(found[0], warnings=(*found[0].warnings, said))
        return _with_headline(fit, headline)
    fit.diagnostics["randomization"] = {
        "p": test.p,
        "p_interval": [test.p_low, test.p_high],
        "draws": test.draws,
        "exact": test.exact,
        "assignments": float(test.n_assignments),
        "scheme": test.scheme,
        "within": strata or "study",
        "seed": seed,
        "estimate": test.estimate,
    }
    bounded = math.isfinite(test.ci_low) and math.isfinite(test.ci_high)
    kind = "all assignments" if test.exact else f"{test.draws:,} draws"
    headline = replace(
        found[0],
        p=test.p,
        bounds=(test.ci_low, test.ci_high) if bounded else (None, None),
        vcov=f"randomisation of entry by {test.scheme}{f' within {strata}' if strata else ''}, {kind}",
        warnings=(*found[0].warnings, "p and interval by randomisation inference; the standard error is no guide"),
    )
    return _with_headline(fit, headline)


def _with_headline(fit: Fit, headline: object) -> Fit:
    estimates = tuple(headline if one.estimand == HEADLINE else one for one in fit.estimates)
    return replace(fit, estimates=estimates)  # type: ignore[arg-type]

"""What was declared about the study, as the reports print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plneval.config.cohort import Cohort
from plneval.config.models import ModelSpec
from plneval.config.report import Report


def study_document(cohort: Cohort, name: str, report: Report, specs: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """The declared study: title, programme, years, level, outcomes, design, models, TIDieR, costs, branding."""
    branding = report.branding.model_dump(mode="json")
    return {
        "cohort": name,
        "title": cohort.title,
        "programme": cohort.programme,
        "headline_model": next(model for model, spec in specs.items() if spec.headline),
        "level": cohort.study.level,
        "first_year": cohort.study.first_year,
        "last_year": cohort.study.last_year,
        "missing_outcome_years": sorted(cohort.study.missing_outcome_years),
        "outcomes": {
            key: {**outcome.model_dump(mode="json"), "years": cohort.years_of(key)}
            for key, outcome in cohort.outcomes.items()
        },
        "design": cohort.design.model_dump(mode="json"),
        "models": {model: spec.model_dump(mode="json") for model, spec in specs.items()},
        "thresholds": report.thresholds.model_dump(mode="json"),
        "months_table": report.months_table,
        "language": report.language,
        "tidier": cohort.tidier.model_dump(mode="json"),
        "costs": [cost.model_dump(mode="json") for cost in cohort.costs],
        "branding": {**branding, "organisation": cohort.organisation or branding["organisation"]},
        "origin": cohort.data.origin,
        "simulated": cohort.data.truth is not None,
    }

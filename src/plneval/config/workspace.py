"""All configuration of a project, read together and checked across its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from plneval.artifacts import digest_json
from plneval.config.base import NAME, validate
from plneval.config.cohort import Cohort
from plneval.config.instrument import Instrument
from plneval.config.layout import Layout
from plneval.config.model_base import DidBase
from plneval.config.models import Models, ModelSpec, Multilevel
from plneval.config.network_models import Mediation, Moderation
from plneval.config.panel_columns import SCHOOL_PANEL, multilevel_columns
from plneval.config.project import Project
from plneval.config.random_terms import check_mixed_formula
from plneval.config.report import Report
from plneval.config.yaml_source import YamlSource, read_yaml
from plneval.errors import UserError, UserErrors, did_you_mean


@dataclass(frozen=True)
class Workspace:
    """A project's folder and everything declared in its ``config/``."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @cached_property
    def project(self) -> Project:
        """``config/config.yaml``."""
        return validate(self._source("config.yaml"), Project)

    @cached_property
    def models(self) -> Models:
        """``config/models.yaml``, every formula checked."""
        source = self._source("models.yaml")
        models = validate(source, Models)
        problems = []
        for name, spec in models.models.items():
            try:
                check_model(spec)
            except UserError as error:
                problems.append(source.error(("models", name, _formula_key(spec)), str(error)))
        if problems:
            raise UserErrors(problems)
        return models

    @cached_property
    def report(self) -> Report:
        """``config/report.yaml``."""
        return validate(self._source("report.yaml"), Report)

    def cohort_names(self) -> list[str]:
        """Cohorts that have a file, sorted."""
        return sorted(path.stem for path in (self.config / "cohorts").glob("*.yaml"))

    def cohort(self, name: str) -> Cohort:
        """``config/cohorts/<name>.yaml``, checked against the models that it names.

        Raises
        ------
        UserError
            If there is no such cohort, or its file or its models do not fit together.
        """
        source = self.cohort_source(name)
        cohort = validate(source, Cohort)
        self._check_instrument_of(cohort, source)
        self._check_models_of(cohort, source)
        return cohort

    def cohort_source(self, name: str) -> YamlSource:
        """A cohort's file as it was read, for messages that name its lines."""
        known = self.cohort_names()
        if name not in known:
            raise UserError(
                f"{self._shown('cohorts')}: there is no cohort '{name}'.{did_you_mean(name, known)} "
                f"Cohorts: {', '.join(known) or 'none'}."
            )
        if not re.fullmatch(NAME, name):
            raise UserError(
                f"{self._shown('cohorts')}/{name}.yaml: the name of a cohort becomes part of folder names; "
                "rename the file with small letters, digits, '_' and '-' only."
            )
        return self._source(f"cohorts/{name}.yaml")

    def model(self, name: str) -> ModelSpec:
        """One model's specification."""
        if name not in self.models.models:
            raise UserError(
                f"{self._shown('models.yaml')}: there is no model '{name}'.{did_you_mean(name, self.models.models)}"
            )
        return self.models.models[name]

    def instrument(self, cohort: Cohort) -> Instrument | None:
        """``config/instruments/<name>.yaml`` of a cohort; None where it declares none."""
        return (
            None
            if cohort.instrument is None
            else validate(self._source(f"instruments/{cohort.instrument}.yaml"), Instrument)
        )

    def headline_model(self, cohort: Cohort) -> str:
        """Name of the model whose third-year-on effect is the cohort's headline."""
        return next(name for name in cohort.models if self.model(name).headline)

    def layout(self, cohort: str) -> Layout:
        """Where the cohort's results stand."""
        results = Path(self.project.results)
        return Layout(results if results.is_absolute() else self.root / results, cohort)

    def data_folder(self, cohort: Cohort, override: str | Path | None = None) -> Path:
        """Folder of the raw files."""
        folder = Path(override) if override is not None else Path(cohort.data.folder)
        return folder if folder.is_absolute() or override is not None else self.root / folder

    def _check_models_of(self, cohort: Cohort, source: YamlSource) -> None:
        problems: list[UserError] = []
        known = self.models.models
        headlines = []
        for position, name in enumerate(cohort.models):
            location = ("models", position)
            if name not in known:
                problems.append(
                    source.error(
                        location,
                        f"there is no model '{name}' in {self._shown('models.yaml')}.{did_you_mean(name, known)}",
                    )
                )
                continue
            spec = known[name]
            if spec.headline:
                headlines.append(name)
            if spec.outcome not in cohort.outcomes:
                problems.append(
                    source.error(
                        location,
                        f"the model '{name}' is about the outcome '{spec.outcome}', which this cohort does not have."
                        f"{did_you_mean(spec.outcome, cohort.outcomes)}",
                    )
                )
            if cohort.study.level == "school" and (
                (isinstance(spec, Multilevel) and spec.level == "pupil") or spec.subgroup != "all" or spec.needs_pupils
            ):
                problems.append(
                    source.error(
                        location, f"the model '{name}' needs pupils, and this study has school-level data only."
                    )
                )
            if isinstance(spec, Moderation | Mediation):
                problems += [
                    source.error(location, f"the model '{name}' {lacking}")
                    for lacking in _lacking_scales(spec, self.instrument(cohort))
                ]
        if not problems and len(headlines) != 1:
            problems.append(
                source.error(
                    ("models",),
                    f"exactly one model with 'headline: true' is needed; found {', '.join(headlines) or 'none'}.",
                )
            )
        if problems:
            raise UserErrors(problems)

    def _check_instrument_of(self, cohort: Cohort, source: YamlSource) -> None:
        known = sorted(path.stem for path in (self.config / "instruments").glob("*.yaml"))
        if cohort.instrument is not None and cohort.instrument not in known:
            raise source.error(
                ("instrument",),
                f"there is no {self._shown('instruments')}/{cohort.instrument}.yaml."
                f"{did_you_mean(cohort.instrument, known)} Instruments: {', '.join(known) or 'none'}.",
            )

    def _source(self, name: str) -> YamlSource:
        return read_yaml(self.config / name, self._shown(name))

    def _shown(self, name: str) -> Path:
        """A configuration file as it is named in messages: from the project's root."""
        return Path("config") / name


def check_model(spec: ModelSpec) -> None:
    """Check what a model names against the panel it is fitted on.

    Raises
    ------
    UserError
        If a formula or a covariate names something that is not there.
    """
    if isinstance(spec, Multilevel):
        formula = check_mixed_formula(spec.formula, multilevel_columns(spec.level)).fixed
        stray = [term for term in spec.effect_terms if term not in formula.terms]
        if stray:
            raise UserError(
                f"effect_terms: '{stray[0]}' is not a term of the formula.{did_you_mean(stray[0], formula.terms)}"
            )
    elif isinstance(spec, DidBase):
        stray = [name for name in spec.covariates if name not in SCHOOL_PANEL]
        if stray:
            raise UserError(f"covariates: there is no column '{stray[0]}'.{did_you_mean(stray[0], SCHOOL_PANEL)}")


def _lacking_scales(spec: Moderation | Mediation, instrument: Instrument | None) -> list[str]:
    """What a model about surveys names that the cohort's instrument does not have."""
    if instrument is None:
        return ["needs a survey, and the cohort declares no 'instrument'."]
    form = instrument.forms.get(spec.form)
    if form is None:
        hint = did_you_mean(spec.form, instrument.forms)
        return [f"names the form '{spec.form}', which the instrument does not have.{hint}"]
    scales = spec.conditions if isinstance(spec, Moderation) else [spec.scale]
    return [
        f"names the scale '{scale}', which the form '{spec.form}' does not have.{did_you_mean(scale, form.scales)}"
        for scale in scales
        if scale not in form.scales
    ]


def _formula_key(spec: ModelSpec) -> str:
    return "formula" if isinstance(spec, Multilevel) else "covariates"


def spec_digest(section: Any) -> str:
    """SHA-256 of a configuration section in its canonical form: a job reruns when what it declares changes."""
    value = section.model_dump(mode="json") if hasattr(section, "model_dump") else section
    return digest_json(value)

"""``config/models.yaml``: the models that cohorts share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from plneval.config.base import Name, Section
from plneval.config.model_base import DidBase, ModelBase, NoHeadline
from plneval.config.network_models import NetworkModel


class GroupTime(DidBase):
    """Group-time effects of staggered joining after Callaway and Sant'Anna (2021)."""

    kind: Literal["did.att_gt"]
    comparison: Literal["never", "not_yet"] = "never"
    """Comparison schools: those that never join, or also those that join later."""
    method: Literal["or", "ipw", "dr"] = "dr"
    """Outcome regression, inverse probability weighting, or both; without covariates all are the same. Covariates are
    those of the last year before joining."""

    @classmethod
    def of(cls, spec: ModelBase, comparison: Literal["never", "not_yet"] = "never") -> GroupTime:
        """The group-time effects that a model of another kind is made of: its outcome, covariates and confidence.

        The pupils are all: models of subgroups and gaps choose their rows themselves.
        """
        return cls(
            kind="did.att_gt",
            label=spec.label,
            outcome=spec.outcome,
            comparison=comparison,
            covariates=spec.covariates if isinstance(spec, DidBase) else [],
            anticipation=spec.anticipation if isinstance(spec, DidBase) else 0,
            confidence=spec.confidence,
        )


class Imputation(DidBase):
    """What member schools would have reached without joining, imputed from school and year effects of the others."""

    kind: Literal["did.imputation", "did.two_stage"]
    """After Borusyak, Jaravel and Spiess (2024), or after Gardner (2022): one estimate, two standard errors."""


class SunAbraham(DidBase):
    """Interaction-weighted event study after Sun and Abraham (2021)."""

    kind: Literal["did.sun_abraham"]


class ExtendedTwoWay(DidBase):
    """Extended two-way fixed effects after Wooldridge (2021): one coefficient for each entry group and year."""

    kind: Literal["did.extended_twfe"]
    comparison: Literal["never", "not_yet"] = "not_yet"
    """Comparison: all school-years before joining, or those of schools that never join."""


class EventStudy(ModelBase):
    """Two-way fixed effects event study, shown for comparison: biased where effects differ between entry groups."""

    kind: Literal["did.event_study"]
    minimum_event_time: int = Field(default=-4, le=-2)
    """Earlier event times are pooled into this one."""
    maximum_event_time: int = Field(default=4, ge=2)
    """Later event times are pooled into this one."""


class TwoWay(ModelBase):
    """Two-way fixed effects with one coefficient, shown with the decomposition that says what it averages."""

    kind: Literal["did.twfe"]


class Synthetic(ModelBase):
    """Synthetic difference-in-differences after Arkhangelsky and others (2021), by entry group: for few members."""

    kind: Literal["did.synthetic"]


class TripleDifference(DidBase, NoHeadline):
    """Effect on the gap: on disadvantaged pupils in excess of that on other pupils of the same schools."""

    kind: Literal["did.triple_difference"]
    # A word that the base does not have, so that no other kind can be asked for it: narrower here on purpose.
    subgroup: Literal["gap"] = "gap"  # type: ignore[assignment]
    """Always the gap between disadvantaged and other pupils."""
    comparison: Literal["never", "not_yet"] = "never"
    """Comparison schools: those that never join, or also those that join later."""
    method: Literal["or", "ipw", "dr"] = "dr"
    """Outcome regression, inverse probability weighting, or both; without covariates all are the same."""


class Leaving(NoHeadline):
    """Effect of leaving on the schools that leave, against schools that are still members."""

    kind: Literal["did.leaving"]
    same_entry: bool = True
    """Whether leavers are compared only with members that joined in the same outcome year."""


class Switchers(NoHeadline):
    """Effects of joining and of leaving after de Chaisemartin and D'Haultfœuille (2024), membership as it is."""

    kind: Literal["did.switchers"]


LinearDid = Imputation | SunAbraham | ExtendedTwoWay


class Multilevel(ModelBase):
    """Linear mixed model of occasions in pupils in schools in networks by restricted maximum likelihood."""

    kind: Literal["multilevel"]
    level: Literal["pupil", "school"] = "pupil"
    """Rows that are modelled: pupil-years, or school-years."""
    formula: str
    """In lme4's language, over the columns of the panel and the transforms that are allowed:
    `z_fixed ~ C(year) + treated + (time | school) + (1 | pupil)`. Levels: pupil, school, network, cluster, area;
    comparison schools are networks of their own."""
    effect_terms: list[str] = Field(min_length=1)
    """Terms of the fixed part that are reported as effects of participation."""
    headline_terms: list[str] = []
    """Terms whose treated-pupil-weighted mean is the effect from the third year on."""
    degrees_of_freedom: Literal["satterthwaite", "kenward_roger"] = "satterthwaite"
    """Kenward and Roger's adjust standard errors too; they need nested levels."""
    robust: Literal["none", "CR0", "CR1", "CR2", "CR3"] = "none"
    """Cluster-robust standard errors of the effect terms, by the panel's `cluster`, with Satterthwaite's degrees of
    freedom, in place of the model's own; they need nested levels: `(1 | school:pupil)` for pupils who move."""

    @model_validator(mode="after")
    def _terms_fit(self) -> Multilevel:
        stray = sorted(set(self.headline_terms) - set(self.effect_terms))
        if stray:
            raise ValueError(f"headline_terms: '{stray[0]}' is not among effect_terms.")
        if self.robust != "none" and self.degrees_of_freedom != "satterthwaite":
            raise ValueError("robust: leave degrees_of_freedom out; robust errors have Satterthwaite's.")
        return self


ModelSpec = Annotated[
    GroupTime
    | Imputation
    | SunAbraham
    | ExtendedTwoWay
    | EventStudy
    | TwoWay
    | Synthetic
    | TripleDifference
    | Leaving
    | Switchers
    | Multilevel
    | NetworkModel,
    Field(discriminator="kind"),
]
RENAMED: Final = {
    "callaway_santanna": "did.att_gt",
    "twfe_event_study": "did.event_study",
    "growth_three_level": "multilevel",
    "growth_two_level": "multilevel",
}
"""Kinds that once had another name."""


class Models(Section):
    """All models, by name."""

    models: dict[Name, ModelSpec] = Field(min_length=1)
    """The models, by name."""

    @model_validator(mode="before")
    @classmethod
    def _kinds_by_their_present_names(cls, value: Any) -> Any:
        models = value.get("models") if isinstance(value, dict) else None
        for name, model in models.items() if isinstance(models, dict) else ():
            kind = model.get("kind") if isinstance(model, dict) else None
            if isinstance(kind, str) and kind in RENAMED:
                raise ValueError(f"models.{name}.kind: '{kind}' is called '{RENAMED[kind]}' now.")
        return value

"""The typed form of every standard: one frozen model per kind of data file."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Status = Literal["verified", "recall"]


class Record(BaseModel):
    """A part of a standard: immutable, and no key that the model does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Standard(Record):
    """What every standard says about itself.

    ``status`` is ``verified`` where the number was read at the source or recomputed, ``recall`` where a person has yet
    to confirm it; the report marks the latter.
    """

    name: str
    title: str
    version: str
    source: str
    status: Status
    notes: str = ""


class MonthsBand(Record):
    """Effect sizes from ``lower`` to ``upper`` (standard deviations, both included, sign dropped) are ``months``."""

    months: int
    lower: Decimal
    upper: Decimal


class MonthsTable(Standard):
    """Effect size to months of progress; bands follow each other without a gap at ``decimals`` decimals."""

    decimals: int
    bands: tuple[MonthsBand, ...]

    @model_validator(mode="after")
    def _bands_follow_each_other(self) -> Self:
        step = Decimal(1).scaleb(-self.decimals)
        if self.bands[0].lower != 0:
            raise ValueError(f"{self.name}: the first band must start at 0")
        for below, above in pairwise(self.bands):
            if above.lower != below.upper + step or above.months != below.months + 1:
                raise ValueError(f"{self.name}: band {above.months} does not follow band {below.months}")
        return self


class BaselineLimits(Standard):
    """Limits of the absolute baseline difference in standard deviations (Hedges' g or Cox index)."""

    satisfied_up_to: float
    adjustment_up_to: float
    tolerance: float
    best_rating_of_quasi_experiment: str


class DifferenceInDifferencesAdjustment(Standard):
    """When differencing counts as adjustment for the baseline measure."""

    minimum_correlation: float
    same_measure_required: bool


class AttritionBoundary(Standard):
    """Highest differential attrition (percentage points) still low, by whole percent of overall attrition from 0."""

    applies_to: str
    tolerance: float
    cautious: tuple[float, ...]
    optimistic: tuple[float, ...]


class DesignScore(Record):
    """Padlocks that a design can reach at most."""

    design: str
    score: int
    words: str


class ScoreBand(Record):
    """``score`` padlocks for values up to ``up_to`` (included)."""

    score: int
    up_to: float


class SecurityRating(Standard):
    """EEF security of the finding: initial score from design, minimum detectable effect and pupil attrition."""

    caveat: str
    designs: tuple[DesignScore, ...]
    mdes: tuple[ScoreBand, ...]
    attrition_percent: tuple[ScoreBand, ...]
    score_beyond_bands: int
    tolerance: float


class EffectSizeConstants(Standard):
    """Constants of Hedges' small-sample factor 1 - numerator/(slope df - offset), of the Cox index, of intervals."""

    correction_numerator: float
    correction_slope: float
    correction_offset: float
    cox_divisor: float
    confidence_level: float


class IntraclassCorrelationDefaults(Standard):
    """Intraclass correlation to assume where a study gives none."""

    achievement: float
    other: float


class MinimumDetectableEffectDefaults(Standard):
    """Two-sided significance level and power of a minimum detectable effect."""

    alpha: float
    power: float


class ClusterRules(Standard):
    """What the number of clusters allows.

    ``small_sample_below`` is held against the smaller of treated and comparison clusters, not against their sum;
    ``wild_bootstrap_minimum_treated`` against treated clusters.
    """

    small_sample_below: int
    wild_bootstrap_minimum_treated: int


class FollowUp(Standard):
    """The event time from which cells count for the headline."""

    headline_from_event_time: int
    words: str


class PreTrendTest(Standard):
    """Two-sided significance level of the joint test of pre-treatment effects."""

    alpha: float


class DisclosurePreset(Standard):
    """Rules for what may leave; counts are of people. ``None`` means that the preset has no such rule."""

    redact_counts_from: int | None
    redact_counts_to: int | None
    rounding_base: int | None
    redact_before_rounding: bool
    totals_from_rounded: bool
    secondary_suppression: bool
    minimum_maximum_allowed: bool
    minimum_residual_df: int | None
    dominance_contributors: int | None
    dominance_maximum_share: float | None
    remainder_minimum_share_of_largest: float | None
    minimum_schools: int
    estimate_decimals: int

    @model_validator(mode="after")
    def _rules_are_whole(self) -> Self:
        if (self.redact_counts_from is None) != (self.redact_counts_to is None):
            raise ValueError(f"{self.name}: redact_counts_from and redact_counts_to go together")
        if (self.dominance_contributors is None) != (self.dominance_maximum_share is None):
            raise ValueError(f"{self.name}: dominance_contributors and dominance_maximum_share go together")
        return self


class SurveyQuality(Standard):
    """Least reliability of scales (alpha, omega) and of groups' means (ICC(2)), least agreement in groups (r_wg)."""

    minimum_reliability: float = Field(gt=0, lt=1)
    minimum_icc2: float = Field(gt=0, lt=1)
    minimum_r_wg: float = Field(gt=0, lt=1)


class TableSymbol(Record):
    """A symbol printed in place of a number."""

    symbol: str
    meaning: str


class TableSymbols(Standard):
    """Symbols printed in place of numbers, in any preset."""

    symbols: tuple[TableSymbol, ...]


class ChecklistItem(Record):
    """One item of a reporting checklist; ``key`` is the name it has in configuration files."""

    number: int
    key: str = Field(pattern=r"^[a-z][a-z_]*$")
    section: str
    name: str


class Checklist(Standard):
    """A reporting checklist; items are numbered from 1 and keys are unique."""

    items: tuple[ChecklistItem, ...]

    @model_validator(mode="after")
    def _items_are_numbered(self) -> Self:
        if [item.number for item in self.items] != list(range(1, len(self.items) + 1)):
            raise ValueError(f"{self.name}: items are not numbered 1, 2, 3, …")
        if len({item.key for item in self.items}) != len(self.items):
            raise ValueError(f"{self.name}: two items have the same key")
        return self


class SustainabilityCriterion(Record):
    """One criterion of the scorecard of sustainability."""

    key: str = Field(pattern=r"^[a-z][a-z_]*$")
    part: Literal["practice", "outcomes", "agency"]
    words: str


class SustainabilityDegree(Record):
    """One degree of sustainability."""

    degree: int
    name: str
    words: str


class SustainabilityRules(Standard):
    """When a criterion of sustainability is shown, and what its degrees mean."""

    confidence_level: float
    minimum_respondents: int
    minimum_waves: int
    minimum_schools: int = Field(ge=2)
    retained_share: float
    largest_yearly_decline: float
    minimum_scale_position: float
    minimum_products: int
    minimum_product_share: float
    criteria: tuple[SustainabilityCriterion, ...]
    degrees: tuple[SustainabilityDegree, ...]

    @model_validator(mode="after")
    def _degrees_are_four(self) -> Self:
        if [degree.degree for degree in self.degrees] != [0, 1, 2, 3]:
            raise ValueError(f"{self.name}: the degrees must be 0, 1, 2, 3")
        if len({criterion.key for criterion in self.criteria}) != len(self.criteria):
            raise ValueError(f"{self.name}: two criteria have the same key")
        return self


class NetworkDataRule(Record):
    """How often one thing may be wrong in the data about networks, and its words for one and for many.

    ``touches`` says what rests on it; ``fail_above`` is missing where nothing causal does.
    """

    key: str = Field(pattern=r"^[a-z][a-z_]*$")
    touches: Literal["effect", "participation", "networks", "teaching", "ties", "surveys"]
    caution_above: float = Field(ge=0, le=1)
    fail_above: float | None = Field(default=None, ge=0, le=1)
    one: str
    many: str


class NetworkDataRules(Standard):
    """Limits of what cannot be right in the data about networks; shares of the records (networks, waves) looked at."""

    rules: tuple[NetworkDataRule, ...]

    @model_validator(mode="after")
    def _limits_rise(self) -> Self:
        if len({rule.key for rule in self.rules}) != len(self.rules):
            raise ValueError(f"{self.name}: two rules have the same key")
        for rule in self.rules:
            if rule.fail_above is not None and rule.fail_above < rule.caution_above:
                raise ValueError(f"{self.name}: {rule.key} fails before it is at caution")
        return self

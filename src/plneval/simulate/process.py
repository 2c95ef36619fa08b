"""How the made-up study generates its data: every constant in one place, in pupil standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

SUBJECTS: Final = ("maths", "reading")
GRADES: Final = (3, 4, 5, 6)
"""Tested grades; a pupil passes through all of them."""
CONDITIONS: Final = ("focus", "collaboration", "inquiry", "learning", "leadership")
"""Conditions of learning in networks, one latent score for each network."""
FACETS: Final = MappingProxyType(
    {
        "focus_network": "focus",
        "focus_school": "focus",
        "trust": "collaboration",
        "disclosure": "collaboration",
        "inquiry": "inquiry",
        "individual_learning": "learning",
        "group_learning": "learning",
        "network_leadership": "leadership",
        "formalising": "leadership",
        "prioritising": "leadership",
        "mobilising": "leadership",
    }
)
"""Facets, each with its condition: what the long form asks about. One that has its condition's name is the condition.
Effects go with conditions alone, and with a facet as far as it goes with its condition."""
FACET_CORRELATION: Final = 0.8
"""Of a facet with its condition over networks: facets of one condition correlate 0.64, of two conditions 0.26."""
FACET_ANSWERED: Final = 0.7
"""Of one SD of a network's facet, what its respondents see of it (as of conditions in the short form)."""
RESPONDENT_SD: Final = 0.5
"""Respondents' views of a facet around what all of their network see of it (as in the short form)."""
RESPONDENT_SHARED: Final = 0.5
"""Part of that variance which is the same for all facets of one condition: who thinks well of one thinks well of the
others."""
NETWORK_TYPES: Final = (
    "data use team",
    "research learning network",
    "lesson study",
    "teacher design team",
    "professional development network",
)


@dataclass(frozen=True)
class Process:
    """The data generating process without the effects of participation.

    # ASSUME: Variances are typical of standardised attainment in primary schools: intraclass correlation about 0.15,
    # cluster autocorrelation about 0.9.
    """

    member_share: float = 0.45
    """Share of schools that are ever members."""
    selection: float = 0.12
    """Level of joining schools above the level of comparison schools before joining; trends are the same."""
    school_sd: float = 0.35
    school_slope_sd: float = 0.012
    """School trend per year."""
    school_year_sd: float = 0.11
    pupil_sd: float = 0.70
    pupil_slope_sd: float = 0.05
    """Pupil growth per grade around the mean growth."""
    residual_sd: float = 0.55
    school_correlation: float = 0.85
    """Of a school's maths and reading; also of its slopes and its shocks."""
    pupil_correlation: float = 0.75
    residual_correlation: float = 0.30
    disadvantage: float = -0.35
    """Score of disadvantaged pupils less that of others in the same school."""
    deprivation: float = -0.10
    """Slope of the school's level on deprivation (per SD of deprivation)."""
    grade_gain: float = 0.40
    """Mean growth from grade to grade."""
    grade_year_sd: float = 0.06
    """Differences between the tests of different years and grades."""
    mover_share: float = 0.042
    """Pupils who change school once, seen or not within the study years."""
    absent: float = 0.035
    """Pupils on roll whose scores are missing; disadvantaged pupils twice as often in part."""
    turnover: float = 0.10
    """Teachers who leave their school in a year."""
    participating_teachers: float = 0.40
    """Share of a member school's classes whose teacher takes part; the others are taught by colleagues."""
    practice_sd: float = 0.8
    """Teachers' practice around what participation makes of it, on the latent scale of the survey's answers."""


@dataclass(frozen=True)
class PlantedEffects:
    """The effects of participation that are planted, in pupil standard deviations.

    Every effect on pupils is a multiple of ``direct``: a study with ``direct = 0`` has no effect on them anywhere.
    """

    direct: float
    """Mean effect on directly taught pupils from the third year of participation on, maths."""
    ramp: tuple[float, float, float] = (1 / 6, 1 / 2, 1.0)
    """Part of the full effect in the first, the second, and the third and later years of participation."""
    indirect: float = 0.4
    """Effect on colleagues' pupils as a part of the effect on directly taught pupils."""
    fade: float = 0.6
    """Part of the effect that is left with each year after leaving."""
    gap: float = 0.5
    """Effect on disadvantaged pupils above that on others, as a multiple of ``direct``."""
    residual_spread: float = 0.28
    """SD between networks that the conditions do not explain, as a multiple of ``direct``."""
    slopes: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {"focus": 0.10, "collaboration": 0.15, "inquiry": 0.10, "learning": 0.0, "leadership": 0.05}
        )
    )
    """Effect for each SD of a network's condition, as a multiple of ``direct``; learning has none."""
    as_drawn: bool = False
    """Whether a study's networks are a sample of many, with conditions as they were drawn. Otherwise conditions have
    mean 0 and SD 1 over the study's own networks, so that ``direct`` is their mean effect."""
    subjects: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"maths": 1.0, "reading": 0.75}))
    """Effect on each subject as a part of the effect on maths."""
    practice: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"participant": 0.6, "colleague": 0.25})
    )
    """Mean gain of teachers' practice from the third year of participation on, on the latent scale of the survey's
    answers, by who answers. It is no multiple of ``direct``: practice moves although pupils may gain nothing."""
    practice_conditions: float = 2.0
    """How many times as strongly as pupils' effect the gain of practice goes with the network's conditions.

    With conditions c (``conditions @ slopes``) practice gains stage × a × (1 + k c), and pupils stage × size ×
    (1 + c + residual + gap) = (1 − 1/k) × size × stage + size/(a k) × practice gained + what is left: with 1 the whole
    mean effect goes over practice, with 2 a half. It may fall below 0: a network without the conditions sets its
    members' practice back.
    """


POINTS: Final = {"maths": (100.0, 15.0), "reading": (100.0, 14.0)}
"""Mean (between grades 4 and 5) and standard deviation of each subject in points of its test."""
SCORE_RANGE: Final = (0, 200)
"""Lowest and highest possible score, more than six standard deviations from the mean."""

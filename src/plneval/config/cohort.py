"""``config/cohorts/<cohort>.yaml``: one evaluated cohort of schools, its data, its design and its description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from plneval.config.base import MONTH_DAY, Name, Section
from plneval.config.sources import TABLES, Source
from plneval.errors import did_you_mean

MonthDay = Annotated[str, StringConstraints(pattern=MONTH_DAY)]


class Data(Section):
    """Where the raw files are."""

    folder: str
    """Folder of the raw files, from the project's root; ``--data`` on the command line takes its place."""
    origin: str
    """Where the data come from and how to get them; shown when the folder is not there."""
    missing: list[str] = []
    """Texts that mean missing in every file, beside the empty cell."""
    truth: str | None = None
    """Simulated studies only: the file within the folder that holds the planted effects."""


class Simulation(Section):
    """A made-up study that is written to the data folder before it is read."""

    seed: int = Field(ge=0, le=2**32 - 1)
    """Seed of every random draw."""
    schools: int = Field(default=120, ge=12, le=5000)
    """Number of schools."""
    networks: int = Field(default=18, ge=1, le=500)
    """Number of networks."""
    pupils_per_grade: float = Field(default=45, ge=5, le=500)
    """Mean number of pupils in a school's year group."""
    effect: float = Field(default=0.12, ge=-1, le=1)
    """Mean effect on directly taught pupils from the third year of participation on, in pupil standard deviations."""


class Study(Section):
    """The years and the level of the study."""

    first_year: int = Field(ge=1950, le=2100)
    """First study year (the calendar year in which the school year ends)."""
    last_year: int = Field(ge=1950, le=2100)
    """Last study year."""
    missing_outcome_years: list[int] = []
    """Study years without any outcomes, such as years without tests; they count as years of participation."""
    level: Literal["pupil", "school"] = "pupil"
    """Whether outcomes are measured for pupils or only for schools."""
    school_year_start: MonthDay = "09-01"
    """Month and day on which a school year starts."""

    @model_validator(mode="after")
    def _years_in_order(self) -> Study:
        if self.last_year <= self.first_year:
            raise ValueError(f"last_year {self.last_year} must be later than first_year {self.first_year}.")
        outside = [year for year in self.missing_outcome_years if not self.first_year <= year <= self.last_year]
        if outside:
            raise ValueError(f"missing_outcome_years holds {outside[0]}, which is outside the study years.")
        return self

    @property
    def outcome_years(self) -> list[int]:
        """Study years in which outcomes are expected."""
        return [y for y in range(self.first_year, self.last_year + 1) if y not in self.missing_outcome_years]


class Design(Section):
    """Definitions that the analysis panel follows."""

    join_cutoff: MonthDay = "01-31"
    """Joining after this month and day of a school year counts for the next school year."""
    movers: Literal["school_at_outcome", "school_at_entry"] = "school_at_outcome"
    """School to which a pupil who changes school belongs: that of the outcome's year, or the first one seen."""
    weight: Literal["pupils", "schools"] = "pupils"
    """What the headline averages over: treated pupils, or treated schools."""
    cluster: Literal["network", "school"] = "network"
    """Unit of inference: the first network of members (the school for others), or always the school. With one network
    only the school is the cluster."""
    pupil_identity: list[str] = []
    """Columns of the pupils table that tell two pupils with one recycled number apart, such as birth."""
    comparison_in_other_networks: Literal["none", "some", "unknown"] = "unknown"
    """Whether comparison schools take part in other networks."""
    comparison_near_members: Literal["none", "some", "unknown"] = "unknown"
    """Whether comparison schools are neighbours of member schools."""
    neighbour_distance_km: float | None = Field(default=None, gt=0)
    """Comparison schools nearer than this to a member school are its neighbours: estimates are given with and without
    them. Not declared: distances are told, and no school is called a neighbour."""
    several_networks: Literal["first", "strongest_dose", "all"] = "first"
    """The network of a school (or teacher) that is in several in one year: the one joined first, the one whose meetings
    it attended for most hours, or all of them in equal parts. For effects that is decided once a school, over its years
    up to the third of participation. Clusters of inference follow the first network always."""
    networks_consent_to_be_named: bool = False
    """Whether all networks agreed that reports name them beside their effect. Only networks of enough schools are shown
    at all, and places are no ranks. Without such an agreement no network is ever named."""
    assignment: Literal["randomised", "matched", "self_selected"] = "self_selected"
    """How schools came to be members."""
    randomise_within: Literal["study", "area"] = "study"
    """Schools among which randomisation tests exchange years of joining: all, or those of one area, where schools (or
    networks) of an area might as well have joined when another did, and those of different areas not."""
    minimum_entry_group: int = Field(default=3, ge=1)
    """Entry groups with fewer schools are shown as pooled."""


class Outcome(Section):
    """One outcome and how it is put on a scale."""

    label: str
    """Name in reports."""
    unit: str = "points"
    """Unit of the raw score, such as points or percentile."""
    standardise: Literal["year_grade", "none"] = "year_grade"
    """By the mean and SD of never- and not-yet-treated pupils (or schools) of the same year and grade, or not at all.
    Growth models use one fixed baseline scale in any case."""
    years: list[int] | None = None
    """Study years in which it was measured; the study's outcome years when left out."""
    higher_is_better: bool = True
    """Whether a higher score is the better one."""
    minimum: float | None = None
    """Lowest possible raw score; rows below are rejected by the rule out_of_range."""
    maximum: float | None = None
    """Highest possible raw score; rows above are rejected by the rule out_of_range."""
    baseline_covariate: bool = True
    """Whether its value before joining counts in the test of baseline equivalence."""


class Tidier(Section):
    """What the network programme is, by the TIDieR checklist."""

    name: str
    """Name of the programme."""
    why: str
    """Why it should work: its theory of change."""
    materials: str
    """What: materials used."""
    procedures: str
    """What: activities and processes."""
    provider: str
    """Who provides it."""
    how: str
    """How it is delivered."""
    where: str
    """Where it takes place."""
    when_and_how_much: str
    """When, and how much of it."""
    tailoring: str
    """What is adapted to participants, and how."""
    modifications: str
    """What was changed during the study."""
    how_well_planned: str
    """How well: how fidelity was to be kept and measured."""
    how_well_actual: str
    """How well: the fidelity that was found."""


class Cost(Section):
    """One cost of taking part."""

    item: str
    """What is paid for."""
    amount: float = Field(ge=0)
    """Amount in the currency."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    """Currency by its three-letter code."""
    per: Literal["school", "teacher", "pupil", "network"]
    """What the amount is for."""
    years: float = Field(default=1, gt=0)
    """Years that the amount covers."""


class Cohort(Section):
    """One evaluated cohort of schools."""

    title: str
    """Title in reports."""
    programme: str
    """Name of the network programme, as it is used in sentences."""
    organisation: str = ""
    """Who publishes the cohort's reports; empty: the organisation of ``config/report.yaml``."""
    data: Data
    """Where the raw files are."""
    simulate: Simulation | None = None
    """Only for a made-up study: how its raw files are made."""
    study: Study
    """The years and the level of the study."""
    design: Design = Design()
    """Definitions that the analysis panel follows."""
    outcomes: dict[Name, Outcome] = Field(min_length=1)
    """The outcomes, by name."""
    instrument: Name | None = None
    """What the surveys asked: ``config/instruments/<name>.yaml``; needed where the cohort has a table of surveys."""
    models: list[Name] = Field(min_length=1)
    """Models of ``config/models.yaml`` that are fitted."""
    sources: dict[str, list[Source]]
    """Raw files for each canonical table."""
    tidier: Tidier
    """What the network programme is, by the TIDieR checklist."""
    costs: list[Cost] = []
    """What taking part costs."""

    @model_validator(mode="after")
    def _consistent(self) -> Cohort:
        unknown = sorted(set(self.sources) - set(TABLES))
        if unknown:
            raise ValueError(
                f"sources.{unknown[0]}: there is no such table.{did_you_mean(unknown[0], TABLES)} "
                f"The tables are {', '.join(TABLES)}."
            )
        needed = ["schools", "networks", "memberships", "outcomes"] + (
            ["pupils"] if self.study.level == "pupil" else []
        )
        absent = [table for table in needed if not self.sources.get(table)]
        if absent:
            raise ValueError(f"sources: the table '{absent[0]}' is needed and has no files.")
        declared = set(self.outcomes)
        for position, source in enumerate(self.sources["outcomes"]):
            stray = sorted(set(source.outcomes) - declared)
            if stray:
                raise ValueError(
                    f"sources.outcomes.{position}.outcomes.{stray[0]}: this outcome is not declared under "
                    f"'outcomes:' above.{did_you_mean(stray[0], declared)}"
                )
        for name, outcome in self.outcomes.items():
            stray_years = sorted(set(outcome.years or []) - set(self.study.outcome_years))
            if stray_years:
                raise ValueError(f"outcomes.{name}.years: {stray_years[0]} is not an outcome year of the study.")
        repeated = sorted({model for model in self.models if self.models.count(model) > 1})
        if repeated:
            raise ValueError(f"models: '{repeated[0]}' is named twice.")
        return self

    def years_of(self, outcome: str) -> list[int]:
        """Study years in which an outcome was measured, in order."""
        return sorted(self.outcomes[outcome].years or self.study.outcome_years)

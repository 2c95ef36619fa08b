"""The scorecard of sustainability: what surveys, records and networks' effects say of each criterion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from plneval.challenge.effect_trend import effect_trend
from plneval.challenge.recovery import with_planted
from plneval.config.instrument import Form
from plneval.config.models import GroupTime, ModelSpec
from plneval.estimate.counts import PupilCounts
from plneval.estimate.effect_sizes import read_standardiser
from plneval.estimate.network_effects import NoNetworkEffects, network_effects
from plneval.estimate.sample import modelled_column, read_school_sample
from plneval.networks.answers import scored
from plneval.networks.products import STATES, product_states, standing_behind
from plneval.networks.study import NetworkStudy
from plneval.networks.sustainability import Estimate, Evidence, OutcomeEvidence, degrees, scorecard
from plneval.standards import load

THIRD_YEAR_ON: Final = "att_third_year_on"
AFTER_LEAVING: Final = "att_after_leaving"
CARD: Final = {
    "part": "str",
    "criterion": "str",
    "label": "str",
    "verdict": "str",
    "unit": "str",
    **dict.fromkeys(("value", "ci_low", "ci_high", "threshold"), "float64"),
    **dict.fromkeys(("n_respondents", "n_schools", "n_networks", "n_products", "n_products_unknown"), "Int64"),
    "reason": "str",
    **dict.fromkeys(("networks_shown", "networks_not_shown", "networks_no_data", "networks_behind"), "Int64"),
    "truth": "float64",
    "covered": "boolean",
}
"""Columns of ``sustainability``: a row a criterion, over all networks, and in how many networks it is shown.

``networks_behind`` says what these counts rest on: the networks with data (all of them where none has data), or their
member schools where these are fewer. ``truth`` and ``covered`` are of simulated studies.
"""
DEGREES: Final = {
    "degree": "Int64",
    "name": "str",
    "words": "str",
    "overall": "boolean",
    "n_networks": "Int64",
    "networks_behind": "Int64",
}
"""Columns of ``sustainability_degrees``: which degree the study reached, and how many networks reached which."""
VERDICTS: Final = ("shown", "not_shown", "no_data")
UNITS: Final = {"practice": "points", "outcomes": "sd", "agency": "points"}
NO_PRODUCTS: Final = "The study holds no record of what networks made and whether it is still used."
NOT_CAUSAL: Final = "The checks refuse to call the difference between the schools an effect of the programme."


def sustainability(
    study: NetworkStudy,
    specs: Mapping[str, ModelSpec],
    records: pd.DataFrame,
    truth: Path | None = None,
    *,
    causal: bool,
) -> dict[str, pd.DataFrame]:
    """Judge the ten criteria of :func:`plneval.networks.sustainability.scorecard` for all networks and for each.

    Parameters
    ----------
    specs, records : the cohort's models and all records.
    truth : ``truth.json`` of a simulated study; None for a real one.
    causal : whether the verdict allows effects to be told; otherwise the criteria about pupils have no data.

    Returns
    -------
    dict
        ``sustainability`` (:data:`CARD`) and ``sustainability_degrees`` (:data:`DEGREES`). Networks are only counted;
        with one network the counts are missing, since they would say it all again.
    """
    networks = sorted({int(number) for number in study.tables.spells["network"].dropna().unique()})
    card = scorecard(_evidence(study, specs, records, causal), networks)
    overall = card.loc[card["scope"] == "overall"]
    table = overall[["part", "criterion", "label", "verdict", "value", "ci_low", "ci_high", "threshold"]].copy()
    table["unit"] = [
        "sd_a_year" if name == "effect_trend" else "share" if name.startswith("products") else UNITS[part]
        for name, part in zip(table["criterion"], table["part"], strict=True)
    ]
    for unit in ("respondents", "schools", "networks", "products"):
        table[f"n_{unit}"] = overall["n"].where(overall["n_unit"] == unit)
    table["n_products_unknown"] = overall["n_unknown"]
    table["reason"] = overall["evidence"].where(overall["verdict"] == "no_data", "")
    _count_behind_products(study, table)
    of_networks = card.loc[card["scope"] == "network"]
    table = table.merge(_network_counts(study, of_networks, networks), on="criterion", how="left")
    table = with_planted(truth, table, headline(specs)[1])
    return {
        "sustainability": table[list(CARD)].astype(CARD).reset_index(drop=True),
        "sustainability_degrees": _degrees(study, card, networks),
    }


def _count_behind_products(study: NetworkStudy, table: pd.DataFrame) -> None:
    """Networks and schools whose products are known, for the criteria about products."""
    for row in table.index[(table["n_products"] > 0).fillna(False)]:
        what = str(table.at[row, "criterion"]).removeprefix("products_")
        states = product_states(study.tables)
        networks, schools = standing_behind(study.tables, states.loc[states[what].notna(), "network"])
        table.loc[row, ["n_networks", "n_schools"]] = [networks, schools]


def _network_counts(study: NetworkStudy, card: pd.DataFrame, networks: list[int]) -> pd.DataFrame:
    """By criterion: in how many networks it is shown, not shown and without data, and what the counts rest on."""
    columns = ["criterion", *(f"networks_{name}" for name in (*VERDICTS, "behind"))]
    rows = []
    for criterion, own in card.groupby("criterion", sort=False):
        numbers = [int((own["verdict"] == name).sum()) for name in VERDICTS]
        known = own.loc[own["verdict"] != "no_data", "network"]
        rows.append([criterion, *numbers, _behind(study, known if len(known) else networks)])
    return pd.DataFrame(rows if len(networks) > 1 else [], columns=columns)


def _behind(study: NetworkStudy, networks: Iterable[int]) -> int | None:
    number, schools = standing_behind(study.tables, networks)
    return None if number is None else min(number, schools)


def _degrees(study: NetworkStudy, card: pd.DataFrame, networks: list[int]) -> pd.DataFrame:
    """The degree of all networks together, and how many networks reach which."""
    found = degrees(card)
    reached = found.loc[found["scope"] == "network", "degree"].value_counts()
    own = int(found.loc[found["scope"] == "overall", "degree"].iloc[0])
    behind = _behind(study, networks)
    rows = [
        (
            one.degree,
            one.name,
            one.words,
            one.degree == own,
            pd.NA if behind is None else reached.get(one.degree, 0),
            behind,
        )
        for one in load("sustainability").degrees
    ]
    return pd.DataFrame(rows, columns=list(DEGREES)).astype(DEGREES)


def headline(specs: Mapping[str, ModelSpec]) -> tuple[str, ModelSpec]:
    """The headline's model, with its name."""
    return next((name, spec) for name, spec in specs.items() if spec.headline)


def _evidence(study: NetworkStudy, specs: Mapping[str, ModelSpec], records: pd.DataFrame, causal: bool) -> Evidence:
    products = product_states(study.tables)
    absent = dict.fromkeys([f"products_{what}" for what in STATES], NO_PRODUCTS) if products.empty else {}
    scores: dict[str, pd.DataFrame | None] = {}
    limits = (1.0, 5.0)
    for what, criteria in (
        ("practice", ("practice_participants", "practice_colleagues")),
        ("policy", ("policy",)),
        ("agency", ("agency_participants", "agency_colleagues")),
    ):
        found = survey_scores(study, what)
        if isinstance(found, str):
            scores[what] = None
            absent |= dict.fromkeys(criteria, found)
            continue
        scores[what], form = found
        absent |= dict.fromkeys(criteria, f"Nobody who was to answer for this answered the form '{form.label}'.")
        if what == "agency":
            limits = (float(form.lowest), float(form.highest))
    outcomes, lacking = _outcomes(study, specs, records, causal)
    return Evidence(
        practice=scores["practice"],
        policy=scores["policy"],
        agency=scores["agency"],
        agency_range=limits,
        products=products,
        outcomes=outcomes,
        absent={**absent, **lacking},
    )


def survey_scores(study: NetworkStudy, what: str) -> tuple[pd.DataFrame, Form] | str:
    """Scores of practice, policy or agency: network, cluster, school, wave, role, score; or why there are none.

    The first form of the instrument that measures it and was answered is taken; a respondent's scales are averaged.
    """
    if study.instrument is None:
        return "The cohort declares no instrument, so it is not known what its surveys measure."
    forms = study.forms_measuring(what)
    if not forms:
        return f"The instrument has no questions about {what}."
    answered = [one for one in (scored(study, name) for name in forms) if one is not None]
    if not answered:
        labels = " or ".join(f"'{form.label}'" for form in forms.values())
        return f"The form {labels} was not asked, or nobody answered it."
    found = answered[0]
    measured = [scale for scale, about in found.form.scales.items() if about.measures == what]
    rows = found.scores.assign(respondent=found.raw["respondent_id"].to_numpy())
    rows = rows.loc[rows["scale"].isin(measured)]
    keys = ["respondent", "wave"]
    means = rows.groupby(keys, sort=True)["score"].mean().reset_index()
    about = ["network", "cluster", "school", "role"]
    who = rows.drop_duplicates(keys)[[*keys, *about]]
    return who.merge(means, on=keys)[[*about, "wave", "score"]], found.form


def _outcomes(
    study: NetworkStudy, specs: Mapping[str, ModelSpec], records: pd.DataFrame, causal: bool
) -> tuple[dict[int | None, OutcomeEvidence], dict[str, str]]:
    """Effects of all networks and of each, signed so that higher is better, in SDs; and why some are missing."""
    keys = ("effect_third_year_on", "effect_trend", "effect_after_leaving")
    if not causal:
        return {}, dict.fromkeys(keys, NOT_CAUSAL)
    name, spec = headline(specs)
    unit = _unit(study, spec)
    if unit is None:
        return {}, dict.fromkeys(keys, "The spread of the outcome is not known, so effects have no common scale.")
    lacking = {
        "effect_third_year_on": "There is no effect from the third year on with an interval.",
        "effect_after_leaving": "No model of the effect after leaving gave an interval for the headline's outcome.",
    }
    own = records.loc[(records["model"] == name) & (records["estimand"] == THIRD_YEAR_ON)]
    alike = (records["outcome"] == spec.outcome) & (records["subgroup"] == spec.subgroup)
    left = records.loc[(records["estimand"] == AFTER_LEAVING) & alike]
    trend: Estimate | str = "The headline's model has no group-time effects to follow over the years."
    of_networks: dict[int | None, OutcomeEvidence] = {}
    if isinstance(spec, GroupTime):
        trend = effect_trend(study.cohort, spec, study.panel)
        of_networks = _by_network(study, spec, unit)
    if isinstance(trend, str):
        lacking["effect_trend"] = trend
    everything = OutcomeEvidence(
        third_year_on=_of_record(own, unit),
        trend=None if isinstance(trend, str) else _scaled(trend, unit),
        after_leaving=_of_record(left, unit),
    )
    return {None: everything, **of_networks}, lacking


def _by_network(study: NetworkStudy, spec: GroupTime, unit: float) -> dict[int | None, OutcomeEvidence]:
    """Effects from the third year on network by network; trends and effects after leaving need more schools."""
    column = modelled_column(study.cohort, spec.outcome)
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column)
    try:
        pupils = PupilCounts.read(study.panel, spec.outcome, spec.subgroup)
        found = network_effects(sample, pupils, study.school_networks)
    except NoNetworkEffects:
        return {}
    from scipy import stats

    comparison = found.basis.clusters_comparison or 0
    df = max(found.within if found.within > 1 else comparison - 1, 1)
    half = float(stats.t.ppf((1 + load("sustainability").confidence_level) / 2, df))
    evidence: dict[int | None, OutcomeEvidence] = {}
    for row in found.table.to_dict("records"):
        estimate, reach = float(row["estimate"]), half * float(row["se"])
        own = Estimate(estimate, estimate - reach, estimate + reach, int(row["n_schools"]))
        evidence[int(row["unit"])] = OutcomeEvidence(third_year_on=_scaled(own, unit))
    return evidence


def _unit(study: NetworkStudy, spec: ModelSpec) -> float | None:
    """What an estimate is multiplied with to stand in SDs with higher numbers better; None without a scale."""
    declared = study.cohort.outcomes[spec.outcome]
    sign = 1.0 if declared.higher_is_better else -1.0
    column = modelled_column(study.cohort, spec.outcome)
    if column != "score":
        return sign
    sd = read_standardiser(study.panel, spec.outcome, spec.subgroup, column).sd
    return None if sd is None else sign / sd


def _scaled(one: Estimate, unit: float) -> Estimate:
    ends = sorted((one.ci_low * unit, one.ci_high * unit))
    return Estimate(one.estimate * unit, ends[0], ends[1], one.n_schools)


def _of_record(rows: pd.DataFrame, unit: float) -> Estimate | None:
    """The first record with an interval."""
    known = rows.loc[rows[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)]
    if known.empty:
        return None
    row = known.iloc[0]
    schools = None if pd.isna(row["n_schools"]) else int(row["n_schools"])
    estimate, low, high = (float(row[column]) for column in ("estimate", "ci_low", "ci_high"))
    return _scaled(Estimate(estimate, low, high, schools), unit)

"""Questionnaires: reliability of scales, agreement within networks and schools, factor model, answers left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from plneval.describe.practice_waves import practice_waves
from plneval.networks.agreement import agreement_table
from plneval.networks.answers import Scored, scored
from plneval.networks.conditions import RULES as CONDITION_RULES
from plneval.networks.conditions import early_conditions
from plneval.networks.factor_model import factor_model
from plneval.networks.reliability import reliability_table
from plneval.networks.scales import RULES
from plneval.networks.study import NetworkStudy

KEY: Final = {"form": "str", "wave": "str"}
NUMBERS: Final = ("alpha", "alpha_low", "alpha_high", "omega_total", "mean_correlation")
SCALES: Final = {
    **KEY,
    "scale": "str",
    "label": "str",
    "measures": "str",
    "n": "Int64",
    "n_schools": "Int64",
    "k": "Int64",
    "mean": "float64",
    "sd": "float64",
    **dict.fromkeys(NUMBERS, "float64"),
    "warnings": "str",
    "standard": "str",
}
ITEMS: Final = {
    **KEY,
    "scale": "str",
    "item": "str",
    "wording": "str",
    "reverse": "bool",
    "n": "Int64",
    "n_schools": "Int64",
    **dict.fromkeys(("mean", "sd", "r_total", "r_drop", "alpha_if_dropped"), "float64"),
}
AGREEMENT_NUMBERS: Final = ("icc1", "icc1_low", "icc1_high", "icc2", "icc2_low", "icc2_high", "r_wg_j_median")
AGREEMENT: Final = {
    **KEY,
    "scale": "str",
    "label": "str",
    "level": "str",
    "n_groups": "Int64",
    "n_respondents": "Int64",
    **dict.fromkeys(AGREEMENT_NUMBERS, "float64"),
    "warnings": "str",
    "icc2_standard": "str",
    "r_wg_standard": "str",
}
FIT: Final = ("chi2", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr")
FACTOR_MODEL: Final = {
    **KEY,
    "state": "str",
    "n": "Int64",
    "n_schools": "Int64",
    "n_parameters": "Int64",
    "n_needed": "Int64",
    "df": "Int64",
    **dict.fromkeys(FIT, "float64"),
    "lowest_loading": "float64",
    "highest_correlation": "float64",
}
NOTES: Final = {"rule": "str", "form": "str", "wave": "str", "count": "Int64", "text": "str"}
INSTRUMENT: Final = {"title": "str", "note": "str", "form": "str", "label": "str", "items": "Int64", "answered": "bool"}


def survey_scales(study: NetworkStudy) -> pd.DataFrame:
    """Mean and reliability of every scale in every wave: a row a form, wave and scale; columns :data:`SCALES`."""
    parts = []
    for one in answered_forms(study):
        scales = reliability_table(one.answers, one.form)[0]
        known = one.scores.dropna(subset=["score"]).groupby(["wave", "scale"])
        level = known.agg(mean=("score", "mean"), sd=("score", "std"), n_schools=("school", "nunique")).reset_index()
        parts.append(scales.merge(level, on=["wave", "scale"], how="left"))
    return _table(parts, SCALES)


def survey_items(study: NetworkStudy) -> pd.DataFrame:
    """Item-total statistics of every item in every wave with enough respondents; columns :data:`ITEMS`."""
    parts = []
    for one in answered_forms(study):
        items = reliability_table(one.answers, one.form)[1]
        about = pd.DataFrame(
            [
                (name, spec.wording, spec.reverse)
                for scale in one.form.scales.values()
                for name, spec in scale.items.items()
            ],
            columns=["item", "wording", "reverse"],
        )
        schools = one.answers.table.groupby("wave")["school_id"].nunique().rename("n_schools").reset_index()
        parts.append(items.merge(about, on="item").merge(schools, on="wave", how="left"))
    return _table(parts, ITEMS)


def survey_agreement(study: NetworkStudy) -> pd.DataFrame:
    """How far respondents of one network or school agree (ICC(1), ICC(2), r_wg(J)); columns :data:`AGREEMENT`."""
    parts = []
    for one in answered_forms(study):
        labels = {name: scale.label for name, scale in one.form.scales.items()}
        for by in ("network_id", "school_id"):
            table = agreement_table(one.answers, one.raw, one.form, by)
            parts.append(table.assign(label=table["scale"].map(labels)))
    return _table(parts, AGREEMENT)


def survey_factor_model(study: NetworkStudy) -> pd.DataFrame:
    """Factor model of every form and wave, where the sample allows one; columns :data:`FACTOR_MODEL`.

    ``state`` says why none was fitted (see :class:`plneval.networks.factor_model.FactorModel`).
    """
    rows: list[dict[str, Any]] = []
    for one in answered_forms(study):
        for wave, here in one.answers.table.groupby("wave", sort=True):
            # Scales of whom nobody was asked in this wave, or with one item left, are in no model.
            asked = {
                name: [item for item in scale.items if here[item].notna().any()]
                for name, scale in one.form.scales.items()
            }
            scales = {name: items for name, items in asked.items() if len(items) > 1}
            if not scales:
                continue
            found = factor_model(here, scales)
            complete = here.dropna(subset=[item for items in scales.values() for item in items])
            numbers = {name: value for name, value in asdict(found).items() if name in FACTOR_MODEL}
            loadings, between = found.loadings, found.correlations
            rows.append(
                {
                    "form": one.name,
                    "wave": str(wave),
                    **numbers,
                    "n_schools": int(complete["school_id"].nunique()),
                    "lowest_loading": float(loadings["standardised"].min()) if len(loadings) else None,
                    "highest_correlation": float(between["correlation"].max()) if len(between) else None,
                }
            )
    return _table([pd.DataFrame(rows)] if rows else [], FACTOR_MODEL)


def survey_notes(study: NetworkStudy) -> pd.DataFrame:
    """What happened to answers that could not be used, by rule, form and wave; columns :data:`NOTES`.

    Of networks' conditions also what was taken: the first wave, so that answers of later ones are not used. Rules that
    hold for a scale count respondents, of the scale that has most; the others count answers.
    """
    parts = []
    for one in answered_forms(study):
        by_scale = [reliability_table(one.answers, one.form)[2], _of_conditions(one)]
        for notes, how in ((one.notes, "sum"), (pd.concat(by_scale, ignore_index=True), "max")):
            parts.append(notes.groupby(["rule", "form", "wave"], sort=True)["count"].agg(how).reset_index())
    table = _table(parts, {name: kind for name, kind in NOTES.items() if name != "text"})
    return table.assign(text=table["rule"].map({**RULES, **CONDITION_RULES}).astype("str"))[list(NOTES)]


def _of_conditions(one: Scored) -> pd.DataFrame:
    """What networks' conditions were taken from, where the form asks about any: rule, form, wave, count by scale."""
    measured = [name for name, scale in one.form.scales.items() if scale.measures == "condition"]
    scores = one.scores.loc[one.scores["scale"].isin(measured)]
    notes = early_conditions(scores, "network", minimum_respondents=one.form.minimum_respondents).notes
    return notes.assign(form=one.name)


def survey_instrument(study: NetworkStudy) -> pd.DataFrame:
    """What the instrument says of itself: a row a form, and whether anybody answered it; columns :data:`INSTRUMENT`."""
    instrument = study.instrument
    if instrument is None:
        return _table([], INSTRUMENT)
    rows = [
        {
            "title": instrument.title,
            "note": " ".join(instrument.note.split()),
            "form": name,
            "label": form.label,
            "items": sum(len(scale.items) for scale in form.scales.values()),
            "answered": scored(study, name) is not None,
        }
        for name, form in instrument.forms.items()
    ]
    return _table([pd.DataFrame(rows)], INSTRUMENT)


def answered_forms(study: NetworkStudy) -> Iterator[Scored]:
    """The questionnaires of the cohort's instrument that somebody answered."""
    for name in {} if study.instrument is None else study.instrument.forms:
        one = scored(study, name)
        if one is not None:
            yield one


def _table(parts: list[pd.DataFrame], columns: dict[str, str]) -> pd.DataFrame:
    """The parts one below the other, in the columns and types declared; empty without any."""
    filled = [part.reindex(columns=list(columns)) for part in parts if len(part)]
    whole = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
    return whole.astype(columns)


OF_SURVEYS: Final[dict[str, Callable[[NetworkStudy], pd.DataFrame]]] = {
    "survey_instrument": survey_instrument,
    "survey_scales": survey_scales,
    "survey_items": survey_items,
    "survey_agreement": survey_agreement,
    "survey_factor_model": survey_factor_model,
    "survey_notes": survey_notes,
    "practice_waves": practice_waves,
}
"""Measures of surveys, by the name of their table."""

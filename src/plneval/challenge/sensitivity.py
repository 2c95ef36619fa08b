"""Sensitivity of the headline: every table of it, each with its columns also where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from plneval import did
from plneval.challenge.honest_bounds import event_effects, honest_table, power_table
from plneval.challenge.multiplicity import multiplicity_table
from plneval.challenge.robustness import bacon_table, leave_one_out_table, placebo_table
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime, ModelSpec, Multilevel, TwoWay
from plneval.estimate.group_time import estimate_effects
from plneval.estimate.sample import SchoolSample, modelled_column, read_school_sample
from plneval.estimate.school_panel import in_words
from plneval.networks.study import NetworkStudy

NUMBERS: Final = dict.fromkeys(("estimate", "se", "ci_low", "ci_high"), "float64")
COUNTS: Final = {"n_schools": "Int64", "n_members": "Int64"}
COLUMNS: Final[dict[str, dict[str, str]]] = {
    "honest": {
        "model": "str",
        "kind": "str",
        "m": "float64",
        "ci_low": "float64",
        "ci_high": "float64",
        "excludes_zero": "boolean",
        "breakdown": "float64",
        "estimate": "float64",
        "se": "float64",
        **COUNTS,
        "groups": "str",
    },
    "pretrend_power": {
        "model": "str",
        "event_times": "Int64",
        **dict.fromkeys(("slope_50", "slope_80", "joint_80", "implied_80", "estimate"), "float64"),
        **COUNTS,
    },
    "bacon": {
        "model": "str",
        "kind": "str",
        **dict.fromkeys(("weight", "estimate", "coefficient"), "float64"),
        "n_schools": "Int64",
        "n_left_out": "Int64",
    },
    "leave_one_out": {"model": "str", "position": "Int64", **NUMBERS, "n_schools": "Int64"},
    "placebo": {"model": "str", "years_earlier": "Int64", **NUMBERS, "p": "float64", **COUNTS},
    "multiplicity": {
        "model": "str",
        "estimand": "str",
        "role": "str",
        **dict.fromkeys(("p", "p_holm", "p_fdr"), "float64"),
        "tests": "Int64",
    },
    "sensitivity_notes": {"analysis": "str", "text": "str"},
}
"""Tables of the sensitivity analyses and the types of their columns."""


def sensitivity(
    cohort: Cohort,
    specs: Mapping[str, ModelSpec],
    panel: Path,
    records: pd.DataFrame,
    study: NetworkStudy | None = None,
) -> dict[str, pd.DataFrame]:
    """Measure everything that the headline's model allows; what it does not is a line of ``sensitivity_notes``.

    Parameters
    ----------
    specs : the cohort's models by name.
    panel : folder that prepare wrote.
    records : records of all models.
    study : whose rule says which networks member schools count for; their first when left out.

    Returns
    -------
    dict
        The tables of :data:`COLUMNS`.
    """
    made: dict[str, pd.DataFrame] = {"multiplicity": multiplicity_table(dict(specs), records)}
    notes: list[tuple[str, str]] = []

    def attempt(name: str, make: Callable[[], pd.DataFrame]) -> None:
        try:
            made[name] = make()
        except did.DidError as reason:
            notes.append((name, in_words(str(reason))))

    model = next(name for name, spec in specs.items() if spec.headline)
    spec = specs[model]
    if isinstance(spec, GroupTime):
        sample = _sample(cohort, spec, panel)

        def events_of(make: Callable[..., pd.DataFrame]) -> pd.DataFrame:
            return make(model, event_effects(estimate_effects(sample, spec)[0]))

        attempt("honest", lambda: events_of(honest_table))
        attempt("pretrend_power", lambda: events_of(power_table))
        counting = None if study is None else study.school_networks
        attempt("leave_one_out", lambda: leave_one_out_table(model, sample, spec, counting))
        attempt("placebo", lambda: placebo_table(model, sample, spec))
    else:
        notes.append(("honest", "the headline's model has no group-time effects"))
    for name, other in specs.items():
        if isinstance(other, TwoWay) and "bacon" not in made:
            attempt("bacon", lambda name=name, other=other: bacon_table(name, _sample(cohort, other, panel)))  # type: ignore[misc]
    made["sensitivity_notes"] = pd.DataFrame(notes, columns=["analysis", "text"])
    return {name: _typed(made.get(name), columns) for name, columns in COLUMNS.items()}


def _sample(cohort: Cohort, spec: ModelSpec, panel: Path) -> SchoolSample:
    assert not isinstance(spec, Multilevel)
    covariates = tuple(getattr(spec, "covariates", ()))
    column = modelled_column(cohort, spec.outcome)
    return read_school_sample(panel, cohort, spec.outcome, spec.subgroup, column, covariates)


def _typed(table: pd.DataFrame | None, columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([] if table is None else list(table[name]), dtype=dtype) for name, dtype in columns.items()}
    )

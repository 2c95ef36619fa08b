"""The record: one row for every fitted number, the same for every model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Final

import pandas as pd


@dataclass(frozen=True)
class Record:
    """One fitted number with everything that is needed to read it.

    Missing numbers are None. ``se``, interval and ``p`` are missing where the data cannot give a standard error; effect
    size and months where no SD of pupils is known or where they have no meaning.

    Attributes
    ----------
    cohort, model, label : names of the cohort and of the model, and the model's name in reports.
    estimator : the model's kind, such as ``did.att_gt`` or ``multilevel``.
    estimand : ``att_group_time``, ``att_event_time``, ``att_overall``, ``att_third_year_on``,
        ``att_third_year_on_equal``, ``pretrend``, ``coefficient``, ``between_network_sd``, ``att_new_network``,
        ``networks_below_zero``, ``network_effect``, ``school_value_added``, ``intraclass_correlation``, ``r_squared``
        or ``variance``; of leaving and switching ``att_leaving_event_time``, ``att_leaving``,
        ``att_switching_event_time``, ``att_switching`` and ``att_switching_year``; of schools that have left
        ``att_after_leaving`` and ``att_after_leaving_event_time``; of differences between networks
        ``network_effect_mean``, ``networks_below_zero``, ``moderation_slope``, ``moderation_slope_naive`` and the
        ``path_…`` estimands; of parts of the member schools ``att_split``, ``att_split_difference`` and ``split_test``;
        of diffusion ``att_direct``, ``att_indirect``, ``att_direct_less_indirect``, ``within_school`` and
        ``mobilisation_ratio``, and each with ``_event_time``; by dose ``dose_third_year_on`` and ``dose_event_time``;
        of the gap's parts ``gap_narrowed`` and ``gap_narrowed_in_arm`` (``docs/architecture.md``).
    role : what the model was declared for before it was fitted.
    headline : True for the third-year-on effect of the cohort's headline model, and for no other record.
    outcome, subgroup : what was measured, for whom; ``gap`` for disadvantaged pupils less other pupils.
    comparison, sample : in words, with what members are compared and which rows are used.
    term : ``g2016:t2018``, ``e-1``, ``joint``, the column of a coefficient, the name of a variance, or empty.
    event_time : years from the entry year; for leaving and switching, outcome years from the first one with the new
        membership; after leaving, study years from the first one out; missing for aggregates.
    estimate, se, ci_low, ci_high : in units of the modelled column: standard deviations for ``z`` and ``z_fixed``, the
        outcome's own unit for ``score``. ``pretrend``: the statistic of the test. ``variance``: squared units.
    df : degrees of freedom of the t distribution, missing for the normal; ``pretrend``: of the numerator.
    p : two-sided, against zero.
    effect_size, effect_size_low, effect_size_high : estimate and interval divided by the SD of the modelled column,
        pooled within arm × year × grade (standard deviations of pupils). The SD counts as known.
    standardiser : which SD that is.
    months, months_low, months_high, months_table : months of additional progress and the table used.
    n_scores, n_pupils, n_schools, n_networks, clusters_treated, clusters_comparison, n_treated : see ``fit.Basis``.
    vcov : how the standard error was made.
    converged : whether the fit ended where it should.
    seed : of the project; no estimator draws random numbers yet.
    digest_data, digest_spec, digest_code : SHA-256 of the panel, of the model's and the cohort's configuration, and of
        the code of this stage and of those below.
    warnings : sentences joined by '; '.
    """

    cohort: str
    model: str
    label: str
    estimator: str
    estimand: str
    role: str
    headline: bool
    outcome: str
    subgroup: str
    comparison: str
    sample: str
    term: str
    event_time: int | None
    estimate: float | None
    se: float | None
    df: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    effect_size: float | None
    effect_size_low: float | None
    effect_size_high: float | None
    standardiser: str
    months: int | None
    months_low: int | None
    months_high: int | None
    months_table: str
    n_scores: int | None
    n_pupils: int | None
    n_schools: int | None
    n_networks: int | None
    clusters_treated: int | None
    clusters_comparison: int | None
    n_treated: int | None
    vcov: str
    converged: bool
    seed: int
    digest_data: str
    digest_spec: str
    digest_code: str
    warnings: str


DTYPES: Final[dict[str, str]] = {
    "str": "str",
    "bool": "bool",
    "int": "Int64",
    "int | None": "Int64",
    "float | None": "float64",
}
COLUMNS: Final = {record_field.name: DTYPES[str(record_field.type)] for record_field in fields(Record)}
"""Columns of the records table, in order, and their dtypes."""


def to_table(records: Iterable[Record]) -> pd.DataFrame:
    """Records as a table with the columns and dtypes of :data:`COLUMNS`, also where there is none.

    Raises
    ------
    ValueError
        If two records of one model stand for the same number, or more than one is the headline.
    """
    rows = [asdict(record) for record in records]
    table = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in COLUMNS.items()})
    key = ["model", "estimand", "term"]
    if table.duplicated(key).any():
        twice = table.loc[table.duplicated(key), key].iloc[0].tolist()
        raise ValueError(f"two records stand for {twice}")
    if table["headline"].sum() > 1:
        raise ValueError("more than one record is the headline")
    return table

"""The standard deviations that turn an estimate into an effect size: of the modelled column, once."""

from __future__ import annotations

import pandas as pd

from plneval.prepare.standardise import pooled_within

COLUMNS = ["z", "z_fixed", "score"]
WITHIN = ["arm", "year", "grade"]


def standardisers(scores: pd.DataFrame, pupil_scale: dict[str, bool]) -> pd.DataFrame:
    """SD of pupils for each outcome, subgroup and modelled column.

    Parameters
    ----------
    scores
        Analysed scores: outcome, subgroup, arm, year, grade, pupil, n, sd, weight, within, z_scale, z_fixed_scale and
        the columns z, z_fixed and score.
    pupil_scale
        Whether an outcome's SD is that of pupils.

    Returns
    -------
    pandas.DataFrame
        outcome, subgroup, column ('z', 'z_fixed', 'score'), sd (pooled within arm × year × grade), sd_total (pooled
        within year × grade, both arms together), n_pupils (distinct pupils; for school-level data the largest number
        of pupils in a year), n_scores (pupils' scores). All are missing for school-level data without pupils' SDs: no
        effect size may be derived from the spread of schools.
    """
    rows = []
    for (outcome, subgroup), cells in scores.groupby(["outcome", "subgroup"], sort=True):
        known = pupil_scale[str(outcome)]
        for column in COLUMNS:
            scaled = _on_scale_of(cells, column)
            pooled = pooled_within(scaled, column, WITHIN)[0] if known else float("nan")
            total = pooled_within(scaled, column, ["year", "grade"])[0] if known else float("nan")
            count = _pupils(scaled) if known else (None, None)
            rows.append((str(outcome), str(subgroup), column, pooled, total, *count))
    names = ["outcome", "subgroup", "column", "sd", "sd_total", "n_pupils", "n_scores"]
    table = pd.DataFrame(rows, columns=names)
    words = dict.fromkeys(["outcome", "subgroup", "column"], "str")
    kinds = {**words, "sd": "float64", "sd_total": "float64", "n_pupils": "Int64", "n_scores": "Int64"}
    return table.astype(kinds)


def _on_scale_of(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Scores with pupils' sums of squares within a row brought from raw points to the column's scale."""
    usable = cells.loc[cells[column].notna() & cells["weight"].notna() & cells["within"].notna()]
    if column == "score":
        return usable
    return usable.assign(within=usable["within"] / usable[f"{column}_scale"] ** 2)


def _pupils(cells: pd.DataFrame) -> tuple[int, int]:
    scores = int(cells["weight"].sum())
    if cells["pupil"].notna().all():
        return int(cells["pupil"].nunique()), scores
    by_year = cells.groupby("year")["weight"].sum()
    return int(by_year.max()) if len(by_year) else 0, scores

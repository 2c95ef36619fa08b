"""Schools by deprivation and by composition, fixed before anybody joined: bands to split effects by."""

from __future__ import annotations

import numpy as np
import pandas as pd


def equity_bands(schools: pd.DataFrame, panel_school: pd.DataFrame) -> pd.DataFrame:
    """Schools by deprivation and by share of disadvantaged pupils, before anybody had joined.

    # ASSUME: both are taken in the first outcome year, so that no band depends on participation; bands are terciles
    over the analysed schools.

    Parameters
    ----------
    schools
        Prepare's schools.
    panel_school
        School panel of prepare.

    Returns
    -------
    pandas.DataFrame
        school, deprivation, deprivation_band, share_disadvantaged, composition_band ('low', 'middle', 'high', missing
        where the value is not known).
    """
    analysed = schools.loc[schools["status"] == "analysed", "school"]
    first = panel_school.loc[panel_school["year"] == panel_school["year"].min()]
    outcome = first.loc[first["outcome"] == first["outcome"].min()]
    counts = outcome.pivot_table(index="school", columns="subgroup", values="n", aggfunc="sum").astype(float)
    counts = counts.reindex(index=analysed, columns=["disadvantaged", "not_disadvantaged"])
    known = counts.notna().any(axis=1)
    table = pd.DataFrame(index=pd.Index(analysed, name="school"))
    table["deprivation"] = outcome.drop_duplicates("school").set_index("school")["deprivation"].astype(float)
    table["deprivation_band"] = _terciles(table["deprivation"])
    table["share_disadvantaged"] = (counts["disadvantaged"].fillna(0) / counts.sum(axis=1)).where(known)
    table["composition_band"] = _terciles(table["share_disadvantaged"])
    return table.reset_index()


def _terciles(values: pd.Series) -> pd.Series:
    low, high = values.quantile([1 / 3, 2 / 3])
    band = np.select([values.isna(), values <= low, values <= high], ["", "low", "middle"], "high")
    return pd.Series(band, index=values.index, dtype="str").where(values.notna())

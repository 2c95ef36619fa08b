"""The data behind the figures of direct and indirect effects and of dose."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from plneval.report.load import Released

SIDES = {"direct": "taught by participants", "indirect": "other pupils of member schools"}
BANDS = ("none", "low", "middle", "high", "unknown")


def diffusion_model(released: Released) -> str | None:
    """The model of direct and indirect effects that stands for the study, of the headline's outcome if it can."""
    records = released["records"]
    rows = records[(records["estimator"] == "networks.diffusion") & (records["subgroup"] == "all")]
    own = rows[rows["outcome"] == released.headline_outcome]
    first = pd.concat([own, rows])
    return None if first.empty else str(first["model"].iloc[0])


def direct_and_indirect(released: Released) -> pd.DataFrame:
    """Direct and indirect effects by year of participation, and from the third year on.

    Columns: group ('direct', 'indirect'), event_time (missing for the third year on), year_of_participation, estimate,
    ci_low, ci_high, n_schools, unit.
    """
    columns = ["group", "event_time", "year_of_participation", "estimate", "ci_low", "ci_high", "n_schools", "unit"]
    model = diffusion_model(released)
    records = released["records"]
    parts = []
    for group in SIDES if model is not None else ():
        of_group = [f"att_{group}", f"att_{group}_event_time"]
        rows = records[(records["model"] == model) & records["estimand"].isin(of_group) & records["estimate"].notna()]
        time = rows["event_time"].astype("Int64")
        parts.append(
            pd.DataFrame(
                {
                    "group": group,
                    "event_time": time,
                    "year_of_participation": (time + 1).where(time >= 0),
                    "estimate": rows["estimate"],
                    "ci_low": rows["ci_low"],
                    "ci_high": rows["ci_high"],
                    "n_schools": rows["n_schools"],
                    "unit": released.unit(str(model)),
                }
            ).sort_values("event_time", kind="stable")
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def dose_model(released: Released) -> str | None:
    """The model of results by dose that stands for the study."""
    records = released["records"]
    rows = records[records["estimator"] == "networks.dose"]
    own = rows[rows["outcome"] == released.headline_outcome]
    first = pd.concat([own, rows])
    return None if first.empty else str(first["model"].iloc[0])


def dose_bands(released: Released) -> pd.DataFrame:
    """Differences from the third year on by band of dose.

    Columns: band, estimate, ci_low, ci_high, n_schools, unit.
    """
    model = dose_model(released)
    records = released["records"]
    rows = records[
        (records["model"] == model) & (records["estimand"] == "dose_third_year_on") & records["estimate"].notna()
    ]
    data = rows[["term", "estimate", "ci_low", "ci_high", "n_schools"]].rename(columns={"term": "band"})
    order = {band: place for place, band in enumerate(BANDS)}
    data = data.sort_values("band", key=lambda bands: bands.map(order), kind="stable").reset_index(drop=True)
    return data.assign(unit="" if model is None else released.unit(model))


EXPOSURE_FIGURES: dict[str, Callable[[Released], pd.DataFrame]] = {
    "direct_and_indirect": direct_and_indirect,
    "dose_bands": dose_bands,
}
"""Figures by the name of their CSV file."""

"""The tables of multilevel models: variance components, shares of variance, networks' effects, schools' value added."""

from __future__ import annotations

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released
from plneval.report.tables import counts, intervals, numbers, texts

_SHARES = {"marginal": "R², fixed effects", "conditional": "R², fixed and random effects"}


def models(released: Released) -> list[str]:
    """Names of the models that have variance components, in the order of the records."""
    records = released["records"]
    return list(dict.fromkeys(records.loc[records["estimand"] == "variance", "model"]))


def _of(released: Released, model: str, *estimands: str) -> pd.DataFrame:
    records = released["records"]
    return records[(records["model"] == model) & records["estimand"].isin(estimands)]


def variances(released: Released, model: str) -> pd.DataFrame:
    """Variance components of one model."""
    rows = _of(released, model, "variance")
    return pd.DataFrame(
        {"Component": texts(rows["term"]), "Variance": numbers(rows, "estimate", 4), "SE": numbers(rows, "se", 4)}
    )


def shares(released: Released, model: str) -> pd.DataFrame:
    """Intraclass correlations with intervals, and R², of one model."""
    rows = _of(released, model, "intraclass_correlation", "r_squared")
    names = [
        f"Intraclass correlation, {formats.word(term)}" if estimand == "intraclass_correlation" else _SHARES[str(term)]
        for estimand, term in zip(rows["estimand"], rows["term"], strict=True)
    ]
    return pd.DataFrame(
        {
            "Quantity": names,
            "Estimate": numbers(rows, "estimate", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
        }
    )


def network_effects(released: Released, model: str) -> pd.DataFrame:
    """The headline effect as predicted for each network, the lowest first; networks that are withheld come last."""
    rows = _of(released, model, "network_effect").sort_values("estimate", kind="stable", na_position="last")
    return pd.DataFrame(
        {
            "Network": [formats.word(term).removeprefix("network ") for term in rows["term"]],
            "Schools": counts(rows, "n_schools"),
            "Effect": numbers(rows, "estimate", 3),
            "SE": numbers(rows, "se", 3),
            "Interval": intervals(rows, "ci_low", "ci_high", 3),
        }
    )


def value_added(released: Released, model: str) -> pd.DataFrame:
    """Quantiles over member schools of their predicted level before and after joining, and of the change."""
    rows = _of(released, model, "school_value_added")
    if rows.empty:
        return pd.DataFrame()
    parts = rows["term"].str.extract(r"^(.*), (\d+) percent$")
    shown = pd.Series(numbers(rows, "estimate", 3), index=rows.index)
    frame = pd.DataFrame({"part": parts[0], "quantile": parts[1].astype(int), "shown": shown})
    wide = frame.pivot(index="part", columns="quantile", values="shown").loc[list(dict.fromkeys(parts[0]))]
    wide.columns = [f"{quantile} %" for quantile in wide.columns]
    wide.insert(0, "Member schools", [name[:1].upper() + name[1:] for name in wide.index])
    return wide.reset_index(drop=True)

"""Tests of several effects taken together: p adjusted within the secondary and exploratory ones."""

from __future__ import annotations

import pandas as pd

from plneval.config.models import ModelSpec

MAIN = (
    "att_third_year_on",
    "att_overall",
    "att_leaving",
    "att_switching",
    "att_after_leaving",
    "att_direct",
    "split_test",
    "gap_narrowed",
)
"""The effect of a model that is tested: the first of these that it has."""
ALSO = {"att_direct": "att_indirect"}
"""What else is tested beside a main effect."""
FAMILY = ("secondary", "exploratory")


def multiplicity_table(specs: dict[str, ModelSpec], records: pd.DataFrame) -> pd.DataFrame:
    """The main effect of every model that is not confirmatory, with p adjusted for how many there are.

    Columns: model, estimand, role, p, p_holm (probability of any false finding; Holm 1979), p_fdr (share of false
    findings; Benjamini and Hochberg 1995), tests.
    """
    found = []
    for model, spec in specs.items():
        tested = records[(records["model"] == model) & records["p"].notna()].drop_duplicates("estimand")
        p = tested.set_index("estimand")["p"]
        main = next((name for name in MAIN if name in p.index), None)
        if spec.role in FAMILY and not spec.headline and main is not None:
            names = [name for name in (main, ALSO.get(main, main)) if name in p.index]
            names = list(dict.fromkeys(names))
            found += [(model, name, spec.role, float(p[name])) for name in names]
    table = pd.DataFrame(found, columns=["model", "estimand", "role", "p"]).astype({"p": "float64"})
    if len(table):
        from statsmodels.stats.multitest import multipletests

        table["p_holm"] = multipletests(table["p"], method="holm")[1]
        table["p_fdr"] = multipletests(table["p"], method="fdr_bh")[1]
    else:
        table = table.assign(p_holm=pd.Series(dtype="float64"), p_fdr=pd.Series(dtype="float64"))
    return table.assign(tests=len(table))

"""The change of the gap between disadvantaged and other pupils as records, by its parts within and between schools."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.config.network_models import GapParts
from plneval.estimate.fit import Basis, Estimate, Fit, no_covariance, no_influence, unestimable
from plneval.estimate.sample import modelled_column
from plneval.networks.gap import gap_change
from plneval.networks.study import NetworkStudy
from plneval.standards import load

COMPARISON: Final = "schools that never join"
NAMES: Final = {
    "total": "total",
    "within_gap": "within_schools",
    "within_weight": "where_pupils_are",
    "between_mean": "schools_means",
    "between_sorting": "sorting",
}
"""Parts of :mod:`plneval.networks.gap` and the terms of their records."""


def gap_parts(study: NetworkStudy, spec: GapParts) -> Fit:
    """Divide the change of the gap by :func:`plneval.networks.gap.gap_change`, signed as the outcome.

    Plus is what results of disadvantaged pupils rose more than those of others. That narrows the gap where higher is
    better; where less is better it widens it, and reports say so.

    # ASSUME: the gap, and where disadvantaged pupils are, would have moved alike in member and comparison schools.

    Returns
    -------
    Fit
        ``gap_narrowed``: by how much more the gap narrowed in member than in comparison schools since the last outcome
        year before joining, from the third year on, with terms ``total`` and its four parts, which sum to it:
        ``within_schools``, ``where_pupils_are``, ``schools_means`` and ``sorting``. ``gap_narrowed_in_arm`` has the
        same within each arm (``member:total`` …), which is no effect. Standard errors: delete-one-cluster jackknife by
        arm; t with the clusters of the smaller arm less 1. No covariance: parts were not jackknifed together.
    """
    column = modelled_column(study.cohort, spec.outcome)
    description = f"pupils with {column} whose disadvantage is known"
    diagnostics: dict[str, Any] = {
        "library": "plneval.networks.gap",
        "weights": "scored pupils of each entry group in the later year, in both arms",
        "exclusions": [],
        "intervals": "pointwise",
    }
    rows = study.pupil.loc[study.pupil["outcome"] == spec.outcome]
    unknown = int(rows["disadvantaged"].isna().sum())
    if unknown:
        diagnostics["exclusions"].append({"unit": "scores", "count": unknown, "reason": "disadvantage not known"})
    usable = rows.dropna(subset=[column, "disadvantaged"])
    table = gap_change(usable, spec.outcome, column) if len(usable) else pd.DataFrame()
    if table.empty:
        diagnostics["not_estimated"] = [
            "no entry group has scores of disadvantaged and of other pupils before joining and from the third year on, "
            "in member and in comparison schools"
        ]
        return unestimable(spec.kind, column, COMPARISON, description, diagnostics)
    diagnostics["group_times"] = int(table["group_times"].iloc[0])
    clusters = table.drop_duplicates("arm").set_index("arm")["clusters"]
    bases = {arm: _basis(usable, arm, clusters) for arm in ("member", "comparison", "difference")}
    rows_of: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    estimates = [_estimate(row, bases[row["arm"]]) for row in rows_of]
    said = (f"{unknown} scores left out: disadvantage not known",) if unknown else ()
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        description,
        tuple(sorted(estimates, key=lambda one: one.estimand)),
        no_covariance(),
        no_influence(),
        diagnostics,
        warnings=said,
    )


def _estimate(row: dict[str, Any], basis: Basis) -> Estimate:
    difference = row["arm"] == "difference"
    part = NAMES[row["part"]]
    se = float(row["se"]) if np.isfinite(row["se"]) else None
    fewest = min(basis.clusters_treated or 0, basis.clusters_comparison or 0) if difference else None
    few = fewest is not None and fewest < load("cluster_rules").wild_bootstrap_minimum_treated
    warnings = (f"only {fewest} clusters in the smaller arm: the interval is unreliable",) if few and se else ()
    if se is None:
        warnings = ("no standard error: an arm has one cluster only, or cannot spare one",)
    return Estimate(
        "gap_narrowed" if difference else "gap_narrowed_in_arm",
        part if difference else f"{row['arm']}:{part}",
        None,
        # The measure is others less disadvantaged; adding zero turns -0.0 into 0.0.
        -float(row["change"]) + 0.0,
        se,
        float(row["df"]) if se is not None else None,
        f"jackknife by cluster, t({int(row['df'])})" if se is not None else "none",
        basis,
        # A part of a change is no progress of pupils.
        scaled=False,
        warnings=warnings,
    )


def _basis(rows: pd.DataFrame, arm: str, clusters: pd.Series) -> Basis:
    """Scores, pupils and schools of the years before joining and from the third year on."""
    start = load("follow_up").headline_from_event_time
    years = np.sort(rows["year"].unique().astype("int64"))
    used = pd.Series(False, index=rows.index)
    late = used.copy()
    entries = rows.loc[rows["arm"] == "member", "entry_year"].dropna().unique().astype("int64")
    for entry in np.sort(entries):
        before, later = years[years < entry], years[years >= entry + start]
        if not (len(before) and len(later)):
            continue
        own = rows["entry_year"].eq(entry).fillna(False).astype(bool) & (rows["arm"] == "member")
        of_arm = {"member": own, "comparison": rows["arm"] == "comparison"}
        chosen = of_arm[arm] if arm != "difference" else of_arm["member"] | of_arm["comparison"]
        used |= chosen & rows["year"].isin([before[-1], *later])
        late |= own & rows["year"].isin(later)
    mine = rows.loc[used]
    members = mine.loc[mine["arm"] == "member"]
    return Basis(
        n_scores=len(mine),
        n_pupils=int(mine["pupil"].nunique()),
        n_schools=int(mine["school"].nunique()),
        n_networks=int(members["network"].nunique()) if arm != "comparison" else None,
        clusters_treated=int(clusters["member"]) if arm != "comparison" else None,
        clusters_comparison=int(clusters["comparison"]) if arm != "member" else None,
        n_treated=int(rows.loc[late, "pupil"].nunique()) if arm != "comparison" else None,
    )

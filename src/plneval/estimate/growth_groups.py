"""Predictions of a growth model by group: each network's effect, and value added by schools before and after joining.

Networks and schools have no names here: networks are numbered from the one with most schools down (so that a number
says nothing of the order of their effects), schools are shown by quantiles.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.estimate.fit import Basis, Estimate
from plneval.estimate.growth_design import FixedPart
from plneval.estimate.growth_fit import GrowthFit
from plneval.multilevel import MultilevelError

Array = npt.NDArray[np.float64]
QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
TREATED: Final = "treated"
"""Slopes over columns whose names begin so are effects of participation."""
LEVELS: Final = {"Intercept", "ever_member", "comparison_arm"}
"""Effects of schools that are there in every year."""
SHRUNK: Final = "predictions from the model lie closer together than the schools' true values"


def network_effects(
    model: GrowthFit,
    headline: Array,
    fixed: FixedPart,
    weight: Literal["pupils", "schools"],
    diagnostics: dict[str, Any],
) -> list[Estimate]:
    """The headline effect as it is predicted for each network, ``network 1`` that with most schools.

    Standard errors are those of prediction (the network's departure and the mean effect together), given the
    variances; a network with little data of its own lies near the mean.

    Parameters
    ----------
    headline : (p,) the weights of the fixed effects in the headline.
    """
    if not model.spreads:
        return []
    try:
        table = model.fit.group_contrast("network", next(iter(model.spreads)), model.named(headline))
    except MultilevelError as error:
        diagnostics["no_network_effects"] = str(error)
        return []
    members = fixed.rows[fixed.rows["arm"] == "member"]
    treated = members[members["treated"] == 1]
    counted = "school" if weight == "schools" or "pupil" not in members else "pupil"
    sizes = pd.DataFrame(
        {
            "schools": members.groupby("network")["school"].nunique(),
            "treated": treated.groupby("network")[counted].nunique(),
        }
    )
    sizes = sizes.fillna(0).astype("int64").reset_index()
    # Not by numbers of pupils: a network has one number in the models of all pupils and of some.
    sizes = sizes.sort_values(["schools", "network"], ascending=[False, True], ignore_index=True)
    predicted = {
        int(name): (float(value), float(error))
        for name, value, error in zip(table["network"], table["estimate"], table["se"], strict=True)
    }
    found = []
    for position, (network, schools, people) in enumerate(sizes.itertuples(index=False), start=1):
        effect, deviation = predicted[int(network)]
        n_treated = int(people) if counted == "pupil" or weight == "schools" else None
        found.append(
            Estimate(
                "network_effect",
                f"network {position}",
                None,
                effect,
                deviation if deviation > 0 else None,
                None,
                "REML, prediction error",
                Basis(n_schools=int(schools), n_networks=1, n_treated=n_treated),
            )
        )
    return found


def value_added(model: GrowthFit, effect: float, fixed: FixedPart, diagnostics: dict[str, Any]) -> list[Estimate]:
    """Quantiles over member schools of their predicted departure from the mean before and after joining.

    Before: the school's effects of every year. After: these, the headline effect and the school's own departure from
    it. ``n_schools`` of a quantile are the schools at or beyond it, on its smaller side; where networks are a level,
    departures are those from the school's network.

    Parameters
    ----------
    effect : the headline.
    """
    if "school" not in model.fit.groups:
        return []
    table = model.fit.random_effects("school").pivot(index="school", columns="name", values="estimate")
    slopes = [name for name in table if str(name).startswith(TREATED)]
    others = sorted(str(name) for name in set(table) - set(slopes) - LEVELS)
    if len(slopes) != 1 or others or not LEVELS & set(table):
        if slopes:
            diagnostics["no_value_added"] = (
                "schools' effects are not a level and one slope over a treatment column: "
                + (", ".join(others or map(str, slopes)))
            )
        return []
    members = fixed.rows.loc[fixed.rows["arm"] == "member", "school"].unique()
    own = table.loc[np.sort(np.asarray(members, dtype=np.int64))]
    before = own[[name for name in own if name in LEVELS - {"comparison_arm"}]].sum(axis=1).to_numpy(dtype=np.float64)
    change = effect + own[slopes[0]].to_numpy(dtype=np.float64)
    parts = {"before joining": before, "after joining": before + change, "change": change}
    return [one for name, values in parts.items() for one in _quantiles(name, values)]


def _quantiles(name: str, values: Array) -> list[Estimate]:
    found = []
    for quantile in QUANTILES:
        beyond = math.floor((len(values) - 1) * min(quantile, 1 - quantile) + 1e-9) + 1
        found.append(
            Estimate(
                "school_value_added",
                f"{name}, {quantile:.0%}".replace("%", " percent"),
                None,
                float(np.quantile(values, quantile)),
                None,
                None,
                "REML, predicted",
                Basis(n_schools=beyond),
                scaled=False,
                warnings=(SHRUNK,),
            )
        )
    return found

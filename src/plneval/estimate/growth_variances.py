"""What a growth model says of variation: spread of the effect between networks, intraclass correlations, R²."""

from __future__ import annotations

import math
from typing import Any

import scipy.stats

from plneval.estimate.fit import Basis, Estimate
from plneval.estimate.growth_fit import GrowthFit
from plneval.multilevel import MultilevelError

PROFILE = "REML, profile likelihood"
DELTA = "REML, delta method on the logit scale"


def between_networks(model: GrowthFit, headline: Estimate, confidence: float) -> list[Estimate]:
    r"""Standard deviation of the effect between networks with its interval, and what a new network's effect would be.

    The interval of the standard deviation is that of the profile restricted likelihood; its lower end is 0 where the
    data do not exclude that the effect is the same in all networks. The interval for a new network is
    :math:`\hat\tau \pm t_{k-2}\sqrt{s^2 + se^2}` for k networks with spread s of the effect (Higgins, Thompson and
    Spiegelhalter 2009, eq. 12). The share of networks with an effect below zero is :math:`\Phi(-\hat\tau / s)`.

    # ASSUME: the slope over the first treatment column of the network's term is the spread of the headline effect, and
    # networks' effects are normal.
    """
    if not model.spreads:
        return []
    profile = model.fit.profile(confidence, reml=True, only=[("network", name) for name in model.spreads])
    ends = {
        str(name): (float(low), float(high) if math.isfinite(high) else None)
        for name, low, high in zip(profile["name1"], profile["ci_low"], profile["ci_high"], strict=True)
    }
    found = [
        Estimate(
            "between_network_sd", name, None, sd, None, None, PROFILE, headline.basis, bounds=ends[name], scaled=False
        )
        for name, sd in model.spreads.items()
    ]
    networks = headline.basis.n_networks or 0
    if headline.se is None or networks < 3:
        return found
    spread = next(iter(model.spreads.values()))
    se = math.hypot(spread, headline.se)
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, networks - 2)) * se
    bounds = (headline.estimate - reach, headline.estimate + reach)
    word = "prediction interval"
    new = Estimate(
        "att_new_network", "", None, headline.estimate, None, float(networks - 2), word, headline.basis, bounds=bounds
    )
    if spread == 0:
        return [*found, new]
    below = float(scipy.stats.norm.cdf(-headline.estimate / spread))
    return [
        *found,
        new,
        Estimate("networks_below_zero", "", None, below, None, None, "REML", headline.basis, scaled=False),
    ]


def variance_components(model: GrowthFit, basis: Basis) -> list[Estimate]:
    """Every variance and covariance."""
    return [
        Estimate("variance", name, None, value, None, None, "none", basis, scaled=False)
        for name, value in model.variances.items()
    ]


def shares(model: GrowthFit, basis: Basis, confidence: float, diagnostics: dict[str, Any]) -> list[Estimate]:
    """Intraclass correlations of the levels with intervals, and R² (Nakagawa, Johnson and Schielzeth 2017).

    ``intraclass_correlation`` of a level is the correlation of two rows that share its group (and those outside it,
    where levels are nested). With random slopes a level's variance is its mean over the rows. Intervals are missing
    where the fit is singular. Without an intercept to take means from there are none of these, and
    ``diagnostics['no_shares']`` says so.
    """
    try:
        table = model.fit.variance_shares(confidence)
        r_squared = model.fit.r_squared
    except MultilevelError as error:
        diagnostics["no_shares"] = str(error)
        return []
    table = table[table["quantity"] == "intraclass correlation"]
    found = []
    for group, value, low, high in zip(
        table["group"], table["estimate"], table["ci_low"], table["ci_high"], strict=True
    ):
        known = math.isfinite(low) and math.isfinite(high)
        bounds = (float(low), float(high)) if known else (None, None)
        found.append(
            Estimate(
                "intraclass_correlation",
                str(group),
                None,
                float(value),
                None,
                None,
                DELTA if known else "none",
                basis,
                bounds=bounds,
                scaled=False,
            )
        )
    found += [
        Estimate("r_squared", str(name), None, float(value), None, None, "none", basis, scaled=False)
        for name, value in r_squared.items()
    ]
    return found

r"""May respondents' scores be averaged to a school's or a network's score? ICC(1), ICC(2), r_wg and r_wg(J).

ICC(1) = (MSB − MSW)/(MSB + (n₀ − 1) MSW) is the share of the scores' variance that lies between groups; ICC(2) =
(MSB − MSW)/MSB is the reliability of the groups' means (Bliese 2000); the reliability of the mean of a group of n is
n ρ/(1 + (n − 1) ρ). r_wg compares the variance within one group with that of answers spread evenly over the scale,
σ²_E = (A² − 1)/12 for A points (James, Demaree and Wolf 1984). This uniform null is the only one here: where people
tend to one side of the scale whatever they think, answers are alike by that alone, and r_wg is too high.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.config.instrument import Form
from plneval.networks.scales import Answers
from plneval.standards import load
from plneval.standards.survey_quality import held_against

Floats = NDArray[np.float64]

LOWEST_RELIABILITY: Final = 0.3
"""Below it nothing is adjusted for the error of groups' means: dividing by it would multiply the noise more than three
times."""
_NOTHING: Final = (float("nan"),) * 12
_SAME: Final = 1e-12
"""Groups' means that differ by less, relative to their size, are equal: the rest is rounding."""


@dataclass(frozen=True)
class Agreement:
    """How alike respondents of one group are; what cannot be computed is NaN and named in ``warnings``.

    Attributes
    ----------
    n_groups, n_respondents, n_0
        Groups, respondents, and the group size that stands for n where groups are unequal:
        n₀ = (N − Σn²/N)/(J − 1).
    icc1, icc1_low, icc1_high
        ICC(1) with its interval by F: exact for equal groups (Searle 1971), with n₀ otherwise.
    icc2, icc2_low, icc2_high, icc2_se
        ICC(2) with its interval by F and its standard error (1 − ICC(2)) √(2/df_between + 2/df_within). Where all
        groups have the same mean (F = 0) ICC(2) would be minus infinity: it and both intervals are missing.
    f, df_between, df_within, p
        Test of no difference between groups.
    warnings
        Any of ``few_respondents``, ``one_group``, ``one_respondent_a_group``, ``no_variance_within`` (nothing is
        computed), ``no_more_alike_than_chance``, ``group_of_one_respondent``.
    """

    n_groups: int
    n_respondents: int
    n_0: float
    icc1: float
    icc1_low: float
    icc1_high: float
    icc2: float
    icc2_low: float
    icc2_high: float
    icc2_se: float
    f: float
    df_between: float
    df_within: float
    p: float
    warnings: tuple[str, ...] = ()


def agreement(score: pd.Series, group: pd.Series, *, minimum_respondents: int = 0, level: float = 0.95) -> Agreement:
    """ICC(1) and ICC(2) by one-way analysis of variance; rows without score or group are left out.

    With fewer respondents than ``minimum_respondents`` nothing is computed.

    # ASSUME: respondents of one group are independent given the group: for networks this leaves out that several of
    them teach in one school, and ICC(2) of networks is on the high side where schools differ within networks.
    """
    from scipy.special import fdtrc, fdtri

    rows = pd.DataFrame({"score": score, "group": group}).dropna()
    by_group = rows.groupby("group", sort=True)["score"]
    sizes, means = by_group.size().to_numpy(float), by_group.mean().to_numpy(float)
    groups, total = len(sizes), float(sizes.sum())
    inside = float(((rows["score"] - by_group.transform("mean")) ** 2).sum())
    refusal = (
        "few_respondents"
        if total < minimum_respondents
        else "one_group"
        if groups < 2
        else "one_respondent_a_group"
        if total <= groups
        else "no_variance_within"
        if inside <= 0
        else ""
    )
    if refusal:
        return Agreement(groups, int(total), *_NOTHING, warnings=(refusal,))
    df_between, df_within = groups - 1, total - groups
    between = float((sizes * (means - (sizes * means).sum() / total) ** 2).sum()) / df_between
    # Equal means differ by rounding, and F would be 1e-30 in place of 0.
    f = 0.0 if np.ptp(means) <= _SAME * np.abs(means).max() else between / (inside / df_within)
    n_0 = (total - float((sizes**2).sum()) / total) / df_between
    quantiles = [float(fdtri(df_between, df_within, q)) for q in ((1 + level) / 2, (1 - level) / 2)]
    low, high = (f / quantile if f > 0 else float("nan") for quantile in quantiles)
    inverse = 1 / f if f > 0 else float("nan")
    warnings = ["no_more_alike_than_chance"] if f <= 1 else []
    return Agreement(
        n_groups=groups,
        n_respondents=int(total),
        n_0=n_0,
        icc1=(f - 1) / (f + n_0 - 1),
        icc1_low=(low - 1) / (low + n_0 - 1),
        icc1_high=(high - 1) / (high + n_0 - 1),
        icc2=1 - inverse,
        icc2_low=1 - 1 / low,
        icc2_high=1 - 1 / high,
        icc2_se=float(np.sqrt(2 / df_between + 2 / df_within)) * inverse,
        f=f,
        df_between=df_between,
        df_within=df_within,
        p=float(fdtrc(df_between, df_within, f)),
        warnings=(*warnings, *(["group_of_one_respondent"] if (sizes == 1).any() else [])),
    )


def mean_reliability(found: Agreement, sizes: Floats) -> Floats:
    """Reliability of the means of groups of the given sizes: n ρ/(1 + (n − 1) ρ), ρ = ICC(1), 0 where ρ is below 0."""
    rho = max(found.icc1, 0.0)
    return np.asarray(sizes * rho / (1 + (sizes - 1) * rho))


def within_group_agreement(items: pd.DataFrame, group: pd.Series, *, lowest: int, highest: int) -> pd.DataFrame:
    """Agreement within each group: r_wg(J) of the scale, J(1 − s̄²/σ²_E)/(J(1 − s̄²/σ²_E) + s̄²/σ²_E).

    Parameters
    ----------
    items
        One row for each respondent, one column for each item; respondents with a missing answer are left out. With a
        single column r_wg(J) is r_wg, 1 − s²/σ²_E.
    group
        The respondents' groups.
    lowest, highest
        Ends of the scale.

    Returns
    -------
    One row for each group with a complete respondent: group, n_respondents, r_wg_j (missing for one respondent),
    more_spread_than_chance (True where s̄² > σ²_E: r_wg(J) is then set to 0, as ``multilevel::rwg.j`` does).
    """
    chance = ((highest - lowest + 1) ** 2 - 1) / 12
    complete = items.notna().all(axis=1) & group.notna()
    grouped = items.loc[complete].groupby(group[complete].rename("group"), sort=True)
    # Mean of the items' variances; a group of one respondent has none.
    share = grouped.var(ddof=1).mean(axis=1, skipna=False) / chance
    left = (1 - share.clip(upper=1)) * items.shape[1]
    return pd.DataFrame(
        {
            "group": share.index,
            "n_respondents": grouped.size().to_numpy(),
            "r_wg_j": (left / (left + share.clip(upper=1))).to_numpy(),
            "more_spread_than_chance": (share > 1).to_numpy(),
        }
    )


def agreement_table(
    answers: Answers, scores: pd.DataFrame, form: Form, by: Literal["school_id", "network_id"]
) -> pd.DataFrame:
    """Agreement of every scale in every wave, for averages over schools or networks.

    A wave in which fewer people have a score and a group than ``form.minimum_respondents`` has neither ICC nor r_wg,
    as it has no reliability: ``few_respondents``.

    Parameters
    ----------
    answers, scores
        Of one form, by :func:`plneval.networks.scales.read_answers` and :func:`~plneval.networks.scales.scale_scores`.

    Returns
    -------
    form, wave, scale, level (``school`` or ``network``), the fields of :class:`Agreement` (warnings joined by ``; ``),
    r_wg_j_median, r_wg_j_low_quarter (over groups of two or more), groups_more_spread_than_chance, icc2_standard and
    r_wg_standard: whether ICC(2) and the median of r_wg(J) reach the standard ``survey_quality`` (``met``, ``below``,
    empty where there is nothing to compare).
    """
    quality = load("survey_quality")
    rows: list[dict[str, Any]] = []
    for wave, here in scores.groupby("wave", sort=True):
        asked = answers.table.loc[answers.table["wave"] == wave]
        for name, scale in form.scales.items():
            mine = here.loc[here["scale"] == name]
            found = agreement(mine["score"], mine[by], minimum_respondents=form.minimum_respondents)
            items = [item for item in scale.items if asked[item].notna().any()]
            within = within_group_agreement(asked[items], asked[by], lowest=form.lowest, highest=form.highest)
            if "few_respondents" in found.warnings:
                within = within.iloc[:0]
            values = within["r_wg_j"].dropna()
            median = float(values.median()) if len(values) else float("nan")
            rows.append(
                {
                    "form": answers.form,
                    "wave": str(wave),
                    "scale": name,
                    "level": by.removesuffix("_id"),
                    **asdict(found),
                    "warnings": "; ".join(found.warnings),
                    "r_wg_j_median": median,
                    "r_wg_j_low_quarter": float(values.quantile(0.25)) if len(values) else float("nan"),
                    "groups_more_spread_than_chance": int(within["more_spread_than_chance"].sum()),
                    "icc2_standard": held_against(quality.minimum_icc2, found.icc2),
                    "r_wg_standard": held_against(quality.minimum_r_wg, median),
                }
            )
    return pd.DataFrame(rows)

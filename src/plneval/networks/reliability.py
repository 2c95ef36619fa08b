r"""Reliability of a scale: Cronbach's alpha, McDonald's omega total, item-total statistics.

With C the covariances and R the correlations of k items, from all pairs of answers (pairwise):

.. math:: \alpha = \frac{k}{k-1}\Big(1 - \frac{\operatorname{tr} C}{\sum C}\Big), \qquad
          \omega_t = 1 - \frac{\sum_i (1 - \lambda_i^2)}{\sum R}

with λ the loadings of one factor by minimum residuals. The same as ``psych::alpha`` and ``psych::omega(nfactors = 1)``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.config.instrument import Form
from plneval.networks.one_factor import one_factor
from plneval.networks.scales import NOTE_COLUMNS, Answers
from plneval.standards import load
from plneval.standards.survey_quality import held_against

Floats = NDArray[np.float64]

FEW_FOR_OMEGA: Final = 3
"""One factor is not identified with fewer items."""
_NOTHING: Final = (float("nan"),) * 6


@dataclass(frozen=True)
class Reliability:
    """Reliability of one scale in one group of respondents; what cannot be computed is NaN and named in ``warnings``.

    Attributes
    ----------
    n
        Respondents with an answer to some item.
    n_complete
        Respondents with an answer to every item.
    k
        Items that vary.
    alpha, alpha_low, alpha_high
        Cronbach's alpha of the scores as they are, with Feldt's interval.
    alpha_standardised
        Alpha of items with the same variance.
    mean_correlation
        Mean correlation of two items.
    omega_total
        McDonald's omega of one factor.
    warnings
        Any of ``few_respondents``, ``constant_item``, ``pair_without_answers``, ``item_runs_against_scale``,
        ``two_items_no_omega``, ``heywood_case``.
    """

    n: int
    n_complete: int
    k: int
    alpha: float
    alpha_low: float
    alpha_high: float
    alpha_standardised: float
    mean_correlation: float
    omega_total: float
    warnings: tuple[str, ...] = ()


def reliability(items: pd.DataFrame, *, minimum_respondents: int = 10, level: float = 0.95) -> Reliability:
    """Alpha and omega of a scale.

    Parameters
    ----------
    items
        One row for each respondent, one column for each item, reversed items turned round.
    minimum_respondents
        With fewer respondents nothing is computed.
    level
        Of the interval: 1 − (1 − α̂) F_q(n − 1, (n − 1)(k − 1)) with q = (1 ± level)/2. Exact for complete answers and
        essentially tau-equivalent normal items (Feldt 1965; Feldt, Woodruff and Salih 1987).
    """
    from scipy.special import fdtri

    values = items.loc[items.notna().any(axis=1)].astype("float64")
    n, complete = len(values), int(values.notna().all(axis=1).sum())
    varying = values.loc[:, values.std() > 0]
    k = varying.shape[1]
    warnings = ["constant_item"] if k < items.shape[1] else []
    if n < minimum_respondents:
        warnings.insert(0, "few_respondents")
    covariance = varying.cov().to_numpy()
    lacking = bool(np.isnan(covariance).any())
    if lacking:
        warnings.append("pair_without_answers")
    if n < minimum_respondents or k < 2 or lacking:
        return Reliability(n, complete, k, *_NOTHING, warnings=tuple(warnings))
    correlation = _correlations(varying)
    if (_corrected_item_total(covariance) < 0).any():
        warnings.append("item_runs_against_scale")
    raw = _alpha(covariance)
    low, high = (1 - (1 - raw) * fdtri(n - 1, (n - 1) * (k - 1), q) for q in ((1 + level) / 2, (1 - level) / 2))
    omega = float("nan")
    if k < FEW_FOR_OMEGA:
        warnings.append("two_items_no_omega")
    else:
        factor = one_factor(correlation)
        omega = factor.omega_total
        if factor.heywood:
            warnings.append("heywood_case")
    standardised = _alpha(_unit_diagonal(covariance))
    mean = float((_unit_diagonal(covariance).sum() - k) / (k * (k - 1)))
    return Reliability(n, complete, k, raw, float(low), float(high), standardised, mean, omega, tuple(warnings))


def item_statistics(items: pd.DataFrame) -> pd.DataFrame:
    """How each item goes with the rest of its scale.

    Returns
    -------
    One row for each item: item, n (answers), mean, sd, r_total (with the mean of all items answered, the item among
    them), r_drop (with the sum of the others, from covariances: cov(i, rest)/√(var i · var rest)), alpha_if_dropped
    (missing for scales of two items). An item that does not vary has no correlations, and the others' leave it out.
    """
    values = items.loc[items.notna().any(axis=1)].astype("float64")
    deviation = values.std()
    varying = values.loc[:, deviation > 0]
    covariance = varying.cov().to_numpy()
    k = varying.shape[1]
    total = values.mean(axis=1)
    rest = _corrected_item_total(covariance) if k > 1 else np.full(k, np.nan)
    dropped = [
        _alpha(np.delete(np.delete(covariance, i, axis=0), i, axis=1)) if k > FEW_FOR_OMEGA - 1 else float("nan")
        for i in range(k)
    ]
    table = pd.DataFrame({"item": values.columns, "n": values.notna().sum().to_numpy()})
    table = table.assign(mean=values.mean().to_numpy(), sd=deviation.to_numpy())
    own = pd.DataFrame(
        {
            "item": varying.columns,
            "r_total": [varying[item].corr(total) for item in varying],
            "r_drop": rest,
            "alpha_if_dropped": dropped,
        }
    )
    return table.merge(own, on="item", how="left")


def reliability_table(answers: Answers, form: Form) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Reliability and item statistics of every scale in every wave.

    Waves are never pooled: the same respondents answer again, and pooled answers would count as more people.

    Returns
    -------
    reliability
        form, wave, scale, label, measures, and the fields of :class:`Reliability` (warnings joined by ``; ``);
        standard: ``met`` where alpha, and omega where there is one, reach the standard ``survey_quality``, ``below``
        where one does not, empty without them.
    items
        form, wave, scale, and the columns of :func:`item_statistics`; none for scales without reliability.
    notes
        Scales with fewer respondents than the form asks for, under ``few_respondents``, with their number as count.
    """
    minimum = load("survey_quality").minimum_reliability
    rows: list[dict[str, Any]] = []
    tables: list[pd.DataFrame] = []
    notes: list[tuple[str, str, str, str, int]] = []
    for wave, here in answers.table.groupby("wave", sort=True):
        for name, scale in form.scales.items():
            asked = here[[item for item in scale.items if here[item].notna().any()]]
            found = reliability(asked, minimum_respondents=form.minimum_respondents)
            key = {"form": answers.form, "wave": str(wave), "scale": name}
            about = {"label": scale.label, "measures": scale.measures}
            standard = held_against(minimum, found.alpha, found.omega_total)
            rows.append({**key, **about, **asdict(found), "warnings": "; ".join(found.warnings), "standard": standard})
            if "few_respondents" in found.warnings:
                notes.append(("few_respondents", answers.form, str(wave), name, found.n))
            else:
                tables.append(item_statistics(asked).assign(**key))
    statistics = ["form", "wave", "scale", "item", "n", "mean", "sd", "r_total", "r_drop", "alpha_if_dropped"]
    items = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=statistics)
    return (
        pd.DataFrame(rows),
        items[statistics],
        pd.DataFrame(notes, columns=list(NOTE_COLUMNS)).astype(NOTE_COLUMNS),
    )


def _alpha(covariance: Floats) -> float:
    k = len(covariance)
    return float(k / (k - 1) * (1 - np.trace(covariance) / covariance.sum()))


def _corrected_item_total(covariance: Floats) -> Floats:
    """Correlation of each item with the sum of the others, from covariances."""
    variance = np.diag(covariance)
    with_rest = covariance.sum(axis=0) - variance
    rest = covariance.sum() - 2 * covariance.sum(axis=0) + variance
    return np.asarray(with_rest / np.sqrt(variance * rest))


def _unit_diagonal(covariance: Floats) -> Floats:
    """Correlations from covariances; with missing answers not the same as correlations of pairs."""
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))


def _correlations(values: pd.DataFrame) -> Floats:
    """Correlations of pairs, each from the respondents who answered both items."""
    return np.asarray(values.corr().to_numpy())

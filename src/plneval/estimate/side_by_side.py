"""Several fits of one study side by side: one covariance matrix and one influence table for all their estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from plneval.estimate.fit import Estimate, Fit, no_covariance, no_influence
from plneval.estimate.inference import influence_table, long_covariance


class SideBySide:
    """Estimates of several fits, and differences of them, with what clusters add to the error of each.

    Within a fit covariances are the fit's own. Between fits they come from the clusters that both rest on.

    # ASSUME: the variation that an entry group of a single cluster borrows from its comparison (influence without a
    cluster) is unrelated between fits. Errors of one cluster's effects on two groups of pupils are likely to go
    together, so the standard error of their difference is rather too large than too small.
    """

    def __init__(self) -> None:
        self.estimates: list[Estimate] = []
        self._influence: dict[str, pd.Series] = {}
        self._own: dict[tuple[str, str], float] = {}
        self._made_of: dict[str, dict[str, float]] = {}

    def add(self, fit: Fit, names: Mapping[str, str], part: str = "") -> None:
        """Take over a fit's estimates under new names.

        Parameters
        ----------
        names : estimand of the fit → its name here; others are left behind.
        part : put in front of the fit's terms (``part`` alone where the term is empty).
        """
        renamed = {}
        for one in fit.estimates:
            if one.estimand not in names:
                continue
            term = ":".join(word for word in (part, one.term) if word)
            found = replace(one, estimand=names[one.estimand], term=term)
            self.estimates.append(found)
            if one.se is not None and one.key in set(fit.influence["term"]):
                renamed[one.key] = found.key
                self._made_of[found.key] = {found.key: 1.0}
                self._influence[found.key] = _by_cluster(fit.influence.loc[fit.influence["term"] == one.key])
        pairs = zip(
            fit.covariance["row_term"], fit.covariance["column_term"], fit.covariance["covariance"], strict=True
        )
        for row, column, value in pairs:
            if row in renamed and column in renamed:
                self._own[renamed[row], renamed[column]] = float(value)

    def append(self, estimate: Estimate, influence: pd.Series | None = None) -> None:
        """Add an estimate of no other fit; ``influence`` by cluster number where it has a standard error."""
        self.estimates.append(estimate)
        if influence is not None:
            self._made_of[estimate.key] = {estimate.key: 1.0}
            self._influence[estimate.key] = influence

    def append_difference(self, estimate: Estimate, first: str, second: str) -> None:
        """Add first less second, estimates of this table that have standard errors, given by their keys."""
        self.estimates.append(estimate)
        if estimate.se is not None:
            self._made_of[estimate.key] = {first: 1.0, second: -1.0}

    def known(self, *keys: str) -> bool:
        """Whether all of these have a standard error."""
        return all(key in self._made_of for key in keys)

    def covariance(self, first: str, second: str) -> float:
        """Covariance of two estimates, given by their keys."""
        return sum(
            a * b * self._pair(one, other)
            for one, a in self._made_of[first].items()
            for other, b in self._made_of[second].items()
        )

    def variance_of_difference(self, first: str, second: str) -> float:
        """Variance of the difference of two estimates, given by their keys."""
        return self.covariance(first, first) + self.covariance(second, second) - 2 * self.covariance(first, second)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Covariance and influence tables over the estimates with a standard error."""
        keys = [one.key for one in self.estimates if one.key in self._made_of]
        if not keys:
            return no_covariance(), no_influence()
        base = list(self._influence)
        place = {key: position for position, key in enumerate(base)}
        clusters = pd.DataFrame({key: one[one.index.notna()] for key, one in self._influence.items()}).fillna(0.0)
        values = clusters.to_numpy(dtype=np.float64)
        between = values.T @ values
        for (first, second), own in self._own.items():
            between[place[first], place[second]] = own
        weights = np.zeros((len(keys), len(base)))
        for row, key in enumerate(keys):
            for one, factor in self._made_of[key].items():
                weights[row, place[one]] = factor
        covariance = long_covariance(keys, weights @ between @ weights.T)
        return covariance, pd.concat([self._rows(key) for key in keys], ignore_index=True)

    def _pair(self, first: str, second: str) -> float:
        own = self._own.get((first, second))
        if own is not None:
            return own
        a, b = (self._influence[key] for key in (first, second))
        a, b = a[a.index.notna()], b[b.index.notna()]
        return float(a.mul(b, fill_value=0.0).sum())

    def _rows(self, key: str) -> pd.DataFrame:
        """Influence of one estimate in long form: clusters added up, borrowed variation below them."""
        parts = pd.concat([factor * self._influence[one] for one, factor in self._made_of[key].items()])
        clusters = parts[parts.index.notna()].groupby(level=0).sum()
        whole = pd.concat([clusters, parts[parts.index.isna()]])
        values = whole.to_numpy(dtype=np.float64)[:, None]
        return influence_table(pd.Series(whole.index, dtype="Int64"), [key], values)


def _by_cluster(rows: pd.DataFrame) -> pd.Series:
    """Influence with the cluster's number as its label; missing for borrowed variation."""
    index = pd.Index(rows["cluster"].astype("Int64"))
    return pd.Series(rows["influence"].to_numpy(dtype=np.float64), index=index)

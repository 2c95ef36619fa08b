"""The result of group-time estimation: effects, their errors by cluster, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plneval.did.columns import Floats
from plneval.did.design import Design, GroupTime
from plneval.did.errors import DidError
from plneval.did.products import crossproduct
from plneval.did.samples import BalancedPanel, CrossSections, Pieces
from plneval.did.two_by_two import CROSS_SECTION, PANEL, Sample, cross_section_means, panel_means

if TYPE_CHECKING:
    from plneval.did.aggregate import Aggregate
    from plneval.did.few_clusters import AdjustedErrors
    from plneval.did.intervals import Inference, Intervals
    from plneval.did.pretest import PreTest


@dataclass(frozen=True)
class GroupTimeEffects:
    """Group-time effects with all that aggregates, bands and tests are made of. M group-times, P pieces, G clusters.

    Attributes
    ----------
    estimated
        The M group-times estimated (positions in the design's groups and times).
    att
        (M,) effects; 0 for the reference rows of a universal base.
    contributions
        (P, M): what each piece (units of one cluster and one group) contributes to the error of each effect. The
        covariance of the effects is C'C, with C the (G, M) sums by cluster.
    pieces, design
        Who the pieces are; what was compared with what.
    method, propensity
        The estimator; ``"unit"`` or ``"row"`` for the level of the propensity model, ``None`` without one.
    weights_from
        Where a balanced panel's weights that vary within units are taken from; ``None`` where they do not vary.
    level
        Of the confidence intervals.
    dropped
        What was not used, why, and how many: see :func:`plneval.did.cells.dropped_table`.
    masses
        (P, M) with ``allow_unbalanced="pairwise"``: what the treated units of each piece weigh in each group-time, its
        weight in averages; ``None`` where that is the size of the group throughout.
    asked_inference
        The method of inference asked for; ``None`` for the rule.
    """

    design: Design
    pieces: Pieces
    method: str
    estimated: tuple[GroupTime, ...]
    att: Floats
    contributions: Floats
    propensity: str | None
    weights_from: str | float | None
    level: float
    dropped: pd.DataFrame
    masses: Floats | None = None
    asked_inference: str | None = None
    _source: BalancedPanel | CrossSections | None = field(default=None, repr=False, compare=False)

    @property
    def base_period(self) -> str:
        """``"varying"`` or ``"universal"``."""
        return self.design.base_period

    @property
    def anticipation(self) -> float:
        """Periods before entry in which effects are allowed for."""
        return self.design.anticipation

    @property
    def n_clusters(self) -> int:
        """Clusters used."""
        return len(self.pieces.clusters)

    @property
    def groups(self) -> Floats:
        """(M,) entry period of each group-time."""
        return self.design.groups[[cell.group for cell in self.estimated]]

    @property
    def times(self) -> Floats:
        """(M,) period of each group-time."""
        return self.design.times[[cell.time for cell in self.estimated]]

    def by_cluster(self, contributions: Floats | None = None) -> Floats:
        """(G, ...) contributions summed by cluster; those of the group-times by default."""
        given = self.contributions if contributions is None else contributions
        if self.n_clusters == len(given):
            return given
        # Pieces are sorted by cluster.
        first = np.searchsorted(self.pieces.cluster, np.arange(self.n_clusters))
        return np.asarray(np.add.reduceat(given, first, axis=0))

    @property
    def vcov(self) -> Floats:
        """(M, M) covariance of the effects in the order of ``table``; zeros for reference rows."""
        return crossproduct(self.by_cluster())

    @property
    def influence(self) -> pd.DataFrame:
        """Influence functions by cluster: rows are clusters, columns are (group, time).

        Scaled so that ``se = sqrt(mean(influence**2) / n_clusters)``. With one cluster a unit these are R did's.
        """
        clusters = self.design.cells.clusters[self.pieces.clusters]
        columns = pd.MultiIndex.from_arrays([_tidy(self.groups), _tidy(self.times)], names=["group", "time"])
        return pd.DataFrame(self.by_cluster() * self.n_clusters, index=clusters, columns=columns)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group and time: group, time, event_time, att, se, ci_low, ci_high, n_treated, n_comparison.

        The counts are of units. Reference rows of a universal base have effect 0 and no standard error. ``se`` is
        from influence functions (as R's did); intervals are pointwise, by the method of :attr:`inference`.
        """
        variance = np.diag(self.vcov)
        se = np.where(variance > 0, np.sqrt(variance), np.nan)
        ends = self.intervals().table
        counts = np.array([_units(self.design, cell) for cell in self.estimated])
        return pd.DataFrame(
            {
                "group": _tidy(self.groups),
                "time": _tidy(self.times),
                "event_time": _tidy(self.times - self.groups),
                "att": self.att,
                "se": se,
                "ci_low": ends["ci_low"].to_numpy(),
                "ci_high": ends["ci_high"].to_numpy(),
                "n_treated": counts[:, 0],
                "n_comparison": counts[:, 1],
            }
        )

    @property
    def inference(self) -> Inference:
        """How the intervals of tables are made (by rule, if not asked for), and why."""
        from plneval.did.intervals import choose_inference

        return choose_inference(self)

    def intervals(self, method: str | None = None) -> Intervals:
        """Standard errors, df, intervals and p of the group-times: ``"influence"``, ``"small_sample"``, or by rule."""
        from plneval.did.intervals import make_intervals

        keys = {"group": _tidy(self.groups), "time": _tidy(self.times), "event_time": _tidy(self.times - self.groups)}
        return make_intervals(self, keys, None, None, method)

    def small_sample(self) -> Intervals:
        """The same by the method for few clusters: :func:`plneval.did.few_clusters.adjusted_errors`."""
        return self.intervals("small_sample")

    @property
    def n_covariates(self) -> int:
        """Covariates adjusted for."""
        return len(self.design.cells.covariates)

    @cached_property
    def adjusted(self) -> AdjustedErrors:
        """Errors adjusted for few clusters."""
        from plneval.did.few_clusters import adjusted_errors

        return adjusted_errors(self)

    def again(self, k: int) -> tuple[Sample, Floats]:
        """Sample of one group and time, and its contributions: of changes (P,) by piece, of levels (R,) by record."""
        if self._source is None:
            raise DidError("these effects were not made by att_gt(), so that small-sample errors are not available")
        sample = self._source.take(self.estimated[k])
        if self.design.changes:
            return sample, self.contributions[:, k]
        return sample, estimator(False, self.method, bool(self.n_covariates))(sample)[1]

    def aggregate(
        self,
        kind: str = "simple",
        min_event: float | None = None,
        max_event: float | None = None,
        balance: float | None = None,
    ) -> Aggregate:
        """Aggregate the effects; see :func:`plneval.did.aggregate.aggregate`."""
        from plneval.did.aggregate import aggregate

        return aggregate(self, kind, min_event=min_event, max_event=max_event, balance=balance)

    def pretest(
        self,
        bootstrap: bool = False,
        trend: float | None = None,
        draws: int = 999,
        seed: int = 1,
        method: str | None = None,
    ) -> PreTest:
        """Test that all effects before entry are zero; see :func:`plneval.did.pretest.pretest`."""
        from plneval.did.pretest import pretest

        return pretest(self, bootstrap=bootstrap, method=method, trend=trend, draws=draws, seed=seed)


def estimator(balanced: bool, method: str, with_covariates: bool) -> Callable[[Sample], tuple[float, Floats]]:
    """The estimator of one group and time."""
    estimators, means = (PANEL, panel_means) if balanced else (CROSS_SECTION, cross_section_means)
    return estimators[method] if with_covariates else means


def _units(design: Design, cell: GroupTime) -> tuple[int, int]:
    """Units of the group and of its comparison that are seen in the two periods (pairwise: in both of them)."""
    used = (design.time == cell.time) | (design.time == cell.base)
    seen = np.bincount(design.unit[used], design.cells.n[used], len(design.group))
    if design.pairwise and cell.time != cell.base:
        seen = np.maximum(seen - 1, 0)
    if not design.cells.rows_are_units:
        seen = np.minimum(seen, 1)
    compared = np.isin(design.group, cell.comparison)
    return int(seen[design.group == cell.group].sum()), int(seen[compared].sum())


def _tidy(values: Floats) -> Any:
    """Integers where all values are whole."""
    whole = np.round(values)
    return whole.astype(np.int64) if np.array_equal(whole, values) else values

"""Figures of differences between networks, conditions, practice over waves and the path over practice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from plneval.report import formats, spread_data, theme
from plneval.report.direction import axis_unit, axis_units
from plneval.report.drawn import Drawn, notice, wrapped
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_ROWS: Final = 12
"""Rows of the forest plot up to which each has much room."""
ROLES = {"participant": "Participants", "colleague": "Colleagues", "leader": "Leaders"}
MARKS = {"participant": ("o", theme.MEMBER), "colleague": ("s", theme.COMPARISON), "leader": ("D", MUTED)}


NO_RANKS = "places are no ranks"


def network_caterpillar(released: Released) -> Drawn:
    """Networks' effects by size, drawn towards their mean by how unsure they are; named only where they consent."""
    data = spread_data.network_caterpillar(released)
    if data.empty:
        return notice(
            "Networks' effects cannot be shown: there is no estimate of them, or too few schools behind them."
        )
    named = data["name"].ne("").any()
    models = list(dict.fromkeys(data["model"]))
    most = int(data["model"].value_counts().max())
    with theme.themed():
        if named:
            figure, grid = theme.canvas(len(models) * (0.8 + 0.26 * most), len(models), 1, squeeze=False)
        else:
            figure, grid = theme.canvas(2.7, 1, len(models), squeeze=False)
        for axes, model in zip(grid.flat, models, strict=True):
            mine = data[data["model"] == model].reset_index(drop=True)
            (_by_name if named else _without_names)(axes, mine, axis_unit(released, model))
    return Drawn(figure, _caterpillar_alt(data, axis_units(released, data)))


def _without_names(axes: Axes, mine: pd.DataFrame, unit: str) -> None:
    first = mine.iloc[0]
    if pd.notna(first["new_low"]):
        axes.axhspan(first["new_low"], first["new_high"], color=theme.BAND, zorder=0)
    theme.zero_line(axes)
    if pd.notna(first["mean"]):
        axes.axhline(first["mean"], color=theme.MEMBER, linewidth=1.0, linestyle=(0, (4, 3)))
    for row in rows_of(mine):
        axes.plot([row.position] * 2, [row.ci_low, row.ci_high], color=theme.MEMBER, linewidth=1.6)
        axes.plot(row.position, row.shrunken, "o", color=theme.MEMBER, markersize=5)
    axes.set_xticks([])
    axes.set_xlim(0, len(mine) + 1)
    axes.set_xlabel(f"Networks that may be shown, by size of the effect (no names); {NO_RANKS}")
    axes.set_ylabel(f"From the third year on\n({unit})")


def _by_name(axes: Axes, mine: pd.DataFrame, unit: str) -> None:
    first = mine.iloc[0]
    if pd.notna(first["new_low"]):
        axes.axvspan(first["new_low"], first["new_high"], color=theme.BAND, zorder=0)
    theme.zero_line(axes, horizontal=False)
    if pd.notna(first["mean"]):
        axes.axvline(first["mean"], color=theme.MEMBER, linewidth=1.0, linestyle=(0, (4, 3)))
    for row in rows_of(mine):
        axes.plot([row.ci_low, row.ci_high], [row.position] * 2, color=theme.MEMBER, linewidth=1.6)
        axes.plot(row.shrunken, row.position, "o", color=theme.MEMBER, markersize=5)
    axes.set_yticks(mine["position"], [_label(name) for name in mine["name"]], fontsize=8)
    axes.set_ylim(0.4, len(mine) + 0.6)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.set_xlabel(f"From the third year on ({unit}); {NO_RANKS}")


def _label(name: str) -> str:
    """A network's name on an axis: signs that would be read as a formula stand as they are."""
    return wrapped(name, 34).replace("$", r"\$") or "(no name recorded)"


def _caterpillar_alt(data: pd.DataFrame, unit: str) -> str:
    named = data["name"].ne("").any()
    values = "; ".join(
        f"{f'{row.name_of} ' if row.name_of else ''}{formats.number(row.shrunken)} "
        f"({formats.interval(row.ci_low, row.ci_high)})"
        for row in rows_of(data.rename(columns={"name": "name_of"}))
    )
    first = data.iloc[0]
    new = formats.interval(first["new_low"], first["new_high"])
    how = "by size" if named else "by size, without names"
    text = f"Points with intervals: networks' effects in {unit}, {how}, drawn towards their mean of "
    band = f"{formats.number(first['mean'])}; the band, where a new network is expected, is {new}"
    return f"{text}{band}; {NO_RANKS}. {values}."


def moderation_slopes(released: Released) -> Drawn:
    """Difference in the effect for one standard deviation of each condition: adjusted filled, not adjusted hollow.

    One panel for each family that was tried together, all on one axis.
    """
    data = spread_data.moderation_slopes(released)
    if data.empty:
        return notice("No condition could be held against the networks' effects.")
    families = {str(name): own for name, own in data.groupby("family", sort=False)}
    sizes = [len(own) for own in families.values()]
    with theme.themed():
        room = 0.36 if len(data) <= FEW_ROWS else 0.25
        figure, grid = theme.canvas(
            0.7 + 0.3 * len(sizes) + room * len(data), len(sizes), 1, squeeze=False, sharex=True, height_ratios=sizes
        )
        for axes, (name, own) in zip(grid.flat, families.items(), strict=True):
            _slopes_panel(axes, own)
            if len(sizes) > 1:
                axes.set_title(wrapped(name, 60), fontsize=8.5)
        axes.set_xlabel(f"Difference in the effect for one SD of the condition\n({axis_units(released, data)})")
    return Drawn(figure, _slopes_alt(families, axis_units(released, data)))


def _slopes_panel(axes: Axes, rows: pd.DataFrame) -> None:
    theme.zero_line(axes, horizontal=False)
    places = list(range(len(rows) - 1, -1, -1))
    for place, row in zip(places, rows_of(rows), strict=True):
        adjusted = pd.notna(row.estimate)
        if adjusted:
            axes.plot([row.ci_low, row.ci_high], [place + 0.12] * 2, color=theme.MEMBER, linewidth=2.0)
            axes.plot(row.estimate, place + 0.12, "o", color=theme.MEMBER)
        at = place - 0.14 if adjusted else place
        axes.plot([row.naive_low, row.naive_high], [at] * 2, color=MUTED, linewidth=1.2)
        axes.plot(row.naive, at, "o", color=MUTED, markerfacecolor="white", markersize=4.5)
    axes.set_yticks(places, [wrapped(row.label, 36) for row in rows_of(rows)], fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")


def _slopes_alt(families: dict[str, pd.DataFrame], unit: str) -> str:
    told = []
    for name, own in families.items():
        parts = []
        for row in rows_of(own):
            naive = f"not adjusted {formats.number(row.naive)} ({formats.interval(row.naive_low, row.naive_high)})"
            if pd.notna(row.estimate):
                adjusted = f"adjusted {formats.number(row.estimate)} ({formats.interval(row.ci_low, row.ci_high)})"
                naive = f"{adjusted}, {naive}"
            parts.append(f"{row.label}: {naive}")
        told.append(f"{name}: {'; '.join(parts)}.")
    return f"Points with intervals: difference in the effect for one standard deviation, in {unit}. {' '.join(told)}"


def practice_over_waves(released: Released) -> Drawn:
    """Practice and policy over the waves, by who answered."""
    data = spread_data.practice_over_waves(released)
    if data.empty:
        return notice("No answers about teachers' practice or school policy over time may be shown.")
    labels = list(dict.fromkeys(data["label"]))
    with theme.themed():
        figure, grid = theme.canvas(2.4, 1, len(labels), squeeze=False, sharey=True)
        for axes, label in zip(grid.flat, labels, strict=True):
            mine = data[data["label"] == label]
            waves = list(dict.fromkeys(mine.sort_values("year")["wave"]))
            for shift, role in enumerate(dict.fromkeys(mine["role"])):
                own = mine[mine["role"] == role]
                mark, colour = MARKS.get(str(role), ("o", MUTED))
                at = [waves.index(wave) + 0.08 * shift for wave in own["wave"]]
                axes.plot(at, own["mean"], mark, color=colour, label=ROLES.get(str(role), str(role)), linestyle="-")
                for place, row in zip(at, rows_of(own), strict=True):
                    axes.plot([place] * 2, [row.ci_low, row.ci_high], color=colour, linewidth=1.4)
            years = mine.drop_duplicates("wave").set_index("wave")["year"]
            axes.set_xticks(range(len(waves)), [_wave(wave, years[wave]) for wave in waves])
            axes.set_xlim(-0.4, len(waves) - 0.4)
            axes.set_title(wrapped(label, 30))
            axes.legend(fontsize=7.5, loc="best")
        grid.flat[0].set_ylabel("Mean score (points)")
    return Drawn(figure, _waves_alt(data))


def _wave(wave: str, year: object) -> str:
    return f"wave {wave}" if formats.is_missing(year) else f"wave {wave}\n({int(str(year))})"


def _waves_alt(data: pd.DataFrame) -> str:
    parts = []
    for (label, role), own in data.groupby(["label", "role"], sort=False):
        values = "; ".join(
            f"wave {row.wave} {formats.number(row.mean)} ({formats.interval(row.ci_low, row.ci_high)})"
            for row in rows_of(own)
        )
        parts.append(f"{label}, {ROLES.get(str(role), str(role)).lower()}: {values}")
    return f"Lines of mean scores with intervals over the waves. {'. '.join(parts)}."


def path_sensitivity(released: Released) -> Drawn:
    """The indirect path over practice by the correlation of errors that an unobserved cause would make."""
    data = spread_data.path_sensitivity(released)
    if data.empty:
        return notice("No path over practice could be estimated.")
    with theme.themed():
        figure, axes = theme.canvas(2.3)
        theme.zero_line(axes)
        axes.axvline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for _, mine in data.groupby("model", sort=False):
            axes.fill_between(mine["rho"], mine["ci_low"], mine["ci_high"], color=theme.BAND, zorder=0)
            axes.plot(mine["rho"], mine["indirect"], color=theme.MEMBER)
        axes.set_xlabel("Correlation of the errors of practice and results")
        axes.set_ylabel(f"Indirect path, a year\n({axis_units(released, data)})")
    return Drawn(figure, _path_alt(data))


def _path_alt(data: pd.DataFrame) -> str:
    shown = data.iloc[:: max(1, len(data) // 8)]
    values = "; ".join(
        f"{formats.number(row.rho)}: {formats.number(row.indirect, 3)} ({formats.interval(row.ci_low, row.ci_high, 3)})"
        for row in rows_of(shown)
    )
    of_path = (
        "adjusted for the error in practice" if (data["path"] == "adjusted").all() else "not adjusted for its error"
    )
    return f"Line with band: indirect path over practice, {of_path}, by the correlation of the errors. {values}."

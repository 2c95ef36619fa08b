"""Figures of membership over time, of leaving, and of the structure of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plneval.report import formats, membership_data, theme
from plneval.report.drawn import Drawn, notice, wrapped
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "D", "^", "v", "P")
STRUCTURE = {
    "density": "Density",
    "reciprocity": "Reciprocity",
    "indegree_centralisation": "Centralisation (indegree)",
    "betweenness_centralisation": "Centralisation (betweenness)",
    "share_across_schools": "Ties across schools",
    "share_brokered_across": "Brokered across schools",
}
"""Measures that are drawn: shares and indices between 0 and 1."""


def members_over_time(released: Released) -> Drawn:
    """Member schools over the years with those that joined and left, and by type of network."""
    data = membership_data.members_over_time(released)
    if data.empty:
        return notice("Membership over the years may not be shown.")
    whole = data[data["type"] == ""]
    types = [name for name in dict.fromkeys(data["type"]) if name]
    with theme.themed():
        figure, grid = theme.canvas(4.9 if types else 2.7, 2 if types else 1, 1, squeeze=False)
        _turnover_panel(grid[0, 0], whole)
        if types:
            _types_panel(grid[1, 0], data, types)
    return Drawn(figure, members_alt(data, types))


def _turnover_panel(axes: Axes, whole: pd.DataFrame) -> None:
    years = [int(year) for year in whole["year"]]
    came = (whole["joined"] + whole["returned"]).astype("float64")
    axes.bar(years, came, width=0.5, color=SERIES[2], alpha=0.75, label="joined or came back")
    axes.bar(years, -whole["left"].astype("float64"), width=0.5, color=SERIES[1], alpha=0.75, label="left")
    members = whole["members"].astype("float64")
    axes.plot(years, members, "o-", color=theme.MEMBER, label="members")
    for year, count in zip(years, members, strict=True):
        axes.annotate(
            formats.number(count, 0), (year, count), (0, 5), textcoords="offset points", ha="center", fontsize=8.5
        )
    theme.zero_line(axes)
    theme.whole_years(axes, years)
    axes.margins(y=0.16)
    axes.set_ylabel("Schools")
    axes.legend(loc="upper left", fontsize=8, ncols=3)
    axes.set_ylim(top=1.42 * max(1.0, float(members.max()), float(came.max())))


def _types_panel(axes: Axes, data: pd.DataFrame, types: list[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    for i, name in enumerate(types):
        mine = data[data["type"] == name]
        marker, colour = MARKERS[i % len(MARKERS)], SERIES[i % len(SERIES)]
        years = [int(year) for year in mine["year"]]
        axes.plot(
            years,
            mine["members"].astype("float64"),
            marker=marker,
            color=colour,
            markersize=4,
            linewidth=1.4,
            label=wrapped(formats.sentence_case(name), 26),
        )
    theme.whole_years(axes, sorted({int(year) for year in data["year"]}))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Schools, by type of network")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def members_alt(data: pd.DataFrame, types: list[str]) -> str:
    """Counts of members, of those that came and of those that left, in words."""
    whole = data[data["type"] == ""]
    values = "; ".join(
        f"{row.year}: {formats.number(row.members, 0)} members, {formats.number(row.joined + row.returned, 0)} came, "
        f"{formats.number(row.left, 0)} left"
        for row in rows_of(whole)
    )
    parts = [
        f"{name}: " + ", ".join(f"{row.year} {formats.number(row.members, 0)}" for row in rows_of(mine))
        for name in types
        for mine in [data[data["type"] == name]]
    ]
    by_type = f" Lines of member schools by type of network. {'. '.join(parts)}." if parts else ""
    text = "Line of member schools by year, with bars of schools that joined or came back and that left."
    return f"{text} {values}.{by_type}"


def leaving_over_time(released: Released) -> Drawn:
    """How many schools are still in, by year of participation."""
    data = membership_data.leaving_over_time(released)
    if data.empty:
        return notice("How long schools stay may not be shown.")
    years = [int(year) for year in data["year_of_participation"]]
    shares = data["still_in"].astype("float64").tolist()
    with theme.themed():
        figure, axes = theme.canvas(2.5)
        axes.step([years[0] - 0.5, *[year + 0.5 for year in years]], [shares[0], *shares], color=theme.MEMBER)
        for row in rows_of(data):
            axes.annotate(
                formats.share(row.still_in, 0),
                (row.year_of_participation, row.still_in),
                (0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        names = [f"{year}\n{formats.number(at_risk, 0)}" for year, at_risk in zip(years, data["at_risk"], strict=True)]
        axes.set_xticks(years, names)
        axes.set_ylim(0, 1.12)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel("Year of participation; below it, schools still followed as members")
        axes.set_ylabel("Not left so far")
    values = "; ".join(f"year {row.year_of_participation} {formats.share(row.still_in)}" for row in rows_of(data))
    return Drawn(figure, f"Steps: share of schools that have not left, by year of participation. {values}.")


def network_structure(released: Released) -> Drawn:
    """Measures of structure over networks by wave: median and middle half, of few networks mean and SD."""
    data = membership_data.network_structure(released)
    drawn = [name for name in STRUCTURE if name in set(data["measure"])]
    if not drawn:
        return notice("No ties between people are recorded, or too few people stand behind them to be shown.")
    data = _centres(data)
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    with theme.themed():
        figure, grid = theme.canvas(0.5 + 1.6 * rows, rows, columns, squeeze=False, sharey=True)
        for axes, name in zip(grid.flat, drawn, strict=False):
            mine = data[data["measure"] == name]
            for row in rows_of(mine):
                axes.plot(
                    [row.wave, row.wave],
                    [row.low, row.high],
                    color=theme.MEMBER,
                    linewidth=1.6 if row.few else 5,
                    alpha=1.0 if row.few else 0.3,
                    solid_capstyle="butt",
                )
                fill = "white" if row.few else theme.MEMBER
                axes.plot(row.wave, row.centre, "o", color=theme.MEMBER, markerfacecolor=fill)
            axes.plot(mine["wave"].astype("float64"), mine["centre"], "-", color=theme.MEMBER, linewidth=1.2, zorder=1)
            waves = [int(wave) for wave in mine["wave"]]
            axes.set_xticks(waves, [_wave(row) for row in rows_of(mine)])
            axes.set_xlim(min(waves) - 0.5, max(waves) + 0.5)
            axes.set_ylim(0, 1)
            axes.set_title(wrapped(STRUCTURE[name], 22), fontsize=8)
        for axes in list(grid.flat)[len(drawn) :]:
            axes.set_axis_off()
        figure.supxlabel("Wave (year)", fontsize=8.5, color=MUTED)
    return Drawn(figure, _structure_alt(data, drawn))


def _centres(data: pd.DataFrame) -> pd.DataFrame:
    """What is drawn of each measure and wave: median and quartiles where they may be shown, else mean and SD."""
    few = data["median"].isna()
    sd = data["sd"].fillna(0.0)
    return data.assign(
        few=few,
        centre=data["median"].where(~few, data["mean"]),
        low=data["quartile_1"].where(~few, data["mean"] - sd),
        high=data["quartile_3"].where(~few, data["mean"] + sd),
    )


def _structure_alt(data: pd.DataFrame, drawn: list[str]) -> str:
    parts = []
    for name in drawn:
        values = [
            f"wave {row.wave} mean {formats.number(row.mean)} (SD {formats.number(row.sd)})"
            if row.few
            else f"wave {row.wave} {formats.number(row.median)} ({formats.interval(row.quartile_1, row.quartile_3)})"
            for row in rows_of(data[data["measure"] == name])
        ]
        parts.append(f"{STRUCTURE[name]}: {', '.join(values)}")
    text = "Panels: median over networks with the range of the middle half of them, by wave"
    return f"{text}; of few networks the mean with one SD either way. {'. '.join(parts)}."


def _wave(row: object) -> str:
    wave, year = (getattr(row, name) for name in ("wave", "year"))
    return f"{int(wave)}" if pd.isna(year) else f"{int(wave)}\n({int(year)})"

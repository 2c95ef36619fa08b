"""Effect size to months of additional progress (Education Endowment Foundation)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from plneval.standards.arguments import finite
from plneval.standards.catalogue import load

TableName = Literal["trial", "toolkit"]

# An effect comes out of floating-point sums: 0.045 may be 0.04499999999999999. Ten decimals are far beyond any
# estimate's precision and give the written number back before it is rounded half away from zero.
_FLOAT_NOISE_DECIMALS = 10


@dataclass(frozen=True)
class Months:
    """Months of progress.

    Attributes
    ----------
    months : int
        Signed; the last band's months where the effect lies beyond the table.
    label : str
        ``"2"``, ``"-1"``; ``"12+"`` or ``"-12+"`` beyond the table.
    beyond_table : bool
        Whether the effect is larger than the table's last value.
    table : str
        Name of the table used, a standard's name.
    """

    months: int
    label: str
    beyond_table: bool
    table: str


def months_of_progress(effect: float, table: TableName = "trial") -> Months:
    """Translate an effect in standard deviations into months of additional progress.

    The effect is rounded half away from zero to two decimals, in decimal arithmetic; negative effects mirror the table.

    Raises
    ------
    ValueError
        If the effect is missing or infinite, or there is no such table.
    """
    number = finite("effect", effect)
    if table not in ("trial", "toolkit"):
        raise ValueError(f"no table of months '{table}'; there are 'trial' and 'toolkit'")
    standard = load("months_trial") if table == "trial" else load("months_toolkit")
    last = standard.bands[-1]
    # Far beyond the table every effect reads the same; the limit keeps the decimal within its precision.
    magnitude = min(abs(number), float(last.upper) + 1)
    step = Decimal(1).scaleb(-standard.decimals)
    rounded = Decimal(repr(round(magnitude, _FLOAT_NOISE_DECIMALS))).quantize(step, ROUND_HALF_UP)
    beyond = rounded > last.upper
    months = last.months if beyond else next(band.months for band in standard.bands if rounded <= band.upper)
    signed = -months if number < 0 else months
    return Months(signed, f"{signed}{'+' if beyond else ''}", beyond, standard.name)

"""Sums between the counts of possible ties: groups of pairs, waves, and what other tables repeat of them."""

from __future__ import annotations

import pandas as pd

from plneval.release.sums import Sums

COUNTS = ("n_pairs", "n_ties")
SHARES = "network_tie_shares"
CONTRASTS = "network_tie_contrasts"
STRUCTURE = "network_structure"


def tie_sums(shares: pd.DataFrame, contrasts: pd.DataFrame, structure: pd.DataFrame, sums: Sums) -> None:
    """All pairs are those of one school and of different ones; the latter are those of every division into bands.

    What is over all waves is the sum of the waves. Ties of a wave stand in the table of structure as well, and counts
    of two bands beside their difference: a count that is hidden in one table must not be read off another.
    """
    row = {
        (-1 if pd.isna(wave) else int(wave), str(basis), str(band)): index
        for index, wave, basis, band in shares[["wave", "basis", "band"]].itertuples()
    }
    for count in COUNTS:
        for wave in sorted({wave for wave, _, _ in row}):
            _sum(
                row,
                (wave, "all", "all"),
                [(wave, "school", name) for name in ("same_school", "other_school")],
                count,
                sums,
            )
            for division in ("distance", "similarity", "block"):
                bands = sorted(key for key in row if key[:2] == (wave, division))
                _sum(row, (wave, "school", "other_school"), bands, count, sums)
        for _, basis, band in [key for key in row if key[0] == -1]:
            _sum(
                row,
                (-1, basis, band),
                sorted(key for key in row if key[0] > 0 and key[1:] == (basis, band)),
                count,
                sums,
            )
        for index, basis, first, second in contrasts[["basis", "first", "second"]].itertuples():
            for side, band in (("first", first), ("second", second)):
                key = (-1, str(basis), str(band))
                if key in row:
                    sums.add((CONTRASTS, index, f"{count}_{side}"), [(SHARES, row[key], count)])
    for index, wave in structure["wave"].dropna().items():
        if (int(wave), "all", "all") in row:
            sums.add((STRUCTURE, index, "n_ties"), [(SHARES, row[int(wave), "all", "all"], "n_ties")])


def _sum(
    row: dict[tuple[int, str, str], object],
    whole: tuple[int, str, str],
    parts: list[tuple[int, str, str]],
    count: str,
    sums: Sums,
) -> None:
    if whole in row and parts:
        sums.add((SHARES, row[whole], count), [(SHARES, row[part], count) for part in parts if part in row])

"""Numbers in place of keyed hashes: from 1, in the order in which ingest wrote the register.

ingest writes every table in the order of its raw key, so these numbers do not change with the key of the hashes.
"""

from __future__ import annotations

import pandas as pd


def numbering(identifiers: pd.Series) -> pd.Series:
    """Number distinct identifiers from 1 in order of first appearance.

    Returns
    -------
    pandas.Series
        Numbers (int64), indexed by identifier.
    """
    distinct = identifiers.drop_duplicates()
    return pd.Series(range(1, len(distinct) + 1), index=pd.Index(distinct), dtype="int64")


def numbered(identifiers: pd.Series, numbers: pd.Series, kind: str) -> pd.Series:
    """Replace identifiers by their numbers; a missing identifier stays missing (Int64).

    Raises
    ------
    ValueError
        If an identifier is not in the register: ingest rejects such rows, so the tables were not written by it.
    """
    result = identifiers.map(numbers).astype("Int64")
    stray = result.isna() & identifiers.notna()
    if stray.any():
        raise ValueError(f"{int(stray.sum())} rows refer to a {kind} that is not in its register; run ingest again.")
    return result

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
    import pyarrow
    import pyarrow.compute

    # Looking up 16-digit words in pandas takes several times as long.
    register = pyarrow.array(numbers.index.to_numpy(dtype=object), type=pyarrow.large_string())
    wanted = pyarrow.array(identifiers.to_numpy(dtype=object), type=pyarrow.large_string(), from_pandas=True)
    place = pyarrow.compute.index_in(wanted, value_set=register).fill_null(-1).to_numpy()
    known = pd.Series(place >= 0, index=identifiers.index)
    stray = ~known & identifiers.notna()
    if stray.any():
        raise ValueError(f"{int(stray.sum())} rows refer to a {kind} that is not in its register; run ingest again.")
    return pd.Series(place + 1, index=identifiers.index, dtype="Int64").where(known)

"""Identifiers replaced by keyed hashes."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping

import pandas as pd

from plneval.errors import UserError
from plneval.ingest.tables import IDENTIFIERS, Kind, Table

KEY_VARIABLE = "PLNEVAL_ID_KEY"
PREFIXES: dict[Kind, str] = {"school": "s", "network": "n", "pupil": "p", "teacher": "t", "respondent": "r"}
"""First letter of a pseudonym. Ties join teachers; a respondent is a teacher where ``teacher_id`` says so."""


def identifier_key(name: str, environment: Mapping[str, str] = os.environ) -> tuple[bytes, bool]:
    """The key of a cohort's pseudonyms, and whether it is the default one.

    The key comes from the environment variable ``PLNEVAL_ID_KEY``; the default one is made of the cohort's name, so
    that whoever knows the raw identifiers can tell which pseudonym is whose.
    """
    given = environment.get(KEY_VARIABLE, "")
    return (given.encode("utf-8"), False) if given else (f"plneval:{name}".encode(), True)


def pseudonym(identifier: str, kind: Kind, key: bytes) -> str:
    """Prefix and 16 hexadecimal digits: the start of HMAC-SHA-256 over the kind and the identifier."""
    digest = hmac.digest(key, f"{kind}\x00{identifier}".encode(), "sha256")
    return f"{PREFIXES[kind]}{digest.hex()[:16]}"


class Pseudonyms:
    """Replaces identifiers, each the same way in all tables of a cohort.

    Parameters
    ----------
    key : the key of the keyed hash.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[Kind, dict[str, str]] = {kind: {} for kind in IDENTIFIERS}

    def apply(self, table: pd.DataFrame, contract: Table) -> pd.DataFrame:
        """A table with every identifier replaced; the order of rows and all other columns stay.

        Raises
        ------
        UserError
            If two identifiers of one kind would share a pseudonym (for a million of them: once in 10^7 keys).
        """
        replaced = {}
        for column in contract.columns:
            if column.kind in IDENTIFIERS and column.name in table:
                codes, distinct = pd.factorize(table[column.name])
                values = pd.Series([*self._hashed(distinct.tolist(), column.kind), None], dtype="str")
                replaced[column.name] = pd.Series(values.array.take(codes), index=table.index)
        return table.assign(**replaced)

    def _hashed(self, identifiers: list[str], kind: Kind) -> list[str]:
        known = self._known[kind]
        for one in identifiers:
            if one not in known:
                known[one] = pseudonym(one, kind, self._key)
        if len(set(known.values())) != len(known):
            raise UserError(f"two {kind} identifiers share a pseudonym; set another {KEY_VARIABLE}.")
        return [known[one] for one in identifiers]

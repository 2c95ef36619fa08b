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


def pseudonymise(table: pd.DataFrame, contract: Table, key: bytes) -> pd.DataFrame:
    """A table with every identifier replaced; the order of rows and all other columns stay.

    Raises
    ------
    UserError
        If two identifiers of the table would share a pseudonym (about once in 10^8 tables of a million identifiers).
    """
    replaced = {}
    for column in contract.columns:
        if column.kind in IDENTIFIERS and column.name in table:
            codes, distinct = pd.factorize(table[column.name])
            hashed = [pseudonym(one, column.kind, key) for one in distinct]
            if len(set(hashed)) != len(hashed):
                raise UserError(f"two identifiers of '{contract.name}' share a pseudonym; set another {KEY_VARIABLE}.")
            values = pd.Series([*hashed, None], dtype="str")
            replaced[column.name] = pd.Series(values.array.take(codes), index=table.index)
    return table.assign(**replaced)

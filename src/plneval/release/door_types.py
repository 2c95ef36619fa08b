"""What the list of released tables is made of: kinds of columns, and what rests on which counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "people",
    "schools",
    "count",
    "integer",
    "estimate",
    "share",
    "magnitude",
    "word",
    "name",
    "label",
    "category",
    "consented",
    "text",
    "term",
    "digest",
    "flag",
    "year",
]
"""What a column holds.

``people``: a count of people (or of their records): suppressed and rounded. ``schools``: a count of schools, networks
or clusters. ``count``: a count of neither. ``integer``: a whole number that counts nothing, such as a step or a seed.
``estimate``, ``share``: a number, rounded to the declared decimals. ``magnitude``: a number of which only the order
matters, shown with one digit. ``word``: one of the words of a vocabulary (:mod:`plneval.release.words`). ``name``: a
name as configuration files use it. ``label``: text from the configuration. ``category``: a category of the data, such
as a type of network. ``consented``: a name of the data whose bearers agreed to be named; empty for all others.
``text``: a sentence of the program. ``term``: a model term. ``digest``: SHA-256. ``flag``: true or false. ``year``: a
study year.
"""

FEWEST_FOR_QUARTILES: Final = 8
"""Networks from which on quartiles over them are shown: those of three are these three, of few more single ones'."""
NUMBERS: Final = frozenset({"people", "schools", "count", "integer", "estimate", "share", "magnitude", "year"})


@dataclass(frozen=True)
class Statistics:
    """Columns of a row that rest on counts of the same row: withheld together when a count is too small."""

    columns: tuple[str, ...]
    people: tuple[str, ...] = ()
    """Counts of people that they rest on."""
    schools: tuple[str, ...] = ()
    """Counts of schools (of clusters, where no other is known) that they rest on."""
    fewest: int = 0
    """Least of these counts of schools, where it has to be more than the declared minimum."""


@dataclass(frozen=True)
class Table:
    """One released table.

    Attributes
    ----------
    stage : folder of the restricted table.
    columns : kind by column, in the order in which they leave.
    people : when counts of kind ``people`` are counts of people: in ``every`` row; in rows whose ``unit`` is pupils (or
        scores, where these are pupils'); in rows whose ``table`` holds people; ``pupil_level`` only where outcomes are
        those of pupils.
    statistics : what is withheld with a count.
    complement : ``(rate, part, whole)``: the rate is 1 - part/whole and is worked out from the rounded counts.
    shares : share to the count of people it is a share of: it is withheld when it gives away a small count.
    """

    stage: str
    columns: dict[str, Kind]
    people: Literal["every", "by_unit", "by_table", "pupil_level"] = "every"
    statistics: tuple[Statistics, ...] = ()
    complement: tuple[str, str, str] | None = None
    shares: dict[str, str] | None = None

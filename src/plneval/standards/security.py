"""Security of the finding: the indicative initial padlock score (Education Endowment Foundation)."""

from __future__ import annotations

from dataclasses import dataclass

from plneval.errors import did_you_mean
from plneval.standards.arguments import at_least, between
from plneval.standards.catalogue import load
from plneval.standards.records import ScoreBand


@dataclass(frozen=True)
class SecurityScore:
    """Initial score in padlocks (0 to 5).

    Attributes
    ----------
    score : int
        The lowest of the known criteria.
    design, mdes, attrition : int or None
        Score of each criterion; None where it is not known.
    missing : tuple of str
        Criteria that are not known; with any, the score is only an upper bound.
    statement : str
        The words to print: they always say that the score is indicative, and "at most" where a criterion is missing.
    """

    score: int
    design: int
    mdes: int | None
    attrition: int | None
    missing: tuple[str, ...]
    statement: str


def initial_score(design: str, mdes: float | None, attrition_percent: float | None) -> SecurityScore:
    """Lowest of the scores for design, minimum detectable effect size and pupil attrition.

    Parameters
    ----------
    design : str
        A key of ``security_rating.yaml``: randomised, difference_in_differences, matching, some_confounders,
        unadjusted, no_comparator.
    mdes : float or None
        Minimum detectable effect size in standard deviations; None if not known.
    attrition_percent : float or None
        Pupil attrition in percent; None if not known, or where a design follows no pupils (repeated cross-sections).

    Raises
    ------
    ValueError
        If the design is unknown or a number is missing (NaN) or out of range.
    """
    standard = load("security_rating")
    designs = {entry.design: entry.score for entry in standard.designs}
    if design not in designs:
        raise ValueError(
            f"no design '{design}' in the security rating; there are {', '.join(designs)}."
            f"{did_you_mean(design, designs)}"
        )
    mdes_score = attrition_score = None
    if mdes is not None:
        mdes_score = _score(at_least("mdes", mdes, 0), standard.mdes)
    if attrition_percent is not None:
        attrition_score = _score(between("attrition_percent", attrition_percent, 0, 100), standard.attrition_percent)
    missing = tuple(
        name for name, found in (("MDES", mdes_score), ("pupil attrition", attrition_score)) if found is None
    )
    score = min(found for found in (designs[design], mdes_score, attrition_score) if found is not None)
    padlocks = f"{score} padlock{'' if score == 1 else 's'}"
    statement = f"at most {padlocks} ({' and '.join(missing)} not known)" if missing else padlocks
    return SecurityScore(
        score, designs[design], mdes_score, attrition_score, missing, f"{statement}; {standard.caveat}"
    )


def _score(value: float, bands: tuple[ScoreBand, ...]) -> int:
    # ASSUME: bands are printed to two decimals (or whole percents); a value between two bands takes the lower score.
    standard = load("security_rating")
    for band in bands:
        if value <= band.up_to + standard.tolerance:
            return band.score
    return standard.score_beyond_bands

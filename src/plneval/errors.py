"""Errors meant for the person who can mend them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in a configuration file, in the data or on the command line.

    The message names the file, the line or column, what was found and what to do. The command line prints it
    without a traceback and ends with exit code 2.
    """


class UserErrors(UserError):
    """Several mistakes found in one go; each is a line of its own."""

    def __init__(self, problems: Iterable[UserError | str]) -> None:
        self.problems = [str(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` (with its leading blank) for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(found, sorted(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""

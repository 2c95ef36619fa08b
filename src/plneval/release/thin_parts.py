"""Parts of the member schools whose effect is withheld lose their name too: it may be a network's own."""

from __future__ import annotations

import pandas as pd

PART = "att_split"
COPIES = ("records", "recomputed", "recovery")
"""Tables that name parts in their column ``term``."""


def hide_parts(frames: dict[str, pd.DataFrame], reasons: pd.Series) -> None:
    """Put ``<by>:not shown <k>`` in place of the terms of withheld parts, in every table that repeats them."""
    records = frames["records"]
    out = records[(records["estimand"] == PART) & (reasons != "").to_numpy()]
    names: dict[tuple[str, str], str] = {}
    for model, own in out.groupby("model", sort=False):
        for number, term in enumerate(own["term"], start=1):
            names[str(model), str(term)] = f"{str(term).partition(':')[0]}:not shown {number}"
    for table in COPIES:
        frame = frames[table]
        pairs = zip(frame["model"], frame["estimand"], frame["term"], strict=True)
        frame["term"] = pd.Series(
            [names.get((str(m), str(t)), t) if e == PART else t for m, e, t in pairs], index=frame.index, dtype="str"
        )

"""A made-up study, without raw files: the panels and tables that its models read, and its truth."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
from network_study import schools_table, table

from plneval.artifacts import write_json, write_table
from plneval.networks.study_tables import TABLES
from plneval.simulate.calendar import start_of
from plneval.simulate.facets import FORM, long_answers
from plneval.simulate.made import MadeStudy
from plneval.simulate.planted import PlantedErrors
from plneval.simulate.streams import stream
from plneval.simulate.truth import scored_effects, truth
from plneval.simulate.voices import answering


def write_study(made: MadeStudy, folder: Path) -> None:
    """Write what ingest and prepare would make of the study, as far as models of networks need it; ``truth.json``."""
    kept = ~np.isnan(made.scores.points)
    write_json(folder / "truth.json", truth(made, kept, PlantedErrors()))
    rows = {
        "schools": [{"school_id": code} for code in made.schools.code],
        "networks": [{"network_id": code} for code in made.networks.code],
    }
    for name in (name for name in TABLES if name != "surveys"):
        write_table(folder / f"{name}.parquet", table(name, rows.get(name, [])))
    write_table(folder / "surveys.parquet", _surveys(made))
    ledger = pd.DataFrame({name: pd.Series(dtype="str") for name in ("table", "file", "row", "column", "rule")})
    write_table(folder / "ledger.parquet", ledger)
    panel = folder / "panel"
    panel.mkdir()
    scored = scored_effects(made, kept)
    scored = scored[scored["subject"] == "maths"]
    schools = np.arange(made.schools.count)
    network = pd.Series(made.memberships.network + 1, dtype="Int64").where(made.memberships.network >= 0)
    write_table(
        panel / "schools.parquet",
        schools_table([{"school": int(k) + 1, "network": network[k]} for k in schools]),
    )
    write_table(panel / "panel_school.parquet", _school_years(made, scored))
    write_table(
        panel / "panel_pupil.parquet",
        pd.DataFrame(
            {
                "school": scored["school"] + 1,
                "year": scored["year"],
                "pupil": scored["person"],
                "outcome": pd.Series("maths", index=scored.index, dtype="str"),
                "disadvantaged": scored["disadvantaged"].astype("Int64"),
            }
        ),
    )
    sds = {"outcome": ["maths"], "subgroup": ["all"], "column": ["z"], "sd": [1.0], "sd_total": [1.0]}
    write_table(panel / "standardisers.parquet", pd.DataFrame({**sds, "n_pupils": [1000], "n_scores": [1000]}))


def _school_years(made: MadeStudy, scored: pd.DataFrame) -> pd.DataFrame:
    """Standardised as prepare does: by year and grade, among never- and not-yet-treated pupils."""
    keys = [scored["year"], scored["grade"]]
    reference = scored["points"].where(~scored["treated"])
    mean, sd = (reference.groupby(keys).transform(name) for name in ("mean", "std"))
    rows = scored.assign(z=(scored["points"] - mean) / sd).groupby(["school", "year"], sort=True)["z"]
    found = rows.agg(["mean", "size"]).reset_index()
    joins = pd.Series(made.memberships.entry_year[found["school"]] > 0)
    network = pd.Series(made.memberships.network[found["school"]] + 1, dtype="Int64").where(joins)
    entry = pd.Series(made.memberships.entry_year[found["school"]], dtype="Int64").where(joins)
    return pd.DataFrame(
        {
            "school": found["school"] + 1,
            "year": found["year"],
            "outcome": "maths",
            "subgroup": "all",
            "z": found["mean"],
            "n": found["size"].astype("float64"),
            "network": network,
            "cluster": network.fillna(found["school"] + 1001),
            "entry_year": entry,
        }
    )


def _surveys(made: MadeStudy) -> pd.DataFrame:
    """Answers about conditions, the short and the long form."""
    long = long_answers(made, stream(made.simulation.seed, "surveys", 1))
    parts = []
    for form, waves in (("conditions", list(answering(made))), (FORM, long)):
        for wave, year, answers in waves:
            asked = answers[answers["role"] != "colleague"]
            items = [name for name in asked if str(name).startswith(f"{form}:")]
            rows = asked.melt(["post", "role", "school"], items, "item", "response")
            school = rows["school"].to_numpy()
            day = start_of(made.study, year) + dt.timedelta(days=180)
            parts.append(
                pd.DataFrame(
                    {
                        "respondent_id": "r" + rows["post"].astype(str),
                        "instrument": form,
                        "wave": str(wave),
                        "item": rows["item"].str.removeprefix(f"{form}:"),
                        "date": pd.Timestamp(day),
                        "school_id": np.array(made.schools.code)[school],
                        "network_id": np.array(made.networks.code)[made.memberships.network[school]],
                        "role": rows["role"],
                        "response": rows["response"].astype("float64"),
                    }
                )
            )
    whole = pd.concat(parts, ignore_index=True)
    empty = table("surveys", [])
    return whole.reindex(columns=list(empty)).astype(empty.dtypes.to_dict())

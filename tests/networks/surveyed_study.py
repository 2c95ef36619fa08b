"""A small study of networks with surveys: panels and answers as files, tables in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from network_study import cohort, spell, study

from plneval.artifacts import write_table
from plneval.config.instrument import Instrument
from plneval.networks.study import NetworkStudy

NETWORKS, EACH, COMPARISON = 8, 2, 6
YEARS = (2013, 2014, 2015, 2016, 2017)
INSTRUMENT = Instrument.model_validate(
    {
        "title": "Made questionnaire",
        "note": "Made for tests.",
        "forms": {
            name: {
                "label": name.capitalize(),
                "lowest": 1,
                "highest": 5,
                "roles": ["participant", "colleague"],
                "minimum_respondents": 3,
                "scales": {
                    scale: {
                        "label": scale.capitalize(),
                        "meaning": "More is more.",
                        "measures": measures,
                        "sources": ["made up"],
                        "items": {f"{scale}_{i}": {"wording": f"{scale} {i}", "reverse": i == 3} for i in (1, 2, 3)},
                    }
                    for scale in scales
                },
            }
            for name, measures, scales in (
                ("conditions", "condition", ("trust", "focus")),
                ("teaching", "practice", ("practice",)),
            )
        },
    }
)


def entry(network: int) -> int:
    """Networks join in 2014 or 2015."""
    return 2014 if network % 2 else 2015


def surveyed(
    folder: Path, networks: int = NETWORKS, wave_years: tuple[int, ...] = (2015, 2017), answers: bool = True
) -> NetworkStudy:
    """``networks`` networks of two schools and six schools that never join; four respondents a school and wave.

    A network's effect from 2016 on is 0.05 × its number; answers rise with the network's number.
    """
    random = np.random.default_rng(7)
    members = [(n, f"m{n}{k}") for n in range(1, networks + 1) for k in range(EACH)]
    names = [name for _, name in members] + [f"c{k}" for k in range(COMPARISON)]
    declared = cohort(study={"first_year": 2013}, design={"weight": "schools"})
    surveys = _surveys(random, members, networks, wave_years) if answers else []
    tables = study(
        schools=[{"school_id": name, "arm": "member" if name[0] == "m" else "comparison"} for name in names],
        config=declared,
        networks=[{"network_id": f"n{n}"} for n in range(1, networks + 1)],
        memberships=[spell(f"n{n}", name, f"{entry(n) - 1}-10-01") for n, name in members],
        surveys=surveys,
    )
    tables.schools["network"] = pd.array([n for n, _ in members] + [None] * COMPARISON, dtype="Int64")
    rows = _school_years(random, members, names)
    write_table(folder / "panel_school.parquet", rows)
    pupil = {"school": "int64", "year": "int64", "pupil": "int64", "outcome": "str", "disadvantaged": "Int64"}
    write_table(
        folder / "panel_pupil.parquet", pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in pupil.items()})
    )
    columns = ["respondent_id", "instrument", "wave", "item", "date", "school_id", "network_id", "teacher_id", "role"]
    table = pd.DataFrame(surveys, columns=[*columns, "response"])
    table["date"] = pd.to_datetime(table["date"])
    write_table(
        folder / "surveys.parquet",
        table.astype({**dict.fromkeys(set(columns) - {"date"}, "str"), "response": "float64"}),
    )
    made = NetworkStudy(declared, folder, folder, INSTRUMENT)
    made.__dict__["tables"] = tables
    return made


def _school_years(random: np.random.Generator, members: list[tuple[int, str]], names: list[str]) -> pd.DataFrame:
    network = {name: n for n, name in members}
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names, start=1):
        own = network.get(name)
        for year in YEARS:
            treated = own is not None and year >= entry(own) + 2
            effect = 0.05 * own if treated and own is not None else 0.0
            rows.append(
                {
                    "school": number,
                    "year": year,
                    "outcome": "maths",
                    "subgroup": "all",
                    "z": effect + 0.02 * random.normal(),
                    "n": 30.0,
                    "deprivation": float(number % 3),
                    "network": own,
                    "cluster": 100 + number if own is None else own,
                    "entry_year": None if own is None else entry(own),
                }
            )
    table = pd.DataFrame(rows)
    return table.astype(
        {"network": "Int64", "cluster": "Int64", "entry_year": "Int64", "school": "Int64", "year": "Int64"}
    )


def _surveys(
    random: np.random.Generator, members: list[tuple[int, str]], networks: int, wave_years: tuple[int, ...]
) -> list[dict[str, Any]]:
    rows = []
    for wave, year in enumerate(wave_years, start=1):
        for n, name in members:
            for person in range(4):
                for form, own in INSTRUMENT.forms.items():
                    for about in own.scales.values():
                        level = 1.5 + 3 * n / (networks + 1) + 0.3 * random.normal()
                        for item, spec in about.items.items():
                            answer = int(np.clip(round(level + 0.4 * random.normal()), 1, 5))
                            rows.append(
                                {
                                    "respondent_id": f"{name}-{person}",
                                    "instrument": form,
                                    "wave": str(wave),
                                    "item": item,
                                    "date": f"{year}-03-01",
                                    "school_id": name,
                                    "network_id": f"n{n}",
                                    "role": "participant" if person < 2 else "colleague",
                                    "response": 6 - answer if spec.reverse else answer,
                                }
                            )
    return rows

"""Restricted tables of a small study, made by hand from the contract, with small counts and thin results in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import write_json, write_table
from plneval.config.layout import Layout
from plneval.release.door import TABLES
from plneval.release.door_networks import NETWORK_TABLES

sys.path.append(str(Path(__file__).resolve().parent.parent / "challenge"))

from evidence_by_hand import (
    baseline,
    cohort,
    evidence,
    measures,
    recomputed,
    record,
    records_table,
    recovered,
    sensitivity,
    spec,
)
from exposure_by_hand import exposure
from lasting_by_hand import lasting
from membership_by_hand import membership_tables
from spread_by_hand import spread

from plneval.challenge.document import verdict_document
from plneval.challenge.gate import to_table
from plneval.challenge.gates import form_gates

__all__ = ["cohort", "frames", "record", "records", "records_table", "spec", "write_restricted"]

PSEUDONYM = "p0123456789abcdef"


def records() -> pd.DataFrame:
    """Three entry groups, of which that of 2017 has two schools; effects on all and on disadvantaged pupils."""
    sized = {"effect_size": 0.1234567, "effect_size_low": 0.05, "effect_size_high": 0.19, "months": 2}
    numbers = {"estimate": 0.1234567, "se": 0.0312345, "ci_low": 0.05, "ci_high": 0.19, "p": 0.0012345}
    rows = [
        record("att_group_time", term="g2015:t2017", event_time=2, n_treated=4003, n_schools=87, **numbers),
        record("att_group_time", term="g2016:t2018", event_time=2, n_treated=3001, n_schools=86, **numbers),
        record("att_group_time", term="g2017:t2019", event_time=2, n_treated=412, n_schools=62, **numbers),
        record("att_group_time", term="g2015:t2018", event_time=3, n_treated=4011, n_schools=87, **numbers),
        record("att_event_time", term="e2", event_time=2, n_treated=7416, n_schools=112, **numbers),
        record("att_event_time", term="e3", event_time=3, n_treated=4011, n_schools=87, **numbers),
        record("att_third_year_on", headline=True, n_treated=7420, n_schools=112, **numbers, **sized),
        record("pretrend", term="joint", estimate=2.1, df=2.0, p=0.35, warnings="7 pupil-years left out: no grade"),
    ]
    rows += [
        {
            **record("att_third_year_on", n_treated=n, n_pupils=n + 4, n_scores=n + 8, **numbers),
            "model": model,
            "subgroup": group,
        }
        for model, group, n in (("cs_all", "all", 2006), ("cs_dis", "disadvantaged", 2000))
    ]
    return records_table(rows)


def frames() -> dict[str, pd.DataFrame]:
    """Every restricted table that the door reads."""
    made = measures(baseline=baseline(0.14, reading=0.1))
    entry = made["entry_groups"].assign(n_schools=[25, 24, 2])
    gates = form_gates(evidence(measures=made))
    flow = [
        (1, "in the register", "schools", "member", "", 52, 0, ""),
        (2, "analysed", "schools", "member", "", 51, 1, "no outcome before joining"),
        (1, "in the register", "pupils", "member", "", 1013, 0, ""),
        (2, "with a school", "pupils", "member", "", 971, 42, "no school"),
        (3, "with a score", "pupils", "member", "", 967, 4, "no score"),
        (4, "analysed", "pupils", "member", "", 906, 61, "no grade"),
    ]
    trends = [
        ("all", "member", 2014, 0.1, 51, 1030),
        ("all", "2015", 2014, 0.1, 25, 618),
        ("all", "2016", 2014, 0.1, 24, 405),
        ("all", "2017", 2014, 0.1, 2, 7),
        ("all", "comparison", 2014, 0.0, 60, 2000),
    ]
    return {
        **{name: pd.DataFrame(columns=list(door.columns)) for name, door in NETWORK_TABLES.items()},
        **{name: table for name, table in made.items() if name in TABLES},
        **membership_tables(),
        "flow": pd.DataFrame(flow, columns=list(TABLES["flow"].columns)),
        "entry_groups": entry,
        "ledger": pd.DataFrame(
            [("schools", 130, 121, 2, 7), ("pupils", 5000, 4900, 93, 7), ("outcomes", 10012, 9000, 500, 512)],
            columns=["table", "read", "kept", "merged", "rejected"],
        ),
        "rejections": pd.DataFrame(
            [
                ("schools", "missing_key", 7, "a column of its key is empty"),
                ("pupils", "missing_key", 7, "a column of its key is empty"),
                ("outcomes", "bad_type", 500, "a value cannot be read"),
                ("outcomes", "out_of_range", 12, "a score lies outside"),
            ],
            columns=["table", "rule", "count", "meaning"],
        ),
        "ingest_notes": pd.DataFrame(
            [
                ("recycled_identifier", "pupils", 37, "37 pupil numbers were given to more than one pupil."),
                ("merged_by_key", "outcomes", 3, "3 records of keys that stand more than once were merged."),
                ("encoding_detected", "outcomes", 1, "read as cp1252, which was detected: results_2014.csv."),
                ("late_joining", "memberships", 4, "4 spells begin after the cut-off (01-31)."),
            ],
            columns=["rule", "table", "count", "text"],
        ),
        "intraclass": pd.DataFrame(
            [("maths", "school", 0.1412345, 0.1, 0.2, 4003, 110, "one-way analysis of variance")],
            columns=list(TABLES["intraclass"].columns),
        ),
        "membership": pd.DataFrame(
            [(2015, 25, 25, 0, 0), (2016, 49, 24, 0, 0)], columns=list(TABLES["membership"].columns)
        ),
        "trends": pd.DataFrame(
            [
                ("maths", group, name, year, z, 0.03, schools, pupils)
                for group, name, year, z, schools, pupils in trends
            ],
            columns=list(TABLES["trends"].columns),
        ),
        "networks": pd.DataFrame(
            [("lesson study", 10, 30), ("St Mary's own circle", 1, 2)], columns=["type", "n_networks", "n_schools"]
        ),
        "records": records(),
        "gates": to_table(gates),
        "recomputed": recomputed(),
        "recovery": recovered(0.4),
        **{name: table for name, table in robust().items() if name in TABLES},
        **exposure(),
        **spread(),
        **lasting(),
    }


def robust() -> dict[str, pd.DataFrame]:
    """Sensitivity of the headline: one of the networks left out has two schools."""
    loo = [("cs_maths", i + 1, 0.1 + 0.0123456 * i, 0.03, 0.04, 0.19, n) for i, n in enumerate((3, 2, 4))]
    return sensitivity(
        leave_one_out=pd.DataFrame(loo, columns=list(TABLES["leave_one_out"].columns)),
        placebo=pd.DataFrame(
            [("cs_maths", 2, 0.01, 0.03, -0.05, 0.07, 0.74, 90, 30)], columns=list(TABLES["placebo"].columns)
        ),
        multiplicity=pd.DataFrame(
            [
                ("cs_all", "att_third_year_on", "secondary", 0.0123, 0.0246, 0.02, 2),
                ("cs_dis", "att_third_year_on", "exploratory", 0.0312, 0.0312, 0.0312, 2),
            ],
            columns=list(TABLES["multiplicity"].columns),
        ),
    )


def write_restricted(layout: Layout, tables: dict[str, pd.DataFrame] | None = None) -> None:
    """Write the tables, and the documents of ingest and challenge, where their stages would."""
    for name, frame in (tables or frames()).items():
        write_table(layout.restricted(TABLES[name].stage) / f"{name}.parquet", frame)
    made: Any = evidence()
    write_json(layout.findings / "verdict.json", verdict_document(made, form_gates(made)))
    schools = pd.DataFrame({"school_id": [PSEUDONYM], "name": ["Hillside Primary School"]})
    write_table(layout.tables / "schools.parquet", schools)
    files = [{"table": "outcomes", "source": 0, "file": "results_2014.csv", "format": "csv", "digest": "d" * 64}]
    write_json(layout.tables / "sources.json", {"files": files})
    write_json(layout.tables / "ledger.json", {"notes": [{"rule": "default_key"}]})

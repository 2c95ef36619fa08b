"""Records made by hand: a benefit with many models, a school-level study, a study that is too small."""

from __future__ import annotations

from typing import Any

import pandas as pd

DIGEST = "0123456789abcdef" * 4


def _record(**values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cohort": "demo",
        "model": "cs_maths",
        "label": "Mathematics, group-time effects against schools that never join",
        "estimator": "did.att_gt",
        "estimand": "att_event_time",
        "role": "confirmatory",
        "headline": False,
        "outcome": "maths",
        "subgroup": "all",
        "comparison": "schools that never join",
        "sample": "analysed schools",
        "term": "",
        "event_time": None,
        "estimate": None,
        "se": None,
        "df": 15.0,
        "ci_low": None,
        "ci_high": None,
        "p": None,
        "effect_size": None,
        "effect_size_low": None,
        "effect_size_high": None,
        "standardiser": "pupil SD within arm, year and grade",
        "months": None,
        "months_low": None,
        "months_high": None,
        "months_table": "trial",
        "n_scores": 61230,
        "n_pupils": 30120,
        "n_schools": 110,
        "n_networks": 17,
        "clusters_treated": 16,
        "clusters_comparison": 61,
        "n_treated": 12480,
        "vcov": "cluster, G/(G-1), t(15)",
        "converged": True,
        "seed": 2018,
        "digest_data": DIGEST,
        "digest_spec": DIGEST,
        "digest_code": DIGEST,
        "warnings": "",
        "withheld": "",
    }
    row.update(values)
    if row["estimate"] is not None and row["se"] is not None and row["ci_low"] is None:
        row["ci_low"] = round(row["estimate"] - 2.131 * row["se"], 3)
        row["ci_high"] = round(row["estimate"] + 2.131 * row["se"], 3)
        row["p"] = 0.012 if row["ci_low"] > 0 or row["ci_high"] < 0 else 0.41
    return row


def _sized(row: dict[str, Any], months: tuple[int, int, int]) -> dict[str, Any]:
    """Give a record an effect size and months."""
    row.update(
        effect_size=row["estimate"],
        effect_size_low=row["ci_low"],
        effect_size_high=row["ci_high"],
        months=months[0],
        months_low=months[1],
        months_high=months[2],
    )
    return row


EVENT_TIMES = {
    -3: (0.01, 0.024),
    -2: (-0.012, 0.02),
    0: (0.021, 0.018),
    1: (0.055, 0.021),
    2: (0.108, 0.03),
    3: (0.131, 0.036),
}


def _group_time() -> list[dict[str, Any]]:
    rows = []
    for group in (2015, 2016, 2018):
        for year in (2014, 2015, 2016, 2017, 2020):
            if year < group:
                continue
            k = year - group
            rows.append(
                _record(
                    estimand="att_group_time",
                    term=f"g{group}:t{year}",
                    event_time=k,
                    estimate=round(0.02 + 0.035 * k, 3),
                    se=0.04,
                    n_treated=3150,
                    n_schools=18,
                )
            )
    return rows


def benefit_records() -> pd.DataFrame:
    rows = [
        _sized(_record(estimand="att_third_year_on", headline=True, estimate=0.117, se=0.031), (2, 1, 3)),
        _sized(_record(estimand="att_third_year_on_equal", estimate=0.121, se=0.033), (2, 1, 3)),
        _sized(_record(estimand="att_overall", estimate=0.071, se=0.022), (1, 0, 2)),
        _record(estimand="pretrend", estimate=1.12, p=0.57, df=2.0),
    ]
    rows += [_record(event_time=k, term=f"e{k}", estimate=e, se=s) for k, (e, s) in EVENT_TIMES.items()]
    rows += _group_time()
    for model, label, estimator, estimate, se, more in (
        (
            "cs_maths_not_yet",
            "Mathematics, also against schools that join later",
            "did.att_gt",
            0.112,
            0.03,
            {"comparison": "schools that never join or join later"},
        ),
        (
            "cs_reading",
            "Reading, group-time effects against schools that never join",
            "did.att_gt",
            0.064,
            0.034,
            {"outcome": "reading"},
        ),
        (
            "cs_maths_disadvantaged",
            "Mathematics, disadvantaged pupils",
            "did.att_gt",
            0.162,
            0.045,
            {"subgroup": "disadvantaged", "role": "exploratory"},
        ),
        (
            "twfe_maths",
            "Mathematics, two-way fixed effects event study (for comparison only)",
            "did.event_study",
            0.093,
            0.028,
            {"role": "exploratory"},
        ),
    ):
        common = {"model": model, "label": label, "estimator": estimator, "role": "secondary", **more}
        rows.append(_sized(_record(estimand="att_third_year_on", estimate=estimate, se=se, **common), (2, 0, 3)))
        rows += [
            _record(event_time=k, term=f"e{k}", estimate=round(e * estimate / 0.117, 3), se=s * 1.1, **common)
            for k, (e, s) in EVENT_TIMES.items()
        ]
    growth = {
        "model": "growth_maths",
        "label": "Mathematics, growth of pupils in schools",
        "estimator": "multilevel",
        "role": "secondary",
        "comparison": "",
        "vcov": "REML, Satterthwaite",
    }
    rows.append(_sized(_record(estimand="att_third_year_on", estimate=0.104, se=0.027, **growth), (2, 1, 3)))
    for year, (estimate, se) in enumerate(((0.019, 0.014), (0.05, 0.018), (0.104, 0.027)), start=1):
        rows.append(
            _record(
                estimand="coefficient",
                term=f"treated_year_{year}",
                event_time=year - 1,
                estimate=estimate,
                se=se,
                **growth,
            )
        )
    for term, value in (
        ("school: intercept", 0.142),
        ("school: time", 0.004),
        ("pupil: intercept", 0.391),
        ("residual", 0.402),
    ):
        rows.append(_record(estimand="variance", term=term, estimate=value, **growth))
    rows += _networks_and_schools(growth)
    return _records_frame(rows)


def _networks_and_schools(growth: dict[str, Any]) -> list[dict[str, Any]]:
    """What a growth model says of networks and schools; the third network has too few schools, the second goes too."""
    few, too = "fewer than 3 schools", "could be worked out from another effect that is withheld"
    rows = [
        _record(estimand="between_network_sd", term="treated", estimate=0.061, ci_low=0.0, ci_high=0.108, **growth),
        _record(estimand="networks_below_zero", estimate=0.044, **growth),
        _record(
            estimand="intraclass_correlation", term="school", estimate=0.152, ci_low=0.121, ci_high=0.188, **growth
        ),
        _record(estimand="r_squared", term="marginal", estimate=0.188, **growth),
        _record(estimand="r_squared", term="conditional", estimate=0.72, **growth),
        _record(estimand="network_effect", term="network 1", estimate=0.151, se=0.05, n_schools=9, **growth),
        _record(estimand="network_effect", term="network 2", withheld=too, n_schools=4, **growth),
        _record(estimand="network_effect", term="network 3", withheld=few, n_schools=2, **growth),
        _record(estimand="network_effect", term="network 4", estimate=0.082, se=0.05, n_schools=3, **growth),
    ]
    for part, middle in (("before joining", 0.02), ("after joining", 0.11), ("change", 0.09)):
        for percent, apart in ((10, -0.3), (50, 0.0), (90, 0.3)):
            term = f"{part}, {percent} percent"
            rows.append(_record(estimand="school_value_added", term=term, estimate=middle + apart, **growth))
    return rows


def not_causal_records() -> pd.DataFrame:
    school = {
        "cohort": "isp",
        "model": "isp_cs_maths",
        "label": "Maths attainment percentile, group-time effects",
        "standardiser": "",
        "months_table": "",
        "n_scores": None,
        "n_pupils": None,
        "n_schools": 461,
        "n_networks": 1,
        "clusters_treated": 24,
        "clusters_comparison": 437,
        "n_treated": 24,
        "df": 23.0,
        "vcov": "cluster (school), G/(G-1), t(23)",
    }
    rows = [
        _record(estimand="att_event_time", event_time=k, term=f"e{k}", estimate=e, se=0.06, **school)
        for k, e in ((-2, 0.03), (-1, 0.0), (0, 0.02))
    ]
    rows.append(_record(estimand="att_overall", estimate=0.021, se=0.061, **school))
    rows.append(_record(estimand="att_third_year_on", headline=True, estimate=0.048, se=0.07, **school))
    rows.append(_record(estimand="att_event_time", event_time=2, term="e2", estimate=0.048, se=0.07, **school))
    rows.append(_record(estimand="att_group_time", event_time=0, term="g2018:t2018", estimate=0.02, se=0.06, **school))
    other = {
        **school,
        "model": "isp_cs_attendance",
        "label": "Attendance, group-time effects",
        "outcome": "attendance",
        "role": "secondary",
    }
    rows += [
        _record(estimand="att_event_time", event_time=k, term=f"e{k}", estimate=e, se=0.05, **other)
        for k, e in ((-2, -0.02), (0, 0.01), (1, 0.04))
    ]
    rows.append(_record(estimand="att_third_year_on", estimate=-0.013, se=0.05, **other))
    return _records_frame(rows)


def inconclusive_records() -> pd.DataFrame:
    small = {
        "n_schools": 14,
        "n_networks": 2,
        "clusters_treated": 2,
        "clusters_comparison": 9,
        "n_pupils": None,
        "n_scores": None,
        "n_treated": None,
    }
    rows = [
        _record(estimand="att_event_time", event_time=0, term="e0", estimate=0.03, se=0.06, **small),
        _record(
            estimand="att_event_time",
            event_time=1,
            term="e1",
            estimate=None,
            se=None,
            **small,
            warnings="fewer than 3 schools",
        ),
        _sized(_record(estimand="att_overall", estimate=0.03, se=0.06, **small), (0, -1, 2)),
        _record(estimand="pretrend", estimate=None, p=None, df=None, **small),
        _record(
            estimand="variance",
            model="growth_maths",
            label="Mathematics, growth of pupils in schools",
            estimator="multilevel",
            role="secondary",
            term="residual",
            estimate=0.41,
            converged=False,
            **small,
        ),
    ]
    frame = _records_frame(rows)
    for column in ("n_pupils", "n_scores", "n_treated"):
        frame[f"{column}_suppressed"] = True
    return frame


def _records_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    whole = (
        "event_time",
        "months",
        "months_low",
        "months_high",
        "n_scores",
        "n_pupils",
        "n_schools",
        "n_networks",
        "n_treated",
    )
    whole += ("clusters_treated", "clusters_comparison", "seed")
    for column in frame.columns:
        if column in whole:
            frame[column] = pd.array(frame[column].tolist(), dtype="Int64")
        elif frame[column].dtype == object and column in (
            "estimate",
            "se",
            "df",
            "ci_low",
            "ci_high",
            "p",
            "effect_size",
            "effect_size_low",
            "effect_size_high",
        ):
            frame[column] = frame[column].astype("float64")
    return frame

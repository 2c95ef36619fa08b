"""The path over practice measured with error: bias and coverage of the naive and of the adjusted path.

    python benchmarks/networks_mediation.py                  # both parts, 1,000 draws: the tables of docs/networks.md
    python benchmarks/networks_mediation.py --part chain --draws 200

``function``: schools in clusters of three, participation the same within a cluster (0, 1 or 2 years); practice rises by
0.5 a year, the outcome by 0.2 for a point of practice and by 0.05 a year otherwise. From 2 to 6 teachers of a school
answer, with an error that leaves the reliability given (of practice, participation held fixed).

``chain``: studies of plneval.simulate made in memory (120 schools, 18 networks, 20 pupils a grade). Answers go through
the scales of config/instruments/generic.yaml, scores of mathematics through the standardisation of prepare, both into
plneval.estimate.mediation. What is estimated is each study's own planted path (plneval.simulate.true_path). Studies are
as the demonstration is (effect 0.12), or ones in which practice is told apart well: effect 1, and practice gains 1.2
(participants) and 1 (colleagues) with an SD of 0.2 between teachers in place of 0.6, 0.25 and 0.8. Both have a twin
without an effect on pupils, where the interval of the indirect effect should hold zero. All four come from the same
draw: effects are multiples of one number, and mean scores are moved by the difference.

Bootstrap draws are 1,000; the package's default is 2,000. ``bounds`` is three Monte Carlo standard errors around 95 %.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from networks_effects import mathematics, school_years

from plneval.config.base import load
from plneval.config.cohort import Simulation, Study
from plneval.config.instrument import Instrument
from plneval.estimate.mediation import schools_behind_path
from plneval.estimate.sample import Exclusions, SchoolSample
from plneval.networks.mediation import Mediation, mediation
from plneval.networks.scales import read_answers, scale_scores
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.streams import stream
from plneval.simulate.true_path import respondents, true_path
from plneval.simulate.voices import answers_of, wave_years

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
FORM = load(Path(__file__).parent.parent / "config" / "instruments" / "generic.yaml", Instrument).forms["practice"]
BOOTSTRAP, EVERY = 1000, 100
EFFECT = 0.12
ON_PRACTICE, SLOPE, DIRECT = 0.5, 0.2, 0.05
ROUTES = ("naive", "adjusted")


def schools(random: np.random.Generator, clusters: int, reliability: float, size: int = 3) -> pd.DataFrame:
    """One study of the first part."""
    n = clusters * size
    cluster = np.repeat(np.arange(clusters), size)
    participation = (cluster % 3).astype(float)
    true = ON_PRACTICE * participation + 0.3 * random.normal(size=clusters)[cluster] + 0.4 * random.normal(size=n)
    outcome = DIRECT * participation + SLOPE * true + 0.1 * random.normal(size=clusters)[cluster]
    respondents = random.integers(2, 7, n)
    # Between schools 0.25 of true variance is left, and error is that of one answer times the mean of 1/n.
    answer = np.sqrt(0.25 * (1 - reliability) / reliability / np.mean(1 / np.arange(2, 7)))
    school = np.repeat(np.arange(n), respondents)
    answers = true[school] + answer * random.normal(size=len(school))
    practice = np.bincount(school, answers) / respondents
    return pd.DataFrame(
        {
            "participation": participation,
            "practice": practice,
            "outcome": outcome + 0.2 * random.normal(size=n),
            "cluster": cluster,
            "respondents": respondents,
            "within_ss": np.bincount(school, (answers - practice[school]) ** 2),
            "within_df": respondents - 1,
        }
    )


def practice_scores(made: MadeStudy) -> pd.DataFrame:
    """Scores of practice of all respondents in all waves."""
    rng = stream(made.simulation.seed, "surveys")
    parts = []
    for wave, year in enumerate(wave_years(made.study), start=1):
        table = answers_of(made, rng, year)
        items = [column for column in table if str(column).startswith("practice:")]
        long = table[table["role"] != "leader"].melt(["post", "role", "school"], items, "item", "response")
        parts.append(long.assign(item=long["item"].str.removeprefix("practice:"), wave=str(wave), year=year))
    long = pd.concat(parts, ignore_index=True)
    surveys = long.assign(respondent_id="r" + long["post"].astype(str), school_id=long["school"], instrument="practice")
    scores = scale_scores(read_answers(surveys, "practice", FORM), FORM)[0].rename(columns={"school_id": "school"})
    return scores.assign(year=scores["wave"].map(dict(zip(long["wave"], long["year"], strict=True))))


def row(found: Mediation, truth: dict[str, float]) -> dict[str, Any]:
    """What one study found, against its truth."""
    told: dict[str, Any] = {
        "reliability": found.reliability,
        "clusters": found.n_clusters,
        "total_error": found.total - truth["total"],
        "total_covers": found.total_low <= truth["total"] <= found.total_high,
    }
    for name in ROUTES:
        for part in ("slope", "indirect", "direct"):
            one = getattr(getattr(found, name), part)
            told[f"{name}_{part}_error"] = one.value - truth[part]
            told[f"{name}_{part}_covers"] = one.low <= truth[part] <= one.high if np.isfinite(one.value) else np.nan
        indirect = getattr(found, name).indirect
        apart = indirect.low > 0 or indirect.high < 0
        told[f"{name}_not_zero"] = float(apart) if np.isfinite(indirect.value) else np.nan
    return {**told, **{f"true_{part}": value for part, value in truth.items()}}


def of_function(clusters: int, reliability: float, draws: int) -> pd.DataFrame:
    """Draws of the first part."""
    random = np.random.default_rng([97, clusters, int(10 * reliability)])
    indirect = ON_PRACTICE * SLOPE
    truth = {"slope": SLOPE, "indirect": indirect, "direct": DIRECT, "total": indirect + DIRECT}
    return pd.DataFrame(
        [row(mediation(schools(random, clusters, reliability), draws=BOOTSTRAP), truth) for _ in range(draws)]
    )


def of_chain(seed: int, schools: int = 120, networks: int = 18) -> dict[str, dict[str, Any]]:
    """One draw of the second part: its four studies."""
    simulation = Simulation(seed=seed, schools=schools, networks=networks, pupils_per_grade=20, effect=EFFECT)
    made = make_study(simulation, STUDY)
    scored = mathematics(made)
    rows = school_years(scored)
    well = {"participant": 1.2, "colleague": 1.0}
    told_apart = replace(
        made, process=replace(made.process, practice_sd=0.2), effects=replace(made.effects, practice=well)
    )
    found = {}
    for name, study, effect in (("demonstration", made, EFFECT), ("told apart well", told_apart, 1.0)):
        truth, answered = true_path(study, scored, respondents(study)), practice_scores(study)
        seen, planted = (schools_behind_path(sample(rows, column), answered, []) for column in ("y", "planted"))
        assert len(seen) == truth["schools"]
        for size in (effect, 0.0):
            times = size / EFFECT
            own = {key: times * truth[key] for key in ("slope", "indirect", "direct", "total")}
            moved = seen.assign(outcome=seen["outcome"] + (times - 1) * planted["outcome"])
            found[name if size else f"{name}, effect 0"] = row(mediation(moved, draws=BOOTSTRAP), own)
    return found


def sample(rows: pd.DataFrame, column: str) -> SchoolSample:
    """School-years with one column as the outcome."""
    return SchoolSample(rows.assign(y=rows[column]), "z", "pupils", Exclusions())


def line(name: str, table: pd.DataFrame) -> str:
    """One row of a table of docs/networks.md."""
    given = table["adjusted_indirect_error"].notna()
    cells = [
        f"{table['clusters'].median():.0f}",
        f"{table['reliability'].mean():.2f}",
        f"{table['true_indirect'].mean():.4f}",
    ]
    for route in ROUTES:
        own = table[f"{route}_indirect_error"].dropna()
        se = own.std() / np.sqrt(max(len(own), 1))
        cells.append(f"{own.median():.4f}; {own.mean():.4f} ± {3 * se:.4f}")
        cells += [
            f"{table[f'{route}_{part}_covers'].dropna().astype(float).mean():.3f}" for part in ("indirect", "direct")
        ]
    cells += [f"{table['total_covers'].mean():.3f}"]
    cells += [f"{table[f'{route}_not_zero'].mean():.3f}" for route in ROUTES]
    half = 3 * np.sqrt(0.0475 / max(given.sum(), 1))
    cells += [f"{1 - given.mean():.3f}", f"{0.95 - half:.3f}–{min(0.95 + half, 1):.3f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


HEAD = (
    "| | clusters | reliability found | true indirect | naive: error (median; mean) | covers | direct covers "
    "| adjusted: error (median; mean) | covers | direct covers | total covers | naive not zero | adjusted not zero "
    "| not given | bounds |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--part", choices=["function", "chain", "both"], default="both")
    arguments = parser.parse_args()
    draws = arguments.draws
    print(f"{HEAD}\n|---" + "|---" * (HEAD.count("|") - 2) + "|", flush=True)
    if arguments.part != "chain":
        for reliability in (0.5, 0.7, 1.0):
            for clusters in (12, 18, 40):
                print(line(f"reliability {reliability}", of_function(clusters, reliability, draws)), flush=True)
    if arguments.part != "function":
        rows: dict[str, list[dict[str, Any]]] = {}
        for seed in range(draws):
            for name, found in of_chain(seed).items():
                rows.setdefault(name, []).append(found)
            if (seed + 1) % EVERY == 0 or seed + 1 == draws:
                print(f"after {seed + 1} studies", flush=True)
                for name, own in rows.items():
                    print(line(name, pd.DataFrame(own)), flush=True)


if __name__ == "__main__":
    main()

"""From pupils' scores and teachers' answers to the spread between networks and its slope on a condition: coverage.

`python benchmarks/networks_effects.py [--design demonstration] [--draws 1000]` prints the tables of docs/networks.md.

Each draw is a study of plneval.simulate, made in memory. School-years go through plneval.estimate.network_effects,
answers through the scales of config/instruments/generic.yaml, both into plneval.networks.spread and
plneval.networks.moderation, as models of kind networks.spread and networks.moderation do. Two designs:

- demonstration: 120 schools in 18 networks, effect 0.12 SD on directly taught pupils, 0.4 of it on others, schools
  leave and come back. Networks' effects are uncertain, conditions are measured well.
- sharp: 36 networks whose effects are known well (all pupils of a school gain alike, at once and for good, and much
  more than schools' results vary otherwise) and differ by their conditions alone, which are measured badly (two
  respondents a network, two items a scale).

What is estimated is the effect on all pupils of schools that joined, from the third year on; its true spread between
networks is the variance component of schools' true effects (analysis of variance, mean over draws), its true slope that
of networks' true effects on their true conditions (over all draws). A prediction interval's coverage is the probability
that a new network's effect falls into it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from plneval.config.base import load
from plneval.config.cohort import Simulation, Study
from plneval.config.instrument import Instrument
from plneval.estimate.counts import PupilCounts
from plneval.estimate.network_effects import network_effects
from plneval.estimate.sample import Exclusions, SchoolSample
from plneval.networks.conditions import early_conditions
from plneval.networks.moderation import moderation
from plneval.networks.scales import read_answers, scale_scores
from plneval.networks.spread import between_network_spread
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.process import CONDITIONS, PlantedEffects, Process
from plneval.simulate.streams import stream
from plneval.simulate.truth import scored_effects
from plneval.simulate.voices import answers_of, wave_years

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
FORM = load(Path(__file__).parent.parent / "config" / "instruments" / "generic.yaml", Instrument).forms["conditions"]
THIRD_YEAR = 2
NO_PUPILS = PupilCounts(pd.DataFrame({"school": [], "year": [], "pupil": []}))


@dataclass(frozen=True)
class Design:
    """What the studies are like, and how many answers are kept (None: all)."""

    simulation: dict[str, Any]
    process: Process
    effects: PlantedEffects
    respondents: int | None = None
    """Of each network."""
    items: int | None = None
    """Of each scale."""


DESIGNS = {
    "demonstration": Design(
        {"schools": 120, "networks": 18, "pupils_per_grade": 20}, Process(), PlantedEffects(direct=0.12)
    ),
    "sharp": Design(
        {"schools": 144, "networks": 36, "pupils_per_grade": 5},
        Process(
            member_share=0.55,
            school_slope_sd=0.0,
            school_year_sd=0.0,
            pupil_sd=0.12,
            pupil_slope_sd=0.0,
            residual_sd=0.10,
            disadvantage=0.0,
        ),
        PlantedEffects(
            direct=0.5, ramp=(1.0, 1.0, 1.0), indirect=1.0, fade=1.0, gap=0.0, residual_spread=0.0, as_drawn=True
        ),
        respondents=2,
        items=2,
    ),
}


def mathematics(made: MadeStudy) -> pd.DataFrame:
    """Every score in mathematics with the true effect on it."""
    table = scored_effects(made, ~np.isnan(made.scores.points))
    return table[table["subject"] == "maths"]


def school_years(table: pd.DataFrame) -> pd.DataFrame:
    """Mean scores in mathematics, standardised as prepare does, with the mean of what was planted."""
    keys = [table["year"], table["grade"]]
    reference = table["points"].where(~table["treated"])
    mean, sd = (reference.groupby(keys).transform(name) for name in ("mean", "std"))
    table = table.assign(z=(table["points"] - mean) / sd, planted=table["standardised"].where(table["treated"], 0.0))
    by = table.groupby(["school", "year", "entry_year", "network"], sort=True)
    rows = by.agg(y=("z", "mean"), planted=("planted", "mean"), n=("z", "size")).reset_index()
    joins = rows["entry_year"] > 0
    return rows.assign(
        entry_year=rows["entry_year"].where(joins).astype("Int64"),
        network=rows["network"].where(joins).astype("Int64"),
        cluster=rows["network"].where(joins, 1000 + rows["school"]),
        weight=rows["n"].groupby(rows["school"]).transform("mean"),
    )


def condition_scores(made: MadeStudy, design: Design) -> pd.DataFrame:
    """Scale scores of the respondents whose answers are kept, in all waves."""
    parts = []
    thinned = np.random.default_rng(made.simulation.seed)
    asked: set[int] = set()
    rng = stream(made.simulation.seed, "surveys")
    for wave, year in enumerate(wave_years(made.study), start=1):
        table = answers_of(made, rng, year)
        table = table[table["role"].isin(["participant", "leader"])]
        if design.respondents is not None:
            # In the first wave in which so many answer.
            table = table.iloc[thinned.permutation(len(table))]
            network = pd.Series(made.memberships.network[table["school"].to_numpy()], index=table.index)
            enough = (network.groupby(network).transform("size") >= design.respondents) & ~network.isin(asked)
            table = table[enough & (network.groupby(network).cumcount() < design.respondents)]
            asked |= set(network[enough])
        items = [f"conditions:{item}" for scale in FORM.scales.values() for item in list(scale.items)[: design.items]]
        long = table.melt(["post", "role", "school"], items, "item", "response")
        parts.append(long.assign(item=long["item"].str.removeprefix("conditions:"), wave=str(wave), year=year))
    long = pd.concat(parts, ignore_index=True)
    surveys = long.assign(
        respondent_id="r" + long["post"].astype(str),
        instrument="conditions",
        school_id=long["school"],
        network_id=made.memberships.network[long["school"].to_numpy()],
        teacher_id=long["post"],
        date=pd.NaT,
    )
    scores = scale_scores(read_answers(surveys, "conditions", FORM), FORM)[0]
    return scores.assign(year=scores["wave"].map(dict(zip(long["wave"], long["year"], strict=True))))


def true_component(rows: pd.DataFrame) -> float:
    """Variance between networks of schools' true effects, by analysis of variance over schools."""
    late = rows[(rows["year"] - rows["entry_year"]) >= THIRD_YEAR]
    schools = late.groupby(["network", "school"])["planted"].mean().reset_index()
    by = schools.groupby("network")["planted"]
    size, mean = by.size().to_numpy(float), by.mean().to_numpy(float)
    inside = float(((schools["planted"] - by.transform("mean")) ** 2).sum()) / max(len(schools) - len(size), 1)
    centre = (size * mean).sum() / size.sum()
    between = float((size * (mean - centre) ** 2).sum()) / (len(size) - 1)
    return (between - inside) / ((size.sum() - (size**2).sum() / size.sum()) / (len(size) - 1))


def true_effects(rows: pd.DataFrame) -> pd.Series:
    """Each network's true effect with the weights of the estimate."""
    late = rows[(rows["year"] - rows["entry_year"]) >= THIRD_YEAR]
    planted = (late["planted"] * late["weight"]).groupby(late["network"]).sum()
    return planted / late.groupby("network")["weight"].sum()


def draw(design: Design, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One study: its spread, and its slope on every condition."""
    made = make_study(Simulation(seed=seed, **design.simulation), STUDY, design.process, design.effects)
    rows = school_years(mathematics(made))
    sample = SchoolSample(rows.drop(columns="planted"), "z", "pupils", Exclusions())
    found = network_effects(sample, NO_PUPILS)
    spread = between_network_spread(found.table, found.covariance)
    truth = true_effects(rows).loc[found.table["unit"]].to_numpy(dtype=float)
    own = spread.networks
    one = {
        "tau2": true_component(rows),
        "truth_mean": float(truth.mean()),
        "mean_error": spread.mean - float(truth.mean()),
        "mean_low": spread.mean_low,
        "mean_high": spread.mean_high,
        "sd": spread.sd,
        "sd_low": spread.sd_low,
        "sd_high": spread.sd_high,
        "prediction_low": spread.prediction_low,
        "prediction_high": spread.prediction_high,
        "share_low": spread.share_low,
        "share_high": spread.share_high,
        "networks": float(((own["low"] <= truth) & (truth <= own["high"])).mean()),
        "own_error2": float(np.mean((found.table["estimate"] - truth) ** 2)),
        "own_se2": float(np.mean(found.table["se"] ** 2)),
        "scale": found.scale,
    }
    early = early_conditions(condition_scores(made, design), "network_id", minimum_respondents=10)
    slopes = []
    for place, condition in enumerate(CONDITIONS):
        measured = early.table[early.table["scale"] == condition].set_index("unit")
        table = found.table.set_index("unit").join(measured).reset_index()
        fit = moderation(
            table,
            condition,
            covariance=found.covariance,
            reliability_se=early.agreement[condition].icc2_se,
            late="leave_out",
        )
        latent = made.networks.conditions[table["unit"].to_numpy(), place]
        cross = np.cov(truth, latent)
        values = {"condition": condition, "covariance": cross[0, 1], "variance": cross[1, 1], "k": fit.k}
        naive = {name: getattr(fit, f"naive_{name}") * fit.true_sd for name in ("slope", "low", "high")}
        adjusted = {name: getattr(fit, name) * fit.true_sd for name in ("slope", "low", "high")}
        values |= {f"naive_{name}": value for name, value in naive.items()} | adjusted
        slopes.append({**values, "reliability": fit.reliability})
    return one, slopes


def tell_spread(draws: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    """Print how well mean and spread of networks' effects are found."""
    table = pd.DataFrame([one for one, _ in draws])
    tau, mean = float(np.sqrt(table["tau2"].mean())), float(table["truth_mean"].mean())
    share = float(stats.norm.cdf(-mean / tau))
    known = table.dropna(subset=["sd_low", "prediction_low"])
    new = stats.norm.cdf(known["prediction_high"], mean, tau) - stats.norm.cdf(known["prediction_low"], mean, tau)
    print(f"true mean {mean:.4f}, true sd {tau:.4f}, true share below zero {share:.4f}")
    print(f"standard errors of networks: root mean square {table['own_se2'].mean() ** 0.5:.4f}", end="; ")
    print(f"of errors {table['own_error2'].mean() ** 0.5:.4f}; scale {table['scale'].mean():.3f}")
    print(f"mean: bias {table['mean_error'].mean():.4f}", end=", ")
    print(
        f"covers {table['truth_mean'].between(table['mean_low'], table['mean_high']).mean():.3f} (of its draw),",
        end=" ",
    )
    print(f"{((table['mean_low'] <= mean) & (mean <= table['mean_high'])).mean():.3f} (of all)")
    print(f"sd: mean {table['sd'].mean():.4f}, zero {(table['sd'] == 0).mean():.3f}", end=", ")
    covered = (known["sd_low"] <= tau) & (tau <= known["sd_high"])
    print(f"covers {covered.mean():.3f}, no interval {1 - len(known) / len(table):.3f}")
    print(f"share below zero covers {((known['share_low'] <= share) & (share <= known['share_high'])).mean():.3f}")
    print(f"a new network in its interval {new.mean():.3f}; networks in theirs {known['networks'].mean():.3f}")


def tell_slopes(draws: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    """Print how well slopes on conditions are found, as they are and adjusted for reliability."""
    slopes = pd.DataFrame([one for _, found in draws for one in found])
    print("| condition | true slope | reliability | naive: median | covers | adjusted: median | covers | not given |")
    for condition, own in slopes.groupby("condition", sort=False):
        truth = float(own["covariance"].sum() / own["variance"].sum())
        given = own.dropna(subset=["slope"])
        naive = ((own["naive_low"] <= truth) & (truth <= own["naive_high"])).mean()
        covers = ((given["low"] <= truth) & (truth <= given["high"])).mean()
        numbers = (
            truth,
            own["reliability"].mean(),
            own["naive_slope"].median(),
            naive,
            given["slope"].median(),
            covers,
        )
        print(
            f"| {condition} | " + " | ".join(f"{value:.3f}" for value in (*numbers, 1 - len(given) / len(own))) + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", choices=DESIGNS, default="demonstration")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    design = DESIGNS[arguments.design]
    draws = [draw(design, arguments.first_seed + seed) for seed in range(arguments.draws)]
    error = 3 * (0.0475 / len(draws)) ** 0.5
    print(f"draws {len(draws)}, bounds {0.95 - error:.3f} to {min(0.95 + error, 1):.3f} for 95 %")
    # Studies of the sharp design differ in the SD that effects are measured in, so that they have no one spread.
    if arguments.design == "demonstration":
        tell_spread(draws)
    tell_slopes(draws)


if __name__ == "__main__":
    main()

"""``plneval statistics`` and ``plneval combine``: models of several sites without pupils' rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plneval.artifacts import read_table, write_text
from plneval.config.models import ModelSpec, Multilevel
from plneval.config.report import Disclosure
from plneval.config.workspace import Workspace
from plneval.errors import UserError
from plneval.prepare.panel import with_derived_columns
from plneval.release.statistics_file import Selection, release_file, select_rows, statistics_file, with_categories


def write_statistics(
    workspace: Workspace,
    cohort: str,
    model: str,
    *,
    console: Console,
    path: Path | None,
    site: str | None,
    levels: list[str],
    again: bool,
) -> None:
    """Write the statistics file of a model of a cohort that has been prepared.

    Raises
    ------
    UserError
        The cohort has no such multilevel model or no panel yet, or the file must not leave.
    """
    declared, rule, layout = workspace.cohort(cohort), workspace.report.disclosure, workspace.layout(cohort)
    if model not in declared.models:
        workspace.model(model)
        raise UserError(f"config/cohorts/{cohort}.yaml: models: '{model}' is not among the cohort's models.")
    spec = workspace.model(model)
    formula, level = mixed_formula(model, spec)
    declared_levels = dict(_declared(text) for text in levels)
    table = _panel(layout.panel, cohort, spec, level)
    selection = select_rows(table, formula, level, rule)
    selection = replace(selection, rows=with_categories(selection.rows, formula, declared_levels))
    schools = read_table(layout.tables / "schools.parquet")["name"].dropna().astype(str).str.strip()
    names = sorted({name for name in schools if len(name) >= 6})
    content = statistics_file(selection, formula, site or cohort, rule, names)
    target = path if path is not None else layout.release / "statistics" / f"{site or cohort}-{model}.plnstats"
    release_file(content, target, layout.restricted("release"), model, again=again)
    _say(console, selection, rule)
    console.print(f"{target}", markup=False, soft_wrap=True)


def mixed_formula(name: str, spec: ModelSpec) -> tuple[str, Literal["pupil", "school"]]:
    """A multilevel model's formula in lme4's language, and the level of its rows.

    Raises
    ------
    UserError
        The model is of another kind.
    """
    if not isinstance(spec, Multilevel):
        raise UserError(
            f"config/models.yaml: models.{name}: a model of kind '{spec.kind}' has no statistics that add up over "
            "sites; name a multilevel model."
        )
    return spec.formula, spec.level


def _declared(text: str) -> tuple[str, list[str]]:
    name, _, words = text.partition("=")
    found = [word.strip() for word in words.split(",")]
    if not name.strip() or not all(found) or len(set(found)) != len(found):
        raise UserError(f"--levels '{text}': write COLUMN=CATEGORY,CATEGORY,…, such as grade=3,4,5.")
    return name.strip(), found


def _panel(folder: Path, cohort: str, spec: ModelSpec, level: Literal["pupil", "school"]) -> pd.DataFrame:
    path = folder / f"panel_{level}.parquet"
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; make it by: plneval run --cohort {cohort}")
    table = with_derived_columns(pd.read_parquet(path, filters=[("outcome", "==", spec.outcome)]))
    if level == "school":
        return table.loc[table["subgroup"] == spec.subgroup]
    if spec.subgroup == "all":
        return table
    return table.loc[table["disadvantaged"] == (1 if spec.subgroup == "disadvantaged" else 0)]


def _say(console: Console, selection: Selection, rule: Disclosure) -> None:
    what = "pupil-years" if selection.level == "pupil" else "school-years"
    share = len(selection.rows) / (len(selection.rows) + selection.rows_left_out)
    console.print(
        f"{len(selection.rows):,} {what} of {selection.schools_kept} schools are in the file, {share:.0%} of those "
        f"with every column. {selection.schools_left_out} schools are not: none of their rows may leave.",
        soft_wrap=True,
    )
    if selection.level == "pupil" and selection.people_left_out:
        console.print(
            f"{selection.people_left_out:,} pupils are not in it: fewer than {rule.minimum_count} pupils of their "
            "school have the same occasions with the same values of the model's columns. Who is left out is no "
            "matter of chance: say so where the result is used, or take columns out of the formula.",
            soft_wrap=True,
        )


def combine(paths: list[Path], *, console: Console, reml: bool, out: Path | None) -> None:
    """Fit the model of several statistics files to all of them together, and show it.

    Raises
    ------
    UserError
        A file is damaged, two files are of one site, or the models differ.
    """
    from plneval import multilevel
    from plneval.multilevel.exchange import read_shared

    try:
        parts = [read_shared(path) for path in paths]
        places: dict[str, Path] = {}
        for path, part in zip(paths, parts, strict=True):
            if part.site in places:
                raise UserError(
                    f"{path}: the site '{part.site}' is also that of {places[part.site]}: one file a site; where two "
                    "sites have one name, one of them writes its file again with another --site."
                )
            places[part.site] = path
        whole = parts[0].statistics
        for path, part in zip(paths[1:], parts[1:], strict=True):
            try:
                whole = whole + part.statistics
            except multilevel.MultilevelError as error:
                raise UserError(f"{path} and {paths[0]}: {error}") from None
        fit = multilevel.fit(whole, reml=reml)
        fixed, variance = fit.fixed, fit.variance
    except multilevel.MultilevelError as error:
        raise UserError(str(error)) from None
    groups = ", ".join(f"{count:,} {name}" for name, count in fit.groups.items())
    console.print(f"{fit.formula}", markup=False, soft_wrap=True)
    console.print(f"{len(paths)} sites, {fit.n:,} rows; groups: {groups}", markup=False, soft_wrap=True)
    console.print(_table("Fixed effects", fixed[["term", "estimate", "se", "p", "ci_low", "ci_high"]]))
    console.print(_table("Variances", variance))
    if not fit.converged:
        console.print("The optimiser did not certify the optimum: do not use these numbers.")
    if fit.singular:
        console.print("A variance is zero or a correlation one: the data ask for a simpler model.")
    if out is not None:
        write_text(out, fixed.to_csv(index=False, lineterminator="\n"))
        console.print(f"{out}", markup=False, soft_wrap=True)


def _table(title: str, frame: pd.DataFrame) -> Table:
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(str(column), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4f}"
    return "" if value is None else str(value)

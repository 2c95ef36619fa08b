"""The ``plneval`` command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import plneval
from plneval.cli.project import chosen_cohorts, chosen_data, find_project
from plneval.errors import UserError

app = typer.Typer(
    name="plneval",
    help="Evaluate the impact of Professional Learning Networks: from raw school data to finished reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", help="The project's folder; the nearest with config/config.yaml when left out."),
]
CohortOption = Annotated[
    list[str] | None,
    typer.Option("--cohort", help="A cohort of config/cohorts/; may be repeated. All of config.yaml when left out."),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the raw files, in place of the cohort's.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Evaluate the impact of Professional Learning Networks."""
    if version:
        out.print(plneval.__version__)
        raise typer.Exit


@app.command()
def check(cohort: CohortOption = None, data: DataOption = None, project: ProjectOption = None) -> None:
    """Check configuration and data without fitting or writing anything."""
    workspace = find_project(project)
    names = chosen_cohorts(workspace, cohort)
    folder = chosen_data(workspace, names, data)
    out.print(f"Configuration: {len(names)} cohort{'s' * (len(names) != 1)} and its models are in order.")
    from plneval.describe.ledger import MEANINGS
    from plneval.ingest.places import CohortFile
    from plneval.ingest.stage import check as check_data
    from plneval.prepare.stage import check_sample

    for name in names:
        declared = workspace.cohort(name)
        raw = workspace.data_folder(declared, folder)
        if declared.simulate is not None and not raw.is_dir():
            out.print(
                f"{name}: its raw files are made up by the run (or by: plneval simulate --cohort {name}).",
                soft_wrap=True,
            )
            continue
        source = workspace.cohort_source(name)
        result = check_data(declared, name, raw, source=source)
        table = Table(title=f"{name}: what the files hold", title_justify="left")
        for column in ("table", "read", "kept", "merged", "rejected"):
            table.add_column(column, justify="left" if column == "table" else "right")
        for row in result.counts:
            table.add_row(row.table, *(f"{n:,}" for n in (row.read, row.kept, row.merged, row.rejected)))
        out.print(table)
        for warning in result.warnings:
            out.print(f"  note: {warning}", markup=False, soft_wrap=True)
        rules = sorted({rule for row in result.counts for rule in row.by_rule})
        for rule in rules:
            out.print(f"  {rule} means: {MEANINGS[rule]}", markup=False, soft_wrap=True)
        schools = check_sample(declared, result.tables, CohortFile.of(name, source))
        arms = " and ".join(f"{number} {arm} school{'s' * (number != 1)}" for arm, number in schools.items())
        out.print(f"{name}: {arms} can be analysed.", markup=False, soft_wrap=True)


@app.command()
def run(
    cohort: CohortOption = None,
    data: DataOption = None,
    cores: Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")] = os.cpu_count() or 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and run nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run every step, also those that are up to date.")] = False,
    project: ProjectOption = None,
) -> None:
    """Run the whole workflow, from raw files to finished reports."""
    from plneval.cli.run import run_workflow

    workspace = find_project(project)
    names = chosen_cohorts(workspace, cohort)
    _ = workspace.report
    folder = chosen_data(workspace, names, data)
    run_workflow(workspace, names, console=out, cores=cores, data=folder, dry_run=dry_run, force=force)
    if not dry_run:
        for name in names:
            for report in ("funder", "technical"):
                form = workspace.project.formats[0]
                out.print(f"{workspace.layout(name).release / f'{report}.{form}'}", markup=False, soft_wrap=True)


@app.command()
def simulate(
    cohort: Annotated[str, typer.Option("--cohort", help="A cohort with a section 'simulate'.")] = "demo",
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to write to; the cohort's data folder if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another seed than the cohort's.")] = None,
    project: ProjectOption = None,
) -> None:
    """Write the raw files of a made-up study with a known truth."""
    from plneval.simulate.study import simulate as write_study

    workspace = find_project(project)
    declared = workspace.cohort(cohort)
    if declared.simulate is None:
        raise UserError(
            f"config/cohorts/{cohort}.yaml: there is no section 'simulate'; this cohort has data of its own."
        )
    if seed is not None and to is None:
        raise UserError("--seed makes another study than the cohort's; name a folder for it by --to.")
    simulation = declared.simulate if seed is None else declared.simulate.model_copy(update={"seed": seed})
    folder = workspace.data_folder(declared, to)
    write_study(simulation, declared.study, folder)
    out.print(f"{folder}", markup=False, soft_wrap=True)


@app.command()
def schema(
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write to; config/schema if left out.")] = None,
    project: ProjectOption = None,
) -> None:
    """Write the JSON Schemas of the configuration files, for completion in editors."""
    from plneval.config.schema import write_schemas

    folder = to if to is not None else find_project(project).config / "schema"
    for path in write_schemas(folder):
        out.print(f"{path}", markup=False, soft_wrap=True)


@app.command()
def report(cohort: CohortOption = None, project: ProjectOption = None) -> None:
    """Write the reports again from the released tables."""
    from plneval.report.stage import report as write_reports

    workspace = find_project(project)
    for name in chosen_cohorts(workspace, cohort):
        layout = workspace.layout(name)
        if not (layout.released_tables / "manifest.json").is_file():
            raise UserError(
                f"{layout.released_tables}: there are no released tables of '{name}' yet; "
                f"make them by: plneval run --cohort {name}"
            )
        write_reports(
            workspace.project, name, workspace.report, layout, workspace.root / "reports", workspace.project.renderer
        )
        out.print(f"{layout.release}", markup=False, soft_wrap=True)


@app.command()
def statistics(
    cohort: Annotated[str, typer.Option("--cohort", help="A cohort that has been run.")],
    model: Annotated[str, typer.Option("--model", help="A multilevel model of the cohort.")],
    to: Annotated[
        Path | None, typer.Option("--out", help="File to write; results/<cohort>/release/statistics/ if left out.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Name of this site; the cohort's if left out.")] = None,
    levels: Annotated[
        list[str] | None,
        typer.Option("--levels", help="Categories that all sites agree on, as COLUMN=A,B,C; may be repeated."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--replace", help="Write another file of the cohort; the one before was not shared.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Write a model's statistics, without pupils' rows, for another site to add to its own."""
    from plneval.cli.statistics import write_statistics

    write_statistics(
        find_project(project), cohort, model, console=out, path=to, site=site, levels=levels or [], again=again
    )


@app.command()
def combine(
    files: Annotated[list[Path], typer.Argument(help="Statistics files, one a site.")],
    to: Annotated[Path | None, typer.Option("--out", help="CSV file for the fixed effects.")] = None,
    ml: Annotated[bool, typer.Option("--ml", help="Maximum likelihood in place of the restricted one.")] = False,
) -> None:
    """Fit a multilevel model to the statistics files of several sites."""
    from plneval.cli.statistics import combine as fit_together

    fit_together(files, console=out, reml=not ml, out=to)


def main() -> None:
    """Run the command; a user's mistake is told in words and ends with exit code 2."""
    from plneval.cli.run import RunFailed

    try:
        app()
    except UserError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(2)
    except RunFailed as error:
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        # A full disk, a missing right: the file and the system's reason say all.
        err.print(f"{error.filename or 'plneval'}: {error.strerror or error}", markup=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

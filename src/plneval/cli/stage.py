"""Runs one stage for one cohort: what every rule of the workflow calls.

``python -m plneval.cli.stage STAGE --cohort NAME [--model NAME] [--data FOLDER]``
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path

from plneval.artifacts import write_text
from plneval.config.layout import STAGES
from plneval.config.workspace import Workspace
from plneval.errors import UserError

log = logging.getLogger("plneval")


def run_stage(
    workspace: Workspace,
    stage: str,
    cohort_name: str,
    *,
    model: str | None = None,
    data: str | None = None,
) -> None:
    """Run one stage on the files that the stages before it wrote.

    Parameters
    ----------
    stage : one of the seven stages, or ``simulate``.
    model : the model to fit; needed by ``estimate`` and by no other stage.
    data : folder of the raw files in place of the cohort's own.

    Raises
    ------
    UserError
        For every mistake in configuration or data.
    """
    cohort = workspace.cohort(cohort_name)
    layout = workspace.layout(cohort_name)
    folder = workspace.data_folder(cohort, data)
    specs = {name: workspace.model(name) for name in cohort.models}
    truth = folder / cohort.data.truth if cohort.data.truth else None
    # Each stage is imported when it runs: their libraries take seconds to load.
    if stage == "simulate":
        from plneval.simulate.study import simulate

        if cohort.simulate is None:
            raise UserError(f"config/cohorts/{cohort_name}.yaml: there is no section 'simulate'; nothing to simulate.")
        simulate(cohort.simulate, cohort.study, folder)
    elif stage == "ingest":
        from plneval.ingest.stage import ingest

        ingest(cohort, cohort_name, folder, layout.tables, source=workspace.cohort_source(cohort_name))
    elif stage == "prepare":
        from plneval.ingest.places import CohortFile
        from plneval.prepare.stage import prepare

        place = CohortFile.of(cohort_name, workspace.cohort_source(cohort_name))
        prepare(cohort, layout.tables, layout.panel, place)
    elif stage == "describe":
        from plneval.describe.stage import describe

        describe(cohort, layout.tables, layout.panel, layout.measures, workspace.instrument(cohort))
    elif stage == "estimate":
        from plneval.estimate.stage import estimate

        if model is None:
            raise UserError("estimate needs --model NAME.")
        estimate(
            cohort,
            cohort_name,
            model,
            specs[model],
            layout.panel,
            layout.records,
            workspace.project.seed,
            workspace.report.months_table,
            layout.tables,
            workspace.instrument(cohort),
        )
    elif stage == "challenge":
        from plneval.challenge.stage import challenge

        challenge(
            cohort,
            cohort_name,
            specs,
            workspace.report,
            layout.measures,
            layout.records,
            layout.panel,
            truth,
            layout.findings,
            layout.tables,
            workspace.instrument(cohort),
        )
    elif stage == "release":
        from plneval.release.stage import release

        release(workspace.project, cohort, cohort_name, workspace.report, layout, folder, specs)
    elif stage == "report":
        from plneval.report.stage import report

        report(
            workspace.project,
            cohort_name,
            workspace.report,
            layout,
            workspace.root / "reports",
            workspace.project.renderer,
        )


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; return 0, or 2 after a user's mistake, whose message is left beside the log."""
    parser = argparse.ArgumentParser(prog="python -m plneval.cli.stage", description="Run one stage for one cohort.")
    parser.add_argument("stage", choices=["simulate", *STAGES])
    parser.add_argument("--cohort", required=True)
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--project", type=Path, default=Path())
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    workspace = Workspace(options.project)
    problem: Path | None = None
    try:
        problem = workspace.layout(options.cohort).problem(options.stage, options.model)
        problem.unlink(missing_ok=True)
        log.info("%s of %s%s", options.stage, options.cohort, f" ({options.model})" if options.model else "")
        run_stage(workspace, options.stage, options.cohort, model=options.model, data=options.data)
    except UserError as error:
        if problem is not None:
            write_text(problem, f"{error}\n")
        log.error("%s", error)
        return 2
    except OSError as error:
        # A full disk, a missing right, a file where a folder is needed: the file and the system's reason say all.
        message = f"{error.filename or options.project}: {error.strerror or error}"
        with contextlib.suppress(OSError):
            if problem is not None:
                write_text(problem, f"{message}\n")
        log.error("%s", message)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

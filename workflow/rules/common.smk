# What all rules share: the checked configuration, paths, and what makes a job run again.
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from plneval.config.dependence import stage_sections
from plneval.config.provenance import stage_digest
from plneval.config.layout import Layout
from plneval.config.workspace import Workspace, spec_digest
from plneval.errors import UserError
from plneval.ingest.files import resolve
from plneval.release.door import TABLES as RELEASED

# Jobs run with the interpreter that runs Snakemake, and sums come out the same on any number of cores: BLAS keeps to
# one thread. Containers of PDF and DOCX carry this date instead of the clock's.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    MPLBACKEND="Agg",
)
os.environ.setdefault("SOURCE_DATE_EPOCH", "1577836800")

WORKSPACE = Workspace(Path("."))
TABLES = (
    "schools school_years networks memberships activity teachers pupils outcomes teaching surveys ties "
    "other_memberships"
).split()


def declared(read, *arguments):
    """Read configuration; a mistake in it ends the workflow with its message alone."""
    try:
        return read(*arguments)
    except UserError as error:
        raise WorkflowError(str(error)) from None


COHORTS = (
    str(config["cohorts"]).split(",")
    if "cohorts" in config
    else declared(lambda: WORKSPACE.project.cohorts)
)
COHORT = {name: declared(WORKSPACE.cohort, name) for name in COHORTS}
LAYOUT = {name: WORKSPACE.layout(name) for name in COHORTS}
DATA = {
    name: WORKSPACE.data_folder(COHORT[name], config.get("data")) for name in COHORTS
}
SIMULATED = [name for name in COHORTS if COHORT[name].simulate and "data" not in config]
MODELS = sorted({model for cohort in COHORT.values() for model in cohort.models})
# Paths with a wildcard in place of the cohort's name.
ANY = Layout(Path(WORKSPACE.project.results), "{cohort}")


wildcard_constraints:
    cohort="|".join(COHORTS),
    model="|".join(MODELS),


def raw_inputs(wildcards):
    """Raw files of a cohort; of a simulated one its truth, which is written last."""
    cohort, folder = COHORT[wildcards.cohort], DATA[wildcards.cohort]
    if wildcards.cohort in SIMULATED:
        return [str(folder / cohort.data.truth)]
    found = declared(resolve, cohort, folder)
    return [
        str(path)
        for sources in found.values()
        for _, paths in sources
        for path in paths
    ]


def truth_input(wildcards):
    """The planted effects of a simulated study."""
    cohort, folder = COHORT[wildcards.cohort], DATA[wildcards.cohort]
    return [str(folder / cohort.data.truth)] if cohort.data.truth else []


def records_of(wildcards):
    """Records of every model of a cohort."""
    layout = LAYOUT[wildcards.cohort]
    return [
        str(layout.records / f"{model}.records.parquet")
        for model in COHORT[wildcards.cohort].models
    ]


def instrument_of(wildcards):
    """What a cohort's surveys asked, as plain data; None where it declares no instrument."""
    found = declared(WORKSPACE.instrument, COHORT[wildcards.cohort])
    return None if found is None else found.model_dump(mode="json")


def spec_of(stage):
    """Digest of the cohort sections that a stage depends on: the job runs again when they change."""
    return lambda wildcards: spec_digest(
        stage_sections(COHORT[wildcards.cohort], stage)
    )


def measures_spec(wildcards):
    """Digest of what the measures depend on."""
    return spec_digest(
        {
            "cohort": stage_sections(COHORT[wildcards.cohort], "describe"),
            "instrument": instrument_of(wildcards),
        }
    )


def model_spec(wildcards):
    """Digest of what one model's job depends on."""
    return spec_digest(
        {
            "model": declared(WORKSPACE.model, wildcards.model).model_dump(mode="json"),
            "cohort": stage_sections(COHORT[wildcards.cohort], "estimate"),
            "instrument": instrument_of(wildcards),
            "seed": WORKSPACE.project.seed,
            "months": WORKSPACE.report.months_table,
        }
    )


def report_spec(stage):
    """Digest of a stage's cohort sections and of the reports' settings."""
    return lambda wildcards: spec_digest(
        {
            "cohort": stage_sections(COHORT[wildcards.cohort], stage),
            "instrument": instrument_of(wildcards),
            "report": WORKSPACE.report.model_dump(mode="json"),
            "project": WORKSPACE.project.model_dump(mode="json", exclude={"cohorts"}),
            "models": {
                m: WORKSPACE.model(m).model_dump(mode="json")
                for m in COHORT[wildcards.cohort].models
            },
        }
    )


# A folder's name may hold blanks and apostrophes.
DATA_OPTION = f"--data {shlex.quote(str(config['data']))}" if "data" in config else ""

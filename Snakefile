# The workflow: raw files -> tables -> panel -> measures and records -> findings -> released tables -> reports.
# `plneval run` calls it with a progress bar; `snakemake --cores 2` works too.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        [
            LAYOUT[cohort].release / f"{report}.{form}"
            for cohort in COHORTS
            for report in ("funder", "technical")
            for form in WORKSPACE.project.formats
        ],


include: "workflow/rules/ingest.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/describe.smk"
include: "workflow/rules/estimate.smk"
include: "workflow/rules/challenge.smk"
include: "workflow/rules/release.smk"
include: "workflow/rules/report.smk"

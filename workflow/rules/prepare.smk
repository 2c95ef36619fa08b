# Tables -> the analysis panels: exposure, standardised outcomes, sample flow.
rule prepare:
    input:
        rules.ingest.output,
    output:
        panels=[
            ANY.panel / name
            for name in ("panel_pupil.parquet", "panel_school.parquet")
        ],
        schools=ANY.panel / "schools.parquet",
        flow=ANY.panel / "flow.parquet",
        standardisers=ANY.panel / "standardisers.parquet",
        notes=ANY.panel / "notes.json",
    log:
        ANY.log("prepare"),
    threads: 1
    params:
        spec=spec_of("prepare"),
        code=stage_digest("prepare"),
    message:
        "Preparing the analysis panel of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage prepare --cohort {wildcards.cohort} 2> {log}"

# Panel -> measures: balance, attrition, missingness, intraclass correlation, power and more.
MEASURES = sorted(
    {"flow", *(table for table, door in RELEASED.items() if door.stage == "describe")}
)


rule describe:
    input:
        rules.ingest.output,
        rules.prepare.output,
    output:
        [ANY.measures / f"{measure}.parquet" for measure in MEASURES],
    log:
        ANY.log("describe"),
    threads: 1
    params:
        spec=measures_spec,
        code=stage_digest("describe"),
    message:
        "Describing the sample of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage describe --cohort {wildcards.cohort} 2> {log}"

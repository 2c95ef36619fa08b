# Panel -> measures: balance, attrition, missingness, intraclass correlation, power and more.
MEASURES = (
    "flow ledger rejections ingest_notes baseline composition attrition missingness intraclass mdes membership"
    " entry_groups trends clusters networks"
).split()


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
        spec=spec_of("describe"),
        code=stage_digest("describe"),
    message:
        "Describing the sample of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage describe --cohort {wildcards.cohort} 2> {log}"

# Everything that may be shown -> disclosure control -> released tables: the only door out of restricted/.
rule release:
    input:
        rules.challenge.output,
        rules.describe.output,
        rules.ingest.output,
    output:
        ANY.released_tables / "manifest.json",
    log:
        ANY.log("release"),
    threads: 1
    params:
        data=DATA_OPTION,
        spec=report_spec("release"),
        code=stage_digest("release"),
    message:
        "Passing the results of {wildcards.cohort} through disclosure control"
    shell:
        "python -m plneval.cli.stage release --cohort {wildcards.cohort} {params.data} 2> {log}"

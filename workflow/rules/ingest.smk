# Raw files -> typed canonical tables and the ledger of every rejected row.
for name in SIMULATED:

    rule:
        name:
            f"simulate_{name.replace('-', '_')}"
        output:
            DATA[name] / COHORT[name].data.truth,
        log:
            LAYOUT[name].log("simulate"),
        threads: 1
        params:
            cohort=name,
            spec=spec_digest(stage_sections(COHORT[name], "simulate")),
            code=stage_digest("simulate"),
        message:
            "Making up the raw files of a study with a known truth"
        shell:
            "python -m plneval.cli.stage simulate --cohort {params.cohort} 2> {log}"


rule ingest:
    input:
        raw_inputs,
    output:
        tables=[ANY.tables / f"{table}.parquet" for table in TABLES],
        ledger=[
            ANY.tables / name
            for name in ("ledger.parquet", "ledger.json", "sources.json")
        ],
    log:
        ANY.log("ingest"),
    threads: 1
    params:
        data=DATA_OPTION,
        key="PLNEVAL_ID_KEY" in os.environ,
        spec=spec_of("ingest"),
        code=stage_digest("ingest"),
    message:
        "Reading the raw files of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage ingest --cohort {wildcards.cohort} {params.data} 2> {log}"

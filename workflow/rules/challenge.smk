# Panel, measures, records -> gates and verdict, independent recomputation, recovery of planted effects.
FINDINGS = sorted(
    {
        "sensitivity_notes",
        *(table for table, door in RELEASED.items() if door.stage == "challenge"),
    }
)


rule challenge:
    input:
        records_of,
        truth_input,
        rules.ingest.output,
        rules.prepare.output,
        rules.describe.output,
    output:
        [ANY.findings / f"{table}.parquet" for table in FINDINGS],
        verdict=ANY.findings / "verdict.json",
    log:
        ANY.log("challenge"),
    threads: 1
    params:
        data=DATA_OPTION,
        spec=report_spec("challenge"),
        code=stage_digest("challenge"),
    message:
        "Challenging the findings of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage challenge --cohort {wildcards.cohort} {params.data} 2> {log}"

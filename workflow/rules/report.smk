# Released tables only -> funder report and technical report; nothing is recomputed.
FORMATS = WORKSPACE.project.formats


rule report:
    input:
        rules.release.output,
        # Both reports and the parts that they include.
        sorted(str(source) for source in Path("reports").glob("*.qmd")),
    output:
        [
            ANY.release / f"{report}.{form}"
            for report in ("funder", "technical")
            for form in FORMATS
        ],
    log:
        ANY.log("report"),
    threads: 2
    params:
        spec=report_spec("report"),
        code=stage_digest("report"),
    message:
        "Writing the reports of {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage report --cohort {wildcards.cohort} 2> {log}"

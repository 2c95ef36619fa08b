# Panel and one model's specification -> estimate records; one job a model.
rule estimate:
    input:
        rules.ingest.output,
        rules.prepare.output,
    output:
        records=ANY.records / "{model}.records.parquet",
        vcov=ANY.records / "{model}.vcov.parquet",
        influence=ANY.records / "{model}.influence.parquet",
        diagnostics=ANY.records / "{model}.json",
    log:
        ANY.log("estimate", "{model}"),
    threads: 1
    params:
        spec=model_spec,
        code=stage_digest("estimate"),
    message:
        "Fitting {wildcards.model} to {wildcards.cohort}"
    shell:
        "python -m plneval.cli.stage estimate --cohort {wildcards.cohort} --model {wildcards.model} 2> {log}"

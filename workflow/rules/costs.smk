rule costs:
    """Price the tokens of a trial."""
    input:
        outcomes=f"{RUN}/trials/{{trial}}/parse/outcomes.parquet",
    output:
        costs=f"{RUN}/trials/{{trial}}/costs/costs.json",
        made=f"{RUN}/trials/{{trial}}/costs/costs.made.json",
    log:
        f"{LOGS}/costs/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("costs"),
    shell:
        "launch scripts.costs --run {params.run:q} --trial {wildcards.trial:q} "
        "--outcomes {input.outcomes:q} --out {output.costs:q} "
        "--made-from {params.made_from} 2> {log:q}"

rule score:
    """Score every outcome of a trial against its item."""
    input:
        prepared=PREPARED,
        outcomes=f"{RUN}/trials/{{trial}}/parse/outcomes.parquet",
    output:
        scores=f"{RUN}/trials/{{trial}}/score/scores.parquet",
        made=f"{RUN}/trials/{{trial}}/score/score.made.json",
    log:
        f"{LOGS}/score/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("score"),
    shell:
        "launch scripts.score --run {params.run:q} --trial {wildcards.trial:q} "
        "--outcomes {input.outcomes:q} --prepared {input.prepared:q} --out {output.scores:q} "
        "--made-from {params.made_from} 2> {log:q}"

rule stats:
    """Means with intervals, and paired differences from the baseline."""
    input:
        prepared=PREPARED,
        scores=f"{RUN}/trials/{{trial}}/score/scores.parquet",
        outcomes=f"{RUN}/trials/{{trial}}/parse/outcomes.parquet",
        baseline_scores=baseline_scores,
        baseline_outcomes=baseline_outcomes,
    output:
        stats=f"{RUN}/trials/{{trial}}/stats/stats.json",
        made=f"{RUN}/trials/{{trial}}/stats/stats.made.json",
    log:
        f"{LOGS}/stats/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("stats"),
    shell:
        "launch scripts.stats --run {params.run:q} --trial {wildcards.trial:q} "
        "--scores {input.scores:q} --outcomes {input.outcomes:q} "
        "--baseline-scores {input.baseline_scores:q} --baseline-outcomes {input.baseline_outcomes:q} "
        "--prepared {input.prepared:q} --out {output.stats:q} "
        "--made-from {params.made_from} 2> {log:q}"

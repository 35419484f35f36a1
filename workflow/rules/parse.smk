rule parse:
    """Give every request of a trial its outcome."""
    input:
        requests=f"{RUN}/trials/{{trial}}/build/requests.jsonl",
        replies=f"{RUN}/trials/{{trial}}/poll/replies.jsonl",
    output:
        outcomes=f"{RUN}/trials/{{trial}}/parse/outcomes.parquet",
        made=f"{RUN}/trials/{{trial}}/parse/parse.made.json",
    log:
        f"{LOGS}/parse/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("parse"),
    shell:
        "launch scripts.parse --run {params.run:q} --trial {wildcards.trial:q} "
        "--requests {input.requests:q} --replies {input.replies:q} --out {output.outcomes:q} "
        "--made-from {params.made_from} 2> {log:q}"

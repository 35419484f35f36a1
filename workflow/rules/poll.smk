rule poll:
    """Wait for a trial's batches and collect the replies; takes no core while it waits."""
    input:
        requests=f"{RUN}/trials/{{trial}}/build/requests.jsonl",
        batches=f"{RUN}/trials/{{trial}}/submit/batches.json",
    output:
        replies=f"{RUN}/trials/{{trial}}/poll/replies.jsonl",
        made=f"{RUN}/trials/{{trial}}/poll/poll.made.json",
    log:
        f"{LOGS}/poll/{{trial}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 0
    params:
        run=run_folder,
        made_from=made("poll"),
    shell:
        "launch scripts.poll --run {params.run:q} --trial {wildcards.trial:q} "
        "--requests {input.requests:q} --batches {input.batches:q} --out {output.replies:q} "
        "--made-from {params.made_from} 2> {log:q}"

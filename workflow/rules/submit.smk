# Money is spent here.  No code digest and no settings among the params: an edit must not make it run again,
# and if it does run again (--forcerun), the ledger sends nothing twice.
rule submit:
    """Send a trial's requests, each at most once."""
    input:
        requests=f"{RUN}/trials/{{trial}}/build/requests.jsonl",
    output:
        batches=f"{RUN}/trials/{{trial}}/submit/batches.json",
        made=f"{RUN}/trials/{{trial}}/submit/submit.made.json",
    log:
        f"{LOGS}/submit/{{trial}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 0
    params:
        run=run_folder,
        made_from=made("submit"),
    shell:
        "launch scripts.submit --run {params.run:q} --trial {wildcards.trial:q} "
        "--requests {input.requests:q} --out {output.batches:q} "
        "--made-from {params.made_from} 2> {log:q}"

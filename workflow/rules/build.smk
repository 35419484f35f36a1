rule build:
    """Render every request of a trial."""
    input:
        prepared=PREPARED,
        prompts=prompt_files,
    output:
        requests=f"{RUN}/trials/{{trial}}/build/requests.jsonl",
        made=f"{RUN}/trials/{{trial}}/build/build.made.json",
    log:
        f"{LOGS}/build/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("build"),
    shell:
        "launch scripts.build --run {params.run:q} --trial {wildcards.trial:q} "
        "--prepared {input.prepared:q} --prompts {input.prompts:q} --out {output.requests:q} "
        "--made-from {params.made_from} 2> {log:q}"

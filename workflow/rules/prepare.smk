rule prepare:
    """Check a dataset and write it as Parquet."""
    input:
        source=source_file,
    output:
        prepared=f"{RUN}/datasets/{{dataset}}.parquet",
        made=f"{RUN}/datasets/{{dataset}}.made.json",
    log:
        f"{LOGS}/prepare/{{dataset}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("prepare"),
    shell:
        "launch scripts.prepare --run {params.run:q} --dataset {wildcards.dataset} "
        "--source {input.source:q} --out {output.prepared:q} "
        "--made-from {params.made_from} 2> {log:q}"

rule report:
    """One page about a trial."""
    input:
        prepared=PREPARED,
        scores=f"{RUN}/trials/{{trial}}/score/scores.parquet",
        outcomes=f"{RUN}/trials/{{trial}}/parse/outcomes.parquet",
        baseline_scores=baseline_scores,
        baseline_outcomes=baseline_outcomes,
        stats=f"{RUN}/trials/{{trial}}/stats/stats.json",
        costs=f"{RUN}/trials/{{trial}}/costs/costs.json",
    output:
        page=report(
            f"{RUN}/trials/{{trial}}/report/report.html",
            caption="../report/trial.rst",
            category="Trials",
            labels={"trial": "{trial}"},
        ),
        made=f"{RUN}/trials/{{trial}}/report/report.made.json",
    log:
        f"{LOGS}/report/{{trial}}.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made("report"),
    shell:
        "launch scripts.report --run {params.run:q} --trial {wildcards.trial:q} "
        "--out {output.page:q} --made-from {params.made_from} 2> {log:q}"


rule run_report:
    """The page about the whole run, and its tables."""
    input:
        pages=expand(f"{RUN}/trials/{{trial}}/report/report.html", trial=TRIALS),
        markers=expand(f"{RUN}/phases/{{phase}}.done.json", phase=PHASES),
    output:
        page=report(
            f"{RUN}/report/report.html",
            caption="../report/run.rst",
            category="Run",
            labels={"what": "The run's page"},
        ),
        summary=report(
            f"{RUN}/report/summary.json",
            caption="../report/summary.rst",
            category="Tables",
            labels={"table": "Every number (JSON)"},
        ),
        leaderboard=report(
            f"{RUN}/report/leaderboard.csv",
            caption="../report/leaderboard.rst",
            category="Tables",
            labels={"table": "Leaderboard"},
        ),
        effects=report(
            f"{RUN}/report/effects.csv",
            caption="../report/effects.rst",
            category="Tables",
            labels={"table": "Effects"},
        ),
        figures=[
            report(
                f"{RUN}/report/figures/{name}.svg",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name.capitalize()},
            )
            for name in FIGURES
        ],
        made=f"{RUN}/report/report.made.json",
    log:
        f"{LOGS}/report/run.log",
    conda:
        "../../environment.yml"
    params:
        run=run_folder,
        made_from=made_from(SETTINGS, "report", ""),
    shell:
        "launch scripts.report --run {params.run:q} --out {output.page:q} "
        "--made-from {params.made_from} 2> {log:q}"

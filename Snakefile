"""Trialmake: controlled trials of LLM prompts, models and decoding settings through batch APIs."""

from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/build.smk"
include: "workflow/rules/submit.smk"
include: "workflow/rules/poll.smk"
include: "workflow/rules/parse.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/stats.smk"
include: "workflow/rules/costs.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/markers.smk"


onstart:
    HOOKS.start()


onsuccess:
    HOOKS.finish(succeeded=True)


onerror:
    HOOKS.finish(succeeded=False)


rule all:
    """The whole run: every trial, every marker, the run's report."""
    default_target: True
    input:
        report=rules.run_report.output,
        markers=expand(f"{RUN}/phases/{{phase}}.done.json", phase=PHASES),
        outputs=[phase_outputs(phase) for phase in PHASES],  # else one that is deleted by hand would not be missed
    localrule: True

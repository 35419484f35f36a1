"""
Which outputs must be made again: the one answer that Snakemake acts on and the state tells.

Snakemake's own triggers (time stamps, its private metadata) are switched off; it is told to make again
what the records say is out of date, and sees by itself what is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from scripts.files import PROJECT_ROOT
from scripts.run.findings import RunView

SNAKEFILE = str(PROJECT_ROOT / "Snakefile")


def decide_reruns(workflow: Any, view: RunView, *, before: Callable[[], None]) -> None:
    """
    Have Snakemake make again what is out of date by the records, and nothing else that is there.

    Its settings are there only after its Snakefile was read, and it offers no hook in between: so the step
    that makes the graph of jobs is wrapped.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        While its Snakefile is being read.
    view : RunView
        The run.
    before : callable
        What else is to be done at that step, once the Snakefile was read.
    """
    prepare = workflow._prepare_dag

    def prepare_dag(**options: Any) -> None:
        before()
        workflow.dag_settings.rerun_triggers = frozenset()
        # What a killed process left unfinished has no record; the run's own lock stands for Snakemake's.
        prepare(**{**options, "ignore_incomplete": True, "nolock": True})
        dag = workflow._dag
        dag.forcefiles |= stale_outputs(view)
        dag.check_output_mtime = _skipping_own_rules(dag.check_output_mtime)

    workflow._prepare_dag = prepare_dag
    _ignore_time_stamps()


def _ignore_time_stamps() -> None:
    """Have no input of the project's rules count as newer; another workflow's rules keep their triggers."""
    from snakemake.io import _IOFile

    compare = _IOFile.is_newer

    async def is_newer(file: Any, time: float) -> bool:
        return False if _is_own(file.rule) else bool(await compare(file, time))

    _IOFile.is_newer = is_newer


def _skipping_own_rules(check: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Take no output of the project's rules for broken because an input is dated in the future."""

    async def check_output_mtime(job: Any, *arguments: Any) -> None:
        if not _is_own(job.rule):
            await check(job, *arguments)

    return check_output_mtime


def _is_own(rule: Any) -> bool:
    return rule is not None and str(rule.snakefile).startswith((str(PROJECT_ROOT / "workflow"), SNAKEFILE))


def stale_outputs(view: RunView) -> set[str]:
    """List the outputs that are there and must be made again; what depends on them follows by itself."""
    findings = view.look()
    stale = (view.units[key] for key, finding in findings.items() if not finding.is_done)
    paths = (path for unit in stale for path in (*unit.outputs, unit.made))
    return {path for path in paths if Path(path).exists()}

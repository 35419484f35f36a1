"""Where Snakemake meets the project: the configuration it was called with, and what its hooks call."""

from __future__ import annotations

import atexit
import functools
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ConfigError, PipelineError, StateError
from scripts.experiment.schema import DEFAULT_CONFIG
from scripts.experiment.settings import Settings, load_settings, take_settings
from scripts.files import PROJECT_ROOT
from scripts.run.checks import check_settings
from scripts.run.dataset_reading import remember
from scripts.run.findings import RunView
from scripts.run.lock import read_holder
from scripts.run.reruns import decide_reruns

if TYPE_CHECKING:
    from scripts.run.supervisor import Supervisor


def load_workflow_settings(workflow: Any, config: Mapping[str, Any]) -> Settings:
    """
    Load and check what ``snakemake --configfile F --config key=value`` names.

    The default configuration counts only where no other file is named.  Where this workflow is a module of
    another one, the configuration that the module statement gives counts, and no other.

    Raises
    ------
    ApiError
        With the message for the user, before any job exists.
    """
    try:
        as_module = is_module(workflow)
        settings = _settings_of_module(config) if as_module else _settings_of_command(workflow)
        if workflow.is_main_process:
            for warning in check_settings(settings):
                print(f"Warning: {warning}", file=sys.stderr)
        else:
            _ = settings.trials
    except PipelineError as error:
        raise user_error(error) from None
    return settings


def is_module(workflow: Any) -> bool:
    """Tell whether another workflow uses this one as a module."""
    return not workflow.modifier.is_main_snakefile()


def _settings_of_module(config: Mapping[str, Any]) -> Settings:
    if not config:
        raise ConfigError(
            "the module has no configuration",
            where="module statement",
            fix="Add `config: config` to it, and `configfile:` above it.",
        )
    return take_settings(config, source="config of the module")


def _settings_of_command(workflow: Any) -> Settings:
    given = workflow.config_settings
    default = DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else PROJECT_ROOT / DEFAULT_CONFIG
    files = [_relative(Path(file)) for file in given.configfiles] or [default]
    return load_settings(files, written_overrides(given.config, sys.argv))


def written_overrides(parsed: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """
    Give the overrides of ``--config`` as they were written, where Snakemake has made numbers of them.

    Parameters
    ----------
    parsed : mapping
        What Snakemake has read.
    arguments : sequence of str
        The command line.

    Examples
    --------
    >>> written_overrides({"run_id": 7, "seed": 3}, ["snakemake", "--config", "run_id=007", "seed='3'", "-n"])
    {'run_id': '007', 'seed': '3'}
    """
    written: dict[str, str] = {}
    is_config = False
    for argument in arguments:
        name, is_joined, first = argument.partition("=")
        if argument.startswith("-") and not re.match(r"-\d", argument):
            is_config = name in ("--config", "-C")
            argument = first if is_joined else ""
        if is_config and "=" in argument:
            key, _, text = argument.partition("=")
            is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
            written[key] = text[1:-1] if is_quoted else text
    return {
        key: written[key] if key in written and not isinstance(value, str | Mapping | list) else value
        for key, value in parsed.items()
    }


def _relative(path: Path) -> Path:
    """Show a file under the working directory by its relative path, as the user named it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def user_error(error: PipelineError) -> Exception:
    """Make the exception that Snakemake prints as ``Error:`` and the message, with no line of the code."""
    from snakemake_interface_common.exceptions import ApiError

    class UserError(ApiError):
        # Else Snakemake prints where in its rules the user's mistake was noticed.
        __traceback__ = property(lambda self: None, lambda self, value: None)

    return UserError(str(error))


FOLDER_FIX = "Check who owns the folder, and whether it may be written."


class Hooks:
    """
    What ``onstart``, ``onsuccess`` and ``onerror`` call, and what remains to be done without them.

    Parameters
    ----------
    settings : Settings
        The run.
    workflow : Workflow
        Snakemake's.
    paid_lines : callable
        Says, on a dry run, what trials ask that others have paid for.
    """

    def __init__(
        self, settings: Settings, workflow: Any, *, paid_lines: Callable[[Settings], Iterable[str]]
    ) -> None:
        self.settings = settings
        self._paid_lines = paid_lines
        self.workflow = workflow
        self.supervisor: Supervisor | None = None
        self.has_ended = False
        self._is_module = is_module(workflow)
        if workflow.is_main_process:
            decide_reruns(workflow, self.view, before=self._install)
            self._guard_outputs()
            atexit.register(self._at_exit)

    @functools.cached_property
    def view(self) -> RunView:
        """The run, as it is looked at from the choice of jobs to the final state."""
        return RunView(self.settings)

    def _install(self) -> None:
        """Once the Snakefile was read: be called although this is a module."""
        if self._is_module:
            for name, own in (
                ("_onstart", self.start),
                ("_onsuccess", functools.partial(self.finish, succeeded=True)),
                ("_onerror", functools.partial(self.finish, succeeded=False)),
            ):
                setattr(self.workflow, name, _both(own, getattr(self.workflow, name)))

    def _guard_outputs(self) -> None:
        """Refuse to delete the outputs of a run that another process works on."""
        delete = self.workflow.delete_output

        def delete_output(**options: Any) -> None:
            holder = read_holder(self.settings.run_root)
            if holder is not None and not options.get("dryrun"):
                raise user_error(
                    StateError(
                        f"another process works on this run: {holder}",
                        where=str(self.settings.run_root),
                        fix="Nothing was deleted. Wait until it has ended, or ask it to stop.",
                    )
                )
            delete(**options)

        self.workflow.delete_output = delete_output

    def start(self) -> None:
        """Begin to supervise the run, or refuse to start it."""
        from snakemake.logging import logger

        from scripts.run.supervisor import Supervisor

        supervisor = Supervisor(self.view, drain=self.workflow.scheduler.exit_gracefully)
        try:
            supervisor.start()
        except PipelineError as error:
            self.has_ended = True
            raise user_error(error) from None
        except OSError as error:
            self.has_ended = True
            where = str(self.settings.run_root)
            raise user_error(StateError(str(error), where=where, fix=FOLDER_FIX)) from None
        self.supervisor = supervisor
        remember(self.settings)
        self._make_room_to_wait()
        logger.addHandler(JobErrors(supervisor))

    def _make_room_to_wait(self) -> None:
        """Let a job wait for every batch there may be; by itself Snakemake runs `cores` and five jobs."""
        n_waiting = min(len(self.settings.trials), self.settings.config["max_active_batches"])
        scheduler = self.workflow.scheduler
        for executor in (scheduler._executor, scheduler._local_executor):
            pool = getattr(executor, "pool", None)
            if isinstance(pool, ThreadPoolExecutor):
                pool._max_workers += n_waiting

    def finish(self, *, succeeded: bool) -> None:
        """Say how the run ended."""
        supervisor, self.supervisor = self.supervisor, None
        if supervisor is None:
            return
        supervisor.finish(succeeded=succeeded)
        self.has_ended = True
        report = self.settings.paths.report
        if succeeded and report.is_file():
            print(f"Report: {report}")

    def _at_exit(self) -> None:
        """Leave a true state behind even if no hook was called: an abort, a dry run, nothing to be done."""
        if self.supervisor is not None:
            self.finish(succeeded=False)
        elif not self.has_ended and self.workflow.executor_plugin is not None:
            try:
                self._say_or_sync()
            except OSError as error:
                print(f"{self.settings.run_root}: the state cannot be written ({error})", file=sys.stderr)

    def _say_or_sync(self) -> None:
        from scripts.run.supervisor import Supervisor, explain_stop

        supervisor = Supervisor(self.view, drain=lambda: None)
        stop = supervisor.stop
        if not self.workflow.dryrun:
            supervisor.sync()
            return
        self._say_what_is_paid()
        if stop.is_requested():
            print(f"{stop.path}: {'; '.join(explain_stop(stop))}", file=sys.stderr)
        elif stop.exists() and not stop.ignore_file:
            print(f"{stop.path} is stale ({stop.describe()}); a run would rename it.", file=sys.stderr)

    def _say_what_is_paid(self) -> None:
        """Say which trials ask what another one has paid for: a renamed prompt, for one."""
        try:
            lines = list(self._paid_lines(self.settings))
        except PipelineError as error:
            lines = [str(error)]
        for line in lines:
            print(line, file=sys.stderr)


def _both(own: Callable[[], None], given: Callable[[str], None]) -> Callable[[str], None]:
    """Make a hook that does what this workflow needs, then what the one that uses it has said."""

    def hook(log: str) -> None:
        own()
        given(log)

    return hook


class JobErrors(logging.Handler):
    """Listens for jobs that Snakemake reports as failed, for those that could not say so themselves."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__(logging.ERROR)
        self.supervisor = supervisor

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on which unit's job has failed: the one that makes the job's first output."""
        outputs = getattr(record, "output", None)
        if str(getattr(record, "event", "")) == "job_error" and outputs:
            try:
                self.supervisor.note_failed(str(outputs[0]))
            except Exception:  # it must not end in Snakemake's own bookkeeping of jobs
                self.handleError(record)

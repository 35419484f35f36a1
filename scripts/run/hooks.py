"""Where Snakemake meets the project: the configuration it was called with, and what its hooks call."""

from __future__ import annotations

import atexit
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import PipelineError, StateError
from scripts.experiment.schema import DEFAULT_CONFIG
from scripts.experiment.settings import Settings, load_settings
from scripts.files import PROJECT_ROOT
from scripts.run.checks import check_settings
from scripts.run.dataset_reading import remember
from scripts.run.findings import RunView
from scripts.run.reruns import decide_reruns

if TYPE_CHECKING:
    from scripts.run.supervisor import Supervisor


def load_workflow_settings(workflow: Any) -> Settings:
    """
    Load and check what ``snakemake --configfile F --config key=value`` names.

    The default configuration counts only where no other file is named.

    Raises
    ------
    ApiError
        With the message for the user, before any job exists.
    """
    given = workflow.config_settings
    default = DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else PROJECT_ROOT / DEFAULT_CONFIG
    files = [_relative(Path(file)) for file in given.configfiles] or [default]
    try:
        settings = load_settings(files, given.config)
        if workflow.is_main_process:
            for warning in check_settings(settings):
                print(f"Warning: {warning}", file=sys.stderr)
        else:
            _ = settings.trials
    except PipelineError as error:
        raise user_error(error) from None
    return settings


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
    """What ``onstart``, ``onsuccess`` and ``onerror`` call, and what is left to do when none of them is."""

    def __init__(self, settings: Settings, workflow: Any) -> None:
        self.settings = settings
        self.workflow = workflow
        self.supervisor: Supervisor | None = None
        self.has_ended = False
        if workflow.is_main_process:
            decide_reruns(workflow, RunView(settings))
            atexit.register(self._at_exit)

    def start(self) -> None:
        """Begin to supervise the run, or refuse to start it."""
        from snakemake.logging import logger

        from scripts.run.supervisor import Supervisor

        supervisor = Supervisor(self.settings, drain=self.workflow.scheduler.exit_gracefully)
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
        """Leave the truth behind also when no hook was called: an abort, a dry run, nothing to be done."""
        if self.supervisor is not None:
            self.finish(succeeded=False)
        elif not self.has_ended and self.workflow.executor_plugin is not None:
            try:
                self._say_or_sync()
            except OSError as error:
                print(f"{self.settings.run_root}: the state cannot be written ({error})", file=sys.stderr)

    def _say_or_sync(self) -> None:
        from scripts.run.supervisor import Supervisor, explain_stop

        supervisor = Supervisor(self.settings, drain=lambda: None)
        stop = supervisor.stop
        if not self.workflow.dryrun:
            supervisor.sync()
        elif stop.is_requested():
            print(f"{stop.path}: {'; '.join(explain_stop(stop))}", file=sys.stderr)
        elif stop.exists() and not stop.ignore_file:
            print(f"{stop.path} is stale ({stop.describe()}); a run would set it aside.", file=sys.stderr)


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

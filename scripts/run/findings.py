"""A look at a run's folder: which of its parts are done, by what their records say."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import PipelineError
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256
from scripts.run.markers import covers
from scripts.run.provenance import made_from
from scripts.run.units import MARK, Unit, run_units


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found of one unit."""

    is_done: bool
    is_ready: bool
    """Whether everything that it reads is done."""
    was_made: bool = False
    """Whether it was ever done, even if that is out of date."""
    started_at: str | None = None
    finished_at: str | None = None
    error: str | None = None


class RunView:
    """A view of a run's folder; remembers the records that have not changed since the last look."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.paths = settings.paths
        self.units = run_units(settings)
        self._records: dict[str, tuple[int, Any]] = {}
        self.reasons: dict[str, str] = {}
        """Why jobs failed, by the file that could not be written to say so."""
        self._made_from: dict[tuple[str, str], str] = {}
        self._stats: dict[str, os.stat_result | None] = {}

    def look(self) -> dict[tuple[str, str], Finding]:
        """Find out about every unit, once."""
        self._stats.clear()
        findings: dict[tuple[str, str], Finding] = {}
        for key, unit in self.units.items():
            is_ready = all(findings[other].is_done for other in unit.upstream)
            was_made = self._stat(unit.made) is not None
            record = self._read(unit.made) if is_ready else None
            if record is not None and self._is_up_to_date(unit, record):
                times = _moment(record.get("started_at")), _moment(record.get("finished_at"))
                findings[key] = Finding(True, True, True, *times)
            else:
                findings[key] = Finding(False, is_ready, was_made, error=self._read_error(unit))
        return findings

    def _is_up_to_date(self, unit: Unit, record: Mapping[str, Any]) -> bool:
        if unit.phase != MARK:
            return self._is_current(unit, record)
        records = {name: self._read(self.units[phase, name].made) for phase, name in unit.upstream}
        return covers(record, self.settings.trial_by_name, {name: records[name] for name in records if name})

    def _is_current(self, unit: Unit, record: Mapping[str, Any]) -> bool:
        outputs, inputs = record.get("outputs"), record.get("inputs")
        return (
            isinstance(outputs, dict)
            and isinstance(inputs, dict)
            and record.get("made_from") == self._expected(unit)
            and all(self.paths.key(path) in outputs or path in outputs for path in unit.outputs)
            and all(self._is_same(self.paths.path(key), print_) for key, print_ in outputs.items())
            and all(self._is_same(self.paths.path(key), print_) for key, print_ in inputs.items())
        )

    def _expected(self, unit: Unit) -> str | object:
        """What a current record says that it was made from; nothing does where a file of it is gone."""
        key = unit.phase, unit.name
        if key not in self._made_from:
            try:
                self._made_from[key] = made_from(self.settings, *key)
            except (OSError, PipelineError):
                return object()
        return self._made_from[key]

    def _is_same(self, path: str, print_: Any) -> bool:
        """Whether a file is as recorded: the same size and mtime or, if only touched, the same content."""
        status = self._stat(path)
        if status is None or not isinstance(print_, dict) or status.st_size != print_.get("size"):
            return False
        if status.st_mtime_ns == print_.get("mtime_ns"):
            return True
        try:
            return cached_sha256(Path(path)) == print_.get("sha256")
        except OSError:
            return False

    def _read_error(self, unit: Unit) -> str | None:
        """Why the last attempt failed; None if it did not."""
        if self._stat(unit.error) is None:
            return self.reasons.get(unit.error)
        said = (self._read(unit.error) or {}).get("error")
        return said if isinstance(said, str) and said else f"the job failed; {unit.error} cannot be read"

    def _stat(self, path: str) -> os.stat_result | None:
        """Stat a file once per look."""
        if path not in self._stats:
            try:
                self._stats[path] = os.stat(path)  # noqa: PTH116 - thousands of these a second
            except (OSError, ValueError):  # a broken record may name what is no path
                self._stats[path] = None
        return self._stats[path]

    def _read(self, path: str) -> Any:
        status = self._stat(path)
        if status is None:
            return None
        known = self._records.get(path)
        if known is None or known[0] != status.st_mtime_ns:
            try:
                value = json.loads(Path(path).read_bytes())
            except (OSError, ValueError, RecursionError):
                value = None
            known = (status.st_mtime_ns, value if isinstance(value, dict) else None)
            self._records[path] = known
        return known[1]


def _moment(text: Any) -> str | None:
    """Take a time from a record, if it is one."""
    try:
        return text if datetime.datetime.fromisoformat(text).tzinfo is not None else None
    except (TypeError, ValueError):
        return None

"""Whatever happens to a run, in whatever order: its state says what a model of it says."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scripts.records import PHASES
from scripts.run.lock import RunLock
from scripts.run.units import run_units
from tests.fakes.fake_runs import BRIEF, PLAIN, FakeRun

Key = tuple[str, str]

READS = {
    "build": ["prepare"],
    "submit": ["build"],
    "poll": ["submit"],
    "parse": ["poll"],
    "score": ["parse"],
    "stats": ["score"],
    "costs": ["parse"],
    "report": ["stats", "costs"],
}
TEXTS = {
    "quiz.jsonl": ('{"id": "a", "question": "?", "answers": ["a"]}\n', '{"id": "b", "question": "??"}\n'),
    "plain.md": ("{{ question }}", "Say: {{ question }}"),
    "brief.md": ("Briefly: {{ question }}", "In a word: {{ question }}"),
}
FOLLOWS = {
    "not_started": {"running"},
    "running": {"completed", "stopped", "failed", "interrupted"},
    "stopped": {"running", "completed"},
    "failed": {"running", "completed", "interrupted"},  # the failed trial is removed
    "interrupted": {"running", "completed", "failed"},
    "completed": {"running", "stopped", "failed", "interrupted"},
}


@dataclasses.dataclass
class Made:
    """What one output was made from, and a number that no other making of it has."""

    facts: Any
    reads: tuple[int, ...]
    number: int
    is_there: bool = True


class RunModel(RuleBasedStateMachine):
    """A run that is worked on, spoilt, edited, stopped and killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="run-model-"))
        self.run = FakeRun(self.folder)
        self.run.experiment.config["datasets"].pop("more")
        self.lock = RunLock(self.run.root)
        self.text = dict.fromkeys(TEXTS, 0)
        self.has_brief = True
        self.is_live = False
        self.ending: str | None = None
        self.made: dict[Key, Made] = {}
        self.errors: set[Key] = set()
        self.last_status: str | None = None

    @initialize(n_jobs=st.sampled_from([0, 0, 4, 12, 18]))
    def begin(self, n_jobs: int) -> None:
        """Begin with a run that has come some way, so that the rules need not find it."""
        for name, texts in TEXTS.items():
            self.run.experiment.write(name, texts[0])
        if n_jobs:
            self.start()
        for _ in range(n_jobs):
            self.complete(self.todo()[0])

    def teardown(self) -> None:
        self.lock.release()
        shutil.rmtree(self.folder)

    # What the model knows

    @property
    def trials(self) -> list[str]:
        return [PLAIN, BRIEF] if self.has_brief else [PLAIN]

    def keys(self) -> list[Key]:
        by_trial = [(phase, trial) for phase in PHASES[1:] for trial in self.trials]
        return [("prepare", "quiz"), *by_trial, ("report", "")]

    def reads(self, key: Key) -> list[Key]:
        phase, name = key
        if phase == "prepare":
            return []
        if phase == "build":
            return [("prepare", "quiz")]
        if not name:
            return [("report", trial) for trial in self.trials]
        own = [(other, name) for other in READS[phase]]
        return [*own, ("score", PLAIN)] if phase == "stats" and name == BRIEF else own

    def facts(self, key: Key) -> Any:
        """What an output depends on beside the outputs that it reads."""
        phase, name = key
        if phase == "prepare":
            return self.text["quiz.jsonl"]
        if phase == "build":
            return self.text["plain.md" if name == PLAIN else "brief.md"]
        return None if name else tuple(self.trials)

    def is_done(self, key: Key) -> bool:
        made = self.made.get(key)
        return (
            made is not None
            and made.is_there
            and made.facts == self.facts(key)
            and all(self.is_done(other) for other in self.reads(key))
            and made.reads == tuple(self.made[other].number for other in self.reads(key))
        )

    def todo(self) -> list[Key]:
        """What a run would do now: not done, but everything is there that it reads."""
        ready = (key for key in self.keys() if all(self.is_done(other) for other in self.reads(key)))
        return [key for key in ready if not self.is_done(key)]

    def done(self) -> list[Key]:
        return [key for key in self.keys() if self.is_done(key)]

    def failed(self) -> list[Key]:
        return [key for key in self.keys() if key in self.errors and not self.is_done(key)]

    def status(self) -> str:
        if self.is_live:
            return "running"
        if len(self.done()) == len(self.keys()):
            return "completed"
        if self.ending is not None:
            return self.ending
        if self.failed():
            return "failed"
        return "interrupted" if any(key in self.made for key in self.keys()) else "not_started"

    # What happens to a run

    @precondition(lambda self: not self.is_live)
    @rule()
    def start(self) -> None:
        self.run.start()
        self.lock.take()
        for unit in run_units(self.run.settings).values():
            Path(unit.error).unlink(missing_ok=True)
        self.is_live = True
        self.errors -= set(self.keys())
        self.save()

    @precondition(lambda self: self.is_live)
    @rule(how=st.sampled_from(["end", "end", "stop", "kill"]))
    def end(self, how: str) -> None:
        self.is_live = False
        ended = {"end": "failed", "stop": "stopped", "kill": "interrupted"}[how]
        if how == "kill":
            self.ending = ended
        else:
            has_ended_well = how == "end" and len(self.done()) == len(self.keys())
            self.save(ended=None if has_ended_well else ended)
        self.lock.release()

    def save(self, *, ended: str | None = None) -> None:
        """Write the state file, whose last word is all that a later look has to go by."""
        self.run.save_state(is_live=self.is_live, ended=ended)
        if self.is_live:
            self.ending = "interrupted"
        else:
            self.ending = None if len(self.done()) == len(self.keys()) else ended

    @precondition(lambda self: self.is_live and self.todo())
    @rule(data=st.data(), n_jobs=st.sampled_from([1, 2, 5, 20]))
    def complete_jobs(self, data: st.DataObject, n_jobs: int) -> None:
        for _ in range(n_jobs):
            if not self.todo():
                return
            self.complete(data.draw(st.sampled_from(self.todo())))

    def complete(self, key: Key) -> None:
        self.run.complete(*key)
        reads = tuple(self.made[other].number for other in self.reads(key))
        number = 1 + max((made.number for made in self.made.values()), default=0)
        self.made[key] = Made(self.facts(key), reads, number)
        self.errors.discard(key)

    @precondition(lambda self: self.is_live and self.todo())
    @rule(data=st.data())
    def fail_a_job(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.todo()))
        with contextlib.redirect_stderr(io.StringIO()):
            self.run.fail(*key)
        self.errors.add(key)

    @precondition(lambda self: self.done())
    @rule(data=st.data())
    def delete_an_output(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.done()))
        data.draw(st.sampled_from([Path(path) for path in self.run.unit(*key).outputs])).unlink()
        self.made[key].is_there = False

    @rule(name=st.sampled_from(sorted(TEXTS)))
    def edit_an_input(self, name: str) -> None:
        self.text[name] = 1 - self.text[name]
        self.run.experiment.write(name, TEXTS[name][self.text[name]])

    @precondition(lambda self: not self.is_live)
    @rule()
    def add_or_remove_a_trial(self) -> None:
        self.has_brief = not self.has_brief
        prompts = ["plain", "brief"] if self.has_brief else ["plain"]
        self.run.reconfigure(trials={"sweep": {"prompt": prompts}, "baseline": {"prompt": "plain"}})

    # What holds at every moment

    @invariant()
    def the_state_says_what_the_model_says(self) -> None:
        state = self.run.state()
        assert state["status"] == self.status()
        assert self.last_status is None or state["status"] in FOLLOWS[self.last_status] | {self.last_status}
        self.last_status = state["status"]
        assert set(state["trials"]) == set(self.trials)
        for phase, found in state["phases"].items():
            units = {key for key in self.keys() if key[0] == phase and key[1]}
            done, failed = units & set(self.done()), units & set(self.failed())
            assert (found["done"], found["failed"], found["total"]) == (len(done), len(failed), len(units))
            is_page_failed = phase == "report" and ("report", "") in self.failed()
            assert (found["status"] == "completed") == (done == units and not is_page_failed)
            assert (found["status"] == "failed") == bool(failed or is_page_failed)
        for trial, found in state["trials"].items():
            own = {key for key in self.keys() if key[1] == trial}
            assert (found["status"] == "completed") == (own <= set(self.done()))
            assert (found["status"] == "failed") == bool(own & set(self.failed()))


TestRunModel = RunModel.TestCase
TestRunModel.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

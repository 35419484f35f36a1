"""Phases with the adapter `local`: kills, stops, a server that comes and goes, and what is refused before."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from scripts.dispatch.slots import held_slots, is_batch_over
from scripts.errors import ProviderError
from scripts.files import read_json, read_jsonl
from scripts.money.ledger import Ledger
from scripts.poll import poll_trial
from scripts.run.stop import StopRequested
from scripts.submit import submit_trial
from tests.fakes.sending_fakes import events, make_settings, write_requests
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    make_provider,
    make_questions,
    quick_fixture,
    server_fixture,
)
from tests.providers.chat_server import HANG_S, ChatServer, Fault
from tests.workflow.harness import Experiment, simulated_config

ROOT = Path(__file__).resolve().parents[2]


def local_settings(server, root, *, model=None, sampling=None, max_error_rate=0.05, **options):
    given = {"base_url": server.url, "poll_seconds": 0.05, "concurrency": 4, "timeout_seconds": 30}
    return make_settings(
        root,
        model={"provider": "local", "model": "llama", **(model or {})},
        providers={"local": {**given, **options}},
        sampling=sampling or {},
        max_error_rate=max_error_rate,
    )


@pytest.fixture
def settings(server, tmp_path):
    return local_settings(server, tmp_path)


class Trial:
    """The only trial of a run, with its requests written."""

    def __init__(self, settings, n=6):
        (self.trial,) = settings.trials
        self.settings = settings
        self.folder = settings.run_root / "trials" / self.trial.name
        provider = make_provider(ChatServer(), self.folder)
        self.requests = write_requests(self.folder / "requests.jsonl", make_questions(provider, n))
        self.batches, self.replies = self.folder / "batches.json", self.folder / "replies.jsonl"

    def submit(self):
        submit_trial(self.settings, self.trial, self.requests, out=self.batches)
        return self

    def poll(self):
        poll_trial(self.settings, self.trial, self.requests, out=self.replies)
        return [row for _, row in read_jsonl(self.replies)]

    @contextlib.contextmanager
    def polling(self):
        """Poll in a process of its own, which is gone at the end."""
        command = [sys.executable, "-m", "scripts.poll", "--run", str(self.settings.run_root)]
        command += ["--trial", self.trial.name, "--requests", str(self.requests)]
        command += ["--batches", str(self.batches), "--out", str(self.replies)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def journalled(self):
        """The keys of the rows that are in the books."""
        (path,) = self.settings.run_root.parent.glob(".local/r/batch_*/replies.part.jsonl")
        whole = path.read_bytes().rpartition(b"\n")[0]
        return len(whole.splitlines())

    @property
    def stop_file(self):
        return self.settings.run_root / "STOP_REQUESTED"


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_asks_every_request_once(settings, server):
    trial = Trial(settings).submit()
    assert server.asked == Counter()
    rows = trial.poll()
    assert [row["row"]["response"]["status_code"] for row in rows] == [200] * 6
    assert trial.submit().poll() == rows
    assert set(server.asked.values()) == {1}
    words = ["planned", "intent", "submitted", "terminal", "downloaded", "reconciled"]
    assert events(settings, trial.trial.name) == words


def test_only_what_failed_is_asked_again_and_not_for_ever(server, tmp_path):
    settings = local_settings(server, tmp_path, max_attempts=2, max_error_rate=1)
    faults = {"Question 1": Fault(status=500), "Question 2": Fault(status=400)}
    server.fault = lambda question, _: faults.get(question)
    rows = Trial(settings).submit().poll()
    assert [row["attempt"] for row in rows] == [1, 1, 2, 1, 1, 1, 1]
    assert server.asked["Question 1"] == 2 * 3
    assert sum(server.asked.values()) == 2 * 3 + 5


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_loses_only_what_is_with_the_server(settings, server, kind):
    server.delay_s = 0.05
    trial = Trial(settings, n=40).submit()
    with trial.polling() as process:
        wait_until(lambda: sum(server.answered.values()) >= 12)
        process.send_signal(kind)
        assert process.wait() == -kind
    n_kept = trial.journalled()
    assert n_kept >= 8
    assert len(trial.poll()) == 40
    again = [question for question, count in server.asked.items() if count > 1]
    assert len(again) <= 4
    assert sum(server.asked.values()) == 40 + len(again)
    assert 40 - n_kept >= len(again)


def test_a_stop_ends_a_poll_in_time_whatever_the_server_is_at(settings, server):
    server.fault = lambda question, n: Fault(hangs=True) if n == 1 and int(question.split()[1]) % 2 else None
    trial = Trial(settings, n=8).submit()
    with trial.polling() as process:
        wait_until(lambda: server.n_at_once == 4 and sum(server.answered.values()) >= 2)
        trial.stop_file.touch()
        _, said = process.communicate(timeout=HANG_S / 4)
        assert process.returncode == 1
    assert "a stop is requested" in said
    assert "Traceback" not in said
    assert "Exception" not in said
    trial.stop_file.unlink()
    assert len(trial.poll()) == 8
    assert max(server.asked.values()) == 2


def test_a_stop_in_this_process_leaves_no_thread_behind(settings, server):
    server.fault = lambda *_: Fault(hangs=True)
    trial = Trial(settings).submit()
    threading.Timer(0.3, trial.stop_file.touch).start()
    started = time.monotonic()
    with pytest.raises(StopRequested):
        trial.poll()
    assert time.monotonic() - started < HANG_S / 4
    assert not any(thread.name.startswith("batch_") for thread in threading.enumerate())


def test_a_server_that_is_started_late_or_again_is_waited_for(quick, tmp_path, capfd):
    server = ChatServer()
    server.delay_s = 0.02
    trial = Trial(local_settings(server, tmp_path), n=30).submit()
    rows = []
    poll = threading.Thread(target=lambda: rows.extend(trial.poll()))
    poll.start()
    said = ""

    def is_away() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return f"local, {server.url}: the server cannot be reached" in said

    wait_until(is_away)
    with server.running():
        wait_until(lambda: sum(server.answered.values()) >= 8)
    time.sleep(0.5)
    with server.running():
        poll.join(60)
    assert len(rows) == 30
    assert {row["row"]["response"]["status_code"] for row in rows} == {200}
    assert "checking again in" in said


def test_a_server_that_never_comes_fails_the_trial_in_the_end(quick, tmp_path):
    trial = Trial(local_settings(ChatServer(), tmp_path, max_wait_hours=0.0003)).submit()
    with pytest.raises(ProviderError, match="is not done after"):
        trial.poll()


def test_a_refusal_fails_the_trial_with_what_to_do_and_the_same_command_goes_on(settings, server):
    trial = Trial(settings).submit()
    server.fault = lambda *_: Fault(status=404, message='model "llama" not found, try pulling it first')
    with pytest.raises(ProviderError, match="try pulling it first") as caught:
        trial.poll()
    assert "Correct `model` or `base_url`" in str(caught.value)
    server.fault = lambda *_: None
    assert {row["attempt"] for row in trial.poll()} == {1}


def test_batches_take_no_slot_so_that_none_waits_for_one_that_nobody_polls(server, tmp_path):
    settings = local_settings(server, tmp_path, max_requests=2)
    settings.config["max_active_batches"] = 1
    trial = Trial(settings, n=7).submit()
    assert len(read_json(trial.batches)["batches"]) == 4
    root = settings.run_root / "ledger"
    assert not (root / "slots.json").exists()
    assert len(held_slots(root)) == 4
    with Ledger(root / trial.trial.name) as ledger:
        assert all(is_batch_over(settings, entry, max_wait_hours=1) for entry in ledger.shards.values())
    assert server.asked == Counter()
    assert len(trial.poll()) == 7
    assert set(server.asked.values()) == {1}


# What is refused before anything is asked.


def test_a_model_may_have_a_server_of_its_own(server, tmp_path):
    elsewhere = {"base_url": ChatServer().url}
    settings = local_settings(server, tmp_path, model={"base_url": server.url}, **elsewhere)
    assert len(Trial(settings).submit().poll()) == 6


@pytest.mark.workflow
def test_a_whole_run_keeps_to_the_bound_over_all_its_trials(server, tmp_path):
    server.delay_s = 0.1
    config = simulated_config(
        trials={"sweep": {"prompt": ["control", "treatment"]}, "baseline": {"prompt": "control"}},
        models={"llama": {"provider": "local", "model": "llama3.1:8b"}},
        providers={"local": {"base_url": server.url, "poll_seconds": 0.1, "concurrency": 3}},
        max_active_batches=1,
    )
    experiment = Experiment(tmp_path).write(config)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    assert server.max_at_once <= 3
    assert sum(server.asked.values()) == 2 * 8
    trials = experiment.summary()["trials"]
    assert [trial["outcomes"]["answered"] for trial in trials] == [8] * 2
    assert [trial["cost_usd"] for trial in trials] == [None] * 2
    again = experiment.run()
    assert "Nothing to be done" in again.stderr + again.stdout
    assert sum(server.asked.values()) == 2 * 8


MEMORY_PROGRAM = """
import resource, sys, time
from pathlib import Path
from tests.providers.chat_fixtures import LocalChat, dump_line, make_questions
provider = LocalChat(Path(sys.argv[1]), provider_model="llama", base_url=sys.argv[2])
payload = Path(sys.argv[1] + ".payload")
with payload.open("w") as lines:
    for number in range(int(sys.argv[3])):
        (request,) = make_questions(provider, 1, text="x" * 50_000 + str(number))
        lines.write(provider.encode(request))
batch_id = provider.create(payload, key="a" * 64, metadata={})
while not provider.status(batch_id).status.is_terminal:
    time.sleep(0.05)
provider.close()
provider.fetch(batch_id, payload)
assert payload.stat().st_size > 50_000 * int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_a_large_batch_takes_little_more_memory_than_a_small_one(quick, tmp_path):
    server = ChatServer(keeps_bodies=False)
    server.fault = lambda question, _: Fault(raw=b'{"choices": [], "x": "' + b"y" * 50_000 + b'"}')
    peaks = []
    with server.running():
        for n in (20, 1_000):
            command = [sys.executable, "-c", MEMORY_PROGRAM, str(tmp_path / str(n)), server.url, str(n)]
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            peaks.append(int(done.stdout.split()[-1]) / 1024)
    few, many = peaks
    assert many - few < 15, f"{few:.0f} MiB for 20 requests, {many:.0f} MiB for 1,000 (50 MB in, 50 MB out)"

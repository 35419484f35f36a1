"""
What waiting costs: 200 trials whose batches are at a provider, in one ``snakemake`` run.

Run it with ``python -m benchmarks.waiting [TRIALS] [POLL_SECONDS] [MEASURED_SECONDS]``.  It starts a run with
the default profile, waits until every trial is waiting, and prints the processor time of the whole tree of
processes over a while, its memory, and how long the run takes to end once a stop is requested.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.batch_server import Service, serving

ROOT = Path(__file__).resolve().parent.parent
N_CORES = 2
PATIENCE_S = 900.0
SETTLING_POLLS = 3
"""The pauses between looks grow to poll_seconds: their sum until then, in poll_seconds."""
MEGABYTE = 1024**2


def write_experiment(folder: Path, address: str, n_trials: int, poll_seconds: float) -> None:
    """Write a configuration of so many trials at a provider that takes its time."""
    (folder / "items.jsonl").write_text(json.dumps({"id": "q", "question": "Why?", "answers": ["so"]}) + "\n")
    (folder / "user.md").write_text("{{ question }}\n")
    temperatures = [round(2 * n / n_trials, 6) for n in range(n_trials)]
    config = {
        "run_id": "bench",
        "datasets": {"d": {"path": "items.jsonl", "scorer": "short_answer"}},
        "prompts": {"p": {"user": "user.md"}},
        "models": {"m": {"provider": "openai", "model": "gpt-4o-mini"}},
        "trials": {"sweep": {"model": ["m"], "prompt": ["p"], "temperature": temperatures}},
        "providers": {"openai": {"base_url": f"{address}/v1", "poll_seconds": poll_seconds}},
        "max_active_batches": n_trials,
    }
    (folder / "config.yaml").write_text(json.dumps(config))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[psutil.Process]:
    """Start the run; kill what is left of it at the end."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    with (
        (folder / "snakemake.log").open("w") as log,
        subprocess.Popen(
            [*command, "--configfile", "config.yaml"],
            cwd=folder,
            env={**os.environ, "OPENAI_API_KEY": "sk-bench"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield psutil.Process(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def tree(root: psutil.Process) -> list[psutil.Process]:
    """List the run's processes."""
    return [root, *root.children(recursive=True)]


def kind(process: psutil.Process) -> str:
    """Say what a process is for."""
    words = process.cmdline()
    text = " ".join(words)
    if "-m snakemake" in text:
        return "snakemake"
    if "scripts.launcher.server" in text:
        parent = process.parent()
        is_child = parent is not None and "scripts.launcher.server" in " ".join(parent.cmdline())
        return "waiting job" if is_child else "warm process"
    return "client of a job" if "client.py" in text and "python" in words[0] else "shell of a job"


def cpu_seconds(root: psutil.Process) -> dict[tuple[int, str], float]:
    """Processor time of every process so far."""
    used = {}
    for process in tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[process.pid, kind(process)] = times.user + times.system
    return used


def wait_for_all(folder: Path, root: psutil.Process, n_trials: int) -> None:
    """Wait until every trial is waiting for its batch, and the processes have come to rest."""
    deadline = time.monotonic() + PATIENCE_S
    logs = folder / "logs" / "run_bench" / "poll"
    while len(list(logs.glob("*.log"))) < n_trials or sum(cpu_rates(root, 5.0).values()) > 0.5:
        if time.monotonic() > deadline or root.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError((folder / "snakemake.log").read_text()[-2000:])
        time.sleep(1.0)


def cpu_rates(root: psutil.Process, seconds: float) -> dict[str, float]:
    """Share of one core that each kind of process takes."""
    before = cpu_seconds(root)
    time.sleep(seconds)
    rates: collections.Counter[str] = collections.Counter()
    for key, used in cpu_seconds(root).items():
        rates[key[1]] += (used - before.get(key, used)) / seconds
    return rates


def show_memory(root: psutil.Process) -> None:
    """Print what each kind of process holds: its share of all memory (PSS), and what is its alone (USS)."""
    rows: dict[str, list[tuple[int, int, int]]] = collections.defaultdict(list)
    for process in tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            rows[kind(process)].append((memory.pss, memory.uss, process.num_threads()))
    for name, entries in sorted(rows.items()):
        pss, uss, threads = (sum(column) for column in zip(*entries, strict=True))
        print(
            f"  {len(entries):>4} {name:<20}{pss / MEGABYTE:>8.0f} MB PSS{uss / MEGABYTE:>8.0f} MB USS"
            f"{threads:>6} threads"
        )
    total = sum(pss for entries in rows.values() for pss, _, _ in entries)
    print(f"memory in all: {total / MEGABYTE:.0f} MB", flush=True)


def main(n_trials: int, poll_seconds: float, measured_seconds: float) -> None:
    """Print the figures."""
    folder = Path(tempfile.mkdtemp(prefix="trialmake-bench-"))
    try:
        with serving(Service(folder, 1, delay_s=1e6)) as address:
            write_experiment(folder, address, n_trials, poll_seconds)
            print(f"{datetime.date.today()}, {n_trials} trials, poll_seconds {poll_seconds:g}")
            with running(folder) as root:
                began = time.monotonic()
                wait_for_all(folder, root, n_trials)
                print(f"all are waiting after {time.monotonic() - began:.0f} s", flush=True)
                time.sleep(SETTLING_POLLS * poll_seconds)
                rates = cpu_rates(root, measured_seconds)
                for name, rate in sorted(rates.items()):
                    print(f"  {name:<20}{rate:>8.2%} of a core")
                print(f"processor: {sum(rates.values()) / N_CORES:.2%} of {N_CORES} cores", flush=True)
                show_memory(root)
                began = time.monotonic()
                (folder / "experiments" / "run_bench" / "STOP_REQUESTED").touch()
                root.wait(PATIENCE_S)
                print(f"from the stop to the end: {time.monotonic() - began:.1f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    n_trials, poll_seconds, measured_seconds = [*given, *(200, 30.0, 60.0)[len(given) :]]
    main(int(n_trials), poll_seconds, measured_seconds)

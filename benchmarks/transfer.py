"""
What a full shard costs: 50,000 requests in 150 MB up, as many answers down, beside a plain ``curl``.

Run it with ``python -m benchmarks.transfer [REQUESTS]``.  The service is on 127.0.0.1 and streams to the
disk.  Each line is a process of its own, the best of three: seconds, processor time, the most memory that it
held, and the time over that of ``curl`` for the same bytes.  The phases also write, read and check each row.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.batch_server import Service, serving
from scripts import poll, submit
from scripts.experiment.settings import Settings, load_settings
from scripts.files import dump_line
from scripts.providers import PROVIDERS, make_provider
from scripts.records import Item, Request

N_BYTES = 150_000_000
KEYS = {"OPENAI_API_KEY": "sk-bench", "ANTHROPIC_API_KEY": "sk-ant-bench"}
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}
LABELS = {"run": "bench", "trial": "t", "attempt": "1"}


def write_experiment(folder: Path, provider: str, address: str) -> Settings:
    """Write the folder of a run with one trial."""
    folder.mkdir()
    (folder / "items.jsonl").write_text(dump_line({"id": "q", "question": "?", "answers": ["a"]}))
    (folder / "user.md").write_text("{{ question }}")
    base_url = address + ("/v1" if provider == "openai" else "")
    config = {
        "run_id": "bench",
        "experiments_dir": str(folder / "experiments"),
        "datasets": {"d": {"path": str(folder / "items.jsonl"), "scorer": "short_answer"}},
        "prompts": {"p": {"user": str(folder / "user.md")}},
        "models": {"m": {"provider": provider, "model": MODELS[provider]}},
        "trials": {"sweep": {"model": ["m"], "prompt": ["p"]}},
        "providers": {provider: {"base_url": base_url, "poll_seconds": 0.1}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    settings = load_settings([folder / "config.yaml"])
    settings.run_root.mkdir(parents=True)
    (settings.run_root / "effective_config.yaml").write_text(yaml.safe_dump(dict(settings.config)))
    return settings


def make_requests(settings: Settings, n_requests: int) -> Iterator[Request]:
    """Make requests that are as long as fills the shard."""
    provider = make_provider(settings, "m")
    text = "The quick brown fox jumps over the lazy dog. " * 2000
    n_letters = N_BYTES // n_requests - 300
    item = Item("q", "", ())
    for number in range(n_requests):
        turn = {"role": "user", "content": f"{number}: {text[:n_letters]}"}
        body = provider.body([turn], settings.trials[0], "d", item)
        yield Request.render(dataset="d", item_id=f"q{number}", replicate=0, body=body)


def answer(provider: str, key: str, text: str) -> dict[str, Any]:
    """Make a row of a batch's results."""
    if provider == "openai":
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 700, "completion_tokens": 700, "total_tokens": 1400}
        body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
        return {"id": "r", "custom_id": key, "response": {"status_code": 200, "body": body}, "error": None}
    usage = {"input_tokens": 700, "output_tokens": 700}
    content = [{"type": "text", "text": text}]
    said = {"id": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"}
    return {"custom_id": key, "result": {"type": "succeeded", "message": {**said, "usage": usage}}}


def write_files(folder: Path, settings: Settings, provider: str, n_requests: int) -> None:
    """Write the trial's requests, the payload as the phase sends it, and what comes back."""
    adapter = make_provider(settings, "m")
    text = "So it is said that the answer is forty-two. " * 2000
    n_letters = N_BYTES // n_requests - 350
    with (
        (settings.run_root / "requests.jsonl").open("w") as requests,
        (folder / "payload").open("w") as payload,
        (folder.parent / f"{provider}.rows").open("w") as rows,
    ):
        for request in make_requests(settings, n_requests):
            requests.write(dump_line(request.to_json()))
            payload.write(adapter.encode(request))
            rows.write(dump_line(answer(provider, request.request_key, text[:n_letters])))


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    n_bytes: int
    cpu_seconds: float
    peak_mb: float


def best(work: Callable[[], int]) -> Cost:
    """Measure work three times: the quickest."""
    return min((measured(work) for _ in range(3)), key=lambda cost: cost.seconds)


def measured(work: Callable[[], int]) -> Cost:
    """Do work in a child, and say what it took; `work` says how many bytes it moved."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        began = time.perf_counter()
        n_bytes = work()
        seconds = time.perf_counter() - began
        own, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime
        told = [seconds, n_bytes, cpu, max(own.ru_maxrss, below.ru_maxrss)]
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        seconds, n_bytes, cpu, peak_kib = json.loads(pipe.read())
    os.waitpid(child, 0)
    return Cost(seconds, n_bytes, cpu, peak_kib / 1024)


def show(label: str, cost: Cost, floor: Cost | None = None) -> None:
    """Print a line of the table."""
    ratio = "" if floor is None else f"{cost.seconds / floor.seconds:>8.2f}"
    size = cost.n_bytes / 1e6
    times = f"{cost.seconds:>9.2f}{cost.cpu_seconds:>9.2f}"
    print(f"{label:<28}{size:>6.0f}{times}{cost.peak_mb:>9.0f}{ratio}", flush=True)


def curl(*arguments: str) -> None:
    subprocess.run(["curl", "--silent", "--fail", "--output", *arguments], check=True)


def measure(folder: Path, provider: str, address: str, n_requests: int) -> None:
    """Print the lines of one provider."""
    settings = write_experiment(folder, provider, address)
    write_files(folder, settings, provider, n_requests)
    importlib.import_module(PROVIDERS[provider].partition(":")[0]).warm_up()
    payload, rows = folder / "payload", folder.parent / f"{provider}.rows"
    up, down = payload.stat().st_size, rows.stat().st_size

    def put() -> int:
        curl("/dev/null", "-H", "Expect:", "-T", str(payload), f"{address}/v1/files")
        return up

    def get() -> int:
        kind = "files/x/content" if provider == "openai" else "messages/batches/x/results"
        curl(str(folder / "curl.rows"), f"{address}/v1/{kind}")
        return down

    def create() -> int:
        make_provider(settings, "m").create(payload, key="a" * 64, metadata=LABELS)
        return up

    def fetch() -> int:
        make_provider(settings, "m").fetch("batch_0", folder / "fetched.rows")
        return down

    for label, plain, call in (("create", put, create), ("fetch", get, fetch)):
        floor = best(plain)
        show("curl", floor)
        show(f"{provider}: {label}", best(call), floor)
    options = ["--run", str(settings.run_root), "--trial", settings.trials[0].name]
    options += ["--requests", str(settings.run_root / "requests.jsonl")]
    batches, replies = (str(settings.run_root / name) for name in ("batches.json", "replies.jsonl"))
    show(f"phase submit, {provider}", measured(lambda: submit.main([*options, "--out", batches]) or up))
    files = ["--batches", batches, "--out", replies]
    show(f"phase poll, {provider}", measured(lambda: poll.main([*options, *files]) or down))


def main(n_requests: int) -> None:
    """Print the figures."""
    os.environ.update(KEYS)
    folder = Path(tempfile.mkdtemp(prefix="trialmake-bench-"))
    try:
        with serving(Service(folder, n_requests)) as address:
            print(f"{datetime.date.today()}, {n_requests:,} requests")
            print(f"{'':<28}{'MB':>6}{'seconds':>9}{'cpu':>9}{'peak MB':>9}{'ratio':>8}")
            for provider in MODELS:
                measure(folder / provider, provider, address, n_requests)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)

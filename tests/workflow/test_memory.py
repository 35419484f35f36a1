"""Memory of the phases that handle every request: bounded, however many requests there are."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.files import PROJECT_ROOT

PROGRAM = textwrap.dedent("""
    import os, resource, sys
    from pathlib import Path
    from tests.fakes.sending_fakes import make_settings
    from scripts import build, parse, poll, prepare, submit

    root, n_items = Path(sys.argv[1]), int(sys.argv[2])
    settings = make_settings(root, n_items=n_items, model={"errored": 0.002})
    trial = settings.trials[0].name
    run = str(settings.run_root)
    common = ["--run", run, "--trial", trial]
    requests = str(root / "requests.jsonl")
    batches, replies = str(root / "batches.json"), str(root / "replies.jsonl")
    datasets = settings.run_root / "datasets"
    datasets.mkdir()
    prepared = str(datasets / "d.parquet")
    # In a child of its own: the ids of a dataset are held while it is checked.
    child = os.fork()
    if child == 0:
        code = prepare.main(
            ["--run", run, "--dataset", "d", "--source", str(root / "items.jsonl"), "--out", prepared]
        )
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    build.main([*common, "--prepared", prepared, "--out", requests])
    submit.main([*common, "--requests", requests, "--out", batches])
    poll.main([*common, "--requests", requests, "--batches", batches, "--out", replies])
    parse.main([*common, "--requests", requests, "--replies", replies, "--out", str(root / "o.parquet")])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
""")


def peak_mib(folder, n_items, program=PROGRAM):
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(n_items)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.slow
def test_fifty_thousand_requests_need_little_more_memory_than_five_thousand(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        few, many = pool.map(peak_mib, (tmp_path / "few", tmp_path / "many"), (5_000, 50_000))
    assert many - few < 40, f"{few:.0f} MiB for 5,000 requests, {many:.0f} MiB for 50,000"


SCORING = textwrap.dedent("""
    import itertools, os, resource, sys
    from pathlib import Path
    import pyarrow as pa, pyarrow.parquet as pq
    from tests.fakes.sending_fakes import make_settings
    from scripts import score
    from scripts.experiment.datasets import item_row, prepared_schema
    from scripts.parse import outcomes_schema
    from scripts.records import Item

    def write(path, rows, schema):
        with pq.ParquetWriter(path, schema) as writer:
            while chunk := list(itertools.islice(rows, 4096)):
                writer.write_table(pa.Table.from_pylist(chunk, schema=schema))

    def make_item(n):
        answers = f"answer {n}", f"the {n}th"
        return Item(f"q{n}", f"Question {n}?", answers, context=f"On {n}: " + "so " * 150)

    def make_outcome(n):
        where = {"dataset": "d", "item_id": f"q{n}", "replicate": 0}
        return {**where, "outcome": "answered", "text": f"Answer {n}"}

    root, n_items = Path(sys.argv[1]), int(sys.argv[2])
    settings = make_settings(root, n_items=1)
    prepared, outcomes = root / "d.parquet", root / "outcomes.parquet"
    child = os.fork()  # what makes the files is not measured
    if child == 0:
        write(prepared, (item_row(make_item(n)) for n in range(n_items)), prepared_schema())
        write(outcomes, map(make_outcome, range(n_items)), outcomes_schema())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    files = ["--outcomes", str(outcomes), "--prepared", str(prepared), "--out", str(root / "scores.parquet")]
    score.main(["--run", str(settings.run_root), "--trial", settings.trials[0].name, *files])
    assert pq.read_metadata(root / "scores.parquet").num_rows == n_items
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
""")


@pytest.mark.slow
def test_scoring_forty_thousand_items_needs_little_more_memory_than_four_thousand(tmp_path):
    few, many = (peak_mib(tmp_path / str(n), n, program=SCORING) for n in (4_000, 40_000))
    assert many - few < 40, f"{few:.0f} MiB for 4,000 items, {many:.0f} MiB for 40,000"

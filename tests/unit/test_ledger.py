"""The command that shows a ledger: true totals, and nothing touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.experiment.settings import dump_config
from scripts.files import PROJECT_ROOT
from scripts.ledger import describe_ledger, main, render
from scripts.money.ledger import STATES, Ledger
from scripts.run.command_line import make_console
from scripts.run.looks import record_look
from tests.fakes.small_experiments import SmallExperiment


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its content and time."""
    return {
        str(path): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def plan(ledger: Ledger, *, n_requests: int = 2, attempt: int = 1) -> str:
    keys = ledger.folder / "keys.tmp"
    keys.write_text("k\n" * n_requests)
    return ledger.plan(attempt=attempt, keys=keys, n_requests=n_requests)


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    """A run with a shard in every situation."""
    root = tmp_path / "experiments"
    folder = root / "run_x" / "ledger"
    with Ledger(folder / "alpha") as ledger:
        done = plan(ledger, n_requests=1000)
        ledger.record("intent", done, key="k1", model="sim", reserved_usd=0.3)
        ledger.record("submitted", done, batch_id="batch_1")
        ledger.record("terminal", done, status="expired")
        ledger.record("reconciled", done, cost_usd=0.1)
        going = plan(ledger, n_requests=5, attempt=2)
        ledger.record("intent", going, key="k2", model="sim", reserved_usd=0.2)
        ledger.record("submitted", going, batch_id="batch_2")
    with Ledger(folder / "beta") as ledger:
        refused = plan(ledger)
        ledger.record("intent", refused, key="k3", model="sim", reserved_usd=9.0)
        ledger.record("refused", refused, error="[red]no such model[/red]")
        plan(ledger, n_requests=7)
        unpriced = plan(ledger, n_requests=3)
        ledger.record("intent", unpriced, key="k4", model="sim", reserved_usd=None)
    return root


def test_totals_count_what_was_sent_and_nothing_else(experiments: Path) -> None:
    totals = describe_ledger(experiments / "run_x")["totals"]
    assert totals == {
        "n_shards": 5,
        "n_sent": 3,
        "n_requests_sent": 1008,
        "n_in_flight": 2,
        "n_requests_in_flight": 8,
        "n_requests_reused": 0,
        "n_refused": 1,
        "spent_usd": 0.1,
        "reserved_usd": 0.2,
        "n_without_price": 1,
    }


def test_the_page_fits_80_columns_and_says_what_happened(
    experiments: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--run_id", "x", "--experiments_dir", str(experiments)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for part in ("alpha", "reconciled,", "expired", "$0.10", "≤ $0.20", "batch_2"):
        assert part in text
    assert "s0001: [red]no such model[/red]" in text
    assert "1,008 requests sent in 3 of 5 shards, 8 of them in flight." in text
    assert "9.00" not in text  # what was refused is not reserved


def test_answers_taken_from_another_run_are_neither_sent_nor_paid_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(tmp_path / "run_x" / "ledger" / "alpha") as ledger:
        reused = plan(ledger, n_requests=4)
        ledger.record("downloaded", reused, batch_id="b1", status="done", reused_from="run_a/alpha/s0001")
        ledger.record("reconciled", reused, cost_usd=0.0)
    main(["--run_id", "x", "--experiments_dir", str(tmp_path)])
    said = " ".join(capsys.readouterr().out.split())
    assert "run_a/alpha/s0001" in said
    assert "0 requests sent in 0 of 1 shard" in said
    assert "4 answers taken over from other trials or runs, paid for there." in said


def test_json_has_every_shard(experiments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--run_id", "x", "--experiments_dir", str(experiments), "--json"])
    ledger = json.loads(capsys.readouterr().out)
    assert [(shard["trial"], shard["shard"], shard["state"]) for shard in ledger["shards"]] == [
        ("alpha", "s0001", "reconciled"),
        ("alpha", "s0002", "submitted"),
        ("beta", "s0001", "refused"),
        ("beta", "s0002", "planned"),
        ("beta", "s0003", "intent"),
    ]
    assert ledger["shards"][0]["submitted_at"] <= ledger["shards"][0]["updated_at"]
    assert ledger["shards"][4]["submitted_at"] is None


def test_nothing_is_written_even_where_a_line_is_torn(experiments: Path) -> None:
    with (experiments / "run_x" / "ledger" / "alpha" / "events.jsonl").open("a") as handle:
        handle.write('{"event":"termi')
    before = tree(experiments)
    main(["--run_id", "x", "--experiments_dir", str(experiments)])
    assert tree(experiments) == before


def test_the_ledger_is_a_command(experiments: Path) -> None:
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "scripts.ledger",
            "--run_id",
            "x",
            "--experiments_dir",
            str(experiments),
            "--json",
        ],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout) == describe_ledger(experiments / "run_x")


def test_a_run_that_has_sent_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run_x").mkdir()
    assert main(["--run_id", "x", "--experiments_dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == "Nothing was sent."


def test_an_unknown_run_and_a_broken_ledger_end_with_a_message(
    experiments: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--run_id", "y", "--experiments_dir", str(experiments)])
    assert ended.value.code == 2
    assert "there is no run 'y'" in capsys.readouterr().err
    (experiments / "run_x" / "ledger" / "alpha" / "events.jsonl").write_text("{}\n{}\n")
    with pytest.raises(SystemExit) as ended:
        main(["--run_id", "x", "--experiments_dir", str(experiments)])
    assert ended.value.code == 2
    assert "events.jsonl, line 1: is not an event" in capsys.readouterr().err


AMOUNT = st.none() | st.floats(0, 100)
EVENTS = st.lists(st.tuples(st.sampled_from(STATES[1:]), AMOUNT, AMOUNT), min_size=1, max_size=6)


@given(histories=st.lists(EVENTS, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_totals_agree_with_the_shards_whatever_their_history(
    tmp_path_factory: pytest.TempPathFactory, histories: list[list[tuple[Any, ...]]]
) -> None:
    run_root = tmp_path_factory.mktemp("run")
    with Ledger(run_root / "ledger" / "t") as ledger:
        for events in histories:
            shard = plan(ledger)
            for event, reserved, cost in events:
                ledger.record(event, shard, reserved_usd=reserved, cost_usd=cost)
    told = describe_ledger(run_root)
    live = [shard for shard in told["shards"] if shard["state"] not in {"planned", "refused"}]
    costs = [shard["cost_usd"] for shard in live if shard["cost_usd"] is not None]
    assert told["totals"]["n_requests_sent"] == 2 * len(live)
    assert told["totals"]["spent_usd"] == (pytest.approx(sum(costs)) if costs else None)
    assert told["totals"]["n_shards"] == len(histories)


def test_a_run_that_stopped_early_says_when_it_was_seen_and_what_was_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = SmallExperiment(tmp_path)
    loaded = small.load(limit_items=2)
    paths = loaded.paths
    paths.root.mkdir(parents=True)
    paths.effective_config.write_text(dump_config(loaded))
    with Ledger(paths.ledger("alpha")) as ledger:
        shard = plan(ledger, n_requests=2)
        ledger.record("intent", shard, key="k", model="sim", reserved_usd=0.3)
        ledger.record("submitted", shard, batch_id="b")
        ledger.record("terminal", shard, status="done")
        ledger.record("reconciled", shard, cost_usd=0.5)
    record_look(paths, n_questions=2, n_requests=2, at="2026-01-01T12:00:00.000+00:00")

    described = describe_ledger(paths.root)
    assert described["not_asked"] == {"n_questions": 1, "n_available": 3, "usd": 0.25}
    make_console().print(render(described))

    shown = " ".join(capsys.readouterr().out.split())
    assert "Results seen: 2026-01-01 12:00 (2 questions)." in shown
    assert "1 question of 3 not asked (limit_items), which saved about $0.25." in shown


def test_a_run_without_a_limit_left_nothing_out(experiments: Path) -> None:
    described = describe_ledger(experiments / "run_x")
    assert (described["looks"], described["not_asked"]) == ([], None)

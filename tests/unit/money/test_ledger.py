from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from scripts.errors import DataError, StateError
from scripts.money import ledger as ledger_module
from scripts.money.ledger import Ledger, read_shards, write_keys


def plan(ledger, keys=("k1", "k2"), attempt=1):
    write_keys(ledger.folder / "keys.tmp", keys)
    return ledger.plan(attempt=attempt, keys=ledger.folder / "keys.tmp", n_requests=len(keys))


def test_events_add_up_to_what_is_known_of_a_shard(tmp_path):
    with Ledger(tmp_path / "t") as ledger:
        shard = plan(ledger)
        assert not ledger.shards[shard].is_live
        ledger.record("intent", shard, key="abc", model="m", reserved_usd=0.5)
        assert ledger.shards[shard].is_in_flight
        ledger.record("submitted", shard, batch_id="b1")
        ledger.record("terminal", shard, status="done", raw="completed", error=None)
        assert not ledger.shards[shard].is_in_flight
        ledger.record("downloaded", shard, sha256="0")
        ledger.record("reconciled", shard, cost_usd=0.25)
        before = dict(ledger.shards)
        assert list(ledger.read_keys(shard)) == ["k1", "k2"]
    assert read_shards(tmp_path / "t" / "events.jsonl") == before
    entry = before[shard]
    assert (entry.key, entry.batch_id, entry.model) == ("abc", "b1", "m")
    assert (entry.cost_usd, entry.reserved_usd, entry.status) == (0.25, 0.5, "done")
    assert entry.submitted_at <= entry.at


def test_a_torn_last_line_counts_as_not_written_and_is_cut(tmp_path):
    with Ledger(tmp_path / "t") as ledger:
        shard = plan(ledger)
        ledger.record("intent", shard, key="abc")
    with ledger.path.open("ab") as handle:
        handle.write(b'{"event":"submitted","sha')
    assert read_shards(ledger.path)[shard].state == "intent"
    with Ledger(tmp_path / "t") as ledger:
        assert ledger.shards[shard].state == "intent"
        ledger.record("submitted", shard, batch_id="b1")
    assert read_shards(ledger.path)[shard].batch_id == "b1"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b"",
        b"\xff\xfe",
        b'{"event":"intent","shard":"s0009","at":"x"}',
        b'{"event":"celebrated","shard":"s0001","at":"x"}',
        b'{"event":"planned","shard":"s0002"}',
    ],
)
def test_a_broken_line_in_the_middle_is_an_error_that_names_it(tmp_path, line):
    with Ledger(tmp_path / "t") as ledger:
        plan(ledger)
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content + line + b"\n" + content)
    with pytest.raises(DataError, match=r"events\.jsonl, line 2: is not an event of the ledger"):
        Ledger(tmp_path / "t").__enter__()
    with pytest.raises(DataError), Ledger(tmp_path / "t"):  # and the lock was given back
        pass


def test_carriage_returns_do_not_matter(tmp_path):
    with Ledger(tmp_path / "t") as ledger:
        plan(ledger)
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"\n", b"\r\n"))
    with Ledger(tmp_path / "t") as ledger:
        assert list(ledger.shards) == ["s0001"]


def test_a_second_process_is_refused_while_the_first_holds_the_ledger(tmp_path, monkeypatch):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from scripts.money.ledger import Ledger
        with Ledger(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
    """)
    monkeypatch.setattr(ledger_module, "LOCK_PATIENCE_S", 0.3)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "t")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateError, match="another process is sending or polling this trial"):
            Ledger(tmp_path / "t").__enter__()
        holder.stdin.close()
        holder.wait()
    with Ledger(tmp_path / "t"):
        pass


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    for name in ("payload.tmp", "keys.tmp", ".keys.tmp.1-2.tmp", "s0001.replies.tmp"):
        (folder / name).write_text("half")
    with Ledger(folder):
        assert [path.name for path in folder.iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize("lines", ["k1\n", "", "k1\nk2\nk3\n", None])
def test_a_list_of_keys_that_is_not_whole_stops_everything(tmp_path, lines):
    with Ledger(tmp_path / "t") as ledger:
        shard = plan(ledger)
        if lines is None:
            ledger.keys_path(shard).unlink()
        else:
            ledger.keys_path(shard).write_text(lines)
        with pytest.raises(DataError, match="request keys, but 2 were sent"):
            list(ledger.read_keys(shard))


FULL_DISK = textwrap.dedent("""
    import resource, signal, sys
    from pathlib import Path
    from scripts.errors import StateError
    from scripts.money.ledger import Ledger, write_keys
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Ledger(Path(sys.argv[1])) as ledger:
        write_keys(ledger.folder / "keys.tmp", ["k1"])
        shard = ledger.plan(attempt=1, keys=ledger.folder / "keys.tmp", n_requests=1)
        size = ledger.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
        try:
            ledger.record("intent", shard, key="a" * 64)
        except StateError as error:
            print(error)
        assert ledger.shards[shard].state == "planned"
        assert ledger.path.stat().st_size == size
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        ledger.record("intent", shard, key="b" * 64)
""")


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "t")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the ledger cannot be written" in done.stdout
    assert "Free some space on the disk" in done.stdout
    entry = read_shards(tmp_path / "t" / "events.jsonl")["s0001"]
    assert (entry.state, entry.key) == ("intent", "b" * 64)


def test_every_event_is_synced_before_record_returns(tmp_path, monkeypatch):
    calls = []
    real_write, real_sync = os.write, os.fsync
    with Ledger(tmp_path / "t") as ledger:
        shard = plan(ledger)
        monkeypatch.setattr(os, "write", lambda *a: (calls.append("write"), real_write(*a))[1])
        monkeypatch.setattr(os, "fsync", lambda *a: (calls.append("fsync"), real_sync(*a))[1])
        ledger.record("intent", shard, key="a")
        assert calls == ["write", "fsync"]


def test_text_that_is_not_valid_unicode_is_kept_as_escapes(tmp_path):
    with Ledger(tmp_path / "t") as ledger:
        shard = plan(ledger)
        ledger.record("refused", shard, error="half \ud800 pair\nnext line")
    assert json.loads(ledger.path.read_bytes().splitlines()[-1])["error"] == "half \ud800 pair\nnext line"
    assert read_shards(ledger.path)[shard].state == "refused"

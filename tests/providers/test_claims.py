"""A payment is known by its request's key: no other name, trial or run pays for it again."""

from __future__ import annotations

import threading

import pytest

from scripts.errors import ProviderError
from scripts.money.books import read_books
from scripts.money.ledger import Ledger, read_shards
from tests.providers.batch_peers import PEERS, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import peer_settings, run


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


def make(peer, server, root, *prompts, **options):
    """One trial for each prompt, all with the same text."""
    texts = {name: {"user": str(root / "user.md")} for name in prompts or ("p",)}
    sweep = {"model": ["m"], "prompt": list(texts)}
    return peer_settings(peer, server, root, prompts=texts, trials={"sweep": sweep}, **options)


def entries(settings, name):
    return list(read_shards(settings.run_root / "ledger" / name / "events.jsonl").values())


def run_at_once(*jobs):
    """Run functions in threads; what they return, in order."""
    results = [None] * len(jobs)

    def call(place, job):
        results[place] = job()

    threads = [threading.Thread(target=call, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_billed_once(server, n=4):
    assert len(server.billed) == len(set(server.billed)) == n


@pytest.mark.parametrize("phases", [("submit",), ("submit", "poll")])
def test_a_prompt_that_is_renamed_is_not_paid_again(peer, server, tmp_path, phases):
    """Also in flight: then nobody else collects what was sent under the old name."""
    old = make(peer, server, tmp_path, "old")
    run(old, phases=phases)
    new = make(peer, server, tmp_path, "new")
    rows = run(new)
    assert len(rows) == 4
    assert all(row["is_reused"] for row in rows)
    assert_billed_once(server)
    (paid,), (taken,) = (entries(each, each.trials[0].name) for each in (old, new))
    assert (paid.state, paid.cost_usd > 0) == ("reconciled", True)
    assert (taken.state, taken.cost_usd) == ("reconciled", 0)
    assert taken.reused_from == f"run_r/{old.trials[0].name}/s0001"
    books = read_books(new.paths.ledgers)
    assert (float(books.spent_usd), books.reserved_usd) == (paid.cost_usd, None)
    assert run(new) == rows


def test_a_model_that_is_renamed_is_not_paid_again(peer, server, tmp_path):
    model = {"provider": peer.name, "model": peer.model}
    run(peer_settings(peer, server, tmp_path))
    trials = {"sweep": {"model": ["other"], "prompt": ["p"]}}
    renamed = peer_settings(peer, server, tmp_path, models={"other": model}, trials=trials)
    assert len(run(renamed)) == 4
    assert_billed_once(server)


def test_two_trials_that_ask_the_same_at_once_pay_once(peer, server, tmp_path):
    settings = make(peer, server, tmp_path, "a", "b", "c")
    jobs = [lambda name=trial.name: run(settings, name=name) for trial in settings.trials]
    results = run_at_once(*jobs)
    assert [len(rows) for rows in results] == [4, 4, 4]
    assert_billed_once(server)


def test_a_trial_with_more_questions_pays_for_those_only(peer, server, tmp_path):
    settings = make(peer, server, tmp_path, "a", "b")
    first, second = (trial.name for trial in settings.trials)
    run(settings, phases=["submit"], name=first)
    assert len(run(settings, name=second, n=6)) == 6
    assert len(run(settings, name=first)) == 4
    assert_billed_once(server, 6)


def test_two_runs_at_once_that_share_a_store_pay_once(peer, server, tmp_path):
    runs = [make(peer, server, tmp_path, run_id=name, reuse="store") for name in ("one", "two")]
    results = run_at_once(*(lambda settings=each: run(settings) for each in runs))
    assert [len(rows) for rows in results] == [4, 4]
    assert_billed_once(server)


def test_a_run_collects_what_another_one_sent_and_left(peer, server, tmp_path):
    one, two = (make(peer, server, tmp_path, run_id=name, reuse="store") for name in ("one", "two"))
    run(one, phases=["submit"])
    assert len(run(two)) == 4
    assert len(run(one)) == 4
    assert_billed_once(server)


def test_runs_that_share_nothing_pay_for_themselves(peer, server, tmp_path):
    for name in ("one", "two"):
        run(make(peer, server, tmp_path, run_id=name))
    assert len(server.batches) == 2


def test_what_failed_for_one_trial_is_sent_once_more_for_both(peer, server, tmp_path):
    from test_unread_results import ROWS, WORDS

    answer, _ = ROWS[peer.name]
    server.statuses = [WORDS[peer.name][1]]
    server.finish = lambda rows: ([answer(row) for row in (rows[:2] if len(rows) > 2 else rows)], [])
    settings = make(peer, server, tmp_path, "a", "b")
    results = run_at_once(*(lambda name=trial.name: run(settings, name=name) for trial in settings.trials))
    assert [len(asked) for asked in server.asked.values()] == [4, 2]
    assert [len(rows) for rows in results] == [6, 6]


def test_what_somebody_else_was_to_send_and_did_not_is_sent(peer, server, tmp_path):
    settings = make(peer, server, tmp_path, "a", "b")
    first, second = (trial.name for trial in settings.trials)
    run(settings, phases=["submit"], name=first)
    run(settings, phases=["submit"], name=second)
    assert [entry.state for entry in entries(settings, second)] == ["claimed"]
    with Ledger(settings.run_root / "ledger" / first) as ledger:
        ledger.record("refused", "s0001", error="turned away")
    server.batches.clear()
    server.asked.clear()
    if peer.name == "together":
        server.files.clear()
    assert len(run(settings, phases=["poll"], name=second)) == 4
    assert_billed_once(server)


def test_a_claim_that_comes_to_nothing_can_be_given_up(peer, server, tmp_path):
    settings = make(peer, server, tmp_path, "a", "b")
    first, second = (trial.name for trial in settings.trials)
    run(settings, phases=["submit"], name=first)
    run(settings, phases=["submit"], name=second)
    server.faults["look"] = [Fault(status=403, times=99)]
    with pytest.raises(ProviderError, match="it is paid and goes on") as told:
        run(settings, phases=["poll"], name=second)
    assert f"resubmit: [{second}/s0001]" in told.value.fix
    server.faults["look"] = []
    assert len(run(settings, phases=["poll"], name=second)) == 4
    assert_billed_once(server)

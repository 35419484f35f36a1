"""Results that are late, cut or not to be had: what is paid is collected or asked about, never paid again."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from scripts.errors import ProviderError
from scripts.money.books import read_books
from scripts.money.ledger import Ledger
from tests.providers import fireworks_replies, mistral_server, openai_server, together_server
from tests.providers.batch_peers import PEERS, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import peer_settings, run

WORDS = {
    "openai": ("completed", "expired", "cancelled"),
    "together": ("COMPLETED", "EXPIRED", "CANCELLED"),
    "mistral": ("SUCCESS", "TIMEOUT_EXCEEDED", "CANCELLED"),
    "fireworks": ("JOB_STATE_COMPLETED", "JOB_STATE_EXPIRED", "JOB_STATE_CANCELLED"),
}
"""How a batch ends: all is done, its time was up, somebody cancelled it."""

COUNTING = [name for name in PEERS if name != "together"]
"""Who counts what is done."""

ROWS = {
    "openai": (openai_server.answer, openai_server.expired),
    "together": (together_server.answer, functools.partial(together_server.failed, code="500")),
    "mistral": (mistral_server.answer, functools.partial(mistral_server.failed, status=500)),
    "fireworks": (fireworks_replies.answer, functools.partial(fireworks_replies.failed, code=503)),
}


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


@pytest.fixture
def settings(peer, server, tmp_path):
    return peer_settings(peer, server, tmp_path)


def shards(settings):
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        return list(ledger.shards.values())


def assert_collected_once(settings, server, n=4):
    assert len(run(settings, n=n)) == n
    assert (len(server.billed), len(server.batches)) == (n, 1)
    assert all(entry.cost_usd > 0 for entry in shards(settings))


@pytest.mark.parametrize("n_looks", [1, 3, 6])
def test_files_that_are_named_late_are_waited_for(settings, server, n_looks):
    server.looks_until_named = n_looks
    assert_collected_once(settings, server)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("lines", [0, 7])
def test_a_download_that_ends_unnoticed_is_made_again(settings, server, times, lines):
    server.faults["download"] = [Fault(lines=lines, times=times)]
    assert_collected_once(settings, server, n=14)


NEVER = [Fault(lines=2, times=999), Fault(status=404, times=999), Fault(cut_after=60, times=999)]


@pytest.mark.parametrize("fault", NEVER, ids=repr)
def test_results_that_never_come_whole_end_in_a_question(settings, server, fault):
    run(settings, phases=["submit"])
    server.faults["download"] = [dataclasses.replace(fault)]
    for _ in range(2):
        with pytest.raises(ProviderError, match="is paid and cannot be collected") as told:
            run(settings, phases=["poll"])
        assert f"resubmit: [{settings.trials[0].name}/s0001]" in told.value.fix
        assert str(shards(settings)[0].batch_id) in told.value.what
    server.faults["download"] = []
    assert_collected_once(settings, server)


def test_a_batch_that_is_done_and_names_no_file_ends_in_a_question(settings, server):
    server.looks_until_named = 999
    with pytest.raises(ProviderError, match="hold 0 of"):
        run(settings)
    server.looks_until_named = 0
    assert_collected_once(settings, server)


@pytest.mark.parametrize("peer", COUNTING, indirect=True)
@pytest.mark.parametrize("end", [1, 2])
def test_fewer_rows_than_are_done_by_the_providers_count_end_in_a_question(peer, settings, server, end):
    answer, _ = ROWS[peer.name]
    server.statuses = [WORDS[peer.name][end]]
    server.finish = lambda rows: ([answer(row) for row in rows[:2]], [])
    server.miscount = 1
    with pytest.raises(ProviderError, match="hold 2 of the 3 requests that it says are done"):
        run(settings)
    assert len(server.batches) == 1


def test_what_was_not_done_when_the_time_was_up_is_sent_again(peer, settings, server):
    answer, _ = ROWS[peer.name]
    server.statuses = [WORDS[peer.name][1]]
    server.finish = lambda rows: ([answer(row) for row in (rows[:2] if len(rows) > 2 else rows)], [])
    assert len(run(settings)) == 6
    assert [len(asked) for asked in server.asked.values()] == [4, 2]


@pytest.mark.parametrize("resends", [False, True])
def test_what_a_person_cancelled_is_sent_again_only_if_the_configuration_says_so(
    peer, server, tmp_path, resends
):
    settings = peer_settings(peer, server, tmp_path, resend_cancelled=resends, max_error_rate=0.1)
    answer, fail = ROWS[peer.name]
    server.statuses = [WORDS[peer.name][2]]
    server.finish = lambda rows: (
        ([], [fail(rows[0])]) if len(server.batches) == 1 else (list(map(answer, rows)), [])
    )
    if resends:
        assert len(run(settings)) == 8
    else:
        with pytest.raises(ProviderError, match="4 of 4 requests failed") as told:
            run(settings)
        assert f"providers.{peer.name}.resend_cancelled: true" in told.value.fix
    assert len(server.batches) == 1 + resends


@pytest.mark.parametrize("peer", PEERS, indirect=True)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_answer_wins_over_a_failed_row_of_the_same_request(peer, settings, server, is_first):
    answer, fail = ROWS[peer.name]

    def finish(rows):
        pair = [fail(rows[0]), answer(rows[0])]
        return [*(pair if is_first else pair[::-1]), *map(answer, rows[1:])], []

    server.finish = finish
    rows = run(settings)
    assert len(rows) == 4
    assert len(server.batches) == 1


NOTHING = [b"null", b"[]", b"{}", b"7", b'"x"', b"<html>", b""]


@pytest.mark.parametrize("body", NOTHING)
def test_an_answer_that_describes_no_batch_is_looked_at_again(settings, server, body):
    server.faults["look"] = [Fault(body=body, times=3)]
    assert_collected_once(settings, server)


@pytest.mark.parametrize("body", NOTHING)
def test_an_answer_that_never_describes_a_batch_is_an_error_and_not_a_busy_day(settings, server, body):
    run(settings, phases=["submit"])
    server.faults["look"] = [Fault(body=body, times=999)]
    with pytest.raises(ProviderError, match=r"cannot be collected: batch .* cannot be read"):
        run(settings, phases=["poll"])
    server.faults["look"] = []
    assert_collected_once(settings, server)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_look_says_that_a_paid_batch_goes_on_and_how_to_collect_it(peer, settings, server, status):
    run(settings, phases=["submit"])
    server.faults["look"] = [Fault(status=status)]
    with pytest.raises(ProviderError, match="it is paid and goes on at the provider") as told:
        run(settings, phases=["poll"])
    assert peer.variable in told.value.fix
    assert "run the same command again: it collects the batch" in told.value.fix
    assert "othing was started" not in str(told.value)
    assert_collected_once(settings, server)


def test_what_the_user_gives_up_is_sent_again_and_stays_reserved(peer, server, tmp_path):
    settings = peer_settings(peer, server, tmp_path)
    server.faults["download"] = [Fault(lines=2, times=999)]
    with pytest.raises(ProviderError, match="cannot be collected"):
        run(settings)
    settings.config["resubmit"] = [f"{settings.trials[0].name}/s0001"]
    real = server.finish

    def finish_again(rows):
        if len(server.batches) > 1:
            server.faults["download"] = []
        return real(rows)

    server.finish = finish_again
    assert len(run(settings)) == 6
    assert [len(asked) for asked in server.asked.values()] == [4, 2]
    first, second = shards(settings)
    assert (first.n_unread, first.cost_usd, first.is_given_up) == (2, None, True)
    books = read_books(settings.paths.ledgers)
    assert float(books.reserved_usd) == first.reserved_usd > 0
    assert float(books.spent_usd) == second.cost_usd > 0

"""One request before the first batch: refused at once what would be refused a day later, and paid once."""

from __future__ import annotations

import json

import pytest

from scripts.dispatch import preflight
from scripts.errors import PipelineError, ProviderError
from scripts.ledger import describe_ledger, render
from scripts.money.books import read_books
from scripts.money.ledger import Ledger
from scripts.run.command_line import make_console
from scripts.status import describe_run
from tests.fakes.sending_fakes import Killed
from tests.providers.anthropic_experiments import (  # noqa: F401 - a fixture
    Bench,
    service_fixture,
)
from tests.providers.batch_peers import PEERS, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import peer_settings, run

REJECTED = (400, 413, 422)


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


@pytest.fixture(autouse=True)
def short_rests(monkeypatch):
    monkeypatch.setattr(preflight, "FIRST_REST_S", 0.01)


@pytest.fixture
def settings(peer, server, tmp_path):
    return make(peer, server, tmp_path)


def make(peer, server, folder, **extra):
    """Settings with the question, and a price at which it costs 10 * 1 + 2 * 2 millionths."""
    prices = {peer.model: {"input": 1, "output": 2}}
    return peer_settings(peer, server, folder, preflight=True, prices=prices, **extra)


def states(settings):
    return [entry.state for _, entry in read_books(settings.paths.ledgers).preflights]


def test_an_accepted_request_goes_ahead_of_the_batch_and_counts_as_money(settings, server):
    rows = run(settings, n=4)
    assert len(rows) == len(server.billed) == 4
    assert len(server.singles) == len(server.batches) == 1
    assert list(server.calls).index("ask") < list(server.calls).index("create")
    books = read_books(settings.paths.ledgers)
    (entry,) = (entry for _, entry in books.preflights)
    assert entry.state == "accepted"
    assert entry.cost_usd == pytest.approx(14e-6)  # the plain rates, without the discount of batches
    assert float(books.spent_usd) == pytest.approx(14e-6 + 4 * 7e-6)
    assert describe_run(settings.run_root)["spent_usd"] == pytest.approx(14e-6 + 4 * 7e-6)
    ledger = describe_ledger(settings.run_root)
    assert [shard["shard"] for shard in ledger["shards"]] == ["s0001"]
    assert ledger["totals"]["spent_usd"] == pytest.approx(14e-6 + 4 * 7e-6)
    console = make_console()
    with console.capture() as shown:
        console.print(render(ledger))
    assert "preflight p0001: accepted, $" in shown.get()


def test_it_is_sent_once_however_often_the_run_is_started_and_however_many_batches_go_out(
    peer, server, tmp_path
):
    settings = make(peer, server, tmp_path, max_requests=2)
    run(settings, n=4)
    run(settings, n=4)
    run(settings, n=8)
    assert len(server.singles) == 1
    assert len(server.batches) == 4


@pytest.mark.parametrize("status", REJECTED)
def test_a_rejected_request_fails_the_trial_and_no_batch_is_created(settings, server, status):
    server.faults["ask"] = [Fault(status=status, code="bad")]
    with pytest.raises(ProviderError, match="preflight refused: status") as told:
        run(settings)
    assert "a dial says so" in told.value.what
    assert "No batch was created" in told.value.fix
    assert "item 'q0' of d" in told.value.where
    assert (server.batches, server.billed, server.singles) == ({}, [], [])
    books = read_books(settings.paths.ledgers)
    assert (states(settings), books.spent_usd, books.reserved_usd) == (["rejected"], None, None)
    assert len(run(settings)) == 4  # asked again, as nothing had been sent
    assert (states(settings), len(server.singles)) == (["rejected", "accepted"], 1)


def test_a_model_that_is_not_there_is_a_rejection_although_it_is_a_404(settings, server):
    server.faults["ask"] = [Fault(status=404, code="model_not_found")]
    with pytest.raises(ProviderError, match="preflight refused: status 404"):
        run(settings)
    assert server.batches == {}


def test_a_wrong_key_is_told_as_ever(settings, server):
    server.key += "-other"
    with pytest.raises(ProviderError, match=r"status 40[13]") as told:
        run(settings)
    assert "_API_KEY" in told.value.fix
    assert server.batches == {}
    server.key = server.key.removesuffix("-other")


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_the_endpoint_gets_its_batch(settings, server, status):
    server.faults["ask"] = [Fault(status=status, is_bare=True)]
    assert len(run(settings)) == 4
    assert (states(settings), server.singles, len(server.batches)) == (["not_offered"], [], 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_provider_is_asked_again_and_then_the_batch_goes_out_without(settings, server, status):
    server.faults["ask"] = [Fault(status=status), Fault(status=status)]
    assert len(run(settings)) == 4
    assert states(settings) == ["busy", "busy", "accepted"]
    assert len(server.singles) == 1


def test_a_provider_that_stays_busy_does_not_hold_the_run_up(settings, server, capsys):
    server.faults["ask"] = [Fault(status=429, headers={"Retry-After": "0"}, times=99)]
    assert len(run(settings)) == 4
    assert (states(settings), server.singles) == (["busy"] * 3, [])
    assert "preflight skipped" in "".join(capsys.readouterr())
    assert len(server.batches) == 1


LOST = [Fault(is_done=True), Fault(status=502), Fault(status=408), Fault(body=b"<html>")]


@pytest.mark.parametrize("fault", LOST, ids=["cut", "502", "408", "unreadable"])
def test_a_lost_answer_may_be_paid_so_it_stays_reserved_and_is_not_asked_for_again(settings, server, fault):
    server.faults["ask"] = [fault]
    rows = run(settings)
    assert (len(rows), len(server.batches), server.calls["ask"]) == (4, 1, 1)
    assert states(settings) == ["lost"]
    reserved = read_books(settings.paths.ledgers).reserved_usd
    assert reserved is not None
    assert reserved > 0
    assert run(settings) == rows
    assert server.calls["ask"] == 1


def test_a_crash_before_its_answer_is_on_disk_is_not_followed_by_another(peer, settings, server, monkeypatch):
    real = peer.adapter.preflight

    def die(provider, request):
        real(provider, request)
        raise Killed

    monkeypatch.setattr(peer.adapter, "preflight", die)
    with pytest.raises(Killed):
        run(settings)
    assert (states(settings), server.batches) == (["intent"], {})
    monkeypatch.setattr(peer.adapter, "preflight", real)
    assert len(run(settings)) == 4
    assert (states(settings), len(server.singles), len(server.batches)) == (["intent"], 1, 1)
    reserved = read_books(settings.paths.ledgers).reserved_usd
    assert reserved is not None
    assert reserved > 0


def test_it_can_be_switched_off(peer, server, tmp_path):
    run(peer_settings(peer, server, tmp_path, preflight=False))
    assert server.calls["ask"] == 0
    assert len(server.batches) == 1


def test_it_is_on_unless_the_configuration_says_otherwise(peer, server, tmp_path):
    run(peer_settings(peer, server, tmp_path, preflight=None))
    assert len(server.singles) == 1


def test_a_batch_that_a_lost_folder_has_forgotten_is_taken_over_without_asking(settings, server):
    run(settings, phases=["submit"])
    ledger = next(settings.paths.ledgers.glob("*/events.jsonl"))
    ledger.unlink()
    n_asked = server.calls["ask"]
    run(settings)
    assert len(server.batches) == 1
    if "fireworks" in settings.config["providers"]:
        assert server.calls["ask"] == n_asked + 1  # its jobs are found only by starting them
    else:
        assert server.calls["ask"] == n_asked


def test_a_budget_that_the_request_would_pass_sends_nothing(peer, server, tmp_path):
    settings = make(peer, server, tmp_path, budget_usd=1e-9)
    with pytest.raises(PipelineError, match="of the run's"):
        run(settings)
    assert (server.calls["ask"], server.batches) == (0, {})


def test_shards_are_counted_without_it(settings, server):
    run(settings)
    with Ledger(next(settings.paths.ledgers.glob("*/events.jsonl")).parent) as ledger:
        assert list(ledger.shards) == ["s0001"]


# The one whose server has other dials.


@pytest.fixture
def bench(tmp_path, service):
    made = Bench(tmp_path, service)
    made.settings.config["providers"]["anthropic"]["preflight"] = True
    return made


def test_messages_accept(bench, service):
    (batch_id,) = bench.submit()
    bench.submit()
    assert bench.poll() == ["answered"] * 4
    assert (service.calls.count("ask"), list(service.batches)) == (1, [batch_id])
    (entry,) = (entry for _, entry in read_books(bench.settings.paths.ledgers).preflights)
    assert entry.state == "accepted"
    assert entry.cost_usd == pytest.approx((10 * 1 + 2 * 5) * 1e-6)  # plain rates of claude-haiku-4-5


def test_messages_reject(bench, service):
    service.faults = [("ask", "400 temperature: deprecated for this model")]
    with pytest.raises(ProviderError, match="temperature: deprecated for this model") as told:
        bench.submit()
    assert told.value.fix.startswith("The provider names temperature. No batch was created")
    assert (service.batches, service.singles) == ({}, [])


@pytest.mark.parametrize(
    ("fault", "n_times", "state"), [("529", 3, "busy"), ("502", 1, "lost"), ("drop", 1, "lost")]
)
def test_messages_that_tell_nothing_let_the_batch_go(bench, service, fault, n_times, state):
    service.faults = [("ask", fault)] * n_times
    assert len(bench.submit()) == 1
    assert service.calls.count("ask") == n_times
    assert states(bench.settings) == [state] * n_times


def test_no_file_of_a_run_shows_the_key(bench, service, tmp_path):
    service.faults = [("ask", "401 invalid x-api-key")]
    with pytest.raises(ProviderError, match="ANTHROPIC_API_KEY"):
        bench.submit()
    bench.submit()
    from tests.providers.anthropic_server import KEY

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("preflight" in path.read_text(errors="replace") for path in files)
    assert not any(KEY.encode() in path.read_bytes() for path in files)
    assert json.loads((tmp_path / "batches.json").read_text())["batches"]

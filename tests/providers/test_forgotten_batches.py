"""What the folder has forgotten, a provider remembers; other places know nothing; what broke off heals."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from scripts.dispatch import sender
from scripts.errors import ProviderError, UnknownOutcomeError
from scripts.money.ledger import Ledger
from tests.fakes.sending_fakes import Killed, events
from tests.providers.batch_peers import PEERS, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import peer_settings, run
from tests.providers.test_unread_results import ROWS, WORDS

LISTING = ["openai", "mistral", "together"]


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


@pytest.fixture
def settings(peer, server, tmp_path):
    return peer_settings(peer, server, tmp_path / "first")


def assert_billed_once(server, n=4):
    assert len(server.billed) == len(set(server.billed)) == n


@pytest.mark.parametrize("phases", [("submit",), ("submit", "poll")])
def test_a_folder_that_was_deleted_pays_nothing_twice(settings, server, phases):
    run(settings, phases=phases)
    shutil.rmtree(settings.run_root)
    assert len(run(settings)) == 4
    assert_billed_once(server)
    assert len(server.batches) == 1


def test_a_folder_that_was_restored_from_before_its_last_shards_pays_nothing_twice(peer, server, tmp_path):
    settings = peer_settings(peer, server, tmp_path, max_requests=1)
    (trial,) = settings.trials
    path = settings.run_root / "ledger" / trial.name / "events.jsonl"
    run(settings, phases=["submit"])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:7]))  # two shards are sent, of the third only the plan is there
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_a_refusal_before_the_first_batch_does_not_change_what_is_looked_for(settings, server):
    server.faults["create"] = [Fault(status=400)]
    with pytest.raises(ProviderError):
        run(settings)
    run(settings)
    shutil.rmtree(settings.run_root)
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_a_folder_that_was_copied_in_flight_pays_no_second_attempt_twice(peer, settings, server, tmp_path):
    answer, _ = ROWS[peer.name]
    server.statuses = [WORDS[peer.name][1]]
    server.finish = lambda rows: ([answer(row) for row in (rows[:2] if len(rows) > 2 else rows)], [])
    run(settings, phases=["submit"])
    shutil.copytree(tmp_path / "first" / "experiments", tmp_path / "second" / "experiments")
    copy = peer_settings(peer, server, tmp_path / "second")
    assert [len(run(each)) for each in (settings, copy)] == [6, 6]
    assert [len(asked) for asked in server.asked.values()] == [4, 2]


def test_a_run_of_another_name_gets_answers_of_its_own(peer, server, tmp_path):
    for run_id in ("one", "other"):
        run(peer_settings(peer, server, tmp_path, run_id=run_id))
    assert len(server.batches) == 2


@pytest.mark.parametrize("peer", LISTING, indirect=True)
def test_a_trial_asks_once_whatever_its_number_of_shards(peer, server, tmp_path):
    run(peer_settings(peer, server, tmp_path, max_requests=1), phases=["submit"])
    assert (server.calls["create"], server.calls["list"] + server.calls["list_files"]) == (4, 1)


@pytest.mark.parametrize("peer", LISTING, indirect=True)
def test_nothing_is_sent_before_the_provider_was_asked(peer, settings, server, monkeypatch):
    monkeypatch.setattr(peer.retries, 0)
    monkeypatch.setattr(sender, "MAX_TRIES", 2)
    call = "list_files" if peer.name == "together" else "list"
    server.faults[call] = [Fault(times=2)]
    with pytest.raises(ProviderError):
        run(settings)
    assert server.calls["create"] == 0
    assert len(run(settings)) == 4


@pytest.mark.parametrize("peer", LISTING, indirect=True)
def test_a_service_without_a_list_is_said_and_used(peer, settings, server, capsys):
    call = "list_files" if peer.name == "together" else "list"
    server.faults[call] = [Fault(status=404)]
    assert len(run(settings)) == 4
    assert "batches cannot be listed" in capsys.readouterr().err


# Other places.


def lose_call(peer, settings, server, monkeypatch):
    """A create call that is carried out, by a process that dies before it hears of it."""
    real = peer.adapter.create

    def create_and_die(*args, **options):
        real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(peer.adapter, "create", create_and_die)
        with pytest.raises(Killed):
            run(settings, phases=["submit"])


def test_at_another_address_nothing_counts_as_absent(peer, settings, server, monkeypatch):
    lose_call(peer, settings, server, monkeypatch)
    place = settings.config["providers"][peer.name]
    with peer.make_server().running() as elsewhere:
        place["base_url"] = elsewhere.url
        for phases in (["submit"], ["poll"]):
            with pytest.raises(UnknownOutcomeError, match="was sent to") as told:
                run(settings, phases=phases)
        assert server.url in told.value.what
        assert server.url in told.value.fix
        assert f"resubmit: [{settings.trials[0].name}/s0001]" in told.value.fix
        assert elsewhere.billed == []
    place["base_url"] = server.url
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_with_another_key_nothing_counts_as_absent(peer, settings, server, monkeypatch):
    lose_call(peer, settings, server, monkeypatch)
    key, batches = server.key, dict(server.batches)
    server.key = "planted-other-0000000"
    server.batches.clear()  # another account sees none of them
    monkeypatch.setenv(peer.variable, server.key)
    with pytest.raises(UnknownOutcomeError, match="was sent with another key") as told:
        run(settings)
    assert "Use that key again" in told.value.fix
    assert server.batches == {}
    server.key = key
    server.batches.update(batches)
    monkeypatch.setenv(peer.variable, key)
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_another_key_of_the_same_account_finds_the_batch(peer, settings, server, monkeypatch):
    lose_call(peer, settings, server, monkeypatch)
    server.key = "planted-other-0000000"
    monkeypatch.setenv(peer.variable, server.key)
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_a_ledger_of_an_earlier_version_tells_of_a_change_by_its_service(peer, settings, server, monkeypatch):
    lose_call(peer, settings, server, monkeypatch)
    (trial,) = settings.trials
    path = settings.run_root / "ledger" / trial.name / "events.jsonl"
    text = path.read_text()
    for name in ("provider", "address", "account", "provider_at"):
        text = text.replace(f'"{name}":', f'"x_{name}":')
    path.write_text(text)
    with peer.make_server().running() as elsewhere:
        settings.config["providers"][peer.name]["base_url"] = elsewhere.url
        with pytest.raises(UnknownOutcomeError, match="with other settings"):
            run(settings)
    settings.config["providers"][peer.name]["base_url"] = server.url
    assert len(run(settings)) == 4
    assert_billed_once(server)


@pytest.mark.parametrize("skew_s", [-90_000, -3600, 3600, 90_000])
def test_a_providers_clock_that_was_set_hides_no_batch(peer, settings, server, monkeypatch, skew_s):
    server.skew_s = skew_s
    lose_call(peer, settings, server, monkeypatch)
    server.skew_s = 0.0
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_the_intent_says_where_and_when_by_the_providers_clock(peer, settings, server, monkeypatch):
    server.skew_s = -7200.0
    lose_call(peer, settings, server, monkeypatch)
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        (entry,) = ledger.shards.values()
    assert (entry.provider, len(entry.account)) == (peer.name, 12)
    assert entry.address.startswith(server.url)
    if entry.provider_at is not None:
        assert entry.provider_at < entry.at


# What breaks off at the create call.


@pytest.mark.parametrize("status", [500, 502, 503, 529])
@pytest.mark.parametrize("is_done", [False, True])
def test_a_create_call_that_fails_heals_within_the_run(settings, server, status, is_done):
    server.faults["create"] = [Fault(status=status, is_done=is_done)]
    assert len(run(settings)) == 4
    assert_billed_once(server)
    assert events(settings, settings.trials[0].name)[-1] == "reconciled"


def test_a_create_call_that_never_works_ends_and_bills_nothing(settings, server, monkeypatch):
    monkeypatch.setattr(sender, "MAX_TRIES", 2)
    server.faults["create"] = [Fault(status=503, times=2)]
    with pytest.raises(ProviderError, match="2 times; nothing of it is at the provider"):
        run(settings)
    assert server.billed == []
    assert len(run(settings)) == 4
    assert_billed_once(server)


def test_several_failures_in_a_row_heal_too(settings, server):
    faults = [Fault(status=529), Fault(), Fault(status=500, is_done=True)]
    server.faults["create"] = [dataclasses.replace(fault) for fault in faults]
    assert len(run(settings)) == 4
    assert_billed_once(server)

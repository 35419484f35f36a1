from __future__ import annotations

from scripts.providers.local_work import Places
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    make_provider,
    make_questions,
    provider_fixture,
    quick_fixture,
    send,
    server_fixture,
    wait,
)


def test_the_bound_holds_for_all_that_ask_one_server(server, tmp_path):
    server.delay_s = 0.02
    providers = [make_provider(server, tmp_path, concurrency=3) for _ in range(3)]
    batches = [
        send(provider, tmp_path, make_questions(provider, 12, text=f"{number}."), key=str(number) * 64)
        for number, provider in enumerate(providers)
    ]
    for provider, batch_id in zip(providers, batches, strict=True):
        provider.status(batch_id)
    for provider, batch_id in zip(providers, batches, strict=True):
        assert len(wait(provider, batch_id)) == 12
    assert server.max_at_once == 3
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == 36


def test_a_place_is_free_again_when_it_is_given_back(tmp_path):
    places = Places(tmp_path, 2)
    first, second = places.take(), places.take()
    assert first is not None
    assert second is not None
    assert places.take() is None
    first.close()
    third = places.take()
    assert third is not None
    second.close()
    third.close()

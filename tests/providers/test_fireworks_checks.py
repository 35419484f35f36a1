"""What Fireworks would refuse is refused before anything is sent."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from scripts.money.price_book import find_price
from scripts.providers.fireworks_batch import FireworksBatch
from scripts.run.checks import check_settings
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.phase_runs import check_message, peer_settings

peer_fixture = only("fireworks")


experiment_settings = functools.partial(peer_settings, PEERS["fireworks"])


def test_a_sound_configuration_passes_and_calls_nobody(server, tmp_path):
    settings = experiment_settings(server, tmp_path)
    check_settings(settings)
    assert server.calls == {}
    price = find_price(settings.config, "m")
    assert price is not None
    assert "plain rates" in price.source, "docs/providers.md says that no batch rate is listed"


REFUSED = [
    ({"account": None}, "fireworks.account: is missing"),
    ({"account": "accounts/me"}, "is 'accounts/me', but must be the account's id"),
    ({"base_url": "https://api.fireworks.ai/v1/"}, "without /v1"),
    ({"base_url": "https://api.fireworks.ai?key=secret"}, "is not a plain address"),
    ({"model": "gpt-oss-120b"}, "which is not a model's full name"),
    ({"model": "accounts/../x"}, "which is not a model's full name"),
    ({"sampling": {"temperature": 1.5, "top_k": 101}}, "must be a whole number from 0 to 100"),
    ({"sampling": {"top_k": 1.5}}, "must be a whole number from 0 to 100"),
    ({"sampling": {"min_p": 2}}, "must be a number from 0 to 1"),
    ({"sampling": {"repetition_penalty": -1}}, "must be a number from 0 to 2"),
    ({"sampling": {"presence_penalty": "much"}}, "must be a number from -2 to 2"),
    ({"sampling": {"reasoning_effort": "huge"}}, "must be one of none, low, medium, high"),
    ({"sampling": {"verbosity": "low"}}, "fireworks does not support 'verbosity'"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=repr)
def test_what_the_provider_would_refuse_is_refused_first(server, tmp_path, change, words):
    prices = (
        {"prices": {}} if "model" not in change else {"prices": {change["model"]: {"input": 1, "output": 1}}}
    )
    settings = experiment_settings(server, tmp_path, **change)
    settings = dataclasses.replace(settings, config={**settings.config, **prices})
    message = check_message(settings)
    assert words in message
    assert "secret" not in message
    assert server.calls == {}


def test_every_setting_that_the_provider_takes_passes(server, tmp_path):
    sampling = {
        "temperature": 2,
        "top_p": 0.5,
        "top_k": 0,
        "min_p": 0.1,
        "seed": 7,
        "stop": ".",
        "max_tokens": 9,
    }
    sampling |= {"repetition_penalty": 1.2, "presence_penalty": -2, "reasoning_effort": "low"}
    settings = experiment_settings(server, tmp_path, sampling=sampling)
    check_settings(settings)
    provider = FireworksBatch.from_settings(settings, "m")
    assert provider.body([], settings.trials[0], "d", None).items() >= sampling.items()

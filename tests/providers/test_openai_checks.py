"""What OpenAI would refuse is refused before anything is sent."""

from __future__ import annotations

import functools

import pytest

from scripts.run.checks import check_settings
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.phase_runs import check_message, peer_settings

peer_fixture = only("openai")


experiment_settings = functools.partial(peer_settings, PEERS["openai"])


REFUSED = [
    ("o3-mini", {"temperature": 0.0}, "the model o3-mini does not accept temperature"),
    ("gpt-5-nano", {"temperature": None, "top_p": 0.5}, "does not accept top_p"),
    ("gpt-6-sol", {"temperature": 0.0}, "or set reasoning_effort: none"),
    ("gpt-6.1-terra", {"temperature": None, "stop": "."}, "does not accept stop"),
    ("gpt-6-astra", {"temperature": 0.5, "reasoning_effort": "none"}, "does not accept temperature"),
    ("gpt-4o-mini", {"presence_penalty": 3}, "must be a number from -2 to 2"),
    ("gpt-4o-mini", {"reasoning_effort": "huge"}, "must be one of none, minimal"),
    ("gpt-4o-mini", {"top_k": 3}, "openai does not support 'top_k'"),
]


@pytest.mark.parametrize(("model", "sampling", "words"), REFUSED)
def test_a_setting_that_the_provider_would_refuse_is_refused_first(server, tmp_path, model, sampling, words):
    assert words in check_message(experiment_settings(server, tmp_path, model=model, sampling=sampling))


ACCEPTED = [
    ("o3-mini", {"temperature": None, "reasoning_effort": "low"}),
    ("gpt-5.1", {"temperature": 0.3, "reasoning_effort": "none"}),
    ("gpt-6.1-terra", {"temperature": None, "max_tokens": 64}),
    ("gpt-4o-mini", {"temperature": 2, "seed": 3, "stop": "."}),
]


@pytest.mark.parametrize(("model", "sampling"), ACCEPTED)
def test_a_setting_that_the_provider_takes_passes(server, tmp_path, model, sampling):
    check_settings(experiment_settings(server, tmp_path, model=model, sampling=sampling))


def test_what_only_chat_takes_is_refused_for_responses(server, tmp_path):
    settings = experiment_settings(server, tmp_path, endpoint="/v1/responses", sampling={"seed": 1})
    assert "/v1/responses does not accept seed" in check_message(settings)

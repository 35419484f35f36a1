"""What no chat server takes is refused before anything is sent."""

from __future__ import annotations

from collections import Counter

import pytest

from scripts.errors import PipelineError
from scripts.experiment.prompts import load_template, used_fields
from scripts.run.checks import check_settings
from tests.fakes.sending_fakes import make_settings
from tests.providers.chat_fixtures import quick_fixture, server_fixture  # noqa: F401 - fixtures


def local_settings(server, root, *, model=None, sampling=None, max_error_rate=0.05, **options):
    given = {"base_url": server.url, "poll_seconds": 0.05, "concurrency": 4, "timeout_seconds": 30}
    return make_settings(
        root,
        model={"provider": "local", "model": "llama", **(model or {})},
        providers={"local": {**given, **options}},
        sampling=sampling or {},
        max_error_rate=max_error_rate,
    )


def check(settings):
    load_template.cache_clear()
    used_fields.cache_clear()
    check_settings(settings)


REFUSED = [
    ({}, {"top_p": 0.5, "min_p": 1.5}, {}, "'min_p'|min_p.*must be a number from 0 to 1"),
    ({}, {"top_k": 1.5}, {}, "must be a whole number from -1"),
    ({}, {"seed": "x"}, {}, "must be a whole number"),
    ({}, {"presence_penalty": 3}, {}, "must be a number from -2 to 2"),
    ({}, {"frequency_penalty": True}, {}, "must be a number from -2 to 2"),
    ({}, {"repetition_penalty": -1}, {}, "must be a number from 0"),
    ({}, {"stop": 3}, {}, "must be a text"),
    ({}, {"best_of": 3}, {}, "local does not support 'best_of'"),
    ({}, {}, {"base_url": "127.0.0.1:8000"}, r"base_url.*is not a plain address"),
    ({}, {}, {"base_url": "http://me:secret@host/v1"}, "is not a plain address"),
    ({"base_url": "ftp://host/v1"}, {}, {}, r"base_url.*is not a plain address"),
    ({}, {}, {"concurrency": 0}, "concurrency"),
]


@pytest.mark.parametrize(("model", "sampling", "options", "words"), REFUSED)
def test_what_no_server_takes_is_refused_first(server, tmp_path, model, sampling, options, words):
    settings = local_settings(server, tmp_path, model=model, sampling=sampling, **options)
    with pytest.raises(PipelineError, match=words) as caught:
        check(settings)
    assert "secret" not in str(caught.value)
    assert server.asked == Counter()


ACCEPTED = [
    {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": 1},
    {"top_k": -1, "repetition_penalty": 1.1, "presence_penalty": -2, "frequency_penalty": 2, "stop": "."},
    {"temperature": None, "max_tokens": None, "reasoning_effort": "low"},
]


@pytest.mark.parametrize("sampling", ACCEPTED)
def test_what_a_server_takes_passes_without_a_key_and_without_a_price(server, tmp_path, sampling):
    check(local_settings(server, tmp_path, sampling=sampling))


def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_API_KEY", "a key\nof two lines")
    with pytest.raises(PipelineError, match="LOCAL_API_KEY") as caught:
        check(local_settings(server, tmp_path))
    assert "of two" not in str(caught.value)

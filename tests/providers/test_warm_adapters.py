"""What a run's warm process loads for the jobs that talk to a provider: all they would load themselves."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.files import PROJECT_ROOT
from scripts.providers import adapter_modules
from tests.providers.anthropic_experiments import load_experiment
from tests.providers.anthropic_server import KEY
from tests.providers.anthropic_server import serve as serve_anthropic
from tests.providers.chat_server import ChatServer
from tests.providers.fireworks_server import FireworksServer
from tests.providers.mistral_server import MistralServer
from tests.providers.openai_server import OpenAIServer
from tests.providers.together_server import TogetherServer

KEYS = {
    "ANTHROPIC_API_KEY": KEY,
    "FIREWORKS_API_KEY": FireworksServer.key,
    "MISTRAL_API_KEY": MistralServer.key,
    "OPENAI_API_KEY": OpenAIServer.key,
    "TOGETHER_API_KEY": TogetherServer.key,
}

PROGRAM = textwrap.dedent("""
    import importlib, pathlib, ssl, sys, time
    module, client, address, call = sys.argv[1:]
    adapter = importlib.import_module(module)
    adapter.warm_up()
    before, n_read, read = set(sys.modules), 0, ssl.SSLContext.load_verify_locations

    def count_reading(*arguments, **options):
        global n_read
        n_read += 1
        return read(*arguments, **options)

    ssl.SSLContext.load_verify_locations = count_reading
    try:
        exec(call, globals() | vars(adapter))
    except Exception as error:
        print(error)
    print(n_read, *sorted(name for name in sys.modules.keys() - before if name.startswith(client)))
""")

LOOK = "{}('model', address).status('batch_nobody')"
ASK = textwrap.dedent("""
    provider = LocalChat(pathlib.Path('books'), provider_model='model', base_url=address)
    body = {'model': 'model', 'messages': [{'role': 'user', 'content': 'question'}]}
    pathlib.Path('payload').write_text(dump_line({'custom_id': 'k', 'body': body}))
    batch_id = provider.create(pathlib.Path('payload'), key='k', metadata={})
    while not provider.status(batch_id).status.is_terminal:
        time.sleep(0.01)
    print(len(pathlib.Path('books', batch_id, 'replies.jsonl').read_text().splitlines()), 'answer')
""")


@contextlib.contextmanager
def anthropic_url() -> Iterator[str]:
    with serve_anthropic() as service:
        yield service.base_url


@contextlib.contextmanager
def url_of(service: Any, tail: str = "") -> Iterator[str]:
    with service.running():
        yield service.url.removesuffix(tail)


@pytest.mark.parametrize(
    ("module", "client", "serve", "call", "said"),
    [
        ("anthropic_batch", "anthropic", anthropic_url, LOOK.format("AnthropicBatch"), "batch_nobody"),
        (
            "fireworks_batch",
            "fireworks",
            lambda: url_of(FireworksServer()),
            "FireworksBatch('model', address, 'my-account').status('batch_nobody')",
            "batch_nobody",
        ),
        ("local", "openai", lambda: url_of(ChatServer()), ASK, "1 answer"),
        (
            "mistral_batch",
            "mistralai",
            lambda: url_of(MistralServer(), "/v1"),
            LOOK.format("MistralBatch"),
            "batch_nobody",
        ),
        (
            "openai_batch",
            "openai",
            lambda: url_of(OpenAIServer()),
            LOOK.format("OpenAIBatch"),
            "batch_nobody",
        ),
        (
            "together_batch",
            "openai",
            lambda: url_of(TogetherServer()),
            LOOK.format("TogetherBatch"),
            "batch_nobody",
        ),
    ],
)
def test_after_the_warm_up_a_call_loads_no_more_of_the_client_and_reads_no_certificates(
    module, client, serve, call, said, tmp_path
):
    with serve() as address:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, f"scripts.providers.{module}", client, address, call],
            env={**os.environ, **KEYS, "PYTHONPATH": str(PROJECT_ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    *answer, loaded = done.stdout.splitlines()
    assert said in answer[0]
    assert loaded == "0"


def test_only_the_adapters_of_the_run_are_loaded(tmp_path):
    models = {"m": {"provider": "anthropic"}, "n": {"provider": "simulated"}, "o": {"provider": "anthropic"}}
    settings = load_experiment(tmp_path, models=models)
    assert adapter_modules(settings) == ["scripts.providers.anthropic_batch", "scripts.providers.simulated"]

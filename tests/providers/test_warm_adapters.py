"""What a run's warm process loads for the jobs that talk to a provider: all they would load themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from anthropic_experiments import load_experiment
from anthropic_server import KEY
from anthropic_server import serve as serve_anthropic
from openai_server import OpenAIServer

from scripts.providers import adapter_modules

PROGRAM = textwrap.dedent("""
    import importlib, sys
    module, kind, model, address = sys.argv[1:]
    adapter = importlib.import_module(module)
    adapter.warm_up()
    before = set(sys.modules)
    try:
        getattr(adapter, kind)(model, address).status("batch_nobody")
    except Exception as error:
        print(error)
    print(*sorted(name for name in sys.modules.keys() - before if name.startswith(model)))
""")


@pytest.mark.parametrize(
    ("module", "kind", "client"),
    [
        ("scripts.providers.anthropic_batch", "AnthropicBatch", "anthropic"),
        ("scripts.providers.openai_batch", "OpenAIBatch", "openai"),
    ],
)
def test_after_the_warm_up_a_call_loads_no_more_of_the_client(module, kind, client):
    service = OpenAIServer()
    with serve_anthropic() as other, service.running():
        address = service.url if client == "openai" else other.base_url
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, module, kind, client, address],
            env={**os.environ, "OPENAI_API_KEY": service.key, "ANTHROPIC_API_KEY": KEY},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.splitlines()[-1] == ""


def test_only_the_adapters_of_the_run_are_loaded(tmp_path):
    models = {"m": {"provider": "anthropic"}, "n": {"provider": "simulated"}, "o": {"provider": "anthropic"}}
    settings = load_experiment(tmp_path, models=models)
    assert adapter_modules(settings) == ["scripts.providers.anthropic_batch", "scripts.providers.simulated"]

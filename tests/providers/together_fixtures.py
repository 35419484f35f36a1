"""A server for the tests of the adapter `together`, and the adapter itself."""

from __future__ import annotations

import pytest
from together_server import TogetherServer

from scripts.dispatch import sender
from scripts.providers.together_batch import TogetherBatch

MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


@pytest.fixture(name="server")
def server_fixture(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TogetherBatch, "lag_seconds", 0.3)
    monkeypatch.setattr(sender, "FIRST_REST_S", 0.05)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with TogetherServer().running() as service:
        monkeypatch.setenv("TOGETHER_API_KEY", service.key)
        yield service
    assert service.breaches == []
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert service.key.encode() not in path.read_bytes(), path


@pytest.fixture(name="provider")
def provider_fixture(server):
    return TogetherBatch(MODEL, server.url, timeout_seconds=60.0)

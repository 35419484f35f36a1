"""A server for the tests of the adapter `mistral`, and the adapter itself."""

from __future__ import annotations

import pytest
from mistral_server import MistralServer

from scripts.dispatch import sender
from scripts.providers.mistral_batch import MistralBatch

MODEL = "mistral-small-latest"


@pytest.fixture(name="server")
def server_fixture(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MistralBatch, "lag_seconds", 0.3)
    monkeypatch.setattr("scripts.providers.mistral_batch.LIST_PATIENCE_S", 0.0)
    monkeypatch.setattr(sender, "FIRST_REST_S", 0.05)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with MistralServer().running() as service:
        monkeypatch.setenv("MISTRAL_API_KEY", service.key)
        yield service
    assert service.breaches == []
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert service.key.encode() not in path.read_bytes(), path


@pytest.fixture(name="provider")
def provider_fixture(server):
    return MistralBatch(MODEL, server.url.removesuffix("/v1"), timeout_seconds=60.0)

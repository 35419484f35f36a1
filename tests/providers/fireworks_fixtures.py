"""A server for the tests of the adapter `fireworks`, and the adapter itself."""

from __future__ import annotations

import pytest
from fireworks_server import ACCOUNT, FireworksServer

from scripts.dispatch import sender
from scripts.providers import fireworks_batch
from scripts.providers.fireworks_batch import FireworksBatch

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SIGNATURE = b"s3cr3t"


@pytest.fixture(name="server")
def server_fixture(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FireworksBatch, "lag_seconds", 0.3)
    monkeypatch.setattr(fireworks_batch, "READY_PATIENCE_S", 0.1)
    monkeypatch.setattr(fireworks_batch, "READY_REST_S", 0.02)
    monkeypatch.setattr(sender, "FIRST_REST_S", 0.05)
    monkeypatch.setattr("fireworks._base_client.INITIAL_RETRY_DELAY", 0.01)
    for name in ("FIREWORKS_BASE_URL", "FIREWORKS_ACCOUNT_ID", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FireworksServer().running() as service:
        monkeypatch.setenv("FIREWORKS_API_KEY", service.key)
        yield service
    assert service.breaches == []
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert service.key.encode() not in path.read_bytes(), path
        assert SIGNATURE not in path.read_bytes(), path


@pytest.fixture(name="provider")
def provider_fixture(server):
    return FireworksBatch(MODEL, server.url, ACCOUNT, timeout_seconds=60.0)

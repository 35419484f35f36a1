"""A server whose certificate nobody vouches for: said as what it is, and nothing is sent."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from scripts.errors import ProviderError
from tests.providers.batch_peers import PEERS, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import FaultyHandler
from tests.providers.phase_runs import peer_settings, run

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(file)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context


@pytest.fixture
def strange_url(peer, certificate):
    """A server behind a certificate of its own making."""
    service = peer.make_server()
    service.handler = type("Handler", (service.handler,), {"setup": secure_setup(certificate)})
    with service.running():
        yield service.url.replace("http://", "https://")
    assert service.calls == {}


def secure_setup(context):
    def setup(handler):
        handler.request = context.wrap_socket(handler.request, server_side=True)
        FaultyHandler.setup(handler)

    return setup


def test_a_certificate_that_is_not_trusted_is_named_and_nothing_is_sent(peer, server, tmp_path, strange_url):
    settings = peer_settings(peer, server, tmp_path, base_url=strange_url)
    with pytest.raises(ProviderError, match=r"TLS: .*CERTIFICATE_VERIFY_FAILED") as told:
        run(settings)
    assert "SSL_CERT_FILE" in told.value.fix or "cannot be read" in told.value.what


def test_a_certificate_that_changes_while_a_batch_goes_on_is_an_error_and_the_batch_is_collected(
    peer, server, tmp_path, strange_url
):
    settings = peer_settings(peer, server, tmp_path)
    run(settings, phases=["submit"])
    place = settings.config["providers"][peer.name]
    place["base_url"] = strange_url
    with pytest.raises(ProviderError, match=r"TLS: .*CERTIFICATE_VERIFY_FAILED"):
        run(settings, phases=["poll"])
    place["base_url"] = server.url
    assert len(run(settings)) == 4
    assert len(server.billed) == 4

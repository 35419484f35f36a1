from __future__ import annotations

from scripts.providers.options import service_digest
from tests.fakes.sending_fakes import (
    make_settings,
)


def test_another_address_or_recording_is_another_service(tmp_path):
    def digest_of(**config):
        return service_digest(make_settings(tmp_path, **config), "m")

    def at(base_url):
        return {"models": {"m": {"provider": "openai"}}, "providers": {"openai": {"base_url": base_url}}}

    assert digest_of(**at("http://127.0.0.1/a")) != digest_of(**at("http://127.0.0.1/b"))
    assert digest_of(**at("http://127.0.0.1/a")) == digest_of(**at("http://127.0.0.1/a"), seed=1)
    tape = tmp_path / "tape.jsonl"
    replay = {"models": {"m": {"provider": "replay", "recorded": str(tape)}}}
    tape.write_text("one\n")
    before = digest_of(**replay)
    tape.write_text("another\n")
    assert digest_of(**replay) != before

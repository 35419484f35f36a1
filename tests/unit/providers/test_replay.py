from __future__ import annotations

import pytest

from scripts.errors import ConfigError, DataError
from scripts.files import dump_line
from scripts.providers.replay import Replay
from scripts.records import Item, Outcome, Request, Trial
from tests.fakes.sending_fakes import make_settings

ITEMS = {"d": frozenset({"q0", "q1"})}


def recorded(item="q0", text="yes", **more):
    return {"model": "m", "prompt": "p", "item_id": item, "text": text, **more}


def make_replay(tmp_path, rows):
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(dump_line(row, ascii_only=True) for row in rows), encoding="utf-8")
    settings = make_settings(tmp_path, providers={})
    settings.config["models"]["m"] = {"provider": "replay", "recorded": str(path)}
    return Replay.from_settings(settings, "m"), settings


def ask(provider, item="q0", *, temperature=0, replicate=0, dataset="d"):
    trial = Trial("t", "m", "p", {"temperature": temperature})
    body = provider.body([], trial, dataset, Item(item, "?", ()))
    request = Request.render(dataset=dataset, item_id=item, replicate=replicate, body=body)
    import json

    rows = list(provider.respond(iter([json.loads(provider.encode(request))]), {"attempt": "1"}))
    return provider.decode(rows[0])[1] if rows else None


def test_the_recorded_answer_comes_back(tmp_path):
    usage = {"input_tokens": 5, "output_tokens": 2}
    provider, _ = make_replay(tmp_path, [recorded(usage=usage, finish_reason="length"), recorded("q1", None)])
    reply = ask(provider)
    assert (reply.outcome, reply.text, reply.usage.input_tokens) == (Outcome.TRUNCATED, "yes", 5)
    assert ask(provider, "q1").outcome is Outcome.ERRORED


def test_what_was_not_recorded_is_missing_and_never_sent_again(tmp_path):
    provider, _ = make_replay(tmp_path, [recorded()])
    assert ask(provider, "q1") is None
    assert ask(provider, replicate=1) is None
    assert not provider.resends


def test_a_row_for_this_temperature_or_dataset_wins_over_one_for_any(tmp_path):
    rows = [
        recorded(text="any"),
        recorded(text="warm", temperature=0.5),
        recorded(text="other set", dataset="e"),
    ]
    provider, _ = make_replay(tmp_path, rows)
    assert ask(provider).text == "any"
    assert ask(provider, temperature=0.5).text == "warm"
    assert ask(provider, dataset="e").text == "other set"


def test_an_edited_recording_makes_new_requests(tmp_path):
    first, _ = make_replay(tmp_path, [recorded()])
    second, _ = make_replay(tmp_path, [recorded(text="no")])
    assert first.recorded_sha256 != second.recorded_sha256


def test_half_a_surrogate_pair_is_served_as_a_replacement(tmp_path):
    provider, _ = make_replay(tmp_path, [recorded(text="a\ud800")])
    assert ask(provider).text == "a\N{REPLACEMENT CHARACTER}"


WRONG = [
    ([recorded("q9")], "answers the item 'q9', which is in no dataset"),
    ([recorded(), recorded()], "answers item 'q0' of m, p again"),
    ([{"model": "m", "prompt": "p", "item_id": "q0"}], "the field 'text' is missing"),
    ([recorded(text=3)], "the field 'text' is missing or not a text"),
    ([recorded(replicate=-1)], "replicate is -1"),
    ([recorded(temperature="hot")], "temperature is 'hot'"),
    ([recorded(usage=3)], "usage is not an object"),
    ([{**recorded(), "model": ""}], "the field 'model' is ''"),
]


@pytest.mark.parametrize(("rows", "message"), WRONG)
def test_a_wrong_row_is_named_with_its_line(tmp_path, rows, message):
    _, settings = make_replay(tmp_path, rows)
    with pytest.raises(DataError, match=rf"recorded\.jsonl, line {len(rows)}: {message}"):
        Replay.check(settings, "m", ITEMS)


def test_a_recording_of_other_models_or_prompts_is_refused(tmp_path):
    _, settings = make_replay(tmp_path, [{**recorded(), "model": "other"}])
    with pytest.raises(ConfigError, match="has no answer of 'm'"):
        Replay.check(settings, "m", ITEMS)
    _, settings = make_replay(tmp_path, [{**recorded(), "prompt": "other"}])
    with pytest.raises(ConfigError, match="has no answer of 'm' to the prompt 'p'"):
        Replay.check(settings, "m", ITEMS)

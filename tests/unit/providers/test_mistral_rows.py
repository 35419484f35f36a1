"""Words of Mistral's for an end, and its models' thoughts."""

from __future__ import annotations

import pytest

from scripts.providers.mistral_batch import MistralBatch
from scripts.records import Outcome

WORDS = {
    "model_length": (Outcome.TRUNCATED, False, None),
    "length": (Outcome.TRUNCATED, False, None),
    "error": (Outcome.ERRORED, True, "finish_reason_error"),
    "stop": (Outcome.ANSWERED, False, None),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("text", ["yes", None])
def test_the_models_own_words_for_an_end_are_known(word, text):
    choice = {"message": {"content": text}, "finish_reason": word}
    row = {"custom_id": "k", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    _, reply = MistralBatch("m", "http://127.0.0.1").decode(row)
    expected = (Outcome.ERRORED, False, "no_text") if (word, text) == ("stop", None) else WORDS[word]
    assert (reply.outcome, reply.is_retryable, reply.error_code) == expected
    assert reply.text == text


def test_thoughts_are_no_part_of_an_answer():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes"},
    ]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    row = {"custom_id": "k", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    assert MistralBatch("m", "http://127.0.0.1").decode(row)[1].text == "Yes"

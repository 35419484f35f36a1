"""Thoughts and end tokens are no part of an answer."""

from __future__ import annotations

import pytest

from scripts.scorers.reading.trimming import Trimmed, Trimming


@pytest.mark.parametrize(
    "text",
    [
        "<think>41?</think>42",
        "<THINK>\n41?\n</THINK>\n\n42",
        "<thinking>41?</thinking> 42",
        "<thought>41?</thought>\n42",
        "<reasoning>41?</reasoning>\n42",
        "<reflection>41?</reflection>\n42",
        '<think type="deep" budget=3>41?</think>42',
        "<seed:think>41?</seed:think>42",
        "<longcat_think>41?</longcat_think>42",
        "<|thinking|>41?<|/thinking|>42",
        "[THINK]41?[/THINK]42",
        "◁think▷41?◁/think▷42",
        "<unused94>thought\n41?<unused95>42",
        "<|START_THINKING|>41?<|END_THINKING|><|START_RESPONSE|>42<|END_RESPONSE|>",
        "<|begin_of_thought|>41?<|end_of_thought|>\n<|begin_of_solution|>42<|end_of_solution|>",
        "41?</think>42",  # the opening tag stood in the prompt
        "40?</think>41?</think>42",
        "<think>a <think>b</think> c</think>42",
        "<thinking>a <reflection>b</reflection> c</thinking>42",
        "<thinking>a <reflection>b</thinking>42",
        "<think>They want <think> tags. 41?</think>42<|im_end|>\n<|im_start|>user",
        "<think></think>42",
        "<think/>42",
        "<|channel|>analysis<|message|>41?<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>",
        "<|channel|>analysis<|message|>41?<|end|><|start|>assistant<|channel|>commentary<|message|>Hm<|end|>"
        "<|start|>assistant<|channel|>final <|constrain|>json<|message|>42",
        "analysisThe user wants a number. 41?assistantfinal42",
        "42<think>Was that right?</think>",
        "42</s>",
        "42<|im_end|>",
        "42<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n43",
        "42<end_of_turn>\n<start_of_turn>user\nAnd 3?",
        "42<|endoftext|>43<|endoftext|>44",
        "42<|end|><|user|>What else?<think>",
        "<|im_start|>assistant\n42<|im_end|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n42<|eot_id|>",
        "<|assistant|>\n42",
        "<s> 42 </s>",
        "</s>42</s>",
        "<bos>42<eos>",
        "<｜begin▁of▁sentence｜>42<｜end▁of▁sentence｜>",
        " 42\n",
    ],
)
def test_only_the_answer_is_left(text: str) -> None:
    assert Trimming().trim(text) == Trimmed("42")


@pytest.mark.parametrize(
    "text", ["", "\n", "<think>42</think>", "</think>", "</s>", "<think>41</think><|im_end|>"]
)
def test_nothing_may_be_left(text: str) -> None:
    assert Trimming().trim(text) == Trimmed("")


@pytest.mark.parametrize(
    "text",
    [
        "<think>The answer is 42, let me verify",
        "<think>41</think><think>or 42",
        "Let me see.\n<reasoning>42",
        "[THINK]42",
        "<|channel|>analysis<|message|>42",
    ],
)
def test_a_thought_without_an_end_leaves_nothing(text: str) -> None:
    assert Trimming().trim(text) == Trimmed("", is_cut=True)


@pytest.mark.parametrize(
    "text",
    [
        "the tag `<think>` begins a thought",
        "a < b and b > c",
        "I think [reasoning] is in brackets",
        "<b>42</b>",
        "analysis shows 42",
        "<thinker>42",
    ],
)
def test_what_is_no_thought_stays(text: str) -> None:
    assert Trimming().trim(text) == Trimmed(text)


def test_parts_around_a_thought_are_lines_of_their_own() -> None:
    assert Trimming().trim("First<think>hm</think>second").text == "First\nsecond"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("empty", "wrong", "empty is 'wrong', but must be missing or abstained"),
        ("thought_tags", ("think", " "), "thought_tags contains a blank text"),
        ("end_tokens", ("",), "end_tokens contains a blank text"),
    ],
)
def test_a_bad_option_is_reported(option: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trimming(**{option: value})  # type: ignore[arg-type]

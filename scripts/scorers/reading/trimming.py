"""What is no part of an answer: thoughts, and the tokens with which a model ends its turn."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import NamedTuple

THOUGHT_TAGS = (
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reason",
    "reasoning",
    "reflection",
    "scratchpad",
    "inner_monologue",
    "chain_of_thought",
    "cot",
)
"""Tags around what a model thinks before it answers; a prefix may precede each, as in ``seed:think``."""

END_TOKENS = (
    "<|im_end|>",
    "<|im_start|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|start_header_id|>",
    "<|end|>",
    "<|start|>",
    "<|return|>",
    "<|call|>",
    "<|eot|>",
    "<|endofturn|>",
    "<|end_of_turn|>",
    "<|end_of_turn_token|>",
    "<|end_of_role|>",
    "<|start_of_role|>",
    "<|END_RESPONSE|>",
    "<|end_of_solution|>",
    "<end_of_turn>",
    "<start_of_turn>",
    "<turn|>",
    "<|turn>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|observation|>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "[INST]",
    "[/INST]",
)
"""What ends an answer where a server passes it on as text; what follows is no part of it."""

_BEGINNING = re.compile(
    r"""
    (?: \s*+
      (?: </s> | <\|(?: im_end | eot_id | end | endoftext )\|>
        | <\|(?:im_start|start)\|> (?: \s*+ assistant\b )?+
        | <start_of_turn> (?: \s*+ model\b )?+
        | <\|turn> (?: \s*+ model\b )?+
        | <\|start_header_id\|> [^<\n]{0,40}+ <\|end_header_id\|>
        | <\|start_of_role\|> [^<\n]{0,40}+ <\|end_of_role\|>
        | <(?: s | bos | begin_of_solution )>
        | <\|(?: begin_of_text | startoftext | begin_of_solution | START_RESPONSE | CHATBOT_TOKEN
                 | START_OF_TURN_TOKEN | message )\|>
        | <｜begin▁of▁sentence｜>
      )
    )*+ \s*+
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""With what a turn begins, where a server passes that on, too."""

_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*+final\b[^<]*+(?:<\|constrain\|>[^<]*+)?+(?:<\|message\|>)?+")
_OPENING = r"""
    < \|?+ (?: \w{{1,20}}[:_] )? (?: {names} ) (?: \s[^<>]{{0,200}}+ )?+ /?+ \|?+ >
  | ◁ (?: {names} ) ▷
  | (?-i: \[THINK\] | <\|START_THINKING\|> ) | <\|begin_of_thought\|> | <unused94> | <\|channel>thought\b
"""
_CLOSING = r"""
    < \|?+ / \|?+ (?: \w{{1,20}}[:_] )? (?: {names} ) \s*+ \|?+ >
  | ◁/ (?: {names} ) ▷
  | (?-i: \[/THINK\] | <\|END_THINKING\|> ) | <\|end_of_thought\|> | <unused95> | <channel\|>
"""


class Trimmed(NamedTuple):
    """A reply without what is no part of its answer."""

    text: str
    """Empty if nothing is left."""
    is_cut: bool = False
    """Whether a thought has no end: then nothing is left."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trimming:
    """The options of every scorer: what is no part of an answer, and what an empty one means."""

    drop_thoughts: bool = True
    """Whether what a model thinks before it answers is left out."""
    thought_tags: tuple[str, ...] = THOUGHT_TAGS
    """Tags around thoughts, without brackets."""
    end_tokens: tuple[str, ...] = END_TOKENS
    """What ends an answer; with an empty list, all of the reply counts."""
    empty: str = ""
    """What a reply without a text is worth if it ended by itself: ``missing`` (nothing) or ``abstained``."""

    def __post_init__(self) -> None:
        if self.empty not in {"", "missing", "abstained"}:
            raise ValueError(f"empty is {self.empty!r}, but must be missing or abstained")
        for option in ("thought_tags", "end_tokens"):
            if not all(text.strip() for text in getattr(self, option)):
                raise ValueError(f"{option} contains a blank text, but each must be visible")

    @property
    def has_f1(self) -> bool:
        """Whether the scorer gives F1."""
        return False

    @property
    def empty_abstains(self) -> bool:
        """Whether a reply that ended by itself without a text is an abstention."""
        return self.empty == "abstained"

    def trim(self, text: str) -> Trimmed:
        """Leave out thoughts and end tokens."""
        return _trim(text, self.thought_tags if self.drop_thoughts else (), self.end_tokens)


@functools.lru_cache(maxsize=16)  # score asks for a reply what its scorer asks again
def _trim(text: str, thought_tags: tuple[str, ...], end_tokens: tuple[str, ...]) -> Trimmed:
    final = _final_channel(text) if thought_tags else text
    if final is None:
        return Trimmed("", is_cut=True)
    marks = _marks(thought_tags, end_tokens)
    if marks is None or not any(sign in final for sign in _signs(end_tokens)):
        return Trimmed(final.strip())
    if not end_tokens:
        return _cut(final, marks)
    trimmed = _cut(final[_begin(final) :], marks)
    return trimmed._replace(text=trimmed.text[_begin(trimmed.text) :])


def _final_channel(text: str) -> str | None:
    """Give what stands in the channel ``final``, if a reply has channels; None if it never gets there."""
    if "<|channel|>" in text:
        found = _FINAL_CHANNEL.search(text)
        return text[found.end() :] if found else None
    if text.startswith("analysis"):  # the same where a server has dropped the tokens
        return text.partition("assistantfinal")[2] or text
    return text


@functools.lru_cache(maxsize=64)
def _marks(thought_tags: tuple[str, ...], end_tokens: tuple[str, ...]) -> re.Pattern[str] | None:
    """Find thoughts and end tokens; one in code, as in "the tag `<think>`", is only talked about."""
    kinds = []
    if thought_tags:
        names = "|".join(re.escape(name) for name in thought_tags)
        kinds = [
            f"(?P<closing>{_CLOSING.format(names=names)})",
            f"(?P<opening>{_OPENING.format(names=names)})",
        ]
    if end_tokens:
        kinds.append(f"(?P<end>{'|'.join(re.escape(token) for token in end_tokens)})")
    return re.compile(f"(?<!`)(?:{'|'.join(kinds)})", re.VERBOSE | re.IGNORECASE) if kinds else None


@functools.lru_cache(maxsize=64)
def _signs(end_tokens: tuple[str, ...]) -> str:
    """Characters without which a reply holds neither thought nor token."""
    return "".join({*"<[◁", *(sign for token in end_tokens for sign in (token[0].lower(), token[0].upper()))})


def _begin(text: str) -> int:
    found = _BEGINNING.match(text)
    return found.end() if found else 0


def _cut(text: str, marks: re.Pattern[str]) -> Trimmed:
    """Keep what stands outside of thoughts, up to the first token that ends it."""
    outside = _Outside(text)
    for mark in marks.finditer(text):
        if mark.lastgroup == "end":
            if outside.ends_at(mark):
                break
        elif mark.lastgroup == "closing":
            outside.close(mark)
        else:
            outside.open(mark)
            if mark[0].endswith("/>"):
                outside.close(mark)
    if not outside.depth:
        return Trimmed(outside.join())
    if outside.is_open_last:
        return Trimmed("", is_cut=True)
    return _cut(text[outside.start :], marks)  # an opening tag too many: a thought that talked about it


class _Outside:
    """What of a text stands outside of thoughts, as far as it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kept: list[str] = []
        self.start, self.end = 0, len(text)
        self.depth = 0
        self.is_open_last = self.is_begun = False

    def open(self, mark: re.Match[str]) -> None:
        """Begin a thought."""
        if self.depth == 0:
            self.kept.append(self.text[self.start : mark.start()])
        self.depth += 1
        self.is_open_last = self.is_begun = True

    def close(self, mark: re.Match[str]) -> None:
        """End a thought; all before a lone closing tag is one, whose opening tag stood in the prompt."""
        if self.depth == 0:
            self.kept.clear()
        self.depth = max(0, self.depth - 1)
        self.start = mark.end()
        self.is_open_last, self.is_begun = False, True

    def ends_at(self, mark: re.Match[str]) -> bool:
        """Take a token outside of thoughts as the end, unless nothing came before it."""
        if self.depth:
            return False
        if self.is_begun or self.text[self.start : mark.start()].strip():
            self.end = mark.start()
            return True
        self.start = mark.end()
        return False

    def join(self) -> str:
        """Give what was kept, on lines of its own."""
        parts = (part.strip() for part in (*self.kept, self.text[self.start : self.end]))
        return "\n".join(filter(None, parts))

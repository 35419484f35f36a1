"""Reading: where in a reply the answer is, found before any scorer judges it."""

from __future__ import annotations

import dataclasses

THOUGHT_TAGS = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "scratchpad")
"""Tags around what a model thinks before it answers."""

END_TOKENS = ("<|im_end|>", "</s>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<eos>")
"""What ends an answer where a server passes it on as text; what follows is no part of it."""

MARKERS = ("final answer", "####", "answer:", "answer is")
"""What announces an answer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trimming:
    """The options of every scorer: what is no part of an answer, and what an empty one means."""

    drop_thoughts: bool = True
    """Whether what a model thinks before it answers is left out."""
    thought_tags: tuple[str, ...] = THOUGHT_TAGS
    """Tags around thoughts, without brackets."""
    end_tokens: tuple[str, ...] = END_TOKENS
    """Tokens that end an answer; none of them (an empty list): the whole reply counts."""
    empty: str = ""
    """``abstained``: a reply that ends by itself without a text abstains; ``missing``: it has no score."""

    @property
    def empty_abstains(self) -> bool:
        """Whether a reply that ended by itself without a text is an abstention."""
        return self.empty == "abstained"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading(Trimming):
    """The options of every scorer that looks for the answer within a reply."""

    markers: tuple[str, ...] = MARKERS
    """What announces the answer, in any case; a list of one's own replaces the built-in one."""
    read_fences: bool = True
    """Whether a code fence around the answer is opened."""
    read_boxed: bool = True
    r"""Whether the last ``\boxed{...}`` is the answer."""
    answer_tags: tuple[str, ...] = ("answer", "final_answer")
    """Tags around the answer, without brackets."""
    answer_keys: tuple[str, ...] = ("answer", "final_answer")
    """Keys of a JSON object that hold the answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Where an answer was found."""

    text: str
    """What the scorer judges: the line that was announced, or the whole."""
    is_announced: bool
    """Whether a marker, box, tag or key says that this is the answer."""
    whole: str
    """The reply without thoughts, end tokens and fences."""
    rest: str
    """All that follows the announcement, `text` included; the whole if there is none."""


def find_answer(text: str, reading: Reading) -> Answer | None:
    """
    Find the answer in a reply; None if it holds none: it is blank, or nothing but thoughts.

    Examples
    --------
    >>> find_answer(" Paris ", Reading())
    Answer(text='Paris', is_announced=False, whole='Paris', rest='Paris')
    >>> find_answer(" ", Reading()) is None
    True
    """
    whole = text.strip()
    return Answer(whole, is_announced=False, whole=whole, rest=whole) if whole else None

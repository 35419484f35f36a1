"""
An embedded respondent: rehearse an experiment, and see what a true effect would look like, before paying.

Every draw derives from the seed and from what it is a draw of (model, prompt, item, replicate, attempt), so
that the same experiment gives the same answers whatever the order, the shards or the interruptions.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import math
import statistics
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.files import dump_line, read_parquet
from scripts.providers.base import Messages
from scripts.providers.chat import chat_body, chat_row
from scripts.providers.local_batches import LocalBatches, local_service
from scripts.records import Item, Outcome, Request, Trial, digest

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

RATES = ("accuracy", "abstained", "honest", "truncated", "refused", "errored", "expired", "missing")
CHUNK_ROWS = 1000
"""Requests answered at a time."""

POOL_SIZE = 2000
"""How many items' answers the wrong but plausible ones are taken from."""

ITEM_SHARE, CELL_SHARE, DRAW_SHARE = 0.6, 0.25, 0.15
"""Variance of an answer's ease that belongs to the item, to model and prompt on it, to the single draw."""

ABSTENTIONS = ("I don't know.", "Unknown", "I do not know.", "Cannot answer")
MADE_UP = ("Lake Tanganyika", "1912", "Ada Lovelace", "The Treaty of Utrecht", "seven")
"""False answers where no item of the dataset has an accepted one."""

REFUSAL = "I'm sorry, but I can't help with that."
NORMAL = statistics.NormalDist()


@dataclasses.dataclass(frozen=True)
class Simulated(LocalBatches):
    """A model that knows the accepted answers and errs as its rates say."""

    name: ClassVar[str] = "simulated"
    parameters: ClassVar[frozenset[str] | None] = frozenset(
        {"temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "reasoning_effort"}
        | {"presence_penalty", "frequency_penalty"}
    )

    model: str = ""
    provider_model: str = ""
    rates: Mapping[str, float | Mapping[str, float]] = dataclasses.field(default_factory=dict)
    datasets: Path = Path()
    """Folder of the run's prepared datasets: the respondent knows the accepted answers."""
    seed: int = 0

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        from scripts.experiment.schema import fill_defaults
        from scripts.providers.options import provider_schema

        options = fill_defaults(settings.config["models"][model], provider_schema("simulated")["model"])
        return cls(
            **local_service(settings, "simulated"),
            model=model,
            provider_model=options.get("model", model),
            rates={name: options[name] for name in RATES},
            datasets=settings.paths.datasets,
            seed=settings.config["seed"],
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Refuse a rate for a prompt that is not there."""
        prompts = settings.config["prompts"]
        for name in RATES:
            rate = settings.config["models"][model].get(name)
            for prompt in rate if isinstance(rate, Mapping) else ():
                if prompt not in prompts and prompt != "default":
                    raise settings.error(
                        f"{prompt!r} is not defined under prompts",
                        "models",
                        model,
                        name,
                        prompt,
                        fix=f"Known: {', '.join(prompts)}, and default for the others.",
                    )

    @functools.cached_property
    def respondent(self) -> str:
        """What the respondent is: another seed or rate makes it another model, and its requests new ones."""
        return digest({"seed": self.seed, "rates": self.rates})[:16]

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render a chat body; its metadata says who is to answer."""
        who = {"model": self.model, "prompt": trial.prompt, "respondent": self.respondent}
        return {**chat_body(self.provider_model, messages, trial), "metadata": who}

    def encode(self, request: Request) -> str:
        """Write one request as a line; the item travels along, as the respondent has to look it up."""
        about = {"dataset": request.dataset, "item_id": request.item_id, "replicate": request.replicate}
        return dump_line({**chat_row(request), "about": about})

    def respond(
        self, rows: Iterator[dict[str, Any]], metadata: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Answer every request that does not go missing."""
        keys: dict[str, AnswerKey] = {}
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            asked: dict[str, set[str]] = {}
            for row in chunk:
                asked.setdefault(row["about"]["dataset"], set()).add(row["about"]["item_id"])
            for dataset in asked.keys() - keys.keys():
                keys[dataset] = AnswerKey(self.datasets / f"{dataset}.parquet")
            items = {dataset: keys[dataset].find_items(ids) for dataset, ids in asked.items()}
            for row in chunk:
                about = row["about"]
                item = items[about["dataset"]][about["item_id"]]
                reply = self._reply(row, item, keys[about["dataset"]], attempt=metadata["attempt"])
                if reply is not None:
                    yield {"id": f"sim_{row['custom_id'][:16]}", "custom_id": row["custom_id"], **reply}

    def rate(self, name: str, prompt: str) -> float:
        """The rate `name` under a prompt."""
        value = self.rates[name]
        if isinstance(value, Mapping):
            from scripts.providers.options import provider_schema

            usual = provider_schema("simulated")["model"]["properties"][name]["default"]
            return float(value.get(prompt, value.get("default", usual)))
        return float(value)

    def _reply(
        self, row: Mapping[str, Any], item: Item, key: AnswerKey, *, attempt: str
    ) -> dict[str, Any] | None:
        about, body = row["about"], row["body"]
        prompt = body["metadata"]["prompt"]
        cell = (about["dataset"], about["item_id"], self.model, prompt, str(about["replicate"]))
        fate = self._fate(prompt, draws(self.seed, "fate", *cell, attempt)[0])
        if fate is Outcome.MISSING:
            return None
        if fate is Outcome.EXPIRED:
            return {
                "response": None,
                "error": {"code": "batch_expired", "message": "the batch's time was up"},
            }
        if fate is Outcome.ERRORED:
            problem = {"code": "server_error", "message": "the model could not be reached"}
            return {"response": {"status_code": 500, "body": {"error": problem}}, "error": None}
        text = self._answer(item, key, cell)
        return {"response": {"status_code": 200, "body": _completion(body, text, fate)}, "error": None}

    def _fate(self, prompt: str, draw: float) -> Outcome:
        for outcome in (
            Outcome.MISSING,
            Outcome.EXPIRED,
            Outcome.ERRORED,
            Outcome.REFUSED,
            Outcome.TRUNCATED,
        ):
            draw -= self.rate(outcome.value, prompt)
            if draw < 0:
                return outcome
        return Outcome.ANSWERED

    def _answer(self, item: Item, key: AnswerKey, cell: Sequence[str]) -> str:
        dataset, item_id, model, prompt, _ = cell
        style, silence, pick, _ = draws(self.seed, "style", *cell)
        if item.is_unanswerable:
            honest = silence < self.rate("honest", prompt)
            return _pick(ABSTENTIONS, pick) if honest else _wrong_answer(item, key, pick)
        ease = (
            math.sqrt(ITEM_SHARE) * normal(draws(self.seed, "item", dataset, item_id)[0])
            + math.sqrt(CELL_SHARE) * normal(draws(self.seed, "cell", dataset, item_id, model, prompt)[0])
            + math.sqrt(DRAW_SHARE) * normal(draws(self.seed, "draw", *cell)[0])
        )
        if NORMAL.cdf(ease) < self.rate("accuracy", prompt):
            return _in_style(_pick(item.answers, pick * pick), style)
        if silence < self.rate("abstained", prompt):
            return _pick(ABSTENTIONS, pick)
        return _wrong_answer(item, key, pick)


class AnswerKey:
    """The accepted answers of one prepared dataset, in columns, which take little memory."""

    def __init__(self, path: Path) -> None:
        columns = ("id", "answers", "is_unanswerable", "choices")
        self._table = read_parquet(path, columns).combine_chunks()
        self._ids = self._table["id"].combine_chunks()

    @functools.cached_property
    def pool(self) -> tuple[str, ...]:
        """Answers that are plausible for another item: the first of each of the first items."""
        batches = self._table.select(["answers"]).to_batches(max_chunksize=CHUNK_ROWS)
        rows = (row["answers"] for batch in batches for row in batch.to_pylist())
        return tuple(itertools.islice((row[0] for row in rows if row), POOL_SIZE)) or MADE_UP

    def find_items(self, ids: Iterable[str]) -> dict[str, Item]:
        """Find what is known of some items."""
        import pyarrow as pa
        import pyarrow.compute as pc

        places = pc.index_in(pa.array(list(ids), pa.string()), value_set=self._ids)
        return {
            row["id"]: Item(
                row["id"],
                "",
                tuple(row["answers"]),
                row["is_unanswerable"],
                choices=tuple(row["choices"]),
            )
            for row in self._table.take(places).to_pylist()
        }


def draws(seed: int, *names: str) -> tuple[float, float, float, float]:
    """
    Four uniform draws in [0, 1) that hang on nothing but their seed and name.

    Examples
    --------
    >>> draws(1, "item", "q1") == draws(1, "item", "q1") != draws(2, "item", "q1")
    True
    """
    bits = hashlib.sha256("\x1f".join((str(seed), *names)).encode("utf-8", "replace")).digest()
    first, second, third, fourth = (word / 2**64 for word in struct.unpack("<4Q", bits))
    return first, second, third, fourth


def normal(uniform: float) -> float:
    """A standard normal deviate from a uniform draw."""
    return NORMAL.inv_cdf(min(max(uniform, 1e-12), 1 - 1e-12))


def _pick(options: Sequence[str], draw: float) -> str:
    return options[int(draw * len(options))]


def _in_style(answer: str, draw: float) -> str:
    """Say a right answer as models do: mostly bare, at times with a full stop."""
    return f"{answer}." if draw < 0.15 and not answer.endswith(".") else answer


def _wrong_answer(item: Item, key: AnswerKey, draw: float) -> str:
    """A wrong but plausible answer: another choice, or another item's answer."""
    accepted = {answer.casefold() for answer in item.answers}
    if item.choices:
        letters = {chr(ord("a") + place): choice for place, choice in enumerate(item.choices)}
        wrong = [choice for letter, choice in letters.items() if not {choice.casefold(), letter} & accepted]
        return _pick(wrong, draw) if wrong else "None of these"
    start = int(draw * len(key.pool))
    for answer in itertools.islice(itertools.cycle(key.pool), start, start + len(key.pool)):
        if answer.casefold() not in accepted:
            return answer
    return "None of these"


def _completion(body: Mapping[str, Any], text: str, fate: Outcome) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    reason = "stop"
    if fate is Outcome.REFUSED:
        message = {"role": "assistant", "content": None, "refusal": REFUSAL}
    if fate is Outcome.TRUNCATED:
        message["content"] = f"Let me think about this step by step. It could be {text[: len(text) // 2]}"
        reason = "length"
    written = message["content"] or REFUSAL
    output = body.get("max_tokens") if fate is Outcome.TRUNCATED else None
    usage = {
        "prompt_tokens": sum(_tokens(turn["content"]) + 4 for turn in body["messages"]),
        "completion_tokens": output or _tokens(written),
    }
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"model": body["model"], "choices": [choice], "usage": usage}


def _tokens(text: str) -> int:
    """A rehearsal's estimate: four characters to a token."""
    return math.ceil(len(text) / 4)

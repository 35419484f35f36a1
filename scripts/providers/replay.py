"""Recorded answers, served through the very path that a paid provider takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import DataError, shorten
from scripts.files import cached_sha256, dump_line, read_jsonl
from scripts.providers.base import Messages
from scripts.providers.chat import clean_text
from scripts.providers.local_batches import LocalBatches, local_service
from scripts.records import Item, Request, Trial

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

Cell = tuple[str, str, str, float | None, int]
"""What a recorded row answers: model, prompt, item, temperature (None: any) and replicate."""


@dataclasses.dataclass(frozen=True)
class Replay(LocalBatches):
    """A model whose answers were recorded; a row that is not there becomes the outcome ``missing``."""

    name: ClassVar[str] = "replay"
    resends: ClassVar[bool] = False
    needs_texts: ClassVar[bool] = False
    needs_item_ids: ClassVar[bool] = True
    is_paid: ClassVar[bool] = False
    parameters: ClassVar[frozenset[str] | None] = None

    model: str = ""
    recorded: Path = Path()
    recorded_sha256: str = ""

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        recorded = settings.find_file(
            settings.config["models"][model]["recorded"], "models", model, "recorded"
        )
        return cls(
            **local_service(settings, "replay"),
            model=model,
            recorded=recorded,
            recorded_sha256=cached_sha256(recorded),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check every row of the recording: known item, known once, a text."""
        recorded = settings.find_file(
            settings.config["models"][model]["recorded"], "models", model, "recorded"
        )
        known = frozenset().union(*item_ids.values())
        are_all_known = item_ids.keys() >= settings.config["datasets"].keys()
        lines: dict[tuple[Any, ...], int] = {}
        for number, row in read_jsonl(recorded):
            place = f"{recorded}, line {number}"
            cell = read_cell(row, place)
            if are_all_known and cell[2] not in known:
                raise DataError(
                    f"answers the item {cell[2]!r}, which is in no dataset",
                    where=place,
                    fix=f"Datasets: {shorten(item_ids)}. Delete the row, or add the item.",
                )
            first = lines.setdefault((*cell, row.get("dataset")), number)
            if first != number:
                raise DataError(
                    f"answers item {cell[2]!r} of {cell[0]}, {cell[1]} again (first in line {first})",
                    where=place,
                    fix="Keep one of the two rows, or number them by `replicate` from 0.",
                )
        _check_model_is_recorded(settings, model, recorded, lines)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Name the recorded row; the recording's digest makes an edited recording a new request."""
        return {
            "model": self.model,
            "prompt": trial.prompt,
            "dataset": dataset,
            "item_id": item.id,
            "temperature": trial.sampling.get("temperature"),
            "messages": list(messages),
            "recorded": self.recorded_sha256,
        }

    def encode(self, request: Request) -> str:
        """Write one request as a line: see `Provider.encode`."""
        return dump_line(
            {"custom_id": request.request_key, "replicate": request.replicate, "body": request.body}
        )

    def respond(
        self, rows: Iterator[dict[str, Any]], metadata: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Answer from the recording; what was not recorded stays out."""
        recorded = self._read_recording()
        for row in rows:
            body = row["body"]
            cells = (
                (self.model, body["prompt"], body["item_id"], temperature, row["replicate"], dataset)
                for dataset in (body["dataset"], None)
                for temperature in (body["temperature"], None)
            )
            found = next((recorded[cell] for cell in cells if cell in recorded), None)
            if found is not None:
                yield {"custom_id": row["custom_id"], "response": _completion(found), "error": None}

    def _read_recording(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        rows = {}
        for number, row in read_jsonl(self.recorded):
            if row.get("model") == self.model:
                cell = read_cell(row, f"{self.recorded}, line {number}")
                rows[(*cell, row.get("dataset"))] = row
        return rows


def read_cell(row: Mapping[str, Any], place: str) -> Cell:
    """Read what a recorded row answers, or say what is wrong with the row."""
    for key in ("model", "prompt", "item_id"):
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise DataError(
                f"the field {key!r} is {value!r}",
                where=place,
                fix="Every row needs model, prompt, item_id and text.",
            )
    if "text" not in row or not isinstance(row["text"], str | None):
        raise DataError(
            "the field 'text' is missing or not a text",
            where=place,
            fix="Write the answer as a text, or null.",
        )
    temperature, replicate = row.get("temperature"), row.get("replicate", 0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float | None):
        raise DataError(f"temperature is {temperature!r}", where=place, fix="Write a number.")
    if isinstance(replicate, bool) or not isinstance(replicate, int) or replicate < 0:
        raise DataError(f"replicate is {replicate!r}", where=place, fix="Write a whole number from 0.")
    if not isinstance(row.get("usage"), Mapping | None):
        raise DataError(
            "usage is not an object", where=place, fix='Write {"input_tokens": n, "output_tokens": n}.'
        )
    return str(row["model"]), str(row["prompt"]), str(row["item_id"]), temperature, replicate


def _check_model_is_recorded(
    settings: Settings, model: str, recorded: Path, lines: Mapping[tuple[Any, ...], int]
) -> None:
    models = {cell[0] for cell in lines}
    if model not in models:
        raise settings.error(
            f"{recorded} has no answer of {model!r}",
            "models",
            model,
            fix=f"Recorded models: {shorten(models)}.",
        )
    prompts = {cell[1] for cell in lines if cell[0] == model}
    for trial in settings.trials:
        if trial.model == model and trial.prompt not in prompts:
            raise settings.error(
                f"{recorded} has no answer of {model!r} to the prompt {trial.prompt!r}",
                "trials",
                fix=f"Recorded prompts of this model: {shorten(prompts)}.",
            )


def _completion(row: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": clean_text(row["text"])}
    choice = {"index": 0, "message": message, "finish_reason": row.get("finish_reason", "stop")}
    body = {"model": row["model"], "choices": [choice], "usage": row.get("usage")}
    return {"status_code": 200, "body": body}

"""The questions of a trial's page with both trials' answers: read, and some of each kind picked out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.reporting.page_content import Answer, Example, ExampleGroup, Excerpt, Questions
from scripts.reporting.question_selection import Key, Selection, TrialFiles, select_questions
from scripts.reporting.tables import TEXT_LIMIT, excerpt, finite

MAX_ACCEPTED = 8
"""Accepted answers and choices shown of one item."""

PAIRED_GROUPS = {"gained": 12, "lost": 12, "failed": 6}
SINGLE_GROUPS = {"right": 4, "wrong": 6, "abstained": 4, "failed": 6}
"""The most examples of each kind that a page shows one below the other."""

EXAMPLE_CHARACTERS = 10_000
"""About how much text all examples of a page may have together."""

READ_LIMIT = 300
"""The most characters that are shown of what a scorer read."""

_BATCH_ROWS = 1024
_LIMITS = (4000, 2000, 1000, 500, 250, 120)
_NO_ANSWER = Answer(outcome="missing", text=None, correct=None)


def read_questions(
    trial: TrialFiles,
    *,
    baseline: TrialFiles | None,
    datasets: Mapping[str, Path],
    limit: int = 2000,
    text_limit: int = TEXT_LIMIT,
) -> Questions:
    """
    Choose questions of a trial and read their texts.

    Parameters
    ----------
    trial, baseline : TrialFiles
        Score and outcome files; `baseline` is None for a trial that is compared with nothing.
    datasets : mapping of str to Path
        Parquet file of each dataset's items.
    limit : int
        The most questions; `select_questions` tells which.
    text_limit : int
        The most characters of a text that are read.
    """
    selection = select_questions(trial.scores, baseline=baseline.scores if baseline else None, limit=limit)
    texts = _Texts(
        trial=_read_answers(trial, selection.keys, text_limit),
        baseline=None if baseline is None else _read_answers(baseline, selection.keys, text_limit),
        items=_read_items(datasets, selection.keys, text_limit),
    )
    return _questions(selection, texts)


def group_examples(questions: Questions) -> tuple[ExampleGroup, ...]:
    """
    Pick the first few questions of each kind, their texts cut so that the page stays small.

    Kinds without an example are left out.
    """
    limits = PAIRED_GROUPS if questions.is_paired else SINGLE_GROUPS
    groups = [(kind, _pick(questions, kind, limit)) for kind, limit in limits.items()]
    shown = [example for _, examples in groups for example in examples]
    sizes = (
        limit for limit in _LIMITS if sum(_size(example, limit) for example in shown) <= EXAMPLE_CHARACTERS
    )
    text_limit = next(sizes, _LIMITS[-1])
    return tuple(
        ExampleGroup(kind, questions.totals[kind], tuple(_cut(example, text_limit) for example in examples))
        for kind, examples in groups
        if examples
    )


def _pick(questions: Questions, kind: str, limit: int) -> list[Example]:
    """Pick examples of a kind; those of no other kind are the clearest and come first."""
    examples = (example for example in questions.examples if kind in example.kinds)
    return sorted(examples, key=lambda example: len(example.kinds))[:limit]


def _questions(selection: Selection, texts: _Texts) -> Questions:
    examples = (texts.example(key, kinds) for key, kinds in zip(selection.keys, selection.kinds, strict=True))
    return Questions(
        examples=tuple(examples),
        totals=selection.totals,
        n_items=selection.n_items,
        is_paired=texts.baseline is not None,
    )


@dataclasses.dataclass(frozen=True)
class _Texts:
    """Rows of the chosen requests and items, by key."""

    trial: Mapping[Key, Answer]
    baseline: Mapping[Key, Answer] | None
    items: Mapping[tuple[str, str], Mapping[str, Any]]

    def example(self, key: Key, kinds: tuple[str, ...]) -> Example:
        """Put an item and its answers together."""
        dataset, item_id, replicate = key
        item = self.items.get((dataset, item_id), {})
        return Example(
            dataset=dataset,
            item_id=item_id,
            replicate=replicate,
            question=item.get("question"),
            accepted=item.get("accepted", ()),
            n_accepted=item.get("n_accepted", 0),
            is_unanswerable=bool(item.get("is_unanswerable")),
            choices=item.get("choices", ()),
            context=item.get("context"),
            trial=self.trial.get(key, _NO_ANSWER),
            baseline=None if self.baseline is None else self.baseline.get(key, _NO_ANSWER),
            kinds=kinds,
        )


def _parts(example: Example) -> Iterator[Excerpt]:
    answers = [example.trial, *([example.baseline] if example.baseline else [])]
    for part in (example.question, example.context, *(text for a in answers for text in (a.text, a.error))):
        if part is not None:
            yield part


def _size(example: Example, limit: int) -> int:
    return sum(min(limit, len(part.text)) for part in _parts(example))


def _cut(example: Example, limit: int) -> Example:
    answer, other = example.trial, example.baseline
    return dataclasses.replace(
        example,
        question=_shorter(example.question, limit),
        context=_shorter(example.context, limit),
        trial=_cut_answer(answer, limit),
        baseline=None if other is None else _cut_answer(other, limit),
    )


def _cut_answer(answer: Answer, limit: int) -> Answer:
    return dataclasses.replace(answer, text=_shorter(answer.text, limit), error=_shorter(answer.error, limit))


def _shorter(part: Excerpt | None, limit: int) -> Excerpt | None:
    return None if part is None else Excerpt(part.text[:limit], part.n_characters)


def _read_answers(files: TrialFiles, keys: Sequence[Key], limit: int) -> dict[Key, Answer]:
    found = _chosen_rows(files.scores, keys, ("correct", "abstained", "unread"), ("read",), READ_LIMIT)
    scores = {_key(row): row for row in found}
    rows = _chosen_rows(
        files.outcomes, keys, ("outcome",), ("text", "finish_reason", "error_code", "error_message"), limit
    )
    return {_key(row): _answer(row, scores.get(_key(row), {})) for row in rows}


def _answer(row: Mapping[str, Any], score: Mapping[str, Any]) -> Answer:
    parts = [name for name in ("error_code", "error_message") if row[name]]
    error = ": ".join(row[name] for name in parts)
    n_characters = sum(row[f"n_{name}"] for name in parts) + 2 * (len(parts) - 1)
    return Answer(
        outcome=row["outcome"],
        text=_excerpt(row, "text"),
        correct=finite(score.get("correct")),
        is_abstention=finite(score.get("abstained")) == 1,
        read=_part_read(score, row.get("text")),
        is_unread=finite(score.get("unread")) == 1,
        finish_reason=row["finish_reason"],
        error=Excerpt(error, n_characters) if error else None,
    )


def _part_read(score: Mapping[str, Any], text: str | None) -> Excerpt | None:
    """Give what was read of an answer, if that is not all of it."""
    read = _excerpt(score, "read")
    is_all = read is not None and text is not None and read.text == text.strip()[:READ_LIMIT]
    return None if is_all else read


def _chosen_rows(
    path: Path, keys: Sequence[Key], columns: Sequence[str], texts: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    wanted = set(keys)
    ids = sorted({item_id for _, item_id, _ in wanted})
    rows = _scan(path, ("item_id", ids), ("dataset", "item_id", "replicate", *columns), texts, limit)
    return [row for row in rows if _key(row) in wanted]


def _read_items(
    datasets: Mapping[str, Path], keys: Sequence[Key], limit: int
) -> dict[tuple[str, str], Mapping[str, Any]]:
    items: dict[tuple[str, str], Mapping[str, Any]] = {}
    columns = ("id", "answers", "is_unanswerable", "choices")
    for dataset in sorted({dataset for dataset, _, _ in keys} & set(datasets)):
        ids = sorted({item_id for name, item_id, _ in keys if name == dataset})
        for row in _scan(datasets[dataset], ("id", ids), columns, ("question", "context"), limit):
            items[dataset, row["id"]] = _item(row, limit)
    return items


def _item(row: Mapping[str, Any], limit: int) -> dict[str, Any]:
    accepted, choices = row.get("answers") or [], row.get("choices") or []
    return {
        "question": _excerpt(row, "question"),
        "context": _excerpt(row, "context"),
        "accepted": tuple(excerpt(text, limit=limit) for text in accepted[:MAX_ACCEPTED]),
        "n_accepted": len(accepted),
        "choices": tuple(excerpt(text, limit=limit) for text in choices),
        "is_unanswerable": row.get("is_unanswerable"),
    }


def _scan(
    path: Path, wanted: tuple[str, Sequence[str]], columns: Sequence[str], texts: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """
    Read the rows whose column is one of the wanted values, a few batches of the file at a time.

    Each of `texts` is cut while it is read; its whole length is in a column ``n_<name>``.
    """
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    column, values = wanted
    if not values:
        return []
    source = ds.dataset(path, format="parquet")
    there = set(source.schema.names)
    projection = {name: pc.field(name) for name in columns if name in there}
    for name in there.intersection(texts):
        projection[name] = pc.utf8_slice_codeunits(pc.field(name), 0, stop=limit)
        projection[f"n_{name}"] = pc.utf8_length(pc.field(name))
    scanner = source.scanner(
        columns=projection,
        filter=pc.field(column).isin(list(values)),
        batch_size=_BATCH_ROWS,
        batch_readahead=2,
        fragment_readahead=1,
    )
    rows: list[dict[str, Any]] = scanner.to_table().to_pylist()
    return rows


def _key(row: Mapping[str, Any]) -> Key:
    return row["dataset"], row["item_id"], row["replicate"]


def _excerpt(row: Mapping[str, Any], name: str) -> Excerpt | None:
    text = row.get(name)
    return None if text is None else Excerpt(text, row[f"n_{name}"])

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

import pytest

from scripts.experiment.datasets import item_row, prepared_schema
from scripts.files import dump_line, read_jsonl
from scripts.providers import LostCall
from scripts.providers.simulated import RATES, Simulated
from scripts.records import Item, Outcome, Request, Trial

N_ITEMS = 3000
NOBODY = dict.fromkeys(RATES, 0.0) | {"accuracy": 1.0}


def make_items(n, **changes):
    return [Item(f"q{k}", f"Question {k}?", (f"Answer {k}", f"also {k}"), **changes) for k in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("prepared")
    letters = [
        dataclasses.replace(item, answers=("b",), choices=("red", "green", "blue"))
        for item in make_items(N_ITEMS)
    ]
    datasets = {
        "plain": make_items(N_ITEMS),
        "open": [dataclasses.replace(item, answers=(), is_unanswerable=True) for item in make_items(N_ITEMS)],
        "letters": letters,
        "one": make_items(1),
    }
    for name, items in datasets.items():
        table = pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema())
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def make_provider(folder, tmp_path=Path(), *, seed=1, **rates):
    return Simulated(
        books=tmp_path / "books",
        model="sim",
        provider_model="sim-1",
        rates={**NOBODY, **rates},
        datasets=folder,
        seed=seed,
    )


def ask(provider, dataset="plain", *, n=N_ITEMS, prompt="control", attempt="1", order=1, replicate=0):
    trial = Trial("t", "sim", prompt, {"temperature": 0, "max_tokens": 64})
    rows = []
    for item in make_items(n)[::order]:
        body = provider.body([{"role": "user", "content": item.question}], trial, dataset, item)
        request = Request.render(dataset=dataset, item_id=item.id, replicate=replicate, body=body)
        rows.append(json.loads(provider.encode(request)) | {"item": item.id})
    keys = {row["custom_id"]: row["item"] for row in rows}
    answered = dict(map(provider.decode, provider.respond(iter(rows), {"attempt": attempt})))
    return {keys[key]: reply for key, reply in answered.items()}


def share(replies, test):
    return sum(map(test, replies.values())) / N_ITEMS


def is_right(pair):
    item_id, reply = pair
    number = item_id.removeprefix("q")
    return reply.text.rstrip(".") in {f"Answer {number}", f"also {number}"}


def test_the_same_seed_gives_the_same_answers_in_any_order(folder):
    rates = {"accuracy": 0.5, "errored": 0.1, "missing": 0.1, "refused": 0.1, "truncated": 0.1}
    forward, backward = (ask(make_provider(folder, **rates), order=order) for order in (1, -1))
    assert forward == backward
    assert forward != ask(make_provider(folder, seed=2, **rates))


def test_shards_do_not_change_the_answers(folder):
    provider = make_provider(folder, accuracy=0.5)
    whole = ask(provider)
    assert {key: whole[key] for key in ask(provider, n=10)} == ask(provider, n=10)


@pytest.mark.parametrize("accuracy", [0.0, 0.3, 0.7, 1.0])
def test_accuracy_is_near_its_rate_prompt_by_prompt(folder, accuracy):
    provider = make_provider(folder, accuracy={"treatment": accuracy, "default": 0.5})
    for prompt, expected in (("treatment", accuracy), ("control", 0.5)):
        right = sum(map(is_right, ask(provider, prompt=prompt).items())) / N_ITEMS
        assert right == pytest.approx(expected, abs=0.04)


def test_a_prompt_without_a_rate_has_the_usual_one(folder):
    assert make_provider(folder, accuracy={"treatment": 0.1}).rate("accuracy", "control") == 0.7


def test_two_prompts_are_right_on_much_the_same_items(folder):
    provider = make_provider(folder, accuracy=0.5)
    one, two = (ask(provider, prompt=prompt) for prompt in ("a", "b"))
    same = sum(is_right((key, one[key])) == is_right((key, two[key])) for key in one) / N_ITEMS
    assert 0.6 < same < 0.95


def test_wrong_answers_are_other_items_answers(folder):
    replies = ask(make_provider(folder, accuracy=0.0))
    pool = {f"Answer {n}" for n in range(N_ITEMS)}
    assert all(reply.text in pool for reply in replies.values())
    assert not any(map(is_right, replies.items()))
    assert len({reply.text for reply in replies.values()}) > 500


def test_the_only_item_of_a_dataset_can_be_answered_wrongly(folder):
    assert ask(make_provider(folder, accuracy=0.0), "one", n=1)["q0"].text == "None of these"


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_it_says_that_it_does_not_know_as_often_as_its_rates_say(folder, rate):
    silent = ("I don't know.", "Unknown", "I do not know.", "Cannot answer")
    wrong = ask(make_provider(folder, accuracy=0.0, abstained=rate))
    assert share(wrong, lambda reply: reply.text in silent) == pytest.approx(rate, abs=0.04)
    unanswerable = ask(make_provider(folder, honest=rate), "open")
    assert share(unanswerable, lambda reply: reply.text in silent) == pytest.approx(rate, abs=0.04)


def test_fates_come_at_their_rates(folder):
    rates = {"truncated": 0.1, "refused": 0.05, "errored": 0.15, "expired": 0.08, "missing": 0.12}
    replies = ask(make_provider(folder, **rates))
    assert len(replies) / N_ITEMS == pytest.approx(1 - 0.12, abs=0.03)
    for outcome, rate in rates.items():
        if outcome != "missing":
            found = share(replies, lambda reply, word=outcome: reply.outcome == word)
            assert found == pytest.approx(rate, abs=0.03)
    assert all(reply.is_retryable == (reply.outcome in {"errored", "expired"}) for reply in replies.values())


def test_a_second_attempt_has_a_fate_of_its_own_but_the_same_answer(folder):
    provider = make_provider(folder, accuracy=0.5, errored=0.5)
    first, second = (ask(provider, attempt=attempt) for attempt in "12")
    both = [key for key in first if first[key].outcome == second[key].outcome == Outcome.ANSWERED]
    assert 0.2 < len(both) / N_ITEMS < 0.3
    assert all(first[key].text == second[key].text for key in both)


def test_replicates_differ_a_little(folder):
    provider = make_provider(folder, accuracy=0.5)
    one, two = (ask(provider, replicate=number) for number in (0, 1))
    assert 0.7 < sum(map(is_right, two.items())) / sum(map(is_right, one.items())) < 1.4
    assert one != two


def test_choices_are_answered_with_one_of_them(folder):
    right = ask(make_provider(folder), "letters")
    assert {reply.text.rstrip(".") for reply in right.values()} == {"b"}
    wrong = ask(make_provider(folder, accuracy=0.0), "letters")
    assert {reply.text for reply in wrong.values()} == {"red", "blue"}


def test_a_truncated_answer_takes_every_token_it_may(folder):
    reply = ask(make_provider(folder, truncated=1.0), n=1)["q0"]
    assert (reply.finish_reason, reply.usage.output_tokens) == ("length", 64)


def test_other_rates_make_other_requests(folder):
    body = make_provider(folder).body([], Trial("t", "sim", "p", {}), "plain", make_items(1)[0])
    other = make_provider(folder, accuracy=0.9).body(
        [], Trial("t", "sim", "p", {}), "plain", make_items(1)[0]
    )
    assert body != other


def test_a_draft_of_a_killed_process_is_no_batch(folder, tmp_path):
    provider = make_provider(folder, tmp_path)
    (tmp_path / "payload").write_text("")
    batch_id = provider.create(tmp_path / "payload", key="a" * 64, metadata={"attempt": "1"})
    (provider.books / batch_id).rename(provider.books / f".{batch_id}")
    assert provider.find_existing("a" * 64, LostCall(datetime.datetime.now(datetime.UTC), 1)) is None


def test_batches_take_their_time_and_all_their_rows_come(folder, tmp_path):
    provider = dataclasses.replace(make_provider(folder, tmp_path), delay_seconds=(100.0, 200.0))
    trial = Trial("t", "sim", "p", {})
    body = provider.body([], trial, "plain", make_items(1)[0])
    request = Request.render(dataset="plain", item_id="q0", replicate=0, body=body)
    (tmp_path / "payload").write_text(provider.encode(request))
    batch_id = provider.create(tmp_path / "payload", key="f" * 64, metadata={"attempt": "1"})
    assert provider.status(batch_id).status == "running"
    provider.fetch(batch_id, tmp_path / "replies.jsonl")
    assert [row["custom_id"] for _, row in read_jsonl(tmp_path / "replies.jsonl")] == [request.request_key]
    assert dump_line(dict(body))

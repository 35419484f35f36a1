"""The questions that a page carries along, cut to its budget."""

from __future__ import annotations

import random

import pytest

from scripts.reporting import embed
from scripts.reporting.examples import read_questions
from tests.fakes.trial_files import NAN, answered_rows


def test_a_block_gives_back_what_was_put_in(write, datasets):
    trial = write("t", answered_rows([1.0, 0.0, NAN], {0: "mine </script>\x00", 1: "y" * 5000}))
    questions = read_questions(trial, baseline=write("b", answered_rows([0.0, 1.0, 1.0])), datasets=datasets)

    block = embed.fit(embed.columns(questions, trial="t", baseline="b"), budget=100_000)
    value = embed.unpack(f'<script type="application/octet-stream" class="items">{block.data}</script>')

    rows = dict(zip(value["columns"]["id"], value["columns"]["text"], strict=True))
    assert rows["q0000"] == "mine </script>\u27e8U+0000\u27e9"
    assert rows["q0001"] == ["y" * 4000, 5000]
    contexts = dict(zip(value["columns"]["id"], value["columns"]["context"], strict=True))
    assert contexts["q0001"] == ["c" * 4000, 10_000]
    assert contexts["q0000"] is None
    assert (value["trial"], value["baseline"], value["n_items"]) == ("t", "b", 3)


def _noise(n):
    letters = random.Random(1)
    return {number: "".join(letters.choices("abcdefghijklmnopqrstuvwxyz ", k=800)) for number in range(n)}


@pytest.mark.parametrize("budget", [3_000, 20_000, 60_000])
def test_a_block_keeps_to_its_budget(write, datasets, budget):
    trial, baseline = (
        write("t", answered_rows([1.0] * 300, _noise(300))),
        write("b", answered_rows([0.0] * 300)),
    )
    questions = read_questions(trial, baseline=baseline, datasets=datasets)

    block = embed.fit(embed.columns(questions, trial="t", baseline="b"), budget=budget)

    assert 0.5 * budget < len(block.data) <= budget
    assert (block.n_shown == 300) == (budget == 60_000)
    assert block.text_limit < 800
    assert block.is_cut
    assert block.n_items == 300


def test_a_block_that_is_cut_again_knows_how_short_its_texts_are(write, datasets):
    trial, baseline = write("t", answered_rows([1.0] * 50, _noise(50))), write("b", answered_rows([0.0] * 50))
    questions = read_questions(trial, baseline=baseline, datasets=datasets)
    value = embed.columns(questions, trial="t", baseline="b")

    short = embed.fit(value, budget=10_000)
    found = embed.unpack(f'<script type="application/octet-stream" class="items">{short.data}</script>')
    again = embed.fit(found, budget=100_000, shortest=350)

    assert (again.text_limit, again.is_cut) == (short.text_limit, True)
    assert again.text_limit < 800

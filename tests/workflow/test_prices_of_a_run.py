"""A run keeps the rates that it was started with."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.harness import ROOT, Experiment

pytestmark = pytest.mark.workflow

CONFIG: dict[str, Any] = {
    "run_id": "t",
    "datasets": {"sums": {"path": "items.jsonl", "scorer": "short_answer"}},
    "prompts": {"plain": {}},
    "models": {"gpt-4o-mini": {"provider": "replay", "recorded": "tape.jsonl"}},
    "trials": {"sweep": {"prompt": ["plain"]}, "baseline": {"prompt": "plain"}},
}
TOKENS = {"input_tokens": 1000, "output_tokens": 200, "reasoning_tokens": 150}


def test_a_finished_run_keeps_its_rates_when_the_table_has_others_and_can_be_priced_again(
    tmp_path: Path,
) -> None:
    experiment = Experiment(tmp_path).write(CONFIG, n_items=2)
    rows = (
        {"model": "gpt-4o-mini", "prompt": "plain", "item_id": f"q{n}", "text": str(2 * n), "usage": TOKENS}
        for n in range(2)
    )
    (tmp_path / "tape.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert experiment.run().returncode == 0
    prices = experiment.root / "prices.json"
    listed = json.loads(prices.read_text())
    rates = listed["prices"]["replay/gpt-4o-mini"]
    (trial,) = experiment.summary()["trials"]
    before = Decimal(str(2 * rates["input"])) / 1000 + Decimal(str(400 * rates["output"])) / 1_000_000
    assert trial["cost_usd"] == float(before)
    assert experiment.summary()["prices"] == {"gpt-4o-mini": rates}

    rates |= {"input": 7.0, "source": "the table of another year"}
    prices.write_text(json.dumps(listed))

    again = experiment.run()
    assert again.returncode == 0, again.stderr
    assert json.loads(prices.read_text()) == listed
    (trial,) = experiment.summary()["trials"]
    assert trial["cost_usd"] == float(Decimal("0.014") + Decimal(str(400 * rates["output"])) / 1_000_000)
    assert "Nothing to be done" in experiment.run().stderr

    place = ["--run_id", "t", "--experiments_dir", str(tmp_path / "experiments")]
    repriced = subprocess.run(
        [sys.executable, "-m", "scripts.reprice", *place, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(repriced.stdout)["totals"]["new_usd"] == float(before)
    assert json.loads(prices.read_text()) == listed

"""What every command has in common: help with examples, and no option that is not known."""

from __future__ import annotations

import pytest

from scripts import ledger, list_runs, reprice, run_all, status, stop_run

COMMANDS = {
    "run_all": run_all.main,
    "stop_run": stop_run.main,
    "status": status.main,
    "list_runs": list_runs.main,
    "ledger": ledger.main,
    "reprice": reprice.main,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_that_name_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        COMMANDS[name](["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m scripts.{name} ")
    examples = out.partition("examples:\n")[2].splitlines()
    assert len(examples) >= 2
    assert all(line.startswith(f"  python -m scripts.{name}") for line in examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_not_known_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        COMMANDS[name](["--run_id", "x", "--fast"])
    assert caught.value.code == 2
    assert "--fast" in capsys.readouterr().err

"""What the commands have in common on their command lines."""

import io
import sys
from pathlib import Path

import pytest

from scripts.run.command_line import add_run_options, command_parser, make_console


@pytest.mark.parametrize("text", ["--run_id", "--run-id"])
@pytest.mark.parametrize("form", ["{}=a-b", "{} a-b"])
def test_an_option_is_known_with_hyphens_too(text: str, form: str) -> None:
    parser = command_parser("status", None, "")
    add_run_options(parser)
    options = parser.parse_args([*form.format(text).split(), "--experiments-dir", "my-runs"])
    assert (options.run_id, options.experiments_dir) == ("a-b", Path("my-runs"))


def test_an_unknown_option_is_still_refused_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_parser("status", None, "")
    with pytest.raises(SystemExit):
        parser.parse_args(["--run-identity", "x"])
    assert "--run-identity" in capsys.readouterr().err


def test_a_letter_that_the_terminal_does_not_have_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(seen, encoding="latin-1", write_through=True))
    make_console().print("2 × \N{GREEK SMALL LETTER ALPHA}")
    assert seen.getvalue().decode("latin-1").strip() == "2 × ?"


def test_a_closed_terminal_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    make_console().print("x")

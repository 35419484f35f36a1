"""Rows of a trial's files."""

from __future__ import annotations

NAN = float("nan")


def answered_rows(scores, texts=None):
    return [
        (f"q{number:04}", 0, "answered", score, (texts or {}).get(number, f"text {number}"))
        for number, score in enumerate(scores)
    ]

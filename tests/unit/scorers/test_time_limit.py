"""A block ends when its time is up, and leaves the process as it was."""

from __future__ import annotations

import itertools
import signal
import threading

import pytest

from scripts.scorers.time_limit import TooSlowError, time_limit


def test_a_block_that_does_not_end_is_ended() -> None:
    with pytest.raises(TooSlowError), time_limit(0.05):
        any(number < 0 for number in itertools.count())
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_the_handler_of_before_is_back() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with time_limit(60):
        assert signal.getsignal(signal.SIGVTALRM) is not before
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_another_thread_is_not_limited() -> None:
    ended: list[bool] = []

    def work() -> None:
        with time_limit(0.001):
            ended.append(sum(range(1_000_000)) > 0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]

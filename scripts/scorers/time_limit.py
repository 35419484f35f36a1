"""An end for what a user's pattern may never come to: a search that backtracks for ever."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class TooSlowError(Exception):
    """The time was up."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """
    End the block after so many seconds of this process's own computing; waiting for others does not count.

    Python's patterns look for signals while they search, so one of a timer ends them.  Only the main thread
    gets signals: elsewhere nothing is limited.

    Raises
    ------
    TooSlowError
        When the time is up.

    Examples
    --------
    >>> import re
    >>> with time_limit(0.1):
    ...     re.search(r"(a+)+$", "a" * 60 + "!")
    Traceback (most recent call last):
        ...
    scripts.scorers.time_limit.TooSlowError
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

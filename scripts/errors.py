"""
What a user is told when something is wrong.

::

    PipelineError            what is wrong, where, what to do
    ├── ConfigError          the configuration, a prompt or the trial table
    ├── DataError            a dataset, a recording or a file of the run
    ├── StateError           the run's folder: locked, stopped, written by another configuration
    └── ProviderError        the provider refused; nothing was started
        ├── LimitError       a file is over a limit; nothing was sent
        ├── BusyError        the provider asks to wait, or cannot be reached; nothing was started
        │   └── UnreadableError   an answer came that cannot be read: ask again, but not for ever
        ├── NoBatchError     the provider knows no such batch
        ├── NoEndpointError  the service has no endpoint for this call
        └── UnknownOutcomeError   the connection broke after sending: a paid batch may exist

Libraries raise ``ValueError`` for a caller's mistake; phases turn what a user can fix into a
``PipelineError``; everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator


class PipelineError(Exception):
    """
    A user's mistake or an external failure, described in three parts.

    Parameters
    ----------
    what : str
        What is wrong, with the value seen and the values allowed.
    where : str
        File, key or line, as a user would look it up.
    fix : str
        What to do about it, as a sentence.
    """

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        super().__init__(f"{where}: {what}\n  {fix}")
        self.what = what
        self.where = where
        self.fix = fix


class ConfigError(PipelineError):
    """The configuration, a prompt or the trial table is wrong."""


class DataError(PipelineError):
    """A dataset, a recording or a file of the run is wrong."""


class StateError(PipelineError):
    """The run's folder is not in a state that allows this."""


class ProviderError(PipelineError):
    """The provider refused; nothing was started."""


class LimitError(ProviderError):
    """Something is over a provider's limit; nothing was sent."""


class BusyError(ProviderError):
    """
    The provider asks to wait, or cannot be reached for the moment; nothing was started.

    Parameters
    ----------
    retry_after_s : float, optional
        How long the provider asks to wait.
    is_cut : bool
        Whether an answer broke off, so that the provider was there.
    """

    def __init__(
        self, what: str, *, where: str, fix: str, retry_after_s: float | None = None, is_cut: bool = False
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.retry_after_s = retry_after_s
        self.is_cut = is_cut


class UnreadableError(BusyError):
    """An answer came, or a file, and cannot be read; it may be a moment's fault, but need not be."""


class NoBatchError(ProviderError):
    """The provider has no such batch: not yet, no longer, or in another account."""


class NoEndpointError(ProviderError):
    """The service has no endpoint for this call."""


class UnknownOutcomeError(ProviderError):
    """
    The connection broke after sending: a paid batch may exist, so nobody may send again unasked.

    Parameters
    ----------
    ask_again_s : float, optional
        After how long the provider may be able to tell; None: a person has to look.
    """

    def __init__(self, what: str, *, where: str, fix: str, ask_again_s: float | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.ask_again_s = ask_again_s


def shorten(values: Iterable[object], *, limit: int = 5) -> str:
    """
    List values for a message: sorted, at most `limit`, then how many more there are.

    Examples
    --------
    >>> shorten(["b", "a"])
    'a, b'
    >>> shorten(range(7), limit=2)
    '0, 1 and 5 more'
    """
    texts = sorted(str(value) for value in values)
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[:limit])} and {len(texts) - limit} more"


@contextlib.contextmanager
def user_errors(*, code: int = 1) -> Iterator[None]:
    """Turn a `PipelineError` into one message on stderr and an exit code; bugs keep their traceback."""
    try:
        yield
    except PipelineError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(code) from None

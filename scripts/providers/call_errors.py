"""What a failed call to a provider means and how it is told, whichever official client raised it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from scripts.errors import BusyError, NoBatchError, ProviderError, UnknownOutcomeError

MAX_TEXT = 500

NOTHING_LEFT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Answers with status 429 after which waiting does not help."""

UNSURE = frozenset({408, 409, 499})
"""Refusals that gateways send also for a call that has been passed on."""

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Errors of a connection that come before the first byte is sent."""


@dataclasses.dataclass(frozen=True)
class CallErrors:
    """
    The errors of one account's calls; the key is in none of them.

    An answer that was an error has its status as ``status_code`` and what it said as ``body``; without a
    status, nothing was answered, or nothing that can be read.
    """

    where: str
    variable: str
    """The environment variable of the key."""
    kept: str | None
    """How long results are kept; None: the provider does not say."""
    key: str = dataclasses.field(repr=False)

    def of_create(self, key: str, error: Exception) -> ProviderError:
        """Sort the error of a call that costs money, made for the shard `key`."""
        status = getattr(error, "status_code", None)
        if status is None and _was_never_sent(error):
            return self.busy(error)
        return self.refusal(error) if _is_no(status) else self.unknown(key, error)

    def of_upload(self, error: Exception) -> ProviderError:
        """Sort the error of an upload: a lone file costs nothing."""
        return self.refusal(error) if _is_no(getattr(error, "status_code", None)) else self.busy(error)

    def of_read(self, what: str, error: Exception) -> ProviderError:
        """Sort the error of a call that changes nothing."""
        status = getattr(error, "status_code", None)
        if status == 404:
            kept = f" Results are kept {self.kept}." if self.kept else ""
            return NoBatchError(
                f"{what} is not there",
                where=self.where,
                fix=f"Was {self.variable}, or the account, replaced by another?{kept}",
            )
        return self.refusal(error) if _is_no(status) else self.busy(error)

    def of_list(self, key: str, error: Exception) -> UnknownOutcomeError:
        """Make the error of a list that was to tell whether a batch is there."""
        return UnknownOutcomeError(
            f"the list of batches cannot be read ({self._describe(error)}), so a paid batch may exist",
            where=self.where,
            fix=f"Run again later: it looks for the batch (key {key[:12]}...) before anything is sent.",
        )

    def refusal(self, error: Exception) -> ProviderError:
        """Make the error of a clear no; a 429 is one too (the call was not carried out), but not for long."""
        status = getattr(error, "status_code", None)
        if status == 429 and getattr(error, "code", None) not in NOTHING_LEFT:
            return self.busy(error)
        fix = "Nothing was started. Fix what the provider reports, then run again."
        if status in {401, 403}:
            fix = f"Check {self.variable} and what its project is allowed to do; nothing was started."
        return ProviderError(f"refused: {self._describe(error)}", where=self.where, fix=fix)

    def busy(self, error: Exception) -> BusyError:
        """Make the error of a call that can be made again."""
        answer = getattr(error, "response", None) or getattr(error, "raw_response", None)
        return BusyError(
            f"cannot be reached or asks to wait: {self._describe(error)}",
            where=self.where,
            fix="Nothing is lost: run again later.",
            retry_after_s=_retry_after(answer),
        )

    def unknown(self, key: str, error: Exception) -> UnknownOutcomeError:
        """Make the error of a create call that may have been carried out."""
        return UnknownOutcomeError(
            f"the answer to the create call was lost ({self._describe(error)}); a paid batch may exist",
            where=self.where,
            fix=f"Run again: it looks for the batch (key {key[:12]}...) before anything is sent.",
        )

    def clean(self, text: str) -> str:
        """Shorten a provider's words, and take the key out: some servers quote it."""
        return text.replace(self.key, "***")[:MAX_TEXT]

    def _describe(self, error: Exception) -> str:
        status = getattr(error, "status_code", None)
        if status is not None:
            return self.clean(f"status {status}: {_words(getattr(error, 'body', None)) or 'no reason given'}")
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
        return self.clean(f"{error or type(error).__name__}{cause}")


def need_id(value: Any, what: str) -> str:
    """
    Read the id that an answer names.

    Raises
    ------
    ValueError
        If it names none.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"the answer names no {what}")
    return value


def _is_no(status: int | None) -> bool:
    """Whether an answer says that a call was not carried out, and would not be the next time."""
    return status is not None and 400 <= status < 500 and status not in UNSURE


def _was_never_sent(error: Exception) -> bool:
    return not NEVER_SENT.isdisjoint({type(error).__name__, type(error.__cause__).__name__})


def _words(body: Any) -> str | None:
    """Find what an answer says of its error; some clients read the answer, others leave it as it came."""
    if isinstance(body, str):
        with contextlib.suppress(ValueError):
            body = json.loads(body)
    if not isinstance(body, Mapping):
        return None
    if isinstance(body.get("error"), Mapping):
        return _words(body["error"])
    words = body.get("message") or body.get("detail")
    return None if words is None else str(words)


def _retry_after(response: Any) -> float | None:
    """Seconds that the provider asks to wait; None if it does not say."""
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        seconds = float(response.headers.get("retry-after"))
        return seconds if 0 <= seconds < float("inf") else None
    return None

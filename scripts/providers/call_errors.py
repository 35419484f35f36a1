"""What a failed call to a provider means and how it is told, whichever official client raised it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.errors import (
    BusyError,
    NoBatchError,
    NoEndpointError,
    ProviderError,
    UnknownOutcomeError,
    UnreadableError,
)

MAX_TEXT = 500

NOTHING_LEFT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Answers with status 429 after which waiting does not help."""

UNSURE = frozenset({408, 409, 499})
"""Refusals that gateways send also for a call that has been passed on."""

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Errors of a connection that come before the first byte is sent."""

CONNECTION = frozenset({"TransportError", "APIConnectionError", "NoResponseError"})
"""Errors of the clients that mean the same."""

MAX_CHAIN = 20

NO_LIST = frozenset({404, 405, 501})
"""Answers of a service that has no list of batches."""

NOT_RUN = frozenset({500, 503, 529})
"""Failures of the provider itself, which answers that it has not run a request."""


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
            return self._no_trust(error) if _is_certificate(error) else self.busy(error)
        return self.refusal(error) if _is_no(status) else self.unknown(key, error)

    def of_upload(self, error: Exception) -> ProviderError:
        """Sort the error of an upload: a lone file costs nothing."""
        if _is_certificate(error):
            return self._no_trust(error)
        return self.refusal(error) if _is_no(getattr(error, "status_code", None)) else self.busy(error)

    def of_first_list(self, error: Exception) -> ProviderError:
        """Sort the error of the question which batches are there, before anything is sent."""
        if getattr(error, "status_code", None) in NO_LIST:
            return NoBatchError(
                f"batches cannot be listed ({self._describe(error)})",
                where=self.where,
                fix="A batch that the run's folder has forgotten cannot be found again.",
            )
        return self.of_upload(error)

    def of_preflight(self, error: Exception) -> ProviderError:
        """Sort the error of a request that was to be answered at once."""
        status = getattr(error, "status_code", None)
        if _is_no_endpoint(status, getattr(error, "body", None)):
            return NoEndpointError(
                f"no request is answered at once ({self._describe(error)})",
                where=self.where,
                fix="Set `preflight: false` for the provider.",
            )
        if _is_certificate(error):
            return self._no_trust(error)
        if status in NOT_RUN or (status is None and _was_never_sent(error)):
            return self.busy(error)
        if not _is_no(status):
            return UnknownOutcomeError(
                f"the answer to the preflight request was lost ({self._describe(error)}); it may be paid",
                where=self.where,
                fix="Nothing else was sent.",
            )
        refusal = self.refusal(error)
        if isinstance(refusal, BusyError) or status in {401, 403}:
            return refusal
        return ProviderError(
            refusal.what,
            where=self.where,
            fix="No batch was created. Correct what the provider complains of (the model, the sampling "
            "or the prompt), then run again. With `preflight: false` batches go out without this question.",
        )

    def of_read(self, what: str, error: Exception, *, is_paid: bool = True) -> ProviderError:
        """Sort the error of a call that changes nothing; `is_paid` says that a batch is there already."""
        status = getattr(error, "status_code", None)
        if status == 404:
            return NoBatchError(
                f"{what} is not there",
                where=self.where,
                fix=f"Was {self.variable}, or the account, replaced by another?{self._kept}",
            )
        if _is_no(status):
            return self._refused_read(what, error) if is_paid else self.refusal(error)
        if _is_certificate(error) or not (_is_connection(error) or (status or 0) >= 400):
            return UnreadableError(
                f"{what} cannot be read: {self._describe(error)}",
                where=self.where,
                fix="Nothing is lost: run again later.",
            )
        return self.busy(error)

    def of_list(self, key: str, error: Exception) -> UnknownOutcomeError:
        """Make the error of a list that was to tell whether a batch is there."""
        is_no = _is_no(getattr(error, "status_code", None)) or _is_certificate(error)
        return UnknownOutcomeError(
            f"the list of batches cannot be read ({self._describe(error)}), so a paid batch may exist",
            where=self.where,
            fix=f"Run again later: it looks for the batch (key {key[:12]}...) before anything is sent.",
            ask_again_s=None if is_no else _retry_after(_answer_of(error)) or 0.0,
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

    def _refused_read(self, what: str, error: Exception) -> ProviderError:
        """Make the error of a batch that may not be looked at: it is paid, and somebody has to collect it."""
        refusal = self.refusal(error)
        if isinstance(refusal, BusyError):
            return refusal
        status = getattr(error, "status_code", None)
        way_out = "Fix what the provider reports"
        if status in {401, 403}:
            way_out = f"Set {self.variable} to a key of the account that it was sent with"
        return ProviderError(
            f"{what} may not be read ({refusal.what}), but it is paid and goes on at the provider",
            where=self.where,
            fix=f"{way_out}, then run the same command again: it collects the batch and sends nothing twice."
            + self._kept,
        )

    @property
    def _kept(self) -> str:
        return f" Results are kept {self.kept}." if self.kept else ""

    def _no_trust(self, error: Exception) -> ProviderError:
        return ProviderError(
            f"no secure connection: {self._describe(error)}",
            where=self.where,
            fix="Nothing was sent. Check base_url; a proxy with its own certificate needs SSL_CERT_FILE.",
        )

    def busy(self, error: Exception) -> BusyError:
        """Make the error of a call that can be made again."""
        return BusyError(
            f"cannot be reached or asks to wait: {self._describe(error)}",
            where=self.where,
            fix="Nothing is lost: run again later.",
            retry_after_s=_retry_after(_answer_of(error)),
            is_cut=_is_connection(error) and not _was_never_sent(error),
        )

    def unknown(self, key: str, error: Exception) -> UnknownOutcomeError:
        """Make the error of a create call that may have started a batch."""
        return UnknownOutcomeError(
            f"the answer to the create call was lost ({self._describe(error)}); a paid batch may exist",
            where=self.where,
            fix=f"Run again: it looks for the batch (key {key[:12]}...) before anything is sent.",
            ask_again_s=0.0,
        )

    def clean(self, text: str) -> str:
        """Shorten a provider's words, and take the key out: some servers quote it."""
        return text.replace(self.key, "***")[:MAX_TEXT]

    def _describe(self, error: Exception) -> str:
        status = getattr(error, "status_code", None)
        if status is not None:
            words = _words(getattr(error, "body", None)) or (
                str(error) if status < 400 else "no reason given"
            )
            return self.clean(f"status {status}: {words}")
        if (unsafe := _find(error, "SSLError")) is not None:
            return self.clean(f"TLS: {unsafe}")
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


def first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Keep the first value of each key.

    Examples
    --------
    >>> first_of_each([("k", "b2"), ("k", "b1")])
    {'k': 'b2'}
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def count_done(counts: Any, *names: str) -> int | None:
    """
    Add up what a provider's counts call done, an object's or a mapping's; None if it counts nothing.

    Examples
    --------
    >>> count_done({"completed": 3, "failed": None, "total": 4}, "completed", "failed")
    3
    >>> count_done({"total": 4}, "completed"), count_done(None, "completed")
    (None, None)
    """
    found = counts if isinstance(counts, Mapping) else getattr(counts, "__dict__", {})
    known = [
        number
        for name in names
        if isinstance(number := found.get(name), int) and not isinstance(number, bool)
    ]
    return sum(known) if known else None


def _is_no(status: int | None) -> bool:
    """Whether an answer says that a call was not carried out, and would not be the next time."""
    return status is not None and 400 <= status < 500 and status not in UNSURE


def _is_no_endpoint(status: int | None, body: Any) -> bool:
    """Whether an answer tells of a missing address, rather than of a missing model."""
    return status in NO_LIST and (status != 404 or "model" not in str(body).lower())


def _was_never_sent(error: Exception) -> bool:
    return not NEVER_SENT.isdisjoint({type(error).__name__, type(error.__cause__).__name__})


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, as far as that is known."""
    for _ in range(MAX_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _find(error: Exception, kind: str) -> BaseException | None:
    """Find an error of a kind, by its name, in what an error came from."""
    return next((each for each in _chain(error) if kind in _kinds(each)), None)


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _is_certificate(error: Exception) -> bool:
    """Whether the other side is not trusted, which waiting does not mend."""
    return _find(error, "SSLCertVerificationError") is not None


def _is_connection(error: Exception) -> bool:
    """Whether a connection failed, so that no answer came, or not all of it."""
    below = error.__cause__
    if below is not None and "HTTPError" in _kinds(below):
        return "TransportError" in _kinds(below)
    return not CONNECTION.isdisjoint(_kinds(error))


def _answer_of(error: Exception) -> Any:
    return getattr(error, "response", None) or getattr(error, "raw_response", None)


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

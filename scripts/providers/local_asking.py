"""Asking a chat server one request until it is answered, or has failed by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scripts.errors import BusyError, ProviderError
from scripts.files import MAX_LINE_BYTES, dump_line

if TYPE_CHECKING:
    import ssl

    import openai

MAX_TRIES = 3
"""How often a request is asked that breaks the connection or fails in the server."""

FIRST_REST_S, MAX_REST_S = 0.5, 15.0
"""How long to wait before asking again: doubled each time."""

CONNECT_S = 10.0
"""How long to wait for a connection: whether a server is there shows sooner than an answer."""

MAX_ROW_BYTES = MAX_LINE_BYTES // 2
"""A longer answer is no answer, and could not be read again."""

MAX_TEXT = 500
NO_KEY = "none"
"""Sent where the server wants no key: never another provider's."""


class Trouble(enum.Enum):
    """What an error says about asking again."""

    AWAY = "the server is not there, or asks to wait: any request has to wait, however long"
    REFUSED = "the server refuses, and would refuse any request"
    BROKEN = "this request may succeed when it is asked again"
    FAILED = "this request will fail again, or takes too long"


@dataclasses.dataclass(frozen=True)
class ChatServer:
    """Where to ask, and how patiently."""

    base_url: str
    timeout_seconds: float
    key: str | None = None

    @property
    def where(self) -> str:
        """The place that messages name."""
        return f"local, {self.base_url}"

    def make_client(self) -> openai.AsyncOpenAI:
        """Make the client, without retries: which error deserves one is decided here."""
        import openai

        return openai.AsyncOpenAI(
            api_key=self.key or NO_KEY,
            base_url=self.base_url,
            timeout=openai.Timeout(self.timeout_seconds, connect=min(CONNECT_S, self.timeout_seconds)),
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(verify=_certificates()),
        )

    def describe(self, error: Exception) -> str:
        """Say what went wrong in the server's words, without the key: some servers quote it."""
        status, body = getattr(error, "status_code", None), getattr(error, "body", None)
        words = body.get("message") if isinstance(body, Mapping) else body
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
        text = f"{error}{cause}" if status is None else f"status {status}: {words or 'no reason given'}"
        return (text.replace(self.key, "***") if self.key else text)[:MAX_TEXT]


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Read the certificates once; a client as a whole cannot be shared, as it belongs to one event loop."""
    import httpx2

    return httpx2.create_ssl_context()


def warm_up() -> None:
    """Load what every job needs that asks a chat server."""
    client = ChatServer("http://127.0.0.1/v1", 1.0).make_client()
    _ = client.chat.completions  # imported by its first use


class Asker:
    """
    Asks requests, several at a time.

    Parameters
    ----------
    server : ChatServer
        Whom to ask.
    client : openai.AsyncOpenAI
        Its client, open.
    """

    def __init__(self, server: ChatServer, client: openai.AsyncOpenAI) -> None:
        self.server = server
        self.trouble: BusyError | None = None
        """Why nothing can be asked at present; None since something was answered."""
        self._client = client

    async def ask(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """
        Ask one encoded request, and give its row of a batch's output or error file.

        Raises
        ------
        ProviderError
            If the server refuses whatever it is asked.
        """
        import openai

        n_failures, rest_s = 0, FIRST_REST_S
        while True:
            try:
                answer = await self._complete(row["body"])
            except (openai.OpenAIError, ValueError, RecursionError) as error:
                trouble = read_trouble(error)
                if trouble is Trouble.REFUSED:
                    raise self._refusal(error) from None
                n_failures += trouble is not Trouble.AWAY
                if trouble is Trouble.FAILED or n_failures == MAX_TRIES:
                    self.trouble = None
                    return self._failed_row(row["custom_id"], error)
                wait_s = _retry_after(error) or rest_s
                if trouble is Trouble.AWAY:
                    self.trouble = self._busy(error, wait_s)
                await asyncio.sleep(wait_s)
                rest_s = min(2 * rest_s, MAX_REST_S)
            else:
                self.trouble = None
                return {"custom_id": row["custom_id"], "response": answer, "error": None}

    async def _complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        # Whatever the client knows of the settings, they go along as they are.
        settings = {name: value for name, value in body.items() if name not in {"model", "messages"}}
        raw = await self._client.chat.completions.with_raw_response.create(
            model=body["model"], messages=body["messages"], extra_body=settings
        )
        answer = json.loads(raw.http_response.content, parse_constant=lambda _: None)
        if not isinstance(answer, dict):
            raise ValueError("the answer is not a JSON object")
        n_bytes = len(dump_line(answer, ascii_only=True))
        if n_bytes > MAX_ROW_BYTES:
            raise ValueError(f"the answer takes {n_bytes:,} bytes")
        return {"status_code": raw.http_response.status_code, "body": answer}

    def _failed_row(self, key: str, error: Exception) -> dict[str, Any]:
        status = getattr(error, "status_code", None)
        about: dict[str, Any] = {"message": self.server.describe(error)}
        if type(error).__name__ == "APITimeoutError":
            status = 408
            about = {"code": "timeout", "message": f"no answer in {self.server.timeout_seconds:g} seconds"}
        if status is None:
            return {"custom_id": key, "response": None, "error": {"code": "server_error", **about}}
        response = {"status_code": status, "body": {"error": about}}
        return {"custom_id": key, "response": response, "error": None}

    def _busy(self, error: Exception, wait_s: float) -> BusyError:
        what = f"the server cannot be reached ({self.server.describe(error)}): start it, or correct base_url"
        if hasattr(error, "status_code"):
            what = f"the server asks to wait ({self.server.describe(error)})"
        return BusyError(
            what,
            where=self.server.where,
            fix="Nothing is lost: run again later.",
            retry_after_s=wait_s,
        )

    def _refusal(self, error: Exception) -> ProviderError:
        return ProviderError(
            f"refuses every request: {self.server.describe(error)}",
            where=self.server.where,
            fix="Correct `model` or `base_url`, or set LOCAL_API_KEY if it requires a key; then run again. "
            "Answers that have arrived are kept.",
        )


def read_trouble(error: Exception) -> Trouble:
    """Sort an error of the client by what it says about asking again."""
    import openai

    if isinstance(error, openai.APIConnectionError):
        if type(error.__cause__).__name__ in {"ConnectError", "ConnectTimeout", "PoolTimeout"}:
            return Trouble.AWAY
        return Trouble.FAILED if isinstance(error, openai.APITimeoutError) else Trouble.BROKEN
    if not isinstance(error, openai.APIStatusError):
        return Trouble.BROKEN
    status = error.status_code
    if status in {429, 503}:
        return Trouble.AWAY
    if status in {401, 403, 404, 405}:
        return Trouble.REFUSED
    return Trouble.BROKEN if status >= 500 or status in {408, 409, 425} else Trouble.FAILED


def _retry_after(error: Exception) -> float | None:
    """Seconds that the server asks to wait; None if it does not say."""
    response = getattr(error, "response", None)
    try:
        seconds = float(response.headers.get("retry-after"))  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None

"""From requests to the files that go out: shards within a provider's limits."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

from scripts.errors import LimitError
from scripts.money.budget import estimate_usage
from scripts.providers import Limits, Provider
from scripts.records import Request, Usage


def write_payloads(
    requests: Iterable[Request], provider: Provider, path: Path, *, at_most: int | None = None
) -> Generator[Payload, None, None]:
    """
    Write the requests into payload files within the provider's limits, one file at a time, always at `path`.

    Parameters
    ----------
    at_most : int, optional
        Requests in one payload, where that is to be fewer than the provider takes.

    Raises
    ------
    LimitError
        If a single request is over the limit.
    """
    limits = provider.limits.lowered({"max_requests": at_most})
    payload = Payload(path)
    try:
        for request in requests:
            line, usage = provider.encode(request).encode(), estimate_usage(request.body)
            check_request(request, line, usage, limits)
            if not payload.has_room(line, usage, limits):
                payload.close()
                yield payload
                payload = Payload(path)
            payload.add(request, line, usage)
        payload.close()
        if payload.keys:
            yield payload
    finally:
        payload.close()
        path.unlink(missing_ok=True)


def check_request(request: Request, line: bytes, usage: Usage, limits: Limits) -> None:
    """
    Refuse a request that no batch can hold.

    Raises
    ------
    LimitError
        With the item, and the limit that it is over.
    """
    sizes = (
        (len(line), limits.max_bytes, "bytes"),
        (len(line), limits.max_line_bytes, "bytes"),
        (usage.input_tokens or 0, limits.max_enqueued_tokens, "tokens"),
    )
    for size, limit, unit in sizes:
        if limit is not None and size > limit:
            raise LimitError(
                f"one request has {size:,} {unit}, but may have {limit:,}",
                where=f"item {request.item_id!r} of {request.dataset}",
                fix="Shorten the item's context or the prompt.",
            )


class Payload:
    """A shard's file as it grows, with its keys and what it may take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: Request | None = None
        self.keys: list[str] = []
        self.n_bytes = 0
        self.usage = Usage(0, 0)
        self._handle = path.open("wb")

    def has_room(self, line: bytes, usage: Usage, limits: Limits) -> bool:
        """Whether one more request fits."""
        n_tokens = (self.usage.input_tokens or 0) + (usage.input_tokens or 0)
        return (
            len(self.keys) < limits.max_requests
            and self.n_bytes + len(line) <= limits.max_bytes
            and (limits.max_enqueued_tokens is None or n_tokens <= limits.max_enqueued_tokens)
        )

    def add(self, request: Request, line: bytes, usage: Usage) -> None:
        """Append a request, encoded."""
        self._handle.write(line)
        self.first = self.first or request
        self.keys.append(request.request_key)
        self.n_bytes += len(line)
        self.usage = Usage(
            (self.usage.input_tokens or 0) + (usage.input_tokens or 0),
            (self.usage.output_tokens or 0) + (usage.output_tokens or 0),
        )

    def close(self) -> None:
        """Close the file; it stays there."""
        self._handle.close()

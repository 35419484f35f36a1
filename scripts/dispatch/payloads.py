"""From requests to the files that go out: shards within a provider's limits."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

from scripts.errors import LimitError
from scripts.pricing import estimate_usage
from scripts.providers import Provider
from scripts.records import Request, Usage


def write_payloads(
    requests: Iterable[Request], provider: Provider, path: Path
) -> Generator[Payload, None, None]:
    """
    Write the requests into payload files within the provider's limits, one file at a time, always at `path`.

    Raises
    ------
    LimitError
        If a single request is over the limit.
    """
    limits = provider.limits
    longest = min(limits.max_bytes, limits.max_line_bytes or limits.max_bytes)
    payload = Payload(path)
    try:
        for request in requests:
            line = provider.encode(request).encode()
            if len(line) > longest:
                raise LimitError(
                    f"one request has {len(line):,} bytes, but {provider.name} takes {longest:,}",
                    where=f"item {request.item_id!r} of {request.dataset}",
                    fix="Shorten the item's context or the prompt.",
                )
            n_bytes = payload.n_bytes + len(line)
            if len(payload.keys) == limits.max_requests or n_bytes > limits.max_bytes:
                payload.close()
                yield payload
                payload = Payload(path)
            payload.add(request, line)
        payload.close()
        if payload.keys:
            yield payload
    finally:
        payload.close()
        path.unlink(missing_ok=True)


class Payload:
    """A shard's file as it grows, with its keys and what it may take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: list[str] = []
        self.n_bytes = 0
        self.usage = Usage(0, 0)
        self._handle = path.open("wb")

    def add(self, request: Request, line: bytes) -> None:
        """Append a request, encoded."""
        self._handle.write(line)
        self.keys.append(request.request_key)
        self.n_bytes += len(line)
        more = estimate_usage(request.body)
        self.usage = Usage(
            (self.usage.input_tokens or 0) + (more.input_tokens or 0),
            (self.usage.output_tokens or 0) + (more.output_tokens or 0),
        )

    def close(self) -> None:
        """Close the file; it stays there."""
        self._handle.close()

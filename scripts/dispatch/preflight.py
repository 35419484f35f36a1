"""One request before a trial's first batch: what the provider would refuse a day later, it refuses now."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from scripts.dispatch.slots import queue_lock
from scripts.errors import BusyError, NoEndpointError, ProviderError, UnknownOutcomeError
from scripts.experiment.settings import Settings
from scripts.money.budget import estimate_usage, make_reserve
from scripts.money.ledger import Ledger
from scripts.money.preflights import read_preflights, record_preflight
from scripts.money.price import Price
from scripts.money.price_book import plain_price
from scripts.providers import Provider
from scripts.providers.options import provider_settings
from scripts.records import Request, Trial, Usage
from scripts.run.job import say

MAX_TRIES = 3
"""How often a busy provider is asked; then the batch goes out without."""

FIRST_REST_S, MAX_REST_S = 2.0, 20.0
"""How long to wait in between, whatever the provider asks for."""

TEXTS = frozenset({"model", "messages", "input", "instructions", "system"})
"""Keys of a request that are no settings."""


@dataclasses.dataclass(frozen=True)
class Preflight:
    """What sending one request by itself takes."""

    ledger: Ledger
    reserve: Callable[[Usage], float | None]
    """Returns what the request may cost, in USD; raises if it would pass the run's budget."""
    price: Price | None

    def check(self, provider: Provider, request: Request, *, rest: Callable[[float], None]) -> None:
        """
        Send a request, unless the trial has sent a batch or a preflight; only a refusal holds batches back.

        Raises
        ------
        ProviderError
            The provider refuses the request, or the budget does not allow it; no batch was created.
        StopRequested
            Before the request, or while waiting.
        """
        if not self._is_due():
            return
        rest(0.0)  # a stop that was requested meanwhile comes first
        n_tries = 1
        while (busy := self._ask(provider, request)) is not None:
            if n_tries == MAX_TRIES:
                say(f"preflight skipped: {busy.where}: {busy.what}")
                return
            asked_s = busy.retry_after_s
            rest(min(FIRST_REST_S * 2.0 ** (n_tries - 1) if asked_s is None else asked_s, MAX_REST_S))
            n_tries += 1

    def _ask(self, provider: Provider, request: Request) -> BusyError | None:
        """Send the request once; what it meets if it is worth another try."""
        name = self._intend(request)
        try:
            reply = provider.preflight(request)
        except BusyError as error:
            self._record(name, "busy", error=error.what)
            return error
        except NoEndpointError as error:
            self._record(name, "not_offered", error=error.what)
            say(f"preflight skipped: {error.where}: {error.what}")
        except UnknownOutcomeError as error:
            self._record(name, "lost", error=error.what)
            say(f"preflight without a result: {error.where}: {error.what}")
        except ProviderError as error:
            self._record(name, "rejected", error=error.what)
            raise _tell(error, request) from None
        else:
            cost = None if self.price is None else self.price.cost(reply.usage)
            self._record(name, "accepted", cost_usd=None if cost is None else float(cost))
            say(f"preflight: the provider accepts item {request.item_id!r} of {request.dataset}")
        return None

    def _is_due(self) -> bool:
        """Whether nothing was sent that tells what the provider accepts."""
        if any(
            entry.batch_id or (entry.is_live and not entry.reused_from)
            for entry in self.ledger.shards.values()
        ):
            return False
        sent = [entry for entry in read_preflights(self.ledger.path) if entry.is_perhaps_paid]
        for entry in sent:
            say(f"preflight not repeated: {entry.name} of {entry.at} is {entry.state}, and may be paid")
        return not sent

    def _intend(self, request: Request) -> str:
        """Reserve what the request may cost, and write down that it is about to go out."""
        name = f"p{len(read_preflights(self.ledger.path)) + 1:04d}"
        with queue_lock(self.ledger.folder.parent):
            reserved = self.reserve(estimate_usage(request.body))
            self._record(name, "intent", request_key=request.request_key, reserved_usd=reserved)
        return name

    def _record(self, name: str, state: str, **facts: Any) -> None:
        record_preflight(self.ledger, name, state, **facts)


def make_preflight(settings: Settings, trial: Trial, ledger: Ledger) -> Preflight | None:
    """Make what sends the request; None where the setting is off, or the service knows no such setting."""
    if not provider_settings(settings, trial.model).get("preflight", False):
        return None
    reserve = make_reserve(settings, trial, is_batch=False)
    return Preflight(ledger, reserve, plain_price(settings.config, trial.model))


def _tell(error: ProviderError, request: Request) -> ProviderError:
    """Say which request it was, and which of its settings the provider names."""
    named = [key for key in request.body if key not in TEXTS and re.search(rf"\b{key}\b", error.what)]
    return ProviderError(
        f"preflight {error.what}",
        where=f"{error.where}, item {request.item_id!r} of {request.dataset}",
        fix=f"The provider names {', '.join(named)}. {error.fix}" if named else error.fix,
    )

"""Providers behind one interface; each adapter is imported only when a model names it."""

from __future__ import annotations

import importlib

from scripts.experiment.settings import Settings
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Provider
from scripts.providers.options import provider_schema

__all__ = [
    "PROVIDERS",
    "BatchState",
    "BatchStatus",
    "Limits",
    "LostCall",
    "Provider",
    "adapter_modules",
    "make_provider",
    "provider_class",
]

PROVIDERS = {
    "anthropic": "scripts.providers.anthropic_batch:AnthropicBatch",
    "fireworks": "scripts.providers.fireworks_batch:FireworksBatch",
    "mistral": "scripts.providers.mistral_batch:MistralBatch",
    "local": "scripts.providers.local:LocalChat",
    "openai": "scripts.providers.openai_batch:OpenAIBatch",
    "replay": "scripts.providers.replay:Replay",
    "simulated": "scripts.providers.simulated:Simulated",
    "together": "scripts.providers.together_batch:TogetherBatch",
}
"""Name of each provider and where its adapter is."""


def provider_class(name: str) -> type[Provider]:
    """Import the adapter of the provider `name`."""
    module, _, attribute = PROVIDERS[name].partition(":")
    adapter: type[Provider] = getattr(importlib.import_module(module), attribute)
    return adapter


def make_provider(settings: Settings, model: str) -> Provider:
    """Make the adapter of the configuration's model `model`."""
    name = settings.config["models"][model]["provider"]
    return provider_class(name).from_settings(settings, model)


def adapter_modules(settings: Settings) -> list[str]:
    """List the modules of the adapters that a run uses; their `warm_up` loads the providers' clients."""
    names = {options["provider"] for options in settings.config["models"].values()}
    return sorted(PROVIDERS[name].partition(":")[0] for name in names)


def warm_up() -> None:
    """Read the schemas of all providers."""
    for name in PROVIDERS:
        provider_schema(name)

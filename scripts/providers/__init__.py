"""Providers behind one interface; each adapter is imported only when a model names it."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from scripts.experiment.settings import PROJECT_ROOT, Settings, fill_defaults
from scripts.files import cached_sha256
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Provider
from scripts.records import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "provider_schema",
    "provider_settings",
    "service_digest",
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


def provider_settings(settings: Settings, model: str) -> Mapping[str, Any]:
    """Settings of a model's provider (``providers.<provider>``), defaults filled in."""
    name = settings.config["models"][model]["provider"]
    given = settings.config["providers"].get(name, {})
    filled: Mapping[str, Any] = fill_defaults(given, provider_schema(name)["settings"])
    return filled


def service_digest(settings: Settings, model: str) -> str:
    """
    Digest of who answers a model's requests, and of all that its answers hang on beside the requests.

    Two runs whose digests are the same ask the same service: the answer to a request of one is an answer
    to the same request of the other.
    """
    options, place = settings.config["models"][model], provider_settings(settings, model)
    about = {**options, **{key: place[key] for key in ("base_url", "endpoint") if key in place}}
    if "recorded" in options:
        recorded = settings.find_file(options["recorded"], "models", model, "recorded")
        about["recorded"] = cached_sha256(recorded)
    return digest(about)


@functools.cache
def provider_schema(name: str) -> dict[str, Any]:
    """The schemas of one provider: of its ``model`` keys and of its ``settings``."""
    import yaml

    path = PROJECT_ROOT / "workflow" / "schemas" / "providers.schema.yaml"
    schema = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return {part: {**schema[name][part], "$defs": schema["$defs"]} for part in ("model", "settings")}

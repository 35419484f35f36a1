"""The settings of a model's provider, and who answers its requests."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from scripts.experiment.schema import fill_defaults
from scripts.experiment.settings import Settings
from scripts.files import PROJECT_ROOT, cached_sha256
from scripts.records import digest

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    return _digest_service(settings, model, settings.config["models"][model])


def service_digests(settings: Settings, model: str) -> frozenset[str]:
    """
    Every digest under which ledgers may know who answers a model's requests.

    The name of a model that the configuration leaves out is that on the left: both ways to write it count,
    as does an entry that was renamed.  The provider's name is in each request, and so in its key.
    """
    options = settings.config["models"][model]
    without = {key: value for key, value in options.items() if key != "model"}
    ways = (options, without, {**options, "model": options.get("model", model)})
    return frozenset(_digest_service(settings, model, way) for way in ways)


def _digest_service(settings: Settings, model: str, options: Mapping[str, Any]) -> str:
    place = provider_settings(settings, model)
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

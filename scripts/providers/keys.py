"""Keys of providers: from the environment, or from a file ``.env`` in the working directory; never shown."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from scripts.errors import ConfigError

ENV_FILE = Path(".env")
ENV_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*")
KEY = re.compile(r"[\x21-\x7e]+")
"""What a key looks like: anything else cannot be sent in a header, and would come back in an error."""


def find_key(variable: str) -> str | None:
    """Look a key up in the environment, then in ``.env``; None if neither has it."""
    value = os.environ.get(variable, "").strip()
    return value or _env_file().get(variable) or None


def need_key(variable: str, provider: str) -> str:
    """
    Find a key that is usable.

    Raises
    ------
    ConfigError
        If there is none, or it holds what no key holds; the message never shows it.
    """
    key = find_key(variable)
    if key is None:
        raise ConfigError(
            f"the environment variable {variable} is not set",
            where=f"provider {provider}",
            fix=f"Set it, or write the line {variable}=... into {ENV_FILE.absolute()}.",
        )
    if not KEY.fullmatch(key):
        raise ConfigError(
            f"the value of {variable} contains spaces or characters that no key has",
            where=f"provider {provider}",
            fix="Copy the key again; it is not shown here.",
        )
    return key


def key_fingerprint(key: str) -> str:
    """Tell one key from another without telling the key: the start of its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _env_file() -> dict[str, str]:
    try:
        text = ENV_FILE.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return {}
    found = (ENV_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _unquote(match[2]) for match in found if match}


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value

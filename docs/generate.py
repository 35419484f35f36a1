"""Write what is derived: ``environment.yml`` from the lock, the configuration reference from the schemas."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.comparison.metrics import METRICS, Better
from scripts.experiment.schema import config_schema

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"
"""The environment's Python; where the lock has a version per Python, this one's counts."""

CONDA_NAMES = {"snakemake": "snakemake-minimal", "pyarrow": "pyarrow"}
PIP_ONLY = {"fireworks-ai", "genai-prices", "mistralai"}


def locked_versions() -> dict[str, str]:
    """Read the version of every package in the lock, as it holds for `PYTHON`."""
    from packaging.markers import Marker

    versions = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        found = re.match(r"([a-z0-9.-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", line)
        if found:
            name, version, marker = found.groups()
            environment = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
            if marker is None or Marker(marker.strip()).evaluate(environment):
                versions[name] = version
    return versions


def environment_yml() -> str:
    """Render ``environment.yml``: the project's own dependencies, pinned as in the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = sorted(re.match(r"[a-z0-9-]+", entry).group() for entry in project["dependencies"])  # type: ignore[union-attr]
    versions = locked_versions()
    conda = [f"  - {CONDA_NAMES.get(name, name)}=={versions[name]}" for name in names if name not in PIP_ONLY]
    pip = [f"      - {name}=={versions[name]}" for name in names if name in PIP_ONLY]
    lines = [
        "# For conda users; the same pins as requirements.lock.  Written by `make docs`.",
        "name: trialmake",
        "channels: [conda-forge, bioconda]",
        "dependencies:",
        f"  - python=={PYTHON}.*",
        *conda,
        "  - pip",
        "  - pip:",
        *pip,
    ]
    return "\n".join(lines) + "\n"


def config_reference() -> str:
    """Render the reference of every configuration key from the schemas."""
    schema = config_schema()
    providers = yaml.safe_load((ROOT / "workflow/schemas/providers.schema.yaml").read_text())
    lines = [
        "# Configuration reference",
        "",
        "<!-- Written by `make docs` from workflow/schemas/; edit the schemas instead. -->",
        "",
        "Unknown keys are errors. `config/config.yaml` is a working example.",
        "",
        *_table(schema),
    ]
    defs = providers.pop("$defs")
    for name in (key for key, value in providers.items() if isinstance(value, Mapping)):
        lines += ["", f"## Provider `{name}`", "", providers[name]["description"], ""]
        for part, heading in (("model", "`models.<name>`"), ("settings", f"`providers.{name}`")):
            lines += [f"Keys of {heading}:", "", *_table({**providers[name][part], "$defs": defs}), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(schema: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| `{key}` | {kind} | {default} | {text} |" for key, kind, default, text in _rows(schema, schema)
    ]
    return ["| key | type | default | meaning |", "|---|---|---|---|", *rows]


def _rows(part: Mapping[str, Any], root: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for key, given in part.get("properties", {}).items():
        rule = _resolve(given, root)
        required = key in part.get("required", ())
        default = "required" if required else f"`{yaml_value(rule['default'])}`" if "default" in rule else ""
        yield f"{prefix}{key}", _kind(rule), default, rule.get("description", "")
        yield from _rows(rule, root, f"{prefix}{key}.")
        others = rule.get("additionalProperties")
        if isinstance(others, Mapping):
            yield from _rows(_resolve(others, root), root, f"{prefix}{key}.<name>.")


def _resolve(rule: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" not in rule:
        return dict(rule)
    target: Any = root
    for step in rule["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return {**target, **rule}


def _kind(rule: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return ", ".join(f"`{value}`" for value in rule["enum"])
    kind = rule.get("type", "text" if "const" in rule else "")
    return kind if isinstance(kind, str) else " or ".join(kind)


def yaml_value(value: Any) -> str:
    """Show a default as one would write it in YAML."""
    return yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("\n...").strip()


def metric_table() -> str:
    """Render ``docs/scorers.md`` with its table of metrics made anew."""
    page = (ROOT / "docs/scorers.md").read_text()
    ways = {Better.HIGHER: "higher", Better.LOWER: "lower", Better.NONE: "neither"}
    cells = ((f"`{m.name}`", m.meaning, ways[m.better], "yes" if m.is_compared else "no") for m in METRICS)
    rows = [f"| {' | '.join(row)} |" for row in cells]
    table = "\n".join(["| metric | meaning | better | compared |", "|---|---|---|---|", *rows])
    mark = "<!-- metrics: written by `make docs` -->\n\n"
    return re.sub(rf"{mark}.*?\n\n", lambda _: f"{mark}{table}\n\n", page, flags=re.DOTALL)


GENERATED = {
    "environment.yml": environment_yml,
    "docs/configuration.md": config_reference,
    "docs/scorers.md": metric_table,
}


def stale_files() -> list[str]:
    """List the generated files that are not what their sources say."""
    return [name for name, render in GENERATED.items() if (ROOT / name).read_text() != render()]


def main(argv: Sequence[str]) -> int:
    """Write every generated file; with ``--check`` only say which are out of date."""
    if "--check" in argv:
        stale = stale_files()
        print(
            f"Out of date: {', '.join(stale)}. Run `make docs`."
            if stale
            else "Generated files are up to date."
        )
        return 1 if stale else 0
    for name, render in GENERATED.items():
        (ROOT / name).write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What is derived from other files is in step with them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date(generate: ModuleType) -> None:
    assert generate.stale_files() == [], "run `make docs`"


def test_the_conda_environment_has_the_pins_of_the_lock(generate: ModuleType) -> None:
    locked = generate.locked_versions()
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pins = [entry for entry in entries if isinstance(entry, str)] + entries[-1]["pip"]
    seen = dict(pin.replace("snakemake-minimal", "snakemake").split("==") for pin in pins if "==" in pin)

    assert seen.pop("python") == "3.11.*"
    assert set(seen) > {"snakemake", "pandas", "scipy", "genai-prices"}
    assert seen == {name: locked[name] for name in seen}


def test_every_dependency_of_the_project_is_in_the_lock(generate: ModuleType) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    block = project.split("dependencies = [")[1].split("]")[0]
    names = re.findall(r'"([a-z0-9-]+)', block)

    assert len(names) > 8
    assert set(names) <= set(generate.locked_versions())


def test_the_lock_pins_every_package_by_hash() -> None:
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[a-z])", text)

    assert len(entries) > 80
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_package_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert "index-url" not in lock

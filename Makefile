PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup run test check docs lock bench clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## Make .venv with all that the project needs

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; seen: $$($(PYTHON) --version). Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

run: setup ## Run the default experiment, offline, and say where the report is
	$(BIN)/snakemake --cores 8 --quiet rules

test: setup ## Run the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal

check: setup ## Check format, types and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/python -m docs.generate --check

docs: setup ## Write what is derived from other files
	$(BIN)/python -m docs.generate

lock: setup ## Pin the newest versions of all dependencies (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--group dev pyproject.toml --output-file requirements.lock
	$(BIN)/python -m docs.generate

bench: setup ## Measure job overhead, speed, and how well intervals and tests keep their word
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.launcher
	$(BIN)/python -m benchmarks.analysis --rows 100000 --rows 1000000
	$(BIN)/python -m benchmarks.transfer
	$(BIN)/python -m benchmarks.waiting
	$(BIN)/python -m benchmarks.calibration

clean: ## Remove caches (never a run)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

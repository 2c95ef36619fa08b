# Two commands do everything: `make demo` and `make test`. Each sets up what it needs in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
CORES ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MARKED :=

.PHONY: help demo test test-all pytest lint bench lock schema clean

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer, or name it: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Name another: make PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Run the whole workflow on the demonstration cohort, up to finished reports
	$(BIN)/plneval run --cohort demo --cores $(CORES)
	@echo "Open results/demo/release/funder.html"

# The checks of types keep one core only busy, so they run beside the first tests.
test: $(READY) ## Run the checks and the tests
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

test-all: $(READY) ## Run all tests, the slow ones too
	@$(MAKE) --no-print-directory --jobs 2 lint pytest MARKED='-m ""'

pytest: $(READY)
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder $(MARKED)

lint: $(READY) ## Check style, types, workflow files and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports

bench: $(READY) ## Run the benchmarks
	for benchmark in benchmarks/*.py; do $(BIN)/python "$$benchmark"; done

lock: $(READY) ## Pin the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --output-file requirements.lock

schema: $(READY) ## Write the JSON Schemas of the configuration files anew
	$(BIN)/plneval schema

clean: ## Remove the environment, results, simulated data and caches
	rm -rf $(VENV) results data/demo .snakemake .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Both commands set up everything they need: `make demo` runs the main job, `make test` the suite.
PYTHON ?= python3
VENV ?= .venv
RUN_VENV ?= .venv-run
ARGS ?=
ROOM ?= all
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE ?=

.DEFAULT_GOAL := help
.PHONY: help demo setup test check bench soak docs lock clean

help: ## Show this list.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: ## Run the Twitter-like system under load and print the verdict (ARGS="--seconds 60 --json").
	@scripts/bootstrap $(PYTHON) $(RUN_VENV) runtime >&2
	@exec $(RUN_VENV)/bin/loadpath demo timeline $(ARGS)

setup: ## Make .venv with the development set.
	@scripts/bootstrap $(PYTHON) $(VENV) dev >&2

test: setup ## Run the whole suite.
	@exec $(VENV)/bin/python -m pytest $(ARGS)

check: setup ## Lint, format, types, architecture, docs.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/zensical build --clean --strict

bench: setup ## Run ours against the peer (ROOM=timeline ARGS=--json).
	@exec $(VENV)/bin/python -m benchmarks $(ROOM) $(ARGS)

soak: setup ## Run the long versions (hours).
	@exec $(VENV)/bin/python -m pytest -m soak --timeout=0 $(ARGS)

docs: setup ## Build the documentation into site/.
	$(VENV)/bin/zensical build --clean

lock: setup ## Pin every requirement again, with hashes.
	@scripts/lock $(VENV)

clean: ## Remove what the commands above made.
	rm -rf $(VENV) $(RUN_VENV) site .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

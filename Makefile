# Lambent's commands. `make run` and `make test` set up everything they need on a fresh machine.
SHELL := /bin/bash
BIN := .venv/bin
NODE_MODULES := tests/clients/node/node_modules
.DEFAULT_GOAL := help

.PHONY: help run test test-all check bench docs lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.ready-run ## set up, start the server with the examples deployed; Ctrl-C stops it
	@exec $(BIN)/lambent up --deploy examples

test: check ## set up, lint, types, import contracts, then the tests
	@$(BIN)/python scripts/fetch_protocol_cases.py
	@$(BIN)/pytest -n 2 --dist worksteal -q -m "not slow"

test-all: check $(NODE_MODULES)/.ready ## the tests plus the slow fault and client suites
	@$(BIN)/python scripts/fetch_protocol_cases.py
	@HYPOTHESIS_PROFILE=search $(BIN)/pytest -n 2 --dist worksteal -q

check: .venv/.ready-test ## lint, types and import contracts
	@$(BIN)/ruff format --check -q . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.ready-test ## measure the promises of SPECIFICATION.md, and Lambent beside other local runners
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks --rivals

docs: .venv/.ready-test ## write the generated pages: docs/services/*.md and docs/limits.md
	@$(BIN)/python scripts/status_pages.py

lock: .venv/.ready-test ## pin the newest dependencies that pyproject.toml allows
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url pyproject.toml --group build -o requirements/run.lock
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url pyproject.toml --group build --group test -c requirements/run.lock -o requirements/test.lock

clean: ## remove what the commands made, but not the data folder
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis $(NODE_MODULES)

.venv/.ready-%: requirements/%.lock pyproject.toml scripts/setup
	@scripts/setup $*

$(NODE_MODULES)/.ready: tests/clients/node/package.json tests/clients/node/package-lock.json
	@scripts/setup-clients

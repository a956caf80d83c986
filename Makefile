# `make` prints what there is. Everything is installed into .venv; nothing outside it is touched but
# the Debian packages that `make test` needs (installed where it is root or has sudo).

.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
T ?= tests
N ?= auto

.PHONY: help demo test check types unit fmt bench docs screenshots packages clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

$(VENV)/.demo: pyproject.toml
	@.ci/venv $(VENV) .
	@touch $@

$(VENV)/.dev: pyproject.toml
	@.ci/venv $(VENV) '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## a server, a real push, a live log, a run (ARGS=--once ends by itself)
	@$(BIN)/gitdeploy demo $(ARGS)

test: packages $(VENV)/.dev check unit ## every check and every test (T=path of some, N=processes)

check: $(VENV)/.dev ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/pytest -n $(N) --dist worksteal $(T)

packages: ## the Debian packages that tests use
	@.ci/packages

fmt: $(VENV)/.dev ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure against the named peers; writes bench/results.md
	@.ci/packages bench
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.dev ## write the generated parts of docs/ again
	$(BIN)/python -m docs.generate

screenshots: $(VENV)/.dev ## take pictures of every page into docs/screenshots
	@.ci/packages
	$(BIN)/python -m tests.browser.screenshots

clean: ## remove what was made here
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

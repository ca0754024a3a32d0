# bayescale: `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help quickstart setup test slow browser-test check bench notebooks format
SHELL := /bin/bash
BIN := .venv/bin
# A file of tests stays on one core, so that what it fits once is fitted once; files begin in the order of tests/conftest.py, the longest first.
CORES := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

quickstart: $(BIN)/bayescale  ## Set up what is missing, then fit, forecast and allocate on the bundled runs
	$(BIN)/bayescale quickstart

setup: .venv/.dev  ## Install bayescale with everything that tests need

test: .venv/.dev  ## Run the tests
	$(BIN)/python -m pytest $(CORES)

slow: .venv/.dev  ## Run the statistical tests over many fits (tens of minutes)
	$(BIN)/python -m pytest $(CORES) -m slow

browser-test: .venv/.dev  ## Run the tests of pages in a browser (Debian's Chromium)
	$(BIN)/python -m pytest -m browser tests/browser

check: .venv/.dev  ## Lint, check formatting, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev  ## Run the benchmarks and write benchmarks/results/
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/chinchilla.py
	$(BIN)/python benchmarks/approaches.py

notebooks: .venv/.dev  ## Run every notebook from top to bottom
	set -e; for notebook in notebooks/*.py; do echo "$$notebook"; MPLBACKEND=Agg $(BIN)/python "$$notebook"; done

format: .venv/.dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A Python >= 3.12 that can really make an environment: the one that .python-version selects, else a named one, else uv brings one.
.venv/pyvenv.cfg:
	@for python in python3 python3.13 python3.12 python3.14; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then \
	    echo "making .venv with $$("$$python" --version)"; exec "$$python" -m venv .venv; fi; done; \
	if command -v uv >/dev/null 2>&1; then exec uv venv --seed --python 3.12 .venv; fi; \
	echo "bayescale needs Python >= 3.12 with venv: install python3.12 and python3.12-venv, or uv (https://docs.astral.sh/uv)." >&2; exit 1

$(BIN)/bayescale: .venv/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: .venv/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(BIN)/bayescale

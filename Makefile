# Two commands are enough: `make demo` and `make test`. Each sets up .venv when it is not there.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO ?= demo-library

.PHONY: demo test test-browser check wheel clean

demo: .venv/.runtime
	@$(BIN)/python -m pipeline.apps.demo --library $(DEMO)

test: check
	@$(BIN)/python -m pytest -n 2

# The page in a real browser: Debian's Chromium, which is installed where that can be done.
test-browser: .venv/.dev
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || { echo "These tests need Chromium; try: sudo apt-get install chromium"; exit 1; }
	@$(BIN)/python -m pytest -m browser tests/browser

check: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

wheel: .venv/.dev
	@$(BIN)/python -m build --wheel

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Footnote needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.runtime: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing into .venv (about 4 GB, a few minutes, once) ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.dev: .venv/.runtime
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,local,chroma-store,ray]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info demo-library

# One command each, here and in CI. The environment is built on first use and again when what it is built from changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Each core starts with a stretch of neighbouring tests, so that few fixtures are made twice, and takes from others at the end.
ON_ALL_CORES ?= -n auto --dist worksteal
# The tests start hundreds of processes: what they import is compiled once, whatever is the custom of the house here.
export PYTHONDONTWRITEBYTECODE :=

DEEP := tests/train/deep tests/acceptance/pictures

.PHONY: help demo test test-deep test-all check format clean

help:  ## list what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(READY)  ## train on real data, promote a champion, serve it, ask it
	PATH="$(CURDIR)/$(BIN):$$PATH" examples/bank/demo.sh

test: $(READY)  ## tests and the examples in docstrings, without the slow ones
	$(BIN)/python -m pytest $(ON_ALL_CORES) --doctest-modules -m "not slow"

test-deep: $(READY)  ## tests of networks, which need torch: pip install -e '.[dev,deep]'
	$(BIN)/python -m pytest $(ON_ALL_CORES) $(DEEP) -m "not slow"

test-all: $(READY)  ## all tests
	$(BIN)/python -m pytest $(ON_ALL_CORES) --doctest-modules

check: $(READY)  ## style, types, and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## bring the code into style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache examples/bank/project

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Palio needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

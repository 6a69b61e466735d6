# Two commands for a fresh clone: `make quickstart` and `make test`.
# Each makes .venv and installs what it needs; a second run starts at once.
# --no-compile: pip would compile all of 12,000 modules, one after the other; more than half
# are never imported, by tests neither. The first import compiles those that are.

# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$candidate && break; done)
BIN := .venv/bin
# Test processes; each holds TensorFlow (about 1 GB).
JOBS ?= auto

# Bytecode is kept, whatever the environment says: each process that tests start would
# compile all of hdd_tf anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart test test-fast lint types unit stress bench distilled docs doctest bazel clean

quickstart: .venv/.installed
	$(BIN)/python -m hdd_tf.main --flagfile=flags/quickstart.cfg

test: lint types unit

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev
	$(BIN)/mypy

# A file a process, in the order of tests/conftest.py: what its tests share is made once.
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --maxprocesses=8 --dist=loadfile --no-loadscope-reorder

# Every test but those of `make stress`.
unit: .venv/.installed-dev
	$(PYTEST)

# What needs no process of its own and takes at most a few seconds a test.
test-fast: .venv/.installed-dev
	$(PYTEST) -m "not slow and not stress"

# What is left out of `test` to keep it short: random kills, a full disk, seeded runs, the
# walk-through, stops in every phase, every network, every number of devices and size of
# block. Smaller tests of each are in `test`.
stress: .venv/.installed-dev
	$(BIN)/python -m pytest -m stress

# What a step, evaluation and more cost beside what they cannot do without: ratios, and
# curves of cost, appended to benchmarks/history.jsonl. Less than 10 minutes on 2 quiet cores.
# BENCH=--document instead writes the last of them into docs/performance.md.
BENCH ?= --record
bench: .venv/.installed
	$(BIN)/python benchmarks/bench.py $(BENCH)

# The sets of distilled/ anew, by distilled/commands.txt, two of which need hours: DATA=DIR
# where prepared data lie.
DATA ?=
distilled: .venv/.installed
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python benchmarks/ship_sets.py --data_dir=$(DATA)

# The documents with the reference, which docstrings make; a warning is an error.
docs: .venv/.installed-docs
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

# The examples in docstrings, and those of README and docs/architecture.md.
doctest: .venv/.installed-dev
	$(BIN)/python -m pytest -q tests/test_doctests.py tests/test_readme.py \
		tests/toys/test_architecture_doc.py

# All tests but those that take minutes. Bazel 4 runs them with .venv's packages (WORKSPACE),
# current Bazel with those it fetches itself (MODULE.bazel).
bazel: .venv/.installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" bazel test --test_tag_filters=-slow //...

define VENV
@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed; install one or say make PYTHON=/path/to/python3"; exit 1; }
$(PYTHON) -m venv .venv
endef

.venv/.installed: setup.py
	$(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

# With all of the first, in one call: pip looks every package up again in another one.
.venv/.installed-dev: setup.py
	$(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	@touch .venv/.installed $@

.venv/.installed-docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

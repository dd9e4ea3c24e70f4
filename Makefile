# Each target does its own set-up. It needs Python 3.11 or later, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
LOCK = requirements.lock
# By a path that type checkers follow, not by an import hook.
EDITABLE = --config-settings editable_mode=compat -e .
DEMO = --dataset demo --preset tiny --frames 6 --epochs 3

.PHONY: demo test test-all test-io lint bench help clean
help:
	@echo "make demo   video -> trained, evaluated, exported detector, without a download"
	@echo "make test   the tests but the slow ones, some ten minutes on two cores"
	@echo "make test-all  all tests (SFCL_TEST_MEDIA=DIR adds those on real media)"
	@echo "make test-io  s3:// and the core, on TensorFlow 2.17 that tensorflow-io needs"
	@echo "make lint   format, style and types"
	@echo "make bench  the speeds that README and docs claim"

demo: $(STAMP)
	$(BIN)/sfcl train $(DEMO)

test: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" $(PYTEST)

test-all: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(PYTEST)

# An environment of its own: tensorflow-io excludes the TensorFlow of the other.
test-io:
	$(MAKE) VENV=.venv-io LOCK=requirements-io.lock .venv-io/.installed
	.venv-io/bin/python -m pytest -q -n 2 --dist worksteal \
	  tests/ops tests/layers tests/models tests/io $(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

# uv where it is there, pip otherwise; versions come from the lock.
$(STAMP): pyproject.toml setup.py $(LOCK)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "Expected Python 3.11 or later. Received: $$($(PYTHON) --version)." \
	  "Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV); TensorFlow alone is 0.5 GB."
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv -q --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install -q --python $(BIN)/python --require-hashes -r $(LOCK) && \
	  uv pip install -q --python $(BIN)/python --no-deps $(EDITABLE); \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install -q --require-hashes -r $(LOCK) && \
	  $(BIN)/python -m pip install -q --no-deps $(EDITABLE); \
	fi
	@touch $@

clean:
	rm -rf $(VENV) .venv-io build dist *.egg-info
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis

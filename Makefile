# What a fresh clone needs: Python 3.10 or newer, and make.
PYTHON ?= python3
# Named before the rest, so that pip does not choose a newer one for it; TORCH=torch takes the newest.
TORCH ?= torch==2.13.0
# Everything else, with versions and checksums; LOCK= takes the newest that pyproject.toml allows.
LOCK ?= locks/dev.txt

BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-matrix fuzz quality format locks audit docker-check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv and install everything into it; PYTHON=python3.12 picks another Python

$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is missing or older than 3.10; name another: make install PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	test -z "$(LOCK)" || $(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --editable ".[compress,export,check,dev]"
	@touch $@

demo: install  ## the whole road on a small network and generated frames, into runs/demo
	$(BIN)/panoedge demo --out runs/demo

test: install  ## run the tests, a file to a process
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-matrix:  ## run the tests with the oldest and the newest libraries, each in a .venv of its own
	$(PYTHON) locks/matrix.py

fuzz: install  ## a million files that nobody wrote for every reader; hours, needs x86 and Python 3.11 (docs/reliability.md)
	$(BIN)/python -m fuzz

quality: install  ## look for faults of style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## bring all files into the common style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

locks: install  ## make locks/dev.txt and the boards' anew, from what pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python locks/lock.py

audit: install  ## look the locked versions up among known vulnerabilities
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement $(LOCK)

docker-check: install  ## check the images for the Jetson without Docker; as root, on x86, up to an hour
	$(BIN)/python docker/check

clean:  ## remove .venv and what the tools left; runs/ stays
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

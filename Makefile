# make run: a trained network and its curves.  make test: the fast tests.  Nothing else is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BENCH  := .venv-bench
PEERS  ?= torch jax keras scikit-learn
THREADS ?= 1 2
ROWS   ?= A B C D CNN CNN-norm dropout float64 deep genetic-wide genetic genetic-small numeric sweep sweep-command command-line logging
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PLAYER := $(wildcard $(addprefix backproplab/autograd/engines/native/,*.[ch] kernels/*.[ch]))
.DEFAULT_GOAL := help

.PHONY: help run test test-slow chaos test-all check format clean system bench

help:  ## List what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

run: $(VENV)/run  ## Install, then train configs/quickstart.yaml
	@$(BIN)/backproplab train configs/quickstart.yaml --progress line
	@echo && echo "to type 'backproplab' yourself:  . $(VENV)/bin/activate"

test: $(VENV)/dev  ## The fast tests, under 6 minutes
	$(BIN)/pytest -n 2 -m "not slow and not chaos"

test-slow: $(VENV)/dev $(VENV)/oracle system  ## The slow proofs: real TensorBoards, a browser, whole trainings
	$(BIN)/pytest -n 2 -m slow

chaos: $(VENV)/dev system  ## Long storms of kills, stops and full disks: about an hour
	$(BIN)/pytest -n 2 -m chaos

test-all: test test-slow  ## Both

check: $(VENV)/dev  ## Format, lint, strict types
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary

format: $(VENV)/dev  ## Format the code
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

bench: $(BENCH)/python  ## Time training against the peers: PEERS="torch jax" THREADS="1 2" ROWS="A B"
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint benchmarks/requirements.txt --editable . $(subst keras,keras jax,$(PEERS))
	@$(BENCH)/bin/python -m benchmarks.run --peers $(PEERS) --threads $(THREADS) --rows $(ROWS)
	@$(BENCH)/bin/python -m benchmarks.memory
	@$(BENCH)/bin/python -m benchmarks.growth $(filter torch,$(PEERS))

clean: $(VENV)/run  ## Delete the runs, stop our TensorBoard
	@$(BIN)/backproplab clean

system:  ## Debian's Fashion-MNIST and Chromium, which the slow proofs use (root only)
	@sh tests/system-packages.sh

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit("backproplab needs Python 3.11 or newer: make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(BENCH)/python:
	$(PYTHON) -m venv $(BENCH)
	@touch $@

$(VENV)/run: $(VENV)/python pyproject.toml $(PLAYER)
	$(PIP) --editable .
	@touch $@

$(VENV)/oracle: $(VENV)/dev
	$(PIP) --editable '.[oracle]'
	@touch $@

$(VENV)/dev: $(VENV)/python pyproject.toml $(PLAYER)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/run

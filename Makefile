# Everything runs in .venv, made from a python3 of 3.10 or later; nothing is installed outside this folder.
#
#   make leaderboard   score every policy on every environment          make test        the whole test suite
#   make lint          formatter, linter, types                         make notebooks   execute the notebooks in place
#   make docs          write the pages of declarations, in seconds      make readme      the outputs in README.md again
#   make benchmark     speed, beside others (.peers)                    make verify      run the rows of submissions/ again
#   make clean         remove all that make made
#
# ARGS goes to the program behind a target: make leaderboard ARGS=--quick, make test ARGS="-k tape".

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: leaderboard test lint verify notebooks docs readme benchmark clean
.DEFAULT_GOAL := leaderboard

leaderboard: .venv/.installed-plot
	$(BIN)/sos-gym leaderboard $(ARGS)

test: .venv/.installed-test
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: .venv/.installed-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

verify: .venv/.installed-test
	$(BIN)/sos-gym verify submissions/*

notebooks: .venv/.installed-test
	$(BIN)/python docs/generate.py notebooks

docs: .venv/.installed-test
	$(BIN)/python docs/generate.py pages

readme: .venv/.installed-test
	$(BIN)/python docs/generate.py readme

benchmark: .venv/.installed-test .peers/.installed
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv .peers build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- installing: one stamp per extra, older than pyproject.toml means install again

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'make: $(PYTHON) is missing or older than 3.10; name another one: make PYTHON=python3.12'; exit 1; }
	@echo 'Making .venv and installing into it; the first time this takes a minute or two.'
	@$(PYTHON) -m venv .venv || { echo 'make: $(PYTHON) cannot make a venv (Debian: apt install python3-venv)'; exit 1; }
	@touch $@

.venv/.installed-%: .venv/.made pyproject.toml
	$(BIN)/python -m pip install --progress-bar on -e '.[$*]'
	@touch $@

.peers/.installed: .venv/.made benchmarks/peers/requirements.txt
	$(BIN)/python -m benchmarks.peers
	@touch $@

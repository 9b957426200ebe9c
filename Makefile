# make repro   the model, from nothing     make test      lint and tests, a quarter of an hour
# make setup   the environment alone       make test-all  the slow matrix too

SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= $(firstword $(foreach name,python3.11 python3 python,$(shell command -v $(name) 2>/dev/null)))
PIP_VERSION := 26.0

# DVC starts stages with the `python` it finds first.
export PATH := $(abspath $(VENV))/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

# Every Python that a test starts writes down the faults that it makes; the last command looks for those never made.
tested = rm -f .faults && FAULTS_SEEN="$(CURDIR)/.faults" PYTHONPATH="$(CURDIR)/tests/witness" python -m pytest $(1) \
  && python -m tests.raised .faults

.PHONY: repro test test-all lint setup
.DEFAULT_GOAL := repro

repro: setup
	@python -m stages.commands check
	@dvc repro
	@python -m stages.commands summary

test: setup lint
	@$(call tested,-n 2 --dist loadfile --no-loadscope-reorder)

test-all: setup lint
	@$(call tested,-m "")

lint: setup
	@ruff check .
	@ruff format --check .
	@basedpyright

# Done again only when the lock is not the one that the environment was made from.
setup:
	@cmp -s requirements.lock $(VENV)/requirements.lock || $(MAKE) --no-print-directory install

.PHONY: install
install:
	@"$(PYTHON)" -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null || { \
	  echo "reprolm needs Python 3.11, found $$("$(PYTHON)" --version 2>/dev/null || echo none). Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock: some minutes, once"
	@[ -x $(VENV)/bin/python ] || "$(PYTHON)" -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check pip==$(PIP_VERSION)
	@$(VENV)/bin/python -m pip install --disable-pip-version-check -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@cp requirements.lock $(VENV)/requirements.lock

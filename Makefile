# Two commands matter: `make demo` and `make test`. Each sets up what it needs, shows progress, may be run again at any
# time, and needs the network only the first time.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
EXTRAS := gateway,encrypted,cloud,virtual,test,dev
# More for pytest: make test ARGS="-m services -k broker"
ARGS ?=
# Test files side by side: make test JOBS=0 runs one after the other.
JOBS ?= 2

.PHONY: help
help: ## what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: setup
setup: $(VENV)/.installed ## a virtual environment with everything, at the tested versions

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: this needs Python 3.11 or newer: install it (Debian: apt install python3 python3-venv), or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: this Python has no venv module: install it (Debian: apt install python3-venv)" >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing Python packages (a few minutes the first time)"
	@$(PIP) install --constraint constraints.txt --quiet setuptools
	@# Without isolation: a second run with nothing new to install needs no network.
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[$(EXTRAS)]' | sed '/already satisfied/d'
	@touch $@

# A server of the user's own needs no private one. Tests use neither: they always own theirs.
.PHONY: servers
servers:
	@if [ -z "$${TSDB_DSN:-}" ] || [ -z "$${RPM_BROKER_URL:-}" ]; then deploy/provision.sh install; fi

.PHONY: assets
assets: setup
	@deploy/assets.sh

.PHONY: demo
demo: setup servers assets ## three homes, a clinic and its servers on this machine; Ctrl-C ends it
	@$(BIN)/rpm-cloud demo

.PHONY: test
test: setup assets ## everything the tests need, then every test; a skipped test is a failed one
	@deploy/provision.sh install
	@deploy/tools.sh install
	@deploy/chromium.sh >/dev/null
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: bluez
bluez: setup ## the gateway on BlueZ's own stack, in a machine of its own (10 minutes; no root, no adapter)
	@tests/bluez_vm/machine/run.sh $(ARGS)

.PHONY: check
check: setup ## the static checks: style, types, who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/basedpyright

.PHONY: fix
fix: setup ## what the style checks can mend by themselves
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench: setup ## how fast: a table, and build/bench.json
	@deploy/provision.sh install
	@$(BIN)/python -m tests.bench

# How long the box in the home is watched, and how far a database is grown: make bench-long MINUTES=10 ROWS=10000000
# A hundred million observations take about 35 GB below .local while they are measured.
MINUTES ?= 60
ROWS ?= 100000000
.PHONY: bench-long
bench-long: setup ## what takes long: the box in the home (an hour), a worker's memory, a sweep, up to 100 million rows: build/*.json
	@deploy/provision.sh install
	@mkdir -p build
	@$(BIN)/python -m tests.bench --box $(MINUTES) --output build/bench-long.json
	@$(BIN)/python -m tests.bench --soak 10 --output build/soak.json
	@$(BIN)/python -m tests.bench --sweep 100000 --output build/sweep.json
	@$(BIN)/python -m tests.bench --growth $(ROWS) --output build/growth.json

.PHONY: pictures
pictures: setup assets ## the README's pictures, as a test took them
	@$(BIN)/python -m pytest -q tests/browser/test_readme_pictures.py
	@mkdir -p docs && cp build/screenshots/{worklist,patient,billing}.png docs/

.PHONY: constraints
constraints: setup ## write down the versions that are installed now
	@{ echo "# What this release was tested with. Written by \`make constraints\`; versions only."; \
	   $(PIP) freeze --all --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' | grep -v '^pip=='; } > constraints.new
	@mv constraints.new constraints.txt

.PHONY: clean
clean: ## what was built; keeps .venv, and .local with its servers and their data
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache node_modules
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.local/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## everything that is not in the repository: servers are stopped, their data is deleted
	@for cluster in .local/clusters/*/; do [ ! -d "$$cluster" ] || deploy/provision.sh destroy "$$(basename "$$cluster")"; done
	@rm -rf .venv .local rpm/web/static/vendor

# `make help` lists the targets. `make test` is what CI runs; on a fresh Debian 12 it installs what it needs first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Looked up here, because below the virtual environment's own python3 comes first.
PYTHON ?= $(or $(shell command -v python3),python3)
PYTHON := $(PYTHON)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# setup puts a Go there only where the machine's own is too old.
export PATH := $(BIN):$(PATH)
# Tests begin our program two thousand times; without its bytecode each run would compile all of it, for half a second.
export PYTHONDONTWRITEBYTECODE :=
# Machines that boot, sleep and are fetched leave processors idle.
WORKERS := $(shell echo $$(($$(nproc) + 3)))
DESTDIR ?=
PREFIX ?= /usr/local

# Says how long a target took, since the whole must fit into CI's limit.
define timed
@start=$$SECONDS; $(1); echo "== $@: $$((SECONDS - start)) s"
endef

.PHONY: help setup lint unit acceptance test nightly fuzz fuzz-deaths fuzz-kills fuzz-packed fuzz-readers demo bench reference install clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: $(VENV)/.ready ## install what tests and demo need (on Debian 12, as root); says what and why

$(VENV)/.ready: pyproject.toml tests/setup.sh
	@tests/setup.sh $(PYTHON) $(VENV)
	@touch $@

lint: setup ## ruff (format and rules), mypy strict
	$(call timed,$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy)

unit: setup ## fast tests
	$(call timed,$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder)

acceptance: setup ## boot real systems; install, upgrade and remove real packages with apt and dnf
	$(call timed,$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'acceptance and not nightly' --durations=25)

nightly: setup ## every case under both shells and on every release, and the repetitions: what `make test` has no time for
	$(call timed,$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m nightly --durations=25)

# Unit tests go on where machines that boot wait.
test: lint ## lint, unit and acceptance tests: what CI runs
	$(call timed,$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not nightly' --durations=25)

fuzz: setup ## 200 random sequences of transactions that are cut off, in booted systems with apt and with dnf; an hour or so
	@$(BIN)/python -m tests.fuzz transactions --sequences 100

fuzz-readers: setup ## a minute of random bytes for each reader of foreign files; ten minutes of the same bytes for all readers of one format
	@$(BIN)/python -m tests.fuzz agreement --seconds 600
	@$(BIN)/python -m tests.fuzz readers --seconds 60

fuzz-kills: setup ## kill 100 runs of mkpkgs at random times, and 100 where names cannot be exchanged; ten minutes
	@$(BIN)/python -m tests.fuzz kills --kills 100

fuzz-packed: setup ## pack 1000 random projects, install each by dpkg or apt and by rpm or dnf, look at each file, and purge; two hours
	@$(BIN)/python -m tests.fuzz packed --projects 1000

fuzz-deaths: setup ## install 30 plugins that end the server at once, and 12 that do later, on a loaded machine, with apt and with dnf; half an hour
	@$(BIN)/python -m tests.fuzz deaths

demo: setup ## build the Caddy example, install core and two plugins in a booted system, show them serving
	@$(BIN)/python -m tests.demo

bench: setup ## speed and memory against the peers, in one run
	@$(BIN)/python -m tests.bench

reference: setup ## write docs/reference.md from the types of the project file
	@$(BIN)/python -m packaging_tool.project.reference >docs/reference.md.new
	@mv docs/reference.md.new docs/reference.md

install: ## install mkpkgs (PREFIX, DESTDIR)
	$(PYTHON) -m pip install --no-deps $(if $(DESTDIR),--root $(DESTDIR)) --prefix $(PREFIX) .

clean: ## remove what make and the tests made here; the roots in the user's cache stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache examples/*/.mkpkgs examples/*/dist
	find packaging_tool tests -name __pycache__ -type d -prune -exec rm -rf {} +

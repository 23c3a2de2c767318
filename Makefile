# Gluer's developer commands; CI runs the same ones. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON = .venv/bin/python
PIP = $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes
UV = .venv/bin/uv --no-config
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
CODE = gluer_site accounts projects billing relay protocol bench tests manage.py

# A file's time tells whether a step is still good: touched when the step has succeeded.
RUNS = .venv/.runs
TESTS = .venv/.tests
NPM = sdks/node_modules/.installed
SDKS = sdks/node_modules/.built
BENCH = bench/.build/gen bench/.build/wsrelay
SDK_SOURCES := $(shell find sdks -type d \( -name node_modules -o -name dist -o -name test \) -prune -o -type f ! -name '*.tgz' ! -name '*.md' -print)

.PHONY: help run build compile test test-cluster test-long test-attacks autobahn check bench bench-quick bench-peers lock clean chromium servers

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

run: $(RUNS) $(SDKS) ## serve Gluer on http://localhost:8000 (PORT=9000: elsewhere; DEMO=0: no demo account)
	@$(PYTHON) -m gluer_site.embedded

compile: $(RUNS) ## make machine code of the relay's hot modules: a call costs half (needs a C compiler)
	@$(PIP) -r requirements-compile.txt || { echo "Installing requirements-compile.txt failed; pip says why above."; exit 1; }
	@$(PYTHON) -m relay.compiled

build: $(SDKS) ## build both SDKs, and pack them for npm

test: $(TESTS) $(SDKS) chromium servers ## run every test that takes seconds
	@$(PYTHON) -m relay.compiled --if-possible
	@failed=(); \
	$(PYTHON) -m pytest -rs -m "not long and not attack" || failed+=("pytest"); \
	if [ -e .compiled/stamp ]; then \
	    GLUER_COMPILED=1 $(PYTHON) -m pytest -m "not long and not attack and not interpreted" tests/relay/core tests/relay/edge tests/relay/backplane \
	        || failed+=("pytest on machine code"); \
	else echo "NOT RUN: the tests of the core, the edge and the backplane on machine code, which needs a C compiler."; fi; \
	(cd sdks && npm test) || failed+=("npm test"); \
	if [ $${#failed[@]} -gt 0 ]; then printf 'make test: failed: %s\n' "$${failed[@]}"; exit 1; fi

test-cluster: $(TESTS) $(SDKS) servers ## run those with several relays, Redis, Postgres and nginx (part of `make test`)
	@$(PYTHON) -m relay.compiled --if-possible
	$(PYTHON) -m pytest tests/cluster

test-long: $(TESTS) $(SDKS) ## run the tests that take minutes
	$(PYTHON) -m pytest -m long

test-attacks: $(TESTS) servers ## run the attacks that take a minute each, and print what they cost other tenants
	@$(PYTHON) -m relay.compiled --if-possible
	$(PYTHON) -m pytest -rs -s -m attack tests/attacks

autobahn: ## install Autobahn|Testsuite, which `make test` uses; needs a CPython 2.7
	@tests/autobahn/install

check: $(TESTS) $(SDKS) ## lint, types, imports between apps, migrations, lock file, generated files
	.venv/bin/ruff check $(CODE)
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/mypy $(CODE)
	.venv/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run
	$(UV) pip install --quiet --offline --dry-run --python $(PYTHON) -r requirements.in -r requirements-dev.in \
	    -c requirements.txt -c requirements-dev.txt || { echo "The lock is older than requirements*.in: make lock"; false; }
	$(PYTHON) protocol/generate.py --check
	cd sdks && npm run check

bench: compile $(BENCH) ## measure Gluer beside other relays (half an hour; nothing else should run)
	@$(PYTHON) -m bench.run

bench-quick: compile $(BENCH) ## the same in under a minute, for use while working
	@$(PYTHON) -m bench.run --quick

bench-peers: ## install the other relays into bench/.peers
	@bench/peers/install

lock: $(TESTS) ## write requirements*.txt anew from requirements*.in
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) requirements-compile.in -o requirements-compile.txt

clean: ## remove all that make made; var/ (the database, the secrets) stays
	rm -rf .venv .compiled .autobahn bench/.build bench/.peers sdks/node_modules sdks/*/node_modules sdks/*/dist sdks/packed .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

chromium:
	@.ci/chromium

servers: $(TESTS)
	@.ci/servers

$(RUNS): requirements.txt
	@python=$$(.ci/python) && "$$python" -m venv .venv
	@echo "Installing what Gluer needs into .venv …"
	@$(PIP) -r requirements.txt || { echo "Installing requirements.txt failed; pip says why above."; exit 1; }
	@touch $@

$(TESTS): $(RUNS) requirements-dev.txt
	@echo "Installing what testing needs into .venv …"
	@$(PIP) -r requirements-dev.txt || { echo "Installing requirements-dev.txt failed; pip says why above."; exit 1; }
	@touch $@

bench/.build/gen: bench/gen.c bench/peer.c bench/peer.h bench/dialects.c
	@mkdir -p bench/.build
	cc -O2 -Wall -Wextra -o $@ $(filter %.c,$^)

bench/.build/wsrelay: bench/wsrelay.c
	@mkdir -p bench/.build
	cc -O2 -Wall -Wextra -o $@ $<

$(NPM): sdks/package-lock.json
	@.ci/node
	@echo "Installing what building the SDKs needs into sdks/node_modules …"
	@cd sdks && npm ci --no-audit --no-fund --loglevel=error >/dev/null || { echo "npm ci failed; npm says why above."; exit 1; }
	@touch $@

$(SDKS): $(NPM) $(SDK_SOURCES)
	@echo "Building the SDKs …"
	@cd sdks && npm run build >node_modules/.build.log 2>&1 \
	    || { cat node_modules/.build.log; echo "Building the SDKs failed; the reason stands above."; exit 1; }
	@touch $@

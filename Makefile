# Every target works on its own on a fresh machine: what it needs is installed into .venv first, and only when
# setup.cfg, pyproject.toml or the lock changed since. Pip's own settings (PIP_* and pip.conf) apply.

VENV := .venv
# Holds the folder it was made in, and is absent while pip works: an environment that was moved, or left half made by
# an interruption, is made anew. The three installed stamps say what it holds.
READY := $(VENV)/ready
SERVER := $(VENV)/installed-server
DEVELOPMENT := $(VENV)/installed-development
COMPETITORS := $(VENV)/installed-competitors
PYTHON := $(VENV)/bin/python
# The first of these that is new enough makes the environment: make test BASE_PYTHONS=/opt/python3.13/bin/python3
BASE_PYTHONS := python3.13 python3.12 python3.11 python3
# Many tests wait, for a process or for time: three workers used less than two thirds of two cores.
WORKERS := 4
BY_MODULE := --dist loadscope --no-loadscope-reorder
# Arguments are for benchmarks/run.py, unless another is named: make bench BENCHMARKS=plugins ARGUMENTS="3 1"
BENCHMARKS := $(if $(ARGUMENTS),run,run plugins storage nodes)
# On which database they run makes no difference to these: most of them have none.
ONCE := $(patsubst %,tests/core/test_%.py,budgets cli_config client_plugins client_state client_values config \
	config_example environment fanout frames garbage handshake http keepalive lanes lines listening loading made_pages networks \
	outbox setting_rules setting_values supervisor tarpit texts transport watchdog workers) \
	$(patsubst %,tests/plugins/test_%.py,dice documents postgres_dialect) \
	$(patsubst %,tests/plugins/moderation/content/test_%.py,links rules words)
ON_BOTH := tests/core tests/plugins $(addprefix --ignore=,$(ONCE))
LONG_FORMS := $(addprefix tests/e2e/test_,kill.py power.py start.py model.py plugins_model.py any_order.py openapi.py)
# Each of the packages has a part in one of them.
ON_LOWEST := $(wildcard tests/core/test_[cdhlmr]*.py) tests/storage/test_sqlite.py tests/storage/test_postgres.py \
	tests/storage/test_redis.py tests/e2e/test_walk.py tests/e2e/test_terminal.py

# The path of the first Python >= 3.11 that has the module $(1), or nothing.
find_python = $(shell for name in $(BASE_PYTHONS); do \
	$$name -c 'import sys, $(1); sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' 2>/dev/null && break; done)

# Installs into the environment $(1) the exact versions of locks/$(2).txt, no other files than those whose hashes stand
# there, and then the project: editable, so that changed sources need no new installation. What builds it is locked, too.
define install_locked
$(1)/bin/python -m pip install --require-hashes --requirement locks/$(2).txt
$(1)/bin/python -m pip install --no-deps --no-build-isolation --editable .
endef

define install
@rm -f $(READY)
$(call install_locked,$(VENV),$(1))
@echo '$(CURDIR)' > $(READY)
endef

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lowest web-control browser autobahn floods lint format bench sbom lock clean soak-nodes soak web-pictures

ifneq ($(shell $(PYTHON) -c '' 2>/dev/null && cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

help:  ## print the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

run: $(SERVER)  ## start the server (ARGUMENTS="--port 9000" is passed on) and print its address and a link
	@$(VENV)/bin/anonchat serve --room $(ARGUMENTS)

# A worker takes whole modules, so that what a module sets up is set up once; in the order of tests/conftest.py. What
# servers do is tested on SQLite, and on Postgres with Redis.
test: lint browser  ## run the linters and all tests (ARGUMENTS="tests/core -k rooms" narrows them)
	$(PYTHON) -m pytest --numprocesses $(WORKERS) $(BY_MODULE) $(ARGUMENTS)
	$(if $(ARGUMENTS),,$(PYTHON) -m pytest --numprocesses $(WORKERS) $(BY_MODULE) --database postgresql+redis $(ON_BOTH))

# The ledger of ten minutes (ARGUMENTS="60 5" for one, with a fault every five seconds), and the long forms of fault tests.
soak: $(DEVELOPMENT)  ## break a server again and again for ten minutes, under load, and measure what it uses
	$(PYTHON) -m tests.e2e.soak $(ARGUMENTS)
	$(if $(ARGUMENTS),,HYPOTHESIS_PROFILE=soak $(PYTHON) -m pytest --timeout 700 $(LONG_FORMS))

# Tools for tests are new; what the server runs on is as old as setup.cfg allows.
lowest:  ## run tests of the core with the oldest versions that setup.cfg allows, in an environment of their own
	'$(call find_python,ensurepip)' -m venv --clear $(VENV)-lowest
	$(call install_locked,$(VENV)-lowest,lowest)
	$(VENV)-lowest/bin/python -m pytest --numprocesses $(WORKERS) --dist loadscope $(or $(ARGUMENTS),$(ON_LOWEST))

web-control: $(DEVELOPMENT) browser  ## break one line of the web client for each of its tests, and expect the test to fail
	$(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadscope --sabotage tests/web $(ARGUMENTS)

soak-nodes: $(DEVELOPMENT)  ## break what three nodes share, again and again, for a quarter of an hour, and compare what everybody saw
	$(PYTHON) -m pytest -rP tests/nodes --soak $(ARGUMENTS)

web-pictures: $(DEVELOPMENT) browser  ## take pictures of every page and dialog of the web client, into build/pictures
	$(PYTHON) -m pytest --numprocesses $(WORKERS) --pictures build/pictures tests/web/test_places.py -m pictures $(ARGUMENTS)

# The tests of the web client need a Chromium: the system's, or one that is installed as the system installs things, or
# one that Playwright brings.
browser: $(DEVELOPMENT)
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		$(PYTHON) -c 'import os, sys; from playwright.sync_api import sync_playwright as play; \
			sys.exit(not os.path.exists(play().start().chromium.executable_path))' || \
		{ command -v apt-get >/dev/null && apt-get install --yes --no-install-recommends chromium; } || \
		$(PYTHON) -m playwright install --with-deps chromium

autobahn: $(DEVELOPMENT)  ## run the Autobahn test suite for WebSockets (needs CPython 2.7 or Docker; ARGUMENTS="7.*")
	$(PYTHON) -m tests.conformance.autobahn $(ARGUMENTS)

floods: $(DEVELOPMENT)  ## measure how long people wait beside each kind of flood (a quarter of an hour; ARGUMENTS="pings" narrows it)
	$(PYTHON) -m tests.floods.measure $(ARGUMENTS)

lint: $(DEVELOPMENT)  ## check style, layout and types
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

format: $(DEVELOPMENT)  ## mend style and layout where that can be done by a tool
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

bench: $(COMPETITORS)  ## measure anonchat beside others (ARGUMENTS=--quick for a short run; ARGUMENTS=--help tells more)
	@for name in $(BENCHMARKS); do $(PYTHON) -m benchmarks.$$name $(ARGUMENTS) || exit 1; done

sbom: $(SERVER)  ## write build/anonchat.cdx.json: everything the server is made of, as a CycloneDX bill of materials
	$(PYTHON) tools/make_sbom.py

lock: $(DEVELOPMENT)  ## lock what setup.cfg asks for now (ARGUMENTS=--upgrade takes the newest versions that it allows)
	$(PYTHON) tools/lock.py $(ARGUMENTS)

clean:  ## remove the virtual environment and everything built; leaves databases alone
	rm -rf $(VENV) $(VENV)-lowest build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY):
	@test -n '$(call find_python,os)' || \
		{ echo 'anonchat needs Python 3.11 or newer; looked for: $(BASE_PYTHONS)' >&2; exit 1; }
	@test -n '$(call find_python,ensurepip)' || \
		{ echo 'Python lacks its venv module; on Debian or Ubuntu: apt install python3-venv' >&2; exit 1; }
	'$(call find_python,ensurepip)' -m venv --clear $(VENV)
	@echo '$(CURDIR)' > $@

$(SERVER): $(READY) setup.cfg pyproject.toml locks/server.txt
	$(call install,server)
	@touch $@

# Holds everything the server needs too.
$(DEVELOPMENT): $(READY) setup.cfg pyproject.toml locks/development.txt
	$(call install,development)
	@touch $(SERVER) $@

# Servers that are measured beside ours. Packages for Node are installed by the benchmark itself, into build/benchmarks.
$(COMPETITORS): $(READY) setup.cfg pyproject.toml locks/benchmarks.txt
	$(call install,benchmarks)
	@touch $(SERVER) $(DEVELOPMENT) $@

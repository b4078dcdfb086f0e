# Everything one does with this checkout. `make run` needs Python 3.11 or newer, and nothing else.

PYTHON := .venv/bin/python
ARGS ?=
# A worker of the tests on every processor, browser tests last; PARALLEL= runs them in one process, for a debugger.
PARALLEL ?= --numprocesses auto --dist loadfile --no-loadscope-reorder

# An environment whose Python is gone (the system's was replaced, say) is made anew, with all that was in it.
_ := $(shell test -x $(PYTHON) || rm -rf .venv)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test lint format messages bench lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/runtime-installed ## Install what the shop needs into .venv, and nothing more

run: .venv/runtime-installed ## Run the shop: PORT=8000, BIND, DEMO=0, DATABASE_URL … (docs/deploy.md)
	@$(PYTHON) -m config.supervisor

test: .venv/development-installed ## Run the tests on a throwaway PostgreSQL: make test ARGS="tests/crm -k refund"
	@$(PYTHON) -m pytest $(PARALLEL) $(ARGS)

lint: style types layers templates migrations ## Check style, types, layers, templates and missing migrations

.PHONY: style types layers templates migrations
style types layers templates migrations: .venv/development-installed
style:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
types:
	$(PYTHON) -m mypy .
layers:
	.venv/bin/lint-imports
templates:
	.venv/bin/djlint --quiet --lint templates
migrations:
	$(PYTHON) manage.py makemigrations --check --dry-run

format: .venv/development-installed ## Format Python and sort imports
	$(PYTHON) -m ruff check --fix-only .
	$(PYTHON) -m ruff format .

messages: .venv/development-installed ## Collect and compile the translations (needs GNU gettext)
	$(PYTHON) manage.py makemessages --locale zh_Hans --no-obsolete --add-location file --ignore .venv --ignore var --ignore tests
	$(PYTHON) -m config.traditional
	$(PYTHON) manage.py compilemessages --locale zh_Hans --locale zh_Hant --ignore .venv --ignore var

bench: .venv/development-installed ## Run all benchmarks and write docs/performance.md, or one: make bench ARGS=burn
	$(PYTHON) -m benchmarks $(or $(ARGS),all)

lock: ## Resolve the requirements anew for Python 3.11 and later (needs uv)
	uv pip compile --universal --python-version 3.11 pyproject.toml -o requirements.txt --no-annotate --no-header
	uv pip compile --universal --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.txt --no-annotate --no-header

# The first Python that is new enough and can make virtual environments. A name on PATH may be a mere signpost of a
# version manager, so each is asked.
.venv/bin/python:
	@for python in python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making .venv with $$($$python --version) …"; \
	    exec $$python -m venv --clear .venv; \
	  fi; \
	done; \
	echo "Pointkeeper needs Python 3.11 or newer with its venv module, and found none as python3.13, python3.12,"; \
	echo "python3.11 or python3. Install one; on Debian and Ubuntu: apt install python3 python3-venv"; \
	exit 1

# The stamps carry the time of the last installation: a lock file that is newer is installed again.
.venv/runtime-installed: requirements.txt .venv/bin/python
	@echo "Installing the requirements …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/development-installed: requirements-dev.txt .venv/bin/python
	@echo "Installing the requirements of development …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

# `make` alone lists the targets. SPEC= names the spec, TARGET= which of its targets; LOCAL=1 uses the local AWS; PYTHON= the interpreter.

SHELL := /bin/bash
# The oldest Python that is here. Any other one that is asked for gets an environment of its own.
OLDEST := $(shell for version in 3.11 3.12 3.13 3.14; do \
	python$$version -c "" 2>/dev/null && { echo python$$version; break; }; done)
PYTHON ?= $(OLDEST)
VENV := .venv$(if $(filter-out $(OLDEST),$(PYTHON)),-$(notdir $(PYTHON)))
SPEC ?= specs/fifty-servers.yaml
TARGET ?=
LOCAL ?=
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
AUDIT := .venv-audit
AUDIT_READY := $(AUDIT)/.ready
PROVISIONER := $(BIN)/provisioner
# So that what is said to type next is a target.
export PROVISIONER_MAKE := 1
# What Python has compiled is kept, also where a container says otherwise: each process that runs tests would do it again.
unexport PYTHONDONTWRITEBYTECODE
FLAGS := $(if $(TARGET),--target $(TARGET)) $(if $(filter-out 0,$(LOCAL)),--local) $(ARGS)

# Only wheels: to build a package would fetch what builds it, past the hashes. The lock names all there is: with its
# dependencies looked up again, pip would ask for the newest release of what is named with an extra elsewhere.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: --requirement
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(AUDIT)/bin/uv pip compile --quiet --no-config --universal \
	--python-version 3.11 --generate-hashes --only-binary :all: $(ARGS)

# Make ends with 2 whatever a command ended with, so each target says what the command's exit code was.
define run
	@$(1) || { code=$$?; echo "exit code $$code" >&2; exit $$code; }
endef

.DEFAULT_GOAL := help
.PHONY: help setup demo validate plan apply destroy drift status local-up local-down test coverage test-long bench check hooks format generate dist audit lock clean

help: ## List the targets
	@echo "make COMMAND [SPEC=specs/fifty-servers.yaml] [TARGET=prod] [LOCAL=1] [PYTHON=python3.13] [ARGS='...']"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.14 is here: name one, as in PYTHON=/opt/python/bin/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)"
	@$(BIN)/python $(INSTALL) requirements.lock
	@# The lock has the build backend as well, so this needs no index.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps --editable .
	@touch $@

$(AUDIT_READY): requirements-audit.lock
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	@echo "installing into $(AUDIT)"
	@$(AUDIT)/bin/python $(INSTALL) requirements-audit.lock
	@touch $@

setup: $(READY) ## Make the virtual environment

demo: $(READY) ## Plan, apply, plan again, show and destroy 50 servers on the local AWS
	@SPEC=$(SPEC) PROVISIONER=$(PROVISIONER) ./tools/demo.sh

validate: $(READY) ## Check SPEC, offline
	$(call run,$(PROVISIONER) validate $(SPEC))

plan: $(READY) ## Show what apply would do
	$(call run,$(PROVISIONER) plan $(SPEC) $(FLAGS))

apply: $(READY) ## Make AWS as SPEC says (ARGS=--yes does not ask)
	$(call run,$(PROVISIONER) apply $(SPEC) $(FLAGS))

destroy: $(READY) ## Delete everything of SPEC's environment (ARGS=--yes does not ask)
	$(call run,$(PROVISIONER) destroy $(SPEC) $(FLAGS))

drift: $(READY) ## Show where AWS is not as SPEC says
	$(call run,$(PROVISIONER) drift $(SPEC) $(FLAGS))

status: $(READY) ## Show what there is
	$(call run,$(PROVISIONER) status $(SPEC) $(FLAGS))

local-up: $(READY) ## Start the local AWS
	$(call run,$(PROVISIONER) local up $(ARGS))

local-down: $(READY) ## Stop the local AWS
	$(call run,$(PROVISIONER) local down)

# More at once than two cores, because tests also wait.
test: $(READY) ## Run the tests
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

coverage: $(READY) ## Measure which lines and branches the unit tests reach; fails below the floor
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term tests/unit

test-long: $(READY) ## Run the tests that take minutes: every call killed, every fault, two at once
	$(BIN)/python -m pytest -n 3 --dist worksteal -m long --timeout 2400 $(ARGS)

bench: $(READY) ## Measure beside boto3 alone, Terraform and Ansible (20 minutes; ARGS=--quick: 3)
	$(BIN)/python -m bench $(ARGS)

check: $(READY) ## Lint, format check, types and who may import what
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

hooks: $(READY) ## Check each commit as `make check` does (a Git hook)
	@$(BIN)/pre-commit install

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(READY) ## Write the combined schema and docs/spec.md anew
	$(BIN)/python -m provisioner.spec.generate

dist: $(READY) ## Build sdist and wheel into dist/, and try each in an empty environment
	$(BIN)/python tools/dist.py

audit: $(AUDIT_READY) ## Look for risky code, and for known vulnerabilities in the locked packages (needs PyPI)
	@$(AUDIT)/bin/bandit --quiet --recursive --configfile pyproject.toml provisioner local_aws && echo "bandit: no findings"
	$(call run,{ $(AUDIT)/bin/pip-audit --disable-pip --require-hashes --requirement requirements.lock \
		--requirement requirements-audit.lock --format json --progress-spinner off $(ARGS) 2>$(AUDIT)/pip-audit.log || true; } \
		| $(AUDIT)/bin/python tools/vulnerabilities.py)

lock: $(AUDIT_READY) ## Write the locks anew from pyproject.toml (ARGS=--upgrade for newer versions; needs PyPI)
	@$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	@$(COMPILE) --group audit --constraint requirements.lock --output-file requirements-audit.lock

clean: ## Remove the virtual environments and all caches
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

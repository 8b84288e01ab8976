# Two targets do everything on a fresh machine: `make demo` and `make test`; the first installs
# only what it shows.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Written by .ci/engine where it prepared a base image and wheels for building without a network.
-include .build/docker.mk

.PHONY: demo demo-all test test-long soak compat gymnasium lint generate docs bench install clean

# Each stage installs what the one before has not; the last one names everything that must fit
# together. pip is quiet, so that a stage is one line.
install: $(VENV)/.installed

$(VENV)/.demo: pyproject.toml
	@echo "installing 1 of 4: what the demo shows"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[chess,server,docker]'
	@touch $@

$(VENV)/.environments: $(VENV)/.demo
	@echo "installing 2 of 4: the environments"
	@$(PIP) --upgrade pip
	@$(PIP) -e '.[all]'
	@touch $@

$(VENV)/.trainers: $(VENV)/.environments
	@echo "installing 3 of 4: the trainers"
	@$(PIP) -e '.[all,socks,ray,pettingzoo,cleanrl,sb3,trl]'
	@touch $@

$(VENV)/.installed: $(VENV)/.trainers
	@echo "installing 4 of 4: the tools"
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/python examples/demo.py

demo-all: install
	$(BIN)/openenv-gym demo

test: install
	$(BIN)/python .ci/test

# What takes minutes to show what a part of it, in `make test`, shows too.
test-long: export OPENENV_GYM_LONG_TESTS = 1
test-long: install
	$(BIN)/python .ci/test -m long

# All kinds of faults, or a share of them, and a table of what came of them: an hour for all.
SHARE ?= 1
soak: install
	$(BIN)/python -m tests.faults.soak --share $(SHARE)

# A short program of each trainer that is installed, here or by .ci/trainers.
compat: install
	$(BIN)/python .ci/compat

# The contract under the other versions of gymnasium that are allowed.
gymnasium: install
	.ci/gymnasium

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

# What follows from the openenv.yaml of each environment: the table of the registry and of the README;
# and in each README the table of what clients of a server may set. And the tables of docs/benchmarks.md,
# from docs/assets/benchmarks.json.
generate: install
	$(BIN)/python -m openenv_gym.registry.generate
	$(BIN)/python -m tests.client_options
	$(BIN)/python docs/figures.py

# The site, in .build/site: a warning, such as a link that leads nowhere, is an error.
docs: install
	$(BIN)/mkdocs build --strict --quiet

bench: install
	$(BIN)/python benchmarks/transports.py

clean:
	rm -rf $(VENV) .build dist

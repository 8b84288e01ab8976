# Two targets do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Written by .ci/engine where it prepared a base image and wheels for building without a network.
-include .build/docker.mk

.PHONY: demo demo-all test compat lint generate bench install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

demo: install
	$(BIN)/python examples/demo.py

demo-all: install
	$(BIN)/openenv-gym demo

test: install
	$(BIN)/python .ci/test

# A short program of each trainer that is installed, here or by .ci/trainers.
compat: install
	$(BIN)/python .ci/compat

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

# What follows from the openenv.yaml of each environment: the table of the registry and of the README;
# and in each README the table of what clients of a server may set.
generate: install
	$(BIN)/python -m openenv_gym.registry.generate
	$(BIN)/python -m tests.client_options

bench: install
	$(BIN)/python benchmarks/transports.py

clean:
	rm -rf $(VENV) .build dist

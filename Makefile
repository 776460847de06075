# Everything one does here. `make demo` and `make test` need nothing but Python ≥ 3.11 and a package registry.

PYTHON ?= python3
VENV ?= .venv
# Where pip finds PyTorch besides the usual registry; for its small CPU builds:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: help demo test check format clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(BIN)/.installed  ## prepare, fine-tune, measure and serve on the samples (ARGS=--no-serve ends by itself)
	$(BIN)/medasst demo $(ARGS)

test: $(BIN)/.installed-dev  ## the whole test suite, offline
	$(BIN)/python -m pytest $(ARGS)

check: $(BIN)/.installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.installed-dev  ## put style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment; runs/ and the cache of converted bases stay
	rm -rf $(VENV) build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MedAsst needs Python 3.11 or newer; choose one with PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing MedAsst into $(VENV): downloads about 0.6 GB with PyTorch's CPU build (Linux: TORCH_INDEX=https://download.pytorch.org/whl/cpu),"
	@echo "several GB with the CUDA build that is Linux's default. The demo then fetches its base model, 0.5 GB."
	$(PIP) -e '.[train,serve]'
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(PIP) -e '.[train,serve,dev]'
	@touch $@

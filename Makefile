# make lessons   set up the environment, fetch what is needed, run every lesson, name an HTML report
# make test      set up the environment and run the tests
# make help      the rest
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help env lessons lab test quick check lock export starters clean-notebooks outputs studies benchmarks site site-check clean

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
SITE_VENV ?= .venv-site
# Which lessons `make lessons` runs: all, or for example LESSONS="03 05".
LESSONS ?=
PROFILE ?= local
# TORCH=cpu takes PyTorch's small build without GPU libraries (Linux; elsewhere it is the usual one).
TORCH ?=

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

env: $(VENV)/.ready  ## set up the environment in .venv (about a minute, once)

$(VENV)/.ready: requirements.lock settings.ini setup.py pyproject.toml
	@test -n "$(PYTHON)" || { echo "ftcourse needs Python 3.11 or newer: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Setting up the environment in $(VENV): about a minute with a fast network, once."
	@$(PYTHON) ftcourse/tools/environment.py $(VENV) $(if $(TORCH),--torch $(TORCH))
	@touch $@

lessons: env  ## run the lessons (LESSONS=03 for one, PROFILE=smoke for a quick look); continues where it was stopped
	@$(BIN)/ftcourse run $(LESSONS) --profile $(PROFILE) --report

lab: env  ## open JupyterLab on the lessons
	@$(BIN)/ftcourse lab

# Two processes of one thread each are quicker than one of two; tests/conftest.py groups and orders the tests.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --numprocesses 2

test: env  ## run the tests, every notebook at profile smoke included, with ruff and mypy
	@$(PYTEST)

quick: env  ## run the quick tests, which need no models, no network and no training
	@$(PYTEST) --quick -m "not long"

check: env  ## run ruff and mypy alone; `make check FIX=1` also formats and mends
	@$(BIN)/ruff check $(if $(FIX),--fix) . && $(BIN)/ruff format $(if $(FIX),,--check) . && $(BIN)/mypy

lock: env  ## write requirements.lock from settings.ini, keeping what fits (UPGRADE=--upgrade takes the newest)
	$(BIN)/uv pip compile setup.py --extra dev --extra site --universal --python-version 3.11 --no-annotate --quiet $(UPGRADE) \
	  --custom-compile-command "make lock" --output-file requirements.lock

export: env  ## write ftcourse/ modules from the notebooks
	$(BIN)/nbdev_export

starters: env  ## write the starters of the exercises, the questions in the lessons and the numbers in README
	$(BIN)/python -m ftcourse.checks.build

clean-notebooks: env  ## bring the notebooks into their committed form
	$(BIN)/nbdev_clean

outputs: env  ## run the lessons at profile local and keep their outputs in nbs/
	$(BIN)/ftcourse run $(LESSONS) --profile local
	$(BIN)/python -m ftcourse.tools.outputs $(LESSONS)

studies: env  ## make the records in results/ that are missing
	$(BIN)/ftcourse study

benchmarks: env  ## time our recipes against the source lesson's and against the defaults
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/text_classification.py
	$(BIN)/python benchmarks/data_quality.py

site: $(SITE_VENV)/.ready  ## build the web site in build/site, in an environment of its own
	@PYTHONPATH=. $(SITE_VENV)/bin/python site/build.py
	@echo "Check it with: make site-check (PAGES=index.html for some pages; it needs chromium)"

$(SITE_VENV)/.ready: requirements.lock settings.ini
	@test -n "$(PYTHON)" || { echo "The site needs Python 3.11 or newer: install it, or name it with make PYTHON=..."; exit 1; }
	@$(PYTHON) ftcourse/tools/environment.py $(SITE_VENV) --only site
	@touch $@

PAGES ?=
site-check: $(SITE_VENV)/.ready  ## check the built site: links, axe in chromium on light and dark pages, sizes, phone width
	@$(SITE_VENV)/bin/python site/check.py $(PAGES)

clean:  ## remove what was built; the environment and the cache stay
	rm -rf build dist *.egg-info

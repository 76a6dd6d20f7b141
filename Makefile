# `make help` lists the commands.
PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
PRESET ?= quick
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src

.PHONY: help figures status report test benchmarks lock
.DELETE_ON_ERROR:

help: ## list these commands (default)
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo "Options: PRESET=$(PRESET) CORES=$(CORES) PYTHON=$(PYTHON)"

figures: .venv/requirements.done ## build all figures and tables of PRESET into paper_figures/
	snakemake --cores $(CORES) --max-jobs-per-timespan 500/5s paper_figures/all --config preset=$(PRESET)

status: .venv/requirements.done ## say what of PRESET is built, what is missing, how many hours are left
	@python -m layer_robustness.commands.status --config preset=$(PRESET)

report: figures ## build all of PRESET, then put it into one page, report.html
	snakemake --cores $(CORES) paper_figures/all --report report.html --config preset=$(PRESET)

# In one process more than there are cores, as one waits for SLURM for minutes.
test: .venv/requirements-test.done ## run the tests
	pytest -n $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder

benchmarks: .venv/requirements-test.done ## print the tables of docs/benchmarks.md
	python benchmarks/budget.py
	python benchmarks/training.py
	python benchmarks/convolutions.py
	python benchmarks/probe.py
	python benchmarks/interruption.py
	python benchmarks/image_listing.py
	python benchmarks/networks_speed.py
	python benchmarks/networks_peer.py
	python benchmarks/networks_coverage.py
	python benchmarks/workflow.py

# The marks stand inside .venv, so that deleting it starts over.
.venv/%.done: envs/%.txt | .venv/bin/python
	python -m pip install --disable-pip-version-check --quiet --require-hashes -r $<
	touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
		"Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: ## pin the newest versions that pyproject.toml allows (needs uv)
	$(LOCK) --upgrade pyproject.toml -o envs/requirements.txt
	$(LOCK) --upgrade --constraint envs/requirements.txt --extra test pyproject.toml -o envs/requirements-test.txt

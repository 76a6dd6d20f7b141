# make figures builds every figure of the quick preset; make test runs the tests.
PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src

.PHONY: figures status report test kept benchmarks lock
.DELETE_ON_ERROR:

figures: .venv/requirements.done
	snakemake --cores $(CORES) paper_figures/all

# What is built, what is missing, and how many hours remain.
status: .venv/requirements.done
	@python -m layer_robustness.commands.status

# All of it as one page.
report: figures
	snakemake --cores $(CORES) paper_figures/all --report report.html

test: .venv/requirements-test.done
	pytest

# Figures of full-size runs, from their kept results, into paper_figures/kept/.
kept: .venv/requirements.done
	for preset in $(wildcard kept/*/); do \
		python -m layer_robustness.commands.redraw $$preset --output paper_figures/$$preset || exit 1; \
	done

benchmarks: .venv/requirements-test.done
	python benchmarks/training.py
	python benchmarks/convolutions.py
	python benchmarks/probe.py
	python benchmarks/family.py
	python benchmarks/interruption.py
	python benchmarks/image_listing.py
	python benchmarks/networks_speed.py
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

# Resolve the versions anew from pyproject.toml; needs uv.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock:
	$(LOCK) --upgrade pyproject.toml -o envs/requirements.txt
	$(LOCK) --upgrade --constraint envs/requirements.txt --extra test pyproject.toml -o envs/requirements-test.txt

# make demo: simulate a small survey, classify its candidates, draw the result
# make test: run the tests, two at a time; make test-quick: those that take no seconds;
# make test-all: the long ones too, such as trainings and kills at many moments
# make test-oldest: run the quick tests on the oldest releases that setup.cfg admits
# make test-rubin-oldest: test the tasks for Rubin with the oldest versions of its packages
# make docs: build the documentation, docs/_build/html/index.html
# Each makes its own environment in .venv; PYTHON chooses the interpreter (3.11 to 3.13).

PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
SEED := 20211

.PHONY: demo test test-quick test-all test-oldest test-rubin-oldest lint docs clean

demo: .venv/.demo-installed
	$(BIN)/lsbg simulate des $(DEMO)/survey --seed $(SEED) --overwrite
	$(BIN)/lsbg classify $(DEMO)/survey/candidates.fits $(DEMO)/annotated.fits \
		--cutouts tiles:$(DEMO)/survey/tiles --keep-cutouts --overwrite
	$(BIN)/lsbg report $(DEMO)/annotated.fits $(DEMO)/report \
		--truth $(DEMO)/survey/truth.fits --figures --overwrite

test: .venv/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

test-quick: .venv/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not long"

test-all: .venv/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal -m "not slow and not long"

test-rubin-oldest: .venv-rubin-oldest/.installed
	.venv-rubin-oldest/bin/python -m pytest tests/test_stage_rubin.py

docs: .venv/.docs-installed
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

lint: .venv/.test-installed
	$(BIN)/pip install -q -e '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy catalogs lsbg_classifier pipeline

clean:
	rm -rf .venv .venv-oldest .venv-rubin-oldest $(DEMO) build docs/_build docs/reference/generated *.egg-info

.venv/.python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/.demo-installed: .venv/.python setup.cfg
	$(BIN)/pip install -q -e '.[simulate]'
	touch $@

.venv/.test-installed: .venv/.python setup.cfg
	$(BIN)/pip install -q -e '.[test]'
	touch $@ .venv/.demo-installed

.venv-rubin-oldest/.installed: setup.cfg .ci/rubin-oldest.txt
	$(PYTHON) -m venv .venv-rubin-oldest
	.venv-rubin-oldest/bin/pip install -q -e '.[test]' -c .ci/rubin-oldest.txt
	touch $@

.venv/.docs-installed: .venv/.python setup.cfg
	$(BIN)/pip install -q -e '.[docs]'
	touch $@ .venv/.demo-installed

.venv-oldest/.installed: .venv/.python setup.cfg tests/oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install -q -c tests/oldest.txt -e '.[ceci,hpc,remote,simulate,test-tools]'
	touch $@

# Every target makes .venv first; nothing but Python 3.11 or later with pip is needed.

PYTHON ?= python3
CONFIG ?= configs/best.yaml
ARGS ?=
# STORE is where runs are recorded; without it, where the config says.
PORT ?= 5000
# How many processes run tests at once.
PROCESSES ?= 2
# What `make compare` runs: every experiment for each seed, on all cores, or on so many as JOBS says.
EXPERIMENTS ?= $(filter-out configs/smoke.yaml,$(wildcard configs/*.yaml)) $(wildcard configs/report/*.yaml)
FOLDS ?= forward
SEEDS ?= 0

BIN := .venv/bin
INSTALLED := .venv/installed
DOCUMENTING := .venv/documenting
AUDITING := .venv/auditing

# The commands look for the log in $OCCUPANCY_DATA_DIR and in data/, and download it otherwise. A copy beside the
# checkout is linked into data/, so that `make train` and `python -m occupancy.train` find the same one.
LOG := data/Occupancy_Estimation.csv
ifneq ($(wildcard ../shared/$(LOG)),)
$(INSTALLED): | $(LOG)
$(LOG):
	@ln -sf ../../shared/$(LOG) $@
endif

# Not `auto`: a simulated room in place of the log would be compared to nothing.
COMPARED = data.folds=$(FOLDS) $(if $(STORE),tracking.uri=$(STORE))

.PHONY: help train eda compare notebooks docs test proofs fuzz audit bench lint ui clean

help:  ## what the targets do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10

train: $(INSTALLED)  ## train CONFIG on every fold and record it; ARGS are overrides such as train.max_epochs=5
	$(BIN)/python -m occupancy.train --config $(CONFIG) $(if $(STORE),tracking.uri=$(STORE)) $(ARGS)

eda: $(INSTALLED)  ## write reports/explore.html: what is in the log; ARGS are such as source=room.csv
	$(BIN)/python -m occupancy.explore $(ARGS)

compare: $(INSTALLED)  ## run all EXPERIMENTS on FOLDS with SEEDS, JOBS at a time, and compare them
	@mkdir -p reports
	$(BIN)/python -m occupancy.train --config $(EXPERIMENTS) --seeds $(SEEDS) $(if $(JOBS),--workers $(JOBS)) \
		data.source=uci train.final=false $(COMPARED) $(ARGS)
	$(BIN)/python -m occupancy.compare $(COMPARED) --report --html reports/comparison.html

# A notebook runs in its own folder, so a store that is a file and the log's folder are named by their whole paths.
NOTEBOOKS := $(wildcard notebooks/*.py)
RECORDED := $(or $(STORE),$(MLFLOW_TRACKING_URI),sqlite:///mlflow.db)
RECORDED := $(if $(filter sqlite:///%,$(RECORDED)),sqlite:///$(abspath $(RECORDED:sqlite:///%=%)),$(RECORDED))

notebooks: $(INSTALLED)  ## run the notebooks on the recorded runs; one page each in reports/
	@mkdir -p reports
	@$(BIN)/jupytext --quiet --to ipynb --update $(NOTEBOOKS)
	@MLFLOW_TRACKING_URI=$(RECORDED) OCCUPANCY_DATA_DIR=$(or $(OCCUPANCY_DATA_DIR),$(abspath data)) \
		$(BIN)/jupyter nbconvert --log-level ERROR --KernelManager.transport_encryption=auto \
		--execute --to html --TemplateExporter.extra_template_basedirs=notebooks --template page --output-dir reports \
		$(NOTEBOOKS:.py=.ipynb) 2> reports/notebooks.log \
		|| { grep . reports/notebooks.log | tail -n 1; echo "how it came to that: reports/notebooks.log"; exit 2; } >&2
	@printf 'page     %s\n' $(NOTEBOOKS:notebooks/%.py=reports/%.html)

docs: $(DOCUMENTING)  ## build the documentation: open site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "page     site/index.html"

# A file's tests stay in one process, which so makes what they share once.
PYTEST_AT_ONCE = pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

test: $(INSTALLED)  ## run the tests in PROCESSES at once; with PYTEST, options for pytest, without coverage
	$(BIN)/python $(if $(PYTEST),,-W "ignore:Unable to activate pytest:RuntimeWarning" -m slipcover --json --out .coverage.json) -m $(PYTEST_AT_ONCE) -m "not proof" $(PYTEST)
	@$(if $(PYTEST),,$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --fail-under 95)

proofs: $(INSTALLED)  ## run the long proofs, and search the properties with many more examples; tens of minutes
	$(BIN)/python -m $(PYTEST_AT_ONCE) -m "proof or hypothesis" --hypothesis-profile=proofs $(PYTEST)

fuzz: $(INSTALLED)  ## try thousands of spoiled logs, settings, models and requests; minutes
	$(BIN)/python -m $(PYTEST_AT_ONCE) tests/fuzz --hypothesis-profile=fuzz $(PYTEST)

audit: $(AUDITING)  ## ask PyPI for known faults of the libraries in constraints.txt; needs a network
	$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement constraints.txt

bench: $(INSTALLED)  ## measure speed beside the references and show the table; minutes
	$(BIN)/python -m pytest benchmarks --benchmark-quiet --benchmark-json=.benchmarks/latest.json --quiet $(PYTEST)

lint: $(INSTALLED)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: $(INSTALLED)  ## show the recorded runs in the browser
	$(BIN)/python -m occupancy.ui --port $(PORT) $(if $(STORE),tracking.uri=$(STORE))

clean:  ## remove the environment, caches and recorded runs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .coverage.json build dist *.egg-info
	rm -rf mlflow.db mlflow.db.lock mlflow.db-journal mlruns reports site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an installation that broke off is taken up again.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[eda,postgres,tune,cluster]"
	touch $@

# Apart, so that the first `make train` does not wait for what only the documentation needs.
$(DOCUMENTING): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	touch $@

$(AUDITING): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group audit
	touch $@

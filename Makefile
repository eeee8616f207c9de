# Customer retention, market by market. `make` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup reports test test-slow test-browser test-engines bench bench-reports bench-models bench-interactive bench-coverage lab notebooks schemas i18n i18n-check readme sample lint format clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
LOGS ?= 200
ROOMS := retention_kit.counts,retention_kit.metrics,retention_kit.present.figures,retention_kit.present.tables
WARM := JUPYTER_DEFAULT_PROVISIONER_NAME=retention-kit RETENTION_KIT_WARM_MODULES=$(ROOMS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything in it (the other targets do this by themselves)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 setup"; exit 1; }
	@echo "Setting up .venv: this takes a minute or two, once."
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" .venv && uv pip install --quiet --python $(BIN)/python -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@touch $@

reports: $(READY) ## a report for every market of the sample, in reports/index.html
	@$(BIN)/retention-kit report --data sample

test: $(READY) ## run the tests of every day, the notebooks included
	@$(BIN)/python -m pytest -n auto --dist loadgroup --ignore tests/browser -m "not slow"
	@$(WARM) $(BIN)/python -m pytest -p no:cacheprovider -n auto --dist loadfile --nbval --nbval-current-env notebooks

test-slow: $(READY) ## run the tests that take long: processes killed, more random logs, every notebook searched for names
	@$(BIN)/python -m pytest -n auto --dist loadgroup --ignore tests/browser --ignore tests/engines -m slow

test-browser: $(READY) ## open the report of every language, the index and the notebooks in Chromium, which it installs
	@.ci/chromium
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[dev,browser]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,browser]'; fi
	@$(BIN)/python -m pytest tests/browser

test-engines: $(READY) ## count on PostgreSQL, Spark and Sail too, which it installs, 200 random logs on each
	@.ci/postgresql
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e '.[dev,postgres,spark,sail]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,postgres,spark,sail]'; fi
	@RETENTION_KIT_LOGS=$(LOGS) $(BIN)/python -m pytest -n 2 --dist loadgroup tests/engines

bench: $(READY) ## measure counting beside hand-written SQL, pandas and Polars
	@$(BIN)/python tests/benchmarks/bench_counts.py

bench-reports: $(READY) ## measure reports beside a shell loop, one process, and no kernel at all
	@$(BIN)/python tests/benchmarks/bench_reports.py

bench-models: $(READY) ## measure the purchase models beside lifetimes and pymc-marketing
	@$(BIN)/python tests/benchmarks/bench_models.py

bench-interactive: $(READY) ## measure the import, the first table and what is changed after it beside pandas
	@$(BIN)/python tests/benchmarks/bench_interactive.py

bench-coverage: $(READY) ## simulate a thousand small markets: intervals, pooled shares, false alarms
	@$(BIN)/python tests/metrics/simulation.py 1000

lab: $(READY) ## open JupyterLab on the explorer's notebook
	@$(BIN)/jupyter lab notebooks/explore.ipynb

notebooks: $(READY) ## run the notebooks on the sample and store their outputs
	@$(BIN)/python -m retention_kit.run.stored notebooks/*.ipynb

schemas: $(READY) ## write the JSON schemas of a report's data and of a table into the package
	@$(BIN)/python tools/schemas.py

i18n: $(READY) ## find every message, merge it into each language's catalog, compile and check them
	@$(BIN)/python tools/catalogs.py

i18n-check: $(READY) ## whether every language of a release has every message
	@$(BIN)/python tools/catalogs.py check

readme: $(READY) ## write the README's table of metrics again
	@$(BIN)/python tools/readme.py

sample: $(READY) ## write the simulated sample again
	@$(BIN)/retention-kit sample

lint: $(READY) ## check the code's style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## put the code into its style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## take away .venv, the counts store and the reports
	rm -rf .venv reports/.counts reports/*.html reports/*.json

# Every target creates the virtual environment first, if it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
GRID := training=grid_search

.PHONY: help venv demo test soak gpu cluster lint docs bench bench-peers clean
.DEFAULT_GOAL := help

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

venv: .venv/complete ## create .venv from requirements.lock

# Touched last, so that an incomplete environment is installed again.
.venv/complete: requirements.lock pyproject.toml hydra_launcher/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "orch needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	@echo "installing the packages of requirements.lock; this takes a few minutes the first time"
	$(BIN)/pip install --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable . --editable hydra_launcher
	$(BIN)/python -m compileall -q orch orchestrator trainer # as pip does for installed packages
	touch $@

demo: venv ## plan and run a small grid on handwritten digits
	@echo; echo '$$ orch plan $(GRID)'
	@$(BIN)/orch plan $(GRID)
	@echo; echo '$$ orch run $(GRID) --workers 2'
	@$(BIN)/orch run $(GRID) --workers 2
	@echo; echo '$$ orch status $(GRID)'
	@$(BIN)/orch status $(GRID)
	@echo; echo 'To see the curves, parameters and test results in a browser: $(BIN)/orch ui $(GRID)'

# Four workers: much of the time is spent waiting for disks, locks and processes.
test: venv ## run the tests
	$(BIN)/pytest -n 4 --dist loadfile

soak: venv ## run the long tests, which take many minutes
	$(BIN)/pytest -m soak -o faulthandler_timeout=0

gpu: venv ## run the tests that need a GPU
	$(BIN)/pytest -m gpu -o faulthandler_timeout=0

cluster: venv ## run the tests on a small Slurm cluster, if Slurm is installed
	$(BIN)/pytest -m cluster tests/cluster -o faulthandler_timeout=0

lint: venv ## check style, types, import contracts and wording
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd hydra_launcher && ../$(BIN)/lint-imports
	$(BIN)/python .ci/words.py

docs: venv ## update the command outputs in the documentation
	$(BIN)/python tests/docs/test_cli_reference.py
	$(BIN)/python tests/docs/test_code_blocks.py

bench: venv ## run the benchmarks behind the figures in the README
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/client.py
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/trainer.py
	$(BIN)/python benchmarks/whole_trainings.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/states.py
	$(BIN)/python benchmarks/grid.py
	$(BIN)/python benchmarks/warm_apps.py
	$(BIN)/python benchmarks/tracking.py
	$(BIN)/python benchmarks/finished_runs.py
	$(BIN)/python benchmarks/pilots.py
	$(BIN)/python benchmarks/workers.py

bench-peers: venv ## install the packages that the benchmarks compare with
	$(BIN)/pip install -r benchmarks/peers/requirements.txt

clean: ## remove the environment and all caches, but no results
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

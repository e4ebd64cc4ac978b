# Everything a person or CI does with this checkout. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGE_MYPY := $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/mypy-packages.ini --cache-dir $(CURDIR)/.mypy_cache/packages
STAMP := $(VENV)/.installed
# Real processes on a machine that others use too: what failed is asked once more, with no test beside it, and said to have been.
AGAIN = [ $$? -eq 1 ] && echo 'FAILED ONCE (above): the same tests again, one after the other' && $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

# The files with tests that want the machine for themselves: pytest need not read all others to find them.
ALONE := $(shell grep -rl 'mark\.alone' tests --include='test_*.py')

# Half of a test is waiting for processes that it started.
WORKERS := $(shell echo $$(( $$(nproc) < 3 ? 3 : 4 )))

# Where it is set, every process that a test or a benchmark starts compiles all of cvflow anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test quick lint lint-ours lint-packages format bench-canvas bench-serving bench-install bench-detector bench-finetune bench-labelling bench-start bench-memory clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/install.py demo dev
	$(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib >/dev/null || true # on all cores; some files are templates
	touch $@

run: $(STAMP) ## Install into .venv and open the workstation on the demo project
	$(BIN)/cvflow app --demo

test: $(STAMP) ## Lint, types, import contracts, and every test
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -m alone $(ALONE) || { $(AGAIN) -m alone $(ALONE); }
	$(BIN)/python -m pytest -m 'not alone' -n $(WORKERS) --dist loadfile --no-loadscope-reorder || { $(AGAIN) -m 'not alone'; }

quick: $(STAMP) ## The tests that take a second or less
	$(BIN)/python -m pytest -m 'not slow'

lint: $(STAMP) ## ruff, mypy --strict (ours with its tests, and the bundled packages each on its own), import-linter
	$(MAKE) --no-print-directory --jobs --output-sync=target lint-ours lint-packages

lint-ours: $(STAMP)
	$(BIN)/ruff check cvflow_tui tests benchmarks tools
	$(BIN)/ruff format --check cvflow_tui tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-packages: $(STAMP)
	cd cvflow_tui/solvers/sdk && $(PACKAGE_MYPY) cvflow cvflow_worker cvpm mlpm mlserve
	cd cvflow_tui/solvers/sdk/fallback && $(PACKAGE_MYPY) pkg_resources
	for package in nanodet face_utility mobilenet saliency text viola_jones; do (cd cvflow_tui/solvers/$$package && MYPYPATH=../sdk $(PACKAGE_MYPY) $$package) || exit 1; done

format: $(STAMP) ## Let ruff mend what it can
	$(BIN)/ruff check --fix cvflow_tui tests benchmarks tools
	$(BIN)/ruff format cvflow_tui tests benchmarks tools

bench-canvas: $(STAMP) ## Picture to screen against chafa; bytes a move
	$(BIN)/python benchmarks/canvas.py

bench-serving: $(STAMP) ## Runner against bare Starlette + uvicorn, LitServe, BentoML and the original servers
	$(BIN)/python -m benchmarks.serving $(BENCH)

bench-install: $(STAMP) ## Install of a locked package, start to first reply, download against cp
	$(BIN)/python benchmarks/install.py $(BENCH)

bench-detector: $(STAMP) ## nanodet's AP on real pictures
	$(BIN)/python benchmarks/detector.py

bench-finetune: $(STAMP) ## The learning curve on bccd and raccoon, beside the floor
	$(BIN)/python benchmarks/finetune.py

bench-labelling: $(STAMP) ## Batch labelling against a bare loop
	$(BIN)/python benchmarks/labelling.py

bench-start: $(STAMP) ## --help and first paint against bare Python and a minimal app
	$(BIN)/python benchmarks/start.py

bench-memory: $(STAMP) ## What the whole app holds with a 12-megapixel picture open
	$(BIN)/python benchmarks/memory.py

clean: ## Remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

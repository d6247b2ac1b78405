# Works with GNU make 3.81. `make help` lists the targets.
#
#   PYTHON=python3.11    use this Python instead of the newest of 3.13, 3.12, 3.11 that works
#   TORCH_INDEX=URL      install torch from this package index, for example one of CPU builds
#   PYTEST_ARGS='...'    more arguments for pytest, for example '-m "not slow"' or '-n 0'
#   BENCHMARKS=DIR       for docs: a folder of outputs of `betaplus benchmark` to show

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
EXTRAS := dev,dask,mcmc,docs

PYTHON ?=
TORCH_INDEX ?=
PYTEST_ARGS ?=
BENCHMARKS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

# The stamp is written last and holds the folder that the environment was made in. An environment
# that was never finished, was moved here with its folder, or whose Python is gone is made again.
VENV_STATE := $(shell $(BIN)/python -c 'import pip' >/dev/null 2>&1 && cat $(STAMP) 2>/dev/null)
ifneq ($(VENV_STATE),$(CURDIR))
VENV_STATE :=
.PHONY: $(STAMP)
endif

.PHONY: help venv demo test lint docs gallery wheel clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    make .venv if needed, run the demo, print where its report is'
	@echo 'make test    make .venv if needed, run the tests'
	@echo 'make lint    make .venv if needed, check style, types and floors'
	@echo 'make docs    build the site out/site; a warning is an error'
	@echo 'make gallery run the examples again, and keep what they print and draw'
	@echo 'make wheel   build dist/*.whl, install it in a clean environment, try it there'
	@echo 'make venv    make .venv: betaplus (editable) and everything it needs'
	@echo 'make clean   remove .venv, caches and what the demo wrote'

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
ifeq ($(VENV_STATE),)
	@broken=''; found=''; \
	for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    >/dev/null 2>&1 || continue; \
	  if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; \
	    then found="$$python"; break; else broken="$$broken $$python"; fi; \
	done; \
	if [ -z "$$found" ] && [ -n "$$broken" ]; then \
	  echo "betaplus: found$$broken, but without the venv module." >&2; \
	  echo "On Debian or Ubuntu: apt install python3-venv (python3.N-venv for a Python that is not" >&2; \
	  echo "the system's own); then run make again." >&2; \
	  exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "betaplus: found no working Python 3.11, 3.12 or 3.13$(if $(PYTHON), as PYTHON=$(PYTHON))." >&2; \
	  echo "Install one (Debian or Ubuntu: apt install python3 python3-venv; macOS: brew install" >&2; \
	  echo "python@3.13) or name one: make PYTHON=/path/to/python3.11 ..." >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$found ($$("$$found" --version 2>&1))"; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV)
endif
	@rm -f $(STAMP)
ifneq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install -q --no-deps --index-url '$(TORCH_INDEX)' -c constraints.txt torch
endif
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[$(EXTRAS)]'
	@printf '%s\n' '$(CURDIR)' > $(STAMP)

demo: $(STAMP)
	$(BIN)/betaplus demo -o out/demo --overwrite
	@echo 'Report: $(CURDIR)/out/demo/report.html'

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 BETAPLUS_BENCHMARKS='$(BENCHMARKS)' $(BIN)/python -m mkdocs build --strict
	@echo 'Site: $(CURDIR)/out/site/index.html'

gallery: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python docs/generated_pages/run_examples.py

wheel: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt build
	rm -rf dist && $(BIN)/python -m build -o dist
	PIP_CONSTRAINT='$(CURDIR)/constraints.txt' TORCH_INDEX='$(TORCH_INDEX)' docs/try_wheel.sh $(BIN)/python dist/betaplus-*.whl

clean:
	rm -rf $(VENV) out/demo out/site out/examples build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Everything runs in .venv, which these targets make; no root, no internet beyond the package index.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## set up, then run the main job: open data, telemetry, Airflow, tables
	@$(BIN)/rocade demo

test: $(VENV)/.dev ## set up, then run the tests
	@$(BIN)/python -m pytest -m "not faults"

check: $(VENV)/.dev ## lint, format check and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

faults: $(VENV)/.dev ## the long fault runs (kill -9, cut connections), about ten minutes
	@$(BIN)/python -m pytest -m faults --timeout 1800

bench: $(VENV)/.dev $(VENV)/peers/.made ## benchmarks, beside peers, rows added to benchmarks/history.csv; BENCH_FLAGS=--short for a try
	@for each in benchmarks/bench_*.py; do $(BIN)/python $$each $(BENCH_FLAGS) || exit 1; done

lock: $(VENV)/.dev ## resolve the requirements anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	  pyproject.toml --extra airflow -o requirements/demo.txt --custom-compile-command "make lock"
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	  pyproject.toml --extra airflow --extra dev -c requirements/demo.txt -o requirements/dev.txt --custom-compile-command "make lock"
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	  benchmarks/peers.in -o requirements/bench.txt --custom-compile-command "make lock"

wheel: $(VENV)/.dev ## build dist/*.whl
	@if command -v uv >/dev/null; then uv build --wheel -q; else $(BIN)/python -m pip wheel -q --no-deps -w dist .; fi

docs: $(VENV)/.dev ## write docs/reference/ from the code
	@$(BIN)/python docs/generate.py

clean: ## remove what the targets made (not rocade-data/)
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Rocade needs Python 3.11 or newer as python3; on Debian or Ubuntu: apt install python3 python3-venv"; exit 1; }
	@if command -v uv >/dev/null; then uv venv -q --python "$$(command -v python3)" $(VENV); \
	elif python3 -c 'import ensurepip' 2>/dev/null; then python3 -m venv $(VENV); \
	else echo "Rocade needs uv (pip install uv) or python3-venv (apt install python3-venv)"; exit 1; fi

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	@$(call install,requirements/demo.txt)
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@$(call install,requirements/dev.txt)
	@touch $@ $(VENV)/.demo

# What the benchmarks are held beside; one of them wants older versions of what Rocade uses.
$(VENV)/peers/.made: requirements/bench.txt | $(VENV)/bin/python
	@echo "installing requirements/bench.txt into $(VENV)/peers"; \
	if command -v uv >/dev/null; \
	then uv venv -q --clear --python $(BIN)/python $(VENV)/peers \
	  && uv pip install -q --python $(VENV)/peers/bin/python --require-hashes -r requirements/bench.txt; \
	else $(BIN)/python -m venv $(VENV)/peers && $(VENV)/peers/bin/python -m pip install -q --require-hashes -r requirements/bench.txt; fi
	@touch $@

define install
echo "installing $(1) into $(VENV)"; \
if command -v uv >/dev/null; \
then uv pip install -q --python $(BIN)/python --require-hashes -r $(1) && uv pip install -q --python $(BIN)/python --no-deps -e .; \
else $(BIN)/python -m pip install -q --require-hashes -r $(1) && $(BIN)/python -m pip install -q --no-deps -e .; fi
endef

.PHONY: docs help demo test check faults bench lock wheel clean

# Every chore of the repository. `make` alone lists them.
VENV ?= .venv
WORKERS ?= 2
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run quick test test-on lint types imports wheel generate trace check nightly bench mpc site mpc-links clean

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## set up what users need, and run the main job
	$(BIN)/capc run

quick: $(VENV)/.dev ## set up what developers need, and run tests of every room in less than a minute
	$(BIN)/python -m pytest --quick -n $(WORKERS) --dist worksteal --trace-append --durations 5

test: $(VENV)/.dev ## set up what developers need, and run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Another interpreter has an environment of its own, without PyTorch: its wheel may bring gigabytes there.
OTHER = $(VENV)-$(notdir $(PYTHON))
ROOMS_ON_OTHERS ?= tests/foundation tests/session tests/steps tests/two_party/garbling tests/privacy tests/noise
WITH_TORCH := tests/steps/test_use_once.py tests/privacy/composition/test_shipped.py
test-on: $(OTHER)/.test ## quick tests of rooms that need no PyTorch on another interpreter: make test-on PYTHON=python3.13
	@$(OTHER)/bin/python -c 'import sys; print("Python", sys.version.split()[0], "- only:", *sys.argv[1:])' $(ROOMS_ON_OTHERS)
	@echo "SKIPPED, as they need PyTorch: $(WITH_TORCH)"
	$(OTHER)/bin/python -m pytest --quick -n $(WORKERS) --dist worksteal --trace-append $(ROOMS_ON_OTHERS) $(WITH_TORCH:%=--ignore=%)

lint: $(VENV)/.dev ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## strict types of every package
	$(BIN)/mypy

imports: $(VENV)/.dev ## the direction of imports
	$(BIN)/lint-imports

wheel: $(VENV)/.dev ## build the wheel and compare its files with the tree
	$(BIN)/python -m capc_verify.wheel_check

generate: $(VENV)/.dev ## write the test vectors and the trace report again
	$(BIN)/capc-vectors generate
	$(BIN)/capc-trace report

trace: $(VENV)/.dev ## is every MUST tied to evidence that passed in the last `make test`?
	$(BIN)/capc-trace check

check: test lint types imports wheel generate trace ## all of the above, as .ci/run does in a fresh environment

nightly: $(VENV)/.dev ## long property runs, kills and fuzz: hours; ROOMS="linear privacy.ledger" names some, ROOMS=stale what must be run again. Records what passed
	$(BIN)/python -m capc_verify.nightly --workers $(WORKERS) $(ROOMS)

bench: $(VENV)/.dev ## time the building blocks
	$(BIN)/python -m pytest benchmarks --benchmark-only -o python_files='bench_*.py'

site: $(VENV)/.site ## specification, guides, evidence and code as build/site, the specification as build/capc-spec.pdf; then looked at in Chromium
	$(BIN)/python -m capc_verify.site

MPC_FOLDER ?= benchmarks/evidence
mpc: $(VENV)/.dev ## measure the MPC variants and write their report again; needs MP-SPDZ
	$(BIN)/capc mpc bench --report $(MPC_FOLDER)/mpc --protocols all --programs argmax,label_release_single_draw,discrete_gaussian,guardian_free \
		--seconds 300 --minutes 180
	$(BIN)/capc mpc bench --report $(MPC_FOLDER)/mpc_classes --programs argmax --classes 2,10,50 --batch 100 --minutes 60 \
		--protocols semi2k,semi-bin,yao,replicated-ring,replicated-bin,malicious-rep-ring
	$(BIN)/capc mpc bench --report $(MPC_FOLDER)/mpc_noise --programs discrete_gaussian --sigma 20,200 --batch 1000,10000 --minutes 60 \
		--protocols semi2k,semi-bin,yao,replicated-ring,replicated-bin

mpc-links: $(VENV)/.dev ## measure the argmax over emulated links, beside the model, and write that report again; needs MP-SPDZ and root
	$(BIN)/capc mpc bench --report $(MPC_FOLDER)/mpc_links --programs argmax --batch 1,100,1000 --measure-network --first --repeats 10 \
		--long 300 --seconds 3000 --minutes 600 \
		--protocols embedded,embedded_stash,embedded_pairs,embedded_rounds,yao,semi2k,replicated-ring,spdz2k

clean: ## remove the environment and everything that tools left behind
	rm -rf $(VENV) $(VENV)-* .trace .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .benchmarks dist build

# A stamp, because a venv that failed half-way already has its python.
$(VENV)/.python $(OTHER)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(@D)
	touch $@

$(OTHER)/.test: pyproject.toml | $(OTHER)/.python
	$(@D)/bin/python -m pip install --disable-pip-version-check -e '.[test]'
	touch $@

# Both installations are editable, so that what runs is always the code that is read. The stamp of the larger one
# is newer than pyproject.toml too, so that `make run` after `make test` installs nothing.
$(VENV)/.run: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[run]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.run

$(VENV)/.site: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[site]'
	touch $@

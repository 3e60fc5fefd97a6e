# Patternlake: every command a newcomer or an operator needs. 'make help' lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
UV_VERSION := 0.13.9
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed
export JAVA_HOME := $(shell $(PYTHON) -c 'from lakehouse.doctor import find_java; print(find_java() or "")' 2>/dev/null)
export MLFLOW_DISABLE_TELEMETRY := true
BEGAN := $(shell date +%s)
PERSONS ?= 20000
SEED ?= 1
STUDY ?= demo
JOB ?= mine_pairs
SEEDS ?= 20
WORKERS ?= 3
FAST := tests/kernels tests/statistics tests/spec tests/architecture
NO_WORLDS := not null_worlds and not test_planted and not a_planted and not synthetic_recovery
# Workers on two cores: threads of linear algebra that wait for each other would take the time of the tests.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
LONG := tests/e2e/test_demo.py tests/e2e/test_submit.py tests/spark/test_root_rotation.py \
	tests/spark/test_redelivery.py::test_a_lake_of_many_deliveries_equals_one_of_the_last
HOME_OPTION := $(if $(LAKE),--lake $(LAKE))

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo "  A ROOM is a folder of lakehouse or experiments (governance, gold, kernels, analyses/pairs); its tests are"
	@echo "  the test files that import one of its modules, so nobody keeps a list."

.PHONY: setup
setup: $(STAMP) ## Everything the project needs, in .venv (Java too, as root on Debian or Ubuntu)

$(STAMP): requirements.lock requirements-linking.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found."; exit 10; }
	@$(PYTHON) -m lakehouse.doctor --install-java >/dev/null
	@$(PYTHON) -m venv .venv || { echo "python3-venv is missing (Debian or Ubuntu: apt-get install python3-venv)."; exit 10; }
	@echo "Setting up .venv from requirements.lock ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --compile-bytecode -r requirements.lock || $(BIN)/python -m pip install -q -r requirements.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --no-deps -r requirements-linking.lock || $(BIN)/python -m pip install -q --no-deps -r requirements-linking.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --no-deps -e . || $(BIN)/python -m pip install -q --no-deps -e .
	@touch $(STAMP)

.PHONY: doctor
doctor: ## Say what is missing on this machine and how to get it
	@$(or $(PYTHON),python3) -m lakehouse.doctor

.PHONY: demo
demo: setup ## A synthetic region, ingested, mined under a permit; prints where everything is (PERSONS=20000)
	@$(BIN)/patternlake demo --persons $(PERSONS) --seed $(SEED) $(HOME_OPTION) \
	&& echo "  The first report stood $$(( $$(date +%s) - $(BEGAN) )) s after 'make demo', setting up included."

.PHONY: demo-omop
demo-omop: setup ## The same on a foreign OMOP data set: make demo-omop OMOP=folder
	@test -d "$(OMOP)" || { echo "Say which: make demo-omop OMOP=folder-with-OMOP-tables"; exit 2; }
	@$(BIN)/patternlake demo --source $(OMOP) $(HOME_OPTION)

.PHONY: run
run: setup ## One job on a study: make run JOB=mine_pairs STUDY=demo
	@$(BIN)/patternlake run $(JOB) --study $(STUDY) $(HOME_OPTION)

.PHONY: ui
ui: setup ## The MLflow UI, on this machine only
	@$(BIN)/patternlake ui $(HOME_OPTION)

.PHONY: bytecode
bytecode: setup
	@$(BIN)/python -m compileall -q lakehouse experiments tests

.PHONY: test
test: bytecode ## All tests but the long ones, or those of one room: make test ROOM=governance
	@if [ -n "$(ROOM)" ]; then files="$$($(BIN)/python -m tests.support.rooms '$(ROOM)')" || exit 2; fi; \
	echo "Running all tests$${files:+ of $(ROOM)} but the long ones (make prove runs those) ..."; \
	$(ONE_THREAD) $(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=15 $$files

.PHONY: test-fast
test-fast: bytecode ## Kernels, statistics and specifications: no Spark, no simulated worlds (make test has both)
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -m "not slow" -k "$(NO_WORLDS)" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(FAST)

.PHONY: coverage
coverage: setup ## Lines of the kernels that their tests run, with the compiler off and few examples (minutes)
	@NUMBA_DISABLE_JIT=1 PATTERNLAKE_EXAMPLES=5 $(BIN)/python -m coverage run --source=experiments/kernels -m pytest -q -m "not slow" -k "$(NO_WORLDS) and not one_more_per_cent" tests/kernels; \
	$(BIN)/python -m coverage report --skip-covered --sort=cover

.PHONY: test-upgrade
test-upgrade: setup ## What we rely on in Spark, Delta and Py4J beyond their interface: first after raising their version
	@$(BIN)/python -m pytest -q tests/spark/test_spark_internals.py tests/spark/test_gateway.py

.PHONY: test-long
test-long: setup ## Minutes each: a demo's remains, clusters of this machine, deliveries in sequence, a new root key (DEMO=a demo's home)
	@PATTERNLAKE_DEMO="$(DEMO)" $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(LONG)

.PHONY: prove
prove: setup ## Every promised figure beside its threshold (SEEDS=20), or one section: CASE=gate (CASE=list names them)
	@$(BIN)/python -m tests.prove --seeds $(SEEDS) $(if $(CASE),$(if $(filter list ?,$(CASE)),--list,--only $(CASE)))

.PHONY: attack
attack: setup ## The attack suite against plain Spark, the Guarded and the Sealed level, as one table (LEVELS="guarded sealed")
	@$(BIN)/python -m tests.attacks.suite --levels $(or $(LEVELS),plain guarded sealed)

.PHONY: bench-scope
bench-scope: setup ## What scope accounting costs beside bare Spark; fails when it is more than promised
	@$(BIN)/python -m tests.bench_scope

.PHONY: bench
bench: setup ## Every promised ratio beside its peers, each in one run; fails when one falls short (BENCH_PERSONS=1000000, COUNTRY=--short)
	@failed=0; \
	$(BIN)/python -m tests.bench --persons $(or $(BENCH_PERSONS),1000000) || failed=1; \
	$(BIN)/python -m tests.bench_country $(COUNTRY) || failed=1; \
	$(BIN)/python -m tests.bench_ingest || failed=1; \
	$(BIN)/python -m tests.bench_pseudonym --rows $(or $(BENCH_ROWS),10000000) || failed=1; \
	$(BIN)/python -m tests.bench_scope || failed=1; \
	if [ -n "$$PATTERNLAKE_DATA" ]; then $(BIN)/python -m tests.bench_mining || failed=1; else \
	  echo "PATTERNLAKE_DATA names no folder: sets, sequences and symmetry were not compared."; fi; \
	exit $$failed

.PHONY: docs
docs: setup ## The reference manual, from the declarations: docs/reference.md
	@$(BIN)/python -m experiments.manual

.PHONY: lint
lint: setup ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

.PHONY: types
types: setup ## Types, strict
	@$(BIN)/mypy

.PHONY: contracts
contracts: setup ## Who may import whom
	@$(BIN)/lint-imports

.PHONY: structure
structure: setup ## Files a folder, floors, circles, lengths, docstrings; fails on what is not allowed (LIST=errors or axes)
	@$(BIN)/python -m tests.architecture.structure $(if $(LIST),--list $(LIST))

.PHONY: check
check: lint types contracts structure ## Lint, types, import contracts and structure

.PHONY: dist
dist: setup ## The wheel, and the same as .zip for spark-submit --py-files
	@rm -rf dist && $(BIN)/python -m build -q --wheel . && for w in dist/*.whl; do cp $$w $${w%.whl}.zip; done && ls dist

.PHONY: clean
clean: ## Remove the environment and what builds left
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .coverage

# Everything runs from .venv, which the first target makes from requirements.lock.
# No recipe uses an absolute path, so that the checkout's own path may contain a space.

STAMP := .venv/installed
CHARTS := .venv/charts-installed
TOOLS := .venv/tools-installed

# The stamp holds the checkout's path: a checkout that was moved or copied, or whose Python was
# removed, is installed again.
ifneq ($(shell .venv/bin/python -c pass 2>/dev/null && cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

# Containers often forbid bytecode: each of the hundreds of processes would compile all of ours anew.
export PYTHONDONTWRITEBYTECODE :=

# A file's tests stay together, and the files in order, because they share what their folder starts.
PYTEST := .venv/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Tried with a sample by `make test`; see tests/thoroughness.py.
SAMPLED := tests/hostile/test_memory.py tests/matching/test_corpus.py tests/sources/test_contract.py

.PHONY: help demo run test release-check thorough check client screenshots faults bench lock env sbom clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## Start everything locally, sync calls, show the sync log, stop
	@.venv/bin/python -m cli demo

run: $(STAMP) ## Start everything locally and keep it running until Ctrl-C
	@.venv/bin/python -m cli up

test: check ## Run everything that protects behaviour
	@$(PYTEST)

release-check: $(CHARTS) ## Try what a release ships: chart, wheel, workflows, the demo; full sizes
	@$(PYTEST) tests/release
	@CALLSYNC_THOROUGH=1 $(PYTEST) $(SAMPLED)

thorough: $(STAMP) ## Try ten times the examples and new histories, as is done nightly
	@CALLSYNC_THOROUGH=1 CALLSYNC_HISTORIES=2000 $(PYTEST) --timeout=0 $(SAMPLED) \
		tests/sources tests/hostile/test_signatures.py tests/state_machine

check: $(STAMP) ## Check format, lint, types and import rules
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports

client: $(STAMP) ## Write the types of the browser's client, made from the OpenAPI document
	@.venv/bin/python -m api.dashboard.client_types

screenshots: $(STAMP) ## Take the pictures in docs/ anew, in a real Chromium
	@.venv/bin/python -m tests.browser.screenshots

faults: $(STAMP) ## Break everything on purpose, 20 times each; see docs/faults.md
	@.venv/bin/python -m faults --write

bench: $(STAMP) ## Measure ours beside its peers, as ratios; see docs/benchmarks.md
	@.venv/bin/python -m bench --write

UV_LOCK := .venv/bin/python -m uv pip compile --quiet --no-header --universal \
	--python-version 3.11 --generate-hashes

lock: $(STAMP) ## Pin the dependencies of pyproject.toml, for us and for the image
	@$(UV_LOCK) --group dev pyproject.toml --output-file requirements.lock
	@$(UV_LOCK) --constraint requirements.lock pyproject.toml \
		--output-file deploy/requirements.lock
	@$(UV_LOCK) --constraint requirements.lock --group charts \
		--output-file deploy/charts-requirements.lock
	@$(UV_LOCK) --group tools --output-file deploy/tools-requirements.lock
	@echo 'hatchling' | $(UV_LOCK) --constraint requirements.lock - \
		--output-file deploy/build-requirements.lock

env: $(STAMP) ## Write .env for Docker Compose, with new secrets; SANDBOX=yes to try it without HubSpot
	@.venv/bin/callsync init $(if $(SANDBOX),--sandbox)

sbom: $(TOOLS) ## Write a bill of materials, dist/sbom.json (CycloneDX)
	@mkdir -p dist
	@.venv/tools/bin/cyclonedx-py environment .venv --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/sbom.json

clean: ## Remove the environment and all caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@sh local/install.sh

$(CHARTS): deploy/charts-requirements.lock $(STAMP)
	@.venv/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input install \
		--require-hashes --requirement deploy/charts-requirements.lock
	@touch $(CHARTS)

# In an environment of their own: what audits and describes the dependencies is none of them.
$(TOOLS): deploy/tools-requirements.lock $(STAMP)
	@.venv/bin/python -m venv --clear .venv/tools
	@.venv/tools/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input install \
		--require-hashes --requirement deploy/tools-requirements.lock
	@touch $(TOOLS)

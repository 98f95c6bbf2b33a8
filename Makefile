# Everything runs from .venv, which the first target makes from requirements.lock.
# No recipe uses an absolute path, so that the checkout's own path may contain a space.

STAMP := .venv/installed

# The stamp holds the checkout's path: a checkout that was moved or copied, or whose Python was
# removed, is installed again.
ifneq ($(shell .venv/bin/python -c pass 2>/dev/null && cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

.PHONY: help demo run test check faults lock sbom clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## Start everything locally, sync calls, show the sync log, stop
	@.venv/bin/python -m cli demo

run: $(STAMP) ## Start everything locally and keep it running until Ctrl-C
	@.venv/bin/python -m cli up

test: check ## Run everything that must pass
	@.venv/bin/python -m pytest

check: $(STAMP) ## Check format, lint, types and import rules
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports

faults: $(STAMP) ## Break everything on purpose, 20 times each; see docs/faults.md
	@.venv/bin/python -m faults --write

lock: $(STAMP) ## Pin the dependencies of pyproject.toml in requirements.lock
	@.venv/bin/python -m uv pip compile --quiet --no-header --universal --python-version 3.11 \
		--generate-hashes --group dev pyproject.toml --output-file requirements.lock

sbom: $(STAMP) ## Write a bill of materials, dist/sbom.json (CycloneDX)
	@mkdir -p dist
	@.venv/bin/python -m uv tool run --quiet --from 'cyclonedx-bom~=7.2' cyclonedx-py environment \
		.venv --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/sbom.json

clean: ## Remove the environment and all caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@sh local/install.sh

.DEFAULT_GOAL := help
.PHONY: help run up down status doctor import token init verify-compose dashboards pictures pictures-dashboards test test-long bench chaos soak restore-drill tracker newsroom words referrer-spam sbom docs check lock clean
BOOTSTRAP := python3 -m deploy.local.bootstrap
DEV := .venv-dev/bin

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

run: ## Install and start everything, publish the sample article, print the URLs; Ctrl-C stops it
	@./presstally run

up: ## The same in the background; returns when everything is ready, or running and says what is not ready
	@./presstally up

down: ## Stop the local installation
	@./presstally down

status: ## Show the ports and process IDs of the local installation
	@./presstally status

doctor: ## Check the local installation; fails if a check fails
	@./presstally doctor

import: ## Import and publish a saved page: make import FILE=page.txt ARGS=--with-counter
	@test -n "$(FILE)" || { echo "make import: which file? make import FILE=page.txt" >&2; exit 2; }
	@./presstally ingest import --site haihau --section tin-tuc --publish --wait $(ARGS) "$(FILE)"

token: ## Manage bearer tokens: make token ARGS='create --name Lan --scope write'
	@./presstally -q ingest token $(ARGS)

init: ## Write .env for Docker Compose with generated secrets; existing values stay (ARGS=--small: for 2 GB)
	@python3 deploy/compose/init_env.py $(ARGS)

test: ## Run the tests, three at a time (ARGS="-k counter" selects some)
	@$(BOOTSTRAP)
	@$(DEV)/python -m pytest -n 3 $(ARGS)

test-long: ## Run the tests that take long: alerts, a rolling upgrade, generated API requests, broken counters
	@$(BOOTSTRAP)
	@$(DEV)/python -m pytest -m long $(ARGS)

bench: ## Run the benchmarks; prints rates and ratios, without pass or fail
	@$(BOOTSTRAP)
	@$(DEV)/python -m tests.bench $(ARGS)

chaos: ## Fault tests: kill, freeze and disconnect processes under load (ARGS="--seed 7 --minutes 5")
	@$(BOOTSTRAP)
	@$(DEV)/python -m tests.chaos $(ARGS)

soak: ## Soak test: 30 minutes of mixed load with faults; writes docs/soak.md (ARGS="4 --seed 7": minutes, seed)
	@$(BOOTSTRAP)
	@$(DEV)/python -m tests.soak $(ARGS)

restore-drill: ## Restore every pair of an older, an empty and an intact Postgres and Kafka, as documented; 8 minutes (ARGS=--recover)
	@$(BOOTSTRAP)
	@$(DEV)/python -m tests.restore $(ARGS)

verify-compose: ## Run docker-compose.yml on a Docker engine and verify it (ARGS=--small: the profile for 2 GB)
	@$(BOOTSTRAP)
	@$(DEV)/python -m deploy.compose.verify $(ARGS)

dashboards: ## Generate Grafana's dashboards and the SLO rules
	@$(BOOTSTRAP)
	@$(DEV)/python -m deploy.grafana
	@$(DEV)/python -m deploy.prometheus.slo

pictures: ## Take the README's screenshots of a sample portal in Chromium
	@$(BOOTSTRAP)
	@$(DEV)/python -m tools.demo_site

pictures-dashboards: ## Draw the pictures of docs/dashboards.md with data from Prometheus under load
	@$(BOOTSTRAP)
	@$(DEV)/python -m tools.dashboard_images

tracker: ## Build /t.js from its source (needs Node and npm)
	cd services/ingest/collector/tracker && npm ci --silent --ignore-scripts && npm run --silent build

newsroom: ## Build the scripts of the newsroom from their sources (needs Node and npm)
	cd services/ingest/newsroom/client && npm ci --silent --ignore-scripts && npm run --silent build

words: ## Update the catalogues of the pages' texts and the widget's words (ARGS="--add pl" starts a language)
	@$(BOOTSTRAP)
	@$(DEV)/python -m tools.words $(ARGS)

referrer-spam: ## Renew the kept list of referrer spam (ARGS="spammers.txt --commit HASH", a copy of Matomo's list)
	@$(BOOTSTRAP)
	@$(DEV)/python -m tools.referrer_spam $(ARGS)

sbom: ## Write the image's SBOM as CycloneDX: dist/presstally.cdx.json
	@$(BOOTSTRAP)
	@mkdir -p dist
	@$(DEV)/python -W ignore -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --output-reproducible --output-file dist/presstally.cdx.json

docs: ## Build the documentation into dist/docs; fails on broken links
	@$(BOOTSTRAP)
	@$(DEV)/python -m tools.docs_site

check: ## Lint, format, types and import contracts
	@$(BOOTSTRAP)
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/lint-imports --no-cache

lock: ## Update the hash-locked requirements from pyproject.toml
	@$(BOOTSTRAP)
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local -c requirements.txt pyproject.toml -o requirements-local.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra tracing -c requirements.txt pyproject.toml -o requirements-tracing.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local --extra tracing --extra dev -c requirements-local.txt -c requirements-tracing.txt pyproject.toml -o requirements-dev.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header tests/bench/competitors/requirements.in -o tests/bench/competitors/requirements.txt

clean: ## Remove environments and downloaded jars; data in .local stays
	@if ./presstally status >/dev/null 2>&1; then echo "make clean: this installation is running; ./presstally down stops it" >&2; exit 1; fi
	rm -rf .venv .venv-dev .local-cache services/ingest/collector/tracker/node_modules services/ingest/newsroom/client/node_modules

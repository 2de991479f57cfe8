.DEFAULT_GOAL := help
.PHONY: help run up down status doctor import token init verify-compose dashboards pictures pictures-dashboards test bench chaos soak tracker sbom docs check lock clean
BOOTSTRAP := python3 deploy/local/bootstrap.py
DEV := .venv-dev/bin

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

run: ## Set up and start everything, publish the sample, print the URLs; Ctrl-C stops all
	@$(BOOTSTRAP) run

up: ## The same in the background; returns when ready
	@$(BOOTSTRAP) up

down: ## Stop what `make up` started
	@$(BOOTSTRAP) down

status: ## Show what runs: ports and process ids
	@$(BOOTSTRAP) status

doctor: ## Look at the running copy and say what is wrong; fails if something is
	@$(BOOTSTRAP) doctor

import: ## Publish a saved page on the running copy: make import FILE=page.txt ARGS=--with-counter
	@$(BOOTSTRAP) import --site haihau --section tin-tuc --publish --wait $(ARGS) "$(FILE)"

token: ## Bearer tokens of the running copy: make token ARGS='create --name Lan --scope write'
	@$(BOOTSTRAP) token $(ARGS)

init: ## For Docker Compose: write .env with generated secrets; what is there stays
	@python3 deploy/compose/init_env.py

test: ## Run all tests (ARGS="-k counter" picks some)
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m pytest $(ARGS)

bench: ## Benchmarks of the counter: printed ratios, no pass or fail
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tests.bench $(ARGS)

chaos: ## Kill, freeze and cut everything under load; prints its seed (ARGS="--seed 7 --minutes 5")
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tests.chaos $(ARGS)

soak: ## Half an hour of mixed load with kills; writes docs/soak.md (ARGS="4 --seed 7" for minutes and seed)
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tests.soak $(ARGS)

verify-compose: ## Run docker-compose.yml for real and look at it, where there is a Docker engine
	@$(DEV)/python -m deploy.compose.verify $(ARGS)

dashboards: ## Write Grafana's dashboards and the SLO rules from their code
	@$(DEV)/python -m deploy.grafana
	@$(DEV)/python -m deploy.prometheus.slo

pictures: ## Take README's pictures of a sample portal, in Chromium
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tools.demo_site

pictures-dashboards: ## Draw the dashboards of docs/dashboards.md from a real Prometheus under load
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tools.dashboard_images

tracker: ## Make what is served at /t.js from its source (needs Node and npm)
	cd services/ingest/collector/tracker && npm ci --silent --ignore-scripts && npm run --silent build

sbom: ## What the image is made of, as CycloneDX: dist/presstally.cdx.json
	@$(BOOTSTRAP) dev
	@mkdir -p dist
	@$(DEV)/python -W ignore -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml --output-reproducible --output-file dist/presstally.cdx.json

docs: ## Build the documentation into dist/docs; fails if a link leads nowhere
	@$(BOOTSTRAP) dev
	@$(DEV)/python -m tools.docs_site

check: ## Lint, types and the walls between services
	@$(BOOTSTRAP) dev
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/lint-imports --no-cache

lock: ## Renew the hash-locked requirements from pyproject.toml
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local -c requirements.txt pyproject.toml -o requirements-local.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra tracing -c requirements.txt pyproject.toml -o requirements-tracing.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local --extra tracing --extra dev -c requirements-local.txt -c requirements-tracing.txt pyproject.toml -o requirements-dev.txt
	$(DEV)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header tests/bench/competitors/requirements.in -o tests/bench/competitors/requirements.txt

clean: ## Remove the environments and fetched jars; data in .local stay
	rm -rf .venv .venv-dev .local-cache services/ingest/collector/tracker/node_modules

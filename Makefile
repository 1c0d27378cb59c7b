# Needs Python 3.11 or newer and make, nothing else. `make run` is the whole system, `make test` proves it.

PY := .venv/bin/python
# Settings given on make's command line (make run PORT=9000) reach the programs: make exports these.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" --quiet

.DEFAULT_GOAL := help
.PHONY: help run test check bench chaos fuzz docs screenshots lock clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

run: ## Start everything, until Ctrl-C. PORT, HOST, DATA_DIR, DEMO=0, ADMIN_USER, ADMIN_PASSWORD
	@scripts/venv requirements.txt
	@exec $(PY) manage.py stack

test: ## The whole test suite, on its own PostgreSQL and Redis. ARGS="-k name" for some of it
	@scripts/venv requirements-dev.txt
	@exec scripts/test $(ARGS)

check: ## Format, lint, types, rooms, migrations, production settings, README
	@scripts/venv requirements-dev.txt
	@scripts/check

bench: ## The benchmarks, on servers of their own. ARGS="--quick" for a short run
	@scripts/venv requirements.txt
	@exec $(PY) -m benchmarks.clock $(ARGS)

chaos: ## Hurt a running fleet, then check that nothing was lost. ARGS="--seconds 600 --seed 3"
	@scripts/venv requirements-dev.txt
	@exec $(PY) -m tests.chaos $(ARGS)

fuzz: ## Fuzz all surfaces of a running stack. ARGS="--requests 100000 --seed 3 --surface voltmx"
	@scripts/venv requirements-dev.txt
	@exec $(PY) -m tests.fuzz $(ARGS)

docs: ## The documents as a site, into site/; ends at the first link that leads nowhere
	@scripts/venv requirements-dev.txt
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

screenshots: ## Pictures of the console with the demo, into docs/screenshots (needs Chromium)
	@scripts/venv requirements-dev.txt
	@exec $(PY) -m tests.browser

lock: ## Pin all dependencies anew (needs uv)
	$(LOCK) --upgrade --output-file requirements.txt
	$(LOCK) --extra dev --constraint requirements.txt --output-file requirements-dev.txt

clean: ## Remove the environment and caches; data stays
	rm -rf site .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles

# make          lists the targets
# make demo     the whole job on a sample clip, or on your own: make demo CLIP=stream.h264 ORIGINALS=folder

PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve docs screenshots test test-long bench lint types lint-code lint-scripts generate audit format constraints

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## Make .venv with the project in it

.venv/ready: pyproject.toml constraints.txt package.json package-lock.json
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

setup-dev: .venv/ready-test ## The same with what tests and checks need

# npm writes package-lock.json each time: what has just been installed is not older than it.
.venv/ready-test: .venv/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch .venv/ready $@

# Where node is missing, `setup` has made the bundles; pages load single modules once these are out of date.
static/dist/manifest.json: $(shell find static/css static/js templates scripts/*.mjs -type f) | .venv/ready
	PATH="$(CURDIR)/$(BIN):$$PATH"; if command -v node >/dev/null; then node scripts/bundle.mjs; fi

# The pages of /help. Users can do without: a server starts even if they cannot be built.
help/index.html: $(shell find docs -type f) README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md | .venv/ready
	-$(BIN)/python -m sphinx -q docs help

demo: .venv/ready static/dist/manifest.json help/index.html ## Dataset, training and test of one image through the API, then the pages
	$(BIN)/python -m commands.demo --port $(PORT) $(if $(CLIP),--clip '$(CLIP)') $(if $(ORIGINALS),--originals '$(ORIGINALS)')

serve: .venv/ready static/dist/manifest.json help/index.html ## The server alone
	$(BIN)/python run_server.py --port $(PORT)

docs: .venv/ready ## The documents as pages, which the server shows at /help; warnings are errors
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env docs help

screenshots: .venv/ready-test static/dist/manifest.json ## The pictures of the documents, from real pages; needs Chromium
	$(BIN)/python scripts/screenshots.py

# Three test files for two cores: tests wait for servers, workers and browsers now and then. Many
# processes import the modules: their bytecode is kept, whatever the environment says.
test test-long: WORKERS = $$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2))
test: lint static/dist/manifest.json ## All tests; those of the pages need Chromium
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
	$(BIN)/node --test tests/js/*.test.js

test-long: .venv/ready-test ## Tests by chance with ten times the examples and faults, or more; six minutes on two cores
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --long --timeout=10000 -n $(WORKERS) --maxprocesses 8 --dist loadfile tests/fuzz tests/app/test_chaos.py tests/app/forms tests/jobs/datasets/test_make_faults.py tests/field/test_video_combinations.py

bench: .venv/ready static/dist/manifest.json ## All benchmarks, half an hour on an idle machine; adds a line each to benchmarks/results
	$(BIN)/python -m benchmarks

# macOS has make 3.81, which mixes the outputs of targets.
WHOLE_OUTPUTS := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
lint: .venv/ready-test ## Format, lint, types and words
	$(MAKE) --no-print-directory --jobs=2 $(WHOLE_OUTPUTS) types lint-code docs lint-scripts

types: .venv/ready-test
	$(BIN)/mypy

lint-code: .venv/ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app clearframe commands jobs models run_server.py
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/codespell
	$(BIN)/python scripts/check_words.py

lint-scripts: .venv/ready-test
	PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent lint

generate: .venv/ready-test ## Write docs/events.md, types.js and openapi.json from the types and routes that they describe
	$(BIN)/python scripts/generate_types.py

audit: .venv/ready-test ## Known vulnerabilities of the packages in use; asks their registries
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[audit]'
	touch .venv/ready .venv/ready-test
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip
	$(BIN)/npm audit

format: .venv/ready-test ## Format the code, and fix what the linters can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent format

constraints: .venv/ready-test ## Record the installed versions
	$(BIN)/pip freeze --exclude-editable > constraints.txt

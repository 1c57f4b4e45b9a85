# make          lists the targets
# make demo     the whole job on a sample clip, or on your own: make demo CLIP=stream.h264 ORIGINALS=folder

PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint format constraints

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## Make .venv with the project in it

.venv/ready: pyproject.toml constraints.txt package.json package-lock.json
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/ready-test: .venv/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: .venv/ready ## Dataset, training and test of one image through the API, then the pages
	$(BIN)/python -m app.demo --port $(PORT) $(if $(CLIP),--clip '$(CLIP)') $(if $(ORIGINALS),--originals '$(ORIGINALS)')

serve: .venv/ready ## The server alone
	$(BIN)/python run_server.py --port $(PORT)

test: lint ## All tests; needs Chromium for those of the pages
	$(BIN)/python -m pytest
	$(BIN)/node --test tests/js/*.test.js

lint: .venv/ready-test ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/ready-test ## Bring the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: .venv/ready-test ## Write down the versions that are installed
	$(BIN)/pip freeze --exclude-editable > constraints.txt

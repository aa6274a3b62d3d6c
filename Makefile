# From nothing but python3.11 (or newer) and make: `make demo` shows the product, `make test` proves it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
INSTALLED := $(VENV)/.installed
CT ?=
MINUTES ?= 20
DATABASE ?= sqlite
OHIF := 3.13.2
OHIF_SHA512 := 5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
OHIF_FILES := .ohif/package/dist/index.html

.DEFAULT_GOAL := help
.PHONY: help demo test peers ohif lock audit lungs bundle ablation bench training reception conformance faults soak fuzz clean

help:  ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1: \2/p' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock pyproject.toml
	@echo "Installing into $(VENV): about 3 minutes and 6 GB the first time."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED)  ## send a chest CT through a node on this machine (CT=folder for your own)
	@$(VENV)/bin/sedas-node demo $(if $(CT),"$(CT)")

test: $(INSTALLED)  ## every gate and every test
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sh -ec 'ruff format --check . && ruff check . && mypy && lint-imports && pytest -n auto'

peers:  ## install the Debian programs that tests use as peers
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends dcmtk libseccomp2 openssl orthanc pixelmed-apps systemd >/dev/null

ohif: $(INSTALLED) peers $(OHIF_FILES)  ## look at a result in OHIF: its tests, and their screenshots in docs/
	@DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends orthanc-dicomweb chromium-headless-shell >/dev/null
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" SEDAS_OHIF_PICTURES=docs pytest -q tests/acceptance/test_ohif.py

$(OHIF_FILES): Makefile
	@command -v npm >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null; }
	@rm -rf .ohif && mkdir .ohif
	@cd .ohif && npm pack --silent @ohif/app@$(OHIF) >/dev/null
	@echo "$(OHIF_SHA512)  .ohif/ohif-app-$(OHIF).tgz" | sha512sum --check --quiet
	@tar -xzf .ohif/ohif-app-$(OHIF).tgz --no-same-owner -C .ohif && rm .ohif/*.tgz && touch $@

lock: $(INSTALLED)  ## pin every dependency with its hashes
	@$(VENV)/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-strip-extras \
		--no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock

audit: $(INSTALLED)  ## look up every pinned dependency in PyPI's list of known vulnerabilities
	@$(VENV)/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip --progress-spinner off >build-audit.txt || { cat build-audit.txt; rm -f build-audit.txt; exit 1; }
	@printf '%s of %s dependencies could not be looked up\n' "$$(grep -c 'could not be audited' build-audit.txt)" "$$(grep -c '^[a-z].*==' requirements.lock)"
	@rm -f build-audit.txt

lungs: $(INSTALLED)  ## train the embedded lung network again (REAL=folder adds real CT)
	@$(VENV)/bin/python -m inference.training.embedded.lungs --out inference/bundles/lungs $(if $(REAL),--real "$(REAL)")

bundle: $(INSTALLED)  ## train the demonstration model again
	@$(VENV)/bin/python -m inference.training.embedded.demonstration --out inference/bundles/demonstration

ablation: $(INSTALLED)  ## the eight configurations of the paper's Table 2 on drawn patients (under an hour; a cut run goes on; FULL=1: the paper's size, on a GPU)
	@$(VENV)/bin/sedas-node cohort synth ablation/cohort $(if $(FULL),,--patients 160 --pixels 192) --processes 2
	@$(VENV)/bin/sedas-node dataset build ablation/dataset --name "synthetic cohort" --table ablation/cohort/patients.csv --dicom ablation/cohort/dicom $(if $(FULL),,--pixel-mm 1.87 --size 192) --processes 2
	@$(VENV)/bin/sedas-node ablation config/ablation$(if $(FULL),-full).toml

bench: $(INSTALLED)  ## measure an analysis against the stock chain (about 10 minutes)
	@$(VENV)/bin/python -m tests.benchmarks --out docs

training: $(INSTALLED)  ## measure training against a plain ResNet50 loop (about 10 minutes, on a quiet machine)
	@$(VENV)/bin/python -m tests.benchmarks.training --out docs

faults: $(INSTALLED)  ## kill the node at every step on both databases (about 25 minutes; a cut run goes on)
	@$(VENV)/bin/python -m tests.faults

soak: $(INSTALLED)  ## a node under load, kills, outages and rubbish (MINUTES=20 DATABASE=sqlite; a cut run goes on)
	@$(VENV)/bin/python -m tests.faults.soak --minutes $(MINUTES) --database $(DATABASE)

reception: $(INSTALLED) peers  ## measure reception against three peers (about 10 minutes, on a quiet machine)
	@$(VENV)/bin/python -m tests.benchmarks.reception

conformance: $(INSTALLED)  ## write the tables of the conformance statement anew
	@$(VENV)/bin/python -m tests.statement

fuzz: $(INSTALLED)  ## send the readers a million bad inputs, and go on where it stopped (INPUTS=more)
	@$(VENV)/bin/python -W ignore -m tests.fuzz --inputs $(or $(INPUTS),1000000) --report docs

clean:  ## remove what can be made again
	@rm -rf $(VENV) .fuzz ablation .ohif .soak build demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

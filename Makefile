# Everything a fresh machine needs is made by these targets; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := runs/sample

.DEFAULT_GOAL := help
.PHONY: help install demo test check format screenshots lab mlflow bench bench-agreement bench-clustering bench-curator bench-gallery bench-quality bench-scale bench-search bench-training bench-vectors faults mutation soak fuzz clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v <= (3, 12); sys.exit(None if ok else f"peta-viz needs Python 3.11 or 3.12, and $(PYTHON) is {v[0]}.{v[1]}: run make PYTHON=python3.11 ...")'
	@echo "installing into $(VENV): about 7 GB, for some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[reid,train,track,ray,dev]'
	@touch $@

install: $(READY) ## install into .venv, and no more

demo: $(READY) ## install, run the whole line on the generated sample, print where the report is
	$(BIN)/peta-viz run --out $(RUN)

test: $(READY) ## install, run every test, the browser ones too
	@tools/system-packages chromium nodejs=node strace
	$(BIN)/python -m pytest

check: $(READY) ## lint, format check, types, no outputs in notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify notebooks/*.ipynb

format: $(READY) ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout notebooks/*.ipynb

screenshots: $(READY) ## take the pictures of the docs, of the run that `make demo` left
	@tools/system-packages chromium
	$(BIN)/python tools/screenshots.py $(RUN)

lab: $(READY) ## open the notebooks in JupyterLab, on the sample
	$(BIN)/peta-viz lab .

mlflow: $(READY) ## look at what was tracked, in MLflow on this machine's port 5000
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true $(BIN)/mlflow ui --host 127.0.0.1 --workers 1 --backend-store-uri sqlite:///$(RUN)/mlflow.db

soak: $(READY) ## ten thousand jumps and acts in Chromium: what is left behind; takes an hour
	@tools/system-packages chromium
	$(BIN)/python -m abuse.soak

bench-training: $(READY) ## training from the cache beside a plain DataLoader
	$(BIN)/python -m benchmarks.throughput

bench: bench-agreement bench-search bench-training bench-curator ## the stages that need no real data, beside what people use today

bench-vectors: $(READY) ## vectors beside their bound and peers; ROOT is PETA, REID a network, WEIGHTS MobileNetV2's
	$(BIN)/python -m benchmarks.vectors --root "$(ROOT)" --reid "$(REID)" --weights "$(WEIGHTS)"

bench-clustering: $(READY) ## images to components, beside fastdup and imagededup; takes ROOT, REID, WEIGHTS
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.clustering --root "$(ROOT)" --reid "$(REID)" --weights "$(WEIGHTS)"

bench-search: $(READY) ## nearest neighbours as the set grows, all with all and by a graph
	$(BIN)/python -m benchmarks.search

bench-agreement: $(READY) ## agreement and strategies as the table grows, beside a callback per component
	$(BIN)/python -m benchmarks.agreement

bench-curator: $(READY) ## from a key to the next component, beside plain widgets
	$(BIN)/python -m benchmarks.curator

bench-quality: $(READY) ## finding wrong labels, beside votes and cleanlab; RUN is one made with --reid
	$(BIN)/python -m benchmarks.quality --run $(RUN)

bench-gallery: $(READY) ## the gallery beside ipyplot, ipywidgets and fastdup; about half an hour
	@tools/system-packages chromium
	$(BIN)/python -m benchmarks.gallery

bench-scale: $(READY) ## the gallery's kernel at up to ten million images; takes 8 GB of memory
	$(BIN)/python -m benchmarks.gallery_scale

faults: $(READY) ## kill, starve and disturb every stage and part of it; about an hour
	@tools/system-packages g++
	$(BIN)/python -m abuse.faults

mutation: $(READY) ## what tests do not notice: a sample of changes to the code, for an hour or two
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	$(BIN)/python tools/mutation.py

fuzz: $(READY) ## bad input of every kind: 100,000 random cases and an hour of coverage-guided ones
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m abuse.fuzz --minutes 60 --cases 100000

clean: ## remove the environment and all runs
	rm -rf $(VENV) runs data/sample

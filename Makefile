# Every target sets up .venv by itself, once; see scripts/setup for a torch of your own.
.PHONY: tutorial laptop demo test lint lab readme execute docs pages soak browser alone slurm oldest
SHELL := /bin/bash
BIN := .venv/bin
RUN ?= runs/tutorial
NB ?=
ONLY ?=
SETTINGS := settings.ini setup.py pyproject.toml constraints.txt scripts/setup

# train a world model for random walls from nothing, unroll it, and let it plan: a short training on two cores
tutorial: .venv/.library
	$(BIN)/jepa_train laptop optim.epochs=3 refine.clips=4800 refine.updates=4000 --out $(RUN)
	$(BIN)/jepa_unroll $(RUN)
	$(BIN)/jepa_plan $(RUN) --episodes 20 --gif
	@echo 'That was a short training; make laptop does all of it, and takes about four times as long.'

# the same with the whole training
laptop: .venv/.library
	$(BIN)/jepa_train laptop --out runs/laptop
	$(BIN)/jepa_unroll runs/laptop
	$(BIN)/jepa_plan runs/laptop --episodes 20 --gif

# the shipped model plans twenty tasks, and draws the first that succeeds as an animation
demo: .venv/.library
	$(BIN)/jepa_plan random_wall --episodes 20 --gif --out runs/demo

# everything that CI checks
test: .venv/.dev
	@scripts/stage 'export and clean change nothing' $(BIN)/python scripts/unchanged.py
	@scripts/stage 'notebooks' env OMP_NUM_THREADS=1 $(BIN)/nbdev_test --n_workers 2 --timing
	@scripts/stage 'tests' $(BIN)/pytest -q --durations 5
	@scripts/stage 'wheel' $(BIN)/pytest -q -m wheel

# ruff, and pyrefly over the package; part of make test
lint: .venv/.dev
	$(BIN)/python scripts/lint.py

lab: .venv/.lab
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 nbs/index.ipynb

readme: .venv/.dev
	$(BIN)/python scripts/readme.py

# run notebooks at their real size and store what they show; NB='06 07' or NB='checks files' for some of them
execute: .venv/.dev
	$(BIN)/python scripts/execute.py $(NB)

# the site, in _docs; README.md is `make readme`'s, hence the touch. The pages that run in a browser need npm, for their runtime
docs: .venv/.dev
	@command -v quarto >/dev/null || { echo 'make docs needs Quarto on PATH (version: see .github/workflows/docs.yaml)' >&2; exit 1; }
	touch README.md
	$(BIN)/python scripts/browser.py
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/nbdev_docs
	$(BIN)/python scripts/site.py _docs

# every page as HTML without Quarto, looked at in a browser; needs pandoc and Chromium (CHROMIUM=path if it isn't found)
pages: .venv/.dev
	$(BIN)/pip install -qq -c constraints.txt playwright
	$(BIN)/pytest -q -m html

# every promise of the appendix in full (a quarter of an hour on two cores), into jepa_tutorial/results/soak.json; ONLY=faults for some of them
soak: .venv/.dev .venv/.lab
	SOAK=1 SOAK_OUT=jepa_tutorial/results/soak.json $(BIN)/pytest -q -m promise --durations 0 -k '$(ONLY)'

# the library on the lowest versions that settings.ini allows; TORCH=2.13 takes another torch than the lowest
oldest:
	scripts/oldest

# a sweep on a real SLURM of one machine, which is installed and started for it; needs root, on Debian or Ubuntu
slurm: .venv/.dev
	tests/slurm.sh $(BIN)/pytest -q -m slurm

# every page in an empty folder, with the library and JupyterLab, and without nbdev (ten minutes on two cores)
alone: .venv/.dev .venv/.lab
	$(BIN)/pytest -q -m alone

# every control of the book, moved in JupyterLab, and the pages that run in a browser; needs npm and Chromium (CHROMIUM=path if it isn't found)
browser: .venv/.dev .venv/.lab
	$(BIN)/pip install -qq -c constraints.txt playwright
	$(BIN)/pytest -q -m browser

.venv/.library: $(SETTINGS)
	@scripts/stage 'setup' scripts/setup
	@touch $@
.venv/.dev: .venv/.library
	@scripts/stage 'setup' scripts/setup dev
	@touch $@
.venv/.lab: .venv/.library
	@scripts/stage 'setup' scripts/setup lab
	@touch $@

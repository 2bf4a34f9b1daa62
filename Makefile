# `make demo`, `make test` and `make bench` do all their set-up: an environment of their own in .venv, torch, this project.
PYTHON ?= python3
# One exact torch, so that every checkout tests the same one. On Linux the default index serves the CUDA build: for the
# small CPU build set PIP_EXTRA_INDEX_URL to PyTorch's CPU index (see "Installing" in the README).
TORCH ?= torch==2.13.0
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test test-everywhere bench check format clean

$(VENV)/ready: pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

demo: $(VENV)/ready
	$(RUN)/feedseg demo

# Two processes of one thread each; a file stays together, since its tests share models.
test: $(VENV)/ready
	$(RUN)/python -m pytest --numprocesses 2 --dist loadfile

# The whole suite for each of torch's instruction sets and with one thread and two; logs are in build/test-everywhere.
test-everywhere: $(VENV)/ready
	$(RUN)/python tests/everywhere.py

# Some twelve minutes on two cores; docs/performance.md has the last figures.
bench: $(VENV)/ready
	$(RUN)/python benchmarks/bench.py

check: $(VENV)/ready
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/pyright

format: $(VENV)/ready
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

clean:
	rm -rf $(VENV) build dist src/*.egg-info

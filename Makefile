# `make demo`, `make test` and `make bench` do all their set-up: an environment of their own in .venv, torch, this project.
PYTHON ?= python3
# One exact torch, so that every checkout tests the same one. On Linux the default index serves the CUDA build: for the
# small CPU build set PIP_EXTRA_INDEX_URL to PyTorch's CPU index (see "Installing" in the README).
TORCH ?= torch==2.13.0
# `make test LOCKED=1` takes what requirements/dev.lock says, hash by hash (torch aside); docs/supply.md says more.
LOCK := $(if $(LOCKED),requirements/dev.lock)
VENV := $(if $(LOCKED),build/locked,.venv)
RUN := $(VENV)/bin
INSTALL = $(RUN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-everywhere test-oldest lock audit docs bench bench-gpu check format clean

$(VENV)/ready: pyproject.toml Makefile $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) "$(TORCH)"
ifdef LOCKED
	$(INSTALL) --require-hashes --no-deps --requirement $(LOCK)
	$(INSTALL) --no-deps --no-build-isolation --editable .
else
	$(INSTALL) --editable ".[dev]"
endif
	touch $@

demo: $(VENV)/ready
	$(RUN)/feedseg demo

# Two processes of one thread each; a file stays together, since its tests share models.
test: $(VENV)/ready
	$(RUN)/python -m pytest --numprocesses 2 --dist loadfile

# The whole suite for each of torch's instruction sets and with one thread and two; logs are in build/test-everywhere.
test-everywhere: $(VENV)/ready
	$(RUN)/python tests/everywhere.py

# The suite with the oldest versions that pyproject.toml allows, for Python 3.10 to 3.12; OLDEST_TORCH chooses torch.
OLDEST_TORCH ?= torch==2.6.0
test-oldest: RUN := build/oldest/bin
test-oldest: requirements/oldest.lock
	$(PYTHON) -m venv build/oldest
	$(INSTALL) "$(OLDEST_TORCH)"
	$(INSTALL) --require-hashes --no-deps --requirement requirements/oldest.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	$(RUN)/python -m pytest

# Both locks anew; `make lock UPGRADE=--upgrade` takes the newest versions.
COMPILE = $(RUN)/uv pip compile --quiet pyproject.toml --extra dev --universal --python-version 3.10 --generate-hashes \
	--no-annotate --no-emit-package torch --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)
lock: $(VENV)/ready
	$(INSTALL) --editable ".[supply]"
	echo "$(TORCH)" | $(COMPILE) --constraints - --output-file requirements/dev.lock
	$(COMPILE) --resolution lowest-direct --output-file requirements/oldest.lock

# Known weaknesses of what is locked, asked of pypi.org; what it does not know is a failure, not a pass.
audit: $(VENV)/ready
	$(INSTALL) --editable ".[supply]"
	$(RUN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/dev.lock

# The documentation as a site, in build/site.
docs: $(VENV)/ready
	$(RUN)/python -m mkdocs build --strict

# Some twelve minutes on two cores; docs/performance.md has the last figures.
bench: $(VENV)/ready
	$(RUN)/python benchmarks/bench.py

# The same for a CUDA device; the figures go to benchmarks/results/gpu.json and gpu.md.
bench-gpu: $(VENV)/ready
	$(RUN)/python benchmarks/gpu.py

check: $(VENV)/ready
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/pyright

format: $(VENV)/ready
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

clean:
	rm -rf $(VENV) build dist src/*.egg-info

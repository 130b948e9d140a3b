# Everything lives in .venv: nothing is installed elsewhere, and every target can be run again.
#   make demo      the whole loop once, on the sample
#   make run       the program (make run ARGS="predict photos --out out/photos")
#   make test      the quick tests        make test-all   the slow ones too
#   make lint      style, types, import directions
#   make bench     speed of this machine
# PYTHON picks the interpreter (3.11 or newer), PIP_ARGS goes to pip as it is.

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/ready

.PHONY: setup demo run test test-all lint bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed; this is ' + sys.version.split()[0] + '. Name another one: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) --constraint constraints.txt --editable ".[train,dev]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

demo: $(READY)
	$(BIN)/python main.py demo $(ARGS)

run: $(READY)
	$(BIN)/python main.py $(ARGS)

# a module's tests stay together: what they share is made once
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadscope $(ARGS)

test-all: $(READY)
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python main.py bench all $(ARGS)

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(name, ignore_errors=True) for name in ('.venv', 'build', '.mypy_cache', '.ruff_cache', '.pytest_cache', '.import_linter_cache')]"

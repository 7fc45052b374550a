# Set-up and the daily commands.  `make demo` and `make test` are all that a new checkout needs: each builds .venv,
# once, with uv where it is on PATH and with venv and pip elsewhere.  This file owns .venv: it is made afresh when
# pyproject.toml or constraints.txt change.
#
#   PYTHON=python3.12   the Python to use; else the newest on PATH that fits
#   UV=                 do without uv
#   JOBS=4              processes that share the tests
#   ARGS="-k sky -x"    handed to pytest, the demo or the benchmark

VENV = .venv
BIN = $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
JOBS = 2
ARGS =

.PHONY: help demo test lint bench docs floors clean

help:
	@echo "make demo    the main job on a small survey that it makes itself"
	@echo "make test    all tests"
	@echo "make lint    style and types"
	@echo "make bench   a benchmark: make bench ARGS=NAME"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make floors  all tests with the oldest dependencies that pyproject.toml allows"
	@echo "make clean   remove environments, caches and built documentation"

demo: $(VENV)/.runtime
	@$(BIN)/lkmrs demo $(ARGS)

test: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n $(JOBS) $(ARGS)

lint: $(VENV)/.test
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	exit $$status

bench: $(VENV)/.bench
	@$(BIN)/lkmrs bench $(ARGS)

docs: $(VENV)/.docs
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Each ">=" of the dependencies becomes "==".  The oracles of the tests come as they fit.
AS_FLOORS = import tomllib; \
    print(*(d.replace(">=", "==") for d in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))

floors:
	@$(call new_venv,$(VENV)-floors,-e '.[test]' $$("$$python" -c '$(AS_FLOORS)'))
	@$(VENV)-floors/bin/python -m pytest -q -n $(JOBS) $(ARGS)

clean:
	rm -rf $(VENV) $(VENV)-floors build dist docs/_build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is made last, so that a set-up that was interrupted does not count.

$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(call new_venv,$(VENV),-c constraints.txt -e .)
	@touch $@

$(VENV)/.test: EXTRAS = test,dev
$(VENV)/.bench: EXTRAS = bench
$(VENV)/.docs: EXTRAS = docs
$(VENV)/.test $(VENV)/.bench $(VENV)/.docs: $(VENV)/.runtime
	@echo "Adding to $(VENV): $(EXTRAS)"
	@$(call install,$(VENV),-c constraints.txt -e '.[$(EXTRAS)]')
	@touch $@

# $(call install,FOLDER,ARGUMENTS): an environment that uv made has no pip.
with_uv = "$(UV)" pip install -q --compile-bytecode --python $(1)/bin/python $(2)
with_pip = $(1)/bin/python -m pip install -q --disable-pip-version-check $(2)
install = if [ -x $(1)/bin/pip ]; then $(with_pip); else $(with_uv); fi

# $(call new_venv,FOLDER,ARGUMENTS): every candidate is run, for a name on PATH may be a shim that fails.
PYTHONS = $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3 python)
NEEDS = sys, venv$(if $(UV),,$(comma) ensurepip)
comma = ,
FITS = import $(NEEDS); print(sys.executable) if (3, 11) <= sys.version_info < (3, 14) else sys.exit(1)

define new_venv
	python=; \
	for name in $(PYTHONS); do \
	    python=$$("$$name" -c '$(FITS)' 2>/dev/null) && break; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "None of these is a Python 3.11, 3.12 or 3.13 with venv: $(PYTHONS)" >&2; \
	    echo "Install one (on Debian and Ubuntu python3-venv too), or name it: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	echo "Setting up $(1) with $$("$$python" --version) (once; a few minutes at most)"; \
	rm -rf $(1); \
	if [ -n "$(UV)" ]; then \
	    "$(UV)" venv -q --python "$$python" $(1) && $(with_uv) && exit 0; \
	    echo "uv did not succeed; trying venv and pip" >&2; \
	    rm -rf $(1); \
	fi; \
	"$$python" -m venv $(1) && $(with_pip)
endef

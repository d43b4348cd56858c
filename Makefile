# `make help` lists the targets. Everything goes into .venv and .cache; nothing outside this folder is touched.

PYTHON  ?= python3.13 python3.12 python3.11 python3 python
ARGS    ?=
ROUNDS  ?= 5
ITEMS   ?= 5000
WORKERS ?= 5
DEMO    ?= .cache/demo
BIN     := .venv/bin
UV      := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

.PHONY: help demo memory-picture example-variants example-variants-aws screens test slow check chaos big bench format docs servers lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do printf '  make %-20s  %s\n' "$$name" "$$what"; done

demo: export PATH := $(CURDIR)/$(BIN):$(PATH)
demo: .venv/runtime ## install what is needed and run an example on this machine, with progress and status
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	sh examples/demo/items.sh > $(DEMO)/items.txt
	cd $(DEMO) && pyanamo import items.txt
	cd $(DEMO) && pyanamo run -i 8
	cd $(DEMO) && pyanamo status

VARIANTS := .cache/variants
PLAY      = $(BIN)/python -m harness.sessions examples/variant_calling/README.md $(VARIANTS)

example-variants: .venv/dev ## call the variants of a small cohort with bwa and bcftools, mishaps included
	examples/variant_calling/install-tools
	@rm -rf $(VARIANTS) && mkdir -p .cache && cp -r examples/variant_calling $(VARIANTS)
	@$(PLAY)
	@echo "the report is $(VARIANTS)/report.html"

example-variants-aws: export PATH := $(CURDIR)/$(BIN):$(PATH)
example-variants-aws: export PYTHONPATH := $(CURDIR)
example-variants-aws: .venv/dev ## the same with DynamoDB and S3 on this machine, through the entrypoint of the container
	examples/variant_calling/install-tools aws
	@rm -rf $(VARIANTS)-aws && mkdir -p .cache && cp -r examples/variant_calling $(VARIANTS)-aws
	@cd $(VARIANTS)-aws && python -m harness.servers ./aws.sh variants
	@echo "the report is $(VARIANTS)-aws/report.html"

screens: .venv/dev memory-picture ## type the page of the variant-calling example anew, and take the pictures of reports
	examples/variant_calling/install-tools
	@rm -rf $(VARIANTS) && mkdir -p .cache && cp -r examples/variant_calling $(VARIANTS)
	@unshare --map-root-user --uts sh -c 'hostname laptop && exec "$$@"' - $(PLAY) --write
	$(BIN)/python -m harness.picture $(VARIANTS)/report.html examples/variant_calling/report.png

MEMORY := .cache/memory

memory-picture: export PATH := $(CURDIR)/$(BIN):$(PATH)
memory-picture: .venv/dev ## run a step that asks for too much memory, and take the picture of its report
	@rm -rf $(MEMORY) && mkdir -p $(MEMORY)
	$(BIN)/python -m harness.memory_step > $(MEMORY)/items.txt
	cd $(MEMORY) && pyanamo import items.txt -t sqlite:align.db && pyanamo run -t sqlite:align.db -i 4 --memory 4G --quiet
	cd $(MEMORY) && pyanamo status sqlite:align.db && pyanamo report sqlite:align.db --to report.html
	$(BIN)/python -m harness.picture $(MEMORY)/report.html docs/guide/memory.png "What tasks used" 480

test: .venv/dev ## install what is needed, test servers included, and run the tests (ARGS="-k name" for some)
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --maxschedchunk 2 $(ARGS)

slow: .venv/dev ## run the tests that take long: storms, large outputs, simulated fleets, a real workflow
	$(BIN)/python -m pytest -m slow -n $(WORKERS) --maxschedchunk 2 $(ARGS)

check: .venv/dev docs ## format, lint, types, the doors between the rooms, and the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev ## write the generated pages, and build the documentation into .cache/site
	$(BIN)/python -m tests.docs.cli_reference
	$(BIN)/python -m tests.docs.api_reference
	$(BIN)/python -m tests.docs.json_reference
	$(BIN)/python -m tests.docs.permissions
	$(BIN)/mkdocs --quiet build --strict

chaos: .venv/dev ## kill workers for minutes, a long storm before the services, then simulate ten thousand schedules
	PYANAMO_TEST_CHAOS=1 $(BIN)/python -m pytest tests/stress/test_chaos.py tests/stress/test_faults.py \
	  tests/fleet/test_going_home.py $(ARGS)
	$(BIN)/python -m simulation 0..9999

big: .venv/dev ## print a gigabyte into S3, take the bucket away for 30 s and for good, wait for the grace as it comes
	PYANAMO_TEST_BIG=1 $(BIN)/python -m pytest tests/stress/test_bucket_away.py tests/recovery/test_stop.py \
	  tests/acceptance/test_big_output.py tests/acceptance/test_cloudwatch.py tests/acceptance/test_stdlib.py $(ARGS)

bench: .venv/dev ## measure pyanamo beside xargs and other tools, some 20 minutes (ROUNDS=1 ITEMS=1000 for a glance)
	PYANAMO_TEST_BENCH=1 $(BIN)/python -m pytest tests/benchmarks/test_contenders.py
	$(BIN)/python -m benchmarks --rounds $(ROUNDS) --items $(ITEMS) $(ARGS)

format: .venv/dev ## write the code as `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

servers: .venv/dev ## run the test servers until Ctrl-C and print the variables that find them
	@$(BIN)/python -m harness.servers

lock: .venv/uv ## bring the lock files in line with pyproject.toml (ARGS=--upgrade for the newest of everything)
	$(COMPILE) $(ARGS) --all-extras pyproject.toml -o requirements.lock
	$(COMPILE) --extra build pyproject.toml -c requirements.lock -o requirements-runtime.lock

clean: ## delete everything that was installed or written here
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# A stamp file says what .venv holds; it is newer than what it was made from.

.venv/dev: requirements.lock pyproject.toml .venv/uv
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@ .venv/runtime

.venv/runtime: requirements-runtime.lock pyproject.toml .venv/uv
	$(INSTALL) --require-hashes -r requirements-runtime.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/uv: | $(BIN)/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt # its entry in the lock: version and hashes
	$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt
	@touch $@

$(BIN)/python:
	@for python in $(PYTHON); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "no Python 3.11 or newer here (looked for: $(PYTHON)). hint: install one, or name it with PYTHON=..." >&2; exit 1; \
	fi; \
	$$found -m venv --clear .venv || { \
	  rm -rf .venv; \
	  echo "$$found cannot make environments. hint: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; \
	}

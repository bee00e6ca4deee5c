# Sluis. `make demo` shows the main job, `make test` proves it. Both install what is missing.
#
# One profile (--release) serves lint, test and demo, and the target directory lies outside the clone, so that
# RocksDB's C++ (10 to 20 minutes on two cores) is built once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(HOME)/.cache/sluis/target
export CARGO_TERM_COLOR ?= auto
BIN := $(CARGO_TARGET_DIR)/release

.PHONY: help setup setup-check setup-test setup-peers build demo test lint vectors million bench bench-micro bench-peers crash opening hostile clean-demo

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what building needs (Debian packages; Rust 1.95 is the one prerequisite)
	@deploy/setup.sh build

setup-check: ## Install what lints and vectors need as well
	@deploy/setup.sh check

setup-test: ## Install what testing needs as well; refuses who is not root
	@deploy/setup.sh test

setup-peers: ## Install what bench-peers needs as well (PostgreSQL 15)
	@deploy/setup.sh peers

build: setup ## Build sluisd and sluis
	cargo build --release --workspace --bins

demo: build ## Run the main job: pseudonymise, convert, re-identify, audit
	@PATH="$(BIN):$$PATH" deploy/demo/demo.sh

lint: setup-check ## Formatting, lints, docs, licences, dependency rules: warnings are errors
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
	cargo deny --log-level error check bans licenses sources

vectors: setup-check ## Check docs/vectors with the second implementation of the method, and that with python-stdnum
	@deploy/python.sh tests/second_implementation/verify.py docs/vectors/sluis-1.json
	@deploy/python.sh tests/second_implementation/oracle.py

test: setup-test lint build ## As root: lints, then every test, the second implementation included
	$(MAKE) --no-print-directory vectors
	SLUIS_PYTHON="$(CURDIR)/deploy/python.sh" cargo nextest run --release --workspace

crash: build ## Kill the daemon many times under load (SLUIS_CRASH_CYCLES, default 200)
	SLUIS_CRASH_CYCLES=$${SLUIS_CRASH_CYCLES:-200} cargo nextest run --release --workspace -E 'test(kill)' --no-capture

opening: build ## How long a start takes with 10 thousand and with 10 million entries in the log (10 minutes, 4 GB of disk)
	@"$(BIN)/sluis-opening" 10000 10000000

hostile: build ## One member does its worst: memory, and the latency of another, for each attack (4 minutes)
	@"$(BIN)/sluis-hostile"

million: build ## One million rows: wall time and peak memory
	@benches/million.sh

bench: build ## End to end, beside the bare cipher work: one table, and a summary (docs/benchmarks.md; ARGS="--subjects 20000000")
	@"$(BIN)/sluis-bench" $(ARGS)

bench-micro: setup ## What one value costs in each step
	cargo bench --profile release --workspace

bench-peers: setup-peers build ## Beside OpenBao, PostgreSQL, a Python script and Presidio, in turn (6 minutes; docs/benchmarks.md; ARGS="--quick")
	@benches/peers/run.sh $(ARGS)

clean-demo: ## Remove the files of the last demo
	@dir="$${SLUIS_DEMO_DIR:-/tmp/sluis-demo}"; if [ -e "$$dir/.sluis-demo" ]; then rm -rf "$$dir"; fi

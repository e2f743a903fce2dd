# SPDX-License-Identifier: Apache-2.0
# The front door. Everything that these targets need is brought by tools/deps.
.DEFAULT_GOAL := help
.PHONY: help serve build test test-full check bench bench-registry bench-llm format clean
SHELL := /bin/bash
JOBS ?= $(shell nproc)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: ## set up, build, and serve the demo model; flags: make serve ARGS="--http-port 9000"
	@tools/deps rust
	@tools/rust-library & library=$$!; tools/deps build || { kill $$library; exit 1; }
	@tools/deps demo & models=$$!; $(MAKE) --no-print-directory compile || { kill $$models; exit 1; }; wait $$models
	@. tools/paths.sh && exec build/release/cortex serve --model-repository "$$CORTEX_DEPS/models" $(ARGS)

build: ## set up and build the program build/release/cortex
	@tools/deps build
	@$(MAKE) --no-print-directory compile

test: ## format, layers, unit, wire and client tests, with sanitizers; every change passes it
	@tools/deps build demo test
	@tools/check quick

test-full: ## the same, then ThreadSanitizer, clang's analysis, fuzzing and the long runs
	@tools/deps build demo test lint
	@tools/check full

check: test ## another name for test

bench: ## speed against a bare loop and the raw engine, in the same run
	@tools/deps build demo bench
	@$(MAKE) --no-print-directory compile TARGETS="--target cortex bare_loop raw_engine"
	@. tools/paths.sh && python3 bench/compare.py --build build/release $(ARGS)

bench-registry: ## registry, tracking and artifacts against a real mlflow server, in the same run
	@tools/deps build demo bench test
	@$(MAKE) --no-print-directory compile
	@. tools/paths.sh && python3 bench/registry.py --build build/release $(ARGS)

bench-llm: ## how a language model is shared: gaps, first tokens and goodput, with llama-server in turns
	@tools/deps build demo peer
	@$(MAKE) --no-print-directory compile
	@. tools/paths.sh && python3 bench/language.py --build build/release --models "$$CORTEX_DEPS/models" \
	  --peer "$$CORTEX_DEPS/lib/llama/llama-server" $(ARGS)

format: ## rewrite our C++ in the house's format
	@tools/format

clean: ## remove what was built (not what was downloaded)
	rm -rf build

.PHONY: compile
TARGETS ?= --target cortex
compile:
	@. tools/paths.sh && { [ -f build/release/build.ninja ] || cmake --preset release; } && \
	  cmake --build --preset release --parallel $(JOBS) $(TARGETS)

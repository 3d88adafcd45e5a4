# What a person must know; `make help` lists it. Scripts do the work, so that each can be read and run alone.

# Outside the clone, so that a second clone does not build every dependency again.
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(CACHE)/gio/target

.PHONY: help bootstrap demo up test test-long lint bench abi analyse

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

bootstrap: ## Install what a clone needs (the other targets do it by themselves)
	@scripts/bootstrap

demo: bootstrap ## Render a picture on three miners and pay them, on a market of your own
	cargo build --workspace --bins --quiet
	$(CARGO_TARGET_DIR)/debug/gio-devnet demo

up: bootstrap ## Keep a market running on this machine, to play with
	cargo build --workspace --bins --quiet
	$(CARGO_TARGET_DIR)/debug/gio-devnet up

test: bootstrap ## Everything a change must pass: style, lints, contracts, Rust, stories, docs
	scripts/test

test-long: bootstrap ## Longer runs of the same; their last outcome is in docs/benchmarks.md
	scripts/test-long

lint: bootstrap ## Style and lints only
	scripts/lint

bench: bootstrap ## Measure, into docs/benchmarks.json
	scripts/bench

abi: bootstrap ## Regenerate what is derived from the contracts: ABIs, storage layouts, sizes, gas
	scripts/abi

analyse: bootstrap ## Read the contracts with slither and halmos, installed from PyPI outside the clone
	scripts/analyse

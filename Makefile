# Everything a newcomer needs: `make demo` runs the main job, `make test` runs all tests. Both install what is missing first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps demo ui test lint audit bench calibrate clean

help: ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

deps: ## Install what is missing: system packages, the ClickHouse engine, Kafka's jars, schemathesis, the dashboard's packages
	@.ci/install-system
	@.ci/install-clickhouse
	@.ci/install-kafka
	@.ci/install-schemathesis
	@.ci/install-ui

demo: ## Play a published e-mail experiment of 64,000 customers through the whole system
	@.ci/install-system demo
	@.ci/install-clickhouse
	cargo build --release --locked --package assay-cli
	@target/release/assay demo $(ARGS)

ui: ## Build the dashboard into crates/control-plane/ui/dist, which is checked in
	@.ci/install-ui build
	cd crates/control-plane/ui && PATH="$(CURDIR)/target/tools/node/js:$$PATH" npm run build

test: deps ## All tests, against real parts
	cargo test --workspace --locked

lint: ## Formatting, clippy, licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	@.ci/install-cargo-deny
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deny --workspace --locked --offline check bans licenses sources

audit: ## Known vulnerabilities of dependencies (asks the advisory database, so it needs the network)
	@.ci/install-cargo-deny
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deny --workspace --locked check advisories

calibrate: ## Simulate every promised error rate and write docs/calibration.md, in minutes
	cargo run --release --locked --package assay-simulator --example calibrate

bench: ## The first look at speed (see benches/README.md)
	cargo bench --package assay-benches

clean: ## Remove everything that was built or fetched
	cargo clean

# The door to everything. The logic is in `cargo xtask` (xtask/), which is Rust and has tests.

.DEFAULT_GOAL := help
.PHONY: help demo check test torture bench fuzz coverage audit

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## trade on a simulated exchange; ARGS="…" are handed on
	cargo run --profile fast --package tranche -- demo $(ARGS)

check: ## format, Clippy, tidy, unit tests: before each commit
	cargo xtask check

test: ## format, Clippy, tidy, every test: what the pull request runs
	cargo xtask test

torture: ## a thousand simulated bot-years in which everything goes wrong
	cargo xtask torture

bench: ## every benchmark, or those that ARGS="stream group" names
	cargo xtask bench $(ARGS)

fuzz: ## one fuzz target for a while; ARGS="venue_order --for 60s", ARGS=list names them
	cargo xtask fuzz $(ARGS)

coverage: ## which lines of the brain its tests run; at least 95 of a hundred
	cargo xtask coverage

audit: ## licences, sources, bans and known holes of the dependencies
	cargo xtask audit

# What is done often, and all of it from a fresh clone: each target does the set-up that it needs.
# The work is in scripts/ and package.json; this file is their index.
.DEFAULT_GOAL := help
.PHONY: help demo compare run run_daphne run_uvicorn docker_build docker_run test check types lint rooms shell build bench capacity accuracy setup clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z_]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## lose a message for real and explain it (LAYER=django: on the Python original)
	@scripts/build.sh --if-changed
	@scripts/demo.sh $(or $(LAYER),gaptrace)

compare: setup ## the same swarm over all layers, with and without churn (FOR=1m RATE=10 ONLY=reliable)
	@scripts/debian-packages.sh django
	@scripts/build.sh --if-changed
	@node dist/cli.js compare --for $(or $(FOR),30s) --rate $(or $(RATE),10) --only '$(ONLY)'

run: setup ## the chat server in TypeScript (PORT=8000 LAYER=pubsub FLAGS='--receive reliable --processes 2')
	@scripts/debian-packages.sh demo
	@scripts/build.sh --if-changed
	@scripts/run.sh typescript

run_daphne: setup ## the Python original under daphne (PORT=8000 LAYER=core|pubsub|memory)
	@scripts/debian-packages.sh django
	@scripts/run.sh daphne

run_uvicorn: setup ## the Python original under uvicorn (PORT=8000 LAYER=core|pubsub|memory)
	@scripts/debian-packages.sh uvicorn
	@scripts/run.sh uvicorn

docker_build: ## an image with everything inside: Redis, the proxy, the chat servers
	@scripts/docker.sh build

docker_run: ## run it (PORT=8000 SERVER=daphne LATENCY=2ms)
	@scripts/docker.sh run

test: ## install what is missing, build, check, and run all tests with coverage
	@scripts/debian-packages.sh tests
	@$(MAKE) --no-print-directory check shell build
	@scripts/say.sh 'Tests'
	@npm run --silent coverage

check: types lint rooms ## types, lint and the import rules of the folders

types: setup
	@scripts/say.sh 'Types'
	@npm run --silent typecheck

lint: setup
	@scripts/say.sh 'Lint'
	@npm run --silent lint

rooms: setup
	@scripts/say.sh 'Import rules'
	@npm run --silent rooms

shell:
	@scripts/say.sh 'Shell scripts'
	@shellcheck scripts/*.sh .ci/run

build: setup ## compile into dist/
	@scripts/build.sh

bench: setup ## what recording and analysis cost, into docs/benchmarks.md; most of an hour (only printed: FLAGS=--quick)
	@scripts/debian-packages.sh bench
	@scripts/build.sh --if-changed
	@npm run --silent bench -- $(or $(FLAGS),--write docs/benchmarks.md)

capacity: setup ## how many clients one server process carries (CLIENTS=1000 FLAGS='--receive reliable')
	@scripts/debian-packages.sh demo
	@scripts/build.sh --if-changed
	@node dist/bench/chat-capacity.js --clients $(or $(CLIENTS),1000) -- $(FLAGS)

accuracy: setup ## how often the analysis is right (RUNS=500 SEED=1; one again: ONLY=stray-pop SEED=7 KEEP=traces)
	@scripts/debian-packages.sh django
	@scripts/build.sh --if-changed
	@node dist/accuracy/run.js

setup: ## npm packages, compiled where no prebuilt binary is to be had
	@scripts/npm-packages.sh

clean: ## remove what was built (node_modules stays)
	rm -rf dist .dist-new coverage .stamps/build gaptrace-demo.db gaptrace-demo.db-*

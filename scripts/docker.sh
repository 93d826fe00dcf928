#!/bin/sh
# The container with everything inside: docker.sh build|run. What is in it: Dockerfile.
set -eu
cd "$(dirname "$0")/.."
if ! docker info >/dev/null 2>&1; then
  echo 'No Docker engine answers here. Without one: scripts/all-in-one.sh runs what the container runs.' >&2
  exit 1
fi
case "${1:-}" in
build) exec docker build --tag gaptrace . ;;
run)
  terminal=''
  [ ! -t 0 ] || terminal=--tty
  # The port on loopback only; the trace stays in the volume `gaptrace`.
  # shellcheck disable=SC2086 # nothing, or one word
  exec docker run --rm --interactive $terminal --init --name gaptrace --publish "127.0.0.1:${PORT:-8000}:8000" --volume gaptrace:/data \
    --env SERVER="${SERVER:-typescript}" --env LAYER="${LAYER:-core}" --env LATENCY="${LATENCY:-0}" --env FLAGS="${FLAGS:-}" gaptrace ;;
*)
  echo 'usage: docker.sh build|run' >&2
  exit 2 ;;
esac

#!/bin/sh
# Loses a message for real and explains it: demo.sh [gaptrace|django]. Where there is no Redis, and none can be installed,
# it imports a recorded run in which messages were lost, and explains what its clients missed.
set -eu
cd "$(dirname "$0")/.."
server=${1:-gaptrace}

recorded() {
  trace=gaptrace-demo.db
  rm -f "$trace" "$trace"-*
  scripts/say.sh "$1: so a recorded run instead (Django Channels, Redis, nine clients, 20 seconds)"
  node dist/cli.js import examples/resp2.capture.jsonl.gz --trace "$trace"
  scripts/say.sh "What its clients missed, explained: analyze-gap $trace --gaps examples/resp2.clients.jsonl.gz"
  status=0
  node dist/cli.js analyze-gap "$trace" --gaps examples/resp2.clients.jsonl.gz || status=$?
  # 1 is the right end: losses were found, and the recording has some.
  [ "$status" -eq 1 ] || {
    echo "analyze-gap ended with status $status; 1 (losses found) was expected" >&2
    exit 1
  }
  exit 0
}

case "$server" in
gaptrace)
  command -v redis-server >/dev/null || scripts/debian-packages.sh demo || recorded 'No redis-server here, and it cannot be installed' ;;
django) scripts/debian-packages.sh django ;;
*)
  echo "LAYER=$server: there are gaptrace (our own server) and django" >&2
  exit 2 ;;
esac

scripts/say.sh 'A message lost for real, and explained'
node dist/cli.js demo --server "$server"

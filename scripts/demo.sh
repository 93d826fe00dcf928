#!/bin/sh
# Imports a recorded run in which messages were lost, and has analyze-gap explain what its clients missed.
set -eu
cd "$(dirname "$0")/.."
trace=gaptrace-demo.db

rm -f "$trace" "$trace"-*
scripts/say.sh 'A recorded run: a Django Channels chat server, Redis, nine clients, 20 seconds. Into a trace:'
node dist/cli.js import examples/resp2.capture.jsonl.gz --trace "$trace"

scripts/say.sh "What the clients missed, explained: analyze-gap $trace --gaps examples/resp2.clients.jsonl.gz"
status=0
node dist/cli.js analyze-gap "$trace" --gaps examples/resp2.clients.jsonl.gz || status=$?
# 1 is the right end: losses were found, and the recording has some.
[ "$status" -eq 1 ] || {
  echo "analyze-gap ended with status $status; 1 (losses found) was expected" >&2
  exit 1
}

cat <<END

The trace is $trace. To go on:
  node dist/cli.js query $trace --command BZPOPMIN --since 8s --until 9s
  node dist/cli.js query $trace connections
  node dist/cli.js query $trace --sql 'SELECT command, count(*) FROM operations GROUP BY 1 ORDER BY 2 DESC'
  node dist/cli.js analyze-gap $trace --gaps examples/resp2.clients.jsonl.gz --json
  node dist/cli.js --help
END

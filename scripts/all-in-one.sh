#!/bin/sh
# Redis, gaptrace proxy before it and a chat server on the proxy, until one of them ends or a signal comes: what the container runs.
#   SERVER      typescript, daphne or uvicorn (typescript)
#   HOST, PORT  where the chat server listens (127.0.0.1, 8000); with LAYER, FLAGS and the others as for run.sh
#   TRACE       the trace that the proxy writes (./gaptrace.db)
#   LATENCY     what the proxy adds each way, such as 2ms to widen the race in which messages are lost (0)
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
redis='' proxy='' server=''

alive() {
  kill -0 "$1" 2>/dev/null
}
# shellcheck disable=SC2317 # called by the trap
end() { # who uses another ends before it; the proxy is given the time to store what is left
  for pid in $server $proxy $redis; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    while alive "$pid"; do sleep 0.1; done
  done
  rm -rf "$work"
}
trap end EXIT
trap 'exit 0' INT TERM

wait_for() { # wait_for PID 'what it is' FILE: until FILE is there and not empty
  while ! [ -s "$3" ]; do
    alive "$1" || { echo "$2 has ended before it was ready" >&2; exit 1; }
    sleep 0.1
  done
}

# By a socket: no port is needed that another Redis may have.
redis-server --port 0 --unixsocket "$work/redis.sock" --pidfile "$work/redis.pid" --daemonize no --dir "$work" --save '' --appendonly no >"$work/redis.log" &
redis=$!
while ! [ -S "$work/redis.sock" ]; do
  alive "$redis" || { cat "$work/redis.log" >&2; exit 1; }
  sleep 0.1
done
node dist/cli.js proxy --listen 127.0.0.1:0 --upstream "unix:$work/redis.sock" --trace "${TRACE:-./gaptrace.db}" --latency "${LATENCY:-0}" >"$work/proxy" &
proxy=$!
wait_for "$proxy" 'gaptrace proxy' "$work/proxy"
REDIS_URL=redis://$(sed -n 's/^listening on //p' "$work/proxy") scripts/run.sh "${SERVER:-typescript}" &
server=$!

while alive "$redis" && alive "$proxy" && alive "$server"; do
  sleep 1 &
  wait $! || true
done
echo 'one of Redis, gaptrace proxy and the chat server has ended: ending the others' >&2
exit 1

#!/bin/sh
# The chat server in the foreground: run.sh typescript|daphne|uvicorn
#   HOST, PORT   where to listen (127.0.0.1, 8000)
#   REDIS_URL    the Redis, or gaptrace proxy (redis://127.0.0.1:6379). Where that is this machine and nobody listens there, a private
#                Redis is started, saving nothing, and ends with the server
#   LAYER        core (or redis), pubsub, memory
#   FLAGS        more flags for `gaptrace server`, such as '--receive reliable --processes 2'
# The other variables are those of `gaptrace server --help` and server/django/asgi.py.
set -eu
cd "$(dirname "$0")/.."
server=${1:-typescript}
host=${HOST:-127.0.0.1}
port=${PORT:-8000}
layer=${LAYER:-core}
REDIS_URL=${REDIS_URL:-redis://127.0.0.1:6379}
export REDIS_URL PYTHONDONTWRITEBYTECODE=1
case "$server" in
typescript) [ "$layer" != core ] || layer=redis ;;
daphne | uvicorn) [ "$layer" != redis ] || layer=core ;;
*)
  echo 'usage: run.sh typescript|daphne|uvicorn' >&2
  exit 2 ;;
esac

nobody_listens() {
  node -e 'const [port, host] = process.argv.slice(1);
    require("node:net").connect(port, host).on("connect", () => process.exit(1)).on("error", () => process.exit(0));' "$1" 127.0.0.1
}

redis=''
# shellcheck disable=SC2317 # called by the trap
end_redis() {
  [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
}
trap end_redis EXIT
local_port=$(printf '%s\n' "$REDIS_URL" | sed -nE 's#^redis://(127\.0\.0\.1|localhost):([0-9]+)(/.*)?$#\2#p')
if [ "$layer" != memory ] && [ -n "$local_port" ] && nobody_listens "$local_port"; then
  scripts/say.sh "Nobody listens on port $local_port: a private Redis there, saving nothing, for as long as the server runs"
  redis-server --bind 127.0.0.1 --port "$local_port" --save '' --appendonly no >/dev/null &
  redis=$!
fi

scripts/say.sh "The chat server ($server, $layer): ws://$host:$port/ws/chat/<room>/"
case "$server" in
typescript)
  # shellcheck disable=SC2086 # FLAGS are several words
  node dist/cli.js server --host "$host" --port "$port" --layer "$layer" ${FLAGS:-} & ;;
*)
  [ "$server" = uvicorn ] && bind=--host || bind=--bind
  (cd server/django && LAYER=$layer exec /usr/bin/python3 -m "$server" "$bind" "$host" --port "$port" asgi:application) & ;;
esac
child=$!

again=''
# shellcheck disable=SC2317 # called by the trap
end_child() { # a second SIGTERM is as good as a second Ctrl-C
  kill "${again:--TERM}" "$child" 2>/dev/null || true
  again=-INT
}
# Ctrl-C reaches the server from the terminal, but for daphne, which does not hear it from the background. A second Ctrl-C ends uvicorn for
# certain: server/django/asgi.py says why the first may not.
trap 'end_child' TERM
trap '[ "$server" != daphne ] || kill -TERM "$child" 2>/dev/null || true' INT
# `wait` also ends with each signal that comes here: the server is waited for until it is gone.
status=0
while :; do
  wait "$child" && status=0 || status=$?
  kill -0 "$child" 2>/dev/null || break
done
exit "$status"

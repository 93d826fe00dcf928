#!/bin/sh
# Installs the npm packages as package-lock.json has them, once for each lock file and Node version.
# better-sqlite3 is native: a prebuilt binary where one can be fetched, compiled where not.
set -eu
cd "$(dirname "$0")/.."
stamp=.stamps/npm

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo 'Node 20.19 or later, with npm, is needed: https://nodejs.org' >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
  echo "Node $(node --version) is too old: 20.19 or later is needed." >&2
  exit 1
fi

key="$(sha256sum package-lock.json | cut -d ' ' -f 1) $(node -p 'process.version + " " + process.arch')"
sqlite_opens() {
  node -e 'new (require("better-sqlite3"))(":memory:").close()' >/dev/null 2>&1
}
if [ -e node_modules/.package-lock.json ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && sqlite_opens; then
  exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed() {
  cat "$log" >&2
  echo "$1" >&2
  exit 1
}

scripts/say.sh 'npm packages'
npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1 || failed 'npm ci failed.'

# The one package with an install script is better-sqlite3, and its first step is to look for a prebuilt binary.
if ! (cd node_modules/better-sqlite3 && ../.bin/prebuild-install) >"$log" 2>&1; then
  scripts/say.sh 'better-sqlite3 has no prebuilt binary to fetch here: compiling it, a minute or two'
  scripts/debian-packages.sh compiler
  # Headers that came with this Node spare a download.
  prefix=$(dirname "$(dirname "$(node -p process.execPath)")")
  if [ -e "$prefix/include/node/node_version.h" ]; then
    export npm_config_nodedir="$prefix"
  fi
  npm rebuild better-sqlite3 --foreground-scripts >"$log" 2>&1 &
  compiling=$!
  trap 'kill "$compiling" 2>/dev/null || true; rm -f "$log"' EXIT
  seconds=0
  while kill -0 "$compiling" 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    [ $((seconds % 10)) -ne 0 ] || echo "    still compiling, $seconds s" >&2
  done
  wait "$compiling" || failed 'better-sqlite3 did not compile.'
  trap 'rm -f "$log"' EXIT
fi
sqlite_opens || failed 'better-sqlite3 is installed but does not open a database.'

mkdir -p .stamps
echo "$key" >"$stamp"

#!/bin/sh
# Compiles into dist/, from nothing: what is no longer in the sources is no longer there either.
# --if-changed: only when a source, the configuration or a package is not what it was at the last build.
set -eu
cd "$(dirname "$0")/.."
stamp=.stamps/build

key=$(find . \( -name node_modules -o -name 'dist' -o -name '.*' ! -name . \) -prune -o -type f \
  \( -name '*.ts' -o -name 'tsconfig*.json' -o -name package-lock.json \) -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
if [ "${1:-}" = --if-changed ] && [ -x dist/cli.js ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
  exit 0
fi

scripts/say.sh 'Build'
# Beside dist/ until it is whole, so that a build that fails leaves the last one in place.
rm -rf .dist-new
node_modules/.bin/tsc -p tsconfig.build.json --outDir .dist-new
chmod +x .dist-new/cli.js .dist-new/analyze-gap.js
rm -rf dist
mv .dist-new dist
mkdir -p .stamps
echo "$key" >"$stamp"

#!/bin/sh
# Makes the pages that are made from code: docs/causes.md.
set -eu
cd "$(dirname "$0")/.."
scripts/build.sh --if-changed
new=$(mktemp)
trap 'rm -f "$new"' EXIT
node --input-type=module -e 'import { causesPage } from "./dist/analysis/render/causes-page.js"; process.stdout.write(causesPage());' >"$new"
cat "$new" >docs/causes.md

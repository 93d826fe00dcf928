#!/bin/sh
# Says which step begins, so that a wait or an error has a name.
set -eu
printf '\n==> %s\n' "$*" >&2

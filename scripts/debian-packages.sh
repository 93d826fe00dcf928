#!/bin/sh
# Installs the Debian packages that are missing: debian-packages.sh tests|bench|demo|django|uvicorn|container|compiler
# As root by apt-get, without questions and without starting the services that come with them; otherwise it says what to install.
set -eu

case "${1:-}" in
tests)
  packages='redis-server redis-tools python3-channels-redis python3-django-channels python3-daphne
    python3-cryptography python3-websockets uvicorn haproxy nutcracker openssl shellcheck' ;;
bench) packages='redis-server redis-tools haproxy nutcracker' ;;
demo) packages='redis-server' ;;
uvicorn) packages='redis-server python3-channels-redis python3-django-channels uvicorn python3-websockets' ;;
container) packages='redis-server python3-channels-redis python3-django-channels python3-daphne uvicorn python3-websockets' ;;
django) packages='redis-server python3-channels-redis python3-django-channels python3-daphne' ;;
compiler) packages='python3 make g++' ;;
*)
  echo 'usage: debian-packages.sh tests|bench|demo|django|uvicorn|container|compiler' >&2
  exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  # Word splitting is meant: the list on one line.
  # shellcheck disable=SC2086
  echo "This is not Debian: install by other means what these packages hold:" $packages >&2
  exit 1
fi

missing=''
for package in $packages; do
  # shellcheck disable=SC2016 # the ${…} is for dpkg-query
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  {
    echo "Missing Debian packages:$missing"
    echo 'Install them, then run this again:'
    echo "  sudo apt-get install -y --no-install-recommends$missing"
  } >&2
  exit 1
fi

"$(dirname "$0")/say.sh" "Debian packages:$missing"

# A redis-server or haproxy that we only want to have must not start as a service. Debian asks policy-rc.d; where
# the machine has one of its own, that one decides, and otherwise ours does for as long as this takes.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
install() {
  # shellcheck disable=SC2086 # one argument a package
  apt-get install -y --no-install-recommends $missing >"$log" 2>&1
}
# The lists of a fresh machine are empty, those of an old one name packages that are gone: then update, and again.
if ! install && ! { apt-get update >"$log" 2>&1 && install; }; then
  cat "$log" >&2
  rm -f "$log"
  echo "apt-get could not install:$missing" >&2
  exit 1
fi
rm -f "$log"

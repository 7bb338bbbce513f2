#!/bin/sh
# Installs Stripe's official Python SDK into a throw-away directory, its bytes pinned, starts the twin, and lets the SDK walk
# through it. Usage: run.sh TWIN_BINARY. Prints a transcript; anything odd, or an SDK that can't be installed, is a failure.
set -eu

twin=${1:?"usage: run.sh TWIN_BINARY"}
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
pid=
clean() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$place"
}
trap clean EXIT INT TERM

# Not a virtual environment: making one needs a package of its own on Debian.
timeout 300 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --only-binary=:all: --require-hashes --target "$place/sdk" -r "$here/requirements.txt" || {
    echo "run.sh: Stripe's SDK can't be installed: python3 with pip and a package index are needed" >&2
    exit 1
}

mkfifo "$place/said"
"$twin" --listen 127.0.0.1:0 --seed 7 --limits none --latency-ms 0 --settle-ms 600 --check-openapi >"$place/said" &
pid=$!
read -r line <"$place/said"
# -I and the path by hand: neither the caller's environment nor what else is installed takes part.
timeout 120 python3 -I -c 'import runpy, sys
sys.path.insert(0, sys.argv[1])
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")' "$place/sdk" "$here/walk.py" "${line##* }"

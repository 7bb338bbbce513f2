#!/bin/sh
# Installs Stripe's official Python SDK into a throw-away environment, starts the twin, and lets the SDK walk through it.
# Usage: run.sh TWIN_BINARY. Prints a transcript; ends with 1 on anything odd, and with 75 when the SDK can't be installed.
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

if [ -z "${STRIPE_SDK_PYTHON:-}" ]; then
    python3 -m venv "$place/venv"
    timeout 300 "$place/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" || exit 75
    STRIPE_SDK_PYTHON=$place/venv/bin/python
fi

mkfifo "$place/said"
"$twin" --listen 127.0.0.1:0 --seed 7 --limits none --latency-ms 0 --settle-ms 600 --check-openapi >"$place/said" &
pid=$!
read -r line <"$place/said"
timeout 120 "$STRIPE_SDK_PYTHON" "$here/walk.py" "${line##* }"

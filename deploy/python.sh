#!/usr/bin/env bash
# Runs a Python program that needs the package `cryptography`, in an environment of its own if the machine has none.
set -euo pipefail
if python3 -c 'import cryptography' 2>/dev/null; then
    exec python3 "$@"
fi
venv="${HOME:-/tmp}/.cache/sluis/venv"
if ! "$venv/bin/python" -c 'import cryptography' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'cryptography>=42,<60'
fi
exec "$venv/bin/python" "$@"

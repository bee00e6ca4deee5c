#!/usr/bin/env bash
# Runs a Python program that needs the packages `cryptography` and `python-stdnum`, in an environment of its own if the
# machine has not both. Another version of python-stdnum may say something else of a number: docs/method.md names this one.
set -euo pipefail
needed='import cryptography, stdnum; assert stdnum.__version__ == "2.2"'
if python3 -c "$needed" 2>/dev/null; then
    exec python3 "$@"
fi
venv="${HOME:-/tmp}/.cache/sluis/venv"
if ! "$venv/bin/python" -c "$needed" 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'cryptography>=42,<60' 'python-stdnum==2.2'
fi
exec "$venv/bin/python" "$@"

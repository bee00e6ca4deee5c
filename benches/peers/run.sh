#!/usr/bin/env bash
# Runs peers.py with the packages of requirements.txt, in an environment of its own. Usage: run.sh [OPTIONS OF peers.py]
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/sluis/target}"
venv="$CARGO_TARGET_DIR/peers/venv"

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Python 3.11 or later is needed, as python3" >&2
    exit 1
fi
# The copy is made last, so an installation that broke off is done again.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    echo "installing Python packages in $venv (once, about a minute)" >&2
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv"
    if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"; then
        echo "the packages of benches/peers/requirements.txt cannot be installed: pip must reach PyPI or a copy of it" >&2
        exit 1
    fi
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi
exec "$venv/bin/python" "$here/peers.py" "$@"

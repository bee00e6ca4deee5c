#!/usr/bin/env bash
# Installs what is missing on a Debian machine. Usage: setup.sh build|test
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

command -v cargo >/dev/null || { echo "Rust 1.95 is needed first: see https://rustup.rs" >&2; exit 1; }

packages=()
command -v clang >/dev/null || packages+=(clang)
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || packages+=(libclang-dev)
command -v c++ >/dev/null || packages+=(g++)
command -v python3 >/dev/null || packages+=(python3)
command -v make >/dev/null || packages+=(make)
if [ "${1:-build}" = test ]; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
fi
if [ "${#packages[@]}" -gt 0 ]; then
    echo "installing Debian packages: ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

[ "${1:-build}" = test ] || exit 0

tools_dir="${CARGO_TARGET_DIR:-$HOME/.cache/sluis/target}/tools"
tool() { # name, command that shows it is there
    if ! $2 >/dev/null 2>&1; then
        echo "installing $1 (once, some minutes)"
        cargo install --locked --quiet --target-dir "$tools_dir" "$1"
    fi
}
tool cargo-nextest "cargo nextest --version"
tool cargo-deny "cargo deny --version"

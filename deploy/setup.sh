#!/usr/bin/env bash
# Installs what is missing on a Debian machine. Usage: setup.sh build|check|test|peers
# build: what building needs. check: also what lints and the second implementation need. test: also what tests need.
# peers: what building and `make bench-peers` need.
set -euo pipefail
what="${1:-build}"

if [ "$what" = test ] && [ "$(id -u)" != 0 ]; then
    echo "make test needs root, because some tests read the memory of a running daemon" >&2
    exit 1
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "root is needed to run: $*  (there is no sudo here)" >&2
        exit 1
    fi
}

command -v cargo >/dev/null || { echo "Rust 1.95 is needed first: see https://rustup.rs" >&2; exit 1; }

packages=()
command -v clang >/dev/null || packages+=(clang)
compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || packages+=(libclang-dev)
command -v c++ >/dev/null || packages+=(g++)
command -v python3 >/dev/null || packages+=(python3)
command -v make >/dev/null || packages+=(make)
if [ "$what" = peers ]; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
elif [ "$what" != build ]; then
    python3 -c 'import cryptography, stdnum' 2>/dev/null || python3 -c 'import venv, ensurepip' 2>/dev/null ||
        packages+=(python3-venv)
fi
if [ "$what" = test ]; then
    # The tests make their own tokens in it.
    [ -e /usr/lib/softhsm/libsofthsm2.so ] && command -v softhsm2-util >/dev/null || packages+=(softhsm2)
fi
if [ "${#packages[@]}" -gt 0 ]; then
    echo "installing Debian packages: ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

[ "$what" != build ] || exit 0

# PostgreSQL alone may fail: the benchmark goes on without it and says so. Debian's package would start a server on port
# 5432 as soon as it is there, unless a file says otherwise; the benchmark starts its own.
install_postgresql() {
    local settings=/etc/postgresql-common/createcluster.d
    local failed=0
    echo "installing Debian packages: postgresql-15"
    as_root mkdir -p "$settings" || return
    echo "create_main_cluster = false" | as_root tee "$settings/sluis-peers.conf" >/dev/null || return
    as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null ||
        failed=1
    as_root rm -f "$settings/sluis-peers.conf"
    as_root rmdir --ignore-fail-on-non-empty "$settings"
    return "$failed"
}
if [ "$what" = peers ]; then
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || (install_postgresql) ||
        echo "PostgreSQL 15 cannot be installed here; make bench-peers goes on without it" >&2
    exit 0
fi

# Versions that are known to build with Rust 1.95.
tools_dir="${CARGO_TARGET_DIR:-${HOME:-/tmp}/.cache/sluis/target}/tools"
tool() { # name, version, command that shows it is there
    if ! $3 >/dev/null 2>&1; then
        echo "installing $1 $2 (once, some minutes)"
        cargo install --locked --quiet --target-dir "$tools_dir" --version "$2" "$1"
    fi
}
component() { # name, command that shows it is there
    $2 >/dev/null 2>&1 || rustup component add "$1"
}
component rustfmt "cargo fmt --version"
component clippy "cargo clippy --version"
tool cargo-deny 0.20.2 "cargo deny --version"
[ "$what" != test ] || tool cargo-nextest 0.9.143 "cargo nextest --version"

#!/usr/bin/env bash
# One million rows of one pseudonym element with escrow through `sluis pseudonymise`: wall time, and peak memory of both
# processes. Client and daemon share this machine; mutual TLS, durable audit and escrow. Usage: benches/million.sh [ROUNDS]
set -euo pipefail

rounds="${1:-3}"
here="$(cd "$(dirname "$0")/.." && pwd)"
PATH="${CARGO_TARGET_DIR:-$HOME/.cache/sluis/target}/release:$PATH"
dir="$(mktemp -d)"
daemon=""
trap '[ -z "$daemon" ] || kill "$daemon"; wait; rm -rf "$dir"' EXIT
cd "$dir"

members=(--member custodian/anna --member custodian/ben --member hospital-north/etl)
for steward in uni-research/steward-{1,2} registry-office/steward-{a,b}; do members+=(--member "$steward"); done
sluis dev pki pki "${members[@]}" >/dev/null 2>&1
key() { sluis key show --cert "pki/custodian/$1.pem" --line; }
mkdir -m 700 custodian
cat > sluisd.toml <<TOML
listen = "127.0.0.1:0"
trust_domain = "sluis.test"
data_directory = "$dir/custodian/data"
custodians = ["$(key anna)", "$(key ben)"]
[tls]
cert = "$dir/pki/server.pem"
key = "$dir/pki/server.key"
client_ca = "$dir/pki/ca.pem"
crl = "$dir/pki/crl.pem"
[kek]
file = "$dir/custodian/kek"
[audit]
head_file = "$dir/custodian/head/head"
[memory]
lock = "if-allowed"
TOML
sluisd init --config sluisd.toml >/dev/null
: > sluisd.log
sluisd run --config sluisd.toml 2>> sluisd.log &
daemon=$!
until grep -q '"serving"' sluisd.log; do kill -0 "$daemon"; sleep 0.1; done
address="$(grep -m1 '"serving"' sluisd.log | sed -nE 's/.*"addr":"([^"]+)".*/\1/p')"
sluis dev pki pki "${members[@]}" --server "https://$address" >/dev/null 2>&1
export SLUIS_CONFIG="$dir/pki/config.toml"
cat "$here/deploy/demo/registry.toml" pki/*/steward-*.key.toml > registry.toml
proposal="$(sluis registry apply registry.toml --profile custodian-anna --yes --json 2>/dev/null | sed -nE 's/.*"proposal_id": *"([^"]+)".*/\1/p')"
sluis registry sign "$proposal" --profile custodian-ben --yes >/dev/null 2>&1
sluis dev sample-data data --patients 1000000 --overlap 100 >/dev/null
cut -d, -f1 data/hospital-north.csv > bsn.csv

for round in $(seq "$rounds"); do
    python3 - "$round" "$daemon" <<'PY'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(["sluis", "pseudonymise", "bsn.csv", "--chain", "national-registry", "--force", "-o", "out.csv",
                "--profile", "hospital-north-etl", "--quiet"], check=True)
wall = time.monotonic() - start
client = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
daemon = next(int(line.split()[1]) for line in open(f"/proc/{sys.argv[2]}/status") if line.startswith("VmHWM")) / 1024
print(f"round {sys.argv[1]}: {wall:.2f} s, {1e6 / wall / 1e3:.0f} k rows/s; peak memory: client {client:.0f} MiB, daemon {daemon:.0f} MiB")
PY
done

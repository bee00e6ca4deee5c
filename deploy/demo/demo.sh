#!/usr/bin/env bash
# The main job and its proof, from a sealed custodian to a verified log, with the two binaries only. Everything happens in one scratch
# directory on loopback; run it again and it starts afresh.
#
#   SLUIS_DEMO_DIR       where (default /tmp/sluis-demo)
#   SLUIS_DEMO_PATIENTS  how many synthetic patients (default 100000)
set -euo pipefail

dir="${SLUIS_DEMO_DIR:-/tmp/sluis-demo}"
patients="${SLUIS_DEMO_PATIENTS:-100000}"
here="$(cd "$(dirname "$0")" && pwd)"
daemon=""
exec 3>&1   # the echo of commands goes to the screen, wherever their output goes

bold=""; plain=""; dim=""
if [ -t 1 ]; then bold=$'\e[1m'; dim=$'\e[2m'; plain=$'\e[0m'; fi

step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain" >&3; "$@"; }
# What the demo claims must be so.
must() { "$@" || { echo "NOT TRUE: $*" >&2; exit 1; }; }
must_not() { if "$@"; then echo "NOT TRUE: not $*" >&2; exit 1; fi; }
# Runs a command that must be refused, and shows the refusal.
refused() {
    printf '%s$ %s%s\n' "$dim" "$*" "$plain" >&3
    local exit=0
    "$@" || exit=$?
    [ "$exit" = 1 ] || { echo "expected a refusal (exit 1), got exit $exit" >&2; exit 1; }
}
# As `as ORGANISATION-MEMBER command...`: the profiles were written by `sluis dev pki`.
as() { local who="$1"; shift; SLUIS_PROFILE="$who" sluis "$@"; }
# The value of a key in a JSON object on standard input.
json() { sed -nE 's/.*"'"$1"'": *"?([^",}]*)"?.*/\1/p' | head -n 1; }
# Row $2 (1 = first after the header) and column $3 of a CSV file without quoted fields.
cell() { sed -n "$(($2 + 1))p" "$1" | tr ';' ',' | cut -d, -f "$3"; }

stop() {
    [ -n "$daemon" ] || return 0
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=""
}
trap stop EXIT

# Starts afresh, but only in a directory that an earlier demo made.
if [ -e "$dir" ] && [ ! -e "$dir/.sluis-demo" ] && [ -n "$(ls -A "$dir")" ]; then
    echo "$dir is not empty and not from an earlier demo; choose another SLUIS_DEMO_DIR" >&2
    exit 1
fi
rm -rf "$dir"
mkdir -p "$dir"
touch "$dir/.sluis-demo"
cd "$dir"
export SLUIS_CONFIG="$dir/pki/config.toml"

# The state of the daemon as its log tells it: the address it listens on.
address_in_log() { grep -m1 '"serving"' sluisd.log | sed -nE 's/.*"addr":"([^"]+)".*/\1/p' || true; }
start() {
    sluisd run --config sluisd.toml 2> sluisd.log &
    daemon=$!
    address=""
    for _ in $(seq 100); do
        address="$(address_in_log)"
        [ -z "$address" ] || break
        kill -0 "$daemon" || { cat sluisd.log >&2; exit 1; }
        sleep 0.1
    done
    [ -n "$address" ] || { echo "sluisd did not start; see $dir/sluisd.log" >&2; exit 1; }
}
# Repeats a command until it is true, for half a minute.
until_true() {
    for _ in $(seq 150); do
        if "$@"; then return 0; fi
        sleep 0.2
    done
    echo "NOT TRUE after 30 s: $*" >&2
    exit 1
}

step "1. Certificates: every party proves who it is with a certificate of its own (development PKI, made just now)"
members=(custodian/{anna,ben,carla,dirk,eva} hospital-north/etl hospital-north/doctor gp-south/etl
    uni-research/etl uni-research/steward-1 uni-research/steward-2 uni-research/privacy-officer
    registry-office/etl registry-office/steward-a registry-office/steward-b)
sluis dev pki pki "${members[@]/#/--member=}"

step "2. The custodian: a new store, and its key-encryption key in five shares, any three of which open it"
custodians="$(for name in anna ben carla dirk eva; do printf '"%s", ' "$(sluis key show --cert "pki/custodian/$name.pem" --line)"; done)"
cat > sluisd.toml <<TOML
listen = "127.0.0.1:0"
trust_domain = "sluis.test"
data_directory = "$dir/custodian/data"
backup_directory = "$dir/custodian/backup"
custodians = [${custodians%, }]
[tls]
cert = "$dir/pki/server.pem"
key = "$dir/pki/server.key"
client_ca = "$dir/pki/ca.pem"
crl = "$dir/pki/crl.pem"
[kek]
shares = true
[audit]
head_file = "$dir/custodian/head/head"     # on another disk, in real life
head_seconds = 1
[erasure]
window_seconds = 2                         # 24 hours by default
[housekeeping]
every_seconds = 1
[memory]
lock = "if-allowed"                        # "require" in real life
TOML
mkdir -p -m 700 custodian shares
sluisd init --config sluisd.toml --shares 5 --threshold 3 > init.txt
sed -E 's/(sluisshare1.{6})[a-z0-9]+/\1.../' init.txt
grep -o 'sluisshare1[a-z0-9]*' init.txt > shares/all
for number in 1 2 3 4 5; do sed -n "${number}p" shares/all > "shares/$number"; done
rm init.txt shares/all    # each share goes to one custodian, and is shown only once
start
sluis dev pki pki --server "https://$address" "${members[@]/#/--member=}" > /dev/null
echo "sluisd listens on $address and takes mutual TLS 1.3 only; it is sealed, so nobody can do anything:"
refused as hospital-north-etl whoami
as custodian-anna unseal < shares/1
echo "one person cannot open it, not even with two shares:"
refused as custodian-anna unseal < shares/2
as custodian-ben unseal < shares/2
show as custodian-eva unseal < shares/5

step "3. The registry: four organisations, two namespaces, three chains; it is in force when two custodians have signed it"
cat "$here/registry.toml" pki/uni-research/steward-*.key.toml pki/registry-office/steward-*.key.toml > registry.toml
show as custodian-anna registry apply registry.toml --yes | tail -n 8
echo "anna alone has changed nothing:"
refused as hospital-north-etl whoami
proposal="$(as custodian-ben proposal list --json | json proposal_id)"
show as custodian-ben registry sign "$proposal" --yes | tail -n 2
show as hospital-north-etl whoami

step "4. $patients synthetic patients, split over a hospital and a group of GPs that share 30 per cent of them"
show sluis dev sample-data data --patients "$patients"
head -n 3 data/hospital-north.csv
od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > source.key   # the hospitals' own key; the custodian never has it
chmod 600 source.key

step "5. Both stream their records to the custodian; only columns it must see are sent"
show as hospital-north-etl pseudonymise data/hospital-north.csv --chain diabetes-study --source-key study.email=source.key -o study-north.csv
show as gp-south-etl pseudonymise data/gp-south.csv --chain diabetes-study --source-key study.email=source.key -o study-south.csv
head -n 3 study-north.csv

step "6. The same patient has the same pseudonym within a chain, whoever sends the record, and another one in another chain"
show as hospital-north-etl pseudonymise data/hospital-north.csv --chain national-registry -o registry-north.csv
# A patient of both: the first BSN of the hospital that the GPs have too.
bsn="$(cut -d, -f1 data/hospital-north.csv | tail -n +2 | grep -m1 -F -f - <(tail -n +2 data/gp-south.csv | cut -d';' -f1))"
row_of() { grep -n "^\"\?$bsn" "$1" | head -n 1 | cut -d: -f1; }
north=$(($(row_of data/hospital-north.csv) - 1)); south=$(($(row_of data/gp-south.csv) - 1))
in_study_north="$(cell study-north.csv "$north" 1)"
in_study_south="$(cell study-south.csv "$south" 1)"
in_registry="$(cell registry-north.csv "$north" 1)"
printf '%-46s %s\n' "diabetes-study, from the hospital:" "$in_study_north" "diabetes-study, from the GPs:" "$in_study_south" \
    "national-registry:" "$in_registry"
must test "$in_study_north" = "$in_study_south"
must test "$in_study_north" != "$in_registry"

step "7. A conversion from the study to the registry is asked for; before both owners said yes it is refused"
convert="$(as registry-office-etl grant request convert --from diabetes-study/bsn --to national-registry/bsn \
    --purpose 'yearly completeness check' --legal-basis 'GDPR art. 9(2)(j), protocol 2026-14' \
    --max-values "$((patients * 2))" --until 30d --json | json grant_id)"
echo "grant $convert"
cut -d, -f1 study-north.csv > study-tokens.csv
refused as registry-office-etl convert study-tokens.csv --grant "$convert" -o converted.csv
refused as registry-office-etl grant approve "$convert" --yes
refused as custodian-anna grant approve "$convert" --yes

step "8. One steward of each owner signs, with a key that the registry pins; then the registry office converts"
as uni-research-steward-1 grant approve "$convert" --yes | tail -n 1
show as registry-office-steward-a grant approve "$convert" --yes
show as registry-office-etl convert study-tokens.csv --grant "$convert" -o converted.csv
must cmp <(tail -n +2 converted.csv) <(tail -n +2 registry-north.csv | cut -d, -f1)
echo "converted.csv holds exactly the pseudonyms that the national registry already has: nobody saw a BSN"

step "9. Three patients must be called in: the hospital asks to re-identify them; two stewards of the study must agree"
reidentify="$(as hospital-north-doctor grant request reidentify --chain diabetes-study --element bsn --element name \
    --purpose 'incidental finding, 3 patients' --legal-basis 'GDPR art. 9(2)(h)' --max-values 6 --until 12h --json | json grant_id)"
head -n 4 study-north.csv | cut -d, -f1,3 > to-call.csv
as uni-research-steward-1 grant approve "$reidentify" --yes > /dev/null
echo "after one approval:"
refused as hospital-north-doctor reidentify to-call.csv --grant "$reidentify" -o called.csv
as uni-research-steward-2 grant approve "$reidentify" --yes > /dev/null
echo "after the second:"
show as hospital-north-doctor reidentify to-call.csv --grant "$reidentify" -o called.csv
cat called.csv
echo "and the grant, once used up, gives nothing more:"
refused as hospital-north-doctor reidentify to-call.csv --grant "$reidentify" -o again.csv

step "10. A release: conversions lead into it, nothing leads out"
release="$(as uni-research-etl grant request convert --from diabetes-study/bsn --to open-release/person --order shuffled \
    --purpose 'public release 2026' --legal-basis 'GDPR art. 89' --max-values "$patients" --until 1d --json | json grant_id)"
as uni-research-steward-1 grant approve "$release" --yes > /dev/null
as uni-research-steward-2 grant approve "$release" --yes > /dev/null
show as uni-research-etl convert study-tokens.csv --grant "$release" -o released.csv
refused as registry-office-etl grant request convert --from open-release/person --to national-registry/bsn \
    --purpose 'way back' --legal-basis 'none' --max-values 1 --until 1d

step "11. A key version is rotated: new records get new pseudonyms, and old ones still convert"
show as custodian-anna chain rotate national-registry --yes
show as registry-office-etl convert study-tokens.csv --grant "$convert" -o converted-again.csv
must_not cmp -s converted.csv converted-again.csv

step "12. The owner lowers what the GPs may submit a day: custodians cannot decide that, two stewards of the owner must"
subjects="$(tail -n +2 data/gp-south.csv | cut -d';' -f1 | sort -u | wc -l)"
sed "s/^subjects_per_day = .*/subjects_per_day = $((subjects + subjects / 20 + 100))/" registry.toml > tighter.toml
show as custodian-anna registry apply tighter.toml --yes | tail -n 8
proposal="$(as uni-research-steward-1 proposal list --json | json proposal_id)"
refused as custodian-ben registry sign "$proposal" --yes
refused as registry-office-steward-a registry sign "$proposal" --yes
as uni-research-steward-1 registry sign "$proposal" --yes | tail -n 1
show as uni-research-steward-2 registry sign "$proposal" --yes | tail -n 1

step "13. Somebody at the GPs tries out BSNs, to make a table of everybody's pseudonyms: the quota stops it"
sluis dev sample-data everybody --patients "$((patients * 2))" --seed 7 --overlap 100 > /dev/null
refused as gp-south-etl pseudonymise everybody/gp-south.csv --chain diabetes-study --source-key study.email=source.key -o table.csv

step "14. A patient objects: the hospital asks, one steward of each owner signs, and nothing leads back any more"
head -n 2 study-north.csv | cut -d, -f1 > objects.csv
objector="$(cell data/hospital-north.csv 1 1)"
proposal="$(printf '%s\n' "$objector" | as hospital-north-etl subject erase --namespace nl.bsn --identifier-file - --json | json proposal_id)"
as uni-research-steward-1 proposal sign "$proposal" --yes | tail -n 1
show as registry-office-steward-b proposal sign "$proposal" --yes | tail -n 1
# The command says with exit 3 that rows were rejected.
gone() { { as registry-office-etl convert objects.csv --grant "$convert" -o gone.csv --force 2>&1 || true; } | grep -q UNKNOWN_PSEUDONYM; }
until_true gone
echo "the patient's pseudonym is as unknown as one that never was; and new records of the patient are refused:"
head -n 3 data/hospital-north.csv > two.csv
as hospital-north-etl pseudonymise two.csv --chain national-registry -o two-out.csv --force || true
must test "$(wc -l < two-out.csv)" = 2

step "15. An on-line backup; and the auditor takes a copy of the log and verifies it without the custodian"
show as custodian-anna backup
sleep 2   # the next signed head
show as uni-research-privacy-officer audit export audit
show sluis audit verify audit --key audit/verifier-key
show as uni-research-privacy-officer report --export audit --log-key audit/verifier-key --from "$(date -u +%F)" --to "$(date -u +%F)" --html report.html
echo "one byte of the copy is changed, and found:"
cp -r audit tampered
bundle="$(find tampered/tile/entries -type f | sort | head -n 1)"
printf '\x01' | dd of="$bundle" bs=1 seek=700 conv=notrunc status=none
if cmp -s "$bundle" "audit${bundle#tampered}"; then printf '\x02' | dd of="$bundle" bs=1 seek=700 conv=notrunc status=none; fi
refused sluis audit verify tampered --key audit/verifier-key
refused sluis report --export tampered --from "$(date -u +%F)" --to "$(date -u +%F)"

step "16. A custodian seals it: the keys leave the memory. Then it stops, and what it left on disk says nothing"
show as custodian-dirk seal --yes
refused as hospital-north-etl whoami
kill "$daemon"
wait "$daemon"
daemon=""
must_not grep -q "$bsn" sluisd.log
must_not grep -rqF "$bsn" custodian/data custodian/backup custodian/head audit
must_not grep -rqF "$(cat shares/1)" custodian sluisd.log audit
echo "stopped; that patient's BSN stands neither in its log nor in plain in any file of its store, backup or audit log"

cat <<TXT

${bold}Everything is in $dir${plain}
  data/                              what the hospitals have (synthetic)
  study-north.csv, study-south.csv   what the study sees
  registry-north.csv, converted.csv  what the national registry sees, sent directly and converted
  called.csv                         the three patients, re-identified
  released.csv                       the release, in random order
  audit/                             the audit log, to be verified by anybody: sluis audit verify audit --key audit/verifier-key
  report.html                        the same as a report, to be read in a browser
  shares/                            the shares, one for each custodian (in real life never in one place)
  custodian/                         the store, its backup, and (apart in real life) its signed head
  sluisd.log                         the daemon's log
TXT

#!/usr/bin/env python3
"""A second verifier of the audit log of Sluis, for auditors who would rather not take the word of the first.

Written from docs/audit-log.md (and what docs/governance.md says about signers) and an example export alone, by somebody
who had not seen the source code (step 11 and much of what each entry may hold came later); it shares none with `sluis audit verify`.
registry_rules.py beside it is a part of it. "Step" is a step of "Verification, step by step" there.

Usage: verify_log.py EXPORT-DIR VERIFIER-KEY        (the key as text, or a file with it; get it from somewhere you trust)

Needs Python 3.11 and the package `cryptography` (deploy/python.sh provides it). Works offline, and only reads. Prints
`ok: ...` and ends with 0, or prints the first thing that is wrong, with its place, and ends with 1.
"""
import base64, hashlib, os, re, stat, sys, tomllib
from pathlib import Path
from types import SimpleNamespace as Record
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
import registry_rules

PSEUDONYMISE, CONVERT, REIDENTIFY, REQUEST, APPROVE, DENY, REVOKE, APPLY, ROTATE, DISABLE, BACKUP, ERASE = 1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 33
INITIALISE, CUSTODIANS, PROPOSE, SIGN, REJECT, READ_PROPOSALS, UNSEAL, SEAL, KEK, AUDIT_KEY, RESTORE, DESTROY, CUT, WARNING, EXPIRE, OPT_OUT, IMPORT, OVERDUE, GRANT_OVER = 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 34, 36, 37
SIGNED = {APPROVE: "grant-approve", DENY: "grant-deny", REVOKE: "grant-revoke", SIGN: "proposal-sign", REJECT: "proposal-reject",
          ROTATE: "chain-rotate", DISABLE: "version-disable", AUDIT_KEY: "audit-key-rotate"}
EFFECTS = {APPLY: 1, DESTROY: 2, CUT: 3, OPT_OUT: 4}  # act: matter of the proposal
CUSTODY = {INITIALISE, CUSTODIANS, RESTORE, ROTATE, DISABLE, AUDIT_KEY}  # no instruction from before one of these serves after it
IN_FORCE = {PSEUDONYMISE, CONVERT, REIDENTIFY, IMPORT, REQUEST, APPROVE, DENY, REVOKE, APPLY, PROPOSE, SIGN, REJECT, DESTROY, CUT, OPT_OUT, ROTATE, DISABLE, AUDIT_KEY, OVERDUE, GRANT_OVER}  # name this registry version
READS = {8, 10, 14, 15, 16, READ_PROPOSALS, 35}  # on record only when they were refused
NO_CALLER, MAYBE_CALLER = {INITIALISE, CUSTODIANS, KEK, RESTORE, WARNING, EXPIRE, ERASE, OVERDUE, GRANT_OVER}, {UNSEAL, SEAL}
OF_GRANTS, OF_PROPOSALS = {CONVERT, REIDENTIFY, APPROVE, DENY, REVOKE, 8}, {SIGN, REJECT, READ_PROPOSALS}  # what a refusal may be about
NEVER_REFUSED = {APPLY, INITIALISE, CUSTODIANS, KEK, RESTORE, DESTROY, CUT, WARNING, EXPIRE, OPT_OUT, ERASE, OVERDUE, GRANT_OVER}
REASONS = set("""
NO_SPIFFE_ID CERTIFICATE_EXPIRED CERTIFICATE_NOT_YET_VALID CERTIFICATE_REVOKED CERTIFICATE_NOT_TRUSTED REVOCATION_LIST_EXPIRED
UNKNOWN_ORGANISATION NOT_A_MEMBER BLOCKED NOT_A_SOURCE NOT_THE_GRANTEE NOT_A_STEWARD NOT_A_CUSTODIAN NOT_AN_AUDITOR CUSTODIAN_MAY_NOT
OWN_REQUEST ALREADY_APPROVED NOT_ELIGIBLE KEY_NOT_PINNED BAD_SIGNATURE NOT_A_SIGNER ALREADY_SIGNED INVALID_REQUEST INVALID_BATCH
INVALID_STREAM STREAM_REFUSED BATCH_TOO_LARGE UNKNOWN_CHAIN CHAIN_DESTROYED CHAIN_CHANGED UNKNOWN_ELEMENT CLIENT_ONLY_ELEMENT
MISSING_SUBJECT UNSUPPORTED_DELIVERY WRONG_ELEMENT INVALID_REGISTRY REGISTRY_CHANGED UNKNOWN_KEY_VERSION KEY_VERSION_STATE
TOO_MANY_KEY_VERSIONS INVALID_PAGE_TOKEN BACKUP_FAILED TOO_MANY_REQUESTED_GRANTS UNKNOWN_GRANT GRANT_KIND GRANT_NOT_APPROVED GRANT_DENIED
GRANT_NOT_STARTED GRANT_EXPIRED GRANT_EXHAUSTED GRANT_REVOKED GRANT_DECIDED CONFLICT GRANT_STALE DIGEST_MISMATCH BATCH_ID_REUSED NOT_LINKED
NOT_REVERSIBLE GRANT_DAILY_LIMIT UNKNOWN_PROPOSAL PROPOSAL_DECIDED PROPOSAL_STALE PROPOSAL_EXPIRED TOO_MANY_PROPOSALS INSTRUCTION_STALE
QUOTA_SUBJECTS QUOTA_REJECTED QUOTA_REQUESTS SEALED NOT_SEALED NO_SHARES MALFORMED_SHARE FOREIGN_SHARE WRONG_SHARE REPEATED_SHARE
SAME_HOLDER HSM_UNAVAILABLE AUDIT_HEAD_UNAVAILABLE UNKNOWN_LOG_SIZE TOO_MANY_REQUESTS RATE_LIMITED REQUEST_TIMEOUT IDLE_STREAM
STORE_READ_ONLY DISK_FULL STORE_STALLED OUTCOME_UNKNOWN REMOVAL_PENDING DRAINING CORRUPT_STORE INTERNAL TOO_LONG ROW_TOO_LONG INVALID_UTF8
INVALID_IDENTIFIER NUMBER_AS_DECIMAL NUMBER_IN_SCIENTIFIC_NOTATION NUMBER_AS_DATE NUMBER_WITH_SIGN NUMBER_IN_QUOTES MISPLACED_SEPARATOR
FOREIGN_DIGITS INVISIBLE_CHARACTER REPLACEMENT_CHARACTER NO_CENTURY ALL_ZERO PLACEHOLDER_NUMBER INVALID_CHECKSUM INVALID_PREHASH WRONG_ENCODING
INVALID_DATE IMPLAUSIBLE_DATE DAY_AND_MONTH_SWAPPED DATE_OUT_OF_RANGE NO_SUBJECT INVALID_NUMBER AMBIGUOUS_NUMBER UNENCODABLE OPTED_OUT
MISSING_IMPORT IMPORT_CONFLICT MALFORMED_PSEUDONYM UNKNOWN_PSEUDONYM KEY_VERSION_DISABLED CORRUPT_ROW NO_IDENTITY MALFORMED_CIPHERTEXT
UNKNOWN_CIPHERTEXT
""".split())
BLANKS = "".join(map(chr, [*range(9, 14), 32, 0x85, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]))  # White_Space
LIMITS = {"checkpoint": 1 << 16, "verifier-key": 1 << 16, "handovers": 1 << 16, "tile/entries": 256 * (2 + 65_535), "tile": 256 * 32, "registry": 64 << 20}
DAY, TEN_YEARS = 86_400_000, 10 * 366 * 86_400_000

class Wrong(Exception):
    """What is wrong, as a sentence for people."""

def need(condition, sentence):
    if not condition:
        raise Wrong(sentence)

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def unbase64(text):
    raw = base64.b64decode(text, validate=True)
    need(base64.b64encode(raw).decode() == text, "base64 with stray bits")
    return raw

# --- bytes ---

class Reader:
    """Takes canonical bytes apart."""
    def __init__(self, data): self.data = data
    def take(self, n):
        need(n <= len(self.data), "bytes are missing at the end")
        head, self.data = self.data[:n], self.data[n:]
        return head
    def int(self, n): return int.from_bytes(self.take(n), "big")
    def time(self):
        value = self.int(8)
        need(value <= 253_402_300_799_999, "a time after the year 9999")
        return value
    def lp(self): return self.take(self.int(2))
    def text(self): return self.lp().decode("utf-8")
    def list(self, item, count=2): return [item() for _ in range(self.int(count))]
    def one_of(self, *allowed):
        value = self.int(1)
        need(value in allowed, f"byte {value} where one of {allowed} must be")
        return value
    def id(self, empty=False):
        value = self.text()
        need(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", value) or (empty and not value), f"{value!r} is no id")
        return value
    def person(self, empty=False): return self.id(empty), self.id(empty)

def whole(data, parse):
    reader = Reader(data)
    value = parse(reader)
    need(not reader.data, "bytes are left over at the end")
    return value

def entry(r):
    """An entry as one record for all acts: what its act does not have is empty or zero. `of` are the chains of `keys`."""
    r.one_of(3)
    e = Record(salt=r.take(16), at=r.time(), act=r.one_of(*range(1, 38)), refused=r.one_of(0, 1), rows=0, values=0, rejected=0, counter=0,
               who=("", ""), cert=bytes(32), chain="", to="", grant="", digest=b"", object=b"", purpose="", keys=[], of=[], detail=b"",
               proposal="", origin="", key="", signatures=[])
    e.reason = r.text() if e.refused else ""
    need(e.reason in REASONS or not e.refused, "an unknown reason")
    e.version = r.int(8)
    if e.refused or not (e.act in NO_CALLER or (e.act in MAYBE_CALLER and not r.one_of(0, 1))):
        e.who, e.cert = r.person(), r.take(32)
        need(any(e.cert), "a caller without a certificate")
    if e.refused:
        about(r, e)
    else:
        need(e.act not in READS, f"act {e.act} is on record when refused only")
        body(r, e)
    return e

def about(r, e):
    need(e.act not in NEVER_REFUSED, "nobody is refused such an act")
    kind = r.one_of(0, 1, *[2] * (e.act in OF_GRANTS), *[3] * (e.act in OF_PROPOSALS), *[4] * (e.act == PROPOSE))
    if kind == 1:
        e.chain = r.id()
    elif kind == 2:
        of_grant(r, e)
    elif kind > 2:
        e.object, e.chain = r.take(32), r.id(True) if kind == 3 else ""

def body(r, e):
    if e.act in (PSEUDONYMISE, IMPORT):
        e.chain, e.rows, e.values, e.rejected = r.id(), r.int(8), r.int(8), r.int(8)
        by_chain(r, e, 8)
    elif e.act in (CONVERT, REIDENTIFY):
        of_grant(r, e)
        e.rows, e.values, e.rejected, e.counter = r.int(8), r.int(8), r.int(8), r.int(8)
        by_chain(r, e, 8)
    elif e.act == REQUEST:
        e.detail = r.lp()
        g, e.digest = whole(e.detail, grant), sha(e.detail)
        e.grant, e.chain, e.to, e.purpose = g.id, g.chain, g.to, g.purpose
    elif e.act in (APPROVE, DENY, REVOKE, GRANT_OVER):
        of_grant(r, e)
    elif e.act == PROPOSE:
        e.detail = r.lp()
        e.chain, e.object = whole(e.detail, proposal).chain, sha(e.detail)
    elif e.act in (SIGN, REJECT, OVERDUE):
        e.proposal, e.object, e.chain = r.id(), r.take(32), r.id(True)
    elif e.act in EFFECTS:
        e.proposal, e.object = r.id(), r.take(32)
        if e.act == APPLY:
            by_chain(r, e, 0)
        elif e.act != OPT_OUT:
            e.chain, e.keys = r.id(), [version(r)]
    elif e.act in (ROTATE, DISABLE, AUDIT_KEY):
        e.key = r.text() if e.act == AUDIT_KEY else ""
        e.detail = r.lp()
        i = whole(e.detail, instruction)
        need(i.act == e.act, "an instruction about another act")
        e.chain = i.chain
        e.keys = r.list(lambda: version(r)) if e.act == ROTATE else [(i.namespace, i.kid, 0)] if e.act == DISABLE else []
    elif e.act == INITIALISE:
        e.origin, e.key = r.text(), r.text()
    elif e.act in (CUSTODIANS, RESTORE):
        e.detail = r.lp()
    elif e.act == UNSEAL:
        e.detail = r.lp()
        source, presented, needed = whole(e.detail, lambda r: (r.one_of(1, 2, 3, 4), r.int(1), r.int(1)))
        need(1 <= presented <= needed if source == 1 else (presented, needed) == (0, 0), "shares that do not fit where the key comes from")
    elif e.act == WARNING:
        e.chain = r.id()
    elif e.act == EXPIRE:
        e.chain, e.keys = r.id(), r.list(lambda: version(r))
    elif e.act == ERASE:
        e.chain, e.values, namespace = r.id(), r.int(8), r.id(True)
        e.keys = [(namespace, kid, 0) for kid in (r.list(lambda: r.int(4)) if namespace else [])]
        need(e.values and bool(e.keys) == bool(namespace), "no subject, or a namespace without versions")
    e.signatures = [(r.person(), r.lp(), r.lp()) for _ in range(2 if e.act == RESTORE else e.act in SIGNED)]
    need(all(len(s) <= 128 and len(c) <= 8192 for _, s, c in e.signatures), "a signature or certificate that is too long")
    need(all(kid for _, kid, _ in e.keys), "kid zero")

def of_grant(r, e):
    e.grant, e.digest, e.chain, e.to, e.purpose = r.id(), r.take(32), r.id(), r.id(True), r.text()
    need(e.purpose, "a grant without a purpose")

def version(r, counted=0):
    return r.id(True), r.int(4), r.int(counted)

def by_chain(r, e, counted):
    for chain, keys in r.list(lambda: (r.id(), r.list(lambda: version(r, counted)))):
        need(keys and e.of[-1:] != [chain], "a chain without key versions, or twice in a row")
        e.of, e.keys = e.of + [chain] * len(keys), e.keys + keys

def grant(r):
    r.one_of(2)
    g = Record(bytes=r.data, id=r.id(), kind=r.one_of(1, 2), chain=r.id(), state="undecided", approved={}, counter=0, days=Days())
    g.elements, g.to, g.into, _ = ([r.id()], r.id(), r.id(), r.one_of(1, 2)) if g.kind == 1 else (r.list(r.id), "", "", 0)
    g.purpose, g.basis, g.most, g.most_day, g.start, g.end = r.text(), r.text(), r.int(8), r.int(8), r.time(), r.time()
    g.namespaces = r.list(lambda: r.id(g.kind == 2))
    g.grantee, g.requester, g.asked, g.version, g.needs = r.id(), r.person(), r.time(), r.int(8), r.list(r.id)
    return g

def proposal(r):
    r.one_of(1)
    p = Record(id=r.id(), matter=r.one_of(1, 2, 3, 4), open=True, signed={}, chain="")
    if p.matter == 1:
        p.base, p.before, p.after = r.int(8), r.take(32), r.take(32)
    else:
        p.kid, p.chain = (r.int(4), r.id()) if p.matter < 4 else (0, "")
        p.namespace = r.id(p.matter == 2)
        need(p.kid or p.matter == 4, "kid zero")
    p.proposer, p.at, p.end, p.version, groups = r.person(), r.time(), r.time(), r.int(8), r.list(lambda: (r.id(True), r.int(1)))
    p.groups = dict(groups)
    need([org for org, _ in groups] == sorted(p.groups) and all(p.groups.values()) and sum(p.groups.values()) > 1,
         "a group twice or not in order, of nobody, or fewer than two people must sign")
    return p

def restore(r):
    r.one_of(2)
    at, size, root, _, _, _ = r.time(), r.int(8), r.take(32), r.int(8), r.take(32), r.take(16)
    rows = r.list(lambda: (r.one_of(0, 4, 8, 13), r.lp()))
    need(rows == sorted(set(rows)) and len(rows) <= 256, "the rows given up are not sorted, or too many")
    need(all(len(name) <= 64 for _, name in rows), "the name of a row given up is too long")
    return at, size, root

def instruction(r):
    r.one_of(1)
    i = Record(act=r.one_of(ROTATE, DISABLE, AUDIT_KEY), kid=0, chain="", namespace="")
    i.kid = r.int(4) if i.act == DISABLE else 0
    i.chain, i.namespace = (r.id(), r.id(True)) if i.act != AUDIT_KEY else ("", "")
    i.version, i.after, i.at = r.int(8), r.take(32), r.time()
    return i

# --- the registry, and who must sign ---

class Registry:
    def __init__(self, text=b"", custodians=None):
        self.digest, self.rest = sha(text), tomllib.loads(text.decode("utf-8"))
        if custodians is not None:
            registry_rules.validate(self.rest, custodians)
        self.document = dict(self.rest)
        self.orgs = {o["id"]: o for o in self.rest.pop("organisation", [])}
        self.chains = {c["id"]: c for c in self.rest.pop("chain", [])}
        self.keys = {tuple(k["member"].split("/")): unbase64(k["public_key"]) for k in self.rest.pop("key", [])}
    def names(self, org, what): return self.orgs.get(org, {}).get(what, [])
    def stewards(self, org): return {(org, m): self.keys.get((org, m)) for m in self.names(org, "stewards")}
    def blocked(self, who): return who[1] in self.names(who[0], "blocked")
    def member(self, who, what="members"): return not {who[1], "*"}.isdisjoint(self.names(who[0], what)) and not self.blocked(who)
    def steward(self, who): return self.member(who, "stewards")

    def approvals(self, g):
        owner = self.chains[g.chain]["owner"]
        return sorted([owner, self.chains[g.to]["owner"]] if g.kind == 1 else [owner] * self.chains[g.chain].get("reidentify_approvals", 2))

    def askers(self, g):
        chain = self.chains[g.chain]
        return [chain["owner"], *chain.get("recipients", [])] if g.kind == 1 else chain.get("reidentify_to", chain["sources"])

    def lines(self, chain):  # its key lines: namespaces with what is kept of them, and "" for encrypted elements
        of = self.chains.get(chain, {})
        lines = {n["id"]: (n.get("link", "escrow"), n.get("reversible", False)) for n in of.get("namespace", [])}
        return lines | ({"": None} if any(e["treatment"] == "encrypt" for e in of.get("element", [])) else {})

    def treated(self, chain):  # namespaces of its elements ("": encrypted), and whether some are treated without a key version
        elements = self.chains[chain]["element"]
        with_keys = {e.get("namespace", "") for e in elements if e["treatment"] in ("pseudonym", "encrypt")}
        return len(elements), with_keys, any(e["treatment"] in ("date-shift", "generalise") for e in elements)

    def element(self, chain, name):  # its namespace ("": encrypted), whether that leads in, out, and to identifiers or values
        found = next((e for e in self.chains.get(chain, {}).get("element", []) if e["name"] == name), {})
        need(found.get("treatment") in ("pseudonym", "encrypt"), "by the registry there is no such element, or it is neither a pseudonym nor encrypted")
        if found["treatment"] == "encrypt":
            return "", False, False, True
        line = next(n for n in self.chains[chain]["namespace"] if n["id"] == found["namespace"])
        link = line.get("link", "escrow")
        return line["id"], link != "none", link in ("escrow", "carried"), line.get("reversible", False)

    def check_asker(self, g):  # step 6
        need(g.chain in self.chains and g.grantee in self.askers(g), "the grantee may not ask for this")

    def check_grant(self, g):  # step 6
        elements = [self.element(g.chain, name) for name in g.elements]
        into = [self.element(g.to, g.into)] if g.kind == 1 else []
        need(g.namespaces == [e[0] for e in elements], "the namespaces are not those of the elements")
        need(all(leads_out for _, _, leads_out, _ in elements) if into else all(back for _, _, _, back in elements), "nothing leads from the elements to what the grant is about")
        need(all(e[:2] == (g.namespaces[0], True) for e in into), "nothing leads into the chain converted to")
        need(g.needs == self.approvals(g), "the approvals needed are not those that the registry wants")

    def groups(self, wanted):  # {organisation: number}; two custodians ("") sign for an organisation with too few stewards
        enough = {org: n for org, n in wanted.items() if org and len(self.stewards(org)) >= n}
        return enough if len(enough) == len(wanted) else enough | {"": 2}

    def groups_for(self, p):  # matters 2 to 4
        if p.matter < 4:
            return self.groups({self.chains.get(p.chain, {}).get("owner", ""): 2})
        owners = {c["owner"] for c in self.chains.values() if any(n["id"] == p.namespace for n in c.get("namespace", []))}
        return self.groups({org: 2 if len(owners) == 1 else 1 for org in owners})

    def groups_for_change(self, new):  # matter 1; self is the registry before
        def text(v): return str([str(x) for x in v]) if isinstance(v, list) else str(v)
        def tables(rows, **defaults): return sorted(sorted((k, text(v)) for k, v in (defaults | t).items()) for t in rows)
        def elements(c): return sorted(sum((tables([e], **registry_rules.defaults(e)) for e in c.get("element", [])), []))
        def meaning(c):  # of a chain, all of it its owner's
            lists = [sorted(c["sources"]), sorted(c.get("recipients", [])), sorted(c.get("reidentify_to", c["sources"]))]
            return [c["owner"], *lists, c.get("reidentify_approvals", 2), c.get("retention"), tables(c.get("quota", [])),
                    tables(c.get("namespace", []), link="escrow", reversible=False), elements(c)]
        def custodians_part(o): return [o["name"], *(sorted(o.get(what, [])) for what in ("members", "auditors", "blocked"))]
        wanted = set()
        for name in self.chains | new.chains:
            old, young = self.chains.get(name), new.chains.get(name)
            if not (old and young) or meaning(old) != meaning(young):
                wanted.add((old or young)["owner"])
                if young and len(self.stewards(young["owner"])) > 1:
                    wanted.add(young["owner"])  # the new owner of a chain that changes hands
        for org in self.orgs | new.orgs:
            old, young = self.orgs.get(org), new.orgs.get(org)
            if old and (not young or self.stewards(org) != new.stewards(org)):
                wanted.add(org)
            if young and (not old or custodians_part(old) != custodians_part(young)):
                wanted.add("")
        namespaces = [tables(r.rest.get("namespace", []), checksum="strict", missing=registry_rules.WORDS) for r in (self, new)]
        return self.groups({group: 2 for group in wanted | ({""} if namespaces[0] != namespaces[1] or not wanted else set())})

# --- tree and checkpoint ---

class Days:
    """Values by day: runs [first, last day, values of it], ascending, at most 8; days up to the floor were forgotten."""

    def __init__(self):
        self.floor, self.runs = 0, []

    def add(self, today, more):
        run = next((run for run in self.runs if today <= run[1]), None)
        forgotten = today <= self.floor or len(self.runs) == 8 and run is self.runs[0]
        if run and (run[0] <= today or forgotten):
            run[2] += more
            return run[2]
        before = next((run for run in self.runs if run[1] == today - 1), None)
        if before:
            before[1:] = [today, more]
        else:
            self.runs = sorted(self.runs + [[min(max(today - 1, self.floor + 1), today), today, more]])
            if len(self.runs) > 8:
                self.floor = self.runs.pop(0)[1]
        return more

def tree(leaves):  # levels, leaves first; an odd node goes up as it is, which is the tree of RFC 6962
    levels = [leaves or [sha()]]
    while len(row := levels[-1]) > 1:
        levels.append([sha(b"\x01", *row[i:i + 2]) if i + 1 < len(row) else row[i] for i in range(0, len(row), 2)])
    return levels

def tile_name(index, width):
    groups = re.findall("...", str(index).zfill(-(-len(str(index)) // 3) * 3))
    return "/".join([f"x{g}" for g in groups[:-1]] + groups[-1:]) + (f".p/{width}" if width < 256 else "")

def verifier_key(text):
    origin, key_id, key = (text.split("+", 2) + ["", ""])[:3]
    raw = unbase64(key)
    need(len(raw) == 33 and raw[0] == 1 and sha(origin.encode(), b"\n", raw)[:4].hex() == key_id, "no verifier key, or one with another key id")
    return Record(text=text, origin=origin, id=raw and bytes.fromhex(key_id), key=ed25519.Ed25519PublicKey.from_public_bytes(raw[1:]))

def note(data):
    head, _, tail = data.decode("utf-8").partition("\n\n")
    match = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,17})\n([^\n]+)", head)
    need(match and tail.endswith("\n"), "no checkpoint: three lines, an empty one and signatures")
    n = Record(text=head.encode() + b"\n", origin=match[1], size=int(match[2]), root=unbase64(match[3]), signatures=[])
    for line in tail[:-1].split("\n"):
        need(line.startswith(f"— {n.origin} "), "a signature line that is none, or of another origin")
        n.signatures.append(unbase64(line.rsplit(" ", 1)[1]))
    return n

def signed_by(n, *keys, also=()):
    ids = [s[:4] for s in n.signatures]
    need(len(set(ids)) == len(ids) and {k.id for k in keys} <= set(ids) <= {k.id for k in [*keys, *also]}, "not signed by just the keys that must sign it")
    for key in [k for k in [*keys, *also] if k.id in ids]:
        key.key.verify(next(s for s in n.signatures if s[:4] == key.id)[4:], n.text)

# --- the rules ---

class Verifier:
    def __init__(self, directory):
        self.dir, self.place = Path(directory), "the verifier key"
        self.version, self.registry, self.custodians, self.grants, self.proposals = 0, Registry(), {}, {}, {}
        self.warned, self.expired, self.versions = set(), set(), {}
        self.lines, self.had_chains, self.opted_out, self.restoring = set(), set(), set(), False  # lines that have keys, chains of any registry
        self.latest, self.back, self.still, self.frozen, self.sealed, self.while_sealed = 0, (0, 0), (0, 0), (0, 0), None, None
        self.keys, self.entries, self.named, self.checked, self.due = [], [], [], 0, None
        self.custody, self.restored = b"", -1  # hash of the last act of custody, number of the last restore

    def read(self, name):
        """A regular file, of a size that such a file may have; a pipe or device is not opened."""
        self.place = f"file {name}"
        limit = LIMITS[next(kind for kind in LIMITS if name.startswith(kind))]
        try:
            file = os.open(self.dir / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) if stat.S_ISREG(os.stat(self.dir / name).st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            raise Wrong("is missing") from None
        need(file is not None, "is no regular file")
        with open(file, "rb") as opened:
            need(stat.S_ISREG(os.fstat(file).st_mode), "is no regular file")
            content = opened.read(limit + 1)
        need(len(content) <= limit, f"is larger than the {limit} bytes that it may have")
        return content

    def run(self, key):
        trusted = verifier_key(key.strip())
        head, raw = note(self.read("checkpoint")), []  # step 1
        need(head.origin == trusted.origin, "is of another origin than your key")
        need(head.size, "is of a log without entries")
        for first in range(0, head.size, 256):  # step 2
            width = min(256, head.size - first)
            raw += whole(self.read("tile/entries/" + tile_name(first // 256, width)), lambda r: [r.lp() for _ in range(width)])
        self.leaves = [sha(b"\x00", e) for e in raw]
        levels = tree(self.leaves)
        for level in range(0, len(levels), 8):  # step 3
            row = levels[level][:head.size >> level]  # without the node at the end that is not full
            for i in range(0, len(row), 256):
                hashes_here = row[i:i + 256]
                found = self.read(f"tile/{level // 8}/" + tile_name(i // 256, len(hashes_here)))
                wrong = next((k for k, h in enumerate(hashes_here) if found[32 * k:32 * k + 32] != h), None)
                need(wrong is None, f"does not fit the entries from its hash {wrong} on" + f" (entry {i + (wrong or 0)})" * (level == 0))
                need(len(found) == 32 * len(hashes_here), "is too long")
        self.place = "file checkpoint"
        need(levels[-1][0] == head.root, "its root is not that of the entries")
        for number, data in enumerate(raw):
            self.place = f"entry {number}"
            self.entries.append(e := whole(data, entry))
            self.collect_key(number, e, head.origin)
        self.heads(head, trusted)
        for number, e in enumerate(self.entries):  # step 5
            self.place = f"entry {number}"
            need(not self.due or (not e.refused and EFFECTS.get(e.act) == self.due.matter), "the effect of a complete proposal must be here")
            self.look(number, e)
            if e.refused:
                self.refused(e)
            else:
                self.done(number, e)
        need(not self.due, "the log ends before the effect of a complete proposal")
        return (f"ok: {head.size} entries, {self.version} registry versions, {len(self.grants)} grants, {len(self.proposals)} proposals, "
                f"{self.checked} signatures of people; signing keys: {len(self.keys)}; origin {head.origin}{self.warnings()}")

    def look(self, number, e):
        """What is told, and refuses nothing: clocks, and what was done while the keyring was closed."""
        behind = self.latest - e.at
        self.back = max(self.back, (behind, number), key=lambda found: found[0])
        same = self.still[1] + 1 if number and self.entries[number - 1].at == e.at else 1
        self.still = (number - same + 1, same)
        self.frozen = max(self.frozen, self.still, key=lambda found: found[1])
        self.latest = max(self.latest, e.at)
        if e.refused:
            return
        if e.act == SEAL:
            self.sealed = e.at
        elif e.act == UNSEAL:
            source, presented, needed = e.detail
            self.sealed = None if source != 1 or presented == needed else self.sealed
        elif self.sealed is not None and any(e.who) and e.at > self.sealed + 600_000 and self.while_sealed is None:
            self.while_sealed = number

    def warnings(self):
        told = []
        if self.back[0] > 600_000:
            told.append(f"the clock went back by {self.back[0] // 60_000} minutes at entry {self.back[1]}")
        if self.frozen[1] > 256:
            told.append(f"{self.frozen[1]} entries from entry {self.frozen[0]} on have one and the same time")
        if self.while_sealed is not None:
            told.append(f"entry {self.while_sealed} is of an act that began more than ten minutes after a `seal`, and nothing opened the keyring")
        return "".join(f"\nwarning: {warning}" for warning in told)

    def refused(self, e):  # step 5.13
        need(e.version <= self.version, "names a registry version that is not in force yet")
        need(not e.chain or e.chain in self.had_chains, "names a chain that no registry has had")
        g = self.grants.get(e.grant)
        need(not e.grant or g, "names a grant that was never requested")
        need(not g or (e.digest, e.chain, e.to, e.purpose) == (g.digest, g.chain, g.to, g.purpose), "digest, chain or purpose is not the grant's")
        of_proposal = e.object and e.act != PROPOSE
        need(not of_proposal or e.object in {p.digest for p in self.proposals.values()}, "names a proposal that was never made")

    def collect_key(self, number, e, origin):
        need((e.act == INITIALISE) == (number == 0), "entry 0 must be `initialise`, and no other")
        if e.act in (INITIALISE, AUDIT_KEY) and not e.refused:
            key = verifier_key(e.key)
            need(key.origin == origin and (number or e.origin == origin), "names another origin")
            need(key.text not in [k.text for k in self.keys], "names a signing key again")
            self.keys.append(key)
            self.named.append(number)

    def heads(self, head, trusted):  # step 4
        self.place, before = "the verifier key", 0
        need(trusted.text in [k.text for k in self.keys], "your key is none of those that sign this log")
        for i, named in enumerate(self.named[1:]):
            handover = note(self.read(f"handovers/{i:03}"))
            need(handover.origin == head.origin and max(named + 1, before) <= handover.size <= head.size, "another origin, or a wrong size")
            need(handover.root == tree(self.leaves[:handover.size])[-1][0], "its root is not that of the entries up to it")
            signed_by(handover, self.keys[i], self.keys[i + 1])
            before = handover.size
        self.place = "file checkpoint"  # directly after a rotation the head is the handover, and has both signatures
        signed_by(head, self.keys[-1], also=self.keys[:-1])
        need(self.read("verifier-key") == self.keys[-1].text.encode() + b"\n", "is not the last key")
        self.place = f"file handovers/{len(self.named) - 1:03}"
        need(not (self.dir / self.place[5:]).exists(), "is a handover without a rotation")

    def done(self, number, e):
        need(e.version == self.version + (e.act == APPLY) or (e.version < self.version and e.act not in IN_FORCE), "names another registry version")
        if e.act == CUSTODIANS:
            listed = whole(e.detail, lambda r: (r.one_of(1), r.list(lambda: (r.text(), r.lp())))[1])
            named = {tuple(name.split("/")): key for name, key in listed}
            need(all(len(who) == 2 and all(map(registry_rules.is_id, who)) for who in named), "a custodian without a name")
            need(all(map(registry_rules.is_public_key, named.values())), "a custodian without a P-256 or Ed25519 key")
            need(list(named.items()) == sorted(named.items()) and len(listed) == len(named), "the custodians are not sorted, or one is there twice")
            need(len(set(named.values())) == len(named) > 1, "fewer than two custodians, or two with one key")
            need(not any(member in self.registry.names(org, "stewards") for org, member in named), "a custodian is a steward")
            need(not set(named.values()) & set(self.registry.keys.values()), "a custodian has the key of a steward")
            self.custodians = named
        elif e.act in EFFECTS:
            self.effect(e)
        elif e.act in (WARNING, EXPIRE):  # step 5.5: nobody's act
            need(self.registry.chains.get(e.chain, {}).get("retention"), "no chain with a retention")
            need(e.chain not in self.expired, "the chain was destroyed before")
            need(e.act == WARNING or e.chain in self.warned, "the chain was destroyed without a warning")
            (self.warned.add if e.act == WARNING else self.warned.discard)(e.chain)
            self.expired |= {e.chain} if e.act == EXPIRE and e.keys else set()  # an end without key versions destroyed nothing
        elif e.act in (PROPOSE, SIGN, REJECT):
            self.proposal_step(e)
        elif e.act in (REQUEST, APPROVE, DENY, REVOKE, GRANT_OVER, CONVERT, REIDENTIFY):
            self.grant_step(e)
        elif e.act in (PSEUDONYMISE, IMPORT):  # step 9
            need(e.chain in self.registry.chains, "there is no such chain")
            need(self.registry.member(e.who) and e.who not in self.custodians and e.who[0] in self.registry.chains[e.chain]["sources"], "the caller is not of a source")
            self.batch(e)
        elif e.act in (ROTATE, DISABLE, AUDIT_KEY):
            self.instructed(e)
        elif e.act == UNSEAL:
            need(any(e.who) or e.detail[0] != 1, "a share that nobody presented")
        elif e.act in (SEAL, BACKUP):
            need(not any(e.who) or e.who in self.custodians, "the caller is no custodian")
        elif e.act == OVERDUE:  # step 4
            p = self.proposals.get(e.proposal)
            need(p and (p.digest, p.chain) == (e.object, e.chain) and p.open, "the proposal does not exist, is another one or has ended")
            need(e.at >= p.end, "the proposal is not past its end")
            p.open = False
        elif e.act == RESTORE:  # step 10
            at, size, root = whole(e.detail, restore)
            need(size > self.restored, "the restore was signed before the last one that was accepted")
            need(at <= e.at + 60_000 and e.at <= at + 7 * 86_400_000, "the restore was not requested within seven days before")
            self.restored = number
            need(number - 1024 <= size <= number and root == tree(self.leaves[:size])[-1][0], "the restored log is not the beginning of this one")
            need({w for w, _, _ in e.signatures} <= self.custodians.keys() and e.signatures[0][0] != e.signatures[1][0], "not two custodians")
            for signature in e.signatures:
                self.signature(e, "restore", signature, e.detail)
            for ended in [*self.grants.values(), *self.proposals.values()]:
                ended.open, ended.state = False, "ended"
        self.key_versions(e)
        self.restoring = e.act == RESTORE or (self.restoring and e.act in (ERASE, CUSTODIANS))
        self.custody = self.leaves[number] if e.act in CUSTODY else self.custody

    def instructed(self, e):  # step 12
        i = whole(e.detail, instruction)
        need(self.group(e.signatures[0][0], [""]) == "", "the signer is no custodian, or blocked")
        self.signature(e, SIGNED[e.act], e.signatures[0], e.detail)
        need(i.after == self.custody, "the instruction does not follow the last act of custody")
        need(i.version == self.version, "the instruction is for another registry version")
        need(i.at <= e.at + 60_000 and e.at <= i.at + 600_000, "the instruction was not signed within ten minutes before")
        if e.act == ROTATE:
            need(i.chain in self.registry.chains and i.chain not in self.expired, "there is no such chain, or it was destroyed")
            lines, made = self.registry.lines(i.chain).keys() - {""}, [namespace for namespace, _, _ in e.keys]
            lines |= {""} if (i.chain, "") in self.lines else set()  # also if nothing is encrypted any more
            need(not i.namespace or i.namespace in lines, "there is no such line")
            need(made and sorted(made) == sorted([i.namespace] if i.namespace else lines), "other lines than the instruction names")

    def made(self, namespace, kid, chain):
        need(kid not in self.versions, f"key version {kid:08x} was made before")
        self.versions[kid] = Record(namespace=namespace, chain=chain, disabled=False, destroyed=False, cut=False)

    def make_new(self, e, new):  # step 11: the versions that a registry makes, in the order of chains and namespaces, encrypted elements last
        wanted = []
        for chain in sorted(new.chains.keys() - self.expired):
            before = self.registry.lines(chain)
            lines = sorted(new.lines(chain).items(), key=lambda line: (not line[0], line[0]))
            wanted += [(chain, ns) for ns, kept in lines if (chain, ns) not in self.lines or before.get(ns, kept) != kept]
        need(wanted == [(chain, ns) for chain, (ns, _, _) in zip(e.of, e.keys)], "not one key version for each line that is new or keeps another escrow, in their order")
        for (chain, ns), (_, kid, _) in zip(wanted, e.keys):
            self.made(ns, kid, chain)
        self.lines |= set(wanted)
        self.had_chains |= new.chains.keys()

    def use(self, act, key, chain):  # step 11: of the chain, and not gone
        namespace, kid, _ = key
        v, name = self.versions.get(kid), f"key version {kid:08x}"
        need(v and v.namespace == namespace, f"{name} was never made, or is of another namespace")
        need(v.chain == chain, f"{name} is of another chain")
        need(not v.destroyed, f"{name} was destroyed before")
        need(not v.disabled or act in (DESTROY, CUT, EXPIRE, ERASE), f"{name} was disabled before")
        need(v.disabled or act != DESTROY, f"{name} was not disabled before")
        need(not (v.cut and act in (REIDENTIFY, CUT, ERASE)), f"the escrow of {name} was cut before")
        return v

    def each_once(self, e, chains):  # step 11
        need(set(e.of) <= chains, "a key use of another chain")
        need(len({kid for _, kid, _ in e.keys}) == len(e.keys), "a key version twice")

    def batch(self, e):  # step 9
        need(e.chain not in self.expired, "the chain was destroyed")
        self.each_once(e, {e.chain})
        columns, with_keys, without_key = self.registry.treated(e.chain)
        for key in e.keys:
            self.use(e.act, key, e.chain)
            need(key[0] in with_keys, f"no element of the chain is of the namespace of key version {key[1]:08x}")
        need(e.act != IMPORT or any(namespace for namespace, _, _ in e.keys), "an import without a pseudonym")
        used = sum(n for _, _, n in e.keys)
        need(e.rejected <= e.rows and e.values <= (e.rows - e.rejected) * columns, "more values than the rows have")
        need(used == e.values or (used < e.values and without_key), "the key uses do not fit the values")

    def under_grant(self, e, g):  # step 8
        columns, used = len(g.elements), sum(n for _, _, n in e.keys)
        self.each_once(e, {e.chain, e.to} if e.act == CONVERT else {e.chain})
        need(e.rejected <= e.rows and e.values <= e.rows * columns, "more values than the rows have")
        for namespace, kid, _ in e.keys:
            need(namespace in g.namespaces, f"the grant is not about the namespace of key version {kid:08x}")
        if e.act == REIDENTIFY:
            for key in e.keys:
                self.use(e.act, key, e.chain)
            need(used <= e.values <= used + e.rejected * columns, "the key uses do not fit the values")
            return
        need(e.to not in self.expired, "the chain converted to was destroyed")
        need(e.rejected <= e.values, "more rows are rejected than had values")
        seen = [self.use(e.act, key, chain) for key, chain in zip(e.keys, e.of)]
        made, targets = e.values - e.rejected, [n for (_, _, n), chain in zip(e.keys, e.of) if chain == e.to]
        cut = [v.chain for v in seen if v.cut]
        need(len(cut) < 2 and set(cut) <= {e.to}, "reads a version of which the escrow was cut")
        need(targets and (len(targets) == 1 or e.chain == e.to), "not one version of the chain converted to")
        if e.chain == e.to:
            need(2 * made <= used <= made + e.values, "the key uses do not fit the values")
        else:
            need(targets == [made] and made <= used - made <= e.values, "the key uses do not fit the values")

    def key_versions(self, e):  # step 11
        if e.act == ROTATE:
            for namespace, kid, _ in e.keys:
                self.made(namespace, kid, e.chain)
        if e.act not in (DISABLE, DESTROY, CUT, EXPIRE, ERASE):
            return
        for key in e.keys:
            v = self.use(e.act, key, e.chain)
            v.disabled, v.cut, v.destroyed = v.disabled or e.act == DISABLE, v.cut or e.act == CUT, e.act in (DESTROY, EXPIRE)
        need(e.act != EXPIRE or all(v.destroyed for v in self.versions.values() if v.chain == e.chain), "a version of the chain is not named")
        if e.act == ERASE:
            def left(ns): return sorted(kid for kid, v in self.versions.items() if (v.chain, v.namespace) == (e.chain, ns) and not v.cut and not v.destroyed)
            if not e.keys:
                need(any((e.chain, ns) in self.lines and not left(ns) for ns in self.opted_out), "nobody opted out whose escrows are all gone")
                return
            namespace = e.keys[0][0]
            need(left(namespace) == sorted(kid for _, kid, _ in e.keys), "not all versions that have an escrow")
            need(namespace in self.opted_out or self.restoring, "nobody opted out before")

    def pinned(self, who):
        return self.registry.stewards(who[0]).get(who) or self.custodians.get(who)

    def group(self, who, groups):  # that of these groups for which this person can sign
        return next((g for g in groups if (who in self.custodians and not self.registry.blocked(who) if g == "" else g == who[0] and self.registry.steward(who))), None)

    def signature(self, e, act, signature, obj, unpinned=False):
        """Checks the signature of a person over a grant, proposal or restore; returns the key it was made with."""
        (who, signed, der), lp, origin = signature, lambda b: len(b).to_bytes(2, "big") + b, self.keys[0].origin
        message = lp(b"sluis/1 statement") + lp(act.encode()) + lp(origin.encode()) + len(obj).to_bytes(4, "big") + obj
        cert = x509.load_der_x509_certificate(der)
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uri = f"spiffe://{origin.rpartition('/')[0]}/{who[0]}/{who[1]}"
        need(names.get_values_for_type(x509.UniformResourceIdentifier) == [uri], "the certificate is of somebody else")
        begin, end = (1000 * t.timestamp() for t in (cert.not_valid_before_utc, cert.not_valid_after_utc))
        need(begin // 1000 <= (e.at + 60_000) // 1000 and e.at // 1000 <= end // 1000, "the certificate was not valid then")
        need(act == "restore" or (who == e.who and sha(der) == e.cert), "the signer is not the caller")
        key, pinned = cert.public_key(), self.pinned(who)
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        need(spki == pinned or (pinned is None and unpinned), f"the key is not the one that is pinned for {'/'.join(who)}")
        kind = [ec.ECDSA(hashes.SHA256())] if isinstance(getattr(key, "curve", None), ec.SECP256R1) else []
        need(kind or isinstance(key, ed25519.Ed25519PublicKey), "a key of another kind")
        key.verify(signed, message, *kind)
        self.checked += 1
        return spki

    def proposal_step(self, e):  # step 4
        if e.act == PROPOSE:
            p = whole(e.detail, proposal)
            p.bytes, p.digest = e.detail, sha(e.detail)
            need(e.who == p.proposer and p.id not in self.proposals, "another proposer, or an id again")
            need(p.matter != 1 or (p.base, p.before) == (self.version, self.registry.digest), "is for another registry than the one in force")
            need(p.version == e.version, "made under another registry version")
            need(abs(p.at - e.at) <= 60_000 and 0 < p.end - p.at <= 30 * DAY, "made at another time, or waits for no time or for more than 30 days")
            people = {org: len(self.registry.stewards(org)) if org else len(self.custodians) for org in p.groups}
            need(all(people[org] >= n and (n == 2 or p.matter != 1) for org, n in p.groups.items()), "more must sign than there are, or not two of each group")
            need(p.matter == 1 or p.groups == self.registry.groups_for(p), "others must sign")  # of a registry: when its text is known
            self.proposals[p.id] = p
            return
        p = self.proposals.get(e.proposal)
        need(p and (p.digest, p.chain) == (e.object, e.chain) and p.open and e.at < p.end, "the proposal does not exist, is another one or has ended")
        who = e.signatures[0][0]
        if e.act == REJECT:
            need(self.group(who, p.groups) is not None or who == p.proposer, "may not reject it")
            self.signature(e, SIGNED[e.act], e.signatures[0], p.bytes, who == p.proposer)
            p.open = False
            return
        need(p.matter != 1 or (p.base, p.before) == (self.version, self.registry.digest), "the proposal is for another registry than the one in force")
        missing = [g for g, n in p.groups.items() if n > sum(group == g for group, _ in p.signed.values())]
        group = self.group(who, missing)
        need(group is not None and who not in p.signed and (p.matter, who) != (4, p.proposer), "the signer is none of those who are missing")
        p.signed[who] = group, self.signature(e, SIGNED[e.act], e.signatures[0], p.bytes)
        p.last = e.who, e.cert
        self.due = p if len(p.signed) == sum(p.groups.values()) else None

    def effect(self, e):  # steps 3 and 5
        p, self.due = self.due, None
        need(p and e.proposal == p.id, "does not come directly after the last signature under its proposal")
        need((e.who, e.cert) == p.last, "is not in the name of whoever signed last, with the same certificate")
        for who, (group, key) in p.signed.items():
            need(self.group(who, [group]) == group and self.pinned(who) == key, f"{'/'.join(who)}, who signed, has lost role or key since")
        if e.act == APPLY:
            place, text = self.place, self.read(f"registry/{e.version}.toml")
            need(sha(text) == p.after == e.object, f"its digest is not the one in {place}")
            try:
                new, self.place = Registry(text, self.custodians), place
                registry_rules.check_change(self.registry.document, new.document, self.expired)
            except (registry_rules.Invalid, tomllib.TOMLDecodeError) as invalid:
                raise Wrong(f"registry version {e.version} is not valid after the one before: {invalid}") from None
            finally:
                self.place = place
            need(p.groups == self.registry.groups_for_change(new), "by the two texts, others must sign this change")
            self.make_new(e, new)
            self.version, self.registry = e.version, new
            self.end_stale(p)
        else:
            need(e.object == p.digest and p.groups == self.registry.groups_for(p), "another proposal, or others must sign")
            need(p.matter == 4 or (e.chain, [k[:2] for k in e.keys]) == (p.chain, [(p.namespace, p.kid)]), "another version than the proposed one")
            self.opted_out |= {p.namespace} if p.matter == 4 else set()
        p.open = False

    def end_stale(self, effective):  # steps 4 and 7: whatever the next registry says, they do not come back
        def allowed(check, *what):
            try:
                return check(*what) or True
            except Wrong:
                return False
        for g in self.grants.values():
            stands = allowed(self.registry.check_asker, g) and allowed(self.registry.check_grant, g)
            stands = stands and (g.state == "approved" or all(self.registry.steward(a) and self.pinned(a) == k for a, k in g.approved.items()))
            if g.state in ("undecided", "approved") and not stands:
                g.state = "stale"
        for p in self.proposals.values():
            stands = p.matter != 1 and p.groups == self.registry.groups_for(p)
            stands = stands and all(self.group(who, [group]) == group and self.pinned(who) == key for who, (group, key) in p.signed.items())
            p.open = p.open and (p is effective or stands)

    def grant_step(self, e):
        if e.act == REQUEST:  # step 6
            g = whole(e.detail, grant)
            g.bytes, g.digest = e.detail, sha(e.detail)
            need(g.id not in self.grants and g.requester == e.who and g.grantee == e.who[0], "an id again, or another requester")
            need(g.version == e.version and self.registry.member(e.who) and e.who not in self.custodians, "the caller may not ask for this")
            need(abs(g.asked - e.at) <= 60_000, "requested at another time")
            for text in (g.purpose, g.basis):
                need(text.strip(BLANKS) and len(text.encode()) <= 1000, "purpose or legal basis is not 1 to 1,000 bytes of text")
            need(g.most and g.most_day <= g.most, "allows no value, or more on a day than in all")
            need(max(g.start, g.asked) < g.end <= g.start + TEN_YEARS, "ends before it begins or was requested, or more than ten years later")
            need(1 <= len(g.elements) == len(set(g.elements)) <= 64, "no element, one twice, or more than 64")
            self.registry.check_asker(g)
            need(not {g.chain, g.to} & self.expired, "a chain of it was destroyed")
            self.registry.check_grant(g)
            self.grants[g.id] = g
        g = self.grants.get(e.grant)
        need(g and e.digest == g.digest, "no such grant, or another digest")
        need((e.chain, e.to, e.purpose) == (g.chain, g.to, g.purpose), "chain or purpose is not the grant's")
        if e.act in SIGNED:  # step 7
            who = e.signatures[0][0]
            steward = self.registry.steward(who) and who[0] in g.needs and (e.act != APPROVE or who != g.requester)
            of_grantee = e.act == REVOKE and who[0] == g.grantee and self.registry.member(who)
            need((steward or of_grantee) and who not in self.custodians, "the signer may not do this")
            need(e.at < g.end, "the grant is past its end")
            need(g.state == "undecided" or (e.act == REVOKE and g.state == "approved"), f"the grant is {g.state}")
            key = self.signature(e, SIGNED[e.act], e.signatures[0], g.bytes, of_grantee)
            if e.act == APPROVE:
                missing = g.needs.count(who[0]) - sum(a[0] == who[0] for a in g.approved)
                need(missing > 0 and who not in g.approved, "approved twice, or nobody of this organisation is missing")
                self.registry.check_grant(g)
                need(all(self.registry.steward(a) and self.pinned(a) == k for a, k in g.approved.items()), "who approved before has lost role or key")
                g.approved[who] = key
            g.state = {DENY: "denied", REVOKE: "revoked"}.get(e.act, "approved" if len(g.approved) == len(g.needs) else "undecided")
        elif e.act == GRANT_OVER:  # step 7
            need(g.state in ("undecided", "approved"), f"the grant is {g.state}")
            need(e.at >= g.end, "the grant is not past its end")
            g.state = "expired"
        elif e.act != REQUEST:  # step 8
            need(g.kind == (1 if e.act == CONVERT else 2) and g.state == "approved", f"the grant is of another kind, or {g.state}")
            need(g.start <= e.at + 60_000 and e.at < g.end, "before the start of the grant, or after its end")
            need(self.registry.member(e.who) and e.who[0] == g.grantee and e.who not in self.custodians, "the caller may not use this grant")
            self.registry.check_asker(g)
            self.registry.check_grant(g)
            need(g.counter <= e.counter <= min(g.counter + e.values, g.most), "the counter does not fit batch and grant")
            self.under_grant(e, g)
            more = e.counter - g.counter
            if more:
                used = g.days.add(e.at // 86_400_000, more)
                need(not g.most_day or used <= g.most_day, "more than the grant allows on one day")
            g.counter = e.counter

def main():
    if len(sys.argv) != 3:
        sys.exit("usage: verify_log.py EXPORT-DIR VERIFIER-KEY-FILE-OR-TEXT")
    verifier = Verifier(sys.argv[1])
    try:
        print(verifier.run(open(sys.argv[2], encoding="utf-8").read(1 << 16) if os.path.isfile(sys.argv[2]) else sys.argv[2]))
        return 0
    except InvalidSignature:
        why = "a signature on it is wrong"
    except Wrong as wrong:
        why = str(wrong)
    except Exception as error:  # whatever a library says about damaged input: it is not verified
        why = f"cannot be read ({type(error).__name__}: {error})"
    print(f"WRONG: {verifier.place}: {why}")
    return 1

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A second verifier of exported audit logs: follows docs/audit-log.md, shares no code with the Rust crates.

    verify_log.py DIR VERIFIER-KEY        (the key as text, or a file that holds it)

Checks checkpoint and handovers, the tree, and every entry: structure, signatures, approvals, counters. Prints what is wrong, by the number of
the entry where there is one, and exits 1. Python 3.11 or later; needs `cryptography`.
"""

import base64
import datetime
import hashlib
import pathlib
import sys
import tomllib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
LP = lambda x: len(x).to_bytes(2, "big") + x


class Wrong(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Wrong(what)


class Bytes:
    """Takes fields from canonical bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "its bytes end too early")
        self.at += n
        return self.data[self.at - n : self.at]

    def n(self, size=8):
        return int.from_bytes(self.take(size), "big")

    def lp(self):
        return self.take(self.n(2))

    def text(self):
        return self.lp().decode()

    def who(self):
        a, b = self.text(), self.text()
        return f"{a}/{b}" if a or b else ""

    def list(self, item, size=2):
        return [item() for _ in range(self.n(size))]

    def end(self, value):
        need(self.at == len(self.data), "bytes follow its last field")
        return value


def read_entry(data):
    b = Bytes(data)
    need(b.n(1) == 2 and len(data) < 65536, "it is not of format 2")
    e = dict(at=b.n(), act=b.n(1), refused=b.n(1), version=b.n(), rows=b.n(), values=b.n(), rejected=b.n(), who=b.who())
    e |= dict(cert=b.take(32), chain=b.text(), to=b.text(), grant=b.text(), grant_digest=b.lp(), object=b.lp())
    e |= dict(purpose=b.text(), reason=b.text(), keys=b.list(lambda: (b.text(), b.n(4), b.n())), counter=b.n())
    e |= dict(detail=b.lp(), signatures=b.list(lambda: (b.who(), b.lp(), b.lp()), 1))
    need(1 <= e["act"] <= 35 and e["refused"] == (1 if e["reason"] else 0), "its act or outcome does not exist")
    return b.end(e)


def read_grant(data):
    b = Bytes(data)
    need(b.n(1) == 2, "the grant is not of format 2")
    g = dict(id=b.text(), kind=b.n(1))
    if g["kind"] == 1:
        g |= dict(chain=b.text(), element=b.text(), to=b.text(), to_element=b.text(), order=b.n(1))
    else:
        g |= dict(chain=b.text(), to="", elements=b.list(b.text))
    g |= dict(purpose=b.text(), basis=b.text(), max=b.n(), daily=b.n(), start=b.n(), end=b.n(), namespaces=b.list(b.text))
    g |= dict(grantee=b.text(), requester=b.who(), at=b.n(), version=b.n(), required=b.list(b.text))
    return b.end(g | dict(bytes=data, approved=[], ended=False, counter=0, day=(0, 0)))


def read_proposal(data):
    b = Bytes(data)
    need(b.n(1) == 1, "the proposal is not of format 1")
    p = dict(id=b.text(), matter=b.n(1))
    what = {1: lambda: (b.n(), b.take(32), b.take(32)), 4: b.text}.get(p["matter"], lambda: (b.n(4), b.text(), b.text()))
    p |= dict(what=what(), proposer=b.who(), at=b.n(), end=b.n(), version=b.n(), groups=b.list(lambda: (b.text(), b.n(1))))
    return b.end(p | dict(bytes=data, signed=[], ended=False))


# --- signatures -------------------------------------------------------------------------------------------------------


def check_signature(origin, act, obj, at, signature, pinned):
    """Of a person; returns who signed. `pinned` is the DER of the key that must have signed, or None for any."""
    who, sig, der = signature
    cert = x509.load_der_x509_certificate(der)
    san = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = san.get_values_for_type(x509.UniformResourceIdentifier)
    need(uris == [f"spiffe://{origin.rsplit('/', 1)[0]}/{who}"], f"the certificate is not of {who}")
    moment = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc)
    late = moment + datetime.timedelta(minutes=1)
    valid = cert.not_valid_before_utc <= late and moment.replace(microsecond=0) <= cert.not_valid_after_utc
    need(valid, f"the certificate of {who} was not valid then")
    key = cert.public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    need(pinned is None or pinned == der, f"the key of {who} is not the pinned one")
    statement = LP(b"sluis/1 statement") + LP(act.encode()) + LP(origin.encode()) + len(obj).to_bytes(4, "big") + obj
    args = [ec.ECDSA(hashes.SHA256())] if isinstance(key, ec.EllipticCurvePublicKey) else []
    try:
        key.verify(sig, statement, *args)
    except InvalidSignature:
        raise Wrong(f"the signature of {who} is not over this") from None
    return who


def read_vkey(text):
    name, key_id, key = text.split("+", 2)
    key = base64.b64decode(key, validate=True)
    need(len(key) == 33 and key[0] == 1, "the verifier key is not an Ed25519 key")
    need(sha(name.encode(), b"\n", key)[:4].hex() == key_id, "the verifier key does not fit its id")
    return name, bytes.fromhex(key_id), key[1:]


def open_note(data, origin):
    """Origin, size and root of a checkpoint, and its signatures."""
    text, lines = data.decode().rsplit("\n\n", 1)
    name, size, root = text.split("\n")
    need(name == origin, "it is of another log")
    need(lines.endswith("\n") and size == str(int(size)), "it is not a checkpoint")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, signer, sig = line.split(" ")
        need((dash, signer) == ("\u2014", origin), "it has a signature of somebody else")
        signatures.append(base64.b64decode(sig, validate=True))
        need(base64.b64encode(signatures[-1]).decode() == sig, "it has a signature in another spelling")
    need(base64.b64encode(base64.b64decode(root)).decode() == root, "its root is in another spelling")
    return (text + "\n").encode(), int(size), base64.b64decode(root), signatures


def signed_by(text, signatures, known, wanted):
    ids = [s[:4] for s in signatures]
    need(len(set(ids)) == len(ids) and all(k[1] in ids for k in wanted), "a signature is missing")
    for s in signatures:
        key = next((k for k in known if k[1] == s[:4]), None)
        need(key, "it has a signature of an unknown key")
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(key[2]).verify(s[4:], text)
        except InvalidSignature:
            raise Wrong("its signature is false") from None


# --- tree -------------------------------------------------------------------------------------------------------------


def root(leaves):
    """RFC 6962: hashes are joined in pairs, a single last one moves up."""
    if not leaves:
        return sha()
    while len(leaves) > 1:
        pairs = [sha(b"\1", a, b) for a, b in zip(leaves[::2], leaves[1::2])]
        leaves = pairs + leaves[len(pairs) * 2 :]
    return leaves[0]


def row(directory, prefix, count):
    """Files of a row of tiles or bundles: path, how many things are in it."""
    for index in range((count + 255) // 256):
        width = min(256, count - 256 * index)
        groups = [f"{index % 1000:03}"]
        while index := index // 1000:
            groups.insert(0, f"x{index % 1000:03}")
        path = directory / prefix / "/".join(groups)
        yield (path if width == 256 else path.with_name(f"{path.name}.p") / str(width)), width


def read_entries(directory, size):
    entries = []
    for path, width in row(directory, "tile/entries", size):
        b = Bytes(path.read_bytes())
        try:
            entries += b.end([b.lp() for _ in range(width)])
        except Wrong as wrong:
            raise Wrong(f"{path}: {wrong}") from None
    return entries


def check_tiles(directory, leaves, expected):
    good, level, hashes = root(leaves) == expected, 0, leaves
    while hashes:
        for number, (path, width) in enumerate(row(directory, f"tile/{level}", len(hashes))):
            want, have = hashes[256 * number : 256 * number + width], path.read_bytes()
            if have != b"".join(want):
                first = next((i for i in range(width) if have[32 * i : 32 * i + 32] != want[i]), 0)
                what = f"{path} does not fit the entries" if good or level else f"entry {256 * number + first} was changed"
                raise Wrong(what)
        hashes = [root(hashes[i : i + 256]) for i in range(0, len(hashes) - 255, 256)]
        level += 1
    need(good, "the entries are not those that the checkpoint signs")


# --- the rules --------------------------------------------------------------------------------------------------------


class Registry:
    def __init__(self, text=""):
        self.text, raw = text.encode(), tomllib.loads(text)
        self.organisations = {o["id"]: o for o in raw.get("organisation", [])}
        self.chains = {c["id"]: c for c in raw.get("chain", [])}
        self.namespaces = {n["id"]: n for n in raw.get("namespace", [])}
        self.keys = {k["member"]: base64.b64decode(k["public_key"]) for k in raw.get("key", [])}

    def has(self, who, role):
        organisation, member = who.split("/")
        o = self.organisations.get(organisation, {})
        listed = o.get(role, [])
        return (member in listed or listed == ["*"]) and member not in o.get("blocked", [])

    def approvals(self, g):
        chain = self.chains[g["chain"]]
        both = sorted([chain["owner"], self.chains[g["to"]]["owner"]]) if g["kind"] == 1 else None
        return both or [chain["owner"]] * chain.get("reidentify_approvals", 2)

    def may_ask(self, g):
        chain = self.chains[g["chain"]]
        to = chain.get("reidentify_to", chain["sources"])
        return g["grantee"] in ([chain["owner"], *chain.get("recipients", [])] if g["kind"] == 1 else to)

    def groups(self, p):
        """What must be signed by whom: of proposals that are no registry change."""
        owners = {c["owner"] for c in self.chains.values() if p["what"] in [n["id"] for n in c.get("namespace", [])]}
        if p["matter"] != 4:
            owners = {self.chains[p["what"][1]]["owner"]} if p["what"][1] in self.chains else {""}
        count = 2 if len(owners) == 1 else 1
        enough = lambda o: len(self.organisations.get(o, {}).get("stewards", [])) >= count
        return dict((o, count) if enough(o) else ("", 2) for o in owners)

    def signers(self, new):
        """Groups that must sign what replaces this registry by `new`; '' are the custodians."""
        groups = set()
        can = lambda o: len(self.organisations.get(o, {}).get("stewards", [])) >= 2
        group = lambda o: o if can(o) else ""
        for i in self.organisations.keys() | new.organisations.keys():
            a, b = self.organisations.get(i, {}), new.organisations.get(i, {})
            held = lambda r: {m: k for m, k in r.keys.items() if m.split("/")[0] == i}
            if not b or set(a.get("stewards", [])) != set(b.get("stewards", [])) or held(self) != held(new):
                groups.add(group(i))
            if b and any(same(a.get(k, [])) != same(b.get(k, [])) for k in ("name", "members", "auditors", "blocked")):
                groups.add("")
        if self.namespaces != new.namespaces:
            groups.add("")
        for i in self.chains.keys() | new.chains.keys():
            a, b = self.chains.get(i), new.chains.get(i)
            if not a or not b:
                groups.add(group((a or b)["owner"]))
                continue
            if any(same(a.get(k)) != same(b.get(k)) for k in (a | b).keys() - {"element", "id", "deliver"}):
                groups |= {group(a["owner"])} | ({b["owner"]} if b["owner"] != a["owner"] and can(b["owner"]) else set())
            if same(a.get("element")) != same(b.get("element")):
                groups.add("")
        return groups or {""}


def same(value):
    """Lists of a registry are sets."""
    return sorted(map(str, value)) if isinstance(value, list) else value


class Log:
    def __init__(self, origin, directory):
        self.origin, self.directory, self.vkeys = origin, directory, []
        self.custodians, self.registry, self.version = {}, Registry(), 0
        self.grants, self.proposals, self.due = {}, {}, None

    def pinned(self, who):
        return self.custodians.get(who) or self.registry.keys.get(who)

    def in_group(self, who, group):
        if group == "":
            return who in self.custodians and who.split("/")[1] not in self.registry.organisations.get(who.split("/")[0], {}).get("blocked", [])
        return who.split("/")[0] == group and self.registry.has(who, "stewards")

    def signature(self, e, act, obj, pinned):
        need(len(e["signatures"]) == 1 and e["signatures"][0][0] == e["who"], "it is not signed by the caller, once")
        need(sha(e["signatures"][0][2]) == e["cert"], "the signature is by another certificate than the caller's")
        return check_signature(self.origin, act, obj, e["at"], e["signatures"][0], pinned)

    def take(self, number, e):
        need((e["act"] == 17) == (number == 0), "`initialise` is not the first entry, or not the only one")
        due, self.due = self.due, None
        effect = {9: 1, 28: 2, 29: 3, 32: 4}.get(e["act"])
        if due:
            need(not e["refused"] and effect == due["matter"], f"the effect of proposal {due['id']} must follow here")
        applies = e["act"] == 9 and not e["refused"]
        exact = not e["refused"] and e["act"] in (1, 2, 3, 4, 5, 6, 7, 19, 20, 21, 28, 29, 32)
        need(e["version"] == self.version + 1 if applies else e["version"] <= self.version, "its registry version is not in force")
        need(not exact or e["version"] == self.version, "its registry version is not in force")
        if e["refused"]:
            return
        if effect:
            self.effect(e, due)
        elif rule := {1: self.submit, 2: self.use, 3: self.use, 4: self.request, 5: self.step, 6: self.step, 7: self.step,
                      17: self.begin, 18: self.name, 19: self.propose, 20: self.sign, 21: self.sign, 26: self.rotate,
                      27: self.restore}.get(e["act"]):
            rule(*([number, e] if e["act"] in (26, 27) else [e]))

    def begin(self, e):
        b = Bytes(e["detail"])
        need(b.text() == self.origin, "it is of another log")
        self.vkeys.append((0, read_vkey(b.end(b.text()))))

    def rotate(self, number, e):
        b = Bytes(e["detail"])
        self.vkeys.append((number, read_vkey(b.end(b.text()))))
        need(self.vkeys[-1][1][0] == self.origin and self.vkeys[-1][1] not in [k for _, k in self.vkeys[:-1]], "it names no new key")

    def name(self, e):
        b = Bytes(e["detail"])
        need(b.n(1) == 1, "its detail is not of format 1")
        self.custodians = dict(b.end(b.list(lambda: (b.text(), b.lp()))))

    def restore(self, number, e):
        b = Bytes(e["detail"])
        need(b.n(1) == 1, "its detail is not of format 1")
        _, size, at_root, _, _ = b.end((b.n(), b.n(), b.take(32), b.n(), b.take(32)))
        need(size <= number and at_root == root(self.leaves[:size]), "it is a restore of another log")
        signers = {s[0] for s in e["signatures"]}
        need(len(signers) == len(e["signatures"]) == 2 and signers <= self.custodians.keys(), "two custodians must sign it")
        for s in e["signatures"]:
            check_signature(self.origin, "restore", e["detail"], e["at"], s, self.custodians[s[0]])
        for open_one in [*self.grants.values(), *self.proposals.values()]:
            open_one["ended"] = True

    def submit(self, e):
        member = self.registry.has(e["who"], "members")
        need(member and e["who"].split("/")[0] in self.registry.chains[e["chain"]]["sources"], "the caller is no source")

    def request(self, e):
        g = read_grant(e["detail"])
        need(sha(g["bytes"]) == e["grant_digest"] and g["id"] == e["grant"] not in self.grants, "its digest or id is wrong")
        need(e["who"] == g["requester"] and e["who"].split("/")[0] == g["grantee"], "the requester is not the caller")
        self.about(e, g)
        need(self.registry.has(e["who"], "members") and e["who"] not in self.custodians and self.registry.may_ask(g), "the caller may not ask for this")
        need(g["required"] == self.registry.approvals(g), "it does not need the approvals that the registry wants")
        self.grants[g["id"]] = g

    def about(self, e, g):
        same_terms = (e["chain"], e["to"], e["purpose"]) == (g["chain"], g["to"], g["purpose"])
        need(same_terms and e["grant_digest"] == sha(g["bytes"]), "it is not about the grant that it names")

    def step(self, e):
        g, who = self.grants.get(e["grant"]), e["who"]
        need(g, "the grant was never requested")
        self.about(e, g)
        organisation, deed = who.split("/")[0], {5: "grant-approve", 6: "grant-deny", 7: "grant-revoke"}[e["act"]]
        steward = organisation in g["required"] and self.in_group(who, organisation) and who not in self.custodians
        own = e["act"] == 7 and organisation == g["grantee"] and self.registry.has(who, "members")
        need(steward or own, f"{who} has no say in this")
        pinned = self.registry.keys.get(who)
        need(pinned or own, f"no key is pinned for {who}")
        self.signature(e, deed, g["bytes"], pinned)
        need(not g["ended"] and e["at"] < g["end"], "the grant has ended")
        missing = list(g["required"])
        for other in g["approved"]:
            missing.remove(other.split("/")[0])
        if e["act"] == 5:
            need(organisation in missing and who not in g["approved"], f"no approval of {who} is missing")
            need(who != g["requester"], "the requester approves their own request")
            need(g["required"] == self.registry.approvals(g) and all(self.in_group(a, a.split("/")[0]) for a in g["approved"]), "the grant is stale")
            g["approved"].append(who)
        else:
            need(e["act"] == 7 or missing, "the grant is decided")
            g["ended"] = True

    def use(self, e):
        g = self.grants.get(e["grant"])
        need(g, "the grant was never requested")
        self.about(e, g)
        need(e["who"].split("/")[0] == g["grantee"] and self.registry.has(e["who"], "members") and e["who"] not in self.custodians, "the caller may not use the grant")
        need(len(g["approved"]) == len(g["required"]), "the grant is not approved")
        need(not g["ended"] and g["start"] <= e["at"] + 60_000 and e["at"] < g["end"], "the grant is not live")
        need(g["counter"] <= e["counter"] <= min(g["counter"] + e["values"], g["max"]), "its counter is wrong")
        more, today, (day, values) = e["counter"] - g["counter"], e["at"] // 86_400_000, g["day"]
        if more:
            g["day"] = (day, values + more) if day in (today, today + 1) else (today, more)
        need(not g["daily"] or g["day"][1] <= g["daily"], "more values than the grant allows on one day")
        g["counter"] = e["counter"]

    def propose(self, e):
        p = read_proposal(e["detail"])
        need(sha(p["bytes"]) == e["object"] and p["id"] not in self.proposals and p["proposer"] == e["who"], "its digest, id or proposer is wrong")
        need(sum(count for _, count in p["groups"]) >= 2, "two people must sign")
        need(p["matter"] != 1 or p["what"][:2] == (self.version, sha(self.registry.text)), "it replaces another registry")
        need(p["matter"] == 1 or self.registry.groups(p) == dict(p["groups"]), "it asks for other signatures than it takes")
        self.proposals[p["id"]] = p

    def sign(self, e):
        b, who = Bytes(e["detail"]), e["who"]
        p = self.proposals.get(b.end(b.text()))
        need(p and sha(p["bytes"]) == e["object"], "the proposal was never made")
        need(not p["ended"] and e["at"] < p["end"], "the proposal is not open")
        group = "" if who in self.custodians else who.split("/")[0]
        entitled = group in dict(p["groups"]) and self.in_group(who, group)
        if e["act"] == 21:
            need(entitled or who == p["proposer"], f"{who} has no say in this")
            self.signature(e, "proposal-reject", p["bytes"], self.pinned(who))
            p["ended"] = True
            return
        need(entitled and self.pinned(who), f"{who} has no say in this")
        self.signature(e, "proposal-sign", p["bytes"], self.pinned(who))
        need(who not in [s for s, _ in p["signed"]] and (p["matter"] != 4 or who != p["proposer"]), f"{who} may not sign this (again)")
        given = [g for _, g in p["signed"]]
        need(given.count(group) < dict(p["groups"])[group], f"no signature of {who} is missing")
        p["signed"].append((who, group))
        if all(count <= [*given, group].count(g) for g, count in p["groups"]):
            self.due = p

    def effect(self, e, p):
        if e["act"] == 28 and not p and not e["who"] and not e["detail"]:
            need("retention" in self.registry.chains.get(e["chain"], {}), "the chain has no retention")
            return
        need(p and e["detail"] == LP(p["id"].encode()), "it needs a proposal whose last signature is the entry before")
        need(all(self.in_group(who, group) for who, group in p["signed"]), "somebody who signed has lost the role")
        p["ended"] = True
        if e["act"] != 9:
            need(e["object"] == sha(p["bytes"]), "its digest is not that of the proposal")
            need(self.registry.groups(p) == dict(p["groups"]), "it takes other signatures by now")
            return
        path = self.directory / "registry" / f"{e['version']}.toml"
        need(path.is_file(), f"{path} is missing")
        data = path.read_bytes()
        need(p["what"] == (self.version, sha(self.registry.text), sha(data)) and e["object"] == sha(data), f"{path} is not what was signed")
        new, given = Registry(data.decode()), [g for _, g in p["signed"]]
        need(all(given.count(g) >= 2 for g in self.registry.signers(new)), "it does not have the signatures that the change needs")
        self.registry, self.version = new, e["version"]


def verify(directory, anchor):
    origin = anchor[0]
    text, size, head, signatures = open_note((directory / "checkpoint").read_bytes(), origin)
    entries = read_entries(directory, size)
    leaves = [sha(b"\0", entry) for entry in entries]
    check_tiles(directory, leaves, head)
    log = Log(origin, directory)
    log.leaves = leaves
    for number, entry in enumerate(entries):
        try:
            log.take(number, read_entry(entry))
        except (Wrong, ValueError, KeyError, x509.ExtensionNotFound) as wrong:
            raise Wrong(f"entry {number}: {wrong}") from None
    keys = [key for _, key in log.vkeys]
    need(anchor in keys, "the key that was given is not one of this log's")
    signed_by(text, signatures, keys, keys[-1:])
    for i, (number, _) in enumerate(log.vkeys[1:]):
        text, at, at_root, signatures = open_note((directory / f"handovers/{i:03}").read_bytes(), origin)
        need(number < at <= size and at_root == root(leaves[:at]), f"handover {i} is of another tree")
        signed_by(text, signatures, keys[i : i + 2], keys[i : i + 2])
    need(not (directory / f"handovers/{len(keys) - 1:03}").exists(), "there are more handovers than rotations")
    last = keys[-1]
    line = f"{last[0]}+{last[1].hex()}+{base64.b64encode(bytes([1]) + last[2]).decode()}\n"
    need((directory / "verifier-key").read_bytes() == line.encode(), "verifier-key is not the last key of the log")
    return f"{size} entries, {len(log.grants)} grants, {len(log.proposals)} proposals, registry version {log.version}: all right"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory, key = pathlib.Path(sys.argv[1]), sys.argv[2]
    try:
        key = pathlib.Path(key).read_text() if pathlib.Path(key).is_file() else key
        print(verify(directory, read_vkey(key.strip())))
    except (Wrong, ValueError, OSError) as wrong:
        print(f"{directory} is wrong: {wrong}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

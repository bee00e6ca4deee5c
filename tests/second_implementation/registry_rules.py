"""Whether the text of a registry is valid, and may follow the one before: for verify_log.py.

Written from docs/audit-log.md ("What a registry must be") alone, like verify_log.py. Every function raises `Invalid` with the
place and what is wrong there.
"""
import base64, datetime, re

KINDS = ("nl-bsn", "uk-nhs-number", "be-rrn", "de-kvnr", "fr-nir", "es-dni", "fi-hetu", "se-personnummer", "no-fnr", "dk-cpr", "it-codicefiscale",
         "pl-pesel", "uk-chi", "lu-matricule", "iban", "email", "date", "text", "opaque")
ASCII_BLANKS = "\t\n\x0c\r "
KEYS = {
    "organisation": ({"id": str, "name": str, "members": list}, {"stewards": list, "auditors": list, "blocked": list}),
    "key": ({"member": str, "public_key": str}, {}),
    "namespace": ({"id": str, "identifier": str, "input": str}, {"checksum": str, "missing": list}),
    "chain": ({"id": str, "owner": str, "sources": list},
              {"recipients": list, "reidentify_to": list, "reidentify_approvals": int, "retention": str, "deliver": str,
               "quota": "tables", "namespace": "tables", "element": "tables"}),
    "chain.quota": ({}, {"source": str, "subjects_per_day": int, "rejected_percent": int, "requests_per_minute": int}),
    "chain.namespace": ({"id": str}, {"link": str, "reversible": bool}),
    "chain.element": ({"name": str, "treatment": str},
                      {"namespace": str, "subject": str, "max_days": int, "to": str, "width": int, "length": int, "reference": "date",
                       "top": int, "placeholders": "dates", "plausible": "dates"}),
}
DATES, AGE_BAND = {"placeholders"}, {"top", "placeholders"}
PARAMETERS = {  # treatment, or what it generalises to: what it must have, what it may have
    "pseudonym": ({"namespace"}, set()), "encrypt": (set(), set()), "keep": (set(), set()), "drop": (set(), set()),
    "date-shift": ({"subject", "max_days"}, {"placeholders", "plausible"}),
    "year": ({"to"}, DATES), "month": ({"to"}, DATES), "decade": ({"to"}, DATES), "age-band": ({"to", "width", "reference"}, AGE_BAND),
    "prefix": ({"to", "length"}, set()), "band": ({"to", "width"}, set()),
}
GENERALISED = ("year", "month", "decade", "age-band", "prefix", "band")
WORDS = ["NULL", "null", "NA", "N/A", "NaN", "None", "\\N", "-", "?"]
PLACEHOLDERS = """
0001-01-01 1753-01-01 1800-01-01 1850-01-01 1858-11-17 1899-12-30 1899-12-31 1900-01-01 1901-01-01 1901-12-13 1904-01-01
1911-11-11 2038-01-19 2049-12-31 2050-01-01 2050-12-31 2078-12-31 2079-06-06 2099-01-01 2099-12-31 2100-01-01 2100-12-31
2106-02-07 2149-06-06 2150-12-31 2199-12-31 2999-12-31 9999-12-31
""".split()
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04"
ED25519 = bytes.fromhex("302a300506032b6570032100")

class Invalid(Exception):
    """A place, and what is wrong there."""

def must(condition, place, what):
    if not condition:
        raise Invalid(f"{place}: {what}")

def is_id(text):
    return isinstance(text, str) and re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", text) is not None

def is_public_key(der):
    """Of one of the two kinds, in the one form that is pinned."""
    return (len(der) == 91 and der.startswith(P256)) or (len(der) == 44 and der.startswith(ED25519))

def decoded(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""

def is_date(value):
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
            return None
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            return None
    return value if type(value) is datetime.date else None

def has_type(value, wanted):
    if wanted == "tables":
        return isinstance(value, list) and all(isinstance(t, dict) for t in value)
    if wanted == "date":
        return is_date(value) is not None
    if wanted == "dates":
        return isinstance(value, list) and all(is_date(d) is not None for d in value)
    if wanted is list:
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    if wanted is int:
        return type(value) is int and 0 <= value < 2 ** 64
    return type(value) is wanted

def shape(table, kind, place):
    required, optional = KEYS[kind]
    for key in required:
        must(key in table, f"{place}.{key}", "is required")
    for key, value in table.items():
        wanted = required.get(key) or optional.get(key)
        must(wanted, f"{place}.{key}", "is unknown")
        star = kind == "organisation" and key == "members" and value == "*"
        must(star or has_type(value, wanted), f"{place}.{key}", "is of another type")

def tables(document, kind, name="id", place=""):
    """The tables of a kind, each under a name of its own."""
    key = kind.split(".")[-1]
    found = document.get(key, [])
    must(has_type(found, "tables"), place + key, "must be a list of tables")
    by_name = {}
    for table in found:
        where = f"{place}{key}[{table.get(name, '?')}]"
        shape(table, kind, where)
        if kind == "key":
            parts = table["member"].split("/")
            must(len(parts) == 2 and all(map(is_id, parts)), where, "no organisation/member")
        elif name in table:
            must(is_id(table[name]), where, "no id")
        must(table.get(name) not in by_name, where, "is there already")
        by_name[table.get(name)] = table
    return by_name

def ids(table, key, place, known=None):
    names = table.get(key, [])
    for name in names:
        must(is_id(name), f"{place}.{key}", f"{name!r} is no id")
        must(known is None or name in known, f"{place}.{key}", f"there is no {name!r}")
    must(len(set(names)) == len(names), f"{place}.{key}", "a name is listed twice")
    return names

def validate(document, custodians):
    """A whole registry. `custodians`: key by (organisation, member)."""
    for key in document:
        must(key in ("organisation", "key", "namespace", "chain"), key, "is unknown")
    organisations = tables(document, "organisation")
    namespaces = tables(document, "namespace")
    for name, table in organisations.items():
        organisation(name, table, custodians)
    keys(tables(document, "key", "member"), organisations, custodians)
    for name, table in namespaces.items():
        namespace(name, table)
    chains = tables(document, "chain")
    must(len(chains) <= 1000, "chain", "a registry has at most 1,000 chains")
    for name, table in chains.items():
        chain(f"chain[{name}]", table, organisations, namespaces)

def organisation(name, table, custodians):
    place, title = f"organisation[{name}]", table["name"]
    # Control characters: the general category Cc of Unicode.
    must(1 <= len(title) <= 200 and not re.search("[\x00-\x1f\x7f-\x9f]", title), f"{place}.name", "is not 1 to 200 characters of one line")
    everybody = table["members"] in ("*", ["*"])
    members = None if everybody else ids(table, "members", place)
    for role in ("stewards", "auditors", "blocked"):
        ids(table, role, place, members)
    must(not any((name, steward) in custodians for steward in table.get("stewards", [])), f"{place}.stewards", "a custodian is no steward")

def keys(pinned, organisations, custodians):
    holders = {}
    for member, table in pinned.items():
        place, (org, name) = f"key[{member}]", member.split("/")
        must(name in organisations.get(org, {}).get("stewards", []), place, "is of no steward")
        der = decoded(table["public_key"])
        must(is_public_key(der), f"{place}.public_key", "is no P-256 or Ed25519 key")
        must(der not in holders, f"{place}.public_key", "is the key of two stewards")
        must(der not in custodians.values(), place, "is a custodian's key")
        holders[der] = member
    for org, table in organisations.items():
        for name in table.get("stewards", []):
            must(f"{org}/{name}" in pinned, f"organisation[{org}].stewards", f"{name} has no key")

def namespace(name, table):
    place = f"namespace[{name}]"
    must(table["identifier"] in KINDS, f"{place}.identifier", "is unknown")
    must(table["input"] in ("plain", "prehash"), f"{place}.input", "is unknown")
    must(table.get("checksum", "strict") in ("strict", "off"), f"{place}.checksum", "is unknown")
    words = table.get("missing", [])
    must(len(words) <= 64 and len(set(words)) == len(words), f"{place}.missing", "more than 64 words, or one twice")
    for word in words:
        fine = word and word.strip(ASCII_BLANKS) == word and len(word.encode()) <= 64 and not re.search("[\x00-\x1f\x7f-\x9f]", word)
        must(fine, f"{place}.missing", f"{word!r} is no word")

def chain(place, table, organisations, namespaces):
    approvals = table.get("reidentify_approvals", 2)
    must(2 <= approvals <= 255, f"{place}.reidentify_approvals", "is not 2 to 255")
    must(table["owner"] in organisations, f"{place}.owner", "there is no such organisation")
    must(len(organisations[table["owner"]].get("stewards", [])) >= approvals, f"{place}.owner", "has too few stewards")
    for key in ("sources", "recipients", "reidentify_to"):
        ids(table, key, place, organisations)
    must(table["sources"], f"{place}.sources", "is empty")
    retention = table.get("retention")
    must(retention is None or re.fullmatch("[1-9][0-9]{0,3}[dwmy]", retention, re.ASCII), f"{place}.retention", "is no retention")
    must(table.get("deliver", "caller") == "caller", f"{place}.deliver", "is unknown")
    for source, quota in tables(table, "chain.quota", "source", f"{place}.").items():
        where = f"{place}.quota[{source}]"
        must(source is None or source in table["sources"], where, "is of no source")
        limits = {key: value for key, value in quota.items() if key != "source"}
        most = {"rejected_percent": 100, "requests_per_minute": 2 ** 32 - 1}
        must(limits and all(1 <= value <= most.get(key, 2 ** 64 - 1) for key, value in limits.items()), where, "limits nothing, or is out of range")
    lines = tables(table, "chain.namespace", "id", f"{place}.")
    must(len(lines) <= 64, f"{place}.namespace", "a chain has at most 64 namespaces")
    for name, line in lines.items():
        where, link = f"{place}.namespace[{name}]", line.get("link", "escrow")
        must(name in namespaces, where, "there is no such namespace")
        must(link in ("escrow", "carried", "inbound", "none"), f"{where}.link", "is unknown")
        plain = link == "escrow" and namespaces[name]["input"] == "plain"
        must(plain or not line.get("reversible"), f"{where}.reversible", "needs link escrow and input plain")
    elements = tables(table, "chain.element", "name", f"{place}.")
    must(1 <= len(elements) <= 4096, f"{place}.element", "a chain has 1 to 4,096 elements")
    for name, element in elements.items():
        treatment(f"{place}.element[{name}]", element, lines, elements)

def treatment(where, element, lines, elements):
    kind = element["treatment"]
    if kind == "generalise":
        must(element.get("to") in GENERALISED, f"{where}.to", "is missing or unknown")
        kind = element["to"]
    else:
        must(kind in PARAMETERS and kind not in GENERALISED, f"{where}.treatment", "is unknown")
    needed, possible = PARAMETERS[kind]
    written = element.keys() - {"name", "treatment"}
    must(needed <= written <= needed | possible, where, "a parameter is missing, or belongs to another treatment")
    must(kind != "pseudonym" or element["namespace"] in lines, f"{where}.namespace", "is none of the chain")
    if kind == "date-shift":
        must(elements.get(element["subject"], {}).get("treatment") == "pseudonym", f"{where}.subject", "is no pseudonym element of the chain")
    most = {"max_days": 36_500, "width": 2 ** 32 - 1 if kind == "band" else 2 ** 16 - 1, "length": 2 ** 16 - 1, "top": 140}
    must(all(1 <= element[key] <= most[key] for key in most.keys() & written), where, "a number is out of range")
    placeholders = [is_date(date) for date in element.get("placeholders", [])]
    must(len(placeholders) <= 64 and len(set(placeholders)) == len(placeholders), f"{where}.placeholders", "more than 64, or one twice")
    plausible = [is_date(date) for date in element.get("plausible", [])]
    must("plausible" not in element or (len(plausible) == 2 and plausible[0] <= plausible[1]), f"{where}.plausible", "is no first and last date")

def defaults(element):
    """What an element has without saying so."""
    if element["treatment"] == "date-shift":
        return {"placeholders": PLACEHOLDERS, "plausible": ["1850-01-01", "2150-12-31"]}
    dates = element.get("to") in ("year", "month", "decade", "age-band")
    return ({"placeholders": []} if dates else {}) | ({"top": 90} if element.get("to") == "age-band" else {})

def check_change(old, new, expired):
    """What may not change between two valid registries. `expired`: chains that were destroyed."""
    was, are = ({n["id"]: n for n in document.get("namespace", [])} for document in (old, new))
    for name, table in was.items():
        must(name in are, f"namespace[{name}]", "a namespace cannot be removed")
        for key in ("identifier", "input"):
            must(table[key] == are[name][key], f"namespace[{name}].{key}", "is fixed for the namespace's life")
    was, are = ({c["id"]: c for c in document.get("chain", [])} for document in (old, new))
    for name, table in was.items():
        must(name in are or name in expired, f"chain[{name}]", "a chain cannot be removed")
        kept = {n["id"] for n in are.get(name, {}).get("namespace", [])}
        gone = [n["id"] for n in table.get("namespace", []) if name in are and n["id"] not in kept]
        must(not gone, f"chain[{name}].namespace", f"{gone} cannot be removed")
    for name in are.keys() - was.keys():
        must(name not in expired, f"chain[{name}]", "was destroyed and stays so")

#!/usr/bin/env python3
"""A second implementation of the method sluis/1: follows docs/method.md, shares no code with the Rust crate.

Reads docs/vectors/sluis-1.json (or the file given), computes every value again from the inputs, and compares. Prints each
mismatch by case and field, and `N passed, 0 failed`; exits 1 if anything failed.

Python 3.11 or later; needs `cryptography` for AES and AES-GCM.
"""

import base64
import datetime
import fractions
import hashlib
import hmac
import json
import pathlib
import re
import sys
import unicodedata
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from national_numbers import NUMBERS, modulus_11, written

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "vectors" / "sluis-1.json"

# --- notation ---------------------------------------------------------------------------------------------------------


def lp(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def kdf(key: bytes, label: bytes) -> bytes:
    """HKDF-Expand with length 32 is its first block."""
    return hmac_sha256(key, label + b"\x01")


def aes(key: bytes, block: bytes) -> bytes:
    # One block of ECB is the bare block cipher, which is what the method asks for.
    encryptor = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def xor(a: bytes, b: bytes) -> bytes:
    assert len(a) == len(b)
    return bytes(x ^ y for x, y in zip(a, b))


# --- step 1: the normal form ------------------------------------------------------------------------------------------

# The Unicode property White_Space; str.strip() and str.split() would take U+001C to U+001F too.
WHITE_SPACE = "".join(
    map(chr, [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
)
WHITE_SPACE_RUN = re.compile("[" + re.escape(WHITE_SPACE) + "]+")


# White space that a value may consist of when it is missing, or have around a word for what is missing.
ASCII_WHITE_SPACE = b"\t\n\f\r "

# The Unicode property Default_Ignorable_Code_Point.
DEFAULT_IGNORABLE = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]


class Refused(Exception):
    """The value has no normal form, for the reason that is the exception's argument."""


class Missing(Exception):
    """There is no value."""


def ignorable(c: str) -> bool:
    return any(first <= ord(c) <= last for first, last in DEFAULT_IGNORABLE)


def control(c: str) -> bool:
    return (unicodedata.category(c) == "Cc" and c not in WHITE_SPACE) or 0xFFF9 <= ord(c) <= 0xFFFB


def refuse_if(wrong: bool, reason: str) -> None:
    if wrong:
        raise Refused(reason)


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def nfkc_casefold(c: str) -> str:
    """The property NFKC_Casefold, by its definition: until nothing changes."""
    before = None
    after = c
    while before != after:
        before = after
        folded = unicodedata.normalize("NFKC", before).casefold()
        after = unicodedata.normalize("NFKC", "".join(c for c in folded if not ignorable(c)))
    return after


def text_form(text: str) -> str:
    refuse_if(any(map(control, text)), "INVISIBLE_CHARACTER")
    refuse_if("\uFFFD" in text, "REPLACEMENT_CHARACTER")
    folded = nfc("".join(map(nfkc_casefold, unicodedata.normalize("NFD", text))))
    return WHITE_SPACE_RUN.sub(" ", folded.strip(WHITE_SPACE))


def email(text: str) -> str:
    trimmed = text.strip(WHITE_SPACE)
    unseen = lambda c: unicodedata.category(c) == "Cc" or control(c) or ignorable(c)
    refuse_if(any(map(unseen, trimmed)), "INVISIBLE_CHARACTER")
    refuse_if("\uFFFD" in trimmed, "REPLACEMENT_CHARACTER")
    return nfc(trimmed.lower())


# What has the property Alphabetic, but is of general category So.
ALPHABETIC_SYMBOLS = [(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)]


def letter_digit_or_mark(c: str) -> bool:
    symbol = any(first <= ord(c) <= last for first, last in ALPHABETIC_SYMBOLS)
    return symbol or unicodedata.category(c)[0] in "LNM"


def local_part(text: str) -> bool:
    return (
        all(part != "" for part in text.split("."))
        and all(letter_digit_or_mark(c) or c in ".!#$%&'*+-/=?^_`{|}~" for c in text)
        and text[0] not in "'`={}"
        and text[-1] not in "'`={}"
    )


def domain(text: str) -> bool:
    return all(
        part != ""
        and all(letter_digit_or_mark(c) or c == "-" for c in part)
        and part[0] != "-"
        and part[-1] != "-"
        for part in text.split(".")
    )


def is_address(text: str) -> bool:
    sides = text.split("@")
    return (
        len(sides) == 2
        and local_part(sides[0])
        and domain(sides[1])
        and unicodedata.normalize("NFKC", text) == text
    )


def unusual(text: str) -> str | None:
    if any(control(c) or ignorable(c) or (c in WHITE_SPACE and c != " ") for c in text):
        return "INVISIBLE_CHARACTER"
    if any(unicodedata.category(c) in ("Nd", "Nl", "No") and not c.isascii() for c in text):
        return "FOREIGN_DIGITS"
    return None


QUOTES = "'\"`=\u2018\u2019\u201C\u201D"
DECIMAL = (
    r"(?:[0-9]*[.,][0-9]+|[0-9]+[.,]"
    r"|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*"
    r"|[0-9]{1,3}(?:(?P<mark>[ '\u2019])[0-9]{3})(?:(?P=mark)[0-9]{3})*[.,][0-9]*)"
)
SCIENTIFIC = r"(?:[0-9]+|[0-9]*[.,][0-9]+|[0-9]+[.,])[eE][+-]?[0-9]+"
MARKS = " .,'/_:\\-+\u2010-\u2015\u2019\u2212\u00B7\u22C5"


def what_was_seen(text: str, letters: str = "") -> str:
    if reason := unusual(text):
        return reason
    if not re.search("[0-9]", text):
        return "INVALID_IDENTIFIER"
    if text[0] in QUOTES or text[-1] in QUOTES:
        return "NUMBER_IN_QUOTES"
    if signed := re.fullmatch(r"\((.*)\)|[-+\u2212](.*)|(.*)[-+\u2212]", text, re.DOTALL):
        unsigned = next(group for group in signed.groups() if group is not None)
    else:
        unsigned = text
    if re.fullmatch(SCIENTIFIC, unsigned):
        return "NUMBER_IN_SCIENTIFIC_NOTATION"
    if re.fullmatch(DECIMAL, unsigned):
        return "NUMBER_AS_DECIMAL"
    if signed and re.fullmatch("[0-9]+", unsigned):
        return "NUMBER_WITH_SIGN"
    if re.fullmatch(f"[0-9{letters}{MARKS}]+", text):
        return "MISPLACED_SEPARATOR"
    return "INVALID_IDENTIFIER"


def grouped(text: str, separators: str) -> list[str]:
    """The groups of digits of a number."""
    text = text.strip(" ")
    if re.fullmatch("[0-9]*", text):
        return [text]
    for separator in separators:
        fewest = 2 if separator == "." else 1
        group = f"(?:{re.escape(separator)}[0-9]{{2,}})"
        if re.fullmatch(f"[0-9]{{2,}}{group}{{{fewest},}}", text):
            return text.split(separator)
    raise Refused(what_was_seen(text))


def nl_bsn(text: str) -> str:
    groups = grouped(text, " .-")
    refuse_if([len(group) for group in groups] in ([2, 2, 4], [4, 2, 2]), "NUMBER_AS_DATE")
    digits = "".join(groups)
    return "0" + digits if len(digits) == 8 else digits


def national(kind: str):
    def transform(text: str) -> str:
        text = text.strip(" ")
        two_digit_year = r"[0-9]{6}\+[0-9]{4}"
        refuse_if(kind == "se-personnummer" and re.fullmatch(two_digit_year, text) is not None, "NO_CENTURY")
        number = written(kind, text)
        if number is None:
            raise Refused(what_was_seen(text, "A-Za-z" if NUMBERS[kind].letters else ""))
        refuse_if(kind == "se-personnummer" and len(number) == 10, "NO_CENTURY")
        return number

    return transform


def iban(text: str) -> str:
    text = text.strip(" ")
    if reason := unusual(text):
        raise Refused(reason)
    groups = [len(group.encode()) for group in text.split(" ")]
    printed = groups[-1] == 1 and all(length == 4 for length in groups[:-1])
    refuse_if(len(groups) > 1 and not printed and min(groups) < 2, "MISPLACED_SEPARATOR")
    return "".join(c.upper() if "a" <= c <= "z" else c for c in text if c != " ")


def date_exists(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        datetime.date(*map(int, text.split("-")))
    except ValueError:
        return False
    return True


def full(pattern: str):
    return lambda text: re.fullmatch(pattern, text, re.DOTALL) is not None


KINDS = {  # kind: (transformation, form)
    "nl-bsn": (nl_bsn, full(r"[0-9]{9}")),
    "uk-nhs-number": (lambda t: "".join(grouped(t, " -")), full(r"[0-9]{10}")),
    "iban": (iban, full(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")),
    "email": (email, is_address),
    "date": (lambda t: t, date_exists),
    "text": (text_form, lambda t: True),
} | {kind: (national(kind), full(number.form)) for kind, number in NUMBERS.items()}

PLACEHOLDERS = {
    "nl-bsn": ["012345678", "123456789", "987654321"],
    "uk-nhs-number": ["0123456789", "1234567890", "9876543210"],
} | {kind: number.rows for kind, number in NUMBERS.items() if number.rows is not None}


def passes(kind: str, text: str) -> bool:
    if kind == "nl-bsn":
        return sum(int(d) * w for d, w in zip(text, [9, 8, 7, 6, 5, 4, 3, 2, -1])) % 11 == 0
    if kind == "uk-nhs-number":
        return modulus_11(text)
    if kind == "iban":
        number = "".join(str(int(c, 36)) for c in text[4:] + text[:4])
        return int(number) % 97 == 1 and text[2:4] not in ("00", "01", "99")
    return kind not in NUMBERS or NUMBERS[kind].check(text)


def ascii_lower(value: bytes) -> bytes:
    return value.lower()  # bytes.lower() maps A to Z only


def norm(kind: str, value: bytes, checksum: str = "off", words: list[str] = []) -> bytes:
    """The normal form; Missing or Refused where there is none."""
    refuse_if(len(value) > 4096, "TOO_LONG")
    trimmed = value.strip(ASCII_WHITE_SPACE)
    if not trimmed or ascii_lower(trimmed) in [ascii_lower(word.encode()) for word in words]:
        raise Missing
    text = None
    if kind == "opaque":
        result, form = value, lambda _: True
    else:
        transform, form = KINDS[kind]
        try:
            text = transform(value.decode("utf-8"))
        except UnicodeDecodeError:
            raise Refused("INVALID_UTF8") from None
        result = text.encode("utf-8")
    if not result:
        raise Missing
    refuse_if(len(result) > 255, "TOO_LONG")
    refuse_if(not form(text), "INVALID_DATE" if kind == "date" else "INVALID_IDENTIFIER")
    if result in forms_of(kind, words):
        raise Missing
    if kind in PLACEHOLDERS:
        digits = re.sub("[^0-9]", "", text)
        refuse_if(digits.strip("0") == "", "ALL_ZERO")
        refuse_if(len(set(digits)) == 1 or digits in PLACEHOLDERS[kind], "PLACEHOLDER_NUMBER")
    refuse_if(checksum == "strict" and text is not None and not passes(kind, text), "INVALID_CHECKSUM")
    return result


def forms_of(kind: str, words: list[str]) -> list[bytes]:
    """The normal forms of those words that have one."""
    forms = []
    for word in words:
        try:
            forms.append(norm(kind, word.encode()))
        except (Missing, Refused):
            pass
    return forms


# --- XAES-256-GCM -----------------------------------------------------------------------------------------------------


def xaes_parts(key: bytes, nonce: bytes) -> tuple[AESGCM, bytes]:
    z = int.from_bytes(aes(key, bytes(16)), "big")
    k1 = ((z << 1) % (1 << 128) ^ (0x87 if z >> 127 else 0)).to_bytes(16, "big")
    subkey = b"".join(aes(key, xor(bytes([0, i, 0x58, 0]) + nonce[:12], k1)) for i in (1, 2))
    return AESGCM(subkey), nonce[12:]


def xaes(key: bytes, nonce: bytes, aad: bytes, value: bytes) -> bytes:
    gcm, rest = xaes_parts(key, nonce)
    return gcm.encrypt(rest, value, aad)


def xaes_open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> bytes:
    gcm, rest = xaes_parts(key, nonce)
    return gcm.decrypt(rest, sealed, aad)


# --- tokens -----------------------------------------------------------------------------------------------------------


def token_text(kid: bytes, pseudonym: bytes) -> str:
    checked = b"\x11" + kid + pseudonym
    binary = checked + zlib.crc32(checked).to_bytes(4, "big")
    return "psn1" + base64.b32encode(binary).decode("ascii").lower()


def token_parse(text: str) -> tuple[bytes, bytes]:
    if not re.fullmatch(r"psn1[a-z2-7]{40}", text, re.IGNORECASE | re.ASCII):
        raise Refused("MALFORMED_PSEUDONYM")
    binary = base64.b32decode(text[4:].upper())
    if binary[:1] != b"\x11" or binary[1:5] == bytes(4) or zlib.crc32(binary[:21]).to_bytes(4, "big") != binary[21:]:
        raise Refused("MALFORMED_PSEUDONYM")
    return binary[1:5], binary[5:21]


def carried_text(kid: bytes, pseudonym: bytes, sealed: bytes) -> str:
    checked = b"\x12" + kid + pseudonym + sealed
    binary = checked + zlib.crc32(checked).to_bytes(4, "big")
    return "psn1" + base64.b32encode(binary).decode("ascii").lower().rstrip("=")


def carried_parse(text: str) -> tuple[bytes, bytes, bytes]:
    if not re.fullmatch(r"psn1[a-z2-7]{66}", text, re.IGNORECASE | re.ASCII):
        raise Refused("MALFORMED_PSEUDONYM")
    binary = base64.b32decode(text[4:].upper() + "======")
    kid, pseudonym, sealed, check_sum = binary[1:5], binary[5:21], binary[21:37], binary[37:]
    right = binary[:1] == b"\x12" and kid != bytes(4) and zlib.crc32(binary[:37]).to_bytes(4, "big") == check_sum
    # Unused bits that are set would be a second spelling; b32decode lets them pass.
    if not right or carried_text(kid, pseudonym, sealed) != text.lower():
        raise Refused("MALFORMED_PSEUDONYM")
    return kid, pseudonym, sealed


def carried_open(root_kid: bytes, escrow_kid: bytes, pseudonym: bytes, sealed: bytes) -> bytes:
    link_value = xor(sealed, aes(kdf(escrow_kid, b"sluis/1 link-seal"), pseudonym))
    again = hmac_sha256(kdf(root_kid, b"sluis/1 pseudonym"), link_value)[:16]
    if not hmac.compare_digest(again, pseudonym):
        raise Refused("UNKNOWN_PSEUDONYM")
    return link_value


# --- vectors ----------------------------------------------------------------------------------------------------------


class Tally:
    """Counts comparisons; every expected field of an entry must be compared, and no other may be there."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, where: str, what: str, agrees: bool) -> None:
        if agrees:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {where}: {what}")

    def compare(self, where: str, entry: dict, inputs: set[str], results: dict) -> None:
        for name, computed in results.items():
            shown = computed.hex() if isinstance(computed, bytes) else computed
            self.check(where, name, type(entry.get(name)) is type(shown) and entry[name] == shown)
        for name in entry.keys() - inputs - results.keys():
            self.check(where, f"{name} does not belong here", False)


def unhex(entry: dict, *names: str) -> list[bytes]:
    return [bytes.fromhex(entry[name]) for name in names]


LISTS = [
    "cases", "elements", "date_shifts", "imports", "opt_outs", "normal_forms", "shifted_dates", "generalised",
    "carried_tokens",
]
CASE_INPUTS = set(
    "namespace identifier_kind identifier identifier_hex input link source_key root_namespace root_kid escrow_kid kid "
    "identity_nonce".split()
)


def compute_case(case: dict) -> dict:
    root_namespace, root_kid, escrow_kid, kid = unhex(case, "root_namespace", "root_kid", "escrow_kid", "kid")
    namespace = case["namespace"].encode("ascii")
    raw = bytes.fromhex(case["identifier_hex"]) if "identifier_hex" in case else case["identifier"].encode("utf-8")
    normalised = norm(case["identifier_kind"], raw)
    x = {
        "plain": lambda: normalised,
        "prehash": lambda: hmac_sha256(
            bytes.fromhex(case["source_key"]), b"sluis/1 prehash" + lp(namespace) + lp(normalised)
        ),
    }[case["input"]]()
    linked = {"escrow": True, "carried": True, "inbound": True, "none": False}[case["link"]]
    result = {
        "normalised": normalised,
        "x": x,
        "link_key": kdf(root_namespace, b"sluis/1 link") if linked else kdf(root_kid, b"sluis/1 unlinked"),
        "pseudonym_key": kdf(root_kid, b"sluis/1 pseudonym"),
        "index_key": kdf(escrow_kid, b"sluis/1 index"),
        "link_seal_key": kdf(escrow_kid, b"sluis/1 link-seal"),
        "identity_seal_key": kdf(escrow_kid, b"sluis/1 identity-seal"),
    }
    link_value = hmac_sha256(result["link_key"], x)[:16]
    pseudonym = hmac_sha256(result["pseudonym_key"], link_value)[:16]
    index = aes(result["index_key"], pseudonym)
    row_key = kid + index
    result |= {"link_value": link_value, "pseudonym": pseudonym, "token": token_text(kid, pseudonym)}
    sealed = xor(link_value, aes(result["link_seal_key"], pseudonym))
    if case["link"] == "carried":
        cut = result["token"]
        result |= {"token": carried_text(kid, pseudonym, sealed), "sealed_link": sealed, "token_when_cut": cut}
    if case["link"] == "escrow":
        result |= {"index": index, "link_row_key": row_key, "link_row_value": b"\x01" + sealed}
    if "identity_nonce" in case:
        nonce = bytes.fromhex(case["identity_nonce"])
        aad = b"\x01" + row_key + lp(namespace)
        result["identity_row_value"] = b"\x01" + nonce + xaes(result["identity_seal_key"], nonce, aad, normalised)
    return result


def read_back_case(case: dict) -> list[tuple[str, bool]]:
    """The other direction, from the values in the file: token to pseudonym, link row to L, identity row to identifier."""
    parse = carried_parse if case["link"] == "carried" else token_parse
    kid, pseudonym, *sealed = parse(case["token"])
    outcome = [("token read back", [kid.hex(), pseudonym.hex()] == [case["kid"], case["pseudonym"]])]
    outcome.append(("token read back in upper case", parse(case["token"].upper()) == (kid, pseudonym, *sealed)))
    escrow_kid, root_kid = unhex(case, "escrow_kid", "root_kid")
    if sealed:
        opened = carried_open(root_kid, escrow_kid, pseudonym, *sealed)
        outcome.append(("carried link read back", opened.hex() == case["link_value"]))
        outcome.append(("token after a cut read back", token_parse(case["token_when_cut"]) == (kid, pseudonym)))
    if "link_row_value" in case:
        value = bytes.fromhex(case["link_row_value"])
        link_value = xor(value[1:], aes(kdf(escrow_kid, b"sluis/1 link-seal"), pseudonym))
        again = hmac_sha256(kdf(root_kid, b"sluis/1 pseudonym"), link_value)[:16]
        outcome.append(("link row read back", value[:1] == b"\x01" and hmac.compare_digest(again, pseudonym)))
    if "identity_row_value" in case:
        value = bytes.fromhex(case["identity_row_value"])
        row_key = kid + aes(kdf(escrow_kid, b"sluis/1 index"), pseudonym)
        aad = b"\x01" + row_key + lp(case["namespace"].encode("ascii"))
        opened = xaes_open(kdf(escrow_kid, b"sluis/1 identity-seal"), value[1:25], aad, value[25:])
        outcome.append(("identity row read back", opened.hex() == case["normalised"]))
    return outcome


def compute_element(entry: dict) -> dict:
    root_kid, kid, nonce, plaintext = unhex(entry, "root_kid", "kid", "nonce", "plaintext")
    chain, element = entry["chain"].encode("ascii"), entry["element"].encode("ascii")
    key = kdf(root_kid, b"sluis/1 element" + lp(element))
    aad = b"sluis/1 element" + lp(chain) + lp(element) + kid
    binary = b"\x21" + kid + nonce + xaes(key, nonce, aad, plaintext)
    return {"text": "enc1" + base64.urlsafe_b64encode(binary).decode("ascii").rstrip("=")}


def compute_date_shift(entry: dict) -> dict:
    root_chain, link_value = unhex(entry, "root_chain", "link_value")
    number = int.from_bytes(hmac_sha256(kdf(root_chain, b"sluis/1 date-shift"), link_value)[:8], "big")
    n = number % (2 * entry["max_days"])
    return {"days": n - entry["max_days"] + (n >= entry["max_days"])}


def compute_normal_form(entry: dict) -> dict:
    value = bytes.fromhex(entry["identifier_hex"])
    try:
        normalised = norm(entry["identifier_kind"], value, entry["checksum"], entry["missing_words"])
    except Missing:
        return {"outcome": "missing"}
    except Refused as refused:
        return {"outcome": str(refused)}
    return {"outcome": "present", "normalised": normalised}


def parsed_date(text: str) -> datetime.date:
    refuse_if(not date_exists(text), "INVALID_DATE")
    return datetime.date.fromisoformat(text)


def shifted(entry: dict) -> str:
    value = entry["value"]
    date = parsed_date(value)
    if value in entry["placeholders"]:
        return value
    refuse_if(not entry["plausible_first"] <= value <= entry["plausible_last"], "IMPLAUSIBLE_DATE")
    try:
        return (date + datetime.timedelta(days=entry["days"])).isoformat()
    except OverflowError:
        raise Refused("DATE_OUT_OF_RANGE") from None


def age_band(entry: dict, birth: datetime.date) -> str:
    reference = parsed_date(entry["reference"])
    refuse_if(birth > reference, "IMPLAUSIBLE_DATE")
    age = reference.year - birth.year - ((reference.month, reference.day) < (birth.month, birth.day))
    refuse_if(age > 140, "IMPLAUSIBLE_DATE")
    if age >= entry["top"]:
        return f"{entry['top']}+"
    low = age - age % entry["width"]
    return f"{low}-{min(low + entry['width'], entry['top']) - 1}"


def number_band(entry: dict) -> str:
    number = re.fullmatch(r"[+-]?([0-9]+)(\.[0-9]+)?", entry["value"])
    refuse_if(number is None or len(number[1].lstrip("0")) > 18, "INVALID_NUMBER")
    floor = fractions.Fraction(entry["value"]).__floor__()
    low = floor - floor % entry["width"]
    return f"[{low},{low + entry['width']})"


def generalised(entry: dict) -> str:
    to, value = entry["to"], entry["value"]
    if to == "prefix":
        return value[: entry["length"]]
    if to == "band":
        return number_band(entry)
    date = parsed_date(value)
    if value in entry["placeholders"]:
        return value
    return {
        "year": lambda: value[:4],
        "month": lambda: value[:7],
        "decade": lambda: value[:3] + "0s",
        "age-band": lambda: age_band(entry, date),
    }[to]()


def outcome(compute, entry: dict) -> dict:
    try:
        return {"outcome": compute(entry)}
    except Refused as refused:
        return {"outcome": str(refused)}


def compute_import(entry: dict) -> dict:
    escrow_kid, kid, old, link_value, nonce = unhex(entry, "escrow_kid", "kid", "old_pseudonym_hex", "link_value", "nonce")
    import_key, seal_key = kdf(escrow_kid, b"sluis/1 import"), kdf(escrow_kid, b"sluis/1 import-seal")
    row_key = kid + hmac_sha256(import_key, lp(old))[:16]
    aad = b"\x01" + row_key + lp(entry["namespace"].encode("ascii"))
    return {
        "import_key": import_key,
        "import_seal_key": seal_key,
        "row_key": row_key,
        "row_value": b"\x01" + nonce + xaes(seal_key, nonce, aad, link_value),
    }


def import_read_back(entry: dict) -> bool:
    """From the old pseudonym to L."""
    escrow_kid, row_key, value = unhex(entry, "escrow_kid", "row_key", "row_value")
    aad = b"\x01" + row_key + lp(entry["namespace"].encode("ascii"))
    opened = xaes_open(kdf(escrow_kid, b"sluis/1 import-seal"), value[1:25], aad, value[25:])
    return len(value) == 57 and value[:1] == b"\x01" and opened.hex() == entry["link_value"]


def compute_opt_out(entry: dict) -> dict:
    root_namespace, x = unhex(entry, "root_namespace", "x")
    link_value = hmac_sha256(kdf(root_namespace, b"sluis/1 link"), x)[:16]
    opt_out_key = kdf(root_namespace, b"sluis/1 opt-out")
    return {"link_value": link_value, "opt_out_key": opt_out_key, "mark": hmac_sha256(opt_out_key, link_value)[:16]}


def read_carried(entry: dict) -> dict:
    """What a version makes of a token: the link value, or the reason of the refusal."""
    root_kid, escrow_kid, kid = unhex(entry, "root_kid", "escrow_kid", "kid")
    try:
        if len(entry["token"]) == 44:
            token_parse(entry["token"])
            raise Refused("UNKNOWN_PSEUDONYM")  # it carries no link, and a carried line has no row
        named, pseudonym, sealed = carried_parse(entry["token"])
        if named != kid:
            raise Refused("UNKNOWN_PSEUDONYM")
        return {"outcome": carried_open(root_kid, escrow_kid, pseudonym, sealed)}
    except Refused as refused:
        return {"outcome": str(refused)}


def verify(vectors: dict, tally: Tally) -> None:
    tally.check("file", "method", vectors.get("method") == "sluis/1")
    tally.check("file", "its lists", vectors.keys() == {"method", *LISTS})
    tally.check("file", "at least 20 cases, and something in each list",
                len(vectors["cases"]) >= 20 and all(vectors[name] for name in LISTS))
    for number, case in enumerate(vectors["cases"]):
        where = f"case {number}"
        tally.compare(where, case, CASE_INPUTS, compute_case(case))
        for what, agrees in read_back_case(case):
            tally.check(where, what, agrees)
    for number, entry in enumerate(vectors["elements"]):
        inputs = {"root_kid", "kid", "chain", "element", "nonce", "plaintext"}
        tally.compare(f"element {number}", entry, inputs, compute_element(entry))
    for number, entry in enumerate(vectors["date_shifts"]):
        tally.compare(f"date shift {number}", entry, {"root_chain", "link_value", "max_days"}, compute_date_shift(entry))
    for number, entry in enumerate(vectors["imports"]):
        inputs = {"namespace", "escrow_kid", "kid", "old_pseudonym_hex", "link_value", "nonce"}
        tally.compare(f"import {number}", entry, inputs, compute_import(entry))
        tally.check(f"import {number}", "row read back", import_read_back(entry))
    for number, entry in enumerate(vectors["opt_outs"]):
        tally.compare(f"opt-out {number}", entry, {"namespace", "root_namespace", "x"}, compute_opt_out(entry))
    for number, entry in enumerate(vectors["normal_forms"]):
        inputs = {"identifier_kind", "checksum", "missing_words", "identifier_hex"}
        tally.compare(f"normal form {number}", entry, inputs, compute_normal_form(entry))
    for number, entry in enumerate(vectors["shifted_dates"]):
        inputs = {"value", "days", "placeholders", "plausible_first", "plausible_last"}
        tally.compare(f"shifted date {number}", entry, inputs, outcome(shifted, entry))
    for number, entry in enumerate(vectors["generalised"]):
        inputs = {"to", "width", "reference", "top", "length", "placeholders", "value"}
        tally.compare(f"generalised {number}", entry, inputs, outcome(generalised, entry))
    for number, entry in enumerate(vectors["carried_tokens"]):
        inputs = {"root_kid", "escrow_kid", "kid", "token"}
        tally.compare(f"carried token {number}", entry, inputs, read_carried(entry))


def main() -> int:
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS
    tally = Tally()
    try:
        verify(json.loads(path.read_text(encoding="utf-8")), tally)
    except Exception as error:  # whatever cannot be computed is a failure, and says where
        tally.check("file", f"stopped by {type(error).__name__}: {error}", False)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

"""The national numbers of the method sluis/1, as docs/method.md ("National numbers") has them: for verify.py.

Shares no code with the Rust crate.
"""

import datetime
import re
from typing import Callable, NamedTuple


class Number(NamedTuple):
    separators: str
    letters: bool
    printed: list[str]
    form: str
    rows: list[str] | None
    check: Callable[[str], bool]


def date(year: str | int, month: str | int, day: str | int) -> bool:
    try:
        datetime.date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def weighted(text: str, weights: str) -> int:
    return sum(int(digit) * int(weight) for digit, weight in zip(text, weights.split(), strict=True))


def luhn(text: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(text)):
        product = int(digit) * (1 + place % 2)
        total += product - 9 if product > 9 else product
    return total % 10


def verhoeff(text: str) -> int:
    p = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]

    def times(x: int, y: int) -> int:
        if x < 5 and y < 5:
            return (x + y) % 5
        if x < 5:
            return 5 + (x + y) % 5
        if y < 5:
            return 5 + (x - y) % 5
        return (x - y) % 5

    product = 0
    for place, digit in enumerate(reversed(text)):
        x = int(digit)
        for _ in range(place):
            x = p[x]
        product = times(product, x)
    return product


def be_rrn(t: str) -> bool:
    month = int(t[2:4])
    checks = [97 - int(n) % 97 for n in (t[:9], "2" + t[:9])]
    return month < 60 and month % 20 <= 12 and int(t[9:]) in checks


def de_kvnr(t: str) -> bool:
    ten = f"{ord(t[0]) - ord('A') + 1:02}" + t[1:9]
    products = [int(digit) * weight for digit, weight in zip(ten, [1, 2] * 5)]
    return sum(x - 9 if x > 9 else x for x in products) % 10 == int(t[9])


def fr_nir(t: str) -> bool:
    n = int(t[:13].replace("2A", "19").replace("2B", "18"))
    return t[0] in "123478" and int(t[13:]) == 97 - n % 97


def es_dni(t: str) -> bool:
    n = int(t[:8].translate(str.maketrans("XYZ", "012")))
    return t[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[n % 23]


HETU_CHARACTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def fi_hetu(t: str) -> bool:
    century = "18" if t[6] == "+" else "19" if t[6] in "-UVWXY" else "20"
    n = int(t[:6] + t[7:10])
    return (
        date(century + t[4:6], t[2:4], t[:2])
        and 2 <= int(t[7:10]) <= 899
        and t[10] == HETU_CHARACTERS[n % 31]
    )


def se_personnummer(t: str) -> bool:
    day = int(t[6:8])
    born = date(t[:4], t[4:6], day - 60 if day > 60 else day)
    return born and 1800 <= int(t[:4]) <= 2099 and luhn(t[2:]) == 0


def no_fnr(t: str) -> bool:
    day, month = int(t[:2]), int(t[2:4])
    return (
        date("20" + t[4:6], month - 80 if month > 80 else month, day - 40 if day > 40 else day)
        and weighted(t[:10], "3 7 6 1 8 9 4 5 2 1") % 11 in (0, 1, 2, 3)
        and weighted(t, "5 4 3 2 7 6 5 4 3 2 1") % 11 == 0
    )


def dk_cpr(t: str) -> bool:
    year = t[4:6]
    if t[6] in "0123":
        century = "19"
    elif t[6] in "49":
        century = "20" if year <= "36" else "19"
    else:
        century = "20" if year <= "57" else "18"
    return date(century + year, t[2:4], t[:2])


OMOCODIA = str.maketrans("LMNPQRSTUV", "0123456789")
ODD_PLACES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]


def it_codicefiscale(t: str) -> bool:
    day = int(t[9:11].translate(OMOCODIA))
    born = date("20" + t[6:8].translate(OMOCODIA), "ABCDEHLMPRST".index(t[8]) + 1, day - 40 if day > 40 else day)
    value = [int(c) if c.isdigit() else ord(c) - ord("A") for c in t]
    total = sum(value[1:15:2]) + sum(ODD_PLACES[x] for x in value[0:15:2])
    return born and total % 26 == value[15]


def pl_pesel(t: str) -> bool:
    month = int(t[2:4])
    centuries = {range(1, 13): ("19", 0), range(21, 33): ("20", 20), range(41, 53): ("21", 40), range(61, 73): ("22", 60),
                 range(81, 93): ("18", 80)}
    for months, (century, added) in centuries.items():
        if month in months:
            return date(century + t[:2], month - added, t[4:6]) and weighted(t, "1 3 7 9 1 3 7 9 1 3 1") % 10 == 0
    return False


def modulus_11(t: str) -> bool:
    check = 11 - sum(int(d) * w for d, w in zip(t, range(10, 1, -1))) % 11
    return (0 if check == 11 else check) == int(t[9])


def uk_chi(t: str) -> bool:
    return date("20" + t[4:6], t[2:4], t[:2]) and modulus_11(t)


def lu_matricule(t: str) -> bool:
    return date(t[:4], t[4:6], t[6:8]) and luhn(t[:12]) == 0 and verhoeff(t[:11] + t[12]) == 0


TEN = ["0123456789", "1234567890", "9876543210"]
N = "[0-9LMNPQRSTUV]"
ELEVEN = ["01234567890", "12345678901", "98765432109"]

NUMBERS = {
    "be-rrn": Number(" .-", False, ["00.00.00-000.00", "00.00.00 000-00"], "[0-9]{11}", ELEVEN, be_rrn),
    "de-kvnr": Number(" ", True, [], "[A-Z][0-9]{9}", ["012345678", "123456789", "123456780", "987654321"], de_kvnr),
    "fr-nir": Number(" .-", True, [], "[0-9]{5}([0-9]{2}|2A|2B)[0-9]{8}",
                     ["012345678901234", "123456789012345", "987654321098765"], fr_nir),
    "es-dni": Number(" -", True, ["00.000.000A", "00.000.000-A", "00.000.000 A", "A-0.000.000-A"],
                     "([0-9]{8}|[XYZ][0-9]{7})[A-Z]",
                     ["01234567", "12345678", "87654321", "98765432", "0123456", "1234567", "7654321", "9876543"], es_dni),
    "fi-hetu": Number("", True, [], f"[0-9]{{6}}[-+UVWXYABCDEF][0-9]{{3}}[{HETU_CHARACTERS}]", TEN, fi_hetu),
    "se-personnummer": Number(" -", False, [], "[0-9]{12}",
                              ["012345678901", "123456789012", "987654321098", "191212121212"], se_personnummer),
    "no-fnr": Number(" -", False, [], "[0-9]{11}", ELEVEN, no_fnr),
    "dk-cpr": Number(" -", False, [], "[0-9]{10}", TEN, dk_cpr),
    "it-codicefiscale": Number(" -", True, [], f"[A-Z]{{6}}{N}{{2}}[ABCDEHLMPRST]{N}{{2}}[A-Z]{N}{{3}}[A-Z]", None, it_codicefiscale),
    "pl-pesel": Number(" -", False, [], "[0-9]{11}", ELEVEN, pl_pesel),
    "uk-chi": Number(" -", False, [], "[0-9]{10}", TEN, uk_chi),
    "lu-matricule": Number(" -", False, [], "[0-9]{13}", ["0123456789012", "1234567890123", "9876543210987"], lu_matricule),
}


def written(kind: str, text: str) -> str | None:
    """The characters of a number that is written as its kind may be, or None."""
    number = NUMBERS[kind]
    for picture in number.printed:
        pattern = "".join({"0": "[0-9]", "A": "[A-Za-z]"}.get(c, re.escape(c)) for c in picture)
        if re.fullmatch(pattern, text):
            return re.sub("[^0-9A-Za-z]", "", text).upper()
    character = "[0-9A-Za-z]" if number.letters else "[0-9]"
    if re.fullmatch(f"{character}*", text):
        return text.upper()
    if kind == "fi-hetu":
        return text.upper() if re.fullmatch("[0-9]{6}[-+][0-9]{3}[0-9A-Za-z]", text) else None
    outer = 1 if number.letters else 2
    for separator in number.separators:
        groups = text.split(separator)
        fewest = 3 if separator == "." else 2
        inner = all(re.fullmatch(f"{character}{{2,}}", group) for group in groups[1:-1])
        ends = all(re.fullmatch(f"{character}{{{outer},}}", group) for group in (groups[0], groups[-1]))
        if len(groups) >= fewest and inner and ends:
            return "".join(groups).upper()
    return None

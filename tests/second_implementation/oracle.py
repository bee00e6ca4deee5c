#!/usr/bin/env python3
"""Compares the national numbers of docs/method.md with the library python-stdnum, on random numbers and writings.

Every difference must be one that docs/method.md ("Beside python-stdnum") explains, and every one of these must occur. Prints
how often each did; exits 1 on any other. The same numbers every time: the seed is fixed. A seed may be given.

Needs `python-stdnum` 2.2 and `cryptography` (deploy/python.sh provides them).
"""

import collections
import datetime
import random
import re
import sys

import stdnum
from stdnum import luhn, verhoeff
from stdnum.be import bis, nn
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer

from verify import Missing, Refused, norm

THIS_YEAR = datetime.date.today().year
WRITTEN_OTHERWISE = {
    "MISPLACED_SEPARATOR", "NUMBER_AS_DECIMAL", "NUMBER_WITH_SIGN", "NUMBER_IN_QUOTES", "INVISIBLE_CHARACTER", "FOREIGN_DIGITS",
    "INVALID_IDENTIFIER",
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
chance = random.Random(sys.argv[1] if len(sys.argv) > 1 else "sluis/1")


def ours(kind: str, value: str) -> str:
    """The normal form, or `!` and the reason."""
    try:
        return norm(kind, value.encode(), "strict").decode()
    except Missing:
        return "!missing"
    except Refused as refused:
        return f"!{refused}"


def either(*modules):
    return lambda value: any(module.is_valid(value) for module in modules)


def kvnr(value: str) -> bool:
    """The library has no such number, but Luhn's sum: of the letter as two digits, and the eight."""
    ten = f"{LETTERS.index(value[0]) + 1:02}{value[1:9]}"
    return luhn.checksum(ten + "0") == int(value[9])


def matricule(value: str) -> bool:
    return luhn.is_valid(value[:12]) and verhoeff.is_valid(value[:11] + value[12]) and day_exists(value[:4], value[4:6], value[6:8])


def day_exists(year, month, day) -> bool:
    try:
        return bool(datetime.date(int(year), int(month), int(day)))
    except ValueError:
        return False


# --- random numbers ---------------------------------------------------------------------------------------------------


def some(characters: str, count: int) -> str:
    return "".join(chance.choices(characters, k=count))


def digits(count: int) -> str:
    return some("0123456789", count)


def two(first: int, last: int) -> str:
    return f"{chance.randint(first, last):02}"


def birth(order: str, months: tuple = (0,), days: tuple = (0,), years: tuple = (18, 19, 20)) -> str:
    """A date, often one that exists, with something added to its month or day."""
    if chance.random() < 0.1:
        return digits(8 if "C" in order else 6)
    leap_day = chance.random() < 0.05
    parts = {
        "C": f"{chance.choice(years)}",
        "Y": chance.choice(["00", two(0, 99)]) if leap_day else two(0, 99),
        "M": f"{(2 if leap_day else chance.randint(1, 12)) + chance.choice(months):02}",
        "D": f"{(29 if leap_day else chance.randint(1, 31)) + chance.choice(days):02}",
    }
    return "".join(parts[part] for part in order)


def with_checks(count: int):
    """A number with all its possible check digits."""
    return lambda body: [f"{body}{check:0{count}}" for check in range(10 ** count)]


def with_letters(letters: str):
    return lambda body: [body + letter for letter in letters]


def alphabet_of_codes() -> str:
    name, place = some(LETTERS, 6), some(LETTERS, 1)
    number = lambda count: "".join(chance.choice([digits(1)] * 9 + [some("LMNPQRSTUV", 1)]) for _ in range(count))
    day = chance.choice([two(0, 99), two(1, 31), two(41, 71), number(2)])
    return name + number(2) + some("ABCDEHLMPRST", 1) + day + place + number(3)


BODIES = {  # kind: (a number without its check digits, all that may follow)
    "be-rrn": (lambda: birth("YMD", (0, 0, 20, 40, -1)) + digits(3), with_checks(2)),
    "de-kvnr": (lambda: some(LETTERS, 1) + digits(8), with_checks(1)),
    "fr-nir": (lambda: digits(5) + chance.choice(["2A", "2B", digits(2)]) + digits(6), with_checks(2)),
    "es-dni": (lambda: chance.choice(["X", "Y", "Z", digits(1), "K"]) + digits(7), with_letters(LETTERS)),
    "fi-hetu": (lambda: birth("DMY") + some("+-YXWVUABCDEFGZ", 1) + chance.choice([digits(3), "00" + digits(1)]),
                with_letters("0123456789" + LETTERS)),
    "se-personnummer": (lambda: birth("CYMD", days=(0, 60), years=(17, 18, 19, 20, 21)) + digits(3), with_checks(1)),
    "no-fnr": (lambda: birth("DMY", (0, 0, 0, 40, 65, 80), (0, 0, 40, 80)) + digits(3), with_checks(2)),
    "dk-cpr": (lambda: birth("DMY", days=(0, 0, 60)) + digits(3), with_checks(1)),
    "it-codicefiscale": (alphabet_of_codes, with_letters(LETTERS)),
    "pl-pesel": (lambda: birth("YMD", (0, 20, 40, 60, 80)) + digits(4), with_checks(1)),
    "uk-chi": (lambda: birth("DMY") + digits(3), with_checks(1)),
    "lu-matricule": (lambda: birth("CYMD") + digits(3), with_checks(2)),
}

THEIRS = {  # kind: (whether a number is valid, what it is without its separators)
    "be-rrn": (either(nn, bis), nn.compact),
    "de-kvnr": (kvnr, None),
    "fr-nir": (nir.is_valid, nir.compact),
    "es-dni": (either(dni, nie), dni.compact),
    "fi-hetu": (hetu.is_valid, hetu.compact),
    "se-personnummer": (personnummer.is_valid, lambda value: re.sub("[-+]", "", personnummer.compact(value))),
    "no-fnr": (fodselsnummer.is_valid, fodselsnummer.compact),
    "dk-cpr": (cpr.is_valid, cpr.compact),
    "it-codicefiscale": (codicefiscale.is_valid, codicefiscale.compact),
    "pl-pesel": (pesel.is_valid, pesel.compact),
    "uk-chi": (nhs.is_valid, nhs.compact),
    "lu-matricule": (matricule, None),
}

# --- explained differences --------------------------------------------------------------------------------------------


def rule_of_2032(number: str) -> bool:
    return fodselsnummer.calc_check_digit1(number) != number[9]


def century_of_fnr(number: str) -> bool:
    """The three digits told no century, or one that lacks the day, or who is born is not."""
    try:
        return fodselsnummer.get_birth_date(number) > datetime.date.today()
    except ValueError:
        return True


def born_later(number: str) -> bool:
    return cpr.get_birth_date(number) > datetime.date.today()


TAKEN_HERE = {  # kind: what the library refuses, and why
    "be-rrn": {"not born yet": lambda n: 2000 + int(n[:2]) > THIS_YEAR},
    "se-personnummer": {"coordination number": lambda n: n[6] in "6789"},
    "no-fnr": {
        "rule of 2032": rule_of_2032,
        "test person": lambda n: int(n[2:4]) > 80,
        "no century before 2032, or not born yet": century_of_fnr,
    },
    "dk-cpr": {"not born yet": born_later},
}

TAKEN_THERE = {  # kind: what the library takes and docs/method.md does not
    "fr-nir": {"first digit": lambda n: n[0] in "0569"},
    "se-personnummer": {"not 1800 to 2099": lambda n: not "1800" <= n[:4] <= "2099"},
    "no-fnr": {"substitute": lambda n: 40 < int(n[2:4]) <= 52},
    "it-codicefiscale": {"day over 80": lambda n: n[9] in "89UV"},
    "uk-chi": {"no date": lambda n: not day_exists("20" + n[4:6], n[2:4], n[:2])},
}

found = collections.Counter()
unexplained = []


def explain(kind: str, value: str, direction: str, explanations: dict, said: str) -> None:
    for name, applies in explanations.items():
        if applies(value):
            found[f"{kind}: {direction}: {name}"] += 1
            return
    unexplained.append(f"{kind} {value!r}: {said}, {direction}")


def compare_number(kind: str, number: str) -> bool:
    """One normal form, or what looks like one. Whether it is valid here."""
    here, there = ours(kind, number), THEIRS[kind][0](number)
    valid = not here.startswith("!")
    found[f"{kind}: {'valid' if valid else 'refused'}"] += 1
    if valid and here != number:
        unexplained.append(f"{kind} {number!r}: its normal form is {here!r}")
    if here in ("!PLACEHOLDER_NUMBER", "!ALL_ZERO"):
        return False
    if valid and not there:
        explain(kind, number, "only here", TAKEN_HERE.get(kind, {}), here)
    elif there and not valid:
        explain(kind, number, "only there", TAKEN_THERE.get(kind, {}), here)
    return valid


def rewritten(number: str) -> str:
    """With separators at random places, some of them the customary ones, and letters in any case."""
    marks = chance.choice([" ", "-", ".", " -.", "\u2013", "\u00a0", "+", "/", ":"])
    pace = chance.choice([0.1, 0.3, 0.5])
    parts = [c + (chance.choice(marks) if chance.random() < pace else "") for c in number]
    value = "".join(parts)
    return chance.choice([value, value.lower(), f" {value} ", value.replace("1", "\uff11", 1)])


WRITTEN_HERE = {  # kind: how the library does not take it
    "es-dni": r"([0-9]{2}\.[0-9]{3}\.[0-9]{3}[- ]?|[XYZxyz]-[0-9]\.[0-9]{3}\.[0-9]{3}-)[A-Za-z]",
    "fr-nir": r"[0-9AaBb-]+",
    "se-personnummer": r"[0-9]+(-[0-9]+)+",
}


def compare_writing(kind: str, number: str, value: str) -> None:
    """Another writing of a number that both take."""
    here = ours(kind, value)
    valid, compact = THEIRS[kind]
    if not here.startswith("!"):
        if here != number:
            unexplained.append(f"{kind} {value!r}: its normal form is {here!r} and not {number!r}")
        if not valid(value):
            form = WRITTEN_HERE.get(kind, "-")
            explain(kind, value, "only here", {"written otherwise": lambda v: re.fullmatch(form, v.strip())}, here)
        elif compact(value) != here:
            unexplained.append(f"{kind} {value!r}: {compact(value)!r} there, {here!r} here")
        else:
            found[f"{kind}: written in another way"] += 1
    elif valid(value):
        explain(kind, value, "only there", {"written otherwise": lambda _: here[1:] in WRITTEN_OTHERWISE}, here)


def main() -> int:
    if stdnum.__version__ != "2.2":
        print(f"python-stdnum is {stdnum.__version__}, not 2.2")
        return 1
    for kind, (body, finish) in BODIES.items():
        for _ in range(150):
            for number in finish(body()):
                valid = compare_number(kind, number)
                if valid and THEIRS[kind][1] and THEIRS[kind][0](number):
                    for _ in range(20):
                        compare_writing(kind, number, rewritten(number))
    compare_the_rest()
    for what, count in sorted(found.items()):
        print(f"{count:8} {what}")
    expected = [f"{kind}: {how}: {name}" for how, kinds in (("only here", TAKEN_HERE), ("only there", TAKEN_THERE))
                for kind, names in kinds.items() for name in names]
    expected += [f"{kind}: valid" for kind in BODIES]
    expected += [f"{kind}: only here: written otherwise" for kind in WRITTEN_HERE]
    for line in unexplained[:40]:
        print(f"UNEXPLAINED {line}")
    missing = [what for what in expected if found[what] == 0]
    for what in missing:
        print(f"NEVER SEEN {what}")
    print(f"{len(unexplained)} unexplained differences from python-stdnum {stdnum.__version__}")
    return 1 if unexplained or missing else 0


def compare_the_rest() -> None:
    """Printed forms, numbers that are no normal form, and placeholders."""
    for number, value in (
        ("12345679S", "12.345.679-S"), ("12345679S", "12.345.679 s"), ("12345679S", "12.345.679S"), ("12345679S", "12345679-S"),
        ("X1234569A", "X-1.234.569-A"), ("X1234569A", "x-1234569-a"), ("X1234569A", "X 1234569 A"),
    ):
        compare_writing("es-dni", number, value)
    if ours("se-personnummer", "811228-9841") != "!NO_CENTURY" or not personnummer.is_valid("811228-9841"):
        unexplained.append("se-personnummer with ten digits")
    if ours("it-codicefiscale", "00743110157") != "!INVALID_IDENTIFIER" or not codicefiscale.is_valid("00743110157"):
        unexplained.append("it-codicefiscale of a company")
    for kind, number, valid in (("es-dni", "12345678Z", dni), ("uk-chi", "1111111111", nhs), ("pl-pesel", "00000000000", None)):
        if ours(kind, number) not in ("!PLACEHOLDER_NUMBER", "!ALL_ZERO") or (valid and not valid.is_valid(number)):
            unexplained.append(f"{kind}: {number} is no placeholder")


if __name__ == "__main__":
    sys.exit(main())

"""Valid BSNs by number, the same as in `sluis-bench` (benches/src/bench/subjects.rs)."""

ALL = 81_000_000
"""How many different subjects there are."""

PEERS_COUNT = 64 * 8_192
"""How many a peer gets at most: as many as the stateless cases of `sluis-bench` send."""

STRIDE = 52_345_679
"""Has no factor in common with ALL, so that neighbours in number are far apart in value."""


def bsn(number: int) -> str:
    """The BSN of subject `number`, which is below ALL."""
    return nth_valid(number * STRIDE % ALL)


def first(count: int) -> list[str]:
    """The BSNs of subjects 0 to `count` - 1."""
    identifiers = [bsn(number) for number in range(count)]
    if len(set(identifiers)) != count or not all(map(is_valid, identifiers)):
        raise AssertionError("subjects.py makes BSNs that repeat or fail the 11-test")
    return identifiers


def is_valid(identifier: str) -> bool:
    """The 11-test: nine digits, weighted 9 to 2 and -1, add up to a multiple of 11."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(identifier) == 9 and sum(map(int.__mul__, map(int, identifier), weights)) % 11 == 0


def nth_valid(position: int) -> str:
    """The BSN at `position`, when each first seven digits from 1000000 on give nine.

    The eighth digit has ten values. At most one of them has no ninth digit that passes the 11-test.
    """
    seven = 1_000_000 + position // 9
    total = sum(int(digit) * weight for digit, weight in zip(str(seven), range(9, 2, -1), strict=True))
    # total + 2 * eighth must not leave 10; six is the inverse of two.
    without = (10 + 11 - total % 11) * 6 % 11
    choice = position % 9
    eighth = choice + (choice >= without)
    ninth = (total + 2 * eighth) % 11
    return f"{seven}{eighth}{ninth}"

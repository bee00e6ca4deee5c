"""What the systems share: jobs that are measured, and what a job includes."""

import dataclasses
import enum
import pathlib
import sys
import time
from collections.abc import Callable


class Task(enum.StrEnum):
    """What becomes of the identifiers."""

    PSEUDONYM = "pseudonym"
    """A keyed hash, and nothing is stored."""
    MAPPING = "mapping"
    """A keyed hash, and a stored row for each subject."""
    ENCRYPT = "encrypt"
    """A ciphertext."""


@dataclasses.dataclass(frozen=True)
class Includes:
    """What a value pays for: `yes`, `no`, or a word or two that say how much of it."""

    mtls: str
    """Both sides show certificates."""
    audit: str
    """An audit entry is on disk before the answer."""
    escrow: str
    """A row that allows the way back is encrypted and on disk before the answer."""
    conversion: str
    """Tokens of one domain can be converted into another."""
    custody: str
    """Callers do not get the keys."""


NOTHING = Includes(mtls="no", audit="no", escrow="no", conversion="no", custody="no")


@dataclasses.dataclass
class Job:
    """One task of one system."""

    system: str
    task: Task
    includes: Includes
    form: str
    """How the system is used, in one line."""
    measure: Callable[[float], float]
    """Works for about so many seconds; values per second."""
    tried: dict[str, float] = dataclasses.field(default_factory=dict)
    """Values per second of the forms that were tried before the rounds, this one included."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What every system is given."""

    identifiers: list[str]
    results: pathlib.Path
    """A directory on disk for scratch directories."""
    trial_seconds: float
    """How long one form is tried when a system has several."""


class Unavailable(Exception):
    """A system cannot run here. The text says why and what to do."""


def repeat(work: Callable[[], int], seconds: float) -> float:
    """Calls `work`, which returns how many values it did, until the time is over; values per second."""
    started = time.monotonic()
    done = 0
    while (took := time.monotonic() - started) < seconds:
        done += work()
    return done / took


def progress(text: str) -> None:
    """A line for people who wait."""
    print(text, file=sys.stderr, flush=True)

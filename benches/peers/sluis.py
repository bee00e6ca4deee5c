"""Sluis itself, by the program of `make bench`."""

import dataclasses
import json
import pathlib
import signal
import subprocess

from measure import Includes, Task, Unavailable
from processes import scratch, server, tail

SYSTEM = "Sluis"
MINUTES = 30
"""The most a run may take."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A case of `sluis-bench`."""

    name: str
    task: Task
    includes: Includes
    form: str


CASES = [
    Case(
        "pseudonym-none",
        Task.PSEUDONYM,
        Includes(mtls="yes", audit="yes", escrow="no", conversion="no", custody="yes"),
        'case pseudonym-none: tokens, link = "none"; batches of 8,192 over 2 streams',
    ),
    Case(
        "pseudonym-escrow-new",
        Task.MAPPING,
        Includes(mtls="yes", audit="yes", escrow="yes", conversion="yes", custody="yes"),
        "case pseudonym-escrow-new: tokens of new subjects with their link rows; batches of 8,192 over 2 streams",
    ),
    Case(
        "encrypt",
        Task.ENCRYPT,
        Includes(mtls="yes", audit="yes", escrow="no", conversion="no", custody="yes"),
        "case encrypt: XAES-256-GCM; batches of 8,192 over 2 streams",
    ),
]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run gives."""

    rates: dict[Task, float]
    """Values per second."""
    others: float
    """Most cores in use by neither daemon nor client during a case."""


def check(program: pathlib.Path) -> None:
    """Refuses before anything is started, not after the peers were."""
    if not program.exists():
        raise Unavailable(f"{program} is missing: run `make build` first")


def run(program: pathlib.Path, results: pathlib.Path, subjects: int) -> Outcome:
    """Runs all cases once, with a new custodian."""
    with scratch(results) as home:
        summary = home / "summary.json"
        command = [str(program), "--subjects", str(subjects)]
        command += ["--json", str(summary), "--directory", str(home / "custodian")]
        for case in CASES:
            command += ["--only", case.name]
        log = home / "sluis-bench.log"
        with server(command, log, signal.SIGTERM) as process:
            try:
                code = process.wait(MINUTES * 60)
            except subprocess.TimeoutExpired:
                raise Unavailable(f"sluis-bench does not end within {MINUTES} minutes; it says\n{tail(log)}") from None
        if code != 0:
            raise Unavailable(f"sluis-bench ends with {code}; it says\n{tail(log)}")
        measured = {case["case"]: case for case in json.loads(summary.read_text())}
    return Outcome(
        rates={case.task: measured[case.name]["values_per_second"] for case in CASES},
        others=max(measured[case.name].get("other_cores") or 0.0 for case in CASES),
    )

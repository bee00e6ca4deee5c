"""The table, and the file with the same in JSON."""

import dataclasses
import json
import pathlib
import statistics
from typing import Any

import sluis
from measure import Includes, Task

QUIET = 0.2
"""So many cores may others use before the table says that the machine was busy."""

TITLES = {
    Task.PSEUDONYM: "Keyed hashes: HMAC, tokens",
    Task.MAPPING: "Keyed hashes with a stored row for each subject",
    Task.ENCRYPT: "Encryption",
}


@dataclasses.dataclass
class Row:
    """One task of one system over all rounds."""

    system: str
    task: Task
    includes: Includes
    form: str
    tried: dict[str, float] = dataclasses.field(default_factory=dict)
    """As in a job."""
    rates: list[float] = dataclasses.field(default_factory=list)
    """Values per second, one number for each round."""

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


@dataclasses.dataclass
class Report:
    """A run of all systems."""

    rows: list[Row]
    subjects: int
    """Subjects that Sluis escrows in a round."""
    identifiers: int
    """Different identifiers that a peer gets at most."""
    seconds: float
    """How long a peer is measured in a round."""
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    """Why a system could not be measured."""
    others: float = 0.0
    """Most cores that others used while Sluis was measured, or just before a peer was."""

    def ratio(self, row: Row, task: Task) -> float | None:
        """How many times the rate of a peer Sluis reaches in this task."""
        if row.system == sluis.SYSTEM:
            return None
        own = next(own for own in self.rows if own.system == sluis.SYSTEM and own.task is task)
        return own.median / row.median

    def ratios(self, row: Row) -> tuple[float | None, float | None]:
        """Without and with escrow. A peer that only hashes is beside both; one that stores rows is beside escrow."""
        if row.task is Task.ENCRYPT:
            return self.ratio(row, Task.ENCRYPT), None
        without = self.ratio(row, Task.PSEUDONYM) if row.task is Task.PSEUDONYM else None
        return without, self.ratio(row, Task.MAPPING)

    def table(self) -> str:
        lines = [cells("", "values/s", "Sluis/it", "escrow/it", "mTLS", "audit", "escrow", "convert", "custody")]
        for task, title in TITLES.items():
            lines += ["", title]
            for row in self.of_task(task):
                without, escrow = self.ratios(row)
                kept = dataclasses.astuple(row.includes)
                lines.append(cells(f"  {row.system}", f"{row.median:,.0f}", times(without), times(escrow), *kept))
        lines += ["", *LEGEND, "", "How each was used:"]
        for task in TITLES:
            lines += [f"  {row.system}, {row.task}: {row.form}" for row in self.of_task(task)]
        lines += [f"NOT MEASURED: {system}: {reason}" for system, reason in self.missing.items()]
        if self.others > QUIET:
            lines.append(
                f"THE MACHINE WAS BUSY: other programs used up to {self.others:.2f} cores, "
                "so rates are too low and ratios unsure"
            )
        return "\n".join(lines)

    def of_task(self, task: Task) -> list[Row]:
        return [row for row in self.rows if row.task is task]

    def write(self, path: pathlib.Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.summary(), indent=2) + "\n")

    def summary(self) -> dict[str, Any]:
        rows = []
        for row in self.rows:
            without, escrow = self.ratios(row)
            rows.append(
                {
                    "system": row.system,
                    "task": row.task,
                    "values_per_second": row.median,
                    "rounds": row.rates,
                    "sluis_ratio": without,
                    "sluis_escrow_ratio": escrow,
                    "includes": dataclasses.asdict(row.includes),
                    "form": row.form,
                    "tried": row.tried,
                }
            )
        return {
            "rows": rows,
            "not_measured": self.missing,
            "subjects": self.subjects,
            "identifiers": self.identifiers,
            "seconds": self.seconds,
            "other_cores": self.others,
        }


LEGEND = [
    "values/s   median of the rounds",
    "Sluis/it   rate of Sluis divided by this rate, for the same task",
    "escrow/it  the same for Sluis with durable escrow",
    "mTLS       both sides show certificates",
    "audit      an audit entry is on disk before the answer",
    "escrow     an encrypted row for the way back is on disk before the answer",
    "convert    tokens of one domain can become tokens of another",
    "custody    callers do not get the keys",
]


def cells(name: str, *rest: str) -> str:
    """A line of the table."""
    widths = (11, 9, 9, 6, 11, 9, 8, 8)
    columns = [f"{text:>{width}}" for text, width in zip(rest, widths, strict=True)]
    return " ".join([f"{name:<32}", *columns])


def times(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:,.1f}x" if ratio < 10 else f"{ratio:,.0f}x"

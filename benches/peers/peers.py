#!/usr/bin/env python3
"""Sluis beside what people use instead: same identifiers, same machine, in turn.

    make bench-peers

Each round measures Sluis first and then each peer, so that a machine that becomes slower slows all of them. One table
goes to standard output and a summary into a file; docs/benchmarks.md says how to read them. `run.sh` beside this file
provides Python with the packages of requirements.txt.
"""

import argparse
import importlib
import os
import pathlib
import signal
import sys
import time
from contextlib import ExitStack
from types import FrameType

import sluis
import subjects
from measure import Job, Setting, Unavailable, progress
from report import Report, Row

PEERS = {"openbao": "OpenBao", "postgresql": "PostgreSQL", "script": "Python script", "presidio": "Presidio"}
"""Modules, and what they measure. A module is imported when its peer is chosen."""

EXAMPLES = """\
examples:
  make bench-peers
  make bench-peers ARGS="--quick"
  make bench-peers ARGS="--only openbao --rounds 5 --seconds 10"

Rates of a machine that does other work meanwhile are too low; the table says so. --quick shows that everything runs,
and its numbers are worth little. Ends with 1 if a peer could not be measured; the table says why.
"""

QUIET_LOOK = 0.3
"""Seconds for which the machine is watched before a peer is measured."""


def main() -> int:
    options = parse_options()
    # The servers are ended on the way out.
    signal.signal(signal.SIGTERM, interrupted)
    try:
        report = measure(options)
    except Unavailable as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything that was started has ended", file=sys.stderr)
        return 130
    print(report.table())
    report.write(options.json)
    progress(f"summary: {options.json}")
    return 1 if report.missing else 0


def parse_options() -> argparse.Namespace:
    default_target = pathlib.Path.home() / ".cache" / "sluis" / "target"
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", default_target))
    parser = argparse.ArgumentParser(
        prog="bench-peers",
        description="Measures Sluis and what people use instead, in turn, with the same identifiers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    only = f"only this peer beside Sluis; can be repeated: {', '.join(PEERS)}"
    add("--only", action="append", choices=PEERS, metavar="PEER", help=only)
    add("--rounds", type=positive, default=3, metavar="N", help="rounds; their median counts (default: 3)")
    seconds = "how long each task of a peer is measured in a round (default: 5)"
    add("--seconds", type=positive, default=5, metavar="S", help=seconds)
    escrowed = "subjects that Sluis escrows in a round (default: 2000000)"
    add("--subjects", type=positive, default=2_000_000, metavar="N", help=escrowed)
    add("--quick", action="store_true", help="one round of a second, 200000 subjects")
    summary = "where the summary is written (default: bench/peers.json in the target directory)"
    add("--json", type=pathlib.Path, default=target / "bench" / "peers.json", metavar="FILE", help=summary)
    options = parser.parse_args()
    options.results = target / "bench"
    options.program = target / "release" / "sluis-bench"
    if options.quick:
        options.rounds, options.seconds, options.subjects = 1, 1, 200_000
    return options


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def measure(options: argparse.Namespace) -> Report:
    sluis.check(options.program)
    progress(f"making {subjects.PEERS_COUNT} identifiers ...")
    setting = Setting(subjects.first(subjects.PEERS_COUNT), options.results, trial_seconds=min(2.0, options.seconds))
    rows = [Row(sluis.SYSTEM, case.task, case.includes, case.form) for case in sluis.CASES]
    report = Report(rows, options.subjects, subjects.PEERS_COUNT, options.seconds)
    with ExitStack() as stack:
        jobs = start_peers(options.only or list(PEERS), setting, stack, report)
        peer_rows = [Row(job.system, job.task, job.includes, job.form, job.tried) for job in jobs]
        for number in range(1, options.rounds + 1):
            progress(f"round {number} of {options.rounds}")
            measure_sluis(options, rows, report)
            for job, row in zip(jobs, peer_rows, strict=True):
                measure_peer(job, row, options.seconds, report)
    report.rows += peer_rows
    return report


def start_peers(names: list[str], setting: Setting, stack: ExitStack, report: Report) -> list[Job]:
    """Starts the peers, which end with the stack. The report gets those that cannot run here."""
    jobs = []
    for name in PEERS:
        if name not in names:
            continue
        progress(f"starting {PEERS[name]} ...")
        try:
            jobs += stack.enter_context(importlib.import_module(name).jobs(setting))
        except (Unavailable, ImportError) as problem:
            progress(f"  not possible: {problem}")
            report.missing[PEERS[name]] = str(problem)
    return jobs


def measure_sluis(options: argparse.Namespace, rows: list[Row], report: Report) -> None:
    os.sync()  # What was written before must not cost what is measured now.
    outcome = sluis.run(options.program, options.results, options.subjects)
    report.others = max(report.others, outcome.others)
    for row in rows:
        row.rates.append(outcome.rates[row.task])
        progress(f"  {row.system} {row.task}: {row.rates[-1]:,.0f}/s")


def measure_peer(job: Job, row: Row, seconds: float, report: Report) -> None:
    os.sync()
    report.others = max(report.others, busy_cores())
    row.rates.append(job.measure(seconds))
    progress(f"  {row.system} {row.task}: {row.rates[-1]:,.0f}/s")


def busy_cores() -> float:
    """Cores in use now, while nothing is measured."""
    before = busy_seconds()
    started = time.monotonic()
    time.sleep(QUIET_LOOK)
    return (busy_seconds() - before) / (time.monotonic() - started)


def busy_seconds() -> float:
    """Seconds for which all processors were busy: user, nice, system, interrupts."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = sum(int(fields[at]) for at in (0, 1, 2, 5, 6))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())

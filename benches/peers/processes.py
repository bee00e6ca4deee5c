"""Processes that this program starts, and ends by their ids."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

STOP_SECONDS = 20
"""How long a process may take to end in order."""
LOG_LINES = 15
"""How much of a log an error shows."""


@contextmanager
def scratch(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """A directory below `parent` that is removed afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="peers-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def server(
    command: Sequence[str], log: pathlib.Path, stop: signal.Signals, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs meanwhile. It has a session of its own, so that Ctrl-C reaches this program alone."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            start_new_session=True,
            **as_user(user),
        )
    try:
        yield process
    finally:
        end(process, stop)
        # What it started itself and did not end is still in its group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[Any], stop: signal.Signals) -> None:
    """Ends a process in order, or else at once."""
    if process.poll() is None:
        process.send_signal(stop)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def as_user(user: str | None) -> dict[str, Any]:
    """Arguments of `subprocess` for a process of another user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def tail(log: pathlib.Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])


def free_port() -> int:
    """A port of 127.0.0.1 that is not in use."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

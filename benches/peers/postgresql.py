"""PostgreSQL with pgcrypto: hmac() and encrypt() over a table. A cluster of its own, behind a Unix socket."""

import functools
import math
import os
import pathlib
import pwd
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from measure import NOTHING, Includes, Job, Setting, Task, Unavailable
from processes import as_user, end, scratch, server, tail

SYSTEM = "PostgreSQL + pgcrypto"
PROGRAMS = pathlib.Path("/usr/lib/postgresql")
USER = "postgres"
"""Who runs the server when this program is root, which PostgreSQL refuses. Debian's package makes this user."""
SCRATCH = pathlib.Path("/var/tmp")
"""On disk, and within reach of USER; the target directory may lie below /root."""
CONNECTIONS = 2
START_SECONDS = 60

MAPPING = Includes(mtls="no", audit="no", escrow="in clear", conversion="no", custody="no")
"""The mapping table has identifiers in clear beside their tokens."""


@contextmanager
def jobs(setting: Setting) -> Iterator[list[Job]]:
    """A cluster for as long as its jobs are measured."""
    programs = find_programs()
    user = server_user()
    with scratch(SCRATCH) as home:
        if user is not None:
            os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        make_cluster(programs, home, user)
        log = home / "server.log"
        command = [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-c", "listen_addresses="]
        # Nothing works behind the back of the system that is measured next.
        command += ["-c", "autovacuum=off"]
        with server(command, log, signal.SIGINT, user) as process:
            database = Database(programs, home, user)
            wait_until_up(database, process, log)
            database.load(setting.identifiers)
            yield database_jobs(database, server_version(programs))


def find_programs() -> pathlib.Path:
    """The programs of the newest PostgreSQL with pgcrypto."""
    versions = [path for path in PROGRAMS.glob("*") if path.name.isdecimal() and (path / "bin" / "initdb").exists()]
    for version in sorted(versions, key=lambda path: int(path.name), reverse=True):
        if pathlib.Path(f"/usr/share/postgresql/{version.name}/extension/pgcrypto.control").exists():
            return version / "bin"
    raise Unavailable(f"there is no PostgreSQL with pgcrypto in {PROGRAMS}; on Debian 12, install postgresql-15")


def server_user() -> str | None:
    """Who runs the server, unless that is who runs this program."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise Unavailable(f"there is no user {USER} to run PostgreSQL, which refuses root") from None
    return USER


def server_version(programs: pathlib.Path) -> str:
    text = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\d+\.\d+", text)
    return found.group() if found else "of unknown version"


def make_cluster(programs: pathlib.Path, home: pathlib.Path, user: str | None) -> None:
    # Every process that can enter the directory of the socket is trusted: this program and the server.
    command = [str(programs / "initdb"), "-D", str(home / "data"), "--auth=trust", f"--username={USER}"]
    command += ["--encoding=UTF8", "--locale=C"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=home, **as_user(user))
    if made.returncode != 0:
        raise Unavailable(f"initdb fails: {made.stderr.strip()}")


class Database:
    """The cluster through `psql`, which reads answers faster than a driver of Python."""

    def __init__(self, programs: pathlib.Path, home: pathlib.Path, user: str | None) -> None:
        self.home = home
        self.user = user
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--username={USER}", "--dbname=postgres"]
        self.command = [str(programs / "psql"), *options, f"--host={home}"]
        self.rows = 0

    def start(self, statements: str) -> subprocess.Popen[str]:
        """A connection with work to do. Statements go in as input: arguments are seen by all users of a machine."""
        session = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            **as_user(self.user),
        )
        assert session.stdin is not None
        # A connection that fails reads nothing; `finish` says why.
        with suppress(BrokenPipeError), session.stdin:
            session.stdin.write(statements)
        return session

    def finish(self, session: subprocess.Popen[str]) -> None:
        assert session.stderr is not None
        problem = session.stderr.read()
        if session.wait() != 0:
            first_line = problem.strip().partition("\n")[0]
            raise Unavailable(f"PostgreSQL refuses a statement: {first_line[:300]}")

    def run(self, statements: str) -> None:
        self.finish(self.start(statements))

    def load(self, identifiers: list[str]) -> None:
        """A table of identifiers for each connection."""
        self.rows = len(identifiers)
        self.run("CREATE EXTENSION pgcrypto;")
        for index in range(CONNECTIONS):
            rows = "\n".join(identifiers[index::CONNECTIONS])
            table = f"identifiers_{index}"
            copy = f"COPY {table} FROM STDIN;\n{rows}\n\\."
            self.run(f"CREATE TABLE {table} (bsn text NOT NULL);\n{copy}\nVACUUM ANALYZE {table};\n")
        self.run("CHECKPOINT;")

    def timed(self, statement: str, times: int) -> float:
        """Seconds for doing a statement so often over all connections, each with its own table."""
        started = time.monotonic()
        sessions = []
        try:
            for index in range(CONNECTIONS):
                one = statement.format(table=f"identifiers_{index}")
                sessions.append(self.start(f"{one};\n" * times))
            for session in sessions:
                self.finish(session)
        finally:
            for session in sessions:
                end(session, signal.SIGTERM)
        return time.monotonic() - started


def wait_until_up(database: Database, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            database.run("SELECT 1;")
            return
        except Unavailable:
            time.sleep(0.2)
    raise Unavailable(f"PostgreSQL does not start; its log ends with\n{tail(log)}")


def database_jobs(database: Database, version: str) -> list[Job]:
    key = f"'\\x{secrets.token_hex(32)}'::bytea"
    token = f"encode(hmac(bsn::bytea, {key}, 'sha256'), 'hex')"
    ciphertext = f"encode(encrypt(bsn::bytea, {key}, 'aes'), 'base64')"
    where = f"version {version}, {CONNECTIONS} connections over a Unix socket"
    mapping = f"INSERT INTO mapping SELECT {token}, bsn FROM {{table}}"
    read = "COPY (SELECT {} FROM {{table}}) TO STDOUT"
    return [
        Job(
            system=SYSTEM,
            task=Task.PSEUDONYM,
            includes=NOTHING,
            form=f"hmac() SHA-256 over a table, read by the client; {where}",
            measure=functools.partial(measure_reading, database, read.format(token)),
        ),
        Job(
            system=SYSTEM,
            task=Task.MAPPING,
            includes=MAPPING,
            form=f"hmac() SHA-256 into a table of tokens (primary key) and identifiers, committed; {where}",
            measure=functools.partial(measure_mapping, database, mapping),
        ),
        Job(
            system=SYSTEM,
            task=Task.ENCRYPT,
            includes=NOTHING,
            form=f"encrypt() AES-256-CBC without IV or authentication, read by the client; {where}",
            measure=functools.partial(measure_reading, database, read.format(ciphertext)),
        ),
    ]


def measure_reading(database: Database, statement: str, seconds: float) -> float:
    """Values per second; a first pass that does not count tells how many passes fill the time."""
    times = max(1, math.ceil(seconds / database.timed(statement, 1)))
    return times * database.rows / database.timed(statement, times)


def measure_mapping(database: Database, statement: str, seconds: float) -> float:
    """Values per second into an empty table each time. Emptying it does not count."""
    drop = "DROP TABLE IF EXISTS mapping;"
    took = 0.0
    passes = 0
    while took < seconds:
        database.run(f"{drop}\nCREATE TABLE mapping (token text PRIMARY KEY, bsn text NOT NULL);\nCHECKPOINT;\n")
        took += database.timed(statement, 1)
        passes += 1
    database.run(f"{drop}\nCHECKPOINT;\n")
    return passes * database.rows / took

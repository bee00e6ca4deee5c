"""Presidio anonymizer: its operators `hash` and `encrypt`, through its engine."""

import importlib.metadata
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from presidio_anonymizer import BatchAnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult

from measure import NOTHING, Job, Setting, Task, repeat

SYSTEM = "Presidio anonymizer"
ROWS = 8_192
"""Values of a call."""
ENTITY = "NL_BSN"


@contextmanager
def jobs(setting: Setting) -> Iterator[list[Job]]:
    """Works in this process, on one core. Where the identifier is, is known: no analyser is run."""
    texts: list[Any] = setting.identifiers[:ROWS]
    found = [[RecognizerResult(ENTITY, start=0, end=len(text), score=1.0)] for text in texts]
    engine = BatchAnonymizerEngine()
    where = f"version {importlib.metadata.version('presidio-anonymizer')}, one process"

    def job(task: Task, form: str, operator: OperatorConfig) -> Job:
        operators = {ENTITY: operator}

        def anonymise() -> int:
            return len(engine.anonymize_list(texts, found, operators=operators))

        return Job(SYSTEM, task, NOTHING, form, lambda seconds: repeat(anonymise, seconds))

    salted = OperatorConfig("hash", {"hash_type": "sha256", "salt": os.urandom(32)})
    encrypting = OperatorConfig("encrypt", {"key": os.urandom(32)})
    yield [
        job(Task.PSEUDONYM, f"operator hash, SHA-256 with a secret salt; {where}", salted),
        job(Task.ENCRYPT, f"operator encrypt, AES-256-CBC without authentication; {where}", encrypting),
    ]

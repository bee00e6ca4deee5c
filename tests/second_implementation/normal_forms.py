#!/usr/bin/env python3
"""The normal forms of many values, for tests that compare: reads lines of kind, checksum and the value in hex, and answers each
with the outcome as the vectors have it (`present`, `missing`, or the reason) and the normal form in hex."""

import sys

from verify import compute_normal_form

for line in sys.stdin:
    kind, checksum, value = line.rstrip("\n").split(" ")
    entry = {"identifier_kind": kind, "checksum": checksum, "missing_words": [], "identifier_hex": value}
    answer = compute_normal_form(entry)
    print(answer["outcome"], answer.get("normalised", b"").hex())

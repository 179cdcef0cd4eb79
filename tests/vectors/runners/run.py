#!/usr/bin/env python3
"""Runs the RSA key exchanges of TLS 1.2 with Python's own numbers: replace import_rsa by your code.

`python3 run.py ../tls_rsa_import.json`; exit code 1 when a test fails.
"""
import hmac
import json
import re
import sys


def import_rsa(key, test):
    """What is under test: the master secret, or None where the ciphertext is rejected."""
    n, d, size = int(key["n"], 16), int(key["d"], 16), key["bits"] // 8
    ciphertext = bytes.fromhex(test["encryptedPremaster"])
    if len(ciphertext) != size or int.from_bytes(ciphertext, "big") >= n:
        return None
    block = pow(int.from_bytes(ciphertext, "big"), d, n).to_bytes(size, "big")
    form = re.match(rb"\x00\x02[^\x00]{8,}\x00(.{48})\Z", block, re.DOTALL)
    if not form or form[1][:2].hex() != test["clientVersion"]:
        return None
    seed = b"master secret" + bytes.fromhex(test["clientRandom"] + test["serverRandom"])
    if "sessionHash" in test:
        seed = b"extended master secret" + bytes.fromhex(test["sessionHash"])
    name = "sha384" if test["suite"].endswith("SHA384") else "sha256"
    first = hmac.digest(form[1], seed, name)
    second = hmac.digest(form[1], first, name)
    both = hmac.digest(form[1], first + seed, name) + hmac.digest(form[1], second + seed, name)
    return both[:48].hex()


ran = failed = 0
for group in json.load(open(sys.argv[1]))["testGroups"]:
    for test in (test for test in group["tests"] if test["version"] in ("0303", "fefd")):
        ran += 1
        if import_rsa(group["key"], test) != test.get("masterSecret"):
            failed += 1
            print("failed:", test["tcId"], test["comment"])
print(f"run.py: {ran} tests, {failed} failed")
sys.exit(failed > 0 or ran == 0)

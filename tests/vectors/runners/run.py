#!/usr/bin/env python3
"""Runs RSA key exchanges and their master secrets with code of one's own: replace import_rsa.

`python3 run.py [DIR]`; exit code 1 when a test fails. Only Python's standard library is needed.
"""
import hmac
import json
import pathlib
import sys


def prf(name, secret, seed, length=48):
    """P_hash of RFC 5246 section 5."""
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, name)
        out += hmac.digest(secret, a + seed, name)
    return out[:length]


def import_rsa(key, test):
    """What is under test: the master secret, or None where the ciphertext is rejected."""
    n, d = int(key["n"], 16), int(key["d"], 16)
    ciphertext = bytes.fromhex(test["encryptedPremaster"])
    if len(ciphertext) != key["bits"] // 8 or int.from_bytes(ciphertext, "big") >= n:
        return None
    block = pow(int.from_bytes(ciphertext, "big"), d, n).to_bytes(len(ciphertext), "big")
    padding, separator, premaster = block[2:-49], block[-49], block[-48:]
    if block[:2] != b"\0\2" or 0 in padding or separator or len(padding) < 8:
        return None
    if premaster[:2].hex() != test["clientVersion"]:
        return None
    if "sessionHash" in test:
        seed = b"extended master secret" + bytes.fromhex(test["sessionHash"])
    else:
        seed = b"master secret" + bytes.fromhex(test["clientRandom"] + test["serverRandom"])
    return prf("sha384" if test["suite"].endswith("SHA384") else "sha256", premaster, seed).hex()


folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
ran = failed = 0
for group in json.loads((folder / "tls_rsa_import.json").read_text())["testGroups"]:
    for test in group["tests"]:
        if test["version"] not in ("0303", "fefd"):
            continue  # The PRF of older versions is left out here.
        ran += 1
        if import_rsa(group["key"], test) != test.get("masterSecret"):
            failed += 1
            print(f"tcId {test['tcId']}: {test['comment']}")
print(f"run.py: {ran} tests, {failed} failed")
sys.exit(1 if failed or not ran else 0)

#!/usr/bin/env python3
"""Recomputes every vector of this folder from the RFCs and FIPS, and checks the JSON schemas.

It has only Python's standard library and shares no code with the generator; the ciphers, the
curves and the key schedule are in verifier/. `python3 verify.py [DIR]` exits with 1 when a vector
is wrong.
"""
import hashlib
import hmac
import json
import pathlib
import re
import struct
import sys

from verifier.primitives import (BAD_KEY, TAG_LEN, Aes, Refused, TripleDes, aead, check, chunks,
                                 number, on_curve, rc4, x25519, xor)
from verifier.schedule import (Suite, expand, handshake_hash, master_secret, session_keys,
                               verify_data)


def expect(what, given, computed):
    if given != computed:
        raise AssertionError(f"{what}: the file has {given!r}, computed {computed!r}")


def key_schedule(group, test):
    suite, messages = Suite(group["version"], test["suite"]), test["messages"]
    prf, randoms = suite.prf, (test["clientRandom"], test["serverRandom"])
    master = master_secret(prf, test["premaster"], test)
    expect("prf", test["prf"], prf)
    expect("sessionHash", test.get("sessionHash", own := handshake_hash(prf, messages)), own)
    expect("masterSecret", test["masterSecret"], master)
    expect("keys", (test["keyBlock"], test["keys"]), session_keys(suite, master, *randoms))
    data = [verify_data(prf, master, "client", messages),
            verify_data(prf, master, "server", messages + test["clientFinished"])]
    expect("verify_data", [test["clientVerifyData"], test["serverVerifyData"]], data)
    expect("clientFinished", test["clientFinished"][-len(data[0]):], data[0])
    for use in test["exporters"]:
        context, material = use["context"], use["keyingMaterial"]
        seed = b"" if context is None else struct.pack(">H", len(context)) + context
        found = expand(prf, master, use["label"], b"".join(randoms) + seed, len(material))
        expect("exporter", material, found)


# RSA key exchange: RFC 8017 and RFC 5246 section 7.4.7.1; the fallback is ssl-provider's own.
def rsa_import(group, test):
    key, label = group["key"], b"ssl-provider implicit rejection"
    n, e, d, p, q = (number(key[name]) for name in "nedpq")
    expect("key", [p * q, n.bit_length(), d * e % (p - 1), d * e % (q - 1)], [n, key["bits"], 1, 1])
    expect("pkcs1", [name for name in "nedpq" if key[name] not in key["pkcs1"]], [])
    ciphertext, block, version = test["encryptedPremaster"], b"", test["clientVersion"]
    if len(ciphertext) == len(key["n"]) and (c := number(ciphertext)) < n:
        by_p, by_q = pow(c, d % (p - 1), p), pow(c, d % (q - 1), q)
        plain = (by_p - by_q) * pow(q, -1, p) % p * q + by_q
        expect("RSA", pow(plain, e, n), c)
        block = plain.to_bytes(len(ciphertext), "big")
    form = re.match(rb"\x00\x02[^\x00]{8,}\x00(.{48})\Z", block, re.DOTALL)
    given, premaster = test, form and form[1]
    if not form or premaster[:2] != version:
        given = test["implicitRejection"]
        seed = version + test.get("sessionHash", test["clientRandom"] + test["serverRandom"])
        own = xor(*(hmac.digest(label, key[prime], "sha256") for prime in "pq"))
        secret = hmac.digest(own, ciphertext, "sha256")
        premaster = expand("SHA256", secret, "fallback premaster secret", seed, 48)
    master = master_secret(Suite(test["version"], test["suite"]).prf, premaster, test)
    expect("secrets", (given["premaster"], given["masterSecret"]), (premaster, master))
    check(given is test)


# Key agreement: RFC 5246 section 8.1.2, RFC 8422, RFC 7919 and SP 800-56A.
def agree(group, private, public=None):
    """The secret of a private key and a public one, or else the public key of the private one."""
    if "prime" in group:
        p, y = number(group["prime"]), number(group["generator"] if public is None else public)
        secret = pow(y, number(private), p)
        check(1 < y < p - 1 and 1 < secret < p - 1, BAD_KEY)
        return secret.to_bytes(len(group["prime"]), "big")
    if group["group"] == "x25519":
        return x25519(private, bytes([9] + [0] * 31) if public is None else public)
    product = on_curve(group["group"], private, public)
    return b"\4" + product if public is None else product[:len(product) // 2]


def key_agreement(group, test):
    suite, private = Suite(test["version"], test["suite"]), test["clientPrivate"]
    expect("clientPublic", test["clientPublic"], agree(group, private))
    secret = agree(group, private, test["serverPublic"])
    expect("serverPublic", test["serverPublic"], agree(group, test["serverPrivate"]))
    expect("secret", secret, agree(group, test["serverPrivate"], test["clientPublic"]))
    premaster = secret.lstrip(b"\0") if "prime" in group else secret
    master = master_secret(suite.prf, premaster, test)
    keys = session_keys(suite, master, test["clientRandom"], test["serverRandom"])[1]
    given = test["sharedSecret"], test["premaster"], test["masterSecret"], test["keys"]
    expect("secrets", given, (secret, premaster, master, keys))


# Records: RFC 6101, RFC 5246, RFC 6347, RFC 7366, RFC 5288, RFC 6655 and RFC 7905.
def open_record(group, suite, state, seq, record):
    version, size, key = group["version"], suite.mac_len, group["writeKey"]
    dtls, last = version[0] == 0xfe, group["encryptThenMac"]
    head = 13 if dtls else 5
    kind, body = record[:1], record[head:]
    check(len(body) <= 2**14 + 2048, "record-overflow")
    check(record[1:head] == version + (seq if dtls else b"") + struct.pack(">H", len(body)))

    def mac(data):
        name, secret, length = suite.mac, group["macKey"], struct.pack(">H", len(data))
        if not suite.ssl3:
            return hmac.digest(secret, seq + kind + version + length + data, name)
        pads = 48 if name == "MD5" else 40
        inner = hashlib.new(name, secret + b"\x36" * pads + seq + kind + length + data).digest()
        return hashlib.new(name, secret + b"\x5c" * pads + inner).digest()

    if suite.mode in TAG_LEN:
        start, tag_len = 0 if suite.mode == "POLY1305" else 8, TAG_LEN[suite.mode]
        check(len(body) >= start + tag_len)
        nonce = group["writeIv"] + body[:start] if start else xor(group["writeIv"], bytes(4) + seq)
        sealed, tag = body[start:len(body) - tag_len], body[len(body) - tag_len:]
        aad = seq + kind + version + struct.pack(">H", len(sealed))
        text, found = aead(suite.mode, key, nonce, aad, sealed)
        check(tag == found)
    elif suite.mode == "CBC":
        if last:
            check(len(body) >= size and body[-size:] == mac(body[:-size]))
            body = body[:-size]
        start, block, inner = 0 if suite.chained else suite.block, suite.block, 0 if last else size
        iv, sealed = body[:start] or state["iv"], body[start:]
        check(len(iv) == block and len(sealed) > inner and len(sealed) % block == 0)
        cipher = TripleDes(key) if block == 8 else Aes(key)
        text = b"".join(xor(iv, cipher.decrypt(part)) for iv, part in
                        zip([iv] + chunks(sealed, block), chunks(sealed, block)))
        state["iv"], n = sealed[-block:], text[-1] + 1
        check(n <= min(block if suite.ssl3 else 256, len(text) - inner))
        check(suite.ssl3 or set(text[-n:]) == {n - 1})
        text = text[:-n]
    else:
        text = body if suite.cipher == "NULL" else xor(body, state["rc4"])
    if size and not last:
        check(len(text) >= size and text[-size:] == mac(text[:-size]))
        text = text[:-size]
    check(len(text) <= 2**14, "record-overflow")
    return kind[0], text


def records(group, test):
    suite, before = Suite(group["version"], group["suite"]), test.get("preceding", [])
    state = {"iv": group["writeIv"], "rc4": rc4(group["writeKey"]) if group["writeKey"] else None}
    first = number(test["sequenceNumber"]) - len(before)
    for seq, record in enumerate(before + [test["record"]], first):
        opened = open_record(group, suite, state, seq.to_bytes(8, "big"), record)
    expect("record", (test["contentType"], test["plaintext"]), opened)


# The files.
VERSIONS = {"SSL 3.0": "0300", "TLS 1.0": "0301", "TLS 1.1": "0302", "TLS 1.2": "0303",
            "DTLS 1.0": "feff", "DTLS 1.2": "fefd"}
TEXTS = {"type", "protocol", "suite", "comment", "flags", "result", "class", "label", "prf", "note",
         "group"}
VERIFIERS = {"TlsRsaImport": rsa_import, "TlsKeySchedule": key_schedule, "TlsRecord": records,
             "TlsEcdhe": key_agreement, "TlsDhe": key_agreement}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
         "null": type(None)}


def decode(value, name=""):
    if isinstance(value, dict):
        return {name: decode(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [decode(part, name) for part in value]
    return bytes.fromhex(value) if isinstance(value, str) and name not in TEXTS else value


def conform(value, schema, root, path):
    """Checks the keywords of JSON schema that the schemas here have."""
    schema = root["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if "anyOf" in schema:
        schema = next(s for s in schema["anyOf"] if (value is None) == (s.get("type") == "null"))
        return conform(value, schema, root, path)
    assert isinstance(value, TYPES.get(schema.get("type"), object)), f"{path}: {schema['type']}"
    assert value in schema.get("enum", [value]), f"{path}: {value} is not in the schema"
    assert re.search(schema.get("pattern", ""), str(value)), f"{path}: {value}"
    assert not isinstance(value, int) or value >= schema.get("minimum", 0), path
    if isinstance(value, list):
        for index, part in enumerate(value):
            conform(part, schema["items"], root, f"{path}[{index}]")
    elif isinstance(value, dict):
        assert not set(schema.get("required", [])) - set(value), f"{path}: a field is missing"
        for name, part in value.items():
            more = schema.get("additionalProperties")
            below = schema.get("properties", {}).get(name, more)
            assert below, f"{path}.{name}: not in the schema"
            conform(part, below, root, f"{path}.{name}")


def verify_test(group, test):
    """Returns whether the test is valid and, if it is not, the class of the failure."""
    named = test if "protocol" in test else group
    expect("version", named["version"].hex(), VERSIONS[named["protocol"]])
    try:
        VERIFIERS[group["type"]](group, test)
        return "valid", None
    except Refused as refused:
        return "invalid", refused.args[0]


def verify(path):
    """Prints what is wrong with a file; returns how many tests are valid, invalid and wrong."""
    file, counts, seen = json.loads(path.read_text()), {"valid": 0, "invalid": 0, "wrong": 0}, set()
    schema = json.loads((path.parent / file["schema"]).read_text())
    conform(file, schema, schema, path.name)
    for group in decode(file["testGroups"]):
        for test in group["tests"]:
            try:
                expect("result", (test["result"], test.get("class")), verify_test(group, test))
                expect("flags", set(test["flags"]) - set(file["notes"]), set())
                expect("tcId", test["tcId"] in seen, False)
                counts[test["result"]] += 1
            except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                print(f"{path.name} tcId {test['tcId']} ({test['comment']}): {error!r:.500}")
                counts["wrong"] += 1
            seen.add(test["tcId"])
    expect("numberOfTests", file["numberOfTests"], len(seen))
    return counts


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    wrong, paths = 0, sorted(folder.glob("*.json"))
    for path in paths:
        try:
            counts = verify(path)
        except (AssertionError, LookupError, OSError, ValueError) as error:
            print(f"{path.name}: {error!r:.500}")
            counts = {"valid": 0, "invalid": 0, "wrong": 1}
        print(path.name, *(f"{count} {name}" for name, count in counts.items()), sep="  ")
        wrong += counts["wrong"]
    if wrong or not paths:
        sys.exit(f"{wrong} wrong in {len(paths)} files of {folder}")


if __name__ == "__main__":
    main()

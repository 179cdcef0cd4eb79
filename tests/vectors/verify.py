#!/usr/bin/env python3
"""Recomputes every vector of this folder from the RFCs and FIPS, with Python's standard library.

It shares no code with the generator, is slow, and is not for use elsewhere. Lengths are in bytes.
`python3 verify.py [DIR]` exits with 1 when a vector is wrong. `primitives.py` has the ciphers and
curves that the library lacks.
"""
import hashlib, hmac, json, pathlib, re, sys
from primitives import CURVES, TAG_LEN, aead, be, chunks, decrypt, multiply, number, rc4, xor

class Refused(Exception):
    """What must be refused; its argument is the class of the failure."""

def check(condition, failure="must-look-like-any-other-failure"):
    if not condition: raise Refused(failure)

def expect(given, **computed):
    for name, own in computed.items():
        assert given[name] == own, f"{name}: the file has {given[name]!r}, computed {own!r}"

def digest(data, *names): return b"".join(hashlib.new(name, data).digest() for name in names)

# Cipher suites by their names. Lengths of keys and blocks; other ciphers have blocks of 16.
CIPHERS = {"NULL": (0, 0), "RC4": (16, 0), "DES40": (8, 8), "DES": (8, 8), "3DES": (24, 8),
           "RC2": (16, 8), "IDEA": (16, 8), "CHACHA20": (32, 0)}

class Suite:
    def __init__(self, version, name):
        exchange, cipher, rest = re.match("TLS_(.+)_WITH_([A-Z0-9]+)_(.+)", name).groups()
        self.mode = next((mode for mode in [*TAG_LEN, "CBC"] if mode in rest), "STREAM")
        self.mac = "SHA1" if rest.endswith("SHA") else rest.split("_")[-1]
        self.mac_len = 0 if self.mode in TAG_LEN else len(digest(b"", self.mac))
        self.key_len, self.block = CIPHERS.get(cipher, (32 if "256_" in rest else 16, 16))
        early = version in (b"\3\0", b"\3\1")
        self.iv_len = {"CBC": self.block * early, "STREAM": 0, "POLY1305": 12}.get(self.mode, 4)
        short = {"RSA_EXPORT": 5, "RSA_EXPORT1024": 7 if cipher == "RC4" else 8}
        own, self.export_len = "SHA384" if self.mac == "SHA384" else "SHA256", short.get(exchange)
        self.prf = {b"\3\0": "SSL3", b"\3\3": own, b"\xfe\xfd": own}.get(version, "MD5+SHA1")
        self.hashes = ("MD5", "SHA1") if self.prf in ("SSL3", "MD5+SHA1") else (own,)

# The key schedule: RFC 6101, RFC 2246, RFC 5246, RFC 5705 and RFC 7627.
def expand(prf, secret, label, seed, length):
    if prf == "SSL3":
        inner = (digest(bytes([65 + i] * (i + 1)) + secret + seed, "SHA1") for i in range(26))
        return b"".join(digest(secret + part, "MD5") for part in inner)[:length]
    if prf == "MD5+SHA1":
        halves = secret[:(len(secret) + 1) // 2], secret[len(secret) // 2:]
        return xor(*(expand(*half, label, seed, length) for half in zip(("MD5", "SHA1"), halves)))
    out, a = b"", (seed := label.encode() + seed)
    while len(out) < length:
        a = hmac.digest(secret, a, prf)
        out += hmac.digest(secret, a + seed, prf)
    return out[:length]

def derive(suite, test, premaster):
    """The master secret, the key block and the keys, which export suites expand again."""
    prf, key, iv, short = suite.prf, suite.key_len, suite.iv_len, suite.export_len
    client, server = test["clientRandom"], test["serverRandom"]
    ahead, back = client + server, server + client
    label = "extended master secret" if "sessionHash" in test else "master secret"
    master = expand(prf, premaster, label, test.get("sessionHash", ahead), 48)
    lens = [suite.mac_len] * 2 + ([short, short, 0, 0] if short else [key, key, iv, iv])
    block = expand(prf, master, "key expansion", back, sum(lens))
    parts = [block[sum(lens[:i]):sum(lens[:i + 1])] for i in range(6)]
    if short and prf == "SSL3":
        seeds = (parts[2] + ahead, key), (parts[3] + back, key), (ahead, iv), (back, iv)
        parts[2:] = [digest(seed, "MD5")[:length] for seed, length in seeds]
    elif short:
        ivs = expand(prf, b"", "IV block", ahead, 2 * iv)
        parts[2:] = [expand(prf, parts[2], "client write key", ahead, key),
                     expand(prf, parts[3], "server write key", ahead, key), ivs[:iv], ivs[iv:]]
    names = "clientMacKey serverMacKey clientWriteKey serverWriteKey clientWriteIv serverWriteIv"
    return master, block, dict(zip(names.split(), parts))

def ssl3_digest(name, secret, before, after):
    pads = 48 if name == "MD5" else 40
    inner = digest(before + secret + b"\x36" * pads + after, name)
    return digest(secret + b"\x5c" * pads + inner, name)

def key_schedule(suite, test):
    prf, hashes, messages, sent = suite.prf, suite.hashes, test["messages"], test["clientFinished"]
    master, block, keys = derive(suite, test, test["premaster"])
    def verify_data(side, sender, data):
        if prf != "SSL3": return expand(prf, master, side + " finished", digest(data, *hashes), 12)
        return b"".join(ssl3_digest(name, master, data + sender, b"") for name in hashes)
    client = verify_data("client", b"CLNT", messages)
    server = verify_data("server", b"SRVR", messages + sent)
    expect(test, prf=prf, masterSecret=master, keyBlock=block, keys=keys, clientVerifyData=client,
           serverVerifyData=server, clientFinished=sent[:-len(client)] + client)
    if "sessionHash" in test: expect(test, sessionHash=digest(messages, *hashes))
    for use in test["exporters"]:
        context, seed = use["context"], test["clientRandom"] + test["serverRandom"]
        seed += b"" if context is None else be(len(context), 2) + context
        material = expand(prf, master, use["label"], seed, len(use["keyingMaterial"]))
        expect(use, keyingMaterial=material)

# RSA key exchange: RFC 8017 and RFC 5246 section 7.4.7.1; the fallback is ssl-provider's own.
def rsa_import(suite, test):
    key, ciphertext, version = test["key"], test["encryptedPremaster"], test["clientVersion"]
    n, e, d, p, q = (number(key[name]) for name in "nedpq")
    assert p * q == n and d * e % (p - 1) == d * e % (q - 1) == 1 and n.bit_length() == key["bits"]
    assert all(key[name] in key["pkcs1"] for name in "nedpq"), "pkcs1"
    by_p, by_q = (pow(number(ciphertext), d % (prime - 1), prime) for prime in (p, q))
    block, given = be((by_p - by_q) * pow(q, -1, p) % p * q + by_q, len(key["n"])), test
    form = re.match(rb"\x00\x02[^\x00]{8,}\x00(.{48})\Z", block, re.DOTALL)
    in_range, premaster = len(ciphertext) == len(block) and number(ciphertext) < n, form and form[1]
    if not form or premaster[:2] != version or not in_range:
        given, label = test["implicitRejection"], b"ssl-provider implicit rejection"
        own = xor(*(hmac.digest(label, key[prime], "sha256") for prime in "pq"))
        seed = version + test.get("sessionHash", test["clientRandom"] + test["serverRandom"])
        secret = hmac.digest(own, ciphertext, "sha256")
        premaster = expand("SHA256", secret, "fallback premaster secret", seed, 48)
    expect(given, premaster=premaster, masterSecret=derive(suite, test, premaster)[0])
    check(given is test)

# Key agreement: RFC 5246 section 8.1.2, RFC 7748, RFC 7919, RFC 8422 and SP 800-56A.
def key_agreement(suite, test):
    expect(test, clientPublic=agree(test, test["clientPrivate"]))
    secret = agree(test, test["clientPrivate"], test["serverPublic"])
    expect(test, serverPublic=agree(test, test["serverPrivate"]))
    secret = secret[1:1 + len(secret) // 2] if test["group"] in CURVES else secret
    premaster = secret.lstrip(b"\0") if "prime" in test else secret
    master, _, keys = derive(suite, test, premaster)
    expect(test, sharedSecret=secret, premaster=premaster, masterSecret=master, keys=keys)

def agree(group, private, public=None):
    """A private key times a public one or else the generator, encoded like a public key."""
    k, bad = number(private), "invalid-public-key"
    if "prime" in group:
        p, y = number(group["prime"]), number(group["generator"] if public is None else public)
        check(1 < y < p - 1 and 1 < (secret := pow(y, k, p)) < p - 1, bad)
        return be(secret, len(group["prime"]))
    if group["group"] == "x25519":  # The curve on which (u, 1) is: Curve25519 or its twist.
        k, p = number(private, "little") % 2**254 & ~7 | 2**254, 2**255 - 19
        public = be(9, 1) + bytes(31) if public is None else public
        u = number(public, "little") % 2**255 % p
        check(len(public) == 32 and (scale := (u**3 + 486662 * u**2 + u) % p), bad)
        check(point := multiply(k, (u, 1), p, 1, 486662, scale), bad)
        return point[0].to_bytes(32, "little")
    size = len(CURVES[group["group"]]) // 4
    p, a, x, y = (number(part) for part in chunks(CURVES[group["group"]], size))
    u, v = x, y
    if public is not None:
        check(len(public) == 1 + 2 * size and public[0] == 4, bad)
        u, v = (number(part) for part in chunks(public[1:], size))
        check(max(u, v) < p and (v**2 - u**3 - a * u - y**2 + x**3 + a * x) % p == 0, bad)
    check(point := multiply(k, (u, v), p, a), bad)
    return b"\4" + b"".join(be(part, size) for part in point)

# Records: RFC 6101, RFC 5246, RFC 6347, RFC 7366, RFC 5288, RFC 6655 and RFC 7905.
def records(suite, test):
    version, key, iv = test["version"], test["writeKey"], test["writeIv"]
    size, block, ssl3, etm = suite.mac_len, suite.block, suite.prf == "SSL3", test["encryptThenMac"]
    before, stream, head = test.get("preceding", []), rc4(key), 13 if version[0] == 0xfe else 5
    def without_mac(data):
        check(len(data) >= size)
        data, mac = data[:len(data) - size], data[len(data) - size:]
        secret, covered = test["macKey"], be(len(data), 2) + data
        check(mac == (ssl3_digest(suite.mac, secret, b"", seq + kind + covered) if ssl3 else
                      hmac.digest(secret, seq + kind + version + covered, suite.mac)))
        return data
    for i, record in enumerate(before + [test["record"]]):
        seq = be(number(test["sequenceNumber"]) - len(before) + i, 8)
        kind, body = record[:1], record[head:]
        check(len(body) <= 2**14 + 2048, "record-overflow")
        check(record[1:head] == version + seq[:head - 5] + be(len(body), 2))
        if suite.mode in TAG_LEN:
            start, end = 0 if suite.mode == "POLY1305" else 8, len(body) - TAG_LEN[suite.mode]
            check(end >= start)
            nonce = iv + body[:8] if start else xor(iv, bytes(4) + seq)
            aad = seq + kind + version + be(end - start, 2)
            text, tag = aead(suite.mode, key, nonce, aad, body[start:end])
            check(tag == body[end:])
        elif suite.mode == "CBC":
            body = (iv if suite.iv_len else b"") + (without_mac(body) if etm else body)
            inner, blocks = 0 if etm else size, chunks(body, block)
            check(len(body) > block + inner and len(body) % block == 0)
            text = b"".join(xor(a, decrypt(key, b)) for a, b in zip(blocks, blocks[1:]))
            iv, n = blocks[-1], text[-1] + 1
            check(n <= min(block if ssl3 else 256, len(text) - inner))
            check(ssl3 or set(text[-n:]) == {n - 1})
            text = text[:-n] if etm else without_mac(text[:-n])
        else:
            text = without_mac(xor(body, stream) if key else body)
        check(len(text) <= 2**14, "record-overflow")
    expect(test, contentType=kind[0], plaintext=text)

# TLS 1.3: RFC 8446 and RFC 5869.
class Suite13:
    def __init__(self, version, name):
        self.hash, self.mode = name.split("_")[-1], next(mode for mode in TAG_LEN if mode in name)
        self.key_len = 32 if re.search("256_|CHACHA20", name) else 16

def expand_label(suite, secret, label, context, length=None):
    length = len(digest(b"", suite.hash)) if length is None else length
    info = be(length, 2) + be(6 + len(label), 1) + b"tls13 " + label.encode()
    info, out, block = info + be(len(context), 1) + context, b"", b""
    for i in range(length // 32 + 1):
        block = hmac.digest(secret, block + info + bytes([i + 1]), suite.hash)
        out += block
    return out[:length]

def tls13_key_schedule(suite, test):
    name, sent, psk = suite.hash, test["messages"], test.get("psk")
    zeros, empty = bytes(len(digest(b"", name))), digest(b"", name)
    names = "clientHello serverHello serverFlight serverFinished clientFlight clientFinished"
    assert sent["serverFinished"][4:] == test["serverVerifyData"], "serverFinished"
    assert sent["clientFinished"][4:] == test["clientVerifyData"], "clientFinished"
    before = b""
    if "retriedClientHello" in sent:
        before = b"\xfe\0\0" + be(len(zeros), 1) + digest(sent["retriedClientHello"], name)
        before += sent["helloRetryRequest"]
    def up_to(count):
        return digest(before + b"".join(sent[part] for part in names.split()[:count]), name)
    def derive(secret, label, context=empty): return expand_label(suite, secret, label, context)
    def finished(secret, context):
        return hmac.digest(derive(secret, "finished", b""), context, name)
    early = hmac.digest(b"", psk["key"] if psk else zeros, name)
    shared = test.get("sharedSecret", zeros)
    handshake = hmac.digest(derive(early, "derived"), shared, name)
    master = hmac.digest(derive(handshake, "derived"), zeros, name)
    if psk:
        length = psk["bindersLength"]
        binder_key = derive(early, psk["origin"][:3] + " binder")
        truncated, binders = sent["clientHello"][:-length], sent["clientHello"][-length:]
        binder = finished(binder_key, digest(before + truncated, name))
        assert binders == be(length - 2, 2) + be(length - 3, 1) + binder, "binders of clientHello"
        expect(psk, binderKey=binder_key, binder=binder,
               clientEarlyTrafficSecret=derive(early, "c e traffic", up_to(1)),
               earlyExporterMasterSecret=derive(early, "e exp master", up_to(1)))
    client, server = (derive(handshake, side + " hs traffic", up_to(2)) for side in "cs")
    def updates(side, known):
        chain = [derive(master, side + " ap traffic", up_to(4))]
        while len(chain) < len(known): chain.append(derive(chain[-1], "traffic upd", b""))
        return chain
    of_client, of_server = (side + "ApplicationTrafficSecrets" for side in ("client", "server"))
    exporter = derive(master, "exp master", up_to(4))
    resumption = derive(master, "res master", up_to(6))
    expect(test, hash=name, earlySecret=early, handshakeSecret=handshake, masterSecret=master,
           clientHandshakeTrafficSecret=client, serverHandshakeTrafficSecret=server,
           serverVerifyData=finished(server, up_to(3)), clientVerifyData=finished(client, up_to(5)),
           exporterMasterSecret=exporter, resumptionMasterSecret=resumption,
           resumptionPsk=derive(resumption, "resumption", test["ticketNonce"]),
           **{of_client: updates("c", test[of_client]), of_server: updates("s", test[of_server])})
    use = test["exporter"]
    context, length = digest(use["context"] or b"", name), len(use["keyingMaterial"])
    secret = derive(exporter, use["label"])
    expect(use, keyingMaterial=expand_label(suite, secret, "exporter", context, length))

def tls13_records(suite, test):
    secret, record = test["trafficSecret"], test["record"]
    key = expand_label(suite, secret, "key", b"", suite.key_len)
    iv = expand_label(suite, secret, "iv", b"", 12)
    expect(test, writeKey=key, writeIv=iv)
    head, body, end = record[:5], record[5:], len(record) - 5 - TAG_LEN[suite.mode]
    check(len(body) <= 2**14 + 256, "record-overflow")
    check(head == b"\x17\3\3" + be(len(body), 2) and end >= 0)
    nonce = xor(iv, bytes(4) + test["sequenceNumber"])
    text, tag = aead(suite.mode, key, nonce, head, body[:end])
    check(tag == body[end:])
    check(len(text) <= 2**14 + 1, "record-overflow")
    text = text.rstrip(b"\0")
    check(text and text[-1] != 20 and text not in (b"\x15", b"\x16"), "unexpected-message")
    expect(test, contentType=text[-1], plaintext=text[:-1])

# The files.
VERSIONS = {"SSL 3.0": b"\3\0", "TLS 1.0": b"\3\1", "TLS 1.1": b"\3\2", "TLS 1.2": b"\3\3",
            "TLS 1.3": b"\3\4", "DTLS 1.0": b"\xfe\xff", "DTLS 1.2": b"\xfe\xfd"}
VERIFIERS = {"TlsRsaImport": rsa_import, "TlsKeySchedule": key_schedule, "TlsRecord": records,
             "TlsEcdhe": key_agreement, "TlsDhe": key_agreement,
             "Tls13KeySchedule": tls13_key_schedule, "Tls13Record": tls13_records}
TEXTS = "type protocol suite comment flags result class label prf note group hash origin".split()

def decode(value, name=None):
    """Makes bytes of hexadecimal, which is what every string is that is not in TEXTS."""
    if isinstance(value, dict): return {name: decode(part, name) for name, part in value.items()}
    if isinstance(value, list): return [decode(part, name) for part in value]
    return bytes.fromhex(value) if isinstance(value, str) and name not in TEXTS else value

def verify(test):
    """Whether a test is valid and, if it is not, the class of the failure."""
    expect(test, version=VERSIONS[test["protocol"]])
    try:
        suite = Suite13 if test["version"] == b"\3\4" else Suite
        VERIFIERS[test["type"]](suite(test["version"], test["suite"]), test)
        return "valid", None
    except Refused as refused:
        return "invalid", str(refused)

def verify_file(path):
    """Prints what is wrong; returns how many tests are valid, invalid and wrong."""
    file, last, counts = json.loads(path.read_text()), 0, {"valid": 0, "invalid": 0, "wrong": 0}
    tests = [(group, test) for group in file["testGroups"] for test in group.pop("tests")]
    for group, test in tests:
        try:
            assert test["tcId"] > last, "tcId is not in order"
            assert set(test["flags"]) <= set(file["notes"]), "flags without a note"
            found = verify(decode({**group, **test}))
            assert found == (test["result"], test.get("class")), f"result: computed {found}"
            counts[test["result"]] += 1
        except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            counts["wrong"] += 1
            print(f"{path.name} tcId {test.get('tcId')} ({test.get('comment')}): {error!r:.500}")
        last = test.get("tcId", last)
    expect(file, numberOfTests=len(tests))
    return counts

def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    wrong, paths = 0, sorted(folder.glob("*.json"))
    for path in paths:
        try:
            counts = verify_file(path)
        except (AssertionError, LookupError, OSError, TypeError, ValueError) as error:
            counts = {"valid": 0, "invalid": 0, "wrong": 1}
            print(f"{path.name}: {error!r:.500}")
        print(path.name, *(f"{count} {name}" for name, count in counts.items()), sep="  ")
        wrong += counts["wrong"]
    if wrong or not paths:
        sys.exit(f"{wrong} wrong in {len(paths)} files of {folder}")

if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Recomputes every vector of this folder from the RFCs and FIPS, with Python's standard library.

It shares no code with the generator, is slow, and is not for use elsewhere. Lengths are in bytes.
`python3 verify.py [DIR]` exits with 1 when a vector is wrong.
"""
import base64, functools, hashlib, hmac, itertools, json, pathlib, re, struct, sys

class Refused(Exception):
    """What must be refused; its argument is the class of the failure."""

def check(condition, failure="must-look-like-any-other-failure"):
    if not condition: raise Refused(failure)

def expect(given, **computed):
    for name, own in computed.items():
        assert given[name] == own, f"{name}: the file has {given[name]!r}, computed {own!r}"

def xor(a, b): return bytes(x ^ y for x, y in zip(a, b))
def chunks(data, size): return [data[i:i + size] for i in range(0, len(data), size)]
def pad(data): return data + bytes(-len(data) % 16)
def number(data, order="big"): return int.from_bytes(data, order)
def be(value, size): return value.to_bytes(size, "big")
def digest(data, *names): return b"".join(hashlib.new(name, data).digest() for name in names)

# Cipher suites by their names. Lengths of keys and blocks; other ciphers have blocks of 16.
CIPHERS = {"NULL": (0, 0), "RC4": (16, 0), "DES40": (8, 8), "DES": (8, 8), "3DES": (24, 8),
           "RC2": (16, 8), "IDEA": (16, 8), "CHACHA20": (32, 0)}
TAG_LEN = {"GCM": 16, "CCM_8": 8, "CCM": 16, "POLY1305": 16}

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
        return multiply(k, (u, 1), p, 1, 486662, scale)[0].to_bytes(32, "little")
    size = len(CURVES[group["group"]]) // 4
    p, a, x, y = (number(part) for part in chunks(CURVES[group["group"]], size))
    u, v = x, y
    if public is not None:
        check(len(public) == 1 + 2 * size and public[0] == 4, bad)
        u, v = (number(part) for part in chunks(public[1:], size))
        check(max(u, v) < p and (v**2 - u**3 - a * u - y**2 + x**3 + a * x) % p == 0, bad)
    return b"\4" + b"".join(be(part, size) for part in multiply(k, (u, v), p, a))

def multiply(k, point, p, a, c=0, scale=1):
    """k times a point of the curve scale y^2 = x^3 + c x^2 + a x + b modulo p."""
    total = point
    for bit in f"{k:b}"[1:]:
        for x, y in [total, point][:1 + int(bit)]:  # Doubles, then adds.
            rise, run = total[1] - y, total[0] - x
            if (x, y) == total: rise, run = (3 * x + 2 * c) * x + a, 2 * scale * y
            check(run % p, "invalid-public-key")
            slope = rise * pow(run, -1, p)
            third = (scale * slope**2 - c - x - total[0]) % p
            total = third, (slope * (x - third) - y) % p
    return total

# p, a, and x and y of the generator, of equal length, in base64 (FIPS 186, SEC 2 and RFC 5639).
CURVES = {name: base64.b64decode(row) for name, row in (row.split(" ") for row in """
secp256r1 /////wAAAAEAAAAAAAAAAAAAAAD/////////////////////AAAAAQAAAAAAAAAAAAAAAP///////////////GsX0f
LhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=,secp384r1 ///////
///////////////////////////////////7/////AAAAAAAAAAD///////////////////////////////////////////////7
/////AAAAAAAAAAD////8qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3NhfeSpYmLG9dnpi
/kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f,secp521r1 Af//////////////////////////////////////
////////////////////////////////////////////////Af//////////////////////////////////////////////////
///////////////////////////////////8AMaFjga3BATpzZ4+y2YjlbRCnGSBOQU/tSH4KK9ga009uqFLXnfv51ko/h3BJ6L/
qN4zSLPBhWpCm/l+fjHC5b1mARg5KWp4mjvABFyKX7QsfRvZmPVESVebRGgXr70XJz5mLJfucple9CZAxVC5AT+tB2E1PHCGonLC
QIi+lHaf0WZQ,brainpoolP256r1 qftX26Huqbw+ZgqQnYONcm479iPVJiAoIBNIHR9uU3d9Wgl1/CwwV+72dTBBev/n+4BVwSb
cXGzpSktE8zC12YvSrrnLflfLLEtIL/yBt6+53ifh470jwjpEU72azjJiVH74NcPaxP2X+EYaFGEdycJ3RRMt7Y5UXB1Uxy8EaZc
=,brainpoolP384r1 jLkegqM4bSgPXW9+UOZB3xUvcQntVFa0ErHaGX+3ESOs06cpkB0acYdHABMxB+xTe8OCxj2MFQw8cggKzg
WvoMK+oo5PsieHE5Fl77qR+Q+KpYFKUDrU6wSox90izigmHRxk8GjPRf+ipjqBt8E/a4hHo+d+8U/j23/K/gy9EOjoJuA0NtZGqu
+HsuJH1K8eir4ddSD5wqRcseuOlc/VUmK3Cyn+7Fhk4ZwFT/mRKSgORkYhd5GBEUKCA0EmPFMV,brainpoolP512r1 qt2duNvpx
Is/1OauM8n8B8swjbOzydIO1mOcynAzCHF9TZsAm8ZoQq7NoSrmo4DmKIH/Ly2CxoUoqmBWWDpI83gwozGLYDuJ4jJxRawjTMWUy
92NPfkWEKg0QcrqmGO8Le1dWqglOqEKLvHJi5rItX8RF6cr8se558GsTXf8lMqBruS92C7ZZFohMi6cTGqThe2fcLXZFsG0O2Lu9
NAJjv87H3ji0NSNUNFoe5O5fV98bVBHQGpeaIs1Igm8ufgifd44XVZjMuzA6r+pz3gi/fIJ9wAkpXsaoADFW4gfgRGy3N5JSl9IX
lvKS9iKJ2Ou0corL6jwVAZ4zR4POtgIkg==,secp256k1 /////////////////////////////////////v///C8AAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHm+Zn753LusVaBilc6HCwcCm/zbLc4o2VnygVsW+BeYSDradyajxGVdpPv8DhEIqP0XtE
imhVQZnEfQj/sQ1Lg=
""".replace("\n", "").split(","))}

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

# RC4, ChaCha20-Poly1305 (RFC 8439), GCM (SP 800-38D) and CCM (SP 800-38C).
def rc4(key):
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    j = 0
    for i in itertools.cycle([*range(1, 256), 0]):
        j = (j + s[i]) % 256
        s[i], s[j] = s[j], s[i]
        yield s[(s[i] + s[j]) % 256]

def chacha20(key, nonce, counter):
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    w, mask = list(start), 2**32 - 1
    for s, i in itertools.product((0, 1) * 10, range(4)):
        a, b, c, d = i, 4 + (i + s) % 4, 8 + (i + 2 * s) % 4, 12 + (i + 3 * s) % 4
        for x, y, z, n in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
            w[x] = w[x] + w[y] & mask
            w[z] = (w[z] ^ w[x]) << n & mask | (w[z] ^ w[x]) >> 32 - n
    return struct.pack("<16I", *(x + y & mask for x, y in zip(start, w)))

def aead(mode, key, nonce, aad, text):
    """The plaintext and the tag of a ciphertext."""
    def block(i):
        if mode == "POLY1305": return chacha20(key, nonce, i)
        return aes(key, nonce + be(i + 1, 4) if mode == "GCM" else b"\2" + nonce + be(i, 3))
    plain = xor(text, itertools.chain.from_iterable(map(block, itertools.count(1))))
    first, total, lens = block(0), 0, (len(aad), len(text))
    if mode == "POLY1305":
        r, s = number(first[:16], "little"), number(first[16:32], "little")
        for part in chunks(pad(aad) + pad(text) + struct.pack("<QQ", *lens), 16):
            total += number(part + b"\1", "little")
            total = total * (r & 0x0ffffffc0ffffffc0ffffffc0fffffff) % (2**130 - 5)
        return plain, ((total + s) % 2**128).to_bytes(16, "little")
    if mode == "GCM":
        h = number(aes(key, bytes(16)))
        for part in chunks(pad(aad) + pad(text) + be(lens[0] << 67 | lens[1] << 3, 16), 16):
            x, v, total = total ^ number(part), h, 0
            for bit in f"{x:0128b}":
                total, v = total ^ v * int(bit), v >> 1 ^ (0xe1 << 120) * (v & 1)
        return plain, xor(be(total, 16), first)
    mac, head = bytes(16), bytes([0x42 + 4 * (TAG_LEN[mode] - 2)]) + nonce + be(lens[1], 3)
    for part in chunks(head + pad(be(lens[0], 2) + aad) + pad(plain), 16):
        mac = aes(key, xor(mac, part))
    return plain, xor(mac, first)[:TAG_LEN[mode]]

# AES (FIPS 197).
def gf(a, b): return b and gf(a << 1 ^ (a >> 7) * 0x11b, b >> 1) ^ a * (b & 1)
MUL = {m: bytes(gf(x, m) for x in range(256)) for m in (1, 2, 3, 9, 11, 13, 14)}
TWICE = [257 * next((y for y in range(256) if gf(x, y) == 1), 0) for x in range(256)]
SBOX = bytes((y >> 4 ^ y >> 5 ^ y >> 6 ^ y >> 7 ^ y) & 255 ^ 99 for y in TWICE)
UNSBOX, RCON = bytes(map(SBOX.index, range(256))), bytes.fromhex("0001020408102040801b36")

def aes_keys(key):
    words, n = chunks(key, 4), len(key) // 4
    for i in range(n, 4 * n + 28):
        word = words[-1].translate(SBOX) if i % n == 0 or n == 8 and i % 8 == 4 else words[-1]
        if i % n == 0: word = xor(word[1:] + word[:1], [RCON[i // n], 0, 0, 0])
        words.append(xor(words[-n], word))
    return chunks(b"".join(words), 16)

def mix(s, row):
    turned = (bytes(s[i & 12 | i + k & 3] for i in range(16)) for k in range(4))
    return functools.reduce(xor, (part.translate(MUL[m]) for m, part in zip(row, turned)))

def aes(key, s, way=1):
    """Encrypts a block, or decrypts it when `way` is -1."""
    box, step, row = (SBOX, 5, (2, 3, 1, 1)) if way == 1 else (UNSBOX, 13, (14, 11, 13, 9))
    first, *middle, last = aes_keys(key)[::way]
    s = xor(s, first)
    for key in middle:
        s = bytes(box[s[step * i % 16]] for i in range(16))
        s = xor(mix(s, row), key) if way == 1 else mix(xor(s, key), row)
    return xor((box[s[step * i % 16]] for i in range(16)), last)

# Triple DES (FIPS 46-3). TABLES has PC-2, P and the S-boxes.
def columns(*starts): return [start - 8 * j for start in starts for j in range(8)]
IP = columns(58, 60, 62, 64, 57, 59, 61, 63)
FP = [IP.index(i) + 1 for i in range(1, 65)]
PC1 = columns(57, 58, 59, 60)[:28] + columns(63, 62, 61, 28)[:28]
TABLES = base64.b64decode("""
DhELGAEFAxwPBhUKFxMMBBoIEAcbFA0CKTQfJS83HigzLSEwLDEnOCI1LioyJB0gEAcUFR0MHBEBDxcaBRIfCgIIGA4gGwMJEw0e
BhYLBBnk0S+4OmxZBw904tGmy5U4QejWK/yXOlD8gkkXWz6gbfGOazSXLcBaPUfyjsAaabUOe6TRWMaTL9ihP0K2fAXpoJ5j9R3H
tCjXCTRqKF7L8dZJjzCxLFrnGtBph0/jtSx94waaEoW8T9i1bwNHLBrpppDLffE+UoQ/BqHYlFvHLixBeraFP9Dp6yxH0VD6OYZC
G614+cVjDrjHHi1vCaRTwa+SaA0051uvQnyVYd4LOJ71KMNwSh22QyyV+r4XYI1LLvCNPJdaYdC3SRrjXC+GFL3Dfq9oBZJr2BSn
lQ/iPNKEb7GpPlDHH9ijdMVrDpJ7QZziBq3zWCHnSo38kDVr""")
PC2, P, BOXES = TABLES[:48], TABLES[48:80], chunks(TABLES[80:].hex(), 64)

def pick(bits, places): return "".join(bits[place - 1] for place in places)

def des_keys(key):
    bits = pick(f"{number(key):064b}", PC1)
    c, d, turns = bits[:28], bits[28:], itertools.accumulate(map(int, "1122222212222221"))
    return [int(pick(c[n:] + c[:n] + d[n:] + d[:n], PC2), 2) for n in turns]

def des(block, keys):
    left, right = divmod(int(pick(f"{block:064b}", IP), 2), 2**32)
    for key in keys:
        wide = (right & 1) << 33 | right << 1 | right >> 31
        sixes = [(wide >> 28 - 4 * i ^ key >> 42 - 6 * i) & 63 for i in range(8)]
        out = "".join(b[(s >> 5 << 1 | s & 1) << 4 | s >> 1 & 15] for b, s in zip(BOXES, sixes))
        left, right = right, left ^ int(pick(f"{int(out, 16):032b}", P), 2)
    return int(pick(f"{right:032b}{left:032b}", FP), 2)

def decrypt(key, block):
    """A block of AES or, when it has 8 bytes, of Triple DES."""
    if len(block) == 16: return aes(key, block, -1)
    first, second, third = map(des_keys, chunks(key, 8))
    return be(des(des(des(number(block), third[::-1]), second), first[::-1]), 8)

# The files.
VERSIONS = {"SSL 3.0": b"\3\0", "TLS 1.0": b"\3\1", "TLS 1.1": b"\3\2", "TLS 1.2": b"\3\3",
            "DTLS 1.0": b"\xfe\xff", "DTLS 1.2": b"\xfe\xfd"}
VERIFIERS = {"TlsRsaImport": rsa_import, "TlsKeySchedule": key_schedule, "TlsRecord": records,
             "TlsEcdhe": key_agreement, "TlsDhe": key_agreement}
TEXTS = "type protocol suite comment flags result class label prf note group".split()

def decode(value, name=None):
    """Makes bytes of hexadecimal, which is what every string is that is not in TEXTS."""
    if isinstance(value, dict): return {name: decode(part, name) for name, part in value.items()}
    if isinstance(value, list): return [decode(part, name) for part in value]
    return bytes.fromhex(value) if isinstance(value, str) and name not in TEXTS else value

def verify(test):
    """Whether a test is valid and, if it is not, the class of the failure."""
    expect(test, version=VERSIONS[test["protocol"]])
    try:
        VERIFIERS[test["type"]](Suite(test["version"], test["suite"]), test)
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

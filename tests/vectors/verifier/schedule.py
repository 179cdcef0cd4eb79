"""Cipher suites by their names, and the key schedule of TLS up to 1.2."""
import hashlib
import hmac
import re

from .primitives import TAG_LEN, xor

# Cipher suites, by their names.
KEY_LEN = {"RC4": 16, "RC2": 16, "IDEA": 16, "SEED": 16, "3DES": 24, "DES": 8, "DES40": 8,
           "NULL": 0, "CHACHA20": 32}


class Suite:
    def __init__(self, version, name):
        exchange, rest = re.match(r"TLS_(\w+?)_WITH_(\w+)$", name).groups()
        self.cipher, last = rest.split("_")[0], rest.split("_")[-1]
        self.mode = next((mode for mode in [*TAG_LEN, "CBC"] if mode in rest), "STREAM")
        self.mac = None if self.mode in TAG_LEN else "SHA1" if last == "SHA" else last
        self.mac_len = hashlib.new(self.mac).digest_size if self.mac else 0
        bits = re.search("128|256", rest)
        self.key_len = KEY_LEN[self.cipher] if self.cipher in KEY_LEN else int(bits[0]) // 8
        self.block = 8 if self.cipher in ("3DES", "DES", "DES40", "RC2", "IDEA") else 16
        export1024 = 7 if self.cipher == "RC4" else 8
        self.short_len = {"RSA_EXPORT": 5, "RSA_EXPORT1024": export1024}.get(exchange)
        self.ssl3, self.chained = version == b"\3\0", version in (b"\3\0", b"\3\1")
        cbc_iv = self.block if self.chained else 0
        self.iv_len = {"CBC": cbc_iv, "STREAM": 0, "POLY1305": 12}.get(self.mode, 4)
        own = "SHA384" if last == "SHA384" else "SHA256"
        self.prf = own if version in (b"\3\3", b"\xfe\xfd") else "SSL3" if self.ssl3 else "MD5+SHA1"


# The key schedule: RFC 6101, RFC 2246, RFC 5246, RFC 5705 and RFC 7627.
def p_hash(name, secret, seed, length):
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, name)
        out += hmac.digest(secret, a + seed, name)
    return out[:length]


def expand(prf, secret, label, seed, length):
    if prf == "SSL3":
        salts = (bytes([65 + i]) * (i + 1) for i in range(26))
        inner = (hashlib.sha1(salt + secret + seed).digest() for salt in salts)
        return b"".join(hashlib.md5(secret + part).digest() for part in inner)[:length]
    seed, half = label.encode() + seed, (len(secret) + 1) // 2
    if prf != "MD5+SHA1":
        return p_hash(prf, secret, seed, length)
    second = secret[len(secret) - half:]
    return xor(p_hash("md5", secret[:half], seed, length), p_hash("sha1", second, seed, length))


def master_secret(prf, premaster, test):
    if "sessionHash" in test:
        return expand(prf, premaster, "extended master secret", test["sessionHash"], 48)
    return expand(prf, premaster, "master secret", test["clientRandom"] + test["serverRandom"], 48)


def session_keys(suite, master, client, server):
    key, iv, seed = suite.key_len, suite.iv_len, client + server
    lens = [suite.mac_len] * 2 + [suite.short_len or key] * 2 + [0 if suite.short_len else iv] * 2
    block = expand(suite.prf, master, "key expansion", server + client, sum(lens))
    parts = [block[sum(lens[:i]):sum(lens[:i + 1])] for i in range(6)]
    if suite.short_len and suite.ssl3:
        seeds = parts[2] + seed, parts[3] + server + client, seed, server + client
        digests = (hashlib.md5(seed).digest() for seed in seeds)
        parts[2:] = (digest[:n] for digest, n in zip(digests, (key, key, iv, iv)))
    elif suite.short_len:
        ivs = expand(suite.prf, b"", "IV block", seed, 2 * iv)
        parts[2:] = (expand(suite.prf, parts[2], "client write key", seed, key),
                     expand(suite.prf, parts[3], "server write key", seed, key), ivs[:iv], ivs[iv:])
    whats = ("MacKey", "WriteKey", "WriteIv")
    return block, dict(zip((side + what for what in whats for side in ("client", "server")), parts))


def handshake_hash(prf, messages):
    names = ("MD5", "SHA1") if prf in ("SSL3", "MD5+SHA1") else (prf,)
    return b"".join(hashlib.new(name, messages).digest() for name in names)


def verify_data(prf, master, side, messages):
    if prf != "SSL3":
        return expand(prf, master, side + " finished", handshake_hash(prf, messages), 12)
    out, sender = b"", {"client": b"CLNT", "server": b"SRVR"}[side]
    for name, pad in ("MD5", 48), ("SHA1", 40):
        inner = hashlib.new(name, messages + sender + master + b"\x36" * pad).digest()
        out += hashlib.new(name, master + b"\x5c" * pad + inner).digest()
    return out

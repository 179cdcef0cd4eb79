"""Makes data.h, the inputs and expected outputs of the C programs, from a key of the test kit.

The key schedule and the records are written here again, with Python's hashlib and hmac, the RSA
public operation as pow() and AES from the openssl command, so that the programs compare this
library with something else. Run it as

    python3 make_data.py > data.h

and, for the secrets behind it, which `cargo xtask residue --process` looks for, as

    python3 make_data.py secrets

or, for those that became known by what residue.c sent, whose lines then are the arguments, as

    python3 make_data.py sent agreed-p256=0a1b… premaster=2c3d…

or, for those of a session with TLS_RSA_WITH_AES_128_GCM_SHA256, from its premaster and master
secret and the randoms of client and server, as

    python3 make_data.py session 0303… 7af2… 1f3d… 5b90…

or, for the known answers of TLS 1.3, as

    python3 make_data.py tls13 > tls13_data.h

The certificates and the encrypted key differ from run to run, and so do the keys on curves with all
that is made of them.
"""

import hashlib
import hmac
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KEY = HERE / "../../../ssl-provider-testkit/keys/rsa-2048.der"

CLIENT_RANDOM = bytes(range(0x00, 0x20))
SERVER_RANDOM = bytes(range(0x20, 0x40))
# Handshake messages of made-up content: type, 24-bit length, body.
TRANSCRIPT = b"".join(
    bytes([kind]) + len(body).to_bytes(3, "big") + body
    for kind, body in [(1, b"client hello"), (2, b"server hello"), (16, b"client key exchange")]
)


def integers(der):
    """The integers of a PKCS#1 RSAPrivateKey."""

    def element(at):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        return at, length

    at, _ = element(0)
    found = []
    while at < len(der):
        start, length = element(at)
        found.append(int.from_bytes(der[start : start + length], "big"))
        at = start + length
    return found[1:9]


def openssl(*arguments, text=None):
    command = ["openssl", *arguments]
    return subprocess.run(command, check=True, capture_output=True, input=text).stdout


def number(value, length=None):
    return value.to_bytes(length or (value.bit_length() + 7) // 8, "big")


def p_hash(name, secret, seed, length):
    out, a = b"", seed
    while len(out) < length:
        a = hmac.new(secret, a, name).digest()
        out += hmac.new(secret, a + seed, name).digest()
    return out[:length]


def prf(name, secret, label, seed, length):
    if name != "md5sha1":
        return p_hash(name, secret, label + seed, length)
    half = (len(secret) + 1) // 2
    left = p_hash("md5", secret[:half], label + seed, length)
    right = p_hash("sha1", secret[-half:], label + seed, length)
    return bytes(x ^ y for x, y in zip(left, right))


def transcript_hash(name):
    if name == "md5sha1":
        return hashlib.md5(TRANSCRIPT).digest() + hashlib.sha1(TRANSCRIPT).digest()
    return hashlib.new(name, TRANSCRIPT).digest()


def pad(premaster, n, seed):
    """PKCS#1 v1.5, block type 2, with padding from a fixed seed."""
    length = (n.bit_length() + 7) // 8
    source = random.Random(seed)
    padding = bytes(source.randrange(1, 256) for _ in range(length - 3 - len(premaster)))
    return b"\0\2" + padding + b"\0" + premaster


def encrypt(premaster, n, e, seed):
    block = pad(premaster, n, seed)
    return number(pow(int.from_bytes(block, "big"), e, n), len(block))


def aes(mode, key, iv, text):
    cipher = f"-aes-{8 * len(key)}-{mode}"
    return openssl("enc", cipher, "-nopad", "-K", key.hex(), "-iv", iv.hex(), text=text)


def ghash(key, *parts):
    """GHASH of NIST SP 800-38D, bit by bit."""
    subkey = int.from_bytes(aes("cbc", key, bytes(16), bytes(16)), "big")
    state = 0
    lengths = b"".join(number(8 * len(part), 8) for part in parts)
    padded = [part + bytes(-len(part) % 16) for part in parts]
    text = b"".join(padded) + lengths
    for at in range(0, len(text), 16):
        x, state = state ^ int.from_bytes(text[at : at + 16], "big"), 0
        multiple = subkey
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                state ^= multiple
            multiple = multiple >> 1 ^ (0xE1 << 120 if multiple & 1 else 0)
    return number(state, 16)


def gcm(key, nonce, additional_data, text):
    """AES-GCM (NIST SP 800-38D section 7.1): ciphertext and tag."""
    sealed = aes("ctr", key, nonce + number(2, 4), text)
    mask = aes("ctr", key, nonce + number(1, 4), bytes(16))
    tag = bytes(x ^ y for x, y in zip(mask, ghash(key, additional_data, sealed)))
    return sealed + tag


def record(version, key, mac_key, iv, explicit, content):
    """The first record of a direction, a handshake message."""
    start = number(0, 8) + b"\x16" + number(version, 2) + number(len(content), 2)
    if mac_key:
        tag = hmac.new(mac_key, start + content, "sha1").digest()
        count = 16 - (len(content) + 20) % 16
        text = content + tag + bytes([count - 1]) * count
        fragment = explicit + aes("cbc", key, explicit or iv, text)
    else:
        fragment = explicit + gcm(key, iv + explicit, start, content)
    return b"\x16" + number(version, 2) + number(len(fragment), 2) + fragment


# Lengths of MAC key, key and IV, and the explicit IV or nonce of the first record.
LENGTHS = {
    (0x0301, 0x002F): (20, 16, 16, b""),
    (0x0302, 0x002F): (20, 16, 0, bytes(range(0xC0, 0xD0))),
    (0x0303, 0x009C): (0, 16, 4, bytes(8)),
    (0x0303, 0x009D): (0, 32, 4, bytes(8)),
}


def key_block(version, suite, name, master):
    """The keys of RFC 5246 section 6.3: MAC keys, keys and IVs, of the client and the server."""
    lengths = [length for length in LENGTHS[version, suite][:3] for _ in range(2)]
    block = prf(name, master, b"key expansion", SERVER_RANDOM + CLIENT_RANDOM, sum(lengths))
    parts = []
    for length in lengths:
        parts.append(block[:length])
        block = block[length:]
    return parts


def records(version, suite, name, master):
    """The record that each side writes first, of the transcript."""
    explicit = LENGTHS[version, suite][3]
    parts = key_block(version, suite, name, master)
    for mac_key, key, iv in (parts[0::2], parts[1::2]):
        yield record(version, key, mac_key, iv, explicit, TRANSCRIPT)


DIGEST_INFOS = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def sign(data, n, d):
    """RSASSA-PKCS1-v1_5 around bytes that are a DigestInfo, or without one the data itself."""
    length = (n.bit_length() + 7) // 8
    block = b"\0\1" + b"\xff" * (length - 3 - len(data)) + b"\0" + data
    return number(pow(int.from_bytes(block, "big"), d, n), length)


def sign_pss(name, digest, n, d):
    """RSASSA-PSS (RFC 8017 section 9.1.1), with a fixed salt as long as the digest."""
    length = (n.bit_length() + 6) // 8
    salt = bytes(range(len(digest)))
    tag = hashlib.new(name, bytes(8) + digest + salt).digest()
    block = bytes(length - 2 * len(digest) - 2) + b"\1" + salt
    counts = range(len(block) // len(tag) + 1)
    mask = b"".join(hashlib.new(name, tag + number(count, 4)).digest() for count in counts)
    masked = bytearray(x ^ y for x, y in zip(block, mask))
    masked[0] &= 0xFF >> (8 * length - (n.bit_length() - 1))
    encoded = int.from_bytes(bytes(masked) + tag + b"\xbc", "big")
    return number(pow(encoded, d, n), (n.bit_length() + 7) // 8)


def signatures(n, d):
    """The transcript signed with the RSA key in every way that a hash allows."""
    print("struct signature {\n    /* Of the hash; none for MD5 and SHA-1 together. */")
    print("    const char *name;\n    unsigned hash_len;\n    const unsigned char *hash;")
    print("    /* PKCS#1 v1.5 with the DigestInfo and without, and PSS. */")
    print("    const unsigned char *signature, *bare, *pss;\n};\n")
    rows = []
    for name in ("md5sha1", "sha1", "sha256", "sha384", "sha512"):
        digest = transcript_hash(name)
        array(f"signed_{name}", digest)
        forms = ["NULL", f"bare_{name}", "NULL"]
        array(forms[1], sign(digest, n, d))
        if name in DIGEST_INFOS:
            forms[0] = f"signature_{name}"
            array(forms[0], sign(bytes.fromhex(DIGEST_INFOS[name]) + digest, n, d))
        if len(digest) in (32, 48, 64):
            forms[2] = f"pss_{name}"
            array(forms[2], sign_pss(name, digest, n, d))
        title = f'"{name.upper()}"' if name in DIGEST_INFOS else "NULL"
        rows.append(f"    {{{title}, {len(digest)}, signed_{name}, {', '.join(forms)}}}")
    print("static const struct signature signatures[] = {\n" + ",\n".join(rows) + "\n};\n")
    print("/* Bytes that fill the block but for the least padding, and their signature. */")
    longest = bytes(range((n.bit_length() + 7) // 8 - 11))
    array("longest", longest)
    array("bare_longest", sign(longest, n, d))


# Curves by the bits of a coordinate: OpenSSL's name, and the last byte of CNG's magics.
CURVES = {256: ("prime256v1", 1), 384: ("secp384r1", 3), 521: ("secp521r1", 5)}


def curve_key(bits):
    """A new key on a curve: certificate, PKCS#8, blobs of CNG, and signatures of the transcript."""
    name, magic = CURVES[bits]
    pem = openssl("ecparam", "-name", name, "-genkey", "-noout")
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        key = ["-key", file.name, "-sha256", "-subj", "/CN=test", "-days", "36500"]
        array(f"certificate_{bits}", openssl("req", "-x509", *key, "-outform", "DER"))
        hashes = ("sha1", "sha256", "sha384", "sha512")
        sign = ["-sign", file.name]
        signed = [openssl("dgst", f"-{name}", *sign, text=TRANSCRIPT) for name in hashes]
    array(f"pkcs8_{bits}", openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", text=pem))
    length = (bits + 7) // 8
    # ECPrivateKey of RFC 5915: version 1, the scalar, and the point at the end.
    der = openssl("ec", "-outform", "DER", text=pem)
    start = der.index(bytes([2, 1, 1, 4, length])) + 5
    numbers = der[-2 * length :] + der[start : start + length]
    for algorithm, letters in (("ecdsa", b"ECS"), ("ecdh", b"ECK")):
        for half, size in (("public", 2), ("private", 3)):
            header = letters + str(magic + size - 2).encode() + struct.pack("<I", length)
            array(f"{algorithm}_{half}_{bits}", header + numbers[: size * length])
    for name, signature in zip(hashes, signed):
        array(f"signature_{bits}_{name}", signature)
    blobs = ["ecdsa_private", "ecdh_private", "ecdsa_public", "ecdh_public"]
    fields = ["certificate", "pkcs8", *blobs]
    row = "".join(f"\n     {{{name}_{bits}, sizeof({name}_{bits})}}," for name in fields)
    names = [f"signature_{bits}_{name}" for name in hashes]
    row += "".join(f"\n     {{{name}, sizeof({name})}}," for name in names).rstrip(",")
    row = row.replace(f"{{{names[0]},", f"{{{{{names[0]},")
    return f"    {{{bits},{row}}}}}"


def ffdhe2048():
    """The prime of RFC 7919 appendix A.1, from its formula with the digits of e."""
    one = 1 << (1918 + 64)
    e, term, divisor = 0, one, 1
    while term:
        e, term, divisor = e + term, term // divisor, divisor + 1
    digits = (e >> 64) + 560316
    return number((1 << 2048) - (1 << 1984) + (digits << 64) - 1)


# Unlike the randoms, which are no secret, so that it can be looked for.
PSK = bytes(range(0xB1, 0xC4))


def psk_premaster():
    part = number(len(PSK), 2)
    return part + bytes(len(PSK)) + part + PSK


def pre_shared_key():
    """Finished of a client and a server that share a key (RFC 4279 section 2)."""
    psk = PSK
    array("pre_shared_key", psk)
    premaster = psk_premaster()
    print("struct psk_exchange {\n    unsigned suite;\n    int extended;")
    print("    unsigned hash_len;")
    print("    const unsigned char *hash, *client_finished, *server_finished;\n};\n")
    rows = []
    for suite, name in ((0x00A8, "sha256"), (0x00A9, "sha384")):
        digest = transcript_hash(name)
        array(f"psk_hash_{suite:04x}", digest)
        for extended in (0, 1):
            master = master_of(name, premaster, extended)
            suffix = f"{suite:04x}_{extended}"
            for side in ("client", "server"):
                finished = prf(name, master, f"{side} finished".encode(), digest, 12)
                array(f"psk_{side}_{suffix}", finished)
            rows.append(
                f"    {{0x{suite:04x}, {extended}, {len(digest)}, psk_hash_{suite:04x},\n"
                f"     psk_client_{suffix}, psk_server_{suffix}}}"
            )
    print("static const struct psk_exchange psk_exchanges[] = {\n" + ",\n".join(rows) + "\n};\n")


# Private keys of the peer of residue.c: it has only the public keys, so that these are no secrets
# that it could leave behind.
PEER = {
    "x25519": bytes(range(7, 39)),
    "p256": bytes(range(9, 41)),
    "ffdhe2048": bytes(range(3, 31)),
}

P256 = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def p256_add(a, b):
    if a is None or b is None:
        return a or b
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % P256 == 0:
        return None
    if a == b:
        slope = 3 * (x1 * x1 - 1) * pow(2 * y1, -1, P256)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P256)
    x = (slope * slope - x1 - x2) % P256
    return x, (slope * (x1 - x) - y1) % P256


def p256(scalar, point):
    total = None
    for bit in f"{scalar:b}":
        total = p256_add(total, total)
        if bit == "1":
            total = p256_add(total, point)
    return total


def x25519(private_key, public_key):
    """The function of RFC 7748 section 5."""
    p = (1 << 255) - 19
    k = int.from_bytes(private_key, "little") & ~(1 << 255 | 7) | 1 << 254
    x1 = int.from_bytes(public_key, "little") % (1 << 255)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for at in range(254, -1, -1):
        bit = k >> at & 1
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        e, da, cb = a * a - b * b, d * a, c * b
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = a * a * b * b % p, e * (a * a + 121665 * e) % p
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, -1, p) % p).to_bytes(32, "little")


def peer_shares():
    """The public keys of the peer."""
    array("peer_x25519", x25519(PEER["x25519"], number(9 << 248, 32)))
    x, y = p256(int.from_bytes(PEER["p256"], "big"), P256_G)
    array("peer_p256", number(x, 32) + number(y, 32))
    prime = int.from_bytes(ffdhe2048(), "big")
    exponent = int.from_bytes(PEER["ffdhe2048"], "big")
    array("peer_ffdhe2048", number(pow(2, exponent, prime), 256))


def agreed_secret(group, blob):
    """The secret of the peer and of what residue.c exported."""
    private_key = PEER[group]
    if group == "x25519":
        return x25519(private_key, blob[8:40])
    scalar = int.from_bytes(private_key, "big")
    if group == "p256":
        halves = blob[8:40], blob[40:72]
        return number(p256(scalar, tuple(int.from_bytes(half, "big") for half in halves))[0], 32)
    prime = int.from_bytes(ffdhe2048(), "big")
    # TLS strips the leading zeros.
    return number(pow(int.from_bytes(blob[-256:], "big"), scalar, prime))


def print_secrets(found, digits):
    print(json.dumps({"bytes": {name: key.hex() for name, key in found.items()}, "digits": digits}))


def sent(lines):
    """The secrets behind what residue.c sent: agreed ones, premasters and their blocks."""
    n, _, d = integers(KEY.read_bytes())[:3]
    found = {}
    for at, line in enumerate(lines):
        name, _, content = line.partition("=")
        kind, _, group = name.partition("-")
        content = bytes.fromhex(content)
        if kind == "agreed":
            secret = agreed_secret(group, content)
            found[f"agreed secret {group} {at}"] = secret
            found[f"agreed master secret {group} {at}"] = master_of("sha256", secret, False)
        elif kind == "premaster":
            block = number(pow(int.from_bytes(content, "big"), d, n), len(content))
            assert block[:2] == b"\0\2" and block[-49] == 0
            found[f"client block {at}"] = block
            found[f"client premaster secret {at}"] = block[-48:]
            found[f"client master secret {at}"] = master_of("sha384", block[-48:], True)
    print_secrets(found, {})


def session(premaster, master, client_random, server_random):
    """The secrets of a session with TLS_RSA_WITH_AES_128_GCM_SHA256."""
    block = prf("sha256", master, b"key expansion", server_random + client_random, 40)
    found = {"premaster secret": premaster, "master secret": master}
    found |= {"client write key": block[:16], "server write key": block[16:32]}
    print_secrets(found, {})


def key_agreement():
    """What (EC)DHE and PSK need. Made apart with `python3 make_data.py agreement`."""
    array("ffdhe2048", ffdhe2048())
    pre_shared_key()
    peer_shares()


def expand_label(name, secret, label, context, length):
    """HKDF-Expand-Label (RFC 8446 section 7.1)."""
    label = b"tls13 " + label
    info = number(length, 2) + number(len(label), 1) + label + number(len(context), 1) + context
    out, block, at = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + number(at, 1), name).digest()
        out, at = out + block, at + 1
    return out[:length]


def derive(name, secret, label, messages):
    digest = hashlib.new(name, messages).digest()
    return expand_label(name, secret, label, digest, len(digest))


def finished(name, secret, messages):
    digest = hashlib.new(name, messages).digest()
    key = expand_label(name, secret, b"finished", b"", len(digest))
    return hmac.new(key, digest, name).digest()


def tls13_record(key, iv, sequence, content_type, content):
    """A record of TLS 1.3 (RFC 8446 section 5.2)."""
    header = b"\x17\3\3" + number(len(content) + 17, 2)
    nonce = number(int.from_bytes(iv, "big") ^ sequence, 12)
    return header + gcm(key, nonce, header, content + bytes([content_type]))


# ClientHello, ServerHello, EncryptedExtensions, and the Finished of both, of made-up content.
HELLO_C, HELLO_S = b"\1\0\0\4CH..", b"\2\0\0\4SH.."
MIDDLE, FINISHED_S, FINISHED_C = b"\10\0\0\2\0\0", b"\24\0\0\4sfin", b"\24\0\0\4cfin"
TLS13_PSK = bytes(range(0x20))
TLS13_SUITES = [(0x1301, "sha256", 16), (0x1302, "sha384", 32)]


def tls13_secrets(name, key_len, agreed):
    """Every secret of TLS 1.3, from the pre-shared key and what was agreed, or zeros."""
    size = hashlib.new(name).digest_size
    hellos, until_server = HELLO_C + HELLO_S, HELLO_C + HELLO_S + MIDDLE + FINISHED_S
    extract = lambda salt, key: hmac.new(salt, key, name).digest()
    early = extract(bytes(size), TLS13_PSK)
    handshake = extract(derive(name, early, b"derived", b""), agreed or bytes(size))
    master = extract(derive(name, handshake, b"derived", b""), bytes(size))
    server = derive(name, handshake, b"s hs traffic", hellos)
    application = derive(name, master, b"s ap traffic", until_server)
    resumption = derive(name, master, b"res master", until_server + FINISHED_C)
    return {
        "early secret": early,
        "external binder key": derive(name, early, b"ext binder", b""),
        "resumption binder key": derive(name, early, b"res binder", b""),
        "client early secret": derive(name, early, b"c e traffic", HELLO_C),
        "early exporter secret": derive(name, early, b"e exp master", HELLO_C),
        "handshake secret": handshake,
        "client handshake secret": derive(name, handshake, b"c hs traffic", hellos),
        "server handshake secret": server,
        "server write key": expand_label(name, server, b"key", b"", key_len),
        "server write IV": expand_label(name, server, b"iv", b"", 12),
        "master secret": master,
        "client application secret": derive(name, master, b"c ap traffic", until_server),
        "server application secret": application,
        "updated secret": expand_label(name, application, b"traffic upd", b"", size),
        "exporter secret": derive(name, master, b"exp master", until_server),
        "resumption secret": resumption,
        "ticket key": expand_label(name, resumption, b"resumption", b"\0\0\0\1", size),
    }


def tls13_answers(name, key_len, agreed):
    """What a program gets to know of these secrets, and what it computes with them."""
    secrets = tls13_secrets(name, key_len, agreed)
    hellos, until_server = HELLO_C + HELLO_S, HELLO_C + HELLO_S + MIDDLE + FINISHED_S
    size = len(secrets["early secret"])
    retried = b"\xfe\0\0" + number(size, 1) + hashlib.new(name, HELLO_C).digest() + HELLO_S
    key, iv = secrets["server write key"], secrets["server write IV"]
    of_label = derive(name, secrets["exporter secret"], b"EXPORTER-x", b"")
    contexts = [hashlib.new(name, context).digest() for context in (b"\1", b"")]
    exported = [expand_label(name, of_label, b"exporter", each, 32) for each in contexts]
    return {
        "transcript": hashlib.new(name, hellos).digest(),
        "transcript_after_retry": hashlib.new(name, retried).digest(),
        "client_early": secrets["client early secret"],
        "early_exporter": secrets["early exporter secret"],
        "external_binder": finished(name, secrets["external binder key"], HELLO_C),
        "resumption_binder": finished(name, secrets["resumption binder key"], HELLO_C),
        "client_handshake": secrets["client handshake secret"],
        "server_handshake": secrets["server handshake secret"],
        "client_application": secrets["client application secret"],
        "server_application": secrets["server application secret"],
        "exporter": secrets["exporter secret"],
        "server_finished": finished(name, secrets["server handshake secret"], hellos + MIDDLE),
        "client_finished": finished(name, secrets["client handshake secret"], until_server),
        "updated": secrets["updated secret"],
        "exported": exported[0],
        "exported_without": exported[1],
        "record_hello": tls13_record(key, iv, 0, 22, b"hello"),
        "record_empty": tls13_record(key, iv, 1, 23, b""),
        "ticket_key": secrets["ticket key"],
    }


def tls13():
    """The known answers of TLS 1.3 without a key agreement, which has no known secret here."""
    print("/* Generated by make_data.py tls13: known answers of TLS 1.3 (psk_ke). */")
    print("#ifndef TLS13_DATA_H\n#define TLS13_DATA_H\n")
    array("tls13_psk", TLS13_PSK)
    messages = {"client_hello": HELLO_C, "server_hello": HELLO_S, "middle": MIDDLE}
    messages |= {"server_fin": FINISHED_S, "client_fin": FINISHED_C}
    for title, message in messages.items():
        array(title, message)
    rows = []
    for suite, name, key_len in TLS13_SUITES:
        answers = tls13_answers(name, key_len, None)
        for title, answer in answers.items():
            array(f"{title}_{suite:04x}", answer)
        names = ",\n     ".join(f"{title}_{suite:04x}" for title in answers)
        rows.append(f"    {{0x{suite:04x}, {hashlib.new(name).digest_size},\n     {names}}}")
    print("/* The exported ones have 32 bytes, the records 27 and 22, the others a hash. */")
    print("struct tls13_answers {\n    unsigned suite, hash_len;")
    for title in answers:
        print(f"    const unsigned char *{title};")
    print("};\n")
    print("static const struct tls13_answers tls13_answers[] = {\n" + ",\n".join(rows) + "\n};\n")
    print("#endif")


def array(name, data):
    lines = [
        "    " + ", ".join(f"0x{byte:02x}" for byte in data[at : at + 16])
        for at in range(0, len(data), 16)
    ]
    body = ",\n".join(lines)
    print(f"static const unsigned char {name}[{len(data)}] = {{\n{body}\n}};\n")


def premaster_of(version):
    return struct.pack(">H", version) + bytes(range(0x80, 0xAE))


def suites_of(version):
    """The suites of the exchanges, and the hashes of their PRF."""
    return {0x0303: [(0x009C, "sha256"), (0x009D, "sha384")]}.get(version, [(0x002F, "md5sha1")])


def master_of(name, premaster, extended):
    label = b"extended master secret" if extended else b"master secret"
    seed = transcript_hash(name) if extended else CLIENT_RANDOM + SERVER_RANDOM
    return prf(name, premaster, label, seed, 48)


def ec_private_key():
    """The number of the key on P-256 in data.h, which differs from run to run."""
    text = (HERE / "data.h").read_text()
    start = text.index("ecdsa_private_256[")
    digits = re.findall("0x([0-9a-f]{2})", text[start : text.index("}", start)])
    return bytes.fromhex("".join(digits))[-32:]


def secrets():
    """What the library must not leave behind, by name; numbers are big-endian."""
    n, e, d, p, q, dp, dq, coefficient = integers(KEY.read_bytes())
    half = len(number(p))
    found = {"d": number(d), "p": number(p), "q": number(q), "dp": number(dp), "dq": number(dq)}
    found["q^-1 mod p"] = number(coefficient, half)
    # What Montgomery multiplication keeps, with words of 64 bits.
    r = 1 << 8 * half
    found["R^2 mod p"] = number(r * r % p, half)
    found["R^2 mod q"] = number(r * r % q, half)
    found["q^-1 R mod p"] = number(coefficient * r % p, half)
    label = b"ssl-provider implicit rejection"
    of_p, of_q = (hmac.new(label, number(prime), "sha256").digest() for prime in (p, q))
    found["reject key"] = bytes(x ^ y for x, y in zip(of_p, of_q))
    for version in (0x0301, 0x0302, 0x0303):
        premaster = premaster_of(version)
        found[f"block {version:04x}"] = pad(premaster, n, version)
        found[f"premaster secret {version:04x}"] = premaster
        for suite, name in suites_of(version):
            for extended in (0, 1):
                master = master_of(name, premaster, extended)
                suffix = f"{version:04x} {suite:04x} {extended}"
                found[f"master secret {suffix}"] = master
                names = ["client MAC key", "server MAC key", "client key", "server key"]
                for which, key in zip(names, key_block(version, suite, name, master)):
                    if key:
                        found[f"{which} {suffix}"] = key
    # The program has the key itself, as part of its input, in the part of its memory that is not
    # written to, which is not in the image.
    found["pre-shared key"] = PSK
    found["PSK master secret"] = master_of("sha256", psk_premaster(), False)
    found["EC private key"] = ec_private_key()
    for suite, name, key_len in TLS13_SUITES:
        for which, secret in tls13_secrets(name, key_len, None).items():
            found[f"TLS 1.3 {which} {suite:04x}"] = secret
    digits = {}
    for name, prime in (("p", p), ("q", q)):
        # Multi-buffer RSA has digits of 52 bits, each in several lanes.
        digits[name] = [prime >> 52 * at & (1 << 52) - 1 for at in range(20)]
    print_secrets(found, digits)


def main():
    der = KEY.read_bytes()
    n, e, d, p, q, dp, dq, coefficient = integers(der)
    half = len(number(p))

    print("/* Generated by make_data.py: inputs and expected outputs.", end=" ")
    print("The key is public test data. */")
    print("#ifndef DATA_H\n#define DATA_H\n")
    print("#if defined(__GNUC__)\n#pragma GCC diagnostic ignored \"-Wunused-variable\"\n#endif\n")
    subject = ["-subj", "/CN=test", "-days", "36500", "-outform", "DER"]
    array("certificate", openssl("req", "-x509", "-key", str(KEY), "-sha256", *subject))
    other = ["-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null"]
    array("other_certificate", openssl("req", "-x509", *other, "-sha256", *subject))
    array("pkcs8", openssl("pkcs8", "-topk8", "-nocrypt", "-in", str(KEY), "-outform", "DER"))
    password = ["-v2", "aes-256-cbc", "-passout", "pass:secret"]
    encrypted = ["pkcs8", "-topk8", *password, "-in", str(KEY), "-outform", "DER"]
    array("encrypted_pkcs8", openssl(*encrypted))
    sizes = [n.bit_length(), len(number(e)), len(number(n)), half, len(number(q))]
    public = number(e) + number(n)
    private = public + number(p) + number(q)
    full = private + number(dp, half) + number(dq, half) + number(coefficient, half)
    full += number(d, len(number(n)))
    array("public_blob", struct.pack("<6I", 0x31415352, *sizes[:3], 0, 0) + public)
    array("private_blob", struct.pack("<6I", 0x32415352, *sizes) + private)
    array("full_private_blob", struct.pack("<6I", 0x33415352, *sizes) + full)
    array("client_random", CLIENT_RANDOM)
    array("server_random", SERVER_RANDOM)
    array("transcript", TRANSCRIPT)

    print("struct exchange {\n    unsigned protocol;\n    unsigned suite;\n    int extended;")
    print("    unsigned hash_len;\n    const unsigned char *encrypted;")
    print("    const unsigned char *hash;")
    print("    const unsigned char *client_finished;\n    const unsigned char *server_finished;")
    print("    /* The first record that each side writes, of the transcript;", end=" ")
    print("one length for both. */")
    print("    unsigned record_len;\n    const unsigned char *client_record;")
    print("    const unsigned char *server_record;")
    print("    /* 40 bytes each, without a context, with an empty one, and with a context. */")
    print("    const unsigned char *keying_material;")
    print("    /* 192 bytes of EAP-TLS, 128 of keys of EAP-TTLS, and 17 of its challenge. */")
    print("    const unsigned char *eap;\n};\n")
    exchanges = []
    for version in (0x0301, 0x0302, 0x0303):
        premaster = premaster_of(version)
        encrypted = f"encrypted_{version:04x}"
        array(encrypted, encrypt(premaster, n, e, version))
        for suite, name in suites_of(version):
            digest = transcript_hash(name)
            array(f"hash_{version:04x}_{suite:04x}", digest)
            for extended in (0, 1):
                master = master_of(name, premaster, extended)
                suffix = f"{version:04x}_{suite:04x}_{extended}"
                if version == 0x0301 and not extended:
                    array("master_secret_0301", master)
                for side in ("client", "server"):
                    finished = prf(name, master, f"{side} finished".encode(), digest, 12)
                    array(f"{side}_finished_{suffix}", finished)
                written_by_both = records(version, suite, name, master)
                for side, written in zip(("client", "server"), written_by_both):
                    array(f"{side}_record_{suffix}", written)
                randoms = CLIENT_RANDOM + SERVER_RANDOM
                seeds = [randoms, randoms + number(0, 2), randoms + number(7, 2) + b"context"]
                material = [prf(name, master, b"EXPERIMENTAL", seed, 40) for seed in seeds]
                array(f"keying_material_{suffix}", b"".join(material))
                eap = prf(name, master, b"client EAP encryption", randoms, 128)
                eap += prf(name, b"", b"client EAP encryption", randoms, 64)
                eap += prf(name, master, b"ttls keying material", randoms, 128)
                eap += prf(name, master, b"ttls challenge", randoms, 17)
                array(f"eap_{suffix}", eap)
                exchanges.append(
                    f"    {{0x{version:04x}, 0x{suite:04x}, {extended}, "
                    f"{len(digest)}, {encrypted},\n"
                    f"     hash_{version:04x}_{suite:04x}, client_finished_{suffix},\n"
                    f"     server_finished_{suffix}, sizeof(client_record_{suffix}),\n"
                    f"     client_record_{suffix}, server_record_{suffix},\n"
                    f"     keying_material_{suffix}, eap_{suffix}}}"
                )
    print("static const struct exchange exchanges[] = {\n" + ",\n".join(exchanges) + "\n};\n")
    signatures(n, d)
    print("struct bytes {\n    const unsigned char *data;\n    unsigned len;\n};\n")
    print("struct curve_key {\n    unsigned bits;\n    struct bytes certificate, pkcs8;")
    print("    struct bytes ecdsa_private, ecdh_private, ecdsa_public, ecdh_public;")
    print("    /* Of the last four hashes above, in DER. */\n    struct bytes signatures[4];\n};\n")
    rows = [curve_key(bits) for bits in CURVES]
    print("static const struct curve_key curve_keys[] = {\n" + ",\n".join(rows) + "\n};\n")
    key_agreement()
    print("#endif")


if sys.argv[1:] == ["secrets"]:
    secrets()
elif sys.argv[1:2] == ["sent"]:
    sent(sys.argv[2:])
elif sys.argv[1:2] == ["session"]:
    session(*map(bytes.fromhex, sys.argv[2:]))
elif sys.argv[1:] == ["tls13"]:
    tls13()
elif sys.argv[1:] == ["agreement"]:
    key_agreement()
else:
    main()

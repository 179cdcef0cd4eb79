"""Curves and ciphers for verify.py, from the standards alone and slow: nothing here is for use."""
import itertools
import struct

# Length of the tag of each AEAD mode, in bytes.
TAG_LEN = {"GCM": 16, "CCM_8": 8, "CCM": 16, "POLY1305": 16}


class Refused(Exception):
    """A record or public key that must be refused; the argument is the class of the failure."""


LOOK_ALIKE = "must-look-like-any-other-failure"
BAD_KEY = "invalid-public-key"


def check(condition, failure=LOOK_ALIKE):
    if not condition:
        raise Refused(failure)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def number(data, order="big"):
    return int.from_bytes(data, order)


def chunks(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


# Curves (RFC 7748, RFC 8422). One has a name, p, a, b, x of the generator, and whether its y is odd
# (FIPS 186, SEC 2, RFC 5639).
CURVES = {name: [int(part, 16) for part in parts] for name, *parts in (row.split(",") for row in """
secp256r1,ffffffff00000001000000000000000000000000ffffffffffffffffffffffff,-3,5ac635d8aa3a93e7b3ebb
d55769886bc651d06b0cc53b0f63bce3c3e27d2604b,6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a1394
5d898c296,1;secp384r1,fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff00000
00000000000ffffffff,-3,b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2e
d19d2a85c8edd3ec2aef,aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf5529
6c3a545e3872760ab7,1;secp521r1,1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff,-3,51953eb9618e1c9a1f929a21a0b68540
eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00,
c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3
348b3c1856a429bf97e7e31c2e5bd66,0;brainpoolP256r1,a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282
013481d1f6e5377,7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9,26dc5c6ce94a4b44f3
30b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6,8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a44
53bd9ace3262,1;brainpoolP384r1,8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3
a729901d1a71874700133107ec53,7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa581
4a503ad4eb04a8c7dd22ce2826,4a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb439029
5dbc9943ab78696fa504c11,1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d
646aaef87b2e247d4af1e,1;brainpoolP512r1,aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703
308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3,7830a3318b603b89e2327145ac234
cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca
,3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e6798
4050b75ebae5dd2809bd638016f723,81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b
1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822,0;secp256k1,ffffffffffffffffffffffffff
fffffffffffffffffffffffffffffefffffc2f,0,7,79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b
16f81798,0
""".replace("\n", "").split(";"))}


def x25519(private, public):
    check(len(public) == 32, BAD_KEY)
    p, k = 2**255 - 19, number(private, "little") & ~(1 << 255) & ~7 | 1 << 254
    u = number(public, "little") % (1 << 255)
    x2, z2, x3, z3 = 1, 0, u, 1
    for i in reversed(range(255)):
        swap = k >> i & 1
        x2, z2, x3, z3 = (x3, z3, x2, z2) if swap else (x2, z2, x3, z3)
        da, cb, aa, bb = (x3 - z3) * (x2 + z2), (x3 + z3) * (x2 - z2), (x2 + z2)**2, (x2 - z2)**2
        x3, z3 = (da + cb)**2 % p, u * (da - cb)**2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 121665 * (aa - bb)) % p
        x2, z2, x3, z3 = (x3, z3, x2, z2) if swap else (x2, z2, x3, z3)
    check(x2 * z2, BAD_KEY)
    return (x2 * pow(z2, -1, p) % p).to_bytes(32, "little")


def add(p, a, one, two):
    if not one or not two:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    rise, run = (3 * x1 * x1 + a, 2 * y1) if one == two else (y2 - y1, x2 - x1)
    slope = rise * pow(run, -1, p)
    x = (slope * slope - x1 - x2) % p
    return x, (slope * (x1 - x) - y1) % p


def on_curve(name, private, public):
    """The coordinates of the product of a private key and a point, or else the generator."""
    p, a, b, x, odd = CURVES[name]
    size, total, y = (p.bit_length() + 7) // 8, None, pow(x**3 + a * x + b, (p + 1) // 4, p)
    point = x, y if y & 1 == odd else p - y
    if public is not None:
        check(len(public) == 1 + 2 * size and public[0] == 4, BAD_KEY)
        point = x, y = tuple(number(part) for part in chunks(public[1:], size))
        check(max(point) < p and (y * y - x**3 - a * x - b) % p == 0, BAD_KEY)
    for bit in bin(number(private))[2:]:
        total = add(p, a, total, total)
        total = add(p, a, total, point) if bit == "1" else total
    return b"".join(part.to_bytes(size, "big") for part in total)


# AES (FIPS 197).
def gf(a, b):
    return b and gf(a << 1 ^ (a >> 7) * 0x11b, b >> 1) ^ a * (b & 1)


MUL = {m: bytes(gf(x, m) for x in range(256)) for m in (1, 2, 3, 9, 11, 13, 14)}
POWERS = list(itertools.accumulate(range(254), lambda power, _: MUL[3][power], initial=1))
INVERSES = [0] + [POWERS[-POWERS.index(x) % 255] for x in range(1, 256)]
SBOX = bytes(99 ^ x ^ (y := x * 0x101) >> 7 & 255 ^ y >> 6 & 255 ^ y >> 5 & 255 ^ y >> 4 & 255
             for x in INVERSES)
UNSBOX = bytes(SBOX.index(x) for x in range(256))


class Aes:
    def __init__(self, key):
        words, n, rcon = chunks(key, 4), len(key) // 4, 1
        for i in range(n, 4 * (n + 7)):
            word = words[-1]
            if i % n == 0:
                word = xor((word[1:] + word[:1]).translate(SBOX), bytes([rcon, 0, 0, 0]))
                rcon = MUL[2][rcon]
            elif n == 8 and i % 8 == 4:
                word = word.translate(SBOX)
            words.append(xor(words[i - n], word))
        self.keys = chunks(b"".join(words), 16)

    @staticmethod
    def mix(s, m):
        rows = [[MUL[m[(k - r) % 4]] for k in range(4)] for r in range(4)]
        return bytes(a[s[c]] ^ b[s[c + 1]] ^ d[s[c + 2]] ^ e[s[c + 3]]
                     for c in (0, 4, 8, 12) for a, b, d, e in rows)

    def encrypt(self, block):
        s = xor(block, self.keys[0])
        for key in self.keys[1:]:
            s = bytes(s[5 * i % 16] for i in range(16)).translate(SBOX)
            s = xor(s if key is self.keys[-1] else self.mix(s, (2, 3, 1, 1)), key)
        return s

    def decrypt(self, s):
        for key in self.keys[:0:-1]:
            s = xor(s, key)
            s = s if key is self.keys[-1] else self.mix(s, (14, 11, 13, 9))
            s = bytes(s[13 * i % 16] for i in range(16)).translate(UNSBOX)
        return xor(s, self.keys[0])


# Triple DES (FIPS 46-3).
IP = [s - 8 * j for s in (58, 60, 62, 64, 57, 59, 61, 63) for j in range(8)]
PC1 = [s - 8 * j for s in (57, 58, 59) for j in range(8)] + [60, 52, 44, 36] + [
    s - 8 * j for s in (63, 62, 61) for j in range(8)] + [28, 20, 12, 4]
PC2 = (14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41,
       52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32)
P = (16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
     13, 30, 6, 22, 11, 4, 25)
BOXES = """e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d
f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9
a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c
7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e
2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453
c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d
4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c
d2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b""".split()


def pick(bits, places):
    return [bits[place - 1] for place in places]


class TripleDes:
    def __init__(self, key):
        self.keys = [self.schedule(part) for part in chunks(key, 8)]

    @staticmethod
    def schedule(key):
        bits, keys = pick(f"{number(key):064b}", PC1), []
        c, d = bits[:28], bits[28:]
        for shift in map(int, "1122222212222221"):
            c, d = c[shift:] + c[:shift], d[shift:] + d[:shift]
            keys.append(int("".join(pick(c + d, PC2)), 2))
        return keys

    @staticmethod
    def des(block, keys):
        bits = "".join(pick(f"{block:064b}", IP))
        left, right = int(bits[:32], 2), int(bits[32:], 2)
        for key in keys:
            wide = f"{right & 1}{right:032b}{right >> 31}"
            mixed = int("".join(wide[4 * i:4 * i + 6] for i in range(8)), 2) ^ key
            sixes = [mixed >> 42 - 6 * i & 63 for i in range(8)]
            out = "".join(b[(s >> 5 << 1 | s & 1) << 4 | s >> 1 & 15] for b, s in zip(BOXES, sixes))
            mixed = int("".join(pick(f"{int(out, 16):032b}", P)), 2)
            left, right = right, left ^ mixed
        bits = f"{right:032b}{left:032b}"
        return int("".join(bits[IP.index(i)] for i in range(1, 65)), 2)

    def decrypt(self, block):
        first, second, third = self.keys
        middle = self.des(self.des(number(block), third[::-1]), second)
        return self.des(middle, first[::-1]).to_bytes(8, "big")


# RC4, ChaCha20-Poly1305 (RFC 8439), GCM (SP 800-38D) and CCM (SP 800-38C).
def rc4(key):
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    j = 0
    for i in itertools.count(1):
        j = (j + s[i % 256]) % 256
        s[i % 256], s[j] = s[j], s[i % 256]
        yield s[(s[i % 256] + s[j]) % 256]


QUARTERS = [(i, 4 + (i + s) % 4, 8 + (i + 2 * s) % 4, 12 + (i + 3 * s) % 4)
            for s in (0, 1) for i in range(4)]


def chacha20(key, nonce, counter):
    w = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    start, mask = w[:], 2**32 - 1
    for a, b, c, d in QUARTERS * 10:
        for x, y, z, n in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
            w[x] = w[x] + w[y] & mask
            w[z] = (w[z] ^ w[x]) << n & mask | (w[z] ^ w[x]) >> 32 - n
    return struct.pack("<16I", *(x + y & mask for x, y in zip(start, w)))


def pad(data):
    return data + bytes(-len(data) % 16)


def aead(mode, key, nonce, aad, text):
    """The plaintext and the tag of a ciphertext."""
    aes, tag_len = mode != "POLY1305" and Aes(key), TAG_LEN[mode]
    block = {"GCM": lambda i: aes.encrypt(nonce + struct.pack(">I", i + 1)),
             "POLY1305": lambda i: chacha20(key, nonce, i)}.get(
        mode, lambda i: aes.encrypt(b"\2" + nonce + i.to_bytes(3, "big")))
    first = block(0)
    stream = b"".join(block(i + 1) for i in range(len(text) // len(first) + 1))
    plain, lens = xor(text, stream), (len(aad), len(text))
    if mode == "POLY1305":
        r, total = number(first[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff, 0
        for part in chunks(pad(aad) + pad(text) + struct.pack("<QQ", *lens), 16):
            total = (total + number(part + b"\1", "little")) * r % (2**130 - 5)
        total = (total + number(first[16:32], "little")) % 2**128
        return plain, total.to_bytes(16, "little")
    if mode == "GCM":
        total, h = 0, number(aes.encrypt(bytes(16)))
        for part in chunks(pad(aad) + pad(text) + struct.pack(">QQ", *(8 * n for n in lens)), 16):
            x, v, total = total ^ number(part), h, 0
            for i in range(128):
                total ^= v * (x >> 127 - i & 1)
                v = v >> 1 ^ (0xe1 << 120) * (v & 1)
        return plain, xor(total.to_bytes(16, "big"), first)
    head = bytes([0x42 + 4 * (tag_len - 2)]) + nonce + len(text).to_bytes(3, "big")
    mac = bytes(16)
    for part in chunks(head + pad(struct.pack(">H", len(aad)) + aad) + pad(plain), 16):
        mac = aes.encrypt(xor(mac, part))
    return plain, xor(mac, first)[:tag_len]

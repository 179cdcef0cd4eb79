"""What the verifier needs and Python's standard library lacks: ciphers, AEADs and elliptic curves.

Written from the standards alone, slow, and not for use elsewhere. Lengths are in bytes.
"""
import base64, functools, itertools, struct

def xor(a, b): return bytes(x ^ y for x, y in zip(a, b))
def chunks(data, size): return [data[i:i + size] for i in range(0, len(data), size)]
def pad(data): return data + bytes(-len(data) % 16)
def number(data, order="big"): return int.from_bytes(data, order)
def be(value, size): return value.to_bytes(size, "big")

# Elliptic curves: multiples of points, and the parameters of the curves.
def multiply(k, point, p, a, c=0, scale=1):
    """k times a point of the curve scale y^2 = x^3 + c x^2 + a x + b modulo p; None at infinity."""
    total = point
    for bit in f"{k:b}"[1:]:
        for x, y in [total, point][:1 + int(bit)]:  # Doubles, then adds.
            rise, run = total[1] - y, total[0] - x
            if (x, y) == total: rise, run = (3 * x + 2 * c) * x + a, 2 * scale * y
            if run % p == 0: return None
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

# Lengths of tags by mode.
TAG_LEN = {"GCM": 16, "CCM_8": 8, "CCM": 16, "POLY1305": 16}

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

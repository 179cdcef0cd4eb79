#!/bin/sh
# Makes the test keys of this folder anew, as PKCS#1 DER, and one on P-256 as PKCS#8, with the
# openssl and python3 programs. They were made once by this script and protect nothing; tests use
# them so as not to wait for primes.
set -eu
cd "$(dirname "$0")"

# generate NAME BITS [EXTRA ARGUMENTS OF genrsa]
generate() {
    name=$1 bits=$2
    shift 2
    openssl genrsa -traditional "$@" "$bits" |
        openssl rsa -traditional -outform DER -out "$name.der"
}

prime() {
    openssl prime -generate -bits "$1"
}

# assemble NAME P Q: a key of the two factors in that order, whether or not they are primes
assemble() {
    python3 - "$2" "$3" > key.cnf <<'PYTHON'
import sys

p, q = map(int, sys.argv[1:])
d = pow(65537, -1, (p - 1) * (q - 1))
print("asn1 = SEQUENCE:key\n[key]")
parts = [0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
for i, part in enumerate(parts):
    print(f"part{i} = INTEGER:{part:#x}")
PYTHON
    openssl asn1parse -genconf key.cnf -noout -out "$1.der"
    rm key.cnf
}

for bits in 1024 1536 2048 2056 3072 4096 8192; do
    generate "rsa-$bits" "$bits"
done
generate rsa-2048-e3 2048 -3

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 |
    openssl pkcs8 -topk8 -nocrypt -outform DER -out ec-p256.der

# openssl puts the larger prime first; this key has the smaller one there.
p=$(prime 1024) q=$(prime 1024)
assemble rsa-2048-p-lt-q $(printf '%s\n' "$p" "$q" | python3 -c '
import sys
print(*sorted(map(int, sys.stdin)))')

# Primes of different lengths: unusual and right.
assemble rsa-1024-unbalanced "$(prime 560)" "$(prime 464)"

# A factor that is not prime, which arithmetic on the parts does not show: it must be refused.
assemble rsa-1024-composite \
    "$(python3 -c 'import sys; print(int(sys.argv[1]) * int(sys.argv[2]))' \
        "$(prime 256)" "$(prime 256)")" "$(prime 512)"

#!/bin/sh
# Makes the RSA test keys of this folder anew, as PKCS#1 DER, with the openssl and python3 programs.
# They were made once by this script and protect nothing; tests use them so as not to wait for primes.
set -eu
cd "$(dirname "$0")"

# make NAME BITS [EXTRA ARGUMENTS OF genrsa]
make() {
    name=$1 bits=$2
    shift 2
    openssl genrsa -traditional "$@" "$bits" | openssl rsa -traditional -outform DER -out "$name.der"
}

for bits in 1024 1536 2048 2056 3072 4096 8192; do
    make "rsa-$bits" "$bits"
done
make rsa-2048-e3 2048 -3

# The openssl program always puts the larger prime first. This key has them the other way round, so
# the exponents swap and the coefficient becomes p^-1 mod q.
openssl genrsa -traditional 2048 | openssl rsa -text -noout | python3 -c '
import re, sys

fields = re.findall(r"^(\w+):\n((?:    [0-9a-f:]+\n)+)", sys.stdin.read(), re.MULTILINE)
part = {name: int(re.sub(r"[\s:]", "", hexes), 16) for name, hexes in fields}
p, q = part["prime2"], part["prime1"]
assert p < q
print("asn1 = SEQUENCE:key\n[key]")
for i, number in enumerate([
    0, part["modulus"], 65537, part["privateExponent"],
    p, q, part["exponent2"], part["exponent1"], pow(q, -1, p),
]):
    print(f"f{i} = INTEGER:{number:#x}")
' > swapped.cnf
openssl asn1parse -genconf swapped.cnf -noout -out rsa-2048-p-lt-q.der
rm swapped.cnf

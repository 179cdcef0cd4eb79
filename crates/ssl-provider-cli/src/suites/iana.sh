#!/bin/sh
# Writes iana.txt: the cipher suites of IANA's registry "TLS Cipher Suites", number and name.
# The names are those that tshark knows (made with 4.0.17), without the numbers that it has from
# drafts and other registries: GOST and ChaCha20 drafts, EC J-PAKE, GREASE, private use. Two suites
# that this release lacks are added.
set -eu
cd "$(dirname "$0")"
{
    tshark -G values | awk -F '\t' '
        $1 == "V" && $2 == "tls.handshake.ciphersuite" && $4 ~ /^TLS_/ &&
        !($3 >= 128 && $3 <= 131) && $3 != 49407 && !($3 >= 52243 && $3 <= 52245) && $3 < 57345 {
            printf "%04x %s\n", $3, $4
        }'
    echo '1306 TLS_AEGIS_256_SHA512'
    echo '1307 TLS_AEGIS_128L_SHA256'
} | LC_ALL=C sort -u > iana.txt

/* What clients sign in CertificateVerify: in every version, for both kinds of key, and verified. */

#include "test.h"

static NCRYPT_PROV_HANDLE provider;
static unsigned char output[65];

/* A public key in key storage, without a private half. */
static NCRYPT_KEY_HANDLE store_blob(LPCWSTR type, const unsigned char *blob, size_t len)
{
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE key = 0;
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, type, NULL, &key, in(blob), (DWORD)len, 0));
    OK(NCryptFreeObject(storage));
    return key;
}

static NCRYPT_KEY_HANDLE import_blob(LPCWSTR type, const unsigned char *blob, size_t len)
{
    NCRYPT_KEY_HANDLE key = 0;
    OK(SslImportKey(provider, &key, type, in(blob), (DWORD)len, 0));
    return key;
}

static int is_signed(NCRYPT_KEY_HANDLE master, NCRYPT_HASH_HANDLE hash, LPCWSTR algorithm,
                     const struct signature *expected, size_t skip)
{
    DWORD len = 0, wanted = (DWORD)(expected->hash_len - skip);
    OK(SslComputeClientAuthHash(provider, master, hash, algorithm, NULL, 0, &len, 0));
    CHECK(len == wanted);
    EXPECT(NTE_BUFFER_TOO_SMALL, SslComputeClientAuthHash(provider, master, hash, algorithm, output,
                                                          wanted - 1, &len, 0));
    memset(output, 0xa5, sizeof(output));
    OK(SslComputeClientAuthHash(provider, master, hash, algorithm, output, wanted, &len, 0));
    return len == wanted && memcmp(output, expected->hash + skip, len) == 0 && output[len] == 0xa5;
}

/* The client's side of signatures[]: RSA, and each curve where the hash has no MD5 in it. */
static void verify(size_t index, NCRYPT_KEY_HANDLE rsa)
{
    const struct signature *known = &signatures[index];
    unsigned char value[80];
    DWORD len = known->hash_len, flags = 0;
    PBYTE signature_of_rsa = in(known->bare);
    size_t each;
    NCRYPT_KEY_HANDLE key = store_blob(BCRYPT_RSAPUBLIC_BLOB, public_blob, sizeof(public_blob));
    memcpy(value, output, len);
    if (known->name != NULL) {
        len = name_hash(value, known->name, output, len);
        flags = NCRYPT_SSL_SIGN_INCLUDE_HASHOID;
        signature_of_rsa = in(known->signature);
    }
    OK(SslVerifySignature(provider, rsa, value, len, signature_of_rsa, 256, flags));
    OK(SslVerifySignature(provider, key, value, len, signature_of_rsa, 256, flags));
    OK(NCryptFreeObject(key));
    for (each = 0; index > 0 && each < COUNT(curve_keys); each++) {
        const struct bytes *blob = &curve_keys[each].ecdsa_public;
        const struct bytes *signature = &curve_keys[each].signatures[index - 1];
        key = import_blob(BCRYPT_ECCPUBLIC_BLOB, blob->data, blob->len);
        OK(SslVerifySignature(provider, key, output, known->hash_len, in(signature->data),
                              signature->len, 0));
        OK(SslFreeObject(key, 0));
        key = store_blob(BCRYPT_ECCPUBLIC_BLOB, blob->data, blob->len);
        OK(SslVerifySignature(provider, key, output, known->hash_len, in(signature->data),
                              signature->len, 0));
        OK(NCryptFreeObject(key));
    }
}

/* Before TLS 1.2 the handshake hash is MD5 and SHA-1, of which ECDSA signs the second. */
static void one_choice(NCRYPT_KEY_HANDLE private_key, NCRYPT_KEY_HANDLE rsa,
                       const struct exchange *exchange)
{
    NCRYPT_KEY_HANDLE master = import_master_key(provider, private_key, exchange);
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, exchange->protocol, exchange->suite);
    NCRYPT_HASH_HANDLE none = 77;
    CHECK(is_signed(master, hash, BCRYPT_RSA_ALGORITHM, &signatures[0], 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslVerifySignature(provider, master, output, signatures[0].hash_len,
                              in(signatures[0].bare), 256, 0));
    verify(0, rsa);
    CHECK(is_signed(master, hash, BCRYPT_ECDSA_ALGORITHM, &signatures[0], 16));
    CHECK(is_signed(master, hash, BCRYPT_DSA_ALGORITHM, &signatures[0], 16));
    CHECK(memcmp(output, signatures[1].hash, 20) == 0);
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateClientAuthHash(provider, &none, exchange->protocol, exchange->suite,
                                   BCRYPT_SHA1_ALGORITHM, 0));
    CHECK(none == 0);
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(master, 0));
}

/* In TLS 1.2 a server has a hash of each algorithm, and takes the one that the client chose. */
static void every_choice(NCRYPT_KEY_HANDLE private_key, NCRYPT_KEY_HANDLE rsa,
                         const struct exchange *exchange)
{
    LPCWSTR algorithms[] = {BCRYPT_SHA1_ALGORITHM, BCRYPT_SHA256_ALGORITHM,
                            BCRYPT_SHA384_ALGORITHM, BCRYPT_SHA512_ALGORITHM};
    LPCWSTR keys[] = {BCRYPT_RSA_ALGORITHM, BCRYPT_ECDSA_ALGORITHM, BCRYPT_ECDSA_P521_ALGORITHM,
                      BCRYPT_RSA_ALGORITHM};
    NCRYPT_KEY_HANDLE master = import_master_key(provider, private_key, exchange);
    NCRYPT_HASH_HANDLE handshake =
        hash_of_transcript(provider, exchange->protocol, exchange->suite);
    size_t each;
    DWORD len = 77;
    CHECK(is_signed(master, handshake, BCRYPT_RSA_ALGORITHM,
                    &signatures[exchange->suite == 0x9d ? 3 : 2], 0));
    for (each = 0; each < COUNT(algorithms); each++) {
        NCRYPT_HASH_HANDLE hash = 0, copy = 0;
        OK(SslCreateClientAuthHash(provider, &hash, exchange->protocol, exchange->suite,
                                   algorithms[each], 0));
        OK(SslHashHandshake(provider, hash, in(transcript), (DWORD)sizeof(transcript), 0));
        OK(SslDuplicateTranscriptHash(provider, hash, &copy, 0));
        OK(SslHashHandshake(provider, hash, in(transcript), 1, 0));
        CHECK(!is_signed(master, hash, keys[each], &signatures[each + 1], 0));
        CHECK(is_signed(master, copy, keys[each], &signatures[each + 1], 0));
        verify(each + 1, rsa);
        /* It is no handshake hash, even where it is of the same algorithm. */
        EXPECT(NTE_INVALID_PARAMETER,
               SslComputeFinishedHash(provider, master, copy, output, 12, NCRYPT_SSL_CLIENT_FLAG));
        EXPECT(NTE_INVALID_PARAMETER, SslComputeSessionHash(provider, copy, exchange->protocol,
                                                            output, sizeof(output), &len, 0));
        OK(SslFreeObject(copy, 0));
        OK(SslFreeObject(hash, 0));
    }
    OK(SslFreeObject(handshake, 0));
    OK(SslFreeObject(master, 0));
}

static void refusals(NCRYPT_KEY_HANDLE key, const struct exchange *exchange,
                     const struct exchange *other)
{
    NCRYPT_KEY_HANDLE master = import_master_key(provider, key, exchange);
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, exchange->protocol, exchange->suite);
    NCRYPT_HASH_HANDLE foreign = hash_of_transcript(provider, other->protocol, other->suite),
                       out = 77;
    LPCWSTR rsa = BCRYPT_RSA_ALGORITHM, sha = BCRYPT_SHA256_ALGORITHM;
    DWORD len = 77;
    EXPECT(NTE_INVALID_HANDLE, SslComputeClientAuthHash(0, master, hash, rsa, output, 64, &len, 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslComputeClientAuthHash(provider, key, hash, rsa, output, 64, &len, 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslComputeClientAuthHash(provider, master, master, rsa, output, 64, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeClientAuthHash(provider, master, hash, NULL, output, 64, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeClientAuthHash(provider, master, hash, rsa, output, 64, NULL, 0));
    EXPECT(NTE_BAD_FLAGS,
           SslComputeClientAuthHash(provider, master, hash, rsa, output, 64, &len, 1));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeClientAuthHash(provider, master, hash, sha, output, 64, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeClientAuthHash(provider, master, foreign, rsa, output, 64, &len, 0));
    CHECK(len == 77);
    EXPECT(NTE_INVALID_HANDLE, SslCreateClientAuthHash(key, &out, 0x303, 0x9c, sha, 0));
    CHECK(out == 0);
    EXPECT(NTE_INVALID_PARAMETER, SslCreateClientAuthHash(provider, NULL, 0x303, 0x9c, sha, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateClientAuthHash(provider, &out, 0x303, 0x9c, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslCreateClientAuthHash(provider, &out, 0x303, 0x9c, sha, 1));
    EXPECT(NTE_NOT_SUPPORTED, SslCreateClientAuthHash(provider, &out, 0x303, 0x9c, rsa, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateClientAuthHash(provider, &out, 0x303, 0x9c, BCRYPT_MD5_ALGORITHM, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateClientAuthHash(provider, &out, 0x304, 0x1301, sha, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateClientAuthHash(provider, &out, 0x303, 0xffff, sha, 0));
    CHECK(out == 0);
    OK(SslFreeObject(foreign, 0));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(master, 0));
}

int main(void)
{
    NCRYPT_KEY_HANDLE key, rsa;
    size_t each;
    provider = open_provider();
    key = open_key(provider);
    rsa = import_blob(BCRYPT_RSAPUBLIC_BLOB, public_blob, sizeof(public_blob));
    for (each = 0; each < COUNT(exchanges); each++) {
        (exchanges[each].protocol == 0x303 ? every_choice : one_choice)(key, rsa, &exchanges[each]);
    }
    refusals(key, &exchanges[4], &exchanges[0]);
    refusals(key, &exchanges[0], &exchanges[4]);
    OK(SslFreeObject(rsa, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

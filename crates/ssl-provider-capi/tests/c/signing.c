/*
 * Signatures: of RSA keys they are compared with known ones, of ECDSA keys and of PSS, where they
 * are random, they are verified, by the mirror of the function that made them.
 */

#include "test.h"

static NCRYPT_PROV_HANDLE provider;
static unsigned char signature[1024];
static DWORD len;

/* Signs into a buffer of `room` bytes, after a size query and a short buffer. */
static DWORD sign(NCRYPT_KEY_HANDLE key, const unsigned char *hash, DWORD hash_len, DWORD flags)
{
    DWORD room = 0;
    OK(SslSignHash(provider, key, in(hash), hash_len, NULL, 0, &room, flags));
    CHECK(room > 0 && room < sizeof(signature));
    memset(signature, 0xa5, sizeof(signature));
    len = 77;
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslSignHash(provider, key, in(hash), hash_len, signature, room - 1, &len, flags));
    CHECK(len == room && signature[0] == 0xa5);
    OK(SslSignHash(provider, key, in(hash), hash_len, signature, room, &len, flags));
    CHECK(len <= room && signature[room] == 0xa5);
    return len;
}

static void is_verified(NCRYPT_KEY_HANDLE key, const unsigned char *hash, DWORD hash_len,
                        DWORD flags)
{
    unsigned char value[256];
    DWORD at;
    memcpy(value, hash, hash_len);
    OK(SslVerifySignature(provider, key, value, hash_len, signature, len, flags));
    for (at = 0; at < len; at += 7) {
        signature[at] ^= 1;
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, value, hash_len, signature, len, flags));
        signature[at] ^= 1;
    }
    for (at = 0; at < len; at += 29) {
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, value, hash_len, signature, at, flags));
    }
    /* A short curve signs the start of a long digest; with a flag a name stands there. */
    value[flags == 0 ? 0 : hash_len - 1] ^= 1;
    EXPECT(NTE_BAD_SIGNATURE,
           SslVerifySignature(provider, key, value, hash_len, signature, len, flags));
}

static void rsa(NCRYPT_KEY_HANDLE key)
{
    unsigned char named[128];
    size_t each;
    DWORD size, flag;
    NCRYPT_KEY_HANDLE public_key = 0;
    OK(SslImportKey(provider, &public_key, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                    sizeof(public_blob), 0));
    for (each = 0; each < COUNT(signatures); each++) {
        const struct signature *known = &signatures[each];
        CHECK(sign(key, known->hash, known->hash_len, 0) == 256);
        CHECK(memcmp(signature, known->bare, 256) == 0);
        is_verified(public_key, known->hash, known->hash_len, 0);
        if (known->name == NULL) {
            continue;
        }
        size = name_hash(named, known->name, known->hash, known->hash_len);
        CHECK(sign(key, named, size, NCRYPT_SSL_SIGN_INCLUDE_HASHOID) == 256);
        CHECK(memcmp(signature, known->signature, 256) == 0);
        is_verified(public_key, named, size, NCRYPT_SSL_SIGN_INCLUDE_HASHOID);
        /* With the DigestInfo it is not a signature without one, and the reverse. */
        EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, public_key, in(known->hash),
                                                     known->hash_len, signature, 256, 0));
        /* One digit short, and one too many; no name; a name without its NUL. */
        EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, named, size - 1, signature, 256,
                                                  &len, NCRYPT_SSL_SIGN_INCLUDE_HASHOID));
        EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, named, size + 1, signature, 256,
                                                  &len, NCRYPT_SSL_SIGN_INCLUDE_HASHOID));
        EXPECT(NTE_INVALID_PARAMETER,
               SslSignHash(provider, key, in(known->hash), known->hash_len, signature, 256, &len,
                           NCRYPT_SSL_SIGN_INCLUDE_HASHOID));
        if (known->pss == NULL) {
            EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, named, size, signature, 256,
                                                      &len, NCRYPT_SSL_SIGN_USE_PSS_PADDING));
            continue;
        }
        CHECK(sign(key, named, size, NCRYPT_SSL_SIGN_USE_PSS_PADDING) == 256);
        is_verified(public_key, named, size, NCRYPT_SSL_SIGN_USE_PSS_PADDING);
        CHECK(sign(key, known->hash, known->hash_len, NCRYPT_SSL_SIGN_USE_PSS_PADDING) == 256);
        is_verified(public_key, named, size, NCRYPT_SSL_SIGN_USE_PSS_PADDING);
        is_verified(public_key, known->hash, known->hash_len, NCRYPT_SSL_SIGN_USE_PSS_PADDING);
    }
    /* Any bytes, up to 11 fewer than the modulus has. */
    CHECK(sign(key, longest, sizeof(longest), 0) == 256);
    CHECK(memcmp(signature, bare_longest, 256) == 0);
    EXPECT(NTE_INVALID_PARAMETER,
           SslSignHash(provider, key, signature, 246, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslSignHash(provider, key, signature, 0, signature, 256, &len, 0));
    for (flag = 3; flag != 0; flag = flag == 3 ? 4 : flag << 1) {
        EXPECT(NTE_BAD_FLAGS,
               SslSignHash(provider, key, signature, 32, signature, 256, &len, flag));
    }
    OK(SslFreeObject(public_key, 0));
}

/* A DER SEQUENCE as r and s, each as long as a coordinate. */
static DWORD fixed_length(unsigned char *fixed, DWORD width)
{
    const unsigned char *at = signature + (signature[1] == 0x81 ? 3 : 2);
    DWORD each;
    memset(fixed, 0, 2 * width);
    for (each = 1; each <= 2; each++) {
        DWORD size = at[1], zero = size > width;
        CHECK(at[0] == 2 && size <= width + 1);
        memcpy(fixed + each * width - (size - zero), at + 2 + zero, size - zero);
        at += 2 + size;
    }
    CHECK(at == signature + len);
    return 2 * width;
}

static void ecdsa(NCRYPT_KEY_HANDLE key, DWORD bits)
{
    unsigned char named[128], fixed[132];
    DWORD width = (bits + 7) / 8, size, flag;
    size_t each;
    for (each = 1; each < COUNT(signatures); each++) {
        const struct signature *known = &signatures[each];
        (void)sign(key, known->hash, known->hash_len, 0);
        CHECK(signature[0] == 0x30);
        is_verified(key, known->hash, known->hash_len, 0);
        size = fixed_length(fixed, width);
        OK(SslVerifySignature(provider, key, in(known->hash), known->hash_len, fixed, size, 0));
        /* A digest alone, without a flag. */
        for (flag = 1; flag != 0; flag <<= 1) {
            EXPECT(NTE_BAD_FLAGS, SslSignHash(provider, key, in(known->hash), known->hash_len,
                                              signature, sizeof(signature), &len, flag));
        }
        size = name_hash(named, known->name, known->hash, known->hash_len);
        EXPECT(NTE_INVALID_PARAMETER,
               SslSignHash(provider, key, named, size, signature, sizeof(signature), &len, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslSignHash(provider, key, in(known->hash), known->hash_len - 1, signature,
                           sizeof(signature), &len, 0));
    }
    /* MD5 and SHA-1 together are for RSA. */
    EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, in(signatures[0].hash), 36, signature,
                                              sizeof(signature), &len, 0));
}

static NCRYPT_KEY_HANDLE open_curve_key(const struct curve_key *key, const struct bytes *blob,
                                        LPCWSTR type)
{
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE stored = 0, opened = 0;
    CERT_CONTEXT context = context_of(key->certificate.data, key->certificate.len);
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, type, NULL, &stored, in(blob->data), blob->len, 0));
    OK(SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptFreeObject(stored));
    OK(NCryptFreeObject(storage));
    return opened;
}

static void curves(const struct curve_key *key)
{
    NCRYPT_KEY_HANDLE opened = open_curve_key(key, &key->ecdsa_private, BCRYPT_ECCPRIVATE_BLOB);
    ecdsa(opened, key->bits);
    OK(SslFreeObject(opened, 0));
    opened = open_curve_key(key, &key->pkcs8, NCRYPT_PKCS8_PRIVATE_KEY_BLOB);
    ecdsa(opened, key->bits);
    OK(SslFreeObject(opened, 0));
    opened = open_curve_key(key, &key->ecdh_private, BCRYPT_ECCPRIVATE_BLOB);
    EXPECT(NTE_BAD_TYPE, SslSignHash(provider, opened, in(signatures[2].hash), 32, signature,
                                     sizeof(signature), &len, 0));
    OK(SslFreeObject(opened, 0));
}

static void refused(NCRYPT_KEY_HANDLE key)
{
    NCRYPT_KEY_HANDLE stored = import_key(), master = import_master_key(provider, key,
                                                                        &exchanges[4]);
    PBYTE hash = in(signatures[2].hash);
    len = 77;
    EXPECT(NTE_INVALID_HANDLE, SslSignHash(0, key, hash, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslSignHash(provider, 0, hash, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslSignHash(provider, provider, hash, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslSignHash(provider, master, hash, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslSignHash(provider, stored, hash, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, NULL, 32, signature, 256, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslSignHash(provider, key, hash, 32, signature, 256, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslSignHash(provider, key, hash, 0x10001, signature, 256, &len, 0));
    CHECK(len == 77);
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(master, 0));
}

int main(void)
{
    NCRYPT_KEY_HANDLE key;
    size_t each;
    provider = open_provider();
    key = open_key(provider);
    rsa(key);
    refused(key);
    for (each = 0; each < COUNT(curve_keys); each++) {
        curves(&curve_keys[each]);
    }
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

/* Keys on curves: imported, found by their certificates, asked, exported, and verified with. */

#include "test.h"

static unsigned char memory[512];

static NCRYPT_KEY_HANDLE store(LPCWSTR type, const struct bytes *blob)
{
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE key = 0;
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, type, NULL, &key, in(blob->data), blob->len, 0));
    OK(NCryptFreeObject(storage));
    return key;
}

static int is_exported(NCRYPT_KEY_HANDLE key, const struct bytes *expected)
{
    DWORD len = 0;
    OK(NCryptExportKey(key, 0, BCRYPT_ECCPUBLIC_BLOB, NULL, NULL, 0, &len, 0));
    CHECK(len == expected->len);
    EXPECT(NTE_BUFFER_TOO_SMALL,
           NCryptExportKey(key, 0, BCRYPT_ECCPUBLIC_BLOB, NULL, memory, len - 1, &len, 0));
    OK(NCryptExportKey(key, 0, BCRYPT_ECCPUBLIC_BLOB, NULL, memory, len, &len, 0));
    return memcmp(memory, expected->data, len) == 0;
}

static void check_number(NCRYPT_KEY_HANDLE key, LPCWSTR name, DWORD expected)
{
    PBYTE value = NULL;
    DWORD len = 0;
    OK(SslGetKeyProperty(key, name, &value, &len, 0));
    CHECK(len == 4 && memcmp(value, &expected, 4) == 0);
    OK(SslFreeBuffer(value));
}

static void check_text(NCRYPT_KEY_HANDLE key, LPCWSTR name, const char *expected)
{
    PBYTE value = NULL;
    DWORD len = 0;
    OK(SslGetKeyProperty(key, name, &value, &len, 0));
    CHECK(is_text((const WCHAR *)(void *)value, expected) && len == 2 * strlen(expected) + 2);
    OK(SslFreeBuffer(value));
}

static void properties(NCRYPT_KEY_HANDLE key, unsigned bits, int is_ecdsa)
{
    char algorithm[16], curve[16];
    PBYTE value = NULL;
    DWORD len = 77;
    snprintf(algorithm, sizeof(algorithm), "%s_P%u", is_ecdsa ? "ECDSA" : "ECDH", bits);
    snprintf(curve, sizeof(curve), "nistP%u", bits);
    check_number(key, NCRYPT_LENGTH_PROPERTY, bits);
    check_number(key, BCRYPT_PUBLIC_KEY_LENGTH, bits);
    check_number(key, NCRYPT_KEY_USAGE_PROPERTY, is_ecdsa ? 2 : 4);
    check_number(key, NCRYPT_EXPORT_POLICY_PROPERTY, 0);
    check_number(key, SSL_KEY_TYPE_PROPERTY,
                 bits == 256   ? TLS_ECC_P256_CURVE_KEY_TYPE
                 : bits == 384 ? TLS_ECC_P384_CURVE_KEY_TYPE
                               : TLS_ECC_P521_CURVE_KEY_TYPE);
    check_text(key, NCRYPT_ALGORITHM_PROPERTY, algorithm);
    check_text(key, NCRYPT_ALGORITHM_GROUP_PROPERTY, is_ecdsa ? "ECDSA" : "ECDH");
    check_text(key, BCRYPT_ECC_CURVE_NAME, curve);
    EXPECT(NTE_NOT_SUPPORTED,
           SslGetKeyProperty(key, NCRYPT_BLOCK_LENGTH_PROPERTY, &value, &len, 0));
    CHECK(value == NULL && len == 77);
}

/* No master key is imported with such a key, and only an ECDSA key has suites. */
static void no_rsa_key_exchange(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, int is_ecdsa)
{
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
    PVOID state = NULL;
    NCRYPT_KEY_HANDLE master = 77;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_randoms(buffers);
    if (is_ecdsa) {
        /* Those of TLS 1.3 are for every kind of certificate, and stand before the others. */
        DWORD protocol;
        do {
            OK(SslEnumCipherSuites(provider, key, &suite, &state, 0));
            protocol = suite->dwProtocol;
            CHECK(protocol == TLS1_3_PROTOCOL_VERSION || is_text(suite->szExchange, "ECDH"));
            CHECK(protocol == TLS1_3_PROTOCOL_VERSION || is_text(suite->szCertificate, "ECDSA"));
            OK(SslFreeBuffer(suite));
        } while (protocol == TLS1_3_PROTOCOL_VERSION);
        OK(SslFreeBuffer(state));
    } else {
        EXPECT(NTE_NO_MORE_ITEMS, SslEnumCipherSuites(provider, key, &suite, &state, 0));
        CHECK(suite == NULL && state == NULL);
    }
    EXPECT(NTE_BAD_TYPE, SslImportMasterKey(provider, key, &master, 0x303, 0x9c, &list,
                                            in(encrypted_0303), 256, NCRYPT_SSL_SERVER_FLAG));
    CHECK(master == 0);
}

static void import_and_open(LPCWSTR type, const struct bytes *blob, const struct bytes *public_half,
                            const struct curve_key *key)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE opened = 77, stored;
    CERT_CONTEXT context = context_of(key->certificate.data, key->certificate.len);
    DWORD len = 0;
    EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &opened, &context, 0));
    stored = store(type, blob);
    CHECK(is_exported(stored, public_half));
    EXPECT(NTE_PERM, NCryptExportKey(stored, 0, type, NULL, NULL, 0, &len, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           NCryptExportKey(stored, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, NULL, 0, &len, 0));
    OK(SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptFreeObject(stored));
    properties(opened, key->bits, public_half == &key->ecdsa_public);
    no_rsa_key_exchange(provider, opened, public_half == &key->ecdsa_public);
    OK(SslExportKey(provider, opened, BCRYPT_ECCPUBLIC_BLOB, memory, sizeof(memory), &len, 0));
    CHECK(len == public_half->len && memcmp(memory, public_half->data, len) == 0);
    EXPECT(NTE_NOT_SUPPORTED, SslExportKey(provider, opened, BCRYPT_RSAPUBLIC_BLOB, memory,
                                           sizeof(memory), &len, 0));
    EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &stored, &context, 0));
    OK(SslFreeObject(opened, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(opened, 0));
    OK(SslFreeObject(provider, 0));
}

static SECURITY_STATUS import_changed(NCRYPT_PROV_HANDLE storage, LPCWSTR type,
                                      const struct bytes *blob, DWORD at, DWORD count,
                                      unsigned char value)
{
    NCRYPT_KEY_HANDLE key = 77;
    SECURITY_STATUS status;
    memcpy(memory, blob->data, blob->len);
    memset(memory + at, value, count);
    status = NCryptImportKey(storage, 0, type, NULL, &key, memory, blob->len, 0);
    CHECK(key == 0);
    return status;
}

static void bad_imports(const struct curve_key *key, const struct curve_key *other)
{
    const struct bytes *blob = &key->ecdsa_private;
    DWORD width = (key->bits + 7) / 8, len, bit, scalar = 8 + 2 * width;
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE out = 77;
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    for (len = 0; len < blob->len; len++) {
        EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL,
                                                      &out, in(blob->data), len, 0));
        CHECK(out == 0);
    }
    memcpy(memory, blob->data, blob->len);
    EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL, &out,
                                                  memory, blob->len + 1, 0));
    /* Another magic, and another length of a coordinate. */
    EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL, &out,
                                                  in(key->ecdsa_public.data), key->ecdsa_public.len,
                                                  0));
    memcpy(memory, other->ecdsa_private.data, 4);
    EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL, &out,
                                                  memory, blob->len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           import_changed(storage, BCRYPT_ECCPRIVATE_BLOB, blob, 4, 4, 0xff));
    /* Halves that do not belong together, and scalars that are 0 or not below the order. */
    for (bit = 0; bit < 8 * 3 * width; bit += 13) {
        DWORD at = 8 + bit / 8;
        unsigned char changed = (unsigned char)(blob->data[at] ^ 1u << bit % 8);
        EXPECT(NTE_BAD_KEY, import_changed(storage, BCRYPT_ECCPRIVATE_BLOB, blob, at, 1, changed));
    }
    EXPECT(NTE_BAD_KEY, import_changed(storage, BCRYPT_ECCPRIVATE_BLOB, blob, scalar, width, 0));
    EXPECT(NTE_BAD_KEY, import_changed(storage, BCRYPT_ECCPRIVATE_BLOB, blob, scalar, width, 0xff));
    EXPECT(NTE_BAD_KEY, import_changed(storage, BCRYPT_ECCPRIVATE_BLOB, blob, 8, 2 * width, 0));
    /* The end of the structure is the point, and the scalar stands before it. */
    for (bit = 0; bit < 2 * width; bit += 5) {
        DWORD at = key->pkcs8.len - 1 - bit;
        unsigned char changed = (unsigned char)(key->pkcs8.data[at] ^ 1u);
        EXPECT(NTE_BAD_KEY,
               import_changed(storage, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, &key->pkcs8, at, 1, changed));
    }
    for (len = 0; len < key->pkcs8.len; len++) {
        EXPECT(NTE_BAD_KEY, NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &out,
                                            in(key->pkcs8.data), len, 0));
    }
    OK(NCryptFreeObject(storage));
}

/* r and s of a signature in DER, one after the other and each as long as a coordinate. */
static DWORD fixed_length(unsigned char *fixed, DWORD width, const struct bytes *der)
{
    const unsigned char *at = der->data + (der->data[1] == 0x81 ? 3 : 2);
    DWORD each;
    memset(fixed, 0, 2 * width);
    for (each = 1; each <= 2; each++) {
        DWORD len = at[1], zero = len > width;
        CHECK(at[0] == 2 && len <= width + 1);
        memcpy(fixed + each * width - (len - zero), at + 2 + zero, len - zero);
        at += 2 + len;
    }
    CHECK(at == der->data + der->len);
    return 2 * width;
}

/* A good signature in one of its forms, in `memory`. */
static void signature_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE public_key,
                         const struct signature *hashed, DWORD len)
{
    DWORD hash_len = hashed->hash_len, at, flag;
    unsigned char hash[64], named[80];
    memcpy(hash, hashed->hash, hash_len);
    OK(SslVerifySignature(provider, public_key, hash, hash_len, memory, len, 0));
    for (flag = 1; flag != 0; flag <<= 1) {
        EXPECT(NTE_BAD_FLAGS,
               SslVerifySignature(provider, public_key, hash, hash_len, memory, len, flag));
    }
    at = name_hash(named, hashed->name, hash, hash_len);
    EXPECT(NTE_INVALID_PARAMETER,
           SslVerifySignature(provider, public_key, named, at, memory, len, 0));
    EXPECT(NTE_BAD_FLAGS, SslVerifySignature(provider, public_key, named, at, memory, len,
                                             NCRYPT_SSL_SIGN_INCLUDE_HASHOID));
    for (at = 0; at < len; at++) {
        memory[at] ^= 1;
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, public_key, hash, hash_len, memory, len, 0));
        memory[at] ^= 1;
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, public_key, hash, hash_len, memory, at, 0));
    }
    memory[len] = 0;
    EXPECT(NTE_BAD_SIGNATURE,
           SslVerifySignature(provider, public_key, hash, hash_len, memory, len + 1, 0));
    hash[0] ^= 1;
    EXPECT(NTE_BAD_SIGNATURE,
           SslVerifySignature(provider, public_key, hash, hash_len, memory, len, 0));
}

static void signatures_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE public_key,
                          const struct curve_key *key)
{
    size_t each;
    for (each = 0; each < 4; each++) {
        /* The first of all hashes is MD5 and SHA-1, which only RSA keys sign. */
        const struct signature *hashed = &signatures[each + 1];
        const struct bytes *der = &key->signatures[each];
        memcpy(memory, der->data, der->len);
        signature_of(provider, public_key, hashed, der->len);
        signature_of(provider, public_key, hashed,
                     fixed_length(memory, (key->bits + 7) / 8, der));
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslVerifySignature(provider, public_key, in(signatures[0].hash), 36, memory, 70, 0));
}

/*
 * DER that is as long as both coordinates. The key is 1, so that the point is the generator of
 * P-256; so is the random number, so that r is the generator's x; s is 26 times 11, and the digest
 * is s - r modulo the order.
 */
static void der_as_long_as_two_coordinates(void)
{
    static const unsigned char blob[] = {
        'E',  'C',  'S',  '1',  32,   0,    0,    0,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42,
        0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
        0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
        0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57,
        0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
    static const unsigned char digest[] = {0x94, 0xe8, 0x2e, 0x0c, 0x1e, 0xd3, 0xce, 0xca,
                                           0x18, 0x54, 0x2a, 0x2b, 0xad, 0x6c, 0xd0, 0x1e,
                                           0x56, 0xf4, 0x8e, 0x3d, 0x8a, 0x3d, 0x7b, 0xf5,
                                           0x10, 0x29, 0xa2, 0x8e, 0x34, 0xdb, 0x73, 0xcc};
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = 0;
    unsigned char der[64] = {0x30, 62, 2, 32}, fixed[64] = {0};
    memcpy(der + 4, blob + 8, 32);
    der[36] = 2;
    der[37] = 26;
    memset(der + 38, 0x11, 26);
    memcpy(fixed, blob + 8, 32);
    memset(fixed + 38, 0x11, 26);
    OK(SslImportKey(provider, &key, BCRYPT_ECCPUBLIC_BLOB, in(blob), (DWORD)sizeof(blob), 0));
    OK(SslVerifySignature(provider, key, in(digest), 32, der, 64, 0));
    OK(SslVerifySignature(provider, key, in(digest), 32, fixed, 64, 0));
    der[63] ^= 1;
    fixed[63] ^= 1;
    EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, in(digest), 32, der, 64, 0));
    EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, in(digest), 32, fixed, 64, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
}

static void public_keys(const struct curve_key *key)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE public_key = 0, stored = store(BCRYPT_ECCPRIVATE_BLOB, &key->ecdsa_private);
    const struct bytes *blob = &key->ecdsa_public;
    DWORD len;
    OK(SslImportKey(provider, &public_key, BCRYPT_ECCPUBLIC_BLOB, in(blob->data), blob->len, 0));
    OK(SslExportKey(provider, public_key, BCRYPT_ECCPUBLIC_BLOB, memory, sizeof(memory), &len, 0));
    CHECK(len == blob->len && memcmp(memory, blob->data, len) == 0);
    signatures_of(provider, public_key, key);
    signatures_of(provider, stored, key);
    OK(SslFreeObject(public_key, 0));
    OK(NCryptFreeObject(stored));

    for (len = 0; len < blob->len; len++) {
        public_key = 77;
        EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &public_key, BCRYPT_ECCPUBLIC_BLOB,
                                                   in(blob->data), len, 0));
        CHECK(public_key == 0);
    }
    memcpy(memory, blob->data, blob->len);
    memory[blob->len - 1] ^= 1;
    EXPECT(NTE_BAD_KEY,
           SslImportKey(provider, &public_key, BCRYPT_ECCPUBLIC_BLOB, memory, blob->len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &public_key, BCRYPT_RSAPUBLIC_BLOB,
                                               in(blob->data), blob->len, 0));

    OK(SslImportKey(provider, &public_key, BCRYPT_ECCPUBLIC_BLOB, in(key->ecdh_public.data),
                    key->ecdh_public.len, 0));
    EXPECT(NTE_BAD_TYPE,
           SslVerifySignature(provider, public_key, in(signatures[2].hash), 32,
                              in(key->signatures[1].data), key->signatures[1].len, 0));
    OK(SslFreeObject(public_key, 0));
    OK(SslFreeObject(provider, 0));
}

int main(void)
{
    size_t each;
    for (each = 0; each < COUNT(curve_keys); each++) {
        const struct curve_key *key = &curve_keys[each];
        import_and_open(BCRYPT_ECCPRIVATE_BLOB, &key->ecdsa_private, &key->ecdsa_public, key);
        import_and_open(BCRYPT_ECCPRIVATE_BLOB, &key->ecdh_private, &key->ecdh_public, key);
        import_and_open(NCRYPT_PKCS8_PRIVATE_KEY_BLOB, &key->pkcs8, &key->ecdsa_public, key);
        bad_imports(key, &curve_keys[(each + 1) % COUNT(curve_keys)]);
        public_keys(key);
    }
    der_as_long_as_two_coordinates();
    return nothing_is_left();
}

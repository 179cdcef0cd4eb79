/*
 * Ephemeral keys of (EC)DHE: listed, generated, exported, imported, and agreed with by both sides,
 * who then read each other's records. And everything that is refused.
 */

#include "test.h"

enum { P256 = 23, X25519 = 29 };

static NCRYPT_PROV_HANDLE provider;
static unsigned char memory[2048];
static DWORD len;

/* What is signed and sent is looked at by the programs client.c and server.c. */
static const DWORD ecdhe = 0xc02f, dhe = 0x9e, protocol = TLS1_2_PROTOCOL_VERSION;

static NCRYPT_KEY_HANDLE ephemeral(DWORD type, DWORD bits)
{
    NCRYPT_KEY_HANDLE key = 0;
    OK(SslCreateEphemeralKey(provider, &key, protocol, ecdhe, type, bits, NULL, 0, 0));
    CHECK(key != 0);
    return key;
}

/* A DHM block: prime and generator, each as long as the prime. */
static DWORD put_group(unsigned char *to, const unsigned char *prime, DWORD prime_len,
                       unsigned char generator)
{
    BCRYPT_DH_PARAMETER_HEADER header;
    header.cbLength = (ULONG)sizeof(header) + 2 * prime_len;
    header.dwMagic = BCRYPT_DH_PARAMETERS_MAGIC;
    header.cbKeyLength = prime_len;
    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), prime, prime_len);
    memset(to + sizeof(header) + prime_len, 0, prime_len);
    to[sizeof(header) + 2 * prime_len - 1] = generator;
    return header.cbLength;
}

static NCRYPT_KEY_HANDLE ephemeral_dh(void)
{
    NCRYPT_KEY_HANDLE key = 0;
    DWORD group_len = put_group(memory, ffdhe2048, (DWORD)sizeof(ffdhe2048), 2);
    OK(SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 2048, memory, group_len, 0));
    CHECK(key != 0);
    return key;
}

/* Exports a key, asking for the size first, and leaves the blob in `memory`. */
static DWORD export_key(NCRYPT_KEY_HANDLE key, LPCWSTR type)
{
    DWORD size = 0;
    OK(SslExportKey(provider, key, type, NULL, 0, &size, 0));
    CHECK(size > 8 && size < sizeof(memory));
    EXPECT(NTE_BUFFER_TOO_SMALL, SslExportKey(provider, key, type, memory, size - 1, &len, 0));
    CHECK(len == size);
    memset(memory, 0xa5, sizeof(memory));
    OK(SslExportKey(provider, key, type, memory, size, &len, 0));
    CHECK(len == size && memory[size] == 0xa5);
    return size;
}

/* What the peer gets of a key. */
static NCRYPT_KEY_HANDLE public_half(NCRYPT_KEY_HANDLE key, LPCWSTR type)
{
    NCRYPT_KEY_HANDLE peer = 0;
    DWORD size = export_key(key, type);
    OK(SslImportKey(provider, &peer, type, memory, size, 0));
    CHECK(peer != 0);
    return peer;
}

static SECURITY_STATUS generate(NCRYPT_KEY_HANDLE own, NCRYPT_KEY_HANDLE peer, DWORD suite,
                                size_t entries, DWORD flags, NCRYPT_KEY_HANDLE *master)
{
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, entries);
    SECURITY_STATUS status;
    set_randoms(buffers);
    *master = 77;
    status = SslGenerateMasterKey(provider, own, peer, master, protocol, suite, &list, NULL, 0,
                                  NULL, flags);
    CHECK((status == ERROR_SUCCESS) == (*master != 0));
    return status;
}

/* Both sides have the same master key, and each reads what the other writes. */
static void are_two_sides(NCRYPT_KEY_HANDLE client, NCRYPT_KEY_HANDLE server, DWORD suite)
{
    static const unsigned char text[] = "said to the other side";
    NCRYPT_KEY_HANDLE keys[2], reads[2], writes[2];
    unsigned char finished[2][12], opened[64];
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, protocol, suite);
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    size_t each;
    keys[0] = client;
    keys[1] = server;
    set_randoms(buffers);
    for (each = 0; each < 2; each++) {
        OK(SslComputeFinishedHash(provider, keys[each], hash, finished[each], 12,
                                  NCRYPT_SSL_CLIENT_FLAG));
        OK(SslGenerateSessionKeys(provider, keys[each], &reads[each], &writes[each], &list, 0));
    }
    CHECK(memcmp(finished[0], finished[1], 12) == 0);
    for (each = 0; each < 2; each++) {
        DWORD record_len = 0;
        OK(SslEncryptPacket(provider, writes[each], in(text), (DWORD)sizeof(text), memory,
                            sizeof(memory), &record_len, 0, 23, 0));
        OK(SslDecryptPacket(provider, reads[1 - each], memory, record_len, opened, sizeof(opened),
                            &len, 0, 0));
        CHECK(len == sizeof(text) && memcmp(opened, text, len) == 0);
        /* The keys of the directions differ, and a read key does not write. */
        EXPECT(NTE_DECRYPTION_FAILURE, SslDecryptPacket(provider, reads[each], memory, record_len,
                                                        opened, sizeof(opened), &len, 0, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslEncryptPacket(provider, reads[each], in(text), (DWORD)sizeof(text), memory,
                                sizeof(memory), &record_len, 0, 23, 0));
    }
    for (each = 0; each < 2; each++) {
        OK(SslFreeObject(reads[each], 0));
        OK(SslFreeObject(writes[each], 0));
    }
    OK(SslFreeObject(hash, 0));
}

/* Frees the two keys. */
static void agree(NCRYPT_KEY_HANDLE client, NCRYPT_KEY_HANDLE server, LPCWSTR type, DWORD suite)
{
    NCRYPT_KEY_HANDLE of_client = public_half(client, type), of_server = public_half(server, type);
    NCRYPT_KEY_HANDLE masters[2], again;
    OK(generate(client, of_server, suite, 2, NCRYPT_SSL_CLIENT_FLAG, &masters[0]));
    OK(generate(server, of_client, suite, 2, NCRYPT_SSL_SERVER_FLAG, &masters[1]));
    are_two_sides(masters[0], masters[1], suite);
    /* An ephemeral key agrees once; its public half stays. */
    EXPECT(NTE_BAD_KEY_STATE,
           generate(client, of_server, suite, 2, NCRYPT_SSL_CLIENT_FLAG, &again));
    (void)export_key(client, type);
    OK(SslFreeObject(masters[0], 0));
    OK(SslFreeObject(masters[1], 0));
    OK(SslFreeObject(of_client, 0));
    OK(SslFreeObject(of_server, 0));
    OK(SslFreeObject(client, 0));
    OK(SslFreeObject(server, 0));
}

static void curves(void)
{
    NCRYPT_SSL_ECC_CURVE *list = NULL;
    DWORD count = 77, each, seen = 0;
    EXPECT(NTE_INVALID_HANDLE, SslEnumEccCurves(0, &count, &list, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumEccCurves(provider, NULL, &list, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumEccCurves(provider, &count, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslEnumEccCurves(provider, &count, &list, 1));
    CHECK(count == 77 && list == NULL);
    OK(SslEnumEccCurves(provider, &count, &list, 0));
    for (each = 0; each < count; each++) {
        const NCRYPT_SSL_ECC_CURVE *curve = &list[each];
        DWORD type = curve->dwCurveType, bits = curve->dwPublicKeyLength;
        CHECK(curve->dwFlags == 0);
        if (type > 255) {
            /* A hybrid group, for TLS 1.3. */
            CHECK(type >= 4587 && type <= 4589 && bits >= 8 * 1216 && curve->szOID[0] == 0);
            continue;
        }
        CHECK(type >= 22 && type <= 29);
        seen |= 1u << type;
        if (type == X25519) {
            CHECK(is_text(curve->szCurveName, "curve25519") && curve->szOID[0] == 0);
            CHECK(bits == 255);
        }
        if (type == P256) {
            CHECK(is_text(curve->szCurveName, "nistP256") && bits == 256);
            CHECK(strcmp(curve->szOID, "1.2.840.10045.3.1.7") == 0);
        }
        agree(ephemeral(type, bits), ephemeral(type, 0), SSL_ECCPUBLIC_BLOB, ecdhe);
        if (type == X25519 || (type >= 23 && type <= 25)) {
            agree(ephemeral(type, 0), ephemeral(0, bits), BCRYPT_ECCPUBLIC_BLOB, 0xc00a);
            agree(ephemeral(type, 0), ephemeral(0, bits), BCRYPT_PUBLIC_KEY_BLOB, 0xc02c);
        } else {
            NCRYPT_KEY_HANDLE key = ephemeral(type, 0);
            EXPECT(NTE_NOT_SUPPORTED,
                   SslExportKey(provider, key, BCRYPT_ECCPUBLIC_BLOB, NULL, 0, &len, 0));
            OK(SslFreeObject(key, 0));
        }
    }
    /* X25519, and the three of NIST. */
    CHECK((seen & (1u << 29 | 7u << 23)) == (1u << 29 | 7u << 23));
    OK(SslFreeBuffer(list));
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(list));
}

/* The bytes of the blobs, which a caller takes apart. */
static void blobs_of_curves(void)
{
    static const ULONG magics[] = {BCRYPT_ECDH_PUBLIC_P256_MAGIC, BCRYPT_ECDH_PUBLIC_P384_MAGIC,
                                   BCRYPT_ECDH_PUBLIC_P521_MAGIC};
    static const ULONG sizes[] = {32, 48, 66};
    unsigned char ssl[sizeof(SSL_ECCKEY_BLOB) + 132];
    NCRYPT_KEY_HANDLE key;
    DWORD each, at;
    for (each = 0; each < COUNT(magics); each++) {
        BCRYPT_ECCKEY_BLOB header;
        SSL_ECCKEY_BLOB named;
        DWORD size;
        key = ephemeral(P256 + each, 0);
        size = export_key(key, SSL_ECCPUBLIC_BLOB);
        memcpy(ssl, memory, size);
        memcpy(&named, ssl, sizeof(named));
        CHECK(size == 8 + 2 * sizes[each]);
        CHECK(named.dwCurveType == P256 + each && named.cbKey == sizes[each]);
        CHECK(export_key(key, BCRYPT_ECCPUBLIC_BLOB) == size);
        memcpy(&header, memory, sizeof(header));
        CHECK(header.dwMagic == magics[each] && header.cbKey == sizes[each]);
        CHECK(memcmp(memory + 8, ssl + 8, size - 8) == 0);
        CHECK(export_key(key, BCRYPT_PUBLIC_KEY_BLOB) == size);
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(provider, key, BCRYPT_DH_PUBLIC_BLOB, NULL, 0, &len, 0));
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(provider, key, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, &len, 0));
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(provider, key, BCRYPT_OPAQUE_KEY_BLOB, NULL, 0, &len, 0));
        OK(SslFreeObject(key, 0));
    }
    key = ephemeral(X25519, 255);
    CHECK(export_key(key, SSL_ECCPUBLIC_BLOB) == 8 + 32);
    memcpy(ssl, memory, 40);
    CHECK(export_key(key, BCRYPT_ECCPUBLIC_BLOB) == 8 + 64);
    CHECK(memcmp(memory, "ECKP\x20\0\0\0", 8) == 0 && memcmp(memory + 8, ssl + 8, 32) == 0);
    for (at = 40; at < 72; at++) {
        CHECK(memory[at] == 0);
    }
    OK(SslFreeObject(key, 0));
}

/* Truncated at every byte, and with a bit flipped at every byte, in each form. */
static void bad_blobs_of_curves(DWORD type, LPCWSTR name)
{
    NCRYPT_KEY_HANDLE own = ephemeral(type, 0), key = 77, master;
    unsigned char blob[256];
    DWORD size = export_key(own, name), at;
    memcpy(blob, memory, size);
    for (at = 0; at < size; at++) {
        EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &key, name, blob, at, 0));
        CHECK(key == 0);
    }
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &key, name, blob, size + 1, 0));
    for (at = 0; at < size; at++) {
        SECURITY_STATUS status;
        blob[at] ^= 1;
        status = SslImportKey(provider, &key, name, blob, size, 0);
        if (status == ERROR_SUCCESS) {
            /* Another curve of the same size, or another x of X25519: no curve that has been
             * checked is among them. */
            CHECK(key != 0 && (at == 0 || type == X25519));
            status = generate(own, key, ecdhe, 2, NCRYPT_SSL_CLIENT_FLAG, &master);
            if (status == ERROR_SUCCESS) {
                OK(SslFreeObject(master, 0));
                OK(SslFreeObject(own, 0));
                own = ephemeral(type, 0);
            } else {
                CHECK(status == NTE_INVALID_PARAMETER);
            }
            OK(SslFreeObject(key, 0));
        } else {
            CHECK(key == 0);
            CHECK(at < 8 || status == NTE_BAD_KEY || status == NTE_BAD_TYPE);
            CHECK(at >= 8 || status == NTE_INVALID_PARAMETER || status == NTE_BAD_TYPE ||
                  status == NTE_BAD_KEY);
        }
        blob[at] ^= 1;
    }
    OK(SslFreeObject(own, 0));
}

/* What a peer can send that is no key, or one whose secret anybody knows. */
static void bad_shares(void)
{
    unsigned char blob[8 + 64] = "ECKP\x20\0\0\0";
    NCRYPT_KEY_HANDLE own = ephemeral(X25519, 0), key = 77, master;
    DWORD size, bit;
    /* X25519 with u = 0: the secret is all zeros (RFC 8422 section 5.11). */
    OK(SslImportKey(provider, &key, BCRYPT_ECCPUBLIC_BLOB, blob, sizeof(blob), 0));
    EXPECT(NTE_BAD_DATA, generate(own, key, ecdhe, 2, NCRYPT_SSL_CLIENT_FLAG, &master));
    EXPECT(NTE_BAD_KEY_STATE, generate(own, key, ecdhe, 2, NCRYPT_SSL_CLIENT_FLAG, &master));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(own, 0));
    /* A y, which X25519 does not have. */
    blob[40] = 1;
    EXPECT(NTE_BAD_TYPE,
           SslImportKey(provider, &key, BCRYPT_ECCPUBLIC_BLOB, blob, sizeof(blob), 0));
    /* Points of zeros and of ones. */
    for (bit = P256; bit < P256 + 3; bit++) {
        own = ephemeral(bit, 0);
        size = export_key(own, BCRYPT_ECCPUBLIC_BLOB);
        memset(memory + 8, 0, size - 8);
        EXPECT(NTE_BAD_KEY,
               SslImportKey(provider, &key, BCRYPT_ECCPUBLIC_BLOB, memory, size, 0));
        memset(memory + 8, 0xff, size - 8);
        EXPECT(NTE_BAD_KEY,
               SslImportKey(provider, &key, BCRYPT_ECCPUBLIC_BLOB, memory, size, 0));
        OK(SslFreeObject(own, 0));
    }
    CHECK(key == 0);
}

static void finite_fields(void)
{
    NCRYPT_KEY_HANDLE own, key = 77, master;
    unsigned char blob[8 + 3 * 256], group[1024];
    BCRYPT_DH_KEY_BLOB header;
    DWORD size, at, group_len;
    agree(ephemeral_dh(), ephemeral_dh(), BCRYPT_DH_PUBLIC_BLOB, dhe);
    agree(ephemeral_dh(), ephemeral_dh(), BCRYPT_PUBLIC_KEY_BLOB, 0x39);

    own = ephemeral_dh();
    size = export_key(own, BCRYPT_DH_PUBLIC_BLOB);
    CHECK(size == sizeof(blob));
    memcpy(blob, memory, size);
    memcpy(&header, blob, sizeof(header));
    CHECK(header.dwMagic == BCRYPT_DH_PUBLIC_MAGIC && header.cbKey == 256);
    CHECK(memcmp(blob + 8, ffdhe2048, 256) == 0 && blob[8 + 511] == 2);
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, own, BCRYPT_ECCPUBLIC_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExportKey(provider, own, SSL_ECCPUBLIC_BLOB, NULL, 0, &len, 0));
    for (at = 0; at < size; at++) {
        EXPECT(NTE_INVALID_PARAMETER,
               SslImportKey(provider, &key, BCRYPT_DH_PUBLIC_BLOB, blob, at, 0));
    }
    /* Another header, prime or generator; another number only is a key like any other. */
    for (at = 0; at < 8 + 512; at++) {
        SECURITY_STATUS status;
        blob[at] ^= 1;
        status = SslImportKey(provider, &key, BCRYPT_DH_PUBLIC_BLOB, blob, size, 0);
        if (status == ERROR_SUCCESS) {
            CHECK(at >= 8);
            /* Not the group of the ephemeral key, which is not used up. */
            EXPECT(NTE_INVALID_PARAMETER,
                   generate(own, key, dhe, 2, NCRYPT_SSL_CLIENT_FLAG, &master));
            OK(SslFreeObject(key, 0));
        } else {
            CHECK(status == NTE_INVALID_PARAMETER || status == NTE_BAD_KEY);
        }
        blob[at] ^= 1;
    }
    /* 0, 1, p - 1 and p are no keys; 2 and p - 2 are. */
    for (at = 0; at < 6; at++) {
        static const int last[] = {0, 1, -1, 0, 2, -2};
        int is_good = at >= 4;
        memset(blob + 8 + 512, 0, 256);
        if (last[at] < 0 || at == 3) {
            memcpy(blob + 8 + 512, ffdhe2048, 256);
        }
        blob[size - 1] = (unsigned char)(blob[size - 1] + last[at]);
        EXPECT(is_good ? ERROR_SUCCESS : NTE_BAD_KEY,
               SslImportKey(provider, &key, BCRYPT_DH_PUBLIC_BLOB, blob, size, 0));
        if (is_good) {
            OK(SslFreeObject(key, 0));
        }
    }
    OK(SslFreeObject(own, 0));

    group_len = put_group(group, ffdhe2048, 256, 2);
    for (at = 0; at < group_len; at++) {
        EXPECT(NTE_INVALID_PARAMETER,
               SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, at, 0));
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, group_len + 1, 0));
    for (at = 0; at < 12; at++) {
        group[at] ^= 1;
        EXPECT(NTE_INVALID_PARAMETER,
               SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, group_len, 0));
        group[at] ^= 1;
    }
    /* An even prime, generators that have no order, a small prime, and other numbers beside it. */
    group[12 + 255] ^= 1;
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, group_len, 0));
    for (at = 0; at < 2; at++) {
        group_len = put_group(group, ffdhe2048, 256, (unsigned char)at);
        EXPECT(NTE_INVALID_PARAMETER,
               SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, group_len, 0));
    }
    group_len = put_group(group, ffdhe2048, 64, 2);
    group[12 + 63] |= 1;
    EXPECT(NTE_PERM,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 0, group, group_len, 0));
    group_len = put_group(group, ffdhe2048, 256, 2);
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 2047, group, group_len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 23, 0, group, group_len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 2048, NULL, group_len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, dhe, 0, 2048, NULL, 0, 0));
    CHECK(key == 0);
}

static void refused_keys(void)
{
    static const DWORD types[] = {1, 21, 30, 31, 256, 4588, 0x10017, 0xffffffff};
    NCRYPT_KEY_HANDLE key = 77;
    PBYTE b = memory;
    size_t each;
    EXPECT(NTE_INVALID_HANDLE, SslCreateEphemeralKey(0, &key, protocol, ecdhe, 23, 0, NULL, 0, 0));
    CHECK(key == 0);
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, NULL, protocol, ecdhe, 23, 0, NULL, 0, 0));
    EXPECT(NTE_BAD_FLAGS,
           SslCreateEphemeralKey(provider, &key, protocol, ecdhe, 23, 0, NULL, 0, 1));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, ecdhe, 23, 0, b, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, ecdhe, 23, 0, NULL, 1, 0));
    for (each = 0; each < COUNT(types); each++) {
        EXPECT(NTE_INVALID_PARAMETER, SslCreateEphemeralKey(provider, &key, protocol, ecdhe,
                                                            types[each], 256, NULL, 0, 0));
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, ecdhe, 0, 0, NULL, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, protocol, ecdhe, 0, 257, NULL, 0, 0));
    /* RSA and PSK have none, and other protocols and suites. */
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, protocol, 0x9c, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, protocol, 0xa8, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, 0x302, ecdhe, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, 0x304, ecdhe, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, 0x300, 0xc013, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, protocol, 0xffff, 23, 0, NULL, 0, 0));
    CHECK(key == 0);
}

/* Nothing that goes wrong before the agreement uses the key up. */
static void mistakes(void)
{
    NCRYPT_KEY_HANDLE own = ephemeral(P256, 256), other = ephemeral(P256, 256);
    NCRYPT_KEY_HANDLE peer = public_half(other, BCRYPT_ECCPUBLIC_BLOB), master = 77, key, x, dh;
    NCRYPT_KEY_HANDLE of_x, of_dh, of_client, ecdsa = 0, rsa = 0;
    NCRYPT_KEY_HANDLE rsa_private = open_key(provider);
    NCryptBuffer buffers[3];
    NCryptBufferDesc list = list_of(buffers, 2);
    PBYTE b = memory;
    x = ephemeral(X25519, 0);
    dh = ephemeral_dh();
    of_x = public_half(x, BCRYPT_ECCPUBLIC_BLOB);
    of_dh = public_half(dh, BCRYPT_DH_PUBLIC_BLOB);
    OK(SslImportKey(provider, &ecdsa, BCRYPT_ECCPUBLIC_BLOB, in(curve_keys[0].ecdsa_public.data),
                    curve_keys[0].ecdsa_public.len, 0));
    OK(SslImportKey(provider, &rsa, BCRYPT_RSAPUBLIC_BLOB, in(public_blob), sizeof(public_blob),
                    0));
    set_randoms(buffers);
#define CALL(own_, peer_, version, suite, output, size, result, flags)                           \
    SslGenerateMasterKey(provider, own_, peer_, &master, version, suite, &list, output, size,     \
                         result, flags)
    EXPECT(NTE_INVALID_HANDLE, SslGenerateMasterKey(0, own, peer, &master, protocol, ecdhe, &list,
                                                    NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(own, 0, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(own, own, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(own, other, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(peer, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(rsa_private, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(0, own, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_BAD_TYPE, CALL(0, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_BAD_TYPE, CALL(own, ecdsa, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_BAD_TYPE, CALL(own, rsa, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, own, peer, NULL, protocol, ecdhe,
                                                       &list, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, own, peer, &master, protocol,
                                                       ecdhe, NULL, NULL, 0, NULL, 1));
    EXPECT(NTE_BAD_FLAGS, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 3));
    EXPECT(NTE_BAD_FLAGS, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 4));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, 0x304, 0x1301, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, 0x302, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, protocol, 0xffff, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, protocol, 0x9c, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, protocol, 0xa8, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(own, peer, protocol, dhe, NULL, 0, NULL, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(dh, of_dh, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, of_x, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, of_dh, protocol, ecdhe, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, CALL(dh, peer, protocol, dhe, NULL, 0, NULL, 1));
    list.ulVersion = 1;
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    list = list_of(buffers, 1);
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    list = list_of(buffers, 0);
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    list = list_of(buffers, 2);
    buffers[1].cbBuffer = 31;
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, memory, 33);
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, ecdhe, NULL, 0, NULL, 1));
    /* A session hash of another length than that of the suite. */
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, client_random, 32);
    EXPECT(NTE_INVALID_PARAMETER, CALL(own, peer, protocol, 0xc030, NULL, 0, NULL, 1));
    CHECK(master == 0);

    /* The extended master secret, on both sides; an output that is not needed is not written. */
    memset(memory, 0xa5, 16);
    len = 77;
    OK(CALL(own, peer, protocol, ecdhe, b, 16, &len, NCRYPT_SSL_CLIENT_FLAG));
    CHECK(len == 0 && memory[0] == 0xa5 && memory[15] == 0xa5);
    key = public_half(own, BCRYPT_ECCPUBLIC_BLOB);
    of_client = master;
    OK(CALL(other, key, protocol, ecdhe, NULL, 0, NULL, NCRYPT_SSL_SERVER_FLAG));
    are_two_sides(of_client, master, ecdhe);
#undef CALL
    OK(SslFreeObject(master, 0));
    OK(SslFreeObject(of_client, 0));
    OK(SslFreeObject(rsa_private, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(ecdsa, 0));
    OK(SslFreeObject(rsa, 0));
    OK(SslFreeObject(of_x, 0));
    OK(SslFreeObject(of_dh, 0));
    OK(SslFreeObject(x, 0));
    OK(SslFreeObject(dh, 0));
    OK(SslFreeObject(peer, 0));
    OK(SslFreeObject(own, 0));
    OK(SslFreeObject(other, 0));
}

/* Wrong arguments of export and import, and blobs that are of another kind. */
static void transfers(void)
{
    NCRYPT_KEY_HANDLE own = ephemeral(P256, 0), key = 77, peer;
    LPCWSTR type = BCRYPT_ECCPUBLIC_BLOB;
    DWORD size;
    EXPECT(NTE_INVALID_HANDLE, SslExportKey(0, own, type, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslExportKey(provider, 0, type, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExportKey(provider, own, NULL, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExportKey(provider, own, type, NULL, 0, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslExportKey(provider, own, type, NULL, 0, &len, 1));
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, own, BCRYPT_ECCPRIVATE_BLOB, NULL, 0, &len, 0));
    size = export_key(own, type);
    EXPECT(NTE_INVALID_HANDLE, SslImportKey(0, &key, type, memory, size, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, NULL, type, memory, size, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &key, NULL, memory, size, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &key, type, NULL, size, 0));
    EXPECT(NTE_BAD_FLAGS, SslImportKey(provider, &key, type, memory, size, 1));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_DH_PUBLIC_BLOB, memory, size, 0));
    EXPECT(NTE_BAD_TYPE, SslImportKey(provider, &key, SSL_ECCPUBLIC_BLOB, memory, size, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_RSAPUBLIC_BLOB, memory, size, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslImportKey(provider, &key, BCRYPT_ECCPRIVATE_BLOB, memory, size, 0));
    CHECK(key == 0);
    /* A key for an agreement has no signatures, and no properties. */
    peer = public_half(own, type);
    EXPECT(NTE_BAD_TYPE,
           SslVerifySignature(provider, peer, memory, 32, memory, 64, 0));
    OK(SslFreeObject(peer, 0));
    OK(SslFreeObject(own, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(own, 0));
    EXPECT(NTE_INVALID_HANDLE, SslExportKey(provider, own, type, NULL, 0, &len, 0));
}

int main(void)
{
    DWORD type;
    provider = open_provider();
    curves();
    blobs_of_curves();
    for (type = P256; type < P256 + 3; type++) {
        bad_blobs_of_curves(type, BCRYPT_ECCPUBLIC_BLOB);
        bad_blobs_of_curves(type, SSL_ECCPUBLIC_BLOB);
    }
    bad_blobs_of_curves(X25519, BCRYPT_ECCPUBLIC_BLOB);
    bad_blobs_of_curves(X25519, SSL_ECCPUBLIC_BLOB);
    bad_shares();
    finite_fields();
    refused_keys();
    mistakes();
    transfers();
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

/*
 * The client of an RSA key exchange, with and without the extended master secret, and both sides of
 * PSK. What the client encrypts the server of this library decrypts, which the program master_key.c
 * compares with known answers; those of PSK are in data.h.
 */

#include "test.h"

static NCRYPT_PROV_HANDLE provider;
static NCRYPT_KEY_HANDLE private_key, public_key;
static unsigned char encrypted[1024];
static DWORD len;

static const DWORD protocols[] = {0x301, 0x302, 0x303, 0xfeff, 0xfefd};

static DWORD suite_of(DWORD protocol)
{
    return protocol == 0x303 || protocol == 0xfefd ? 0x9c : 0x2f;
}

static DWORD hash_len_of(DWORD protocol)
{
    return protocol == 0x303 || protocol == 0xfefd ? 32 : 36;
}

/* The server makes the same master key of the ciphertext, and each reads what the other writes. */
static void is_of_server(NCRYPT_KEY_HANDLE client, DWORD protocol, NCryptBufferDesc *list)
{
    static const unsigned char text[] = "said to the other side";
    NCRYPT_KEY_HANDLE keys[2], reads[2], writes[2];
    unsigned char finished[2][12], record[256], opened[64];
    DWORD suite = suite_of(protocol), record_len = 0;
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, protocol, suite);
    NCryptBuffer buffers[2];
    NCryptBufferDesc randoms = list_of(buffers, 2);
    size_t each;
    set_randoms(buffers);
    keys[0] = client;
    OK(SslImportMasterKey(provider, private_key, &keys[1], protocol, suite, list, encrypted, 256,
                          NCRYPT_SSL_SERVER_FLAG));
    for (each = 0; each < 2; each++) {
        OK(SslComputeFinishedHash(provider, keys[each], hash, finished[each], 12,
                                  NCRYPT_SSL_CLIENT_FLAG));
        OK(SslGenerateSessionKeys(provider, keys[each], &reads[each], &writes[each], &randoms, 0));
    }
    CHECK(memcmp(finished[0], finished[1], 12) == 0);
    for (each = 0; each < 2; each++) {
        OK(SslEncryptPacket(provider, writes[each], in(text), (DWORD)sizeof(text), record,
                            sizeof(record), &record_len, 0, 23, 0));
        OK(SslDecryptPacket(provider, reads[1 - each], record, record_len, opened, sizeof(opened),
                            &len, 0, 0));
        CHECK(len == sizeof(text) && memcmp(opened, text, len) == 0);
        OK(SslFreeObject(writes[each], 0));
    }
    OK(SslFreeObject(reads[0], 0));
    OK(SslFreeObject(reads[1], 0));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(keys[1], 0));
}

/* Entries: the offered version, then both randoms. */
static void set_list(NCryptBuffer *buffers, const DWORD *offered)
{
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, offered, sizeof(*offered));
    set_randoms(buffers + 1);
}

static void one_call(DWORD protocol, DWORD offered, NCRYPT_KEY_HANDLE server)
{
    DWORD suite = suite_of(protocol), other = offered ^ 1;
    NCRYPT_KEY_HANDLE master = 77;
    NCryptBuffer buffers[3];
    NCryptBufferDesc list = list_of(buffers, 3), without = list_of(buffers + 1, 2);
    NCryptBufferDesc *given = offered == protocol ? &without : &list;
    unsigned char finished[2][12];
    NCRYPT_HASH_HANDLE hash;
    NCRYPT_KEY_HANDLE rejected = 0;
    set_list(buffers, &offered);
    /* The size, and no key. */
    OK(SslGenerateMasterKey(provider, 0, server, &master, protocol, suite, given, NULL, 0, &len,
                            NCRYPT_SSL_CLIENT_FLAG));
    CHECK(len == 256 && master == 0);
    memset(encrypted, 0xa5, sizeof(encrypted));
    len = 77;
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslGenerateMasterKey(provider, 0, server, &master, protocol, suite, given, encrypted,
                                255, &len, NCRYPT_SSL_CLIENT_FLAG));
    CHECK(len == 256 && master == 0 && encrypted[0] == 0xa5);
    /* More room than the modulus has, and one place for both sizes. */
    len = sizeof(encrypted);
    OK(SslGenerateMasterKey(provider, 0, server, &master, protocol, suite, given, encrypted, len,
                            &len, NCRYPT_SSL_CLIENT_FLAG));
    CHECK(len == 256 && master != 0 && encrypted[256] == 0xa5);
    is_of_server(master, protocol, &list);
    /* The premaster secret carries the offered version: the server that expects another has
     * another master key, and is not told why. */
    hash = hash_of_transcript(provider, protocol, suite);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &other, sizeof(other));
    OK(SslImportMasterKey(provider, private_key, &rejected, protocol, suite, &list, encrypted, 256,
                          NCRYPT_SSL_SERVER_FLAG));
    OK(SslComputeFinishedHash(provider, master, hash, finished[0], 12, 1));
    OK(SslComputeFinishedHash(provider, rejected, hash, finished[1], 12, 1));
    CHECK(memcmp(finished[0], finished[1], 12) != 0);
    OK(SslFreeObject(rejected, 0));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(master, 0));
}

/* With the extended master secret, in every slot of the premaster key. */
static void two_calls(DWORD protocol, DWORD offered)
{
    DWORD suite = suite_of(protocol), each;
    NCRYPT_KEY_HANDLE premaster = 77, master = 77;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 1);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &offered, sizeof(offered));
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, transcript, hash_len_of(protocol));
    OK(SslGeneratePreMasterKey(provider, public_key, &premaster, protocol, suite, &list, NULL, 0,
                               &len, 0));
    CHECK(len == 256 && premaster == 0);
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslGeneratePreMasterKey(provider, public_key, &premaster, protocol, suite, &list,
                                   encrypted, 255, &len, 0));
    CHECK(len == 256 && premaster == 0);
    OK(SslGeneratePreMasterKey(provider, public_key, &premaster, protocol, suite, &list, encrypted,
                               sizeof(encrypted), &len, NCRYPT_SSL_CLIENT_FLAG));
    CHECK(len == 256 && premaster != 0);
    list = list_of(buffers, 2);
    for (each = 0; each < 3; each++) {
        NCRYPT_KEY_HANDLE own = each == 2 ? 0 : premaster;
        NCRYPT_KEY_HANDLE peer = each == 0 ? 0 : each == 1 ? public_key : premaster;
        len = 77;
        OK(SslGenerateMasterKey(provider, own, peer, &master, protocol, suite, &list, NULL, 0,
                                each == 0 ? NULL : &len, NCRYPT_SSL_CLIENT_FLAG));
        CHECK(master != 0 && len == (each == 0 ? 77 : 0));
        is_of_server(master, protocol, &list);
        OK(SslFreeObject(master, 0));
    }
    OK(SslFreeObject(premaster, 0));
}

static void refused_premasters(void)
{
    NCRYPT_KEY_HANDLE premaster = 77, master = 77, ec = 0, other = 0;
    DWORD offered[2] = {0x303, 0};
    NCryptBuffer buffers[3];
    NCryptBufferDesc list = list_of(buffers, 1);
    PBYTE b = encrypted;
    DWORD room = sizeof(encrypted);
    set_list(buffers, offered);
    OK(SslImportKey(provider, &ec, BCRYPT_ECCPUBLIC_BLOB, in(curve_keys[0].ecdsa_public.data),
                    curve_keys[0].ecdsa_public.len, 0));
#define CALL(provider_, key, protocol, suite, flags)                                             \
    SslGeneratePreMasterKey(provider_, key, &premaster, protocol, suite, &list, b, room, &len,   \
                            flags)
    EXPECT(NTE_INVALID_HANDLE, CALL(0, public_key, 0x303, 0x9c, 0));
    EXPECT(NTE_INVALID_HANDLE, CALL(provider, 0, 0x303, 0x9c, 0));
    EXPECT(NTE_INVALID_HANDLE, CALL(provider, provider, 0x303, 0x9c, 0));
    EXPECT(NTE_BAD_TYPE, CALL(provider, ec, 0x303, 0x9c, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGeneratePreMasterKey(provider, public_key, NULL, 0x303, 0x9c,
                                                          &list, b, room, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGeneratePreMasterKey(provider, public_key, &premaster, 0x303,
                                                          0x9c, NULL, b, room, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGeneratePreMasterKey(provider, public_key, &premaster, 0x303,
                                                          0x9c, &list, b, room, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, CALL(provider, public_key, 0x303, 0x9c, 2));
    EXPECT(NTE_BAD_FLAGS, CALL(provider, public_key, 0x303, 0x9c, 3));
    EXPECT(NTE_NOT_SUPPORTED, CALL(provider, public_key, 0x303, 0xc02f, 0));
    EXPECT(NTE_NOT_SUPPORTED, CALL(provider, public_key, 0x302, 0x9c, 0));
    EXPECT(NTE_NOT_SUPPORTED, CALL(provider, public_key, 0x300, 0x2f, 0));
    EXPECT(NTE_NOT_SUPPORTED, CALL(provider, public_key, 0x304, 0x1301, 0));
    EXPECT(NTE_NOT_SUPPORTED, CALL(provider, public_key, 0x303, 0xffff, 0));
    buffers[0].cbBuffer = 3;
    EXPECT(NTE_INVALID_PARAMETER, CALL(provider, public_key, 0x303, 0x9c, 0));
    buffers[0].cbBuffer = 5;
    EXPECT(NTE_INVALID_PARAMETER, CALL(provider, public_key, 0x303, 0x9c, 0));
    CHECK(premaster == 0);
    buffers[0].cbBuffer = 4;
    OK(CALL(provider, public_key, 0x303, 0x9c, 0));
#undef CALL
#define CALL(own, peer, protocol, suite, flags)                                                  \
    SslGenerateMasterKey(provider, own, peer, &master, protocol, suite, &list, NULL, 0, &len,    \
                         flags)
    /* Neither randoms nor a session hash; a premaster key is not used up by that. */
    EXPECT(NTE_INVALID_PARAMETER, CALL(premaster, 0, 0x303, 0x9c, 1));
    list = list_of(buffers, 3);
    EXPECT(NTE_INVALID_HANDLE, CALL(premaster, premaster, 0x303, 0x9c, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(premaster, provider, 0x303, 0x9c, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(public_key, 0, 0x303, 0x9c, 1));
    EXPECT(NTE_BAD_TYPE, CALL(premaster, ec, 0x303, 0x9c, 1));
    EXPECT(NTE_BAD_FLAGS, CALL(premaster, 0, 0x303, 0x9c, 2));
    EXPECT(NTE_BAD_FLAGS, CALL(0, public_key, 0x303, 0x9c, 2));
    EXPECT(NTE_INVALID_PARAMETER, CALL(premaster, 0, 0x303, 0x9d, 1));
    EXPECT(NTE_INVALID_PARAMETER, CALL(premaster, 0, 0x302, 0x2f, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(premaster, 0, 0x303, 0xc02f, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(0, public_key, 0x303, 0xc02f, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(0, public_key, 0x303, 0xa8, 1));
    CHECK(master == 0);
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, 0, public_key, &master, 0x303,
                                                       0x9c, &list, b, room, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, 0, public_key, &master, 0x303,
                                                       0x9c, &list, NULL, 0, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, 0, public_key, NULL, 0x303, 0x9c,
                                                       &list, b, room, &len, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, 0, public_key, &master, 0x303,
                                                       0x9c, NULL, b, room, &len, 1));
    /* Without randoms nothing is written. */
    memset(encrypted, 0xa5, sizeof(encrypted));
    list = list_of(buffers, 2);
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateMasterKey(provider, 0, public_key, &master, 0x303,
                                                       0x9c, &list, b, room, &len, 1));
    CHECK(master == 0 && encrypted[0] == 0xa5);
    list = list_of(buffers, 3);
    OK(CALL(premaster, 0, 0x303, 0x9c, 1));
#undef CALL
    /* It does not leave the library, and is nothing but a premaster key. */
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, premaster, BCRYPT_OPAQUE_KEY_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, premaster, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslComputeFinishedHash(provider, premaster, 0, encrypted, 12, NCRYPT_SSL_CLIENT_FLAG));
    EXPECT(NTE_INVALID_HANDLE,
           SslGenerateSessionKeys(provider, premaster, &other, &other, &list, 0));
    OK(SslFreeObject(premaster, 0));
    OK(SslFreeObject(master, 0));
    OK(SslFreeObject(ec, 0));
}

static NCRYPT_KEY_HANDLE import_psk(LPCWSTR type, int with_header)
{
    unsigned char blob[sizeof(BCRYPT_KEY_DATA_BLOB_HEADER) + sizeof(pre_shared_key)];
    BCRYPT_KEY_DATA_BLOB_HEADER header;
    NCRYPT_KEY_HANDLE key = 0;
    PBYTE from = in(pre_shared_key);
    DWORD size = sizeof(pre_shared_key);
    if (with_header) {
        header.dwMagic = BCRYPT_KEY_DATA_BLOB_MAGIC;
        header.dwVersion = BCRYPT_KEY_DATA_BLOB_VERSION1;
        header.cbKeyData = size;
        memcpy(blob, &header, sizeof(header));
        memcpy(blob + sizeof(header), pre_shared_key, size);
        from = blob;
        size = sizeof(blob);
    }
    OK(SslImportKey(provider, &key, type, from, size, 0));
    CHECK(key != 0);
    return key;
}

static int is_finished(NCRYPT_KEY_HANDLE master, NCRYPT_HASH_HANDLE hash, DWORD flag,
                       const unsigned char *expected)
{
    unsigned char finished[12];
    OK(SslComputeFinishedHash(provider, master, hash, finished, 12, flag));
    return memcmp(finished, expected, 12) == 0;
}

static void pre_shared_keys(void)
{
    NCRYPT_KEY_HANDLE keys[3], masters[2], read, write, peer_read, peer_write;
    unsigned char record[128], opened[64];
    NCryptBuffer buffers[2], randoms[2];
    NCryptBufferDesc list = list_of(buffers, 2), of_randoms = list_of(randoms, 2);
    size_t each;
    set_randoms(randoms);
    keys[0] = import_psk(BCRYPT_KEY_DATA_BLOB, 1);
    keys[1] = import_psk(TLS_13_PRE_SHARED_KEY, 1);
    keys[2] = import_psk(TLS_13_PRE_SHARED_KEY, 0);
    for (each = 0; each < COUNT(psk_exchanges); each++) {
        const struct psk_exchange *exchange = &psk_exchanges[each];
        NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, 0x303, exchange->suite);
        DWORD record_len = 0;
        set_randoms(buffers);
        list = list_of(buffers, 2);
        if (exchange->extended) {
            set_buffer(&buffers[0], NCRYPTBUFFER_SSL_SESSION_HASH, exchange->hash,
                       exchange->hash_len);
            list = list_of(buffers, 1);
        }
        len = 77;
        OK(SslGenerateMasterKey(provider, keys[each % 3], 0, &masters[0], 0x303, exchange->suite,
                                &list, NULL, 0, NULL, NCRYPT_SSL_CLIENT_FLAG));
        OK(SslGenerateMasterKey(provider, keys[(each + 1) % 3], 0, &masters[1], 0x303,
                                exchange->suite, &list, NULL, 0, &len, NCRYPT_SSL_SERVER_FLAG));
        CHECK(len == 0);
        CHECK(is_finished(masters[0], hash, NCRYPT_SSL_CLIENT_FLAG, exchange->client_finished));
        CHECK(is_finished(masters[1], hash, NCRYPT_SSL_SERVER_FLAG, exchange->server_finished));
        OK(SslGenerateSessionKeys(provider, masters[0], &read, &write, &of_randoms, 0));
        OK(SslGenerateSessionKeys(provider, masters[1], &peer_read, &peer_write, &of_randoms, 0));
        OK(SslEncryptPacket(provider, write, in(transcript), sizeof(transcript), record,
                            sizeof(record), &record_len, 0, 22, 0));
        OK(SslDecryptPacket(provider, peer_read, record, record_len, opened, sizeof(opened), &len,
                            0, 0));
        CHECK(len == sizeof(transcript) && memcmp(opened, transcript, len) == 0);
        OK(SslFreeObject(read, 0));
        OK(SslFreeObject(write, 0));
        OK(SslFreeObject(peer_read, 0));
        OK(SslFreeObject(peer_write, 0));
        OK(SslFreeObject(hash, 0));
        OK(SslFreeObject(masters[0], 0));
        OK(SslFreeObject(masters[1], 0));
    }
    set_randoms(buffers);
    list = list_of(buffers, 2);
    masters[0] = 77;
#define CALL(own, peer, suite, flags)                                                            \
    SslGenerateMasterKey(provider, own, peer, &masters[0], 0x303, suite, &list, NULL, 0, NULL,   \
                         flags)
    EXPECT(NTE_INVALID_HANDLE, CALL(keys[0], public_key, 0xa8, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(keys[0], keys[0], 0xa8, 1));
    EXPECT(NTE_INVALID_HANDLE, CALL(0, keys[0], 0xa8, 1));
    EXPECT(NTE_BAD_FLAGS, CALL(keys[0], 0, 0xa8, 0));
    EXPECT(NTE_BAD_FLAGS, CALL(keys[0], 0, 0xa8, 3));
    EXPECT(NTE_NOT_SUPPORTED, CALL(keys[0], 0, 0x9c, 1));
    EXPECT(NTE_NOT_SUPPORTED, CALL(keys[0], 0, 0xc02f, 1));
    list = list_of(buffers, 1);
    EXPECT(NTE_INVALID_PARAMETER, CALL(keys[0], 0, 0xa8, 1));
#undef CALL
    CHECK(masters[0] == 0);
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, keys[0], BCRYPT_KEY_DATA_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, keys[0], TLS_13_PRE_SHARED_KEY, NULL, 0, &len, 0));
    for (each = 0; each < COUNT(keys); each++) {
        OK(SslFreeObject(keys[each], 0));
    }
}

static void refused_psk(void)
{
    static unsigned char blob[12 + 1025];
    BCRYPT_KEY_DATA_BLOB_HEADER header;
    NCRYPT_KEY_HANDLE key = 77;
    DWORD size = sizeof(header) + sizeof(pre_shared_key), at;
    header.dwMagic = BCRYPT_KEY_DATA_BLOB_MAGIC;
    header.dwVersion = BCRYPT_KEY_DATA_BLOB_VERSION1;
    header.cbKeyData = sizeof(pre_shared_key);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), pre_shared_key, sizeof(pre_shared_key));
    for (at = 0; at < size; at++) {
        EXPECT(NTE_INVALID_PARAMETER,
               SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, blob, at, 0));
        CHECK(key == 0);
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, blob, size + 1, 0));
    for (at = 0; at < sizeof(header); at++) {
        blob[at] ^= 1;
        EXPECT(NTE_INVALID_PARAMETER,
               SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, blob, size, 0));
        blob[at] ^= 1;
    }
    /* From 1 to 1024 bytes. */
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, TLS_13_PRE_SHARED_KEY, blob, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, TLS_13_PRE_SHARED_KEY, blob + 12, 1025, 0));
    header.cbKeyData = 0;
    memcpy(blob, &header, sizeof(header));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, blob, sizeof(header), 0));
    header.cbKeyData = 1025;
    memcpy(blob, &header, sizeof(header));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, blob, 12 + 1025, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &key, BCRYPT_KEY_DATA_BLOB, NULL, size, 0));
    CHECK(key == 0);
    OK(SslImportKey(provider, &key, TLS_13_PRE_SHARED_KEY, blob + 12, 1024, 0));
    OK(SslFreeObject(key, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(key, 0));
}

int main(void)
{
    NCRYPT_KEY_HANDLE stored = import_key();
    size_t each;
    provider = open_provider();
    private_key = open_key(provider);
    OK(SslImportKey(provider, &public_key, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                    sizeof(public_blob), 0));
    for (each = 0; each < COUNT(protocols); each++) {
        DWORD protocol = protocols[each];
        one_call(protocol, protocol, public_key);
        one_call(protocol, 0x303, public_key);
        /* A key of key storage, and the public half of a private key. */
        one_call(protocol, 0x303, stored);
        one_call(protocol, 0x304, private_key);
        two_calls(protocol, protocol);
        two_calls(protocol, 0x303);
    }
    refused_premasters();
    pre_shared_keys();
    refused_psk();
    OK(SslFreeObject(public_key, 0));
    OK(SslFreeObject(private_key, 0));
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

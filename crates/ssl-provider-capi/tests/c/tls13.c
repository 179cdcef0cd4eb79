/* TLS 1.3: known answers of the key schedule, both sides of key agreements, records, and misuse. */

#include "test.h"

#include "tls13_data.h"

#define TLS1_3 TLS1_3_PROTOCOL_VERSION
#define AES_128 TLS_AES_128_GCM_SHA256
#define AES_256 TLS_AES_256_GCM_SHA384
#define X25519 29
#define UNKNOWN_FLAG 0x80000000u

/* The provider of most objects lets key logs have secrets; the other one does not. */
static NCRYPT_PROV_HANDLE provider, silent;
static unsigned char memory[20000], opened[20000];
static DWORD len;

static void release(NCRYPT_HANDLE handle)
{
    CHECK(handle != 0);
    OK(SslFreeObject(handle, 0));
}

static NCRYPT_KEY_HANDLE import_psk(NCRYPT_PROV_HANDLE of, const unsigned char *psk, size_t size)
{
    NCRYPT_KEY_HANDLE key = 0;
    OK(SslImportKey(of, &key, TLS_13_PRE_SHARED_KEY, in(psk), (DWORD)size, 0));
    return key;
}

static NCRYPT_HASH_HANDLE hash_of(DWORD suite, const unsigned char *message, size_t size)
{
    NCRYPT_HASH_HANDLE hash = 0;
    OK(SslCreateHandshakeHash(provider, &hash, TLS1_3, suite, 0));
    OK(SslHashHandshake(provider, hash, in(message), (DWORD)size, 0));
    return hash;
}

#define FEED(hash, message) \
    OK(SslHashHandshake(provider, hash, in(message), (DWORD)sizeof(message), 0))

static NCRYPT_KEY_HANDLE early_of(NCRYPT_PROV_HANDLE of, NCRYPT_KEY_HANDLE psk, DWORD suite)
{
    NCRYPT_KEY_HANDLE early = 0;
    OK(SslExtractEarlyKey(of, psk, &early, TLS1_3, suite, NULL, 0));
    CHECK(early != 0);
    return early;
}

static void is_secret(NCRYPT_KEY_HANDLE key, const unsigned char *expected, DWORD expected_len)
{
    unsigned char secret[49];
    OK(SslProviderGetTls13Secret(provider, key, NULL, 0, &len, 0));
    CHECK(len == expected_len);
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslProviderGetTls13Secret(provider, key, secret, len - 1, &len, 0));
    CHECK(len == expected_len);
    secret[expected_len] = 0xa5;
    OK(SslProviderGetTls13Secret(provider, key, secret, sizeof(secret), &len, 0));
    CHECK(len == expected_len && secret[len] == 0xa5 && memcmp(secret, expected, len) == 0);
}

/* The binder of a pre-shared key over ClientHello. The side adds nothing, so either is taken. */
static void is_binder(NCRYPT_KEY_HANDLE early, DWORD kind, NCRYPT_HASH_HANDLE hello,
                      const unsigned char *expected, DWORD expected_len)
{
    NCRYPT_KEY_HANDLE key = 0;
    unsigned char binder[48];
    DWORD side;
    OK(SslExpandBinderKey(provider, early, &key, NULL, kind));
    for (side = NCRYPT_SSL_CLIENT_FLAG; side <= NCRYPT_SSL_SERVER_FLAG; side++) {
        memset(binder, 0, sizeof(binder));
        OK(SslComputeFinishedHash(provider, key, hello, binder, expected_len, side));
        CHECK(memcmp(binder, expected, expected_len) == 0);
    }
    release(key);
}

static void early_secrets(const struct tls13_answers *known, NCRYPT_KEY_HANDLE early)
{
    NCRYPT_HASH_HANDLE hello = hash_of(known->suite, client_hello, sizeof(client_hello));
    NCRYPT_KEY_HANDLE traffic = 0, exporter = 0;
    OK(SslExpandTrafficKeys(provider, early, hello, &traffic, NULL, NULL, 0));
    is_secret(traffic, known->client_early, known->hash_len);
    OK(SslExpandExporterMasterKey(provider, early, hello, &exporter, NULL, 0));
    is_secret(exporter, known->early_exporter, known->hash_len);
    is_binder(early, NCRYPT_SSL_EXTERNAL_PSK_FLAG, hello, known->external_binder, known->hash_len);
    is_binder(early, NCRYPT_SSL_RESUMPTION_PSK_FLAG, hello, known->resumption_binder,
              known->hash_len);
    /* Early data end without Finished, and are not followed by a KeyUpdate. */
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, traffic, hello, memory,
                                                         known->hash_len, NCRYPT_SSL_CLIENT_FLAG));
    release(exporter);
    EXPECT(NTE_INVALID_PARAMETER, SslProviderUpdateTrafficKey(provider, traffic, &exporter, 0));
    CHECK(exporter == 0);
    release(traffic);
    release(hello);
}

/* The records of a known answer, written and read with two keys of one secret. */
static void known_records(const struct tls13_answers *known, NCRYPT_KEY_HANDLE traffic)
{
    static const unsigned char hello[] = {'h', 'e', 'l', 'l', 'o'};
    NCRYPT_KEY_HANDLE write = 0, read = 0;
    OK(SslExpandWriteKey(provider, traffic, &write, NULL, 0));
    OK(SslExpandWriteKey(provider, traffic, &read, NULL, 0));
    OK(SslEncryptPacket(provider, write, in(hello), 5, memory, sizeof(memory), &len, 0,
                        CT_HANDSHAKE, 0));
    CHECK(len == 27 && memcmp(memory, known->record_hello, len) == 0);
    OK(SslEncryptPacket(provider, write, in(hello), 0, memory, sizeof(memory), &len, 1,
                        CT_APPLICATIONDATA, 0));
    CHECK(len == 22 && memcmp(memory, known->record_empty, len) == 0);
    /* The type stands right behind the content. */
    memset(opened, 0xa5, 16);
    OK(SslDecryptPacket(provider, read, in(known->record_hello), 27, opened, 16, &len, 0, 0));
    CHECK(len == 5 && memcmp(opened, hello, 5) == 0);
    CHECK(opened[5] == CT_HANDSHAKE && opened[6] == 0xa5);
    OK(SslDecryptPacket(provider, read, in(known->record_empty), 22, opened, 16, &len, 1, 0));
    CHECK(len == 0 && opened[0] == CT_APPLICATIONDATA && opened[1] == 'e');
    release(write);
    release(read);
}

static void known_exports(const struct tls13_answers *known, NCRYPT_KEY_HANDLE exporter)
{
    static char label[] = "EXPORTER-x";
    unsigned char one = 1;
    OK(SslExportKeyingMaterial(provider, exporter, label, NULL, 0, &one, 1, memory, 32, 0));
    CHECK(memcmp(memory, known->exported, 32) == 0);
    /* No context is an empty one. */
    OK(SslExportKeyingMaterial(provider, exporter, label, NULL, 0, &one, 0, memory, 32, 0));
    CHECK(memcmp(memory, known->exported_without, 32) == 0);
    memset(memory, 0xa5, 40);
    OK(SslExportKeyingMaterial(provider, exporter, label, NULL, 0, NULL, 0, memory, 32, 0));
    CHECK(memcmp(memory, known->exported_without, 32) == 0 && memory[32] == 0xa5);
}

static void known_finished(const struct tls13_answers *known, NCRYPT_KEY_HANDLE traffic,
                           NCRYPT_HASH_HANDLE hash, DWORD side, const unsigned char *expected)
{
    memset(memory, 0xa5, 64);
    OK(SslComputeFinishedHash(provider, traffic, hash, memory, known->hash_len, side));
    CHECK(memcmp(memory, expected, known->hash_len) == 0 && memory[known->hash_len] == 0xa5);
    /* The key says whose Finished it is. */
    EXPECT(NTE_BAD_FLAGS, SslComputeFinishedHash(provider, traffic, hash, memory, known->hash_len,
                                                 3 - side));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeFinishedHash(provider, traffic, hash, memory, 12, side));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, traffic, hash, memory,
                                                         known->hash_len + 1, side));
}

static void known_transcript(NCRYPT_HASH_HANDLE hash, const unsigned char *expected, DWORD size)
{
    OK(SslComputeSessionHash(provider, hash, TLS1_3, NULL, 0, &len, 0));
    CHECK(len == size);
    OK(SslComputeSessionHash(provider, hash, TLS1_3, memory, sizeof(memory), &len, 0));
    CHECK(len == size && memcmp(memory, expected, size) == 0);
}

/* HelloRetryRequest: the hash of the first ClientHello takes its place. */
static void known_retry(const struct tls13_answers *known)
{
    NCRYPT_HASH_HANDLE first = hash_of(known->suite, client_hello, sizeof(client_hello)), second;
    unsigned char message[4 + 48] = {0xfe, 0, 0, 0};
    message[3] = (unsigned char)known->hash_len;
    OK(SslComputeSessionHash(provider, first, TLS1_3, message + 4, 48, &len, 0));
    second = hash_of(known->suite, message, 4 + len);
    FEED(second, server_hello);
    known_transcript(second, known->transcript_after_retry, known->hash_len);
    release(first);
    release(second);
}

/* A key of a ticket is the one that is known: their binders are the same. */
static void known_ticket(const struct tls13_answers *known, NCRYPT_KEY_HANDLE resumption)
{
    unsigned char nonce[256] = {0, 0, 0, 1}, expected[48];
    NCRYPT_HASH_HANDLE hello = hash_of(known->suite, client_hello, sizeof(client_hello));
    NCRYPT_KEY_HANDLE imported = import_psk(provider, known->ticket_key, known->hash_len), psk = 0;
    NCRYPT_KEY_HANDLE early = early_of(provider, imported, known->suite), binder = 0, other = 0;
    OK(SslExpandBinderKey(provider, early, &binder, NULL, NCRYPT_SSL_RESUMPTION_PSK_FLAG));
    OK(SslComputeFinishedHash(provider, binder, hello, expected, known->hash_len,
                              NCRYPT_SSL_CLIENT_FLAG));
    release(early);
    release(binder);
    OK(SslExpandPreSharedKey(provider, resumption, nonce, 4, &psk, NULL, 0));
    early = early_of(provider, psk, known->suite);
    is_binder(early, NCRYPT_SSL_RESUMPTION_PSK_FLAG, hello, expected, known->hash_len);
    release(early);
    /* It belongs to the hash of its connection, and to TLS 1.3. */
    EXPECT(NTE_INVALID_PARAMETER,
           SslExtractEarlyKey(provider, psk, &other, TLS1_3,
                              known->suite == AES_128 ? AES_256 : AES_128, NULL, 0));
    CHECK(other == 0);
    if (known->suite == AES_128) {
        early = early_of(provider, psk, 0x1303);
        release(early);
    }
    release(psk);
    OK(SslExpandPreSharedKey(provider, resumption, NULL, 0, &psk, NULL, 0));
    release(psk);
    OK(SslExpandPreSharedKey(provider, resumption, nonce, 255, &psk, NULL, 0));
    release(psk);
    EXPECT(NTE_INVALID_PARAMETER,
           SslExpandPreSharedKey(provider, resumption, nonce, 256, &psk, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslExpandPreSharedKey(provider, resumption, NULL, 1, &psk, NULL, 0));
    CHECK(psk == 0);
    release(imported);
    release(hello);
}

/* Everything that is derived without a key agreement. */
static void known_answers(const struct tls13_answers *known)
{
    NCRYPT_KEY_HANDLE psk = import_psk(provider, tls13_psk, sizeof(tls13_psk));
    NCRYPT_KEY_HANDLE early = early_of(provider, psk, known->suite), handshake = 0, master = 0;
    NCRYPT_KEY_HANDLE client = 0, server = 0, exporter = 0, resumption = 0, next = 0;
    NCRYPT_HASH_HANDLE hash = hash_of(known->suite, client_hello, sizeof(client_hello));
    early_secrets(known, early);
    known_retry(known);
    FEED(hash, server_hello);
    known_transcript(hash, known->transcript, known->hash_len);
    OK(SslExtractHandshakeKey(provider, 0, 0, early, &handshake, NULL, 0));
    OK(SslExpandTrafficKeys(provider, handshake, hash, &client, &server, NULL, 0));
    is_secret(client, known->client_handshake, known->hash_len);
    is_secret(server, known->server_handshake, known->hash_len);
    known_records(known, server);
    EXPECT(NTE_INVALID_PARAMETER, SslProviderUpdateTrafficKey(provider, server, &next, 0));
    FEED(hash, middle);
    known_finished(known, server, hash, NCRYPT_SSL_SERVER_FLAG, known->server_finished);
    FEED(hash, server_fin);
    known_finished(known, client, hash, NCRYPT_SSL_CLIENT_FLAG, known->client_finished);
    release(client);
    release(server);

    OK(SslExtractMasterKey(provider, handshake, &master, NULL, 0));
    /* One of the two is enough. */
    OK(SslExpandTrafficKeys(provider, master, hash, &client, NULL, NULL, 0));
    OK(SslExpandTrafficKeys(provider, master, hash, NULL, &server, NULL, 0));
    is_secret(client, known->client_application, known->hash_len);
    is_secret(server, known->server_application, known->hash_len);
    OK(SslProviderUpdateTrafficKey(provider, server, &next, 0));
    is_secret(next, known->updated, known->hash_len);
    is_secret(server, known->server_application, known->hash_len);
    OK(SslExpandExporterMasterKey(provider, master, hash, &exporter, NULL, 0));
    is_secret(exporter, known->exporter, known->hash_len);
    known_exports(known, exporter);
    FEED(hash, client_fin);
    OK(SslExpandResumptionMasterKey(provider, master, hash, &resumption, NULL, 0));
    known_ticket(known, resumption);

    release(next);
    release(client);
    release(server);
    release(exporter);
    release(resumption);
    release(master);
    release(handshake);
    release(early);
    release(psk);
    release(hash);
}

static NCRYPT_KEY_HANDLE ephemeral(DWORD type, DWORD bits, PBYTE params, DWORD params_len)
{
    NCRYPT_KEY_HANDLE key = 0;
    OK(SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, type, bits, params, params_len, 0));
    CHECK(key != 0);
    return key;
}

static NCRYPT_KEY_HANDLE public_half(NCRYPT_KEY_HANDLE key, LPCWSTR type)
{
    NCRYPT_KEY_HANDLE peer = 0;
    OK(SslExportKey(provider, key, type, memory, sizeof(memory), &len, 0));
    OK(SslImportKey(provider, &peer, type, memory, len, 0));
    return peer;
}

/* Each side reads what the other writes, in the handshake and behind it. */
static void are_two_sides(NCRYPT_KEY_HANDLE of_client, NCRYPT_KEY_HANDLE of_server, DWORD suite)
{
    NCRYPT_KEY_HANDLE base[2], traffic[2][2], write, read;
    NCRYPT_HASH_HANDLE hash = hash_of(suite, client_hello, sizeof(client_hello));
    unsigned char finished[2][48];
    DWORD size = suite == AES_256 ? 48 : 32, side, writer, phase;
    FEED(hash, server_hello);
    base[0] = of_client;
    base[1] = of_server;
    for (phase = 0; phase < 2; phase++) {
        for (side = 0; side < 2; side++) {
            OK(SslExpandTrafficKeys(provider, base[side], hash, &traffic[side][0],
                                    &traffic[side][1], NULL, 0));
        }
        for (writer = 0; writer < 2; writer++) {
            for (side = 0; side < 2; side++) {
                OK(SslComputeFinishedHash(provider, traffic[side][writer], hash, finished[side],
                                          size, writer + 1));
            }
            CHECK(memcmp(finished[0], finished[1], size) == 0);
            OK(SslExpandWriteKey(provider, traffic[writer][writer], &write, NULL, 0));
            OK(SslExpandWriteKey(provider, traffic[1 - writer][writer], &read, NULL, 0));
            OK(SslEncryptPacket(provider, write, finished[0], size, memory, sizeof(memory), &len, 0,
                                CT_HANDSHAKE, 0));
            CHECK(len == 5 + size + 17);
            OK(SslDecryptPacket(provider, read, memory, len, opened, sizeof(opened), &len, 0, 0));
            CHECK(len == size && memcmp(opened, finished[0], size) == 0);
            CHECK(opened[len] == CT_HANDSHAKE);
            release(write);
            release(read);
        }
        for (side = 0; side < 2; side++) {
            release(traffic[side][0]);
            release(traffic[side][1]);
        }
        if (phase == 0) {
            OK(SslExtractMasterKey(provider, of_client, &base[0], NULL, 0));
            OK(SslExtractMasterKey(provider, of_server, &base[1], NULL, 0));
            FEED(hash, server_fin);
        }
    }
    release(base[0]);
    release(base[1]);
    release(of_client);
    release(of_server);
    release(hash);
}

/* Agrees on both sides, with or without a pre-shared key. Frees the two keys. */
static void agree(NCRYPT_KEY_HANDLE client, NCRYPT_KEY_HANDLE server, LPCWSTR type, DWORD suite,
                  int with_psk)
{
    NCRYPT_KEY_HANDLE of_client = public_half(client, type), of_server = public_half(server, type);
    NCRYPT_KEY_HANDLE psk = with_psk ? import_psk(provider, tls13_psk, sizeof(tls13_psk)) : 0;
    NCRYPT_KEY_HANDLE early = early_of(provider, psk, suite), secrets[2], again = 77;
    OK(SslExtractHandshakeKey(provider, client, of_server, early, &secrets[0], NULL, 0));
    OK(SslExtractHandshakeKey(provider, server, of_client, early, &secrets[1], NULL, 0));
    are_two_sides(secrets[0], secrets[1], suite);
    /* An ephemeral key agrees once; its public half stays. */
    EXPECT(NTE_BAD_KEY_STATE,
           SslExtractHandshakeKey(provider, client, of_server, early, &again, NULL, 0));
    CHECK(again == 0);
    OK(SslExportKey(provider, client, type, memory, sizeof(memory), &len, 0));
    if (with_psk) {
        release(psk);
    }
    release(early);
    release(of_client);
    release(of_server);
    release(client);
    release(server);
}

static void agreements(void)
{
    static const DWORD curves[] = {X25519, 23, 24, 25}, bits[] = {255, 256, 384, 521};
    static unsigned char group[12 + 512];
    BCRYPT_DH_PARAMETER_HEADER header = {sizeof(group), BCRYPT_DH_PARAMETERS_MAGIC, 256};
    NCRYPT_KEY_HANDLE key = 77;
    DWORD each;
    for (each = 0; each < COUNT(curves); each++) {
        agree(ephemeral(curves[each], 0, NULL, 0), ephemeral(0, bits[each], NULL, 0),
              SSL_ECCPUBLIC_BLOB, each == 0 ? AES_256 : AES_128, (int)each % 2);
        agree(ephemeral(curves[each], 0, NULL, 0), ephemeral(curves[each], 0, NULL, 0),
              BCRYPT_ECCPUBLIC_BLOB, AES_128, 0);
    }
    /* A finite field by its number, and by its numbers. */
    memcpy(group, &header, sizeof(header));
    memcpy(group + 12, ffdhe2048, 256);
    group[sizeof(group) - 1] = 2;
    agree(ephemeral(256, 0, NULL, 0), ephemeral(0, 2048, group, sizeof(group)),
          BCRYPT_DH_PUBLIC_BLOB, AES_128, 0);
    agree(ephemeral(257, 0, NULL, 0), ephemeral(257, 0, NULL, 0), BCRYPT_DH_PUBLIC_BLOB, AES_256,
          1);
    /* Not one that has no name. */
    group[sizeof(group) - 1] = 3;
    EXPECT(NTE_INVALID_PARAMETER, SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, 0, 0,
                                                        group, sizeof(group), 0));
    CHECK(key == 0);
}

/* The hybrid groups that the backend has; those that it lacks are not supported. */
static void hybrids(void)
{
    static const DWORD client_lens[] = {1249, 1216, 1665}, server_lens[] = {1153, 1120, 1665};
    static unsigned char share[1665], blob[1665];
    NCRYPT_SSL_ECC_CURVE *listed = NULL;
    NCRYPT_KEY_HANDLE client, server, other, early = early_of(provider, 0, AES_128), secrets[2];
    NCRYPT_KEY_HANDLE of_client = 0, of_server = 0, of_other = 0, master = 77;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD count = 0, type, each, share_len, last = 0;
    set_randoms(buffers);
    OK(SslEnumEccCurves(provider, &count, &listed, 0));
    for (type = 4587; type <= 4589; type++) {
        int is_listed = 0;
        for (each = 0; each < count; each++) {
            is_listed |= listed[each].dwCurveType == type;
            /* Behind the curves. */
            CHECK(last <= 255 || listed[each].dwCurveType > 255);
            last = listed[each].dwCurveType;
        }
        last = 0;
        if (!is_listed) {
            EXPECT(NTE_NOT_SUPPORTED, SslCreateEphemeralKey(provider, &client, TLS1_3, AES_128,
                                                            type, 0, NULL, 0, 0));
            CHECK(client == 0);
            continue;
        }
        client = ephemeral(type, 0, NULL, 0);
        OK(SslExportKey(provider, client, TLS_HYBRID_KEYEXCHANGE, share, sizeof(share), &share_len,
                        0));
        CHECK(share_len == client_lens[type - 4587]);
        server = ephemeral(type, 0, share, share_len);
        OK(SslExportKey(provider, server, TLS_HYBRID_KEYEXCHANGE, NULL, 0, &len, 0));
        CHECK(len == server_lens[type - 4587]);
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(provider, client, BCRYPT_PUBLIC_KEY_BLOB, NULL, 0, &len, 0));
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(provider, client, SSL_ECCPUBLIC_BLOB, NULL, 0, &len, 0));
        OK(SslImportKey(provider, &of_client, TLS_HYBRID_KEYEXCHANGE, share, share_len, 0));
        of_server = public_half(server, TLS_HYBRID_KEYEXCHANGE);

        /* The answer is to one share, and a share of the wrong side is none. */
        other = ephemeral(type, 0, NULL, 0);
        of_other = public_half(other, TLS_HYBRID_KEYEXCHANGE);
        EXPECT(NTE_INVALID_PARAMETER,
               SslExtractHandshakeKey(provider, server, of_other, early, &secrets[0], NULL, 0));
        if (type != 4589) {
            EXPECT(NTE_BAD_DATA, SslExtractHandshakeKey(provider, client, of_other, early,
                                                        &secrets[0], NULL, 0));
            OK(SslExportKey(provider, server, TLS_HYBRID_KEYEXCHANGE, blob, sizeof(blob), &len, 0));
            EXPECT(NTE_BAD_DATA, SslCreateEphemeralKey(provider, &master, TLS1_3, AES_128, type, 0,
                                                       blob, len, 0));
            CHECK(master == 0);
        }
        CHECK(secrets[0] == 0);
        /* No version before TLS 1.3 has the group. */
        EXPECT(NTE_NOT_SUPPORTED, SslGenerateMasterKey(provider, client, of_server, &master, 0x303,
                                                       0xc02f, &list, NULL, 0, NULL, 1));
        EXPECT(NTE_INVALID_PARAMETER, SslCreateEphemeralKey(provider, &master, 0x303, 0xc02f, type,
                                                            0, NULL, 0, 0));
        release(other);
        release(of_other);

        OK(SslExtractHandshakeKey(provider, client, of_server, early, &secrets[0], NULL, 0));
        OK(SslExtractHandshakeKey(provider, server, of_client, early, &secrets[1], NULL, 0));
        are_two_sides(secrets[0], secrets[1], AES_128);
        EXPECT(NTE_BAD_KEY_STATE, SslExtractHandshakeKey(provider, server, of_client, early,
                                                         &secrets[0], NULL, 0));
        release(client);
        release(server);
        release(of_client);
        release(of_server);

        /* Of every other length it is of no group, and a share is refused where it is used. */
        for (each = share_len - 3; each < share_len; each++) {
            EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &of_client, TLS_HYBRID_KEYEXCHANGE,
                                                       share, each, 0));
            EXPECT(NTE_BAD_DATA, SslCreateEphemeralKey(provider, &server, TLS1_3, AES_128, type, 0,
                                                       share, each, 0));
        }
        /* A coefficient of the encapsulation key that is not reduced (FIPS 203 section 7.2). */
        memset(share + (type == 4588 ? 0 : share_len - 1184), 0xff, 3);
        EXPECT(NTE_BAD_DATA, SslCreateEphemeralKey(provider, &server, TLS1_3, AES_128, type, 0,
                                                   share, share_len, 0));
        CHECK(server == 0 && of_client == 0);
    }
    OK(SslFreeBuffer(listed));
    release(early);
}

/* A share whose secret anybody knows, and mistakes that do not use the key up. */
static void bad_shares(void)
{
    unsigned char zeros[8 + 64] = "ECKP\x20\0\0\0";
    NCRYPT_KEY_HANDLE early = early_of(provider, 0, AES_128), own = ephemeral(X25519, 0, NULL, 0);
    NCRYPT_KEY_HANDLE other = ephemeral(23, 0, NULL, 0), peer = 0, of_own, of_other, secret = 77;
    NCRYPT_KEY_HANDLE brainpool = 0, of_brainpool, ecdsa = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    of_own = public_half(own, BCRYPT_ECCPUBLIC_BLOB);
    of_other = public_half(other, BCRYPT_ECCPUBLIC_BLOB);
    OK(SslImportKey(provider, &ecdsa, BCRYPT_ECCPUBLIC_BLOB, in(curve_keys[0].ecdsa_public.data),
                    curve_keys[0].ecdsa_public.len, 0));
#define EXTRACT(own_, peer_, early_) \
    SslExtractHandshakeKey(provider, own_, peer_, early_, &secret, NULL, 0)
    EXPECT(NTE_INVALID_PARAMETER, EXTRACT(own, of_other, early));
    EXPECT(NTE_INVALID_PARAMETER, EXTRACT(other, of_own, early));
    EXPECT(NTE_BAD_TYPE, EXTRACT(other, ecdsa, early));
    EXPECT(NTE_INVALID_HANDLE, EXTRACT(own, 0, early));
    EXPECT(NTE_INVALID_HANDLE, EXTRACT(0, of_own, early));
    EXPECT(NTE_INVALID_HANDLE, EXTRACT(own, own, early));
    EXPECT(NTE_INVALID_HANDLE, EXTRACT(of_own, of_own, early));
    EXPECT(NTE_INVALID_HANDLE, EXTRACT(own, of_own, 0));
    /* Without a pre-shared key and without a key agreement anybody would know the secret. */
    EXPECT(NTE_INVALID_PARAMETER, EXTRACT(0, 0, early));
    CHECK(secret == 0);
    /* A curve of TLS 1.2, if the backend has it. */
    if (SslCreateEphemeralKey(provider, &brainpool, 0x303, 0xc02f, 26, 0, NULL, 0, 0) == 0) {
        of_brainpool = public_half(brainpool, SSL_ECCPUBLIC_BLOB);
        EXPECT(NTE_INVALID_PARAMETER, EXTRACT(brainpool, of_brainpool, early));
        release(of_brainpool);
        release(brainpool);
    }
    OK(EXTRACT(own, of_own, early));
    release(secret);
    EXPECT(NTE_BAD_KEY_STATE, EXTRACT(own, of_own, early));
    /* Used up here, it is in TLS 1.2 too, and the other way round. */
    set_randoms(buffers);
    EXPECT(NTE_BAD_KEY_STATE, SslGenerateMasterKey(provider, own, of_own, &secret, 0x303, 0xc02f,
                                                   &list, NULL, 0, NULL, 1));
    OK(SslGenerateMasterKey(provider, other, of_other, &secret, 0x303, 0xc02f, &list, NULL, 0, NULL,
                            1));
    release(secret);
    EXPECT(NTE_BAD_KEY_STATE, EXTRACT(other, of_other, early));
    release(own);
    own = ephemeral(X25519, 0, NULL, 0);
    OK(SslImportKey(provider, &peer, BCRYPT_ECCPUBLIC_BLOB, zeros, sizeof(zeros), 0));
    EXPECT(NTE_BAD_DATA, EXTRACT(own, peer, early));
    EXPECT(NTE_BAD_KEY_STATE, EXTRACT(own, peer, early));
#undef EXTRACT
    CHECK(secret == 0);
    release(peer);
    release(ecdsa);
    release(own);
    release(other);
    release(of_own);
    release(of_other);
    release(early);
}

/* What SslCreateEphemeralKey refuses in TLS 1.3. */
static void refused_groups(void)
{
    static const DWORD types[] = {0, 21, 22, 26, 27, 28, 30, 255, 261, 4586, 4590, 0x10017};
    NCRYPT_KEY_HANDLE key = 77;
    DWORD each;
    for (each = 0; each < COUNT(types); each++) {
        EXPECT(NTE_INVALID_PARAMETER, SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128,
                                                            types[each], 0, NULL, 0, 0));
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, 23, 0, memory, 10, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, 256, 0, memory, 10, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, 23, 0, NULL, 1, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, TLS1_3, AES_128, 0, 257, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, TLS1_3, 0xc02f, 23, 0, NULL, 0, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslCreateEphemeralKey(provider, &key, 0x303, AES_128, 23, 0, NULL, 0, 0));
    /* Groups of TLS 1.3 alone. */
    EXPECT(NTE_INVALID_PARAMETER,
           SslCreateEphemeralKey(provider, &key, 0x303, 0xc02f, 256, 0, NULL, 0, 0));
    CHECK(key == 0);
}

static NCRYPT_KEY_HANDLE traffic_of(DWORD suite)
{
    NCRYPT_KEY_HANDLE psk = import_psk(provider, tls13_psk, sizeof(tls13_psk));
    NCRYPT_KEY_HANDLE early = early_of(provider, psk, suite), handshake = 0, traffic = 0;
    NCRYPT_HASH_HANDLE hash = hash_of(suite, client_hello, sizeof(client_hello));
    OK(SslExtractHandshakeKey(provider, 0, 0, early, &handshake, NULL, 0));
    OK(SslExpandTrafficKeys(provider, handshake, hash, NULL, &traffic, NULL, 0));
    release(psk);
    release(early);
    release(handshake);
    release(hash);
    return traffic;
}

static void records(DWORD suite, DWORD overhead)
{
    static unsigned char plain[16385];
    NCRYPT_KEY_HANDLE traffic = traffic_of(suite), write = 0, read = 0, imported = 0;
    DWORD record_len, type, at;
    memset(plain, 'p', sizeof(plain));
    OK(SslExpandWriteKey(provider, traffic, &write, NULL, 0));
    OK(SslExpandWriteKey(provider, traffic, &read, NULL, 0));
#define ENCRYPT(size, room, number, type) \
    SslEncryptPacket(provider, write, plain, size, memory, room, &len, number, type, 0)
    /* ChangeCipherSpec is never encrypted, and only application data may be empty. */
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(1, sizeof(memory), 0, CT_CHANGE_CIPHER_SPEC));
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(1, sizeof(memory), 0, 0));
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(1, sizeof(memory), 0, 24));
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(0, sizeof(memory), 0, CT_ALERT));
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(0, sizeof(memory), 0, CT_HANDSHAKE));
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(16385, sizeof(memory), 0, 23));
    OK(SslEncryptPacket(provider, write, plain, 10, NULL, 0, &len, 0, 23, 0));
    CHECK(len == 10 + overhead);
    EXPECT(NTE_BUFFER_TOO_SMALL, ENCRYPT(10, 10 + overhead - 1, 0, 23));
    CHECK(len == 10 + overhead);
    for (type = CT_ALERT; type <= CT_APPLICATIONDATA; type++) {
        OK(ENCRYPT(10, sizeof(memory), type, type));
        CHECK(len == 10 + overhead && memcmp(memory, "\x17\x03\x03\x00", 4) == 0);
        record_len = len;
        memset(opened, 0xa5, 16);
        /* Room for the content alone would leave its type unknown. */
        EXPECT(NTE_BUFFER_TOO_SMALL,
               SslDecryptPacket(provider, read, memory, record_len, opened, 10, &len, type, 0));
        CHECK(len == 11 && opened[0] == 0xa5);
        OK(SslDecryptPacket(provider, read, memory, record_len, opened, 11, &len, type, 0));
        CHECK(len == 10 && opened[10] == type && opened[11] == 0xa5);
        OK(SslDecryptPacket(provider, read, memory, record_len, NULL, 0, &len, type, 0));
        CHECK(len == 11);
        /* Another number, and every bit of the record. */
        memset(opened, 0xa5, 16);
        EXPECT(NTE_DECRYPTION_FAILURE,
               SslDecryptPacket(provider, read, memory, record_len, opened, 16, &len, 99, 0));
        for (at = 0; at < record_len; at++) {
            memory[at] ^= 1;
            EXPECT(NTE_DECRYPTION_FAILURE,
                   SslDecryptPacket(provider, read, memory, record_len, opened, 16, &len, type, 0));
            memory[at] ^= 1;
        }
        for (at = 0; at < record_len; at++) {
            SECURITY_STATUS status =
                SslDecryptPacket(provider, read, memory, at, opened, 16, &len, type, 0);
            CHECK(status == NTE_DECRYPTION_FAILURE);
        }
        CHECK(opened[0] == 0xa5);
        /* In place. */
        OK(SslDecryptPacket(provider, read, memory, record_len, memory + 5, record_len - 5, &len,
                            type, 0));
        CHECK(len == 10 && memcmp(memory + 5, plain, 10) == 0 && memory[15] == type);
    }
    /* A number is used once, and a key that has read does not write. */
    EXPECT(NTE_INVALID_PARAMETER, ENCRYPT(10, sizeof(memory), 23, 23));
    EXPECT(NTE_INVALID_PARAMETER, SslEncryptPacket(provider, read, plain, 10, memory,
                                                   sizeof(memory), &len, 100, 23, 0));
    OK(ENCRYPT(16384, sizeof(memory), 100, 23));
    CHECK(len == 16384 + overhead);
    record_len = len;
    OK(SslDecryptPacket(provider, read, memory, record_len, opened, sizeof(opened), &len, 100, 0));
    CHECK(len == 16384 && opened[16384] == 23 && memcmp(opened, plain, len) == 0);
    /* To another process. */
    OK(SslExportKey(provider, read, BCRYPT_OPAQUE_KEY_BLOB, opened, sizeof(opened), &len, 0));
    OK(SslImportKey(provider, &imported, BCRYPT_OPAQUE_KEY_BLOB, opened, len, 0));
    OK(SslDecryptPacket(provider, imported, memory, record_len, opened, sizeof(opened), &len, 100,
                        0));
    CHECK(len == 16384 && opened[16384] == 23);
#undef ENCRYPT
    release(imported);
    release(write);
    release(read);
    release(traffic);
}

/* One handle of each kind, and two that are none. */
enum kind {
    PROVIDER,
    PRIVATE,
    MASTER,
    SESSION,
    HASH,
    PUBLIC,
    EPHEMERAL,
    PREMASTER,
    PSK,
    TICKET_PSK,
    EARLY,
    HANDSHAKE,
    TLS13_MASTER,
    TRAFFIC,
    EXPORTER,
    RESUMPTION,
    BINDER,
    FREED,
    NO_HANDLE,
    KINDS
};

static ULONG_PTR handles[KINDS];

static void make_one_of_each_kind(void)
{
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    NCRYPT_KEY_HANDLE read = 0, rsa = 0;
    set_randoms(buffers);
    handles[PROVIDER] = open_provider();
    handles[PRIVATE] = open_key(provider);
    handles[MASTER] = import_master_key(provider, handles[PRIVATE], &exchanges[4]);
    OK(SslGenerateSessionKeys(provider, handles[MASTER], &read, &handles[SESSION], &list, 0));
    release(read);
    handles[HASH] = hash_of(AES_128, client_hello, sizeof(client_hello));
    handles[EPHEMERAL] = ephemeral(X25519, 0, NULL, 0);
    handles[PUBLIC] = public_half(handles[EPHEMERAL], BCRYPT_ECCPUBLIC_BLOB);
    OK(SslImportKey(provider, &rsa, BCRYPT_RSAPUBLIC_BLOB, in(public_blob), sizeof(public_blob),
                    0));
    OK(SslGeneratePreMasterKey(provider, rsa, &handles[PREMASTER], 0x303, 0x9c, &list, memory,
                               sizeof(memory), &len, 0));
    release(rsa);
    handles[PSK] = import_psk(provider, tls13_psk, sizeof(tls13_psk));
    handles[EARLY] = early_of(provider, handles[PSK], AES_128);
    OK(SslExpandBinderKey(provider, handles[EARLY], &handles[BINDER], NULL, 1));
    OK(SslExtractHandshakeKey(provider, 0, 0, handles[EARLY], &handles[HANDSHAKE], NULL, 0));
    OK(SslExpandTrafficKeys(provider, handles[HANDSHAKE], handles[HASH], &handles[TRAFFIC], NULL,
                            NULL, 0));
    OK(SslExtractMasterKey(provider, handles[HANDSHAKE], &handles[TLS13_MASTER], NULL, 0));
    OK(SslExpandExporterMasterKey(provider, handles[TLS13_MASTER], handles[HASH],
                                  &handles[EXPORTER], NULL, 0));
    OK(SslExpandResumptionMasterKey(provider, handles[TLS13_MASTER], handles[HASH],
                                    &handles[RESUMPTION], NULL, 0));
    OK(SslExpandPreSharedKey(provider, handles[RESUMPTION], NULL, 0, &handles[TICKET_PSK], NULL,
                             0));
    handles[FREED] = hash_of(AES_128, client_hello, sizeof(client_hello));
    release(handles[FREED]);
}

/* Calls with a handle of each kind in one place, and a flag that no function knows: a handle of the
 * right kind comes as far as the flags. */
#define ONLY(kinds, call)                                                        \
    do {                                                                         \
        for (kind = 0; kind < KINDS; kind++) {                                   \
            h = handles[kind];                                                   \
            out = out2 = 77;                                                     \
            EXPECT(((kinds) >> kind) & 1 ? NTE_BAD_FLAGS : NTE_INVALID_HANDLE, call); \
            CHECK(out == 0 || out == 77);                                        \
        }                                                                        \
    } while (0)

#define ONE(kind) (1ul << (kind))

/* Every function that takes a key or a hash, with every kind of handle in that place. */
static void wrong_kinds(void)
{
    const unsigned long keys = (ONE(FREED) - 1) & ~ONE(PROVIDER) & ~ONE(HASH);
    static char label[] = "label";
    static unsigned char randoms[64];
    DWORD f = UNKNOWN_FLAG, size = 0;
    PBYTE b = memory;
    NCRYPT_PROV_HANDLE p = provider;
    NCRYPT_KEY_HANDLE out, out2, early = handles[EARLY], own = handles[EPHEMERAL];
    NCRYPT_KEY_HANDLE peer = handles[PUBLIC], master = handles[TLS13_MASTER];
    NCRYPT_HASH_HANDLE hash = handles[HASH];
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    ULONG_PTR h;
    int kind;
    set_randoms(buffers);
    ONLY(ONE(PSK) | ONE(TICKET_PSK) | ONE(NO_HANDLE),
         SslExtractEarlyKey(p, h, &out, TLS1_3, AES_128, NULL, f));
    ONLY(ONE(EPHEMERAL), SslExtractHandshakeKey(p, h, peer, early, &out, NULL, f));
    ONLY(ONE(EARLY), SslExtractHandshakeKey(p, own, peer, h, &out, NULL, f));
    ONLY(ONE(EARLY), SslExtractHandshakeKey(p, 0, 0, h, &out, NULL, f));
    ONLY(ONE(HANDSHAKE), SslExtractMasterKey(p, h, &out, NULL, f));
    ONLY(ONE(EARLY) | ONE(HANDSHAKE) | ONE(TLS13_MASTER),
         SslExpandTrafficKeys(p, h, hash, &out, NULL, NULL, f));
    ONLY(ONE(HASH), SslExpandTrafficKeys(p, master, h, &out, &out2, NULL, f));
    ONLY(ONE(TRAFFIC), SslExpandWriteKey(p, h, &out, NULL, f));
    ONLY(ONE(EARLY) | ONE(TLS13_MASTER),
         SslExpandExporterMasterKey(p, h, hash, &out, NULL, f));
    ONLY(ONE(HASH), SslExpandExporterMasterKey(p, master, h, &out, NULL, f));
    ONLY(ONE(TLS13_MASTER), SslExpandResumptionMasterKey(p, h, hash, &out, NULL, f));
    ONLY(ONE(HASH), SslExpandResumptionMasterKey(p, master, h, &out, NULL, f));
    ONLY(ONE(EARLY), SslExpandBinderKey(p, h, &out, NULL, f));
    ONLY(ONE(RESUMPTION), SslExpandPreSharedKey(p, h, b, 4, &out, NULL, f));
    ONLY(ONE(TRAFFIC), SslProviderUpdateTrafficKey(p, h, &out, f));
    ONLY(ONE(TRAFFIC) | ONE(EXPORTER), SslProviderGetTls13Secret(p, h, b, 64, &size, f));
    ONLY(ONE(HASH), SslDuplicateTranscriptHash(p, h, &out, f));
    ONLY(ONE(HASH), SslHashHandshake(p, h, b, 1, f));
    ONLY(ONE(HASH), SslComputeSessionHash(p, h, TLS1_3, b, 64, &size, f));
    ONLY(ONE(MASTER) | ONE(TRAFFIC) | ONE(BINDER), SslComputeFinishedHash(p, h, hash, b, 32, f));
    ONLY(ONE(HASH), SslComputeFinishedHash(p, handles[TRAFFIC], h, b, 32, f));
    ONLY(ONE(MASTER) | ONE(EXPORTER),
         SslExportKeyingMaterial(p, h, label, randoms, 64, NULL, 0, b, 32, f));
    ONLY(ONE(SESSION), SslEncryptPacket(p, h, b, 1, b, 64, &size, 0, 23, f));
    ONLY(ONE(SESSION), SslDecryptPacket(p, h, b, 1, b, 64, &size, 0, f));
    ONLY(keys, SslExportKey(p, h, BCRYPT_OPAQUE_KEY_BLOB, b, 64, &size, f));
    /* Functions of earlier versions. */
    ONLY(ONE(MASTER), SslGenerateSessionKeys(p, h, &out, &out2, &list, f));
    ONLY(ONE(MASTER), SslProviderGetMasterSecret(p, h, b, 64, &size, f));
    ONLY(ONE(MASTER), SslComputeClientAuthHash(p, h, hash, BCRYPT_RSA_ALGORITHM, b, 64, &size, f));
    ONLY(ONE(MASTER), SslComputeEapKeyBlock(p, h, randoms, 64, b, 192, &size, f));
    ONLY(ONE(PSK) | ONE(PREMASTER),
         SslGenerateMasterKey(p, h, 0, &out, 0x303, 0xa8, &list, NULL, 0, NULL, f));
    ONLY(ONE(PRIVATE), SslImportMasterKey(p, h, &out, 0x303, 0x9c, &list, b, 256, f));
    ONLY(ONE(PRIVATE), SslSignHash(p, h, b, 32, b, 512, &size, f));
}

#undef ONLY
#define ONLY(call)                                                               \
    do {                                                                         \
        for (kind = 0; kind < KINDS; kind++) {                                   \
            if (kind != PROVIDER) {                                              \
                p = handles[kind];                                               \
                out = 77;                                                        \
                EXPECT(NTE_INVALID_HANDLE, call);                                \
                CHECK(out == 0);                                                 \
            }                                                                    \
        }                                                                        \
    } while (0)

/* Every function of TLS 1.3 with something else than a provider. */
static void wrong_providers(void)
{
    NCRYPT_KEY_HANDLE out, early = handles[EARLY], master = handles[TLS13_MASTER];
    NCRYPT_HASH_HANDLE hash = handles[HASH];
    ULONG_PTR p;
    int kind;
    ONLY(SslExtractEarlyKey(p, 0, &out, TLS1_3, AES_128, NULL, 0));
    ONLY(SslExtractHandshakeKey(p, 0, 0, early, &out, NULL, 0));
    ONLY(SslExtractMasterKey(p, handles[HANDSHAKE], &out, NULL, 0));
    ONLY(SslExpandTrafficKeys(p, master, hash, &out, NULL, NULL, 0));
    ONLY(SslExpandTrafficKeys(p, master, hash, NULL, &out, NULL, 0));
    ONLY(SslExpandWriteKey(p, handles[TRAFFIC], &out, NULL, 0));
    ONLY(SslExpandExporterMasterKey(p, master, hash, &out, NULL, 0));
    ONLY(SslExpandResumptionMasterKey(p, master, hash, &out, NULL, 0));
    ONLY(SslExpandBinderKey(p, early, &out, NULL, 1));
    ONLY(SslExpandPreSharedKey(p, handles[RESUMPTION], NULL, 0, &out, NULL, 0));
    ONLY(SslDuplicateTranscriptHash(p, hash, &out, 0));
    ONLY(SslProviderUpdateTrafficKey(p, handles[TRAFFIC], &out, 0));
    out = 0;
    ONLY((out = 0, SslProviderGetTls13Secret(p, handles[TRAFFIC], memory, 64, &len, 0)));
}

#undef ONLY

/* NULL pointers, other protocols, suites and hashes, lists, each output untouched or 0. */
static void wrong_arguments(void)
{
    static char label[] = "label", longest[251];
    NCRYPT_PROV_HANDLE p = provider;
    NCRYPT_KEY_HANDLE out = 77, early = handles[EARLY], handshake = handles[HANDSHAKE];
    NCRYPT_KEY_HANDLE master = handles[TLS13_MASTER], traffic = handles[TRAFFIC], no_psk, of_silent;
    NCRYPT_KEY_HANDLE resumption = handles[RESUMPTION], exporter = handles[EXPORTER], both[2];
    NCRYPT_HASH_HANDLE hash = handles[HASH], other, older, signed_hash = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list, good = list_of(buffers, 2);
    PBYTE b = memory;
    DWORD each, flag;
    no_psk = early_of(p, 0, AES_128);
    other = hash_of(AES_256, client_hello, sizeof(client_hello));
    older = hash_of_transcript(p, 0x303, 0x9c);
    OK(SslCreateClientAuthHash(p, &signed_hash, 0x303, 0x9c, BCRYPT_SHA256_ALGORITHM, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExtractEarlyKey(p, 0, NULL, TLS1_3, AES_128, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExtractEarlyKey(p, 0, &out, 0x303, AES_128, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExtractEarlyKey(p, 0, &out, 0x303, 0x9c, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExtractEarlyKey(p, 0, &out, 0x10304, AES_128, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExtractEarlyKey(p, 0, &out, TLS1_3, 0x9c, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExtractEarlyKey(p, 0, &out, TLS1_3, 0x1306, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExtractHandshakeKey(p, 0, 0, early, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExtractMasterKey(p, handshake, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandWriteKey(p, traffic, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandExporterMasterKey(p, master, hash, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandResumptionMasterKey(p, master, hash, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandBinderKey(p, early, NULL, NULL, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandPreSharedKey(p, resumption, b, 4, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslProviderUpdateTrafficKey(p, traffic, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslProviderGetTls13Secret(p, traffic, b, 64, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandTrafficKeys(p, master, hash, NULL, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandTrafficKeys(p, master, hash, &out, &out, NULL, 0));
    /* Servers send no early data, and without a pre-shared key nobody does. */
    both[0] = both[1] = 77;
    EXPECT(NTE_INVALID_PARAMETER,
           SslExpandTrafficKeys(p, early, hash, &both[0], &both[1], NULL, 0));
    CHECK(both[0] == 0 && both[1] == 0);
    EXPECT(NTE_INVALID_PARAMETER, SslExpandTrafficKeys(p, early, hash, NULL, &out, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandTrafficKeys(p, no_psk, hash, &out, NULL, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandExporterMasterKey(p, no_psk, hash, &out, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExpandBinderKey(p, no_psk, &out, NULL, 1));
    /* A hash of another suite, version or purpose. */
    for (each = 0; each < 3; each++) {
        NCRYPT_HASH_HANDLE wrong = each == 0 ? other : each == 1 ? older : signed_hash;
        EXPECT(NTE_INVALID_PARAMETER,
               SslExpandTrafficKeys(p, master, wrong, &both[0], &both[1], NULL, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslExpandExporterMasterKey(p, master, wrong, &out, NULL, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslExpandResumptionMasterKey(p, master, wrong, &out, NULL, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(p, traffic, wrong, b, 32, 1));
        EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(p, handles[BINDER], wrong, b, 32, 1));
    }
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(p, handles[MASTER], hash, b, 12, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(p, traffic, hash, NULL, 32, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(p, traffic, hash, b, 0, 1));
    EXPECT(NTE_BAD_FLAGS, SslComputeFinishedHash(p, traffic, hash, b, 32, 0));
    EXPECT(NTE_BAD_FLAGS, SslComputeFinishedHash(p, traffic, hash, b, 32, 3));
    EXPECT(NTE_BAD_FLAGS, SslComputeFinishedHash(p, handles[BINDER], hash, b, 32, 0));
    EXPECT(NTE_BAD_FLAGS, SslComputeFinishedHash(p, handles[BINDER], hash, b, 32, 3));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeSessionHash(p, hash, 0x303, b, 64, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeSessionHash(p, older, TLS1_3, b, 64, &len, 0));
    /* Neither or both of the flags, and every other one. */
    EXPECT(NTE_BAD_FLAGS, SslExpandBinderKey(p, early, &out, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslExpandBinderKey(p, early, &out, NULL, 3));
    for (flag = 1; flag != 0; flag <<= 1) {
        EXPECT(NTE_BAD_FLAGS, SslExtractEarlyKey(p, 0, &out, TLS1_3, AES_128, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExtractHandshakeKey(p, 0, 0, early, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExtractMasterKey(p, handshake, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExpandTrafficKeys(p, master, hash, &out, NULL, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExpandWriteKey(p, traffic, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExpandExporterMasterKey(p, master, hash, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExpandResumptionMasterKey(p, master, hash, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslExpandPreSharedKey(p, resumption, b, 4, &out, NULL, flag));
        EXPECT(NTE_BAD_FLAGS, SslProviderUpdateTrafficKey(p, traffic, &out, flag));
        EXPECT(NTE_BAD_FLAGS, SslProviderGetTls13Secret(p, traffic, b, 64, &len, flag));
        if (flag > 2) {
            EXPECT(NTE_BAD_FLAGS, SslExpandBinderKey(p, early, &out, NULL, flag));
        }
    }
    CHECK(out == 0);

    /* Keying material: no randoms, and what HKDF can fill. */
#define EXPORT(text, randoms, randoms_len, context, context_len, size)                          \
    SslExportKeyingMaterial(p, exporter, text, randoms, randoms_len, context, context_len, b,    \
                            size, 0)
    memset(longest, 'l', 250);
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, b, 64, NULL, 0, 32));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, b, 0, NULL, 0, 32));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, NULL, 64, NULL, 0, 32));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, NULL, 0, NULL, 1, 32));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, NULL, 0, NULL, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(label, NULL, 0, NULL, 0, 8161));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(longest, NULL, 0, NULL, 0, 32));
    EXPECT(NTE_INVALID_PARAMETER, EXPORT(NULL, NULL, 0, NULL, 0, 32));
    OK(EXPORT(label, NULL, 0, NULL, 0, 8160));
    OK(EXPORT(label, NULL, 0, b, 20000, 1));
    longest[249] = 0;
    OK(EXPORT(longest, NULL, 0, NULL, 0, 32));
#undef EXPORT

    /* A list of entries that mean nothing here, which are not read; and malformed ones. */
    set_buffer(&buffers[0], 0x12345678, NULL, 77);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_CLIENT_RANDOM, NULL, 77);
    OK(SslExtractEarlyKey(p, 0, &out, TLS1_3, AES_128, &good, 0));
    release(out);
    for (each = 0; each < 3; each++) {
        list = list_of(buffers, 2);
        list.ulVersion = each == 0;
        list.cBuffers = each == 1 ? 257 : 2;
        list.pBuffers = each == 2 ? NULL : buffers;
        EXPECT(NTE_INVALID_PARAMETER, SslExtractEarlyKey(p, 0, &out, TLS1_3, AES_128, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExtractHandshakeKey(p, 0, 0, early, &out, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExtractMasterKey(p, handshake, &out, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExpandTrafficKeys(p, master, hash, &out, NULL, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExpandWriteKey(p, traffic, &out, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExpandExporterMasterKey(p, master, hash, &out, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslExpandResumptionMasterKey(p, master, hash, &out, &list, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslExpandBinderKey(p, early, &out, &list, 1));
        EXPECT(NTE_INVALID_PARAMETER,
               SslExpandPreSharedKey(p, resumption, b, 4, &out, &list, 0));
        CHECK(out == 0);
    }

    /* No key log where the provider was opened without, whoever asks. */
    {
        NCRYPT_KEY_HANDLE psk = import_psk(silent, tls13_psk, sizeof(tls13_psk));
        NCRYPT_KEY_HANDLE of = early_of(silent, psk, AES_128);
        OK(SslExpandTrafficKeys(p, of, hash, &of_silent, NULL, NULL, 0));
        memset(memory, 0xa5, 64);
        len = 77;
        EXPECT(NTE_PERM, SslProviderGetTls13Secret(p, of_silent, b, 64, &len, 0));
        EXPECT(NTE_PERM, SslProviderGetTls13Secret(silent, of_silent, b, 64, &len, 0));
        CHECK(len == 77 && memory[0] == 0xa5);
        release(of_silent);
        release(of);
        release(psk);
    }
    /* None of the secrets leaves the library as a blob. */
    for (each = PREMASTER; each <= BINDER; each++) {
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(p, handles[each], BCRYPT_OPAQUE_KEY_BLOB, NULL, 0, &len, 0));
        EXPECT(NTE_NOT_SUPPORTED,
               SslExportKey(p, handles[each], TLS_13_PRE_SHARED_KEY, NULL, 0, &len, 0));
    }
    release(no_psk);
    release(other);
    release(older);
    release(signed_hash);
}

/* Handles that a transcript hash has been copied to run on by themselves. */
static void duplicates(void)
{
    NCRYPT_HASH_HANDLE hash = hash_of(AES_128, client_hello, sizeof(client_hello)), copy = 0;
    OK(SslDuplicateTranscriptHash(provider, hash, &copy, 0));
    FEED(hash, middle);
    FEED(copy, server_hello);
    known_transcript(copy, tls13_answers[0].transcript, 32);
    release(hash);
    known_transcript(copy, tls13_answers[0].transcript, 32);
    release(copy);
}

/* SslFreeObject looks at the handle before the flags, and frees once. */
static void free_each_kind(void)
{
    int kind;
    for (kind = 0; kind < FREED; kind++) {
        EXPECT(NTE_BAD_FLAGS, SslFreeObject(handles[kind], 1));
        OK(SslFreeObject(handles[kind], 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(handles[kind], 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(handles[kind], 1));
    }
}

int main(void)
{
    SSL_PROVIDER_POLICY policy;
    size_t each;
    memset(&policy, 0, sizeof(policy));
    policy.cbSize = sizeof(policy);
    policy.fAllowKeyLog = 1;
    policy.fAllowKeyExport = 1;
    OK(open_with(&provider, &policy));
    silent = open_provider();
    for (each = 0; each < COUNT(tls13_answers); each++) {
        known_answers(&tls13_answers[each]);
    }
    duplicates();
    agreements();
    hybrids();
    bad_shares();
    refused_groups();
    records(AES_128, 22);
    records(AES_256, 22);
    make_one_of_each_kind();
    wrong_kinds();
    wrong_providers();
    wrong_arguments();
    free_each_kind();
    release(silent);
    release(provider);
    return nothing_is_left();
}

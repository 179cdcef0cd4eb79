/* Threads with the stack that the header asks for, which make the calls that take most of it. */

#include <pthread.h>

#include "test.h"

#define STACK_LEN (64 * 1024)
#define HYBRID_STACK_LEN (128 * 1024)

static void use_records(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE master)
{
    static unsigned char record[20000], opened[20000], plain[16384];
    NCRYPT_KEY_HANDLE write = 0, read = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0;
    set_randoms(buffers);
    OK(SslGenerateSessionKeys(provider, master, &read, &write, &list, 0));
    OK(SslEncryptPacket(provider, write, plain, sizeof(plain), record, sizeof(record), &len, 0, 23,
                        0));
    EXPECT(NTE_DECRYPTION_FAILURE,
           SslDecryptPacket(provider, read, record, len, opened, sizeof(opened), &len, 0, 0));
    OK(SslFreeObject(read, 0));
    OK(SslFreeObject(write, 0));
}

static void use_finished(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE master,
                         const struct exchange *exchange)
{
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, exchange->protocol, exchange->suite);
    unsigned char data[36];
    OK(SslComputeFinishedHash(provider, master, hash, data,
                              exchange->protocol == 0x300 ? 36 : 12, NCRYPT_SSL_SERVER_FLAG));
    OK(SslFreeObject(hash, 0));
}

/* Both halves of an agreement with one key, which is its own peer: as much work as with two. */
static void agree(NCRYPT_PROV_HANDLE provider, DWORD suite, DWORD type, LPCWSTR blob_type)
{
    static unsigned char group[12 + 512], blob[1024];
    BCRYPT_DH_PARAMETER_HEADER header = {sizeof(group), BCRYPT_DH_PARAMETERS_MAGIC, 256};
    NCRYPT_KEY_HANDLE own = 0, peer = 0, master = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0, group_len = type == 0 ? sizeof(group) : 0;
    memcpy(group, &header, sizeof(header));
    memcpy(group + 12, ffdhe2048, 256);
    group[sizeof(group) - 1] = 2;
    set_randoms(buffers);
    OK(SslCreateEphemeralKey(provider, &own, 0x303, suite, type, 0, type == 0 ? group : NULL,
                             group_len, 0));
    OK(SslExportKey(provider, own, blob_type, blob, sizeof(blob), &len, 0));
    OK(SslImportKey(provider, &peer, blob_type, blob, len, 0));
    OK(SslGenerateMasterKey(provider, own, peer, &master, 0x303, suite, &list, NULL, 0, NULL,
                            NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(master, 0));
    OK(SslFreeObject(peer, 0));
    OK(SslFreeObject(own, 0));
}

/* The key schedule of TLS 1.3, of which a server of a hybrid group answers the share of a client,
 * and records. */
static void agree_in_tls13(NCRYPT_PROV_HANDLE provider, DWORD type, LPCWSTR blob_type)
{
    static unsigned char share[1665 + 1024], record[20000], opened[20000], plain[16384];
    NCRYPT_KEY_HANDLE client = 0, server = 0, peer = 0, early = 0, handshake = 0, master = 0;
    NCRYPT_KEY_HANDLE traffic = 0, write = 0, read = 0, next = 0, resumption = 0, psk = 0;
    NCRYPT_KEY_HANDLE exporter = 0, binder = 0;
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, 0x304, TLS_AES_256_GCM_SHA384);
    unsigned char finished[48];
    char label[] = "label";
    DWORD len = 0, is_hybrid = type > 260;
    OK(SslCreateEphemeralKey(provider, &client, 0x304, 0x1302, type, 0, NULL, 0, 0));
    OK(SslExportKey(provider, client, blob_type, share, sizeof(share), &len, 0));
    OK(SslCreateEphemeralKey(provider, &server, 0x304, 0x1302, type, 0, is_hybrid ? share : NULL,
                             is_hybrid ? len : 0, 0));
    OK(SslExportKey(provider, server, blob_type, share, sizeof(share), &len, 0));
    OK(SslImportKey(provider, &peer, blob_type, share, len, 0));
    OK(SslExtractEarlyKey(provider, 0, &early, 0x304, 0x1302, NULL, 0));
    OK(SslExtractHandshakeKey(provider, client, peer, early, &handshake, NULL, 0));
    OK(SslExtractMasterKey(provider, handshake, &master, NULL, 0));
    OK(SslExpandTrafficKeys(provider, master, hash, NULL, &traffic, NULL, 0));
    OK(SslProviderUpdateTrafficKey(provider, traffic, &next, 0));
    OK(SslComputeFinishedHash(provider, next, hash, finished, 48, NCRYPT_SSL_SERVER_FLAG));
    OK(SslExpandWriteKey(provider, next, &write, NULL, 0));
    OK(SslExpandWriteKey(provider, next, &read, NULL, 0));
    OK(SslEncryptPacket(provider, write, plain, sizeof(plain), record, sizeof(record), &len, 0, 23,
                        0));
    OK(SslDecryptPacket(provider, read, record, len, opened, sizeof(opened), &len, 0, 0));
    OK(SslExpandExporterMasterKey(provider, master, hash, &exporter, NULL, 0));
    OK(SslExportKeyingMaterial(provider, exporter, label, NULL, 0, NULL, 0, record, 1000, 0));
    OK(SslExpandResumptionMasterKey(provider, master, hash, &resumption, NULL, 0));
    OK(SslExpandPreSharedKey(provider, resumption, NULL, 0, &psk, NULL, 0));
    OK(SslFreeObject(early, 0));
    OK(SslExtractEarlyKey(provider, psk, &early, 0x304, 0x1302, NULL, 0));
    OK(SslExpandBinderKey(provider, early, &binder, NULL, NCRYPT_SSL_RESUMPTION_PSK_FLAG));
    OK(SslComputeFinishedHash(provider, binder, hash, finished, 48, NCRYPT_SSL_CLIENT_FLAG));
    {
        const NCRYPT_HANDLE all[] = {client,  server, peer, early, handshake,  master,   traffic,
                                     write,   read,   next, psk,   resumption, exporter, binder,
                                     hash};
        size_t each;
        for (each = 0; each < COUNT(all); each++) {
            OK(SslFreeObject(all[each], 0));
        }
    }
}

static void use_agreement(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each;
    OK(SslEnumEccCurves(provider, &count, &curves, 0));
    for (each = 0; each < count; each++) {
        DWORD type = curves[each].dwCurveType;
        if (type <= 255) {
            agree(provider, 0xc02f, type, SSL_ECCPUBLIC_BLOB);
        }
        /* Those that are not brainpool's. */
        if ((type >= 23 && type <= 25) || type == 29) {
            agree_in_tls13(provider, type, SSL_ECCPUBLIC_BLOB);
        }
    }
    agree_in_tls13(provider, 256, BCRYPT_DH_PUBLIC_BLOB);
    OK(SslFreeBuffer(curves));
    agree(provider, 0x9e, 0, BCRYPT_DH_PUBLIC_BLOB);
}

/* In the hybrid groups that the provider has. */
static void *agree_in_hybrid_groups(void *unused)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each;
    OK(SslEnumEccCurves(provider, &count, &curves, 0));
    for (each = 0; each < count; each++) {
        if (curves[each].dwCurveType > 255) {
            agree_in_tls13(provider, curves[each].dwCurveType, TLS_HYBRID_KEYEXCHANGE);
        }
    }
    OK(SslFreeBuffer(curves));
    OK(SslFreeObject(provider, 0));
    return unused;
}

static void use_signature(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, DWORD flags)
{
    static unsigned char signature[512];
    DWORD len = 0;
    OK(SslSignHash(provider, key, in(signatures[2].hash), 32, signature, sizeof(signature), &len,
                   flags));
    OK(SslVerifySignature(provider, key, in(signatures[2].hash), 32, signature, len, flags));
}

static void use_curve_keys(NCRYPT_PROV_HANDLE provider)
{
    size_t each;
    for (each = 0; each < COUNT(curve_keys); each++) {
        const struct curve_key *known = &curve_keys[each];
        NCRYPT_PROV_HANDLE storage = 0;
        NCRYPT_KEY_HANDLE stored = 0, key = 0;
        CERT_CONTEXT context = context_of(known->certificate.data, known->certificate.len);
        OK(NCryptOpenStorageProvider(&storage, NULL, 0));
        OK(NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &stored,
                           in(known->pkcs8.data), known->pkcs8.len, 0));
        OK(SslOpenPrivateKey(provider, &key, &context, 0));
        use_signature(provider, key, 0);
        OK(SslFreeObject(key, 0));
        OK(NCryptFreeObject(stored));
        OK(NCryptFreeObject(storage));
    }
}

static void encrypt_premaster(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    static unsigned char encrypted[256];
    NCRYPT_KEY_HANDLE master = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0;
    set_randoms(buffers);
    OK(SslGenerateMasterKey(provider, 0, key, &master, 0x303, 0x9c, &list, encrypted,
                            sizeof(encrypted), &len, NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(master, 0));
}

static void *make_calls(void *unused)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider), master;
    size_t each;
    for (each = 0; each < COUNT(exchanges); each++) {
        if (exchanges[each].protocol == 0x300) {
            continue; /* Off without a policy. */
        }
        master = import_master_key(provider, key, &exchanges[each]);
        use_records(provider, master);
        use_finished(provider, master, &exchanges[each]);
        OK(SslFreeObject(master, 0));
    }
    use_agreement(provider);
    use_signature(provider, key, 0);
    use_signature(provider, key, NCRYPT_SSL_SIGN_USE_PSS_PADDING);
    use_curve_keys(provider);
    encrypt_premaster(provider, key);
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return unused;
}

static void run(void *(*calls)(void *), size_t stack_len)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, stack_len) == 0);
    CHECK(pthread_create(&thread, &attributes, calls, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
}

int main(void)
{
    run(make_calls, STACK_LEN);
    run(agree_in_hybrid_groups, HYBRID_STACK_LEN);
    return nothing_is_left();
}

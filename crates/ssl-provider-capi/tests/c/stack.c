/* A thread with the stack that the header asks for, which makes the calls that take most of it. */

#include <pthread.h>

#include "test.h"

#define STACK_LEN (64 * 1024)

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

static void use_agreement(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each;
    OK(SslEnumEccCurves(provider, &count, &curves, 0));
    for (each = 0; each < count; each++) {
        agree(provider, 0xc02f, curves[each].dwCurveType, SSL_ECCPUBLIC_BLOB);
    }
    OK(SslFreeBuffer(curves));
    agree(provider, 0x9e, 0, BCRYPT_DH_PUBLIC_BLOB);
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

int main(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, STACK_LEN) == 0);
    CHECK(pthread_create(&thread, &attributes, make_calls, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    return nothing_is_left();
}

/* The master key: imported for every version and derivation, with its keys and its Finished. */

#include "test.h"

static void every_exchange(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    size_t each;
    for (each = 0; each < COUNT(exchanges); each++) {
        const struct exchange *exchange = &exchanges[each];
        NCRYPT_KEY_HANDLE master = import_master_key(provider, private_key, exchange);
        NCRYPT_KEY_HANDLE read = 0, write = 0;
        NCRYPT_HASH_HANDLE hash =
            hash_of_transcript(provider, exchange->protocol, exchange->suite);
        NCryptBuffer buffers[2];
        NCryptBufferDesc list = list_of(buffers, 2);
        unsigned char finished[12];
        OK(SslComputeFinishedHash(provider, master, hash, finished, 12, NCRYPT_SSL_CLIENT_FLAG));
        CHECK(memcmp(finished, exchange->client_finished, 12) == 0);
        OK(SslComputeFinishedHash(provider, master, hash, finished, 12, NCRYPT_SSL_SERVER_FLAG));
        CHECK(memcmp(finished, exchange->server_finished, 12) == 0);

        set_randoms(buffers);
        OK(SslGenerateSessionKeys(provider, master, &read, &write, &list, 0));
        CHECK(read != 0 && write != 0 && read != write);
        /* Session keys do not need the master key any more. */
        OK(SslFreeObject(master, 0));
        OK(SslFreeObject(read, 0));
        OK(SslFreeObject(write, 0));
        OK(SslFreeObject(hash, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(master, 0));
    }
}

/* What an attacker may send: the call succeeds, and the Finished of the true key is not found. */
static void bad_ciphertexts(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    const struct exchange *exchange = &exchanges[0];
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, exchange->protocol, exchange->suite);
    static unsigned char ciphertext[65535];
    DWORD lens[] = {256, 256, 256, 256, 0, 1, 255, 257, 65535};
    size_t each;
    for (each = 0; each < COUNT(lens); each++) {
        struct exchange bad = *exchange;
        unsigned char first[12], second[12];
        NCRYPT_KEY_HANDLE master = 0;
        NCryptBuffer buffers[2];
        NCryptBufferDesc list = list_of(buffers, 2);
        int again;
        set_randoms(buffers);
        memset(ciphertext, each == 1 ? 0xff : 0, sizeof(ciphertext));
        if (each >= 2) {
            memcpy(ciphertext, exchange->encrypted, 256);
            ciphertext[each == 2 ? 255 : 0] ^= 1;
        }
        for (again = 0; again < 2; again++) {
            OK(SslImportMasterKey(provider, private_key, &master, bad.protocol, bad.suite, &list,
                                  ciphertext, lens[each], NCRYPT_SSL_SERVER_FLAG));
            OK(SslComputeFinishedHash(provider, master, hash, again ? second : first, 12,
                                      NCRYPT_SSL_CLIENT_FLAG));
            OK(SslFreeObject(master, 0));
        }
        CHECK(memcmp(first, exchange->client_finished, 12) != 0);
        CHECK(memcmp(first, second, 12) == 0);
    }
    OK(SslFreeObject(hash, 0));
}

/* Each row changes one argument of a good call. */
static void refusals(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    NCRYPT_KEY_HANDLE master = 77, good = 0, read = 0;
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, 0x0303, 0x009c);
    NCryptBuffer buffers[4];
    NCryptBufferDesc list = list_of(buffers, 3);
    DWORD version = 0x0303;
    PBYTE secret = in(encrypted_0303);
    unsigned char output[64];
    DWORD server = NCRYPT_SSL_SERVER_FLAG, flags, each;
    set_randoms(buffers);
    set_buffer(&buffers[2], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &version, 4);

#define IMPORT(status, provider_, key_, out_, protocol_, suite_, list_, secret_, len_, flags_)     \
    EXPECT(status, SslImportMasterKey(provider_, key_, out_, protocol_, suite_, list_, secret_,    \
                                      len_, flags_))
    IMPORT(NTE_INVALID_HANDLE, 0, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    CHECK(master == 0);
    IMPORT(NTE_INVALID_HANDLE, key, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    IMPORT(NTE_INVALID_HANDLE, provider, 0, &master, 0x303, 0x9c, &list, secret, 256, server);
    IMPORT(NTE_INVALID_HANDLE, provider, hash, &master, 0x303, 0x9c, &list, secret, 256, server);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, NULL, 0x303, 0x9c, &list, secret, 256, server);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, NULL, secret, 256, server);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, NULL, 256, server);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 65536,
           server);
    for (flags = 0; flags < 32; flags++) {
        DWORD bits = flags < 4 ? flags : 1u << flags | server;
        if (bits != server) {
            IMPORT(NTE_BAD_FLAGS, provider, key, &master, 0x303, 0x9c, &list, secret, 256, bits);
        }
    }
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x304, 0x1301, &list, secret, 256, server);
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x002, 0x10080, &list, secret, 256, server);
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x300, 0x2f, &list, secret, 256, server);
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x303, 0xc02f, &list, secret, 256, server);
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x302, 0x9c, &list, secret, 256, server);
    IMPORT(NTE_NOT_SUPPORTED, provider, key, &master, 0x303, 0xffff, &list, secret, 256, server);

    /* The list: version, entries, sizes, null pointers, missing entries. */
    list.ulVersion = 1;
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    list = list_of(NULL, 3);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    list = list_of(NULL, 0);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    list = list_of(buffers, 0xffffffffu);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    for (each = 0; each < 3; each++) {
        NCryptBuffer kept = buffers[each];
        list = list_of(buffers, 3);
        buffers[each].cbBuffer--;
        IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256,
               server);
        buffers[each].cbBuffer = 0xffffffffu;
        buffers[each].pvBuffer = output;
        IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256,
               server);
        buffers[each] = kept;
        buffers[each].pvBuffer = NULL;
        IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256,
               server);
        buffers[each] = kept;
    }
    list = list_of(buffers, 1);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    list = list_of(buffers + 1, 2);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    set_buffer(&buffers[3], NCRYPTBUFFER_SSL_SESSION_HASH, output, 36);
    list = list_of(buffers, 4);
    IMPORT(NTE_INVALID_PARAMETER, provider, key, &master, 0x303, 0x9c, &list, secret, 256, server);
    CHECK(master == 0);
    /* Unknown and empty entries are skipped, whatever they point to. */
    set_buffer(&buffers[3], NCRYPTBUFFER_EMPTY, NULL, 99);
    OK(SslImportMasterKey(provider, key, &good, 0x303, 0x9c, &list, secret, 256, server));
    OK(SslFreeObject(good, 0));
    set_buffer(&buffers[3], 0x12345678, (const void *)(uintptr_t)1, 0xffffffffu);
    OK(SslImportMasterKey(provider, key, &good, 0x303, 0x9c, &list, secret, 256, server));

    /* Session keys follow from the randoms alone; whatever else is there is not looked at. */
    set_buffer(&buffers[2], NCRYPTBUFFER_SSL_HIGHEST_VERSION, output, 2);
    set_buffer(&buffers[3], NCRYPTBUFFER_SSL_SESSION_HASH, NULL, 5);
    OK(SslGenerateSessionKeys(provider, good, &read, &master, &list, 0));
    OK(SslFreeObject(read, 0));
    OK(SslFreeObject(master, 0));
    list = list_of(buffers, 2);
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateSessionKeys(provider, good, NULL, &read, &list, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateSessionKeys(provider, good, &read, NULL, &list, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateSessionKeys(provider, good, &read, &read, &list, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateSessionKeys(provider, good, &read, &master, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslGenerateSessionKeys(provider, good, &read, &master, &list, 1));
    EXPECT(NTE_INVALID_HANDLE, SslGenerateSessionKeys(provider, key, &read, &master, &list, 0));
    list = list_of(buffers, 1);
    EXPECT(NTE_INVALID_PARAMETER, SslGenerateSessionKeys(provider, good, &read, &master, &list, 0));
    CHECK(read == 0 && master == 0);

    for (flags = 0; flags < 16; flags++) {
        SECURITY_STATUS status = flags == 1 || flags == 2 ? ERROR_SUCCESS : NTE_BAD_FLAGS;
        EXPECT(status, SslComputeFinishedHash(provider, good, hash, output, 12, flags));
    }
    memset(output, 0xa5, sizeof(output));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, good, hash, output, 11, server));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, good, hash, output, 0, server));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeFinishedHash(provider, good, hash, output, 0xffffffffu, server));
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, good, hash, NULL, 12, server));
    EXPECT(NTE_INVALID_HANDLE, SslComputeFinishedHash(provider, key, hash, output, 12, server));
    EXPECT(NTE_INVALID_HANDLE, SslComputeFinishedHash(provider, good, good, output, 12, server));
    for (each = 0; each < sizeof(output); each++) {
        CHECK(output[each] == 0xa5);
    }
    OK(SslFreeObject(hash, 0));
    hash = hash_of_transcript(provider, 0x0301, 0x002f);
    EXPECT(NTE_INVALID_PARAMETER, SslComputeFinishedHash(provider, good, hash, output, 12, server));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(good, 0));
}

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider);
    every_exchange(provider, key);
    bad_ciphertexts(provider, key);
    refusals(provider, key);
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

/* Providers whose imports run in batches, with many threads. forks.c forks meanwhile. */

#include <pthread.h>

#include "test.h"

#define THREADS 16
#define IMPORTS 20

static NCRYPT_PROV_HANDLE provider, without;
static NCRYPT_KEY_HANDLE key;

/* Imports an exchange with its ciphertext or another, and computes the client's Finished. */
static void finished_of(const struct exchange *exchange, const unsigned char *ciphertext,
                        unsigned char finished[12])
{
    struct exchange changed = *exchange;
    NCRYPT_HASH_HANDLE hash = 0;
    NCRYPT_KEY_HANDLE master;
    changed.encrypted = ciphertext;
    master = import_master_key(provider, key, &changed);
    hash = hash_of_transcript(provider, exchange->protocol, exchange->suite);
    OK(SslComputeFinishedHash(provider, master, hash, finished, 12, NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(master, 0));
}

/* Every thread has good exchanges of its own, and bad ones, which succeed with another secret. */
static void *import(void *thread)
{
    static const unsigned char zeros[256] = {0};
    size_t first = (size_t)(uintptr_t)thread, each;
    for (each = 0; each < IMPORTS; each++) {
        const struct exchange *exchange = &exchanges[(first + each) % COUNT(exchanges)];
        unsigned char finished[12], bad[256];
        finished_of(exchange, exchange->encrypted, finished);
        CHECK(memcmp(finished, exchange->client_finished, 12) == 0);
        memcpy(bad, exchange->encrypted, 256);
        bad[255] ^= 1;
        finished_of(exchange, each % 2 == 0 ? bad : zeros, finished);
        CHECK(memcmp(finished, exchange->client_finished, 12) != 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    NCRYPT_PROV_HANDLE other = 77;
    NCRYPT_KEY_HANDLE foreign, none = 77;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    size_t each;
    SECURITY_STATUS status;
    EXPECT(NTE_INVALID_PARAMETER, open_batches(&other, 1001));
    EXPECT(NTE_INVALID_PARAMETER, open_batches(&other, 0xffffffffu));
    status = open_batches(&provider, 50);
    if (status == NTE_NOT_SUPPORTED) {
        printf("NOT TESTED: batches: this processor has neither AVX-512 IFMA nor AVX-IFMA\n");
        return nothing_is_left();
    }
    OK(status);
    key = open_key(provider);

    /* Keys are those of one wait. */
    OK(open_batches(&other, 50));
    OK(SslFreeObject(import_master_key(other, key, &exchanges[0]), 0));
    OK(SslFreeObject(other, 0));
    OK(open_batches(&other, 1000));
    without = open_provider();
    foreign = open_key(without);
    set_randoms(buffers);
    EXPECT(NTE_INVALID_HANDLE,
           SslImportMasterKey(other, key, &none, TLS1_0_PROTOCOL_VERSION,
                              TLS_RSA_WITH_AES_128_CBC_SHA, &list, in(exchanges[0].encrypted), 256,
                              NCRYPT_SSL_SERVER_FLAG));
    EXPECT(NTE_INVALID_HANDLE,
           SslImportMasterKey(provider, foreign, &none, TLS1_0_PROTOCOL_VERSION,
                              TLS_RSA_WITH_AES_128_CBC_SHA, &list, in(exchanges[0].encrypted), 256,
                              NCRYPT_SSL_SERVER_FLAG));
    OK(SslFreeObject(other, 0));
    OK(SslFreeObject(foreign, 0));
    OK(SslFreeObject(without, 0));

    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_create(&threads[each], NULL, import, (void *)(uintptr_t)each) == 0);
    }
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_join(threads[each], NULL) == 0);
    }
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

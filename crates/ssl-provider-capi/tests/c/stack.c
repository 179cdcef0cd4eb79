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

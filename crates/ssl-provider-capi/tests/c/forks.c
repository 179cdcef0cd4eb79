/* Forks while other threads are at work: a child has nothing, and can start anew. */

#define _POSIX_C_SOURCE 200809L

#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

/* In a child, everything inherited is invalid, and everything new works. */
static void fork_once(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, PVOID block)
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        NCRYPT_HASH_HANDLE hash = 0;
        CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
        NCRYPT_KEY_HANDLE none = 0;
        alarm(60);
        EXPECT(NTE_INVALID_HANDLE, SslCreateHandshakeHash(provider, &hash, 0x303, 0x9c, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(key, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(block));
        provider = open_provider();
        EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &none, &context, 0));
        key = open_key(provider);
        OK(SslFreeObject(import_master_key(provider, key, &exchanges[4]), 0));
        OK(SslFreeObject(key, 0));
        OK(SslFreeObject(provider, 0));
        /* The threads that may have led a batch at that moment are not here. */
        if (open_batches(&provider, 50) == ERROR_SUCCESS) {
            key = open_key(provider);
            OK(SslFreeObject(import_master_key(provider, key, &exchanges[0]), 0));
            OK(SslFreeObject(key, 0));
            OK(SslFreeObject(provider, 0));
        }
        _exit(nothing_is_left());
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a child ended with status 0x%x\n", (unsigned)status);
        exit(1);
    }
}

static NCRYPT_PROV_HANDLE batch_provider;
static NCRYPT_KEY_HANDLE batch_key;

static void *import_in_batches(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&racing, __ATOMIC_ACQUIRE) > 0) {
        OK(SslFreeObject(import_master_key(batch_provider, batch_key, &exchanges[0]), 0));
    }
    return NULL;
}

int main(void)
{
    pthread_t importers[3];
    size_t each, count = 0;
    PBYTE block = NULL;
    DWORD len = 0;
    int forks = 0;
    if (open_batches(&batch_provider, 50) == ERROR_SUCCESS) {
        count = COUNT(importers);
        batch_key = open_key(batch_provider);
    }
    start_race();
    for (each = 0; each < count; each++) {
        CHECK(pthread_create(&importers[each], NULL, import_in_batches, NULL) == 0);
    }
    OK(SslGetKeyProperty(shared_key, NCRYPT_LENGTH_PROPERTY, &block, &len, 0));
    do {
        fork_once(shared_provider, shared_key, block);
        forks++;
    } while (__atomic_load_n(&racing, __ATOMIC_ACQUIRE) > 0);
    for (each = 0; each < count; each++) {
        CHECK(pthread_join(importers[each], NULL) == 0);
    }
    end_race();
    if (count > 0) {
        OK(SslFreeObject(batch_key, 0));
        OK(SslFreeObject(batch_provider, 0));
    }
    OK(SslFreeBuffer(block));
    printf("%d forks\n", forks);
    return nothing_is_left();
}

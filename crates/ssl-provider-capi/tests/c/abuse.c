/* Abuse: forged and stale handles, odd pointers, threads that race, forks under load. */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define THREADS 8

/* splitmix64: repeatable numbers of full width. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double seconds(void)
{
    const char *wanted = getenv("SSL_PROVIDER_ABUSE_SECONDS");
    return wanted == NULL ? 1.0 : atof(wanted);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void forged_handles(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider), forged;
    uint64_t state = 1;
    PBYTE value = NULL;
    DWORD len = 0;
    long each;
    int bit;
    for (each = 0; each < 100000; each++) {
        forged = (NCRYPT_KEY_HANDLE)next(&state);
        EXPECT(NTE_INVALID_HANDLE, SslGetKeyProperty(forged, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(forged, 0));
        EXPECT(NTE_INVALID_HANDLE, NCryptFreeObject(forged));
        EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer((PVOID)(uintptr_t)next(&state)));
    }
    for (bit = 0; bit < 64; bit++) {
        forged = key ^ (NCRYPT_KEY_HANDLE)1 << bit;
        EXPECT(NTE_INVALID_HANDLE, SslGetKeyProperty(forged, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(forged, 0));
    }
    OK(SslFreeObject(key, 0));
    for (each = 0; each < 10000; each++) {
        NCRYPT_HASH_HANDLE hash = 0;
        OK(SslCreateHandshakeHash(provider, &hash, 0x303, 0x9c, 0));
        CHECK(hash != key);
        OK(SslFreeObject(hash, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(key, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(hash, 0));
    }
    OK(SslFreeObject(provider, 0));
}

/* Every pointer one byte off, and inputs that overlap outputs. */
static void odd_pointers(void)
{
    static unsigned char memory[8192];
    unsigned char *odd = memory + 1;
    NCRYPT_PROV_HANDLE provider = 0;
    NCRYPT_KEY_HANDLE key, master = 0;
    NCRYPT_HASH_HANDLE hash;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of((PNCryptBuffer)(void *)(odd + 64), 2);
    unsigned char *name = odd + 200;
    WCHAR wide[] = {'R', 'S', 'A', 0};
    int unit;
    OK(SslOpenProvider((NCRYPT_PROV_HANDLE *)(void *)odd, NULL, 0));
    memcpy(&provider, odd, sizeof(provider));
    key = open_key(provider);

    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_CLIENT_RANDOM, odd + 128, 32);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, odd + 160, 32);
    memcpy(odd + 64, buffers, sizeof(buffers));
    memcpy(odd + 128, client_random, 32);
    memcpy(odd + 160, server_random, 32);
    memcpy(odd + 16, &list, sizeof(list));
    memcpy(odd + 256, encrypted_0303, 256);
    OK(SslImportMasterKey(provider, key, (NCRYPT_KEY_HANDLE *)(void *)(odd + 600), 0x303, 0x9c,
                          (PNCryptBufferDesc)(void *)(odd + 16), odd + 256, 256, 2));
    memcpy(&master, odd + 600, sizeof(master));
    /* The handle lands on the ciphertext, which is read before it is written over. */
    OK(SslFreeObject(master, 0));
    OK(SslImportMasterKey(provider, key, (NCRYPT_KEY_HANDLE *)(void *)(odd + 504), 0x303, 0x9c,
                          (PNCryptBufferDesc)(void *)(odd + 16), odd + 256, 248, 2));
    memcpy(&master, odd + 504, sizeof(master));
    hash = hash_of_transcript(provider, 0x303, 0x9c);
    OK(SslComputeFinishedHash(provider, master, hash, odd + 700, 12, NCRYPT_SSL_CLIENT_FLAG));
    OK(SslHashHandshake(provider, hash, odd + 700, 12, 0));

    /* A name at an odd address, and one without an end. */
    memcpy(name, wide, sizeof(wide));
    EXPECT(NTE_PROV_DLL_NOT_FOUND,
           SslOpenProvider((NCRYPT_PROV_HANDLE *)(void *)odd, (LPCWSTR)(void *)name, 0));
    for (unit = 0; unit < 256; unit++) {
        memcpy(odd + 1000 + 2 * unit, wide, 2);
    }
    EXPECT(NTE_INVALID_PARAMETER,
           SslOpenProvider((NCRYPT_PROV_HANDLE *)(void *)odd, (LPCWSTR)(void *)(odd + 1000), 0));
    OK(SslFreeObject(master, 0));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
}

/* What the racing threads share. Handles are read and replaced without care; that is the point. */
static NCRYPT_PROV_HANDLE shared_provider;
static NCRYPT_KEY_HANDLE shared_key;
static ULONG_PTR pool[64];
static double end;
static uint64_t calls, frees, made;

static ULONG_PTR peek(uint64_t *state)
{
    return __atomic_load_n(&pool[next(state) % COUNT(pool)], __ATOMIC_RELAXED);
}

/* Puts a handle into the pool, and frees the one that it pushes out. */
static void put(ULONG_PTR handle, uint64_t *state)
{
    ULONG_PTR old = __atomic_exchange_n(&pool[next(state) % COUNT(pool)], handle, __ATOMIC_RELAXED);
    __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    if (old != 0 && SslFreeObject(old, 0) == 0) {
        __atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED);
    }
}

static int is_allowed(SECURITY_STATUS status)
{
    return status == ERROR_SUCCESS || status == NTE_INVALID_HANDLE ||
           status == STATUS_INVALID_HANDLE || status == NTE_INVALID_PARAMETER ||
           status == NTE_NOT_SUPPORTED || status == NTE_NO_MORE_ITEMS;
}

static void *race(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument, mine = 0;
    unsigned char output[64];
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_CLIENT_RANDOM, client_random, 32);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, server_random, 32);
    while (now() < end) {
        ULONG_PTR handle = 0, second = 0;
        SECURITY_STATUS status = 0;
        PBYTE value = NULL;
        DWORD len = 0;
        switch (next(&state) % 12) {
        case 0:
            status = SslCreateHandshakeHash(shared_provider, &handle, 0x303, 0x9c, 0);
            break;
        case 1:
            status = SslDuplicateTranscriptHash(shared_provider, peek(&state), &handle, 0);
            break;
        case 2:
            status = SslHashHandshake(shared_provider, peek(&state), in(transcript), 20, 0);
            break;
        case 3:
            status = SslComputeSessionHash(shared_provider, peek(&state), 0x303, output,
                                           sizeof(output), &len, 0);
            break;
        case 4:
            status = SslImportMasterKey(shared_provider, shared_key, &handle, 0x303, 0x9c, &list,
                                        in(encrypted_0303), 256, 2);
            break;
        case 5:
            status = SslGenerateSessionKeys(shared_provider, peek(&state), &handle, &second, &list, 0);
            break;
        case 6:
            status = SslComputeFinishedHash(shared_provider, peek(&state), peek(&state), output, 12, 1);
            break;
        case 7:
            status = SslFreeObject(peek(&state), 0);
            if (status == 0) {
                __atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED);
            }
            break;
        case 8:
            status = SslGetKeyProperty(shared_key, NCRYPT_LENGTH_PROPERTY, &value, &len, 0);
            CHECK(status == 0);
            OK(SslFreeBuffer(value));
            break;
        case 9:
            OK(SslIncrementProviderReferenceCount(shared_provider));
            OK(SslDecrementProviderReferenceCount(shared_provider));
            break;
        case 10:
            status = SslEncryptPacket(shared_provider, peek(&state), output, 1, output, 1, &len, 0,
                                      23, 0);
            CHECK(status != 0);
            break;
        case 11:
            status = SslFreeObject((ULONG_PTR)next(&state), 0);
            CHECK(status == STATUS_INVALID_HANDLE);
            break;
        }
        if (!is_allowed(status)) {
            fprintf(stderr, "a racing call answered 0x%08x\n", (unsigned)status);
            exit(1);
        }
        if (handle != 0) {
            put(handle, &state);
        }
        if (second != 0) {
            put(second, &state);
        }
        mine++;
    }
    __atomic_add_fetch(&calls, mine, __ATOMIC_RELAXED);
    return NULL;
}

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
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void threads_and_forks(void)
{
    pthread_t threads[THREADS];
    NCRYPT_KEY_HANDLE stored = import_key();
    PBYTE block = NULL;
    DWORD len = 0;
    size_t each;
    int forks = 0;
    shared_provider = open_provider();
    shared_key = open_key(shared_provider);
    OK(SslGetKeyProperty(shared_key, NCRYPT_LENGTH_PROPERTY, &block, &len, 0));
    end = now() + seconds();
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_create(&threads[each], NULL, race, (void *)(uintptr_t)(each + 1)) == 0);
    }
    while (now() < end) {
        fork_once(shared_provider, shared_key, block);
        forks++;
    }
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_join(threads[each], NULL) == 0);
    }
    for (each = 0; each < COUNT(pool); each++) {
        if (pool[each] != 0 && SslFreeObject(pool[each], 0) == 0) {
            frees++;
        }
    }
    printf("%lu racing calls, %lu handles made and freed, %d forks\n", (unsigned long)calls,
           (unsigned long)made, forks);
    CHECK(made == frees && calls > 0 && forks > 0);
    OK(SslFreeBuffer(block));
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(shared_key, 0));
    OK(SslFreeObject(shared_provider, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(shared_provider, 0));
}

int main(void)
{
    forged_handles();
    odd_pointers();
    threads_and_forks();
    return 0;
}

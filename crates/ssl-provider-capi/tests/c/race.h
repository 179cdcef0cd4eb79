/*
 * Eight threads that call everything with handles that others free; for programs that include it.
 * The handles are read and replaced without care: that is the point.
 */

#ifndef RACE_H
#define RACE_H

#include <pthread.h>
#include <time.h>

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
           status == NTE_NOT_SUPPORTED || status == NTE_NO_MORE_ITEMS ||
           status == NTE_DECRYPTION_FAILURE;
}

static void *race(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument, mine = 0;
    unsigned char output[256];
    char label[] = "EXPERIMENTAL";
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_CLIENT_RANDOM, client_random, 32);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, server_random, 32);
    while (now() < end) {
        ULONG_PTR handle = 0, second = 0;
        SECURITY_STATUS status = 0;
        PBYTE value = NULL;
        DWORD len = 0;
        switch (next(&state) % 15) {
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
            status = SslEncryptPacket(shared_provider, peek(&state), in(transcript), 20, output,
                                      sizeof(output), &len, next(&state), 23, 0);
            break;
        case 11:
            status = SslFreeObject((ULONG_PTR)next(&state), 0);
            CHECK(status == STATUS_INVALID_HANDLE);
            break;
        case 12:
            memset(output, 0, 100);
            status = SslDecryptPacket(shared_provider, peek(&state), output, 100, output + 100, 100,
                                      &len, 0, 0);
            CHECK(status != 0);
            break;
        case 13:
            status = SslExportKeyingMaterial(shared_provider, peek(&state), label, output, 64,
                                             NULL, 0, output, 40, 0);
            break;
        case 14:
            status = SslComputeEapKeyBlock(shared_provider, peek(&state), output, 64, output,
                                           sizeof(output), &len, 0);
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

static pthread_t threads[THREADS];

static void start_race(void)
{
    size_t each;
    shared_provider = open_provider();
    shared_key = open_key(shared_provider);
    end = now() + seconds();
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_create(&threads[each], NULL, race, (void *)(uintptr_t)(each + 1)) == 0);
    }
}

/* Waits for the threads, frees what is left, and counts. */
static void end_race(void)
{
    size_t each;
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_join(threads[each], NULL) == 0);
    }
    for (each = 0; each < COUNT(pool); each++) {
        if (pool[each] != 0 && SslFreeObject(pool[each], 0) == 0) {
            frees++;
        }
    }
    printf("%lu racing calls, %lu handles made, each freed once\n", (unsigned long)calls,
           (unsigned long)made);
    CHECK(made == frees && calls > 0);
    OK(SslFreeObject(shared_key, 0));
    OK(SslFreeObject(shared_provider, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(shared_provider, 0));
}

#endif

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

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* How much each of the threads does of an amount that the environment says. */
static uint64_t share(const char *variable, uint64_t otherwise)
{
    const char *wanted = getenv(variable);
    uint64_t amount = wanted == NULL ? otherwise : strtoull(wanted, NULL, 10);
    return (amount + THREADS - 1) / THREADS;
}

/* What is called, and the statuses that it may return here; every other one is a defect. */
#define STATUSES 4
static const struct operation {
    const char *name;
    size_t statuses;
    SECURITY_STATUS allowed[STATUSES];
} operations[] = {
    {"SslCreateHandshakeHash", 1, {ERROR_SUCCESS}},
    {"SslDuplicateTranscriptHash", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslHashHandshake", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    /* The hash may be one of TLS 1.3, and so may the keys below. */
    {"SslComputeSessionHash", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslImportMasterKey", 1, {ERROR_SUCCESS}},
    {"SslCreateEphemeralKey", 1, {ERROR_SUCCESS}},
    /* Another thread may have used the ephemeral key up in the meantime, and while the pool has
     * empty places, a curve's key without one's own is taken for that of an RSA server. */
    {"SslGenerateMasterKey",
     4,
     {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_BAD_KEY_STATE, NTE_BAD_TYPE}},
    {"SslSignHash", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslGenerateSessionKeys", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslComputeFinishedHash",
     4,
     {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER, NTE_BAD_FLAGS}},
    /* Another thread may have used the key with a later number in the meantime. */
    {"SslEncryptPacket", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslDecryptPacket", 2, {NTE_DECRYPTION_FAILURE, NTE_INVALID_HANDLE}},
    {"SslExportKeyingMaterial", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslComputeEapKeyBlock", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslExportKey", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_NOT_SUPPORTED}},
    {"SslImportKey", 1, {ERROR_SUCCESS}},
    {"SslOpenPrivateKey", 1, {ERROR_SUCCESS}},
    {"SslGetKeyProperty", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslEnumCipherSuites", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslIncrementProviderReferenceCount", 1, {NTE_INVALID_HANDLE}},
    {"SslDecrementProviderReferenceCount", 1, {ERROR_SUCCESS}},
    {"SslFreeObject", 2, {ERROR_SUCCESS, STATUS_INVALID_HANDLE}},
    {"NCryptFreeObject", 1, {NTE_INVALID_HANDLE}},
    /* In TLS 1.3, of which the pool has secrets of each kind and hashes. */
    {"SslExtractEarlyKey", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslExtractHandshakeKey",
     4,
     {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_BAD_KEY_STATE, NTE_INVALID_PARAMETER}},
    {"SslExtractMasterKey", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    /* The hash may be one of TLS 1.2. */
    {"SslExpandTrafficKeys", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslExpandWriteKey", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslExpandExporterMasterKey", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslExpandResumptionMasterKey",
     3,
     {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslExpandBinderKey", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslExpandPreSharedKey", 2, {ERROR_SUCCESS, NTE_INVALID_HANDLE}},
    {"SslProviderUpdateTrafficKey", 3, {ERROR_SUCCESS, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER}},
    {"SslCreateHandshakeHash", 1, {ERROR_SUCCESS}},
    {"SslImportKey", 1, {ERROR_SUCCESS}},
};

/* How often each operation returned each of its statuses. */
typedef uint64_t answers[COUNT(operations)][STATUSES];

static NCRYPT_PROV_HANDLE shared_provider;
static NCRYPT_KEY_HANDLE shared_key, shared_stored_key, shared_share;
/* Secrets of TLS 1.3 that nobody frees, since each call needs one of its own kind, and a hash. */
static NCRYPT_KEY_HANDLE shared_psk, shared_early, shared_handshake, shared_master, shared_traffic,
    shared_resumption;
static NCRYPT_HASH_HANDLE shared_hash;
static ULONG_PTR pool[64];
static answers answered;
static uint64_t calls_of_a_thread, frees, made, last_number;
static int racing;
static double started;

static ULONG_PTR peek(uint64_t *state)
{
    return __atomic_load_n(&pool[next(state) % COUNT(pool)], __ATOMIC_RELAXED);
}

static ULONG_PTR peek_or(ULONG_PTR handle, uint64_t *state)
{
    return next(state) % 2 == 0 ? peek(state) : handle;
}

/* Counts a free that succeeded. Several threads may try to free a handle; one of them does. */
static SECURITY_STATUS freed(SECURITY_STATUS status)
{
    if (status == ERROR_SUCCESS) {
        __atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED);
    }
    return status;
}

/* Puts a handle into the pool, and frees the one that it pushes out. */
static void put(ULONG_PTR handle, uint64_t *state)
{
    ULONG_PTR old = __atomic_exchange_n(&pool[next(state) % COUNT(pool)], handle, __ATOMIC_RELAXED);
    __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    if (old != 0) {
        freed(SslFreeObject(old, 0));
    }
}

static void count(answers mine, size_t operation, SECURITY_STATUS status)
{
    size_t each;
    for (each = 0; each < operations[operation].statuses; each++) {
        if (operations[operation].allowed[each] == status) {
            mine[operation][each]++;
            return;
        }
    }
    fprintf(stderr, "%s returned 0x%08x in a race\n", operations[operation].name, (unsigned)status);
    exit(1);
}

static void *race(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument, each;
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    answers mine = {{0}};
    size_t operation, status_index;
    unsigned char output[256], blob[512], signature[256];
    char label[] = "EXPERIMENTAL";
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_randoms(buffers);
    for (each = 0; each < calls_of_a_thread; each++) {
        ULONG_PTR handle = 0, second = 0;
        SECURITY_STATUS status = 0;
        PBYTE value = NULL;
        NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
        PVOID position = NULL;
        DWORD len = 0;
        operation = next(&state) % COUNT(operations);
        switch (operation) {
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
            status = SslCreateEphemeralKey(shared_provider, &handle, 0x303, 0xc02f, 23, 256, NULL,
                                           0, 0);
            break;
        case 6:
            status = SslGenerateMasterKey(shared_provider, peek(&state), shared_share, &handle,
                                          0x303, 0xc02f, &list, NULL, 0, NULL, 1);
            break;
        case 7:
            status = SslSignHash(shared_provider, peek(&state), in(transcript), 32, signature,
                                 sizeof(signature), &len, 0);
            break;
        case 8:
            status =
                SslGenerateSessionKeys(shared_provider, peek(&state), &handle, &second, &list, 0);
            break;
        case 9:
            status =
                SslComputeFinishedHash(shared_provider, peek(&state), peek(&state), output, 12, 1);
            break;
        case 10:
            status = SslEncryptPacket(shared_provider, peek(&state), in(transcript), 20, output,
                                      sizeof(output), &len,
                                      __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED), 23, 0);
            break;
        case 11:
            memset(output, 0, 100);
            status = SslDecryptPacket(shared_provider, peek(&state), output, 100, output + 100, 100,
                                      &len, 0, 0);
            break;
        case 12:
            status = SslExportKeyingMaterial(shared_provider, peek(&state), label, output, 64,
                                             NULL, 0, output, 40, 0);
            break;
        case 13:
            status = SslComputeEapKeyBlock(shared_provider, peek(&state), output, 64, output,
                                           sizeof(output), &len, 0);
            break;
        case 14:
            status = SslExportKey(shared_provider, peek(&state), BCRYPT_OPAQUE_KEY_BLOB, blob,
                                  sizeof(blob), &len, 0);
            break;
        case 15:
            status = SslImportKey(shared_provider, &handle, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                                  sizeof(public_blob), 0);
            break;
        case 16:
            status = SslOpenPrivateKey(shared_provider, &handle, &context, 0);
            break;
        case 17:
            status = SslGetKeyProperty(peek(&state), NCRYPT_LENGTH_PROPERTY, &value, &len, 0);
            break;
        case 18:
            status = SslEnumCipherSuites(shared_provider, peek(&state), &suite, &position, 0);
            break;
        case 19:
            status = SslIncrementProviderReferenceCount(peek(&state));
            break;
        case 20:
            OK(SslIncrementProviderReferenceCount(shared_provider));
            status = SslDecrementProviderReferenceCount(shared_provider);
            break;
        case 21:
            status = freed(SslFreeObject(peek(&state), 0));
            break;
        case 22:
            status = NCryptFreeObject(peek(&state));
            break;
        case 23:
            status = SslExtractEarlyKey(shared_provider, peek_or(shared_psk, &state), &handle,
                                        0x304, 0x1301, NULL, 0);
            break;
        case 24:
            /* With a key agreement, and without. */
            status = next(&state) % 2 == 0
                         ? SslExtractHandshakeKey(shared_provider, peek(&state), shared_share,
                                                  shared_early, &handle, NULL, 0)
                         : SslExtractHandshakeKey(shared_provider, 0, 0,
                                                  peek_or(shared_early, &state), &handle, NULL, 0);
            break;
        case 25:
            status = SslExtractMasterKey(shared_provider, peek_or(shared_handshake, &state),
                                         &handle, NULL, 0);
            break;
        case 26:
            status = SslExpandTrafficKeys(shared_provider, peek_or(shared_handshake, &state),
                                          peek_or(shared_hash, &state), &handle,
                                          next(&state) % 2 == 0 ? &second : NULL, NULL, 0);
            break;
        case 27:
            status = SslExpandWriteKey(shared_provider, peek_or(shared_traffic, &state), &handle,
                                       NULL, 0);
            break;
        case 28:
            status = SslExpandExporterMasterKey(shared_provider, peek_or(shared_master, &state),
                                                peek_or(shared_hash, &state), &handle, NULL, 0);
            break;
        case 29:
            status = SslExpandResumptionMasterKey(shared_provider, peek_or(shared_master, &state),
                                                  peek_or(shared_hash, &state), &handle, NULL, 0);
            break;
        case 30:
            status = SslExpandBinderKey(shared_provider, peek_or(shared_early, &state), &handle,
                                        NULL, 1);
            break;
        case 31:
            status = SslExpandPreSharedKey(shared_provider, peek_or(shared_resumption, &state),
                                           in(transcript), 4, &handle, NULL, 0);
            break;
        case 32:
            status = SslProviderUpdateTrafficKey(shared_provider, peek_or(shared_traffic, &state),
                                                 &handle, 0);
            break;
        case 33:
            status = SslCreateHandshakeHash(shared_provider, &handle, 0x304, 0x1301, 0);
            break;
        case 34:
            status = SslImportKey(shared_provider, &handle, TLS_13_PRE_SHARED_KEY, in(transcript),
                                  20, 0);
            break;
        }
        count(mine, operation, status);
        if (value != NULL) {
            OK(SslFreeBuffer(value));
        }
        if (suite != NULL) {
            OK(SslFreeBuffer(suite));
            OK(SslFreeBuffer(position));
        }
        if (handle != 0) {
            put(handle, &state);
        }
        if (second != 0) {
            put(second, &state);
        }
    }
    for (operation = 0; operation < COUNT(operations); operation++) {
        for (status_index = 0; status_index < STATUSES; status_index++) {
            __atomic_add_fetch(&answered[operation][status_index], mine[operation][status_index],
                               __ATOMIC_RELAXED);
        }
    }
    __atomic_sub_fetch(&racing, 1, __ATOMIC_RELEASE);
    return NULL;
}

static pthread_t threads[THREADS];

static void make_secrets_of_tls13(void)
{
    NCRYPT_PROV_HANDLE p = shared_provider;
    shared_hash = hash_of_transcript(p, 0x304, 0x1301);
    OK(SslImportKey(p, &shared_psk, TLS_13_PRE_SHARED_KEY, in(transcript), 20, 0));
    OK(SslExtractEarlyKey(p, shared_psk, &shared_early, 0x304, 0x1301, NULL, 0));
    OK(SslExtractHandshakeKey(p, 0, 0, shared_early, &shared_handshake, NULL, 0));
    OK(SslExtractMasterKey(p, shared_handshake, &shared_master, NULL, 0));
    OK(SslExpandTrafficKeys(p, shared_master, shared_hash, NULL, &shared_traffic, NULL, 0));
    OK(SslExpandResumptionMasterKey(p, shared_master, shared_hash, &shared_resumption, NULL, 0));
}

static void start_race(void)
{
    size_t each;
    calls_of_a_thread = share("SSL_PROVIDER_ABUSE_CALLS", 16000);
    shared_stored_key = import_key();
    shared_provider = open_provider();
    shared_key = open_key(shared_provider);
    OK(SslImportKey(shared_provider, &shared_share, BCRYPT_ECCPUBLIC_BLOB,
                    in(curve_keys[0].ecdh_public.data), curve_keys[0].ecdh_public.len, 0));
    make_secrets_of_tls13();
    racing = THREADS;
    started = now();
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_create(&threads[each], NULL, race, (void *)(uintptr_t)(each + 1)) == 0);
    }
}

/* Waits for the threads, frees what is left, and prints how often each status was returned. */
static void end_race(void)
{
    uint64_t calls = 0;
    double took;
    size_t each, status;
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_join(threads[each], NULL) == 0);
    }
    took = now() - started;
    for (each = 0; each < COUNT(pool); each++) {
        if (pool[each] != 0) {
            freed(SslFreeObject(pool[each], 0));
        }
    }
    for (each = 0; each < COUNT(operations); each++) {
        printf("  %-35s", operations[each].name);
        for (status = 0; status < operations[each].statuses; status++) {
            printf(" %9lu x 0x%08x", (unsigned long)answered[each][status],
                   (unsigned)operations[each].allowed[status]);
            calls += answered[each][status];
        }
        printf("\n");
    }
    CHECK(calls == calls_of_a_thread * THREADS);
    printf("%lu mixed calls of %d threads in %.1f s, %.0f a second; %lu handles made, each freed "
           "once\n",
           (unsigned long)calls, THREADS, took, (double)calls / took, (unsigned long)made);
    CHECK(made == frees);
    OK(SslFreeObject(shared_key, 0));
    OK(SslFreeObject(shared_share, 0));
    OK(SslFreeObject(shared_psk, 0));
    OK(SslFreeObject(shared_early, 0));
    OK(SslFreeObject(shared_handshake, 0));
    OK(SslFreeObject(shared_master, 0));
    OK(SslFreeObject(shared_traffic, 0));
    OK(SslFreeObject(shared_resumption, 0));
    OK(SslFreeObject(shared_hash, 0));
    OK(SslFreeObject(shared_provider, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(shared_provider, 0));
    OK(NCryptFreeObject(shared_stored_key));
}

#endif

/* Abuse: forged and stale handles, odd pointers, threads that race. */

#define _POSIX_C_SOURCE 200809L

#include "race.h"

static uint64_t values_of_a_thread;

/* Values that were never handed out, as handles of every kind and as buffers. */
static void *forge(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument << 32, each;
    PBYTE value = NULL;
    DWORD len = 0;
    for (each = 0; each < values_of_a_thread; each++) {
        ULONG_PTR forged = (ULONG_PTR)next(&state);
        EXPECT(NTE_INVALID_HANDLE,
               SslGetKeyProperty(forged, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(forged, 0));
        EXPECT(NTE_INVALID_HANDLE, NCryptFreeObject(forged));
        EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer((PVOID)(uintptr_t)forged));
    }
    return NULL;
}

static void forged_values(void)
{
    double start = now(), took;
    size_t each;
    uint64_t values;
    values_of_a_thread = share("SSL_PROVIDER_ABUSE_VALUES", 100000);
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_create(&threads[each], NULL, forge, (void *)(uintptr_t)(each + 1)) == 0);
    }
    for (each = 0; each < THREADS; each++) {
        CHECK(pthread_join(threads[each], NULL) == 0);
    }
    took = now() - start;
    values = values_of_a_thread * THREADS;
    printf("%lu forged values in %.1f s, %.0f a second; each refused as a handle of 19 kinds and "
           "as a buffer\n",
           (unsigned long)values, took, (double)values / took);
}

/* Values that were handed out once, or differ from such a one in one bit. */
static void stale_handles(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider), forged;
    PBYTE value = NULL;
    DWORD len = 0;
    long each;
    int bit;
    for (bit = 0; bit < 64; bit++) {
        forged = key ^ (NCRYPT_KEY_HANDLE)1 << bit;
        EXPECT(NTE_INVALID_HANDLE,
               SslGetKeyProperty(forged, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
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

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider);
    forged_values();
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    stale_handles();
    odd_pointers();
    start_race();
    end_race();
    return nothing_is_left();
}

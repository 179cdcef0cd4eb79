/*
 * What the C programs share: a check that says what failed and where, and set-up of objects.
 * The programs are valid as C99 and as C++17.
 */

#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sslprovider.h"

#include "data.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

/* Calls a function and compares its status. */
#define EXPECT(status, call)                                                     \
    do {                                                                         \
        SECURITY_STATUS expected_ = (status), got_ = (call);                     \
        if (got_ != expected_) {                                                 \
            fprintf(stderr, "%s:%d: %s returned 0x%08x, expected 0x%08x\n",     \
                    __FILE__, __LINE__, #call, (unsigned)got_, (unsigned)expected_); \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

#define OK(call) EXPECT(ERROR_SUCCESS, call)

/* Inputs are PBYTE in the interface, and are not written to. */
static inline PBYTE in(const unsigned char *bytes)
{
    return (PBYTE)(uintptr_t)bytes;
}

static inline int is_text(const WCHAR *text, const char *expected)
{
    while (*expected != 0 && *text == (WCHAR)*expected) {
        text++;
        expected++;
    }
    return *expected == 0 && *text == 0;
}

/* How every program ends: what it was given it has freed. */
static inline int nothing_is_left(void)
{
    DWORD handles = 1, buffers = 1;
    OK(SslProviderCountLive(&handles, &buffers));
    if (handles != 0 || buffers != 0) {
        fprintf(stderr, "%u handles and %u buffers are left\n", (unsigned)handles,
                (unsigned)buffers);
        return 1;
    }
    return 0;
}

/* Opens the default provider, or the one at the index that SSL_PROVIDER_TEST_INDEX says, with a
 * policy or without. */
static inline SECURITY_STATUS open_with(NCRYPT_PROV_HANDLE *provider,
                                        const SSL_PROVIDER_POLICY *policy)
{
    const char *wanted = getenv("SSL_PROVIDER_TEST_INDEX");
    NCryptProviderName *names = NULL;
    LPCWSTR name = NULL;
    DWORD count = 0;
    SECURITY_STATUS status;
    if (wanted != NULL) {
        OK(SslEnumProtocolProviders(&count, &names, 0));
        CHECK((DWORD)atoi(wanted) < count);
        name = names[atoi(wanted)].pszName;
    }
    status = policy == NULL ? SslOpenProvider(provider, name, 0)
                            : SslProviderOpenWithPolicy(provider, name, policy, 0);
    if (names != NULL) {
        OK(SslFreeBuffer(names));
    }
    CHECK((*provider != 0) == (status == ERROR_SUCCESS));
    return status;
}

/* Opens a provider whose imports run in batches. */
static inline SECURITY_STATUS open_batches(NCRYPT_PROV_HANDLE *provider, DWORD wait)
{
    SSL_PROVIDER_POLICY policy;
    memset(&policy, 0, sizeof(policy));
    policy.cbSize = sizeof(policy);
    policy.dwBatchWaitMicroseconds = wait;
    return open_with(provider, &policy);
}

static inline NCRYPT_PROV_HANDLE open_provider(void)
{
    NCRYPT_PROV_HANDLE provider = 0;
    OK(open_with(&provider, NULL));
    return provider;
}

/* Imports the test key and returns its handle in key storage. */
static inline NCRYPT_KEY_HANDLE import_key(void)
{
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE key = 0;
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, in(private_blob),
                       (DWORD)sizeof(private_blob), 0));
    OK(NCryptFreeObject(storage));
    return key;
}

/* A hash as NCRYPT_SSL_SIGN_INCLUDE_HASHOID takes it: its name, NUL, and the digest. Returns the
 * length, of 78 bytes at most for the hashes of data.h. */
static inline DWORD name_hash(unsigned char *to, const char *name, const unsigned char *hash,
                              DWORD len)
{
    DWORD at = 0;
    do {
        WCHAR unit = (WCHAR)*name;
        memcpy(to + at, &unit, sizeof(unit));
        at += (DWORD)sizeof(unit);
    } while (*name++ != 0);
    memcpy(to + at, hash, len);
    return at + len;
}

static inline CERT_CONTEXT context_of(const unsigned char *encoded, size_t len)
{
    CERT_CONTEXT context;
    memset(&context, 0, sizeof(context));
    context.dwCertEncodingType = X509_ASN_ENCODING;
    context.pbCertEncoded = in(encoded);
    context.cbCertEncoded = (DWORD)len;
    return context;
}

/* Opens the test key by its certificate. */
static inline NCRYPT_KEY_HANDLE open_key(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_KEY_HANDLE stored = import_key(), key = 0;
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    OK(SslOpenPrivateKey(provider, &key, &context, 0));
    OK(NCryptFreeObject(stored));
    return key;
}

static inline void set_buffer(NCryptBuffer *buffer, DWORD type, const void *data, size_t len)
{
    buffer->cbBuffer = (ULONG)len;
    buffer->BufferType = type;
    buffer->pvBuffer = (PVOID)(uintptr_t)data;
}

/* The client's and the server's random of data.h, in two entries. */
static inline void set_randoms(NCryptBuffer *buffers)
{
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_CLIENT_RANDOM, client_random, 32);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, server_random, 32);
}

static inline NCryptBufferDesc list_of(NCryptBuffer *buffers, size_t count)
{
    NCryptBufferDesc list;
    list.ulVersion = NCRYPTBUFFER_VERSION;
    list.cBuffers = (ULONG)count;
    list.pBuffers = buffers;
    return list;
}

/* Imports the master key of an exchange of data.h. */
static inline NCRYPT_KEY_HANDLE import_master_key(NCRYPT_PROV_HANDLE provider,
                                                  NCRYPT_KEY_HANDLE private_key,
                                                  const struct exchange *exchange)
{
    NCRYPT_KEY_HANDLE key = 0;
    DWORD version = exchange->protocol;
    NCryptBuffer buffers[3];
    NCryptBufferDesc list;
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &version, sizeof(version));
    if (exchange->extended) {
        set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, exchange->hash, exchange->hash_len);
        list = list_of(buffers, 2);
    } else {
        set_randoms(buffers + 1);
        list = list_of(buffers, 3);
    }
    OK(SslImportMasterKey(provider, private_key, &key, exchange->protocol, exchange->suite, &list,
                          in(exchange->encrypted), 256, NCRYPT_SSL_SERVER_FLAG));
    CHECK(key != 0);
    return key;
}

static inline NCRYPT_HASH_HANDLE hash_of_transcript(NCRYPT_PROV_HANDLE provider, DWORD protocol,
                                                    DWORD suite)
{
    NCRYPT_HASH_HANDLE hash = 0;
    OK(SslCreateHandshakeHash(provider, &hash, protocol, suite, 0));
    OK(SslHashHandshake(provider, hash, in(transcript), (DWORD)sizeof(transcript), 0));
    return hash;
}

#endif

/* Providers with a policy: what zeros forbid, what each field allows, and older structures. */

#include "test.h"

static SSL_PROVIDER_POLICY strictest(void)
{
    SSL_PROVIDER_POLICY policy;
    memset(&policy, 0, sizeof(policy));
    policy.cbSize = sizeof(policy);
    return policy;
}

static NCRYPT_PROV_HANDLE open_policy(SSL_PROVIDER_POLICY policy)
{
    NCRYPT_PROV_HANDLE provider = 0;
    OK(open_with(&provider, &policy));
    return provider;
}

/* Whether SSL 3.0 is listed; every suite shows the shortest key. */
static int lists_ssl3(NCRYPT_PROV_HANDLE provider, DWORD min_key_bits)
{
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
    PVOID state = NULL;
    int found = 0, count = 0;
    while (SslEnumCipherSuites(provider, 0, &suite, &state, 0) == ERROR_SUCCESS) {
        found = found || suite->dwProtocol == SSL3_PROTOCOL_VERSION;
        CHECK(suite->dwMinExchangeLen == min_key_bits || is_text(suite->szExchange, "ECDH") ||
              is_text(suite->szExchange, "PSK") || suite->dwProtocol == TLS1_3_PROTOCOL_VERSION);
        OK(SslFreeBuffer(suite));
        count++;
    }
    CHECK(count > 0);
    OK(SslFreeBuffer(state));
    return found;
}

struct keys {
    NCRYPT_KEY_HANDLE private_key, master, read, write;
};

/* The keys of the first exchange, whose records SSL 3.0 protects with the same ciphers. */
static struct keys keys_of(NCRYPT_PROV_HANDLE provider, DWORD protocol)
{
    DWORD offered = TLS1_0_PROTOCOL_VERSION;
    struct keys keys;
    NCryptBuffer buffers[3];
    NCryptBufferDesc list = list_of(buffers, 3);
    memset(&keys, 0, sizeof(keys));
    set_randoms(buffers);
    set_buffer(&buffers[2], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &offered, sizeof(offered));
    keys.private_key = open_key(provider);
    OK(SslImportMasterKey(provider, keys.private_key, &keys.master, protocol,
                          TLS_RSA_WITH_AES_128_CBC_SHA, &list, in(exchanges[0].encrypted), 256,
                          NCRYPT_SSL_SERVER_FLAG));
    OK(SslGenerateSessionKeys(provider, keys.master, &keys.read, &keys.write, &list, 0));
    return keys;
}

static void free_keys(struct keys keys)
{
    OK(SslFreeObject(keys.read, 0));
    OK(SslFreeObject(keys.write, 0));
    OK(SslFreeObject(keys.master, 0));
    OK(SslFreeObject(keys.private_key, 0));
}

static SECURITY_STATUS create_ssl3_hash(NCRYPT_PROV_HANDLE provider, NCRYPT_HASH_HANDLE *hash)
{
    return SslCreateHandshakeHash(provider, hash, SSL3_PROTOCOL_VERSION,
                                  TLS_RSA_WITH_AES_128_CBC_SHA, 0);
}

static SECURITY_STATUS export_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    DWORD len = 0;
    return SslExportKey(provider, key, BCRYPT_OPAQUE_KEY_BLOB, NULL, 0, &len, 0);
}

static SECURITY_STATUS secret_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key,
                                 unsigned char secret[48])
{
    DWORD len = 77;
    SECURITY_STATUS status = SslProviderGetMasterSecret(provider, key, secret, 48, &len, 0);
    CHECK(len == (status == ERROR_SUCCESS ? 48 : 77));
    return status;
}

/* Nothing is allowed, also not to objects of the provider through another handle of its backend. */
static void zeros(void)
{
    NCRYPT_PROV_HANDLE provider = open_policy(strictest()), usual = open_provider();
    struct keys keys = keys_of(provider, TLS1_0_PROTOCOL_VERSION);
    struct keys usual_keys = keys_of(usual, TLS1_0_PROTOCOL_VERSION);
    NCRYPT_HASH_HANDLE hash = 77;
    unsigned char secret[48];
    EXPECT(NTE_PERM, secret_of(provider, keys.master, secret));
    EXPECT(NTE_PERM, secret_of(usual, keys.master, secret));
    EXPECT(NTE_PERM, secret_of(usual, usual_keys.master, secret));
    EXPECT(NTE_INVALID_PARAMETER, create_ssl3_hash(provider, &hash));
    CHECK(hash == 0 && !lists_ssl3(provider, 2048) && !lists_ssl3(usual, 1024));
    EXPECT(NTE_PERM, export_of(provider, keys.read));
    EXPECT(NTE_PERM, export_of(usual, keys.read));
    OK(export_of(usual, usual_keys.read));
    free_keys(keys);
    free_keys(usual_keys);
    OK(SslFreeObject(provider, 0));
    OK(SslFreeObject(usual, 0));
}

/* A connection in SSL 3.0: Finished, and a record that the same keys decrypt again. */
static void ssl3(void)
{
    static const char text[] = "content";
    SSL_PROVIDER_POLICY policy = strictest();
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_HASH_HANDLE hash = 0;
    struct keys writer, reader;
    unsigned char record[100], content[100], client[36], server[36];
    DWORD len = 0;
    policy.fAllowSsl3 = 1;
    provider = open_policy(policy);
    CHECK(lists_ssl3(provider, 2048));
    writer = keys_of(provider, SSL3_PROTOCOL_VERSION);
    reader = keys_of(provider, SSL3_PROTOCOL_VERSION);
    OK(create_ssl3_hash(provider, &hash));
    OK(SslHashHandshake(provider, hash, in(transcript), (DWORD)sizeof(transcript), 0));
    OK(SslComputeFinishedHash(provider, writer.master, hash, client, 36, NCRYPT_SSL_CLIENT_FLAG));
    OK(SslComputeFinishedHash(provider, reader.master, hash, server, 36, NCRYPT_SSL_SERVER_FLAG));
    CHECK(memcmp(client, server, 36) != 0);
    OK(SslComputeFinishedHash(provider, reader.master, hash, server, 36, NCRYPT_SSL_CLIENT_FLAG));
    CHECK(memcmp(client, server, 36) == 0);
    OK(SslEncryptPacket(provider, writer.write, in((const unsigned char *)text), sizeof(text),
                        record, sizeof(record), &len, 0, CT_APPLICATIONDATA, 0));
    CHECK(record[1] == 3 && record[2] == 0);
    OK(SslDecryptPacket(provider, reader.write, record, len, content, sizeof(content), &len, 0, 0));
    CHECK(len == sizeof(text) && memcmp(content, text, len) == 0);
    EXPECT(NTE_PERM, export_of(provider, writer.write));
    free_keys(writer);
    free_keys(reader);
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(provider, 0));
}

static void key_export(void)
{
    SSL_PROVIDER_POLICY policy = strictest();
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_HASH_HANDLE hash = 0;
    struct keys keys;
    policy.fAllowKeyExport = -1;
    provider = open_policy(policy);
    keys = keys_of(provider, TLS1_0_PROTOCOL_VERSION);
    OK(export_of(provider, keys.read));
    EXPECT(NTE_INVALID_PARAMETER, create_ssl3_hash(provider, &hash));
    free_keys(keys);
    OK(SslFreeObject(provider, 0));
}

/* The secret is that of the other side, which make_data.py computes. */
static void key_log(void)
{
    SSL_PROVIDER_POLICY policy = strictest();
    NCRYPT_PROV_HANDLE provider;
    struct keys keys;
    unsigned char secret[49], again[48];
    DWORD len = 0;
    policy.fAllowKeyLog = 1;
    provider = open_policy(policy);
    keys = keys_of(provider, TLS1_0_PROTOCOL_VERSION);
    memset(secret, 0xa5, sizeof(secret));
    OK(SslProviderGetMasterSecret(provider, keys.master, NULL, 0, &len, 0));
    CHECK(len == 48);
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslProviderGetMasterSecret(provider, keys.master, secret, 47, &len, 0));
    CHECK(len == 48 && secret[0] == 0xa5);
    OK(secret_of(provider, keys.master, secret));
    CHECK(secret[48] == 0xa5);
    OK(secret_of(provider, keys.master, again));
    CHECK(memcmp(secret, again, 48) == 0);
    CHECK(memcmp(secret, master_secret_0301, 48) == 0);
    EXPECT(NTE_INVALID_HANDLE,
           SslProviderGetMasterSecret(provider, keys.read, secret, 48, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslProviderGetMasterSecret(0, keys.master, secret, 48, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslProviderGetMasterSecret(provider, keys.master, secret, 48, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslProviderGetMasterSecret(provider, keys.master, secret, 48, &len, 1));
    EXPECT(NTE_PERM, export_of(provider, keys.read));
    free_keys(keys);
    OK(SslFreeObject(provider, 0));
}

/* The test key has 2048 bits. It is refused also where another handle has opened it. */
static void key_lengths(void)
{
    static const DWORD known[] = {0, 1024, 2048, 2049, 8192};
    static const DWORD unknown[] = {1, 128, 1023, 8193, 0xffffffffu};
    NCRYPT_PROV_HANDLE usual = open_provider();
    NCRYPT_KEY_HANDLE stored = import_key(), opened = open_key(usual);
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    SSL_PROVIDER_POLICY policy = strictest();
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD each;
    set_randoms(buffers);
    for (each = 0; each < COUNT(known); each++) {
        SECURITY_STATUS status = known[each] <= 2048 ? ERROR_SUCCESS : NTE_PERM;
        NCRYPT_PROV_HANDLE provider;
        NCRYPT_KEY_HANDLE key = 77, master = 77;
        policy.dwMinKeyBits = known[each];
        provider = open_policy(policy);
        EXPECT(status, SslOpenPrivateKey(provider, &key, &context, 0));
        EXPECT(status, SslImportMasterKey(provider, opened, &master, TLS1_0_PROTOCOL_VERSION,
                                          TLS_RSA_WITH_AES_128_CBC_SHA, &list,
                                          in(exchanges[0].encrypted), 256, NCRYPT_SSL_SERVER_FLAG));
        CHECK((key != 0) == (status == ERROR_SUCCESS));
        CHECK((master != 0) == (status == ERROR_SUCCESS));
        if (status == ERROR_SUCCESS) {
            OK(SslFreeObject(key, 0));
            OK(SslFreeObject(master, 0));
        }
        OK(SslFreeObject(provider, 0));
    }
    for (each = 0; each < COUNT(unknown); each++) {
        NCRYPT_PROV_HANDLE none = 77;
        policy.dwMinKeyBits = unknown[each];
        EXPECT(NTE_INVALID_PARAMETER, open_with(&none, &policy));
    }
    OK(SslFreeObject(opened, 0));
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(usual, 0));
}

/* A caller of an older header has fewer fields, in as much memory; those that it lacks are 0. */
static void sizes(void)
{
    SSL_PROVIDER_POLICY policy = strictest();
    DWORD len;
    policy.fAllowSsl3 = 1;
    for (len = 0; len <= sizeof(policy) + 8; len++) {
        NCRYPT_PROV_HANDLE provider = 77;
        void *memory = malloc(len < 4 ? 4 : len);
        CHECK(memory != NULL);
        memset(memory, 0, len < 4 ? 4 : len);
        policy.cbSize = len;
        memcpy(memory, &policy, len < 4 ? 4 : len < sizeof(policy) ? len : sizeof(policy));
        if (len == 0 || len > sizeof(policy) || len % 4 != 0) {
            EXPECT(NTE_INVALID_PARAMETER,
                   open_with(&provider, (const SSL_PROVIDER_POLICY *)memory));
        } else {
            OK(open_with(&provider, (const SSL_PROVIDER_POLICY *)memory));
            CHECK(lists_ssl3(provider, 2048)
                  == (len > offsetof(SSL_PROVIDER_POLICY, fAllowSsl3)));
            OK(SslFreeObject(provider, 0));
        }
        free(memory);
    }
}

static void refusals(void)
{
    SSL_PROVIDER_POLICY policy = strictest();
    NCRYPT_PROV_HANDLE none = 77;
    DWORD flag;
    EXPECT(NTE_INVALID_PARAMETER, SslProviderOpenWithPolicy(NULL, NULL, &policy, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslProviderOpenWithPolicy(&none, NULL, NULL, 0));
    CHECK(none == 0);
    for (flag = 1; flag != 0; flag <<= 1) {
        EXPECT(NTE_BAD_FLAGS, SslProviderOpenWithPolicy(&none, NULL, &policy, flag));
    }
    /* Flags are checked before what the policy says. */
    policy.cbSize = 0;
    EXPECT(NTE_BAD_FLAGS, SslProviderOpenWithPolicy(&none, NULL, &policy, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslProviderOpenWithPolicy(&none, NULL, &policy, 0));
    policy.cbSize = sizeof(policy);
    EXPECT(NTE_PROV_DLL_NOT_FOUND,
           SslProviderOpenWithPolicy(&none, BCRYPT_RSA_ALGORITHM, &policy, 0));
}

int main(void)
{
    zeros();
    ssl3();
    key_export();
    key_log();
    key_lengths();
    sizes();
    refusals();
    return nothing_is_left();
}

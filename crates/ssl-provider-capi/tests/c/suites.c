/* Cipher suites: enumeration, facts, record lengths, PRF hash. */

#include "test.h"

/* A server that takes this suite can go on to records. */
static void is_usable(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, DWORD protocol,
                      DWORD suite)
{
    NCRYPT_KEY_HANDLE master = 0, read = 0, write = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_randoms(buffers);
    OK(SslImportMasterKey(provider, key, &master, protocol, suite, &list,
                          in(exchanges[0].encrypted), 256, NCRYPT_SSL_SERVER_FLAG));
    OK(SslGenerateSessionKeys(provider, master, &read, &write, &list, 0));
    OK(SslFreeObject(read, 0));
    OK(SslFreeObject(write, 0));
    OK(SslFreeObject(master, 0));
}

/* Returns how many suites of versions before TLS 1.3 are listed; with a key, those for its kind of
 * certificate. Those of TLS 1.3, which are for every kind, stand before all others. */
static int enumerate(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key,
                     const char *certificate_kind)
{
    PVOID state = NULL;
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
    SECURITY_STATUS status;
    int count = 0, of_tls13 = 0, seen = 0, rc4 = 0, ecdhe = 0, dhe = 0, is_rsa;
    while ((status = SslEnumCipherSuites(provider, key, &suite, &state, 0)) == 0) {
        NCRYPT_SSL_CIPHER_SUITE info;
        OK(SslLookupCipherSuiteInfo(provider, suite->dwProtocol, suite->dwCipherSuite, 0, &info,
                                    0));
        CHECK(memcmp(&info, suite, sizeof(info)) == 0);
        if (suite->dwProtocol == TLS1_3_PROTOCOL_VERSION) {
            CHECK(count == 0 && suite->szExchange[0] == 0 && suite->szCertificate[0] == 0);
            OK(SslFreeBuffer(suite));
            of_tls13++;
            continue;
        }
        ecdhe += is_text(suite->szExchange, "ECDH");
        dhe += is_text(suite->szExchange, "DH");
        /* What a key is for: its certificate says it. */
        CHECK(key == 0 || is_text(suite->szCertificate, certificate_kind));
        if (suite->dwProtocol == TLS1_2_PROTOCOL_VERSION &&
            suite->dwCipherSuite == TLS_RSA_WITH_AES_128_GCM_SHA256) {
            seen++;
        }
        if (key != 0 && is_text(suite->szExchange, "RSA")) {
            is_usable(provider, key, suite->dwProtocol, suite->dwCipherSuite);
        }
        /* Best first: no AES comes after RC4, which is as long as the shorter of them. */
        rc4 |= is_text(suite->szCipher, "RC4");
        CHECK(!(rc4 && is_text(suite->szCipher, "AES")));
        OK(SslFreeBuffer(suite));
        count++;
    }
    CHECK(status == NTE_NO_MORE_ITEMS && suite == NULL && state != NULL);
    EXPECT(NTE_NO_MORE_ITEMS, SslEnumCipherSuites(provider, key, &suite, &state, 0));
    is_rsa = certificate_kind == NULL || strcmp(certificate_kind, "RSA") == 0;
    CHECK(seen == is_rsa && ecdhe > 0 && (dhe > 0) == is_rsa && of_tls13 >= 2);
    OK(SslFreeBuffer(state));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumCipherSuites(provider, key, &suite, &state, 0));
    return count;
}

/* The test key on P-256, imported for ECDSA or for ECDH. */
static NCRYPT_KEY_HANDLE open_key_on_curve(NCRYPT_PROV_HANDLE provider, int for_ecdsa)
{
    const struct curve_key *key = &curve_keys[0];
    const struct bytes *blob = for_ecdsa ? &key->ecdsa_private : &key->ecdh_private;
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE stored = 0, opened = 0;
    CERT_CONTEXT context = context_of(key->certificate.data, key->certificate.len);
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL, &stored, in(blob->data), blob->len,
                       0));
    OK(SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptFreeObject(stored));
    OK(NCryptFreeObject(storage));
    return opened;
}

static void enumeration(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_KEY_HANDLE key = open_key(provider);
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
    NCRYPT_SSL_CIPHER_SUITE_EX *extended = NULL;
    PVOID state = NULL, foreign = &state;
    NCRYPT_KEY_HANDLE of_curve = open_key_on_curve(provider, 1), for_ecdh;
    int all = enumerate(provider, 0, NULL), of_rsa = enumerate(provider, key, "RSA");
    int of_ecdsa = enumerate(provider, of_curve, "ECDSA");
    /* The rest is of PSK. */
    CHECK(of_rsa > of_ecdsa && all > of_rsa + of_ecdsa);
    for_ecdh = open_key_on_curve(provider, 0);
    EXPECT(NTE_NO_MORE_ITEMS, SslEnumCipherSuites(provider, for_ecdh, &suite, &state, 0));
    CHECK(suite == NULL && state == NULL);
    OK(SslFreeObject(for_ecdh, 0));
    OK(SslFreeObject(of_curve, 0));
    OK(SslEnumCipherSuitesEx(provider, 0, &extended, &state, 0));
    CHECK(extended->dwVersion == NCRYPT_SSL_CIPHER_SUITE_EX_VERSION);
    CHECK(is_text(extended->szCipherMode, "ChainingModeGCM"));
    CHECK(extended->dwProtocol == TLS1_3_PROTOCOL_VERSION);
    CHECK(extended->dwCipherSuite == TLS_AES_256_GCM_SHA384 && extended->dwCipherLen == 256);
    CHECK(extended->szExchange[0] == 0 && extended->szCertificate[0] == 0);
    CHECK(extended->dwHashLen == 0 && extended->szHash[0] == 0);
    OK(SslFreeBuffer(extended));
    /* A state belongs to the function that made it. */
    EXPECT(NTE_INVALID_PARAMETER, SslEnumCipherSuites(provider, 0, &suite, &state, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumCipherSuites(provider, 0, &suite, &foreign, 0));
    OK(SslFreeBuffer(state));
    state = NULL;
    EXPECT(NTE_INVALID_PARAMETER, SslEnumCipherSuites(provider, 0, NULL, &state, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumCipherSuites(provider, 0, &suite, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslEnumCipherSuites(provider, 0, &suite, &state, 1));
    EXPECT(NTE_INVALID_HANDLE, SslEnumCipherSuites(key, 0, &suite, &state, 0));
    EXPECT(NTE_INVALID_HANDLE, SslEnumCipherSuites(provider, provider, &suite, &state, 0));
    CHECK(state == NULL && suite == NULL);
    OK(SslFreeObject(key, 0));
}

static void facts(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_SSL_CIPHER_SUITE info;
    OK(SslLookupCipherSuiteInfo(provider, TLS1_0_PROTOCOL_VERSION, TLS_RSA_WITH_AES_128_CBC_SHA, 0,
                                &info, 0));
    CHECK(info.dwProtocol == 0x0301 && info.dwCipherSuite == 0x2f &&
          info.dwBaseCipherSuite == 0x2f);
    CHECK(is_text(info.szCipherSuite, "TLS_RSA_WITH_AES_128_CBC_SHA"));
    CHECK(is_text(info.szCipher, "AES") && info.dwCipherLen == 128 && info.dwCipherBlockLen == 16);
    CHECK(is_text(info.szHash, "SHA1") && info.dwHashLen == 160 && info.dwKeyType == 0);
    OK(SslLookupCipherSuiteInfo(provider, TLS1_2_PROTOCOL_VERSION,
                                TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECC_P256_CURVE_KEY_TYPE,
                                &info, 0));
    CHECK(is_text(info.szExchange, "ECDH") && info.dwKeyType == TLS_ECC_P256_CURVE_KEY_TYPE);
    /* X25519, which has no name in the headers. */
    OK(SslLookupCipherSuiteInfo(provider, 0x0303, 0xc02f, 29, &info, 0));
    CHECK(info.dwKeyType == 29);
    OK(SslLookupCipherSuiteInfo(provider, 0x0303, 0xc02f, 22, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0xc02f, 21, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0xc02f, 30, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0x2f, 29, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0xffff, 0, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0999, 0x2f, 0, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0x2f, 23, &info, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslLookupCipherSuiteInfo(provider, 0x0303, 0x2f, 0, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslLookupCipherSuiteInfo(provider, 0x0303, 0x2f, 0, &info, 4));
    EXPECT(NTE_INVALID_HANDLE, SslLookupCipherSuiteInfo(0, 0x0303, 0x2f, 0, &info, 0));
}

static void lengths(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_SSL_CIPHER_LENGTHS lengths;
    OK(SslLookupCipherLengths(provider, 0x0302, 0x2f, 0, &lengths, sizeof(lengths), 0));
    CHECK(lengths.cbLength == 20 && lengths.dwHeaderLen == 21 && lengths.dwFixedTrailerLen == 20);
    CHECK(lengths.dwMaxVariableTrailerLen == 16);
    CHECK(lengths.dwFlags == NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING);
    OK(SslLookupCipherLengths(provider, 0x0303, 0x9c, 0, &lengths, sizeof(lengths) + 9, 0));
    CHECK(lengths.dwHeaderLen == 13 && lengths.dwFixedTrailerLen == 16 && lengths.dwFlags == 0);
    OK(SslLookupCipherLengths(provider, 0x0303, 0xc02f, 29, &lengths, sizeof(lengths), 0));
    CHECK(lengths.dwHeaderLen == 13 && lengths.dwFixedTrailerLen == 16 && lengths.dwFlags == 0);
    /* The tag, and the content type that is encrypted. */
    OK(SslLookupCipherLengths(provider, 0x0304, 0x1301, 0, &lengths, sizeof(lengths), 0));
    CHECK(lengths.dwHeaderLen == 5 && lengths.dwFixedTrailerLen == 17 && lengths.dwFlags == 0);
    CHECK(lengths.dwMaxVariableTrailerLen == 0);
    OK(SslLookupCipherLengths(provider, 0x0304, 0x1305, 0, &lengths, sizeof(lengths), 0));
    CHECK(lengths.dwHeaderLen == 5 && lengths.dwFixedTrailerLen == 9);
    EXPECT(NTE_INVALID_PARAMETER,
           SslLookupCipherLengths(provider, 0x0303, 0x1301, 0, &lengths, sizeof(lengths), 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslLookupCipherLengths(provider, 0x0303, 0x9c, 0, &lengths, sizeof(lengths) - 1, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslLookupCipherLengths(provider, 0x0303, 0x9c, 0, NULL, sizeof(lengths), 0));
    EXPECT(NTE_BAD_FLAGS,
           SslLookupCipherLengths(provider, 0x0303, 0x9c, 0, &lengths, sizeof(lengths), 1));
}

static void prf_hash(NCRYPT_PROV_HANDLE provider)
{
    WCHAR name[NCRYPT_SSL_MAX_NAME_SIZE];
    OK(SslGetCipherSuitePRFHashAlgorithm(provider, 0x0303, 0x2f, 0, name, 0));
    CHECK(is_text(name, "SHA256"));
    OK(SslGetCipherSuitePRFHashAlgorithm(provider, 0x0303, 0x9d, 0, name, 0));
    CHECK(is_text(name, "SHA384"));
    OK(SslGetCipherSuitePRFHashAlgorithm(provider, 0x0304, 0x1302, 0, name, 0));
    CHECK(is_text(name, "SHA384"));
    OK(SslGetCipherSuitePRFHashAlgorithm(provider, 0x0304, 0x1303, 0, name, 0));
    CHECK(is_text(name, "SHA256"));
    EXPECT(NTE_NOT_SUPPORTED,
           SslGetCipherSuitePRFHashAlgorithm(provider, 0x0301, 0x2f, 0, name, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslGetCipherSuitePRFHashAlgorithm(provider, 0x0303, 0x2f, 0, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslGetCipherSuitePRFHashAlgorithm(provider, 0x0303, 0x2f, 0, name, 1));
}

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    enumeration(provider);
    facts(provider);
    lengths(provider);
    prf_hash(provider);
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

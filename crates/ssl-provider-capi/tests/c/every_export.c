/*
 * All 47 functions of the interface do what they are for: each is called once with arguments for
 * which it succeeds, so that none of them is a stub. SslChangeNotify always returns
 * NTE_NOT_SUPPORTED, as it is documented to.
 */

#include "test.h"

static const char *const functions[] = {
    "GetSChannelInterface",
    "SslChangeNotify",
    "SslComputeClientAuthHash",
    "SslComputeEapKeyBlock",
    "SslComputeFinishedHash",
    "SslComputeSessionHash",
    "SslCreateClientAuthHash",
    "SslCreateEphemeralKey",
    "SslCreateHandshakeHash",
    "SslDecrementProviderReferenceCount",
    "SslDecryptPacket",
    "SslDuplicateTranscriptHash",
    "SslEncryptPacket",
    "SslEnumCipherSuites",
    "SslEnumCipherSuitesEx",
    "SslEnumEccCurves",
    "SslEnumProtocolProviders",
    "SslExpandBinderKey",
    "SslExpandExporterMasterKey",
    "SslExpandPreSharedKey",
    "SslExpandResumptionMasterKey",
    "SslExpandTrafficKeys",
    "SslExpandWriteKey",
    "SslExportKey",
    "SslExportKeyingMaterial",
    "SslExtractEarlyKey",
    "SslExtractHandshakeKey",
    "SslExtractMasterKey",
    "SslFreeBuffer",
    "SslFreeObject",
    "SslGenerateMasterKey",
    "SslGeneratePreMasterKey",
    "SslGenerateSessionKeys",
    "SslGetCipherSuitePRFHashAlgorithm",
    "SslGetKeyProperty",
    "SslGetProviderProperty",
    "SslHashHandshake",
    "SslImportKey",
    "SslImportMasterKey",
    "SslIncrementProviderReferenceCount",
    "SslInitializeInterface",
    "SslLookupCipherLengths",
    "SslLookupCipherSuiteInfo",
    "SslOpenPrivateKey",
    "SslOpenProvider",
    "SslSignHash",
    "SslVerifySignature",
};

static int called[COUNT(functions)];

static void count(const char *name)
{
    size_t each;
    for (each = 0; each < COUNT(functions); each++) {
        if (strcmp(functions[each], name) == 0) {
            called[each]++;
            return;
        }
    }
    CHECK(!"a function of the interface");
}

#define CALL(function, arguments)                                                \
    do {                                                                         \
        OK(function arguments);                                                  \
        count(#function);                                                        \
    } while (0)

static NCRYPT_PROV_HANDLE provider;
static unsigned char memory[1024], opened[1024];
static DWORD len;

static void release(NCRYPT_HANDLE handle)
{
    CHECK(handle != 0);
    CALL(SslFreeObject, (handle, 0));
}

static void providers(void)
{
    NCRYPT_SSL_FUNCTION_TABLE *table = NULL, copy;
    NCryptProviderName *names = NULL;
    PBYTE value = NULL;
    DWORD number = 0;
    CALL(GetSChannelInterface, (NULL, &table, 0));
    CALL(SslInitializeInterface, (NULL, &copy, 0));
    CHECK(memcmp(table, &copy, sizeof(copy)) == 0 && copy.Version.MajorVersion == 5);
    CALL(SslEnumProtocolProviders, (&number, &names, 0));
    CHECK(number > 0);
    CALL(SslFreeBuffer, (names));
    CALL(SslOpenProvider, (&provider, NULL, 0));
    CALL(SslIncrementProviderReferenceCount, (provider));
    CALL(SslDecrementProviderReferenceCount, (provider));
    CALL(SslGetProviderProperty, (provider, NCRYPT_NAME_PROPERTY, &value, &len, NULL, 0));
    CALL(SslFreeBuffer, (value));
    EXPECT(NTE_NOT_SUPPORTED, SslChangeNotify(NULL, 0));
    count("SslChangeNotify");
}

static void suites(void)
{
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL, info;
    NCRYPT_SSL_CIPHER_SUITE_EX *extended = NULL;
    NCRYPT_SSL_CIPHER_LENGTHS lengths;
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    WCHAR name[NCRYPT_SSL_MAX_NAME_SIZE];
    PVOID state = NULL;
    DWORD number = 0;
    CALL(SslEnumCipherSuites, (provider, 0, &suite, &state, 0));
    CALL(SslFreeBuffer, (suite));
    CALL(SslFreeBuffer, (state));
    state = NULL;
    CALL(SslEnumCipherSuitesEx, (provider, 0, &extended, &state, 0));
    CALL(SslFreeBuffer, (extended));
    CALL(SslFreeBuffer, (state));
    CALL(SslEnumEccCurves, (provider, &number, &curves, 0));
    CHECK(number >= 4);
    CALL(SslFreeBuffer, (curves));
    CALL(SslLookupCipherSuiteInfo, (provider, 0x304, 0x1301, 0, &info, 0));
    CALL(SslLookupCipherLengths, (provider, 0x304, 0x1301, 0, &lengths, sizeof(lengths), 0));
    CALL(SslGetCipherSuitePRFHashAlgorithm, (provider, 0x304, 0x1301, 0, name, 0));
}

/* A server and a client of TLS 1.2 with RSA. */
static void tls12(void)
{
    NCRYPT_KEY_HANDLE stored = import_key(), key = 0, master = 0, read = 0, write = 0, rsa = 0;
    NCRYPT_KEY_HANDLE premaster = 0;
    NCRYPT_HASH_HANDLE hash = 0, signed_hash = 0;
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    unsigned char randoms[64];
    char label[] = "EXPERIMENTAL";
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    PBYTE value = NULL;
    set_randoms(buffers);
    memcpy(randoms, client_random, 32);
    memcpy(randoms + 32, server_random, 32);
    CALL(SslOpenPrivateKey, (provider, &key, &context, 0));
    OK(NCryptFreeObject(stored));
    CALL(SslGetKeyProperty, (key, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
    CALL(SslFreeBuffer, (value));
    CALL(SslSignHash, (provider, key, in(signatures[2].hash), 32, memory, sizeof(memory), &len, 0));
    CALL(SslImportKey, (provider, &rsa, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                        sizeof(public_blob), 0));
    CALL(SslVerifySignature, (provider, rsa, in(signatures[2].hash), 32, memory, len, 0));
    CALL(SslExportKey, (provider, rsa, BCRYPT_RSAPUBLIC_BLOB, memory, sizeof(memory), &len, 0));
    CALL(SslGeneratePreMasterKey, (provider, rsa, &premaster, 0x303, 0x9c, &list, memory,
                                   sizeof(memory), &len, 0));
    CALL(SslGenerateMasterKey, (provider, premaster, 0, &master, 0x303, 0x9c, &list, NULL, 0, NULL,
                                NCRYPT_SSL_CLIENT_FLAG));
    release(premaster);
    release(master);
    release(rsa);
    CALL(SslImportMasterKey, (provider, key, &master, 0x303, 0x9c, &list, in(encrypted_0303), 256,
                              NCRYPT_SSL_SERVER_FLAG));
    CALL(SslCreateHandshakeHash, (provider, &hash, 0x303, 0x9c, 0));
    CALL(SslHashHandshake, (provider, hash, in(transcript), sizeof(transcript), 0));
    CALL(SslComputeSessionHash, (provider, hash, 0x303, memory, sizeof(memory), &len, 0));
    CALL(SslComputeFinishedHash, (provider, master, hash, memory, 12, NCRYPT_SSL_CLIENT_FLAG));
    CALL(SslCreateClientAuthHash, (provider, &signed_hash, 0x303, 0x9c, BCRYPT_SHA256_ALGORITHM,
                                   0));
    CALL(SslComputeClientAuthHash, (provider, master, signed_hash, BCRYPT_RSA_ALGORITHM, memory,
                                    sizeof(memory), &len, 0));
    CALL(SslExportKeyingMaterial, (provider, master, label, randoms, 64, NULL, 0, memory, 32, 0));
    CALL(SslComputeEapKeyBlock, (provider, master, randoms, 64, memory, sizeof(memory), &len, 0));
    CALL(SslGenerateSessionKeys, (provider, master, &read, &write, &list, 0));
    release(read);
    release(write);
    release(signed_hash);
    release(hash);
    release(master);
    release(key);
}

/* A key schedule of TLS 1.3, with a key agreement, and one with a key of its ticket. */
static void tls13(void)
{
    NCRYPT_KEY_HANDLE own = 0, peer = 0, early = 0, handshake = 0, master = 0, client = 0;
    NCRYPT_KEY_HANDLE server = 0, write = 0, read = 0, exporter = 0, resumption = 0, psk = 0;
    NCRYPT_KEY_HANDLE binder = 0;
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, 0x304, 0x1301), copy = 0;
    char label[] = "EXPERIMENTAL";
    CALL(SslCreateEphemeralKey, (provider, &own, 0x304, 0x1301, 23, 0, NULL, 0, 0));
    CALL(SslExportKey, (provider, own, BCRYPT_ECCPUBLIC_BLOB, memory, sizeof(memory), &len, 0));
    CALL(SslImportKey, (provider, &peer, BCRYPT_ECCPUBLIC_BLOB, memory, len, 0));
    CALL(SslDuplicateTranscriptHash, (provider, hash, &copy, 0));
    CALL(SslExtractEarlyKey, (provider, 0, &early, 0x304, 0x1301, NULL, 0));
    CALL(SslExtractHandshakeKey, (provider, own, peer, early, &handshake, NULL, 0));
    CALL(SslExpandTrafficKeys, (provider, handshake, copy, &client, &server, NULL, 0));
    CALL(SslExpandWriteKey, (provider, client, &write, NULL, 0));
    CALL(SslExpandWriteKey, (provider, client, &read, NULL, 0));
    CALL(SslEncryptPacket, (provider, write, in(transcript), 10, memory, sizeof(memory), &len, 0,
                            CT_HANDSHAKE, 0));
    CALL(SslDecryptPacket, (provider, read, memory, len, opened, sizeof(opened), &len, 0, 0));
    CHECK(len == 10 && memcmp(opened, transcript, 10) == 0 && opened[10] == CT_HANDSHAKE);
    CALL(SslExtractMasterKey, (provider, handshake, &master, NULL, 0));
    CALL(SslExpandExporterMasterKey, (provider, master, hash, &exporter, NULL, 0));
    CALL(SslExportKeyingMaterial, (provider, exporter, label, NULL, 0, NULL, 0, memory, 32, 0));
    CALL(SslExpandResumptionMasterKey, (provider, master, hash, &resumption, NULL, 0));
    CALL(SslExpandPreSharedKey, (provider, resumption, NULL, 0, &psk, NULL, 0));
    release(early);
    CALL(SslExtractEarlyKey, (provider, psk, &early, 0x304, 0x1301, NULL, 0));
    CALL(SslExpandBinderKey, (provider, early, &binder, NULL, NCRYPT_SSL_RESUMPTION_PSK_FLAG));
    CALL(SslComputeFinishedHash, (provider, binder, hash, memory, 32, NCRYPT_SSL_CLIENT_FLAG));
    release(own);
    release(peer);
    release(early);
    release(handshake);
    release(master);
    release(client);
    release(server);
    release(write);
    release(read);
    release(exporter);
    release(resumption);
    release(psk);
    release(binder);
    release(copy);
    release(hash);
}

int main(void)
{
    size_t each, done = 0;
    providers();
    suites();
    tls12();
    tls13();
    release(provider);
    for (each = 0; each < COUNT(functions); each++) {
        if (called[each] == 0) {
            fprintf(stderr, "%s was not called\n", functions[each]);
        }
        done += called[each] > 0;
    }
    CHECK(COUNT(functions) == 47 && done == COUNT(functions));
    printf("%u of %u functions do what they are for\n", (unsigned)done, (unsigned)COUNT(functions));
    return nothing_is_left();
}

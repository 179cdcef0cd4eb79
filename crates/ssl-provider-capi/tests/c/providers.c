/* Providers: opening by every name, references, buffers, properties, the function table. */

#include "test.h"

static void opening(void)
{
    NCRYPT_PROV_HANDLE first = 0, second = 0, none = 77;
    DWORD count = 0;
    NCryptProviderName *names = NULL;
    OK(SslOpenProvider(&first, NULL, 0));
    OK(SslOpenProvider(&second, MS_SCHANNEL_PROVIDER, 0));
    CHECK(first != 0 && second != 0 && first != second);
    OK(SslFreeObject(first, 0));
    OK(SslFreeObject(second, 0));

    EXPECT(NTE_INVALID_PARAMETER, SslOpenProvider(NULL, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslOpenProvider(&none, NULL, 1));
    CHECK(none == 0);
    EXPECT(NTE_PROV_DLL_NOT_FOUND, SslOpenProvider(&none, BCRYPT_RSA_ALGORITHM, 0));

    OK(SslEnumProtocolProviders(&count, &names, 0));
    CHECK(count >= 2);
    CHECK(is_text(names[0].pszName, "Microsoft SSL Protocol Provider"));
    for (DWORD index = 0; index < count; index++) {
        NCRYPT_PROV_HANDLE provider = 0;
        CHECK(names[index].pszComment != NULL && names[index].pszComment[0] != 0);
        OK(SslOpenProvider(&provider, names[index].pszName, 0));
        OK(SslFreeObject(provider, 0));
    }
    OK(SslFreeBuffer(names));
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(names));
    EXPECT(NTE_BAD_FLAGS, SslEnumProtocolProviders(&count, &names, 1));
    CHECK(names == NULL);
    EXPECT(NTE_INVALID_PARAMETER, SslEnumProtocolProviders(NULL, &names, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslEnumProtocolProviders(&count, NULL, 0));
}

static void references(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    OK(SslIncrementProviderReferenceCount(provider));
    OK(SslFreeObject(provider, 0));
    OK(SslIncrementProviderReferenceCount(provider));
    OK(SslDecrementProviderReferenceCount(provider));
    OK(SslDecrementProviderReferenceCount(provider));
    EXPECT(STATUS_INVALID_HANDLE, SslDecrementProviderReferenceCount(provider));
    EXPECT(NTE_INVALID_HANDLE, SslIncrementProviderReferenceCount(provider));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(provider, 0));
}

static void buffers(void)
{
    int on_the_stack = 0;
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(NULL));
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(&on_the_stack));
}

static void properties(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    PBYTE value = NULL;
    DWORD len = 0;
    PVOID state = NULL;
    OK(SslGetProviderProperty(provider, NCRYPT_IMPL_TYPE_PROPERTY, &value, &len, NULL, 0));
    CHECK(len == 4 && value[0] == 2);
    OK(SslFreeBuffer(value));
    OK(SslGetProviderProperty(provider, NCRYPT_NAME_PROPERTY, &value, &len, &state, 0));
    CHECK(len > 2 && len % 2 == 0 && value[len - 1] == 0 && value[len - 2] == 0);
    OK(SslFreeBuffer(value));
    EXPECT(NTE_NO_MORE_ITEMS,
           SslGetProviderProperty(provider, NCRYPT_NAME_PROPERTY, &value, &len, &state, 0));
    CHECK(value == NULL);
    OK(SslFreeBuffer(state));
    EXPECT(NTE_NOT_SUPPORTED,
           SslGetProviderProperty(provider, NCRYPT_LENGTH_PROPERTY, &value, &len, NULL, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGetProviderProperty(provider, NULL, &value, &len, NULL, 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslGetProviderProperty(provider + 1, NCRYPT_NAME_PROPERTY, &value, &len, NULL, 0));
    OK(SslFreeObject(provider, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslChangeNotify(NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslChangeNotify(&value, 99));
}

static void function_table(void)
{
    NCRYPT_SSL_FUNCTION_TABLE *table = NULL, copy;
    NCRYPT_PROV_HANDLE provider = 0;
    OK(GetSChannelInterface(MS_SCHANNEL_PROVIDER, &table, 0));
    CHECK(table->Version.MajorVersion == 5 && table->Version.MinorVersion == 0);
    OK(table->OpenProvider(&provider, NULL, 0));
    OK(table->FreeObject(provider, 0));
    OK(SslInitializeInterface(NULL, &copy, 0));
#define SLOT(name) CHECK(copy.name == Ssl##name && table->name == Ssl##name)
    SLOT(ComputeClientAuthHash);
    SLOT(ComputeEapKeyBlock);
    SLOT(ComputeFinishedHash);
    SLOT(CreateEphemeralKey);
    SLOT(CreateHandshakeHash);
    SLOT(DecryptPacket);
    SLOT(EncryptPacket);
    SLOT(EnumCipherSuites);
    SLOT(ExportKey);
    SLOT(FreeBuffer);
    SLOT(FreeObject);
    SLOT(GenerateMasterKey);
    SLOT(GenerateSessionKeys);
    SLOT(GetKeyProperty);
    SLOT(GetProviderProperty);
    SLOT(HashHandshake);
    SLOT(ImportMasterKey);
    SLOT(ImportKey);
    SLOT(LookupCipherSuiteInfo);
    SLOT(OpenPrivateKey);
    SLOT(OpenProvider);
    SLOT(SignHash);
    SLOT(VerifySignature);
    SLOT(LookupCipherLengths);
    SLOT(CreateClientAuthHash);
    SLOT(GetCipherSuitePRFHashAlgorithm);
    SLOT(ComputeSessionHash);
    SLOT(GeneratePreMasterKey);
    SLOT(EnumEccCurves);
    SLOT(ExportKeyingMaterial);
    SLOT(ExtractEarlyKey);
    SLOT(ExtractHandshakeKey);
    SLOT(ExtractMasterKey);
    SLOT(ExpandTrafficKeys);
    SLOT(ExpandWriteKey);
    SLOT(ExpandExporterMasterKey);
    SLOT(EnumCipherSuitesEx);
    SLOT(ExpandResumptionMasterKey);
    SLOT(DuplicateTranscriptHash);
    SLOT(ExpandBinderKey);
    SLOT(ExpandPreSharedKey);
#undef SLOT
    EXPECT(STATUS_INVALID_PARAMETER, GetSChannelInterface(NULL, NULL, 0));
    EXPECT(STATUS_INVALID_PARAMETER, SslInitializeInterface(NULL, NULL, 0));
    EXPECT(STATUS_INVALID_PARAMETER, GetSChannelInterface(NULL, &table, 1));
    EXPECT(STATUS_NOT_FOUND, GetSChannelInterface(BCRYPT_RSA_ALGORITHM, &table, 0));
    CHECK(table == NULL);
}

static void counting(void)
{
    DWORD handles = 77, buffers = 77;
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_SSL_CIPHER_SUITE *suite = NULL;
    PVOID state = NULL;
    OK(SslIncrementProviderReferenceCount(provider));
    OK(SslEnumCipherSuites(provider, 0, &suite, &state, 0));
    OK(SslProviderCountLive(&handles, &buffers));
    CHECK(handles == 1 && buffers == 2);
    EXPECT(NTE_INVALID_PARAMETER, SslProviderCountLive(NULL, &buffers));
    EXPECT(NTE_INVALID_PARAMETER, SslProviderCountLive(&handles, NULL));
    OK(SslFreeBuffer(suite));
    OK(SslFreeBuffer(state));
    OK(SslFreeObject(provider, 0));
    OK(SslFreeObject(provider, 0));
}

static char last_function[64];
static SECURITY_STATUS last_status;
static char last_reason[160];

static void remember(const char *function, SECURITY_STATUS status, const char *reason)
{
    strncpy(last_function, function, sizeof(last_function) - 1);
    last_status = status;
    strncpy(last_reason, reason, sizeof(last_reason) - 1);
}

static void trace(void)
{
    NCRYPT_PROV_HANDLE none = 77;
    SslProviderSetTrace(remember);
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(NULL));
    CHECK(strcmp(last_function, "SslFreeBuffer") == 0);
    CHECK(last_status == NTE_INVALID_PARAMETER && last_reason[0] != 0);
    OK(SslFreeObject(open_provider(), 0));
    CHECK(strcmp(last_function, "SslFreeObject") == 0 && last_status == 0 && last_reason[0] == 0);
    EXPECT(NTE_PROV_DLL_NOT_FOUND, SslOpenProvider(&none, BCRYPT_RSA_ALGORITHM, 0));
    CHECK(none == 0 && strstr(last_reason, "SslEnumProtocolProviders lists them") != NULL);
    OK(SslFreeObject(open_provider(), 0));
    SslProviderSetTrace(NULL);
    EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(NULL));
    CHECK(strcmp(last_function, "SslFreeObject") == 0);
}

int main(void)
{
    opening();
    references();
    buffers();
    properties();
    function_table();
    counting();
    trace();
    return nothing_is_left();
}

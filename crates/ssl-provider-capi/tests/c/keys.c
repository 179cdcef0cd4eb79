/* Keys: imported as every kind of blob, found by their certificate, exported; and properties. */

#include "test.h"

static void import_and_export(LPCWSTR type, const unsigned char *blob, size_t len)
{
    NCRYPT_PROV_HANDLE storage = 0, provider = open_provider();
    NCRYPT_KEY_HANDLE key = 0, opened = 0;
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    unsigned char output[sizeof(public_blob) + 1];
    DWORD result = 0;
    OK(NCryptOpenStorageProvider(&storage, MS_KEY_STORAGE_PROVIDER, 0));
    EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptImportKey(storage, 0, type, NULL, &key, in(blob), (DWORD)len, NCRYPT_SILENT_FLAG));
    OK(NCryptExportKey(key, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, NULL, 0, &result, 0));
    CHECK(result == sizeof(public_blob));
    EXPECT(NTE_BUFFER_TOO_SMALL, NCryptExportKey(key, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, output,
                                                 result - 1, &result, 0));
    CHECK(result == sizeof(public_blob));
    output[result] = 0xa5;
    OK(NCryptExportKey(key, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, output, sizeof(output), &result, 0));
    CHECK(memcmp(output, public_blob, sizeof(public_blob)) == 0 && output[result] == 0xa5);
    EXPECT(NTE_PERM, NCryptExportKey(key, 0, type, NULL, output, sizeof(output), &result, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           NCryptExportKey(key, 0, BCRYPT_ECCPUBLIC_BLOB, NULL, NULL, 0, &result, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptExportKey(key, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, NULL, 0, NULL, 0));

    OK(SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptFreeObject(key));
    /* An opened key outlives its storage; opening again needs a live one. */
    OK(SslFreeObject(import_master_key(provider, opened, &exchanges[0]), 0));
    OK(SslFreeObject(opened, 0));
    EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &opened, &context, 0));
    CHECK(opened == 0);
    EXPECT(NTE_INVALID_HANDLE, NCryptFreeObject(key));
    OK(NCryptFreeObject(storage));
    OK(SslFreeObject(provider, 0));
}

static void bad_imports(void)
{
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE key = 77;
    unsigned char bad[sizeof(private_blob)];
    DWORD len = sizeof(private_blob), each;
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    for (each = 0; each < len; each += 17) {
        EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL,
                                                      &key, in(private_blob), each, 0));
        CHECK(key == 0);
    }
    /* Numbers that do not belong together: exponent, modulus, primes, and what follows from them,
     * behind a header of six numbers and an exponent of three bytes. */
    for (each = 24; each < sizeof(full_private_blob); each += each < 27 ? 1 : 61) {
        unsigned char full[sizeof(full_private_blob)];
        memcpy(full, full_private_blob, sizeof(full));
        full[each] ^= 2;
        EXPECT(NTE_BAD_KEY, NCryptImportKey(storage, 0, BCRYPT_RSAFULLPRIVATE_BLOB, NULL, &key,
                                            full, (DWORD)sizeof(full), 0));
        CHECK(key == 0);
    }
    memcpy(bad, private_blob, len);
    bad[len - 1] ^= 2;
    EXPECT(NTE_BAD_KEY,
           NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_BAD_KEY,
           NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptImportKey(storage, 0, BCRYPT_ECCPRIVATE_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &key,
                           in(encrypted_pkcs8), (DWORD)sizeof(encrypted_pkcs8), 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptImportKey(storage, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           NCryptImportKey(storage, 0, BCRYPT_DH_PUBLIC_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_INVALID_PARAMETER, NCryptImportKey(storage, 0, NULL, NULL, &key, bad, len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, NULL, bad, len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, NULL, len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, bad, 0xffffffffu, 0));
    EXPECT(NTE_BAD_FLAGS,
           NCryptImportKey(storage, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, bad, len, 1));
    EXPECT(NTE_INVALID_HANDLE,
           NCryptImportKey(0, 0, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, bad, len, 0));
    EXPECT(NTE_INVALID_HANDLE,
           NCryptImportKey(storage, storage, BCRYPT_RSAPRIVATE_BLOB, NULL, &key, bad, len, 0));
    OK(NCryptFreeObject(storage));
    EXPECT(NTE_INVALID_HANDLE, NCryptFreeObject(storage));
    EXPECT(NTE_INVALID_PARAMETER, NCryptOpenStorageProvider(NULL, NULL, 0));
    EXPECT(NTE_PROV_DLL_NOT_FOUND, NCryptOpenStorageProvider(&storage, MS_SCHANNEL_PROVIDER, 0));
}

static void bad_certificates(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE stored = import_key(), key = 77;
    CERT_CONTEXT context = context_of(other_certificate, sizeof(other_certificate));
    size_t len;
    EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &key, &context, 0));
    CHECK(key == 0);
    for (len = 0; len < sizeof(certificate); len++) {
        context = context_of(certificate, len);
        EXPECT(NTE_INVALID_PARAMETER, SslOpenPrivateKey(provider, &key, &context, 0));
    }
    context = context_of(NULL, 100);
    EXPECT(NTE_INVALID_PARAMETER, SslOpenPrivateKey(provider, &key, &context, 0));
    context = context_of(certificate, 0xffffffffu);
    EXPECT(NTE_INVALID_PARAMETER, SslOpenPrivateKey(provider, &key, &context, 0));
    context = context_of(certificate, sizeof(certificate));
    EXPECT(NTE_INVALID_PARAMETER, SslOpenPrivateKey(provider, NULL, &context, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslOpenPrivateKey(provider, &key, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslOpenPrivateKey(provider, &key, &context, 1));
    EXPECT(NTE_INVALID_HANDLE, SslOpenPrivateKey(stored, &key, &context, 0));
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(provider, 0));
}

static void check_number(NCRYPT_KEY_HANDLE key, LPCWSTR name, DWORD expected)
{
    PBYTE value = NULL;
    DWORD len = 0, number = 0;
    OK(SslGetKeyProperty(key, name, &value, &len, 0));
    CHECK(len == 4);
    memcpy(&number, value, 4);
    CHECK(number == expected);
    OK(SslFreeBuffer(value));
}

static void properties(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider), stored = import_key();
    PBYTE value = NULL;
    DWORD len = 0;
    check_number(key, NCRYPT_LENGTH_PROPERTY, 2048);
    check_number(key, NCRYPT_BLOCK_LENGTH_PROPERTY, 256);
    check_number(key, NCRYPT_EXPORT_POLICY_PROPERTY, 0);
    check_number(key, SSL_KEY_TYPE_PROPERTY, 0);
    OK(SslGetKeyProperty(key, NCRYPT_ALGORITHM_GROUP_PROPERTY, &value, &len, 0));
    CHECK(len == 8 && is_text((const WCHAR *)(const void *)value, "RSA"));
    OK(SslFreeBuffer(value));
    EXPECT(NTE_NOT_SUPPORTED, SslGetKeyProperty(key, MS_SCHANNEL_PROVIDER, &value, &len, 0));
    CHECK(value == NULL);
    EXPECT(NTE_INVALID_PARAMETER, SslGetKeyProperty(key, NULL, &value, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGetKeyProperty(key, NCRYPT_LENGTH_PROPERTY, NULL, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslGetKeyProperty(key, NCRYPT_LENGTH_PROPERTY, &value, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslGetKeyProperty(key, NCRYPT_LENGTH_PROPERTY, &value, &len, 1));
    EXPECT(NTE_INVALID_HANDLE, SslGetKeyProperty(stored, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
    EXPECT(NTE_INVALID_HANDLE,
           SslGetKeyProperty(provider, NCRYPT_LENGTH_PROPERTY, &value, &len, 0));
    /* The two kinds of handle are freed by their own functions only. */
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(stored, 0));
    EXPECT(NTE_INVALID_HANDLE, NCryptFreeObject(key));
    OK(NCryptFreeObject(stored));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
}

int main(void)
{
    import_and_export(BCRYPT_RSAPRIVATE_BLOB, private_blob, sizeof(private_blob));
    import_and_export(BCRYPT_RSAFULLPRIVATE_BLOB, full_private_blob, sizeof(full_private_blob));
    import_and_export(NCRYPT_PKCS8_PRIVATE_KEY_BLOB, pkcs8, sizeof(pkcs8));
    bad_imports();
    bad_certificates();
    properties();
    return nothing_is_left();
}

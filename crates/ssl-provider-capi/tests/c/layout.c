/* Sizes and offsets of every structure, and texts in both of the header's notations. */

#include "test.h"

#define SIZE(type, size) CHECK(sizeof(type) == (size))
#define AT(type, field, offset) CHECK(offsetof(type, field) == (offset))

int main(void)
{
    SIZE(WCHAR, 2);
    SIZE(DWORD, 4);
    SIZE(NCRYPT_HANDLE, 8);
    SIZE(BCRYPT_INTERFACE_VERSION, 4);
    SIZE(NCryptBuffer, 16);
    AT(NCryptBuffer, BufferType, 4);
    AT(NCryptBuffer, pvBuffer, 8);
    SIZE(NCryptBufferDesc, 16);
    AT(NCryptBufferDesc, cBuffers, 4);
    AT(NCryptBufferDesc, pBuffers, 8);
    SIZE(NCRYPT_SSL_CIPHER_SUITE, 676);
    AT(NCRYPT_SSL_CIPHER_SUITE, szCipherSuite, 12);
    AT(NCRYPT_SSL_CIPHER_SUITE, szCipher, 140);
    AT(NCRYPT_SSL_CIPHER_SUITE, dwCipherLen, 268);
    AT(NCRYPT_SSL_CIPHER_SUITE, szHash, 276);
    AT(NCRYPT_SSL_CIPHER_SUITE, szExchange, 408);
    AT(NCRYPT_SSL_CIPHER_SUITE, szCertificate, 544);
    AT(NCRYPT_SSL_CIPHER_SUITE, dwKeyType, 672);
    SIZE(NCRYPT_SSL_CIPHER_SUITE_EX, 808);
    AT(NCRYPT_SSL_CIPHER_SUITE_EX, szCipherSuite, 16);
    AT(NCRYPT_SSL_CIPHER_SUITE_EX, dwKeyType, 676);
    AT(NCRYPT_SSL_CIPHER_SUITE_EX, szCipherMode, 680);
    SIZE(NCRYPT_SSL_CIPHER_LENGTHS, 20);
    SIZE(NCRYPT_SSL_ECC_CURVE, 780);
    AT(NCRYPT_SSL_ECC_CURVE, szOID, 510);
    AT(NCRYPT_SSL_ECC_CURVE, dwPublicKeyLength, 768);
    SIZE(NCryptProviderName, 16);
    SIZE(NCryptAlgorithmName, 24);
    SIZE(NCryptKeyName, 24);
    SIZE(CERT_CONTEXT, 40);
    AT(CERT_CONTEXT, pbCertEncoded, 8);
    AT(CERT_CONTEXT, cbCertEncoded, 16);
    SIZE(BCRYPT_RSAKEY_BLOB, 24);
    SIZE(BCRYPT_ECCKEY_BLOB, 8);
    SIZE(SSL_ECCKEY_BLOB, 8);
    SIZE(BCRYPT_DH_KEY_BLOB, 8);
    SIZE(BCRYPT_DH_PARAMETER_HEADER, 12);
    SIZE(BCRYPT_KEY_DATA_BLOB_HEADER, 12);
    SIZE(TLS_HYBRID_KEYEXCHANGE_BLOB, 80);
    AT(TLS_HYBRID_KEYEXCHANGE_BLOB, rgwszBlobTypes, 16);
    AT(TLS_HYBRID_KEYEXCHANGE_BLOB, rgbBlobs, 48);
    SIZE(TLS_KEM_CIPHERTEXT_BLOB, 8);
    SIZE(SecPkgContext_EapKeyBlock, 192);
    SIZE(NCRYPT_SSL_FUNCTION_TABLE, 336);
    AT(NCRYPT_SSL_FUNCTION_TABLE, ComputeClientAuthHash, 8);
    AT(NCRYPT_SSL_FUNCTION_TABLE, FreeObject, 88);
    AT(NCRYPT_SSL_FUNCTION_TABLE, ImportMasterKey, 136);
    AT(NCRYPT_SSL_FUNCTION_TABLE, VerifySignature, 184);
    AT(NCRYPT_SSL_FUNCTION_TABLE, LookupCipherLengths, 192);
    AT(NCRYPT_SSL_FUNCTION_TABLE, ComputeSessionHash, 216);
    AT(NCRYPT_SSL_FUNCTION_TABLE, ExtractEarlyKey, 248);
    AT(NCRYPT_SSL_FUNCTION_TABLE, EnumCipherSuitesEx, 296);
    AT(NCRYPT_SSL_FUNCTION_TABLE, ExpandPreSharedKey, 328);

    CHECK(is_text(MS_SCHANNEL_PROVIDER, "Microsoft SSL Protocol Provider"));
    CHECK(is_text(BCRYPT_CHAIN_MODE_NA, "ChainingModeN/A"));
    CHECK(is_text(NCRYPT_ALGORITHM_GROUP_PROPERTY, "Algorithm Group"));
    CHECK(NTE_INVALID_HANDLE == -2146893786);
    CHECK(STATUS_INVALID_HANDLE < 0 && (unsigned)STATUS_INVALID_HANDLE == 0xc0000008u);
    return 0;
}

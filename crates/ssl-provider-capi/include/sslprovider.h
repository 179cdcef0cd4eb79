/*
 * sslprovider.h: the CNG SSL provider interface for programs that are not on Windows.
 * Names, numbers, layouts and prototypes are those of the Windows headers.
 *
 * Needs a 64-bit platform and C99 or C++11. Link with -lsslprovider.
 *
 * Conventions
 *
 *   - Functions return 0 or a negative status. On failure nothing else is written, except that a
 *     handle or pointer to be returned is set to 0, and NTE_BUFFER_TOO_SMALL comes with the size.
 *   - Checks are made in this order: handles, NULL pointers, flags, protocol and suite, lists.
 *   - dwFlags is 0 unless the function defines flags; other bits are NTE_BAD_FLAGS.
 *   - Handles are opaque numbers. A value that is not a live handle of the right kind, of a
 *     provider with the same backend, is NTE_INVALID_HANDLE, or STATUS_INVALID_HANDLE where a
 *     function says so. The policy in force is that of the provider that made the object.
 *   - Strings are UTF-16 with a terminator within 256 characters.
 *   - Inputs are copied; no pointer is kept after the call. Buffers need no alignment. An input of
 *     0 bytes needs a pointer that is not NULL too, except for pbInput of SslHashHandshake,
 *     pbContextValue of SslExportKeyingMaterial and pbTicketNonce of SslExpandPreSharedKey.
 *   - With a NULL pbOutput a function that has pcbResult returns the size there and succeeds;
 *     SslGenerateMasterKey does so for RSA only.
 *   - Every function may be called from every thread; a hash or a session key serves one call at
 *     a time.
 *   - A thread that calls needs 64 KiB of stack, and 128 KiB for hybrid groups; for batches see
 *     SslProviderOpenWithPolicy.
 *   - After fork() the child has no handles: those of its parent and its siblings are invalid in
 *     it. So they are after _Fork() and clone(), but only fork() waits up to a second for calls of
 *     other threads to return, since a library may hold locks in them.
 *   - Exit handlers may make calls. End other threads before exit(): AWS-LC shuts its random number
 *     generator down then, and aborts when a new thread asks for random numbers.
 *   - Returns NTE_NO_MEMORY if a returned object cannot be allocated. Failure of an internal
 *     temporary allocation aborts the process, as in other Rust programs.
 *
 * Keys
 *
 *   Windows finds the key of a certificate in its store. Here a key must first be imported with
 *   NCryptImportKey. While its handle is live, SslOpenPrivateKey finds it by any certificate with
 *   the same public key. Of the CERT_CONTEXT only pbCertEncoded and cbCertEncoded (DER) are read,
 *   so the rest may be zero. On Linux, keys can also be in another process, the key server, whose
 *   socket the environment variable SSL_PROVIDER_KEY_SERVER names.
 *
 * TLS 1.3
 *
 *   Each call yields one secret of RFC 8446, 7.1, and each secret is a handle of a kind of its own,
 *   which no call takes for another and no function of earlier versions for a master key:
 *
 *     SslExtractEarlyKey           Early Secret, of a pre-shared key or of none
 *     SslExtractHandshakeKey       Handshake Secret, with the key agreement
 *     SslExtractMasterKey          Master Secret
 *     SslExpandTrafficKeys         traffic secrets, of each of the three above
 *     SslExpandWriteKey            the record key of a traffic secret, to write or to read with
 *     SslExpandExporterMasterKey   exporter secret, of the Master Secret or of the Early Secret
 *     SslExpandResumptionMasterKey resumption secret, of the Master Secret
 *     SslExpandPreSharedKey        pre-shared key of a ticket, of the resumption secret
 *     SslExpandBinderKey           key of a binder, of the Early Secret
 *     SslProviderUpdateTrafficKey  traffic secret after KeyUpdate (an extension)
 *
 *   SslComputeFinishedHash computes Finished and binders, SslComputeSessionHash the transcript
 *   hash. After HelloRetryRequest, start a new hash with FE 00 00, the length of the hash, and the
 *   value of the old one. CertificateVerify signs, with SslSignHash, the hash of the 64 spaces, the
 *   text and the transcript hash of RFC 8446, 4.4.3: PSS for RSA.
 *
 *   Where Windows has published no contract, this library has chosen, and the function says so:
 *   the content type of SslDecryptPacket, the bytes of TLS13PRESHAREDKEY and of
 *   TLS_HYBRID_KEYEXCHANGE, a server's key of a hybrid group, which secret SslComputeFinishedHash
 *   takes, and a key schedule without a key agreement.
 */

#ifndef SSLPROVIDER_H
#define SSLPROVIDER_H

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <uchar.h>
#endif

#if UINTPTR_MAX < 0xFFFFFFFFFFFFFFFF
#error "sslprovider.h needs a 64-bit platform: handles are 64-bit values"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The calling convention is the platform's own. */
#ifndef WINAPI
#define WINAPI
#endif

#ifndef SSLP_API
#define SSLP_API extern
#endif

typedef uint8_t BYTE;
typedef uint8_t UCHAR;
typedef char CHAR;
typedef char16_t WCHAR;
typedef uint16_t WORD;
typedef uint16_t USHORT;
typedef uint32_t DWORD;
typedef uint32_t ULONG;
typedef uint64_t ULONGLONG;
typedef int32_t LONG;
typedef int BOOL;
typedef LONG NTSTATUS;
typedef LONG SECURITY_STATUS;
typedef uintptr_t ULONG_PTR;
typedef void *PVOID;
typedef void *HANDLE;
typedef BYTE *PBYTE;
typedef CHAR *PCHAR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;

typedef ULONG_PTR NCRYPT_HANDLE;
typedef ULONG_PTR NCRYPT_PROV_HANDLE;
typedef ULONG_PTR NCRYPT_KEY_HANDLE;
typedef ULONG_PTR NCRYPT_HASH_HANDLE;

/* Converts a status code, which the headers write unsigned, to the type that functions return. */
#define SSLP_STATUS(code) ((SECURITY_STATUS)(code))

/* Protocol versions. */
#define SSL2_PROTOCOL_VERSION 0x0002u
#define SSL3_PROTOCOL_VERSION 0x0300u
#define TLS1_PROTOCOL_VERSION 0x0301u
#define TLS1_0_PROTOCOL_VERSION 0x0301u
#define TLS1_1_PROTOCOL_VERSION 0x0302u
#define TLS1_2_PROTOCOL_VERSION 0x0303u
#define TLS1_3_PROTOCOL_VERSION 0x0304u
#define DTLS1_0_PROTOCOL_VERSION 0xFEFFu
#define DTLS1_2_PROTOCOL_VERSION 0xFEFDu

/* Cipher suites. */
#define TLS_RSA_WITH_NULL_MD5 0x0001u
#define TLS_RSA_WITH_NULL_SHA 0x0002u
#define TLS_RSA_EXPORT_WITH_RC4_40_MD5 0x0003u
#define TLS_RSA_WITH_RC4_128_MD5 0x0004u
#define TLS_RSA_WITH_RC4_128_SHA 0x0005u
#define TLS_RSA_WITH_DES_CBC_SHA 0x0009u
#define TLS_RSA_WITH_3DES_EDE_CBC_SHA 0x000Au
#define TLS_DHE_DSS_WITH_DES_CBC_SHA 0x0012u
#define TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA 0x0013u
#define TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA 0x0016u
#define TLS_RSA_WITH_AES_128_CBC_SHA 0x002Fu
#define TLS_DHE_DSS_WITH_AES_128_CBC_SHA 0x0032u
#define TLS_DHE_RSA_WITH_AES_128_CBC_SHA 0x0033u
#define TLS_RSA_WITH_AES_256_CBC_SHA 0x0035u
#define TLS_DHE_DSS_WITH_AES_256_CBC_SHA 0x0038u
#define TLS_DHE_RSA_WITH_AES_256_CBC_SHA 0x0039u
#define TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA 0x0062u
#define TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA 0x0063u
#define TLS_RSA_EXPORT1024_WITH_RC4_56_SHA 0x0064u
#define TLS_RSA_WITH_NULL_SHA256 0x003Bu
#define TLS_RSA_WITH_AES_128_CBC_SHA256 0x003Cu
#define TLS_RSA_WITH_AES_256_CBC_SHA256 0x003Du
#define TLS_DHE_DSS_WITH_AES_128_CBC_SHA256 0x0040u
#define TLS_DHE_DSS_WITH_AES_256_CBC_SHA256 0x006Au
#define TLS_RSA_WITH_AES_128_GCM_SHA256 0x009Cu
#define TLS_RSA_WITH_AES_256_GCM_SHA384 0x009Du
#define TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 0x009Eu
#define TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 0x009Fu
#define TLS_PSK_WITH_AES_128_GCM_SHA256 0x00A8u
#define TLS_PSK_WITH_AES_256_GCM_SHA384 0x00A9u
#define TLS_PSK_WITH_AES_128_CBC_SHA256 0x00AEu
#define TLS_PSK_WITH_AES_256_CBC_SHA384 0x00AFu
#define TLS_PSK_WITH_NULL_SHA256 0x00B0u
#define TLS_PSK_WITH_NULL_SHA384 0x00B1u
#define TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA 0xC009u
#define TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA 0xC013u
#define TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA 0xC00Au
#define TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA 0xC014u
#define TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 0xC023u
#define TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 0xC024u
#define TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 0xC02Bu
#define TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 0xC02Cu
#define TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 0xC027u
#define TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 0xC028u
#define TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 0xC02Fu
#define TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 0xC030u
#define TLS_AES_128_GCM_SHA256 0x1301u
#define TLS_AES_256_GCM_SHA384 0x1302u
#define SSL_CK_RC4_128_WITH_MD5 0x10080u
#define SSL_CK_RC4_128_EXPORT40_WITH_MD5 0x20080u
#define SSL_CK_RC2_128_CBC_WITH_MD5 0x30080u
#define SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5 0x40080u
#define SSL_CK_IDEA_128_CBC_WITH_MD5 0x50080u
#define SSL_CK_DES_64_CBC_WITH_MD5 0x60040u
#define SSL_CK_DES_192_EDE3_CBC_WITH_MD5 0x700C0u

/* Flags of the functions. */
#define NCRYPT_SSL_CLIENT_FLAG 0x00000001u
#define NCRYPT_SSL_SERVER_FLAG 0x00000002u
#define NCRYPT_SSL_SIGN_INCLUDE_HASHOID 0x00000001u
#define NCRYPT_SSL_SIGN_USE_PSS_PADDING 0x00000002u
#define NCRYPT_SSL_EXTERNAL_PSK_FLAG 0x00000001u
#define NCRYPT_SSL_RESUMPTION_PSK_FLAG 0x00000002u
#define NCRYPT_SSL_EAP_PRF_FIELD 0x000000FFu
#define NCRYPT_SSL_EAP_ID 0x00000000u
#define NCRYPT_SSL_EAP_TTLSV0_ID 0x00000001u
#define NCRYPT_SSL_EAP_TTLSV0_CHLNG_ID 0x00000002u
#define NCRYPT_SSL_EAP_FAST_ID 0x00000003u
#define NCRYPT_SILENT_FLAG 0x00000040u

/* Sizes, versions and key types. */
#define NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING 0x00000001u
#define NCRYPT_SSL_CIPHER_SUITE_EX_VERSION 1
#define NCRYPT_SSL_MAX_NAME_SIZE 64
#define MSCRYPT_ECC_MAX_CURVE_NAME_LENGTH 255
#define MSCRYPT_ECC_MAX_OID_LENGTH 255
#define TLS_ECC_P256_CURVE_KEY_TYPE 23
#define TLS_ECC_P384_CURVE_KEY_TYPE 24
#define TLS_ECC_P521_CURVE_KEY_TYPE 25

/* Content types of records. */
#define CT_CHANGE_CIPHER_SPEC 20
#define CT_ALERT 21
#define CT_HANDSHAKE 22
#define CT_APPLICATIONDATA 23

/* Types of the buffers in a parameter list. */
#define NCRYPTBUFFER_VERSION 0
#define NCRYPTBUFFER_EMPTY 0
#define NCRYPTBUFFER_DATA 1
#define NCRYPTBUFFER_PROTECTION_DESCRIPTOR_STRING 3
#define NCRYPTBUFFER_PROTECTION_FLAGS 4
#define NCRYPTBUFFER_SSL_CLIENT_RANDOM 20
#define NCRYPTBUFFER_SSL_SERVER_RANDOM 21
#define NCRYPTBUFFER_SSL_HIGHEST_VERSION 22
#define NCRYPTBUFFER_SSL_CLEAR_KEY 23
#define NCRYPTBUFFER_SSL_KEY_ARG_DATA 24
#define NCRYPTBUFFER_SSL_SESSION_HASH 25
#define NCRYPTBUFFER_PKCS_OID 40
#define NCRYPTBUFFER_PKCS_ALG_OID 41
#define NCRYPTBUFFER_PKCS_ALG_PARAM 42
#define NCRYPTBUFFER_PKCS_ALG_ID 43
#define NCRYPTBUFFER_PKCS_ATTRS 44
#define NCRYPTBUFFER_PKCS_KEY_NAME 45
#define NCRYPTBUFFER_PKCS_SECRET 46
#define NCRYPTBUFFER_CERT_BLOB 47
#define NCRYPTBUFFER_CLAIM_IDBINDING_NONCE 48
#define NCRYPTBUFFER_CLAIM_KEYATTESTATION_NONCE 49
#define NCRYPTBUFFER_KEY_PROPERTY_FLAGS 50
#define NCRYPTBUFFER_ATTESTATIONSTATEMENT_BLOB 51
#define NCRYPTBUFFER_ATTESTATION_CLAIM_TYPE 52
#define NCRYPTBUFFER_ATTESTATION_CLAIM_CHALLENGE_REQUIRED 53
#define NCRYPTBUFFER_ECC_CURVE_NAME 60
#define NCRYPTBUFFER_ECC_PARAMETERS 61
#define NCRYPTBUFFER_TPM_SEAL_PASSWORD 70
#define NCRYPTBUFFER_TPM_SEAL_POLICYINFO 71
#define NCRYPTBUFFER_TPM_SEAL_TICKET 72
#define NCRYPTBUFFER_TPM_SEAL_NO_DA_PROTECTION 73
#define NCRYPTBUFFER_TPM_PLATFORM_CLAIM_PCR_MASK 80
#define NCRYPTBUFFER_TPM_PLATFORM_CLAIM_NONCE 81
#define NCRYPTBUFFER_TPM_PLATFORM_CLAIM_STATIC_CREATE 82

/* Magic numbers and versions of key blobs. */
#define BCRYPT_RSAPUBLIC_MAGIC 0x31415352u
#define BCRYPT_RSAPRIVATE_MAGIC 0x32415352u
#define BCRYPT_RSAFULLPRIVATE_MAGIC 0x33415352u
#define BCRYPT_ECDH_PUBLIC_P256_MAGIC 0x314B4345u
#define BCRYPT_ECDH_PUBLIC_P384_MAGIC 0x334B4345u
#define BCRYPT_ECDH_PUBLIC_P521_MAGIC 0x354B4345u
#define BCRYPT_ECDH_PUBLIC_GENERIC_MAGIC 0x504B4345u
#define BCRYPT_ECDH_PRIVATE_P256_MAGIC 0x324B4345u
#define BCRYPT_ECDH_PRIVATE_P384_MAGIC 0x344B4345u
#define BCRYPT_ECDH_PRIVATE_P521_MAGIC 0x364B4345u
#define BCRYPT_ECDH_PRIVATE_GENERIC_MAGIC 0x564B4345u
#define BCRYPT_ECDSA_PUBLIC_P256_MAGIC 0x31534345u
#define BCRYPT_ECDSA_PUBLIC_P384_MAGIC 0x33534345u
#define BCRYPT_ECDSA_PUBLIC_P521_MAGIC 0x35534345u
#define BCRYPT_ECDSA_PRIVATE_P256_MAGIC 0x32534345u
#define BCRYPT_ECDSA_PRIVATE_P384_MAGIC 0x34534345u
#define BCRYPT_ECDSA_PRIVATE_P521_MAGIC 0x36534345u
#define BCRYPT_ECDSA_PUBLIC_GENERIC_MAGIC 0x50444345u
#define BCRYPT_ECDSA_PRIVATE_GENERIC_MAGIC 0x56444345u
#define BCRYPT_DH_PUBLIC_MAGIC 0x42504844u
#define BCRYPT_DH_PRIVATE_MAGIC 0x56504844u
#define BCRYPT_DH_PARAMETERS_MAGIC 0x4D504844u
#define BCRYPT_KEY_DATA_BLOB_MAGIC 0x4D42444Bu
#define BCRYPT_KEY_DATA_BLOB_VERSION1 1
#define TLS_HYBRID_KEYEXCHANGE_MAGIC 0x48534C54u
#define TLS_KEM_CIPHERTEXT_MAGIC 0x434B4C4Du
#define BCRYPT_MLKEM_PUBLIC_MAGIC 0x504B4C4Du
#define BCRYPT_MLKEM_PRIVATE_MAGIC 0x524B4C4Du
#define BCRYPT_MLKEM_PRIVATE_SEED_MAGIC 0x534B4C4Du

/* Padding flags, interfaces and configuration. */
#define NCRYPT_NO_PADDING_FLAG 0x00000001u
#define NCRYPT_PAD_PKCS1_FLAG 0x00000002u
#define NCRYPT_PAD_OAEP_FLAG 0x00000004u
#define NCRYPT_PAD_PSS_FLAG 0x00000008u
#define NCRYPT_KEY_STORAGE_INTERFACE 0x00010001u
#define NCRYPT_SCHANNEL_INTERFACE 0x00010002u
#define NCRYPT_SCHANNEL_SIGNATURE_INTERFACE 0x00010003u
#define NCRYPT_KEY_PROTECTION_INTERFACE 0x00010004u
#define CRYPT_LOCAL 0x00000001u
#define CRYPT_DOMAIN 0x00000002u
#define CRYPT_PRIORITY_TOP 0x00000000u
#define CRYPT_PRIORITY_BOTTOM 0xFFFFFFFFu
#define CRYPT_UM 0x00000001u
#define CRYPT_KM 0x00000002u
#define CRYPT_MM 0x00000003u
#define CRYPT_ANY 0x00000004u
#define X509_ASN_ENCODING 0x00000001u

/* Statuses: NTE codes. */
#define ERROR_SUCCESS 0
#define NTE_BAD_UID SSLP_STATUS(0x80090001u)
#define NTE_BAD_HASH SSLP_STATUS(0x80090002u)
#define NTE_BAD_KEY SSLP_STATUS(0x80090003u)
#define NTE_BAD_LEN SSLP_STATUS(0x80090004u)
#define NTE_BAD_DATA SSLP_STATUS(0x80090005u)
#define NTE_BAD_SIGNATURE SSLP_STATUS(0x80090006u)
#define NTE_BAD_VER SSLP_STATUS(0x80090007u)
#define NTE_BAD_ALGID SSLP_STATUS(0x80090008u)
#define NTE_BAD_FLAGS SSLP_STATUS(0x80090009u)
#define NTE_BAD_TYPE SSLP_STATUS(0x8009000Au)
#define NTE_BAD_KEY_STATE SSLP_STATUS(0x8009000Bu)
#define NTE_BAD_HASH_STATE SSLP_STATUS(0x8009000Cu)
#define NTE_NO_KEY SSLP_STATUS(0x8009000Du)
#define NTE_NO_MEMORY SSLP_STATUS(0x8009000Eu)
#define NTE_EXISTS SSLP_STATUS(0x8009000Fu)
#define NTE_PERM SSLP_STATUS(0x80090010u)
#define NTE_NOT_FOUND SSLP_STATUS(0x80090011u)
#define NTE_DOUBLE_ENCRYPT SSLP_STATUS(0x80090012u)
#define NTE_BAD_PROVIDER SSLP_STATUS(0x80090013u)
#define NTE_BAD_PROV_TYPE SSLP_STATUS(0x80090014u)
#define NTE_BAD_PUBLIC_KEY SSLP_STATUS(0x80090015u)
#define NTE_BAD_KEYSET SSLP_STATUS(0x80090016u)
#define NTE_PROV_TYPE_NOT_DEF SSLP_STATUS(0x80090017u)
#define NTE_PROV_TYPE_ENTRY_BAD SSLP_STATUS(0x80090018u)
#define NTE_KEYSET_NOT_DEF SSLP_STATUS(0x80090019u)
#define NTE_KEYSET_ENTRY_BAD SSLP_STATUS(0x8009001Au)
#define NTE_PROV_TYPE_NO_MATCH SSLP_STATUS(0x8009001Bu)
#define NTE_SIGNATURE_FILE_BAD SSLP_STATUS(0x8009001Cu)
#define NTE_PROVIDER_DLL_FAIL SSLP_STATUS(0x8009001Du)
#define NTE_PROV_DLL_NOT_FOUND SSLP_STATUS(0x8009001Eu)
#define NTE_BAD_KEYSET_PARAM SSLP_STATUS(0x8009001Fu)
#define NTE_FAIL SSLP_STATUS(0x80090020u)
#define NTE_SYS_ERR SSLP_STATUS(0x80090021u)
#define NTE_SILENT_CONTEXT SSLP_STATUS(0x80090022u)
#define NTE_TOKEN_KEYSET_STORAGE_FULL SSLP_STATUS(0x80090023u)
#define NTE_TEMPORARY_PROFILE SSLP_STATUS(0x80090024u)
#define NTE_FIXEDPARAMETER SSLP_STATUS(0x80090025u)
#define NTE_INVALID_HANDLE SSLP_STATUS(0x80090026u)
#define NTE_INVALID_PARAMETER SSLP_STATUS(0x80090027u)
#define NTE_BUFFER_TOO_SMALL SSLP_STATUS(0x80090028u)
#define NTE_NOT_SUPPORTED SSLP_STATUS(0x80090029u)
#define NTE_NO_MORE_ITEMS SSLP_STATUS(0x8009002Au)
#define NTE_BUFFERS_OVERLAP SSLP_STATUS(0x8009002Bu)
#define NTE_DECRYPTION_FAILURE SSLP_STATUS(0x8009002Cu)
#define NTE_INTERNAL_ERROR SSLP_STATUS(0x8009002Du)
#define NTE_UI_REQUIRED SSLP_STATUS(0x8009002Eu)
#define NTE_HMAC_NOT_SUPPORTED SSLP_STATUS(0x8009002Fu)
#define NTE_DEVICE_NOT_READY SSLP_STATUS(0x80090030u)
#define NTE_AUTHENTICATION_IGNORED SSLP_STATUS(0x80090031u)
#define NTE_VALIDATION_FAILED SSLP_STATUS(0x80090032u)
#define NTE_INCORRECT_PASSWORD SSLP_STATUS(0x80090033u)
#define NTE_ENCRYPTION_FAILURE SSLP_STATUS(0x80090034u)
#define NTE_DEVICE_NOT_FOUND SSLP_STATUS(0x80090035u)
#define NTE_USER_CANCELLED SSLP_STATUS(0x80090036u)
#define NTE_PASSWORD_CHANGE_REQUIRED SSLP_STATUS(0x80090037u)
#define NTE_NOT_ACTIVE_CONSOLE SSLP_STATUS(0x80090038u)
#define NTE_VBS_UNAVAILABLE SSLP_STATUS(0x80090039u)
#define NTE_VBS_CANNOT_DECRYPT_KEY SSLP_STATUS(0x8009003Au)

/* Statuses: NTSTATUS codes that some functions are documented to return. */
#define STATUS_UNSUCCESSFUL SSLP_STATUS(0xC0000001u)
#define STATUS_NOT_IMPLEMENTED SSLP_STATUS(0xC0000002u)
#define STATUS_INVALID_HANDLE SSLP_STATUS(0xC0000008u)
#define STATUS_INVALID_PARAMETER SSLP_STATUS(0xC000000Du)
#define STATUS_NO_MEMORY SSLP_STATUS(0xC0000017u)
#define STATUS_BUFFER_TOO_SMALL SSLP_STATUS(0xC0000023u)
#define STATUS_DATA_ERROR SSLP_STATUS(0xC000003Eu)
#define STATUS_NOT_SUPPORTED SSLP_STATUS(0xC00000BBu)
#define STATUS_INTERNAL_ERROR SSLP_STATUS(0xC00000E5u)
#define STATUS_INVALID_BUFFER_SIZE SSLP_STATUS(0xC0000206u)
#define STATUS_NOT_FOUND SSLP_STATUS(0xC0000225u)
#define STATUS_DECRYPTION_FAILED SSLP_STATUS(0xC000028Bu)
#define STATUS_INVALID_SIGNATURE SSLP_STATUS(0xC000A000u)
#define STATUS_HMAC_NOT_SUPPORTED SSLP_STATUS(0xC000A001u)
#define STATUS_AUTH_TAG_MISMATCH SSLP_STATUS(0xC000A002u)

/* Strings are UTF-16. C99 has no literals for UTF-16; there the macros are arrays. */
#if defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L)

/* Provider names and values in records. */
#define MS_SCHANNEL_PROVIDER u"Microsoft SSL Protocol Provider"
#define MS_KEY_STORAGE_PROVIDER u"Microsoft Software Key Storage Provider"
#define SSL_KEY_TYPE_PROPERTY u"KEYTYPE"
#define SSL_ECDSA_ALGORITHM u"ECDSA"
#define TLS_PSK_EXCHANGE u"PSK"
#define TLS_RSA_PSK_EXCHANGE u"RSA_PSK"

/* Blob types. */
#define BCRYPT_OPAQUE_KEY_BLOB u"OpaqueKeyBlob"
#define BCRYPT_PUBLIC_KEY_BLOB u"PUBLICBLOB"
#define BCRYPT_PRIVATE_KEY_BLOB u"PRIVATEBLOB"
#define BCRYPT_RSAPUBLIC_BLOB u"RSAPUBLICBLOB"
#define BCRYPT_RSAPRIVATE_BLOB u"RSAPRIVATEBLOB"
#define BCRYPT_RSAFULLPRIVATE_BLOB u"RSAFULLPRIVATEBLOB"
#define LEGACY_RSAPUBLIC_BLOB u"CAPIPUBLICBLOB"
#define BCRYPT_ECCPUBLIC_BLOB u"ECCPUBLICBLOB"
#define BCRYPT_ECCPRIVATE_BLOB u"ECCPRIVATEBLOB"
#define SSL_ECCPUBLIC_BLOB u"SSLECCPUBLICBLOB"
#define BCRYPT_DH_PUBLIC_BLOB u"DHPUBLICBLOB"
#define BCRYPT_DH_PRIVATE_BLOB u"DHPRIVATEBLOB"
#define BCRYPT_DH_PARAMETERS u"DHParameters"
#define BCRYPT_KEY_DATA_BLOB u"KeyDataBlob"
#define NCRYPT_PKCS8_PRIVATE_KEY_BLOB u"PKCS8_PRIVATEKEY"
#define TLS_13_PRE_SHARED_KEY u"TLS13PRESHAREDKEY"
#define TLS_HYBRID_KEYEXCHANGE u"TLS_HYBRID_KEYEXCHANGE"
#define TLS_KEM_CIPHERTEXT u"TLS_KEM_CIPHER_TEXT"
#define BCRYPT_MLKEM_PUBLIC_BLOB u"MLKEMPUBLICBLOB"
#define BCRYPT_MLKEM_PRIVATE_BLOB u"MLKEMPRIVATEBLOB"
#define BCRYPT_MLKEM_PRIVATE_SEED_BLOB u"MLKEMPRIVATESEEDBLOB"
#define BCRYPT_MLKEM_PARAMETER_SET_512 u"512"
#define BCRYPT_MLKEM_PARAMETER_SET_768 u"768"
#define BCRYPT_MLKEM_PARAMETER_SET_1024 u"1024"

/* Algorithms. */
#define BCRYPT_RSA_ALGORITHM u"RSA"
#define BCRYPT_RSA_SIGN_ALGORITHM u"RSA_SIGN"
#define BCRYPT_DH_ALGORITHM u"DH"
#define BCRYPT_DSA_ALGORITHM u"DSA"
#define BCRYPT_ECDH_ALGORITHM u"ECDH"
#define BCRYPT_ECDSA_ALGORITHM u"ECDSA"
#define BCRYPT_ECDH_P256_ALGORITHM u"ECDH_P256"
#define BCRYPT_ECDH_P384_ALGORITHM u"ECDH_P384"
#define BCRYPT_ECDH_P521_ALGORITHM u"ECDH_P521"
#define BCRYPT_ECDSA_P256_ALGORITHM u"ECDSA_P256"
#define BCRYPT_ECDSA_P384_ALGORITHM u"ECDSA_P384"
#define BCRYPT_ECDSA_P521_ALGORITHM u"ECDSA_P521"
#define BCRYPT_AES_ALGORITHM u"AES"
#define BCRYPT_3DES_ALGORITHM u"3DES"
#define BCRYPT_3DES_112_ALGORITHM u"3DES_112"
#define BCRYPT_DES_ALGORITHM u"DES"
#define BCRYPT_DESX_ALGORITHM u"DESX"
#define BCRYPT_RC2_ALGORITHM u"RC2"
#define BCRYPT_RC4_ALGORITHM u"RC4"
#define BCRYPT_CHACHA20_POLY1305_ALGORITHM u"CHACHA20_POLY1305"
#define BCRYPT_MLKEM_ALGORITHM u"ML-KEM"
#define BCRYPT_MD2_ALGORITHM u"MD2"
#define BCRYPT_MD4_ALGORITHM u"MD4"
#define BCRYPT_MD5_ALGORITHM u"MD5"
#define BCRYPT_SHA1_ALGORITHM u"SHA1"
#define BCRYPT_SHA256_ALGORITHM u"SHA256"
#define BCRYPT_SHA384_ALGORITHM u"SHA384"
#define BCRYPT_SHA512_ALGORITHM u"SHA512"

/* Curves. */
#define BCRYPT_ECC_CURVE_25519 u"curve25519"
#define BCRYPT_ECC_CURVE_NISTP192 u"nistP192"
#define BCRYPT_ECC_CURVE_NISTP224 u"nistP224"
#define BCRYPT_ECC_CURVE_NISTP256 u"nistP256"
#define BCRYPT_ECC_CURVE_NISTP384 u"nistP384"
#define BCRYPT_ECC_CURVE_NISTP521 u"nistP521"
#define BCRYPT_ECC_CURVE_BRAINPOOLP256R1 u"brainpoolP256r1"
#define BCRYPT_ECC_CURVE_BRAINPOOLP384R1 u"brainpoolP384r1"
#define BCRYPT_ECC_CURVE_BRAINPOOLP512R1 u"brainpoolP512r1"
#define BCRYPT_ECC_CURVE_SECP160K1 u"secP160k1"
#define BCRYPT_ECC_CURVE_SECP160R1 u"secP160r1"
#define BCRYPT_ECC_CURVE_SECP160R2 u"secP160r2"
#define BCRYPT_ECC_CURVE_SECP192K1 u"secP192k1"
#define BCRYPT_ECC_CURVE_SECP192R1 u"secP192r1"
#define BCRYPT_ECC_CURVE_SECP224K1 u"secP224k1"
#define BCRYPT_ECC_CURVE_SECP224R1 u"secP224r1"
#define BCRYPT_ECC_CURVE_SECP256K1 u"secP256k1"
#define BCRYPT_ECC_CURVE_SECP256R1 u"secP256r1"
#define BCRYPT_ECC_CURVE_SECP384R1 u"secP384r1"
#define BCRYPT_ECC_CURVE_SECP521R1 u"secP521r1"

/* Chaining modes. */
#define BCRYPT_CHAIN_MODE_NA u"ChainingModeN/A"
#define BCRYPT_CHAIN_MODE_CBC u"ChainingModeCBC"
#define BCRYPT_CHAIN_MODE_ECB u"ChainingModeECB"
#define BCRYPT_CHAIN_MODE_CFB u"ChainingModeCFB"
#define BCRYPT_CHAIN_MODE_CCM u"ChainingModeCCM"
#define BCRYPT_CHAIN_MODE_GCM u"ChainingModeGCM"

/* Properties. */
#define NCRYPT_NAME_PROPERTY u"Name"
#define NCRYPT_UNIQUE_NAME_PROPERTY u"Unique Name"
#define NCRYPT_ALGORITHM_PROPERTY u"Algorithm Name"
#define NCRYPT_ALGORITHM_GROUP_PROPERTY u"Algorithm Group"
#define NCRYPT_LENGTH_PROPERTY u"Length"
#define NCRYPT_LENGTHS_PROPERTY u"Lengths"
#define NCRYPT_BLOCK_LENGTH_PROPERTY u"Block Length"
#define NCRYPT_KEY_TYPE_PROPERTY u"Key Type"
#define NCRYPT_KEY_USAGE_PROPERTY u"Key Usage"
#define NCRYPT_EXPORT_POLICY_PROPERTY u"Export Policy"
#define NCRYPT_IMPL_TYPE_PROPERTY u"Impl Type"
#define NCRYPT_PROVIDER_HANDLE_PROPERTY u"Provider Handle"
#define BCRYPT_PUBLIC_KEY_LENGTH u"PublicKeyLength"
#define BCRYPT_SIGNATURE_LENGTH u"SignatureLength"
#define BCRYPT_ECC_CURVE_NAME u"ECCCurveName"

#else

/* Provider names and values in records. */
#define MS_SCHANNEL_PROVIDER \
    ((const WCHAR[]){'M', 'i', 'c', 'r', 'o', 's', 'o', 'f', 't', ' ', 'S', 'S', 'L', ' ', 'P', \
     'r', 'o', 't', 'o', 'c', 'o', 'l', ' ', 'P', 'r', 'o', 'v', 'i', 'd', 'e', 'r', 0})
#define MS_KEY_STORAGE_PROVIDER \
    ((const WCHAR[]){'M', 'i', 'c', 'r', 'o', 's', 'o', 'f', 't', ' ', 'S', 'o', 'f', 't', 'w', \
     'a', 'r', 'e', ' ', 'K', 'e', 'y', ' ', 'S', 't', 'o', 'r', 'a', 'g', 'e', ' ', 'P', 'r', \
     'o', 'v', 'i', 'd', 'e', 'r', 0})
#define SSL_KEY_TYPE_PROPERTY \
    ((const WCHAR[]){'K', 'E', 'Y', 'T', 'Y', 'P', 'E', 0})
#define SSL_ECDSA_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'S', 'A', 0})
#define TLS_PSK_EXCHANGE \
    ((const WCHAR[]){'P', 'S', 'K', 0})
#define TLS_RSA_PSK_EXCHANGE \
    ((const WCHAR[]){'R', 'S', 'A', '_', 'P', 'S', 'K', 0})

/* Blob types. */
#define BCRYPT_OPAQUE_KEY_BLOB \
    ((const WCHAR[]){'O', 'p', 'a', 'q', 'u', 'e', 'K', 'e', 'y', 'B', 'l', 'o', 'b', 0})
#define BCRYPT_PUBLIC_KEY_BLOB \
    ((const WCHAR[]){'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_PRIVATE_KEY_BLOB \
    ((const WCHAR[]){'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_RSAPUBLIC_BLOB \
    ((const WCHAR[]){'R', 'S', 'A', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_RSAPRIVATE_BLOB \
    ((const WCHAR[]){'R', 'S', 'A', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_RSAFULLPRIVATE_BLOB \
    ((const WCHAR[]){'R', 'S', 'A', 'F', 'U', 'L', 'L', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', \
     'L', 'O', 'B', 0})
#define LEGACY_RSAPUBLIC_BLOB \
    ((const WCHAR[]){'C', 'A', 'P', 'I', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_ECCPUBLIC_BLOB \
    ((const WCHAR[]){'E', 'C', 'C', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_ECCPRIVATE_BLOB \
    ((const WCHAR[]){'E', 'C', 'C', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', 'L', 'O', 'B', 0})
#define SSL_ECCPUBLIC_BLOB \
    ((const WCHAR[]){'S', 'S', 'L', 'E', 'C', 'C', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', \
     'B', 0})
#define BCRYPT_DH_PUBLIC_BLOB \
    ((const WCHAR[]){'D', 'H', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_DH_PRIVATE_BLOB \
    ((const WCHAR[]){'D', 'H', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_DH_PARAMETERS \
    ((const WCHAR[]){'D', 'H', 'P', 'a', 'r', 'a', 'm', 'e', 't', 'e', 'r', 's', 0})
#define BCRYPT_KEY_DATA_BLOB \
    ((const WCHAR[]){'K', 'e', 'y', 'D', 'a', 't', 'a', 'B', 'l', 'o', 'b', 0})
#define NCRYPT_PKCS8_PRIVATE_KEY_BLOB \
    ((const WCHAR[]){'P', 'K', 'C', 'S', '8', '_', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'K', 'E', \
     'Y', 0})
#define TLS_13_PRE_SHARED_KEY \
    ((const WCHAR[]){'T', 'L', 'S', '1', '3', 'P', 'R', 'E', 'S', 'H', 'A', 'R', 'E', 'D', 'K', \
     'E', 'Y', 0})
#define TLS_HYBRID_KEYEXCHANGE \
    ((const WCHAR[]){'T', 'L', 'S', '_', 'H', 'Y', 'B', 'R', 'I', 'D', '_', 'K', 'E', 'Y', 'E', \
     'X', 'C', 'H', 'A', 'N', 'G', 'E', 0})
#define TLS_KEM_CIPHERTEXT \
    ((const WCHAR[]){'T', 'L', 'S', '_', 'K', 'E', 'M', '_', 'C', 'I', 'P', 'H', 'E', 'R', '_', \
     'T', 'E', 'X', 'T', 0})
#define BCRYPT_MLKEM_PUBLIC_BLOB \
    ((const WCHAR[]){'M', 'L', 'K', 'E', 'M', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', \
     0})
#define BCRYPT_MLKEM_PRIVATE_BLOB \
    ((const WCHAR[]){'M', 'L', 'K', 'E', 'M', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'B', 'L', 'O', \
     'B', 0})
#define BCRYPT_MLKEM_PRIVATE_SEED_BLOB \
    ((const WCHAR[]){'M', 'L', 'K', 'E', 'M', 'P', 'R', 'I', 'V', 'A', 'T', 'E', 'S', 'E', 'E', \
     'D', 'B', 'L', 'O', 'B', 0})
#define BCRYPT_MLKEM_PARAMETER_SET_512 \
    ((const WCHAR[]){'5', '1', '2', 0})
#define BCRYPT_MLKEM_PARAMETER_SET_768 \
    ((const WCHAR[]){'7', '6', '8', 0})
#define BCRYPT_MLKEM_PARAMETER_SET_1024 \
    ((const WCHAR[]){'1', '0', '2', '4', 0})

/* Algorithms. */
#define BCRYPT_RSA_ALGORITHM \
    ((const WCHAR[]){'R', 'S', 'A', 0})
#define BCRYPT_RSA_SIGN_ALGORITHM \
    ((const WCHAR[]){'R', 'S', 'A', '_', 'S', 'I', 'G', 'N', 0})
#define BCRYPT_DH_ALGORITHM \
    ((const WCHAR[]){'D', 'H', 0})
#define BCRYPT_DSA_ALGORITHM \
    ((const WCHAR[]){'D', 'S', 'A', 0})
#define BCRYPT_ECDH_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'H', 0})
#define BCRYPT_ECDSA_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'S', 'A', 0})
#define BCRYPT_ECDH_P256_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'H', '_', 'P', '2', '5', '6', 0})
#define BCRYPT_ECDH_P384_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'H', '_', 'P', '3', '8', '4', 0})
#define BCRYPT_ECDH_P521_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'H', '_', 'P', '5', '2', '1', 0})
#define BCRYPT_ECDSA_P256_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'S', 'A', '_', 'P', '2', '5', '6', 0})
#define BCRYPT_ECDSA_P384_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'S', 'A', '_', 'P', '3', '8', '4', 0})
#define BCRYPT_ECDSA_P521_ALGORITHM \
    ((const WCHAR[]){'E', 'C', 'D', 'S', 'A', '_', 'P', '5', '2', '1', 0})
#define BCRYPT_AES_ALGORITHM \
    ((const WCHAR[]){'A', 'E', 'S', 0})
#define BCRYPT_3DES_ALGORITHM \
    ((const WCHAR[]){'3', 'D', 'E', 'S', 0})
#define BCRYPT_3DES_112_ALGORITHM \
    ((const WCHAR[]){'3', 'D', 'E', 'S', '_', '1', '1', '2', 0})
#define BCRYPT_DES_ALGORITHM \
    ((const WCHAR[]){'D', 'E', 'S', 0})
#define BCRYPT_DESX_ALGORITHM \
    ((const WCHAR[]){'D', 'E', 'S', 'X', 0})
#define BCRYPT_RC2_ALGORITHM \
    ((const WCHAR[]){'R', 'C', '2', 0})
#define BCRYPT_RC4_ALGORITHM \
    ((const WCHAR[]){'R', 'C', '4', 0})
#define BCRYPT_CHACHA20_POLY1305_ALGORITHM \
    ((const WCHAR[]){'C', 'H', 'A', 'C', 'H', 'A', '2', '0', '_', 'P', 'O', 'L', 'Y', '1', '3', \
     '0', '5', 0})
#define BCRYPT_MLKEM_ALGORITHM \
    ((const WCHAR[]){'M', 'L', '-', 'K', 'E', 'M', 0})
#define BCRYPT_MD2_ALGORITHM \
    ((const WCHAR[]){'M', 'D', '2', 0})
#define BCRYPT_MD4_ALGORITHM \
    ((const WCHAR[]){'M', 'D', '4', 0})
#define BCRYPT_MD5_ALGORITHM \
    ((const WCHAR[]){'M', 'D', '5', 0})
#define BCRYPT_SHA1_ALGORITHM \
    ((const WCHAR[]){'S', 'H', 'A', '1', 0})
#define BCRYPT_SHA256_ALGORITHM \
    ((const WCHAR[]){'S', 'H', 'A', '2', '5', '6', 0})
#define BCRYPT_SHA384_ALGORITHM \
    ((const WCHAR[]){'S', 'H', 'A', '3', '8', '4', 0})
#define BCRYPT_SHA512_ALGORITHM \
    ((const WCHAR[]){'S', 'H', 'A', '5', '1', '2', 0})

/* Curves. */
#define BCRYPT_ECC_CURVE_25519 \
    ((const WCHAR[]){'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9', 0})
#define BCRYPT_ECC_CURVE_NISTP192 \
    ((const WCHAR[]){'n', 'i', 's', 't', 'P', '1', '9', '2', 0})
#define BCRYPT_ECC_CURVE_NISTP224 \
    ((const WCHAR[]){'n', 'i', 's', 't', 'P', '2', '2', '4', 0})
#define BCRYPT_ECC_CURVE_NISTP256 \
    ((const WCHAR[]){'n', 'i', 's', 't', 'P', '2', '5', '6', 0})
#define BCRYPT_ECC_CURVE_NISTP384 \
    ((const WCHAR[]){'n', 'i', 's', 't', 'P', '3', '8', '4', 0})
#define BCRYPT_ECC_CURVE_NISTP521 \
    ((const WCHAR[]){'n', 'i', 's', 't', 'P', '5', '2', '1', 0})
#define BCRYPT_ECC_CURVE_BRAINPOOLP256R1 \
    ((const WCHAR[]){'b', 'r', 'a', 'i', 'n', 'p', 'o', 'o', 'l', 'P', '2', '5', '6', 'r', '1', \
     0})
#define BCRYPT_ECC_CURVE_BRAINPOOLP384R1 \
    ((const WCHAR[]){'b', 'r', 'a', 'i', 'n', 'p', 'o', 'o', 'l', 'P', '3', '8', '4', 'r', '1', \
     0})
#define BCRYPT_ECC_CURVE_BRAINPOOLP512R1 \
    ((const WCHAR[]){'b', 'r', 'a', 'i', 'n', 'p', 'o', 'o', 'l', 'P', '5', '1', '2', 'r', '1', \
     0})
#define BCRYPT_ECC_CURVE_SECP160K1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '1', '6', '0', 'k', '1', 0})
#define BCRYPT_ECC_CURVE_SECP160R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '1', '6', '0', 'r', '1', 0})
#define BCRYPT_ECC_CURVE_SECP160R2 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '1', '6', '0', 'r', '2', 0})
#define BCRYPT_ECC_CURVE_SECP192K1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '1', '9', '2', 'k', '1', 0})
#define BCRYPT_ECC_CURVE_SECP192R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '1', '9', '2', 'r', '1', 0})
#define BCRYPT_ECC_CURVE_SECP224K1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '2', '2', '4', 'k', '1', 0})
#define BCRYPT_ECC_CURVE_SECP224R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '2', '2', '4', 'r', '1', 0})
#define BCRYPT_ECC_CURVE_SECP256K1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '2', '5', '6', 'k', '1', 0})
#define BCRYPT_ECC_CURVE_SECP256R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '2', '5', '6', 'r', '1', 0})
#define BCRYPT_ECC_CURVE_SECP384R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '3', '8', '4', 'r', '1', 0})
#define BCRYPT_ECC_CURVE_SECP521R1 \
    ((const WCHAR[]){'s', 'e', 'c', 'P', '5', '2', '1', 'r', '1', 0})

/* Chaining modes. */
#define BCRYPT_CHAIN_MODE_NA \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'N', '/', 'A', \
     0})
#define BCRYPT_CHAIN_MODE_CBC \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'C', 'B', 'C', \
     0})
#define BCRYPT_CHAIN_MODE_ECB \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'E', 'C', 'B', \
     0})
#define BCRYPT_CHAIN_MODE_CFB \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'C', 'F', 'B', \
     0})
#define BCRYPT_CHAIN_MODE_CCM \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'C', 'C', 'M', \
     0})
#define BCRYPT_CHAIN_MODE_GCM \
    ((const WCHAR[]){'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'G', 'C', 'M', \
     0})

/* Properties. */
#define NCRYPT_NAME_PROPERTY \
    ((const WCHAR[]){'N', 'a', 'm', 'e', 0})
#define NCRYPT_UNIQUE_NAME_PROPERTY \
    ((const WCHAR[]){'U', 'n', 'i', 'q', 'u', 'e', ' ', 'N', 'a', 'm', 'e', 0})
#define NCRYPT_ALGORITHM_PROPERTY \
    ((const WCHAR[]){'A', 'l', 'g', 'o', 'r', 'i', 't', 'h', 'm', ' ', 'N', 'a', 'm', 'e', 0})
#define NCRYPT_ALGORITHM_GROUP_PROPERTY \
    ((const WCHAR[]){'A', 'l', 'g', 'o', 'r', 'i', 't', 'h', 'm', ' ', 'G', 'r', 'o', 'u', 'p', \
     0})
#define NCRYPT_LENGTH_PROPERTY \
    ((const WCHAR[]){'L', 'e', 'n', 'g', 't', 'h', 0})
#define NCRYPT_LENGTHS_PROPERTY \
    ((const WCHAR[]){'L', 'e', 'n', 'g', 't', 'h', 's', 0})
#define NCRYPT_BLOCK_LENGTH_PROPERTY \
    ((const WCHAR[]){'B', 'l', 'o', 'c', 'k', ' ', 'L', 'e', 'n', 'g', 't', 'h', 0})
#define NCRYPT_KEY_TYPE_PROPERTY \
    ((const WCHAR[]){'K', 'e', 'y', ' ', 'T', 'y', 'p', 'e', 0})
#define NCRYPT_KEY_USAGE_PROPERTY \
    ((const WCHAR[]){'K', 'e', 'y', ' ', 'U', 's', 'a', 'g', 'e', 0})
#define NCRYPT_EXPORT_POLICY_PROPERTY \
    ((const WCHAR[]){'E', 'x', 'p', 'o', 'r', 't', ' ', 'P', 'o', 'l', 'i', 'c', 'y', 0})
#define NCRYPT_IMPL_TYPE_PROPERTY \
    ((const WCHAR[]){'I', 'm', 'p', 'l', ' ', 'T', 'y', 'p', 'e', 0})
#define NCRYPT_PROVIDER_HANDLE_PROPERTY \
    ((const WCHAR[]){'P', 'r', 'o', 'v', 'i', 'd', 'e', 'r', ' ', 'H', 'a', 'n', 'd', 'l', 'e', \
     0})
#define BCRYPT_PUBLIC_KEY_LENGTH \
    ((const WCHAR[]){'P', 'u', 'b', 'l', 'i', 'c', 'K', 'e', 'y', 'L', 'e', 'n', 'g', 't', 'h', \
     0})
#define BCRYPT_SIGNATURE_LENGTH \
    ((const WCHAR[]){'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', 'L', 'e', 'n', 'g', 't', 'h', \
     0})
#define BCRYPT_ECC_CURVE_NAME \
    ((const WCHAR[]){'E', 'C', 'C', 'C', 'u', 'r', 'v', 'e', 'N', 'a', 'm', 'e', 0})

#endif

/* Algorithms and their groups, by the names of ncrypt.h. */
#define NCRYPT_RSA_ALGORITHM BCRYPT_RSA_ALGORITHM
#define NCRYPT_RSA_SIGN_ALGORITHM BCRYPT_RSA_SIGN_ALGORITHM
#define NCRYPT_DH_ALGORITHM BCRYPT_DH_ALGORITHM
#define NCRYPT_DSA_ALGORITHM BCRYPT_DSA_ALGORITHM
#define NCRYPT_ECDH_ALGORITHM BCRYPT_ECDH_ALGORITHM
#define NCRYPT_ECDH_P256_ALGORITHM BCRYPT_ECDH_P256_ALGORITHM
#define NCRYPT_ECDH_P384_ALGORITHM BCRYPT_ECDH_P384_ALGORITHM
#define NCRYPT_ECDH_P521_ALGORITHM BCRYPT_ECDH_P521_ALGORITHM
#define NCRYPT_ECDSA_ALGORITHM BCRYPT_ECDSA_ALGORITHM
#define NCRYPT_ECDSA_P256_ALGORITHM BCRYPT_ECDSA_P256_ALGORITHM
#define NCRYPT_ECDSA_P384_ALGORITHM BCRYPT_ECDSA_P384_ALGORITHM
#define NCRYPT_ECDSA_P521_ALGORITHM BCRYPT_ECDSA_P521_ALGORITHM
#define NCRYPT_AES_ALGORITHM BCRYPT_AES_ALGORITHM
#define NCRYPT_3DES_ALGORITHM BCRYPT_3DES_ALGORITHM
#define NCRYPT_3DES_112_ALGORITHM BCRYPT_3DES_112_ALGORITHM
#define NCRYPT_DES_ALGORITHM BCRYPT_DES_ALGORITHM
#define NCRYPT_DESX_ALGORITHM BCRYPT_DESX_ALGORITHM
#define NCRYPT_RC2_ALGORITHM BCRYPT_RC2_ALGORITHM
#define NCRYPT_MD2_ALGORITHM BCRYPT_MD2_ALGORITHM
#define NCRYPT_MD4_ALGORITHM BCRYPT_MD4_ALGORITHM
#define NCRYPT_MD5_ALGORITHM BCRYPT_MD5_ALGORITHM
#define NCRYPT_SHA1_ALGORITHM BCRYPT_SHA1_ALGORITHM
#define NCRYPT_SHA256_ALGORITHM BCRYPT_SHA256_ALGORITHM
#define NCRYPT_SHA384_ALGORITHM BCRYPT_SHA384_ALGORITHM
#define NCRYPT_SHA512_ALGORITHM BCRYPT_SHA512_ALGORITHM
#define NCRYPT_RSA_ALGORITHM_GROUP NCRYPT_RSA_ALGORITHM
#define NCRYPT_DH_ALGORITHM_GROUP NCRYPT_DH_ALGORITHM
#define NCRYPT_DSA_ALGORITHM_GROUP NCRYPT_DSA_ALGORITHM
#define NCRYPT_ECDH_ALGORITHM_GROUP NCRYPT_ECDH_ALGORITHM
#define NCRYPT_ECDSA_ALGORITHM_GROUP NCRYPT_ECDSA_ALGORITHM
#define NCRYPT_AES_ALGORITHM_GROUP NCRYPT_AES_ALGORITHM
#define NCRYPT_DES_ALGORITHM_GROUP NCRYPT_DES_ALGORITHM
#define NCRYPT_RC2_ALGORITHM_GROUP NCRYPT_RC2_ALGORITHM

/* Structures. */

typedef struct _BCRYPT_INTERFACE_VERSION {
    USHORT MajorVersion;
    USHORT MinorVersion;
} BCRYPT_INTERFACE_VERSION, *PBCRYPT_INTERFACE_VERSION;

/* Versions of the function table, as initialisers. As on Windows, the name without a number is
 * version 1.0; the table of this library is version 5.0. */
#define BCRYPT_MAKE_INTERFACE_VERSION(major,minor) {(USHORT)(major), (USHORT)(minor)}
#define NCRYPT_SSL_INTERFACE_VERSION BCRYPT_MAKE_INTERFACE_VERSION(1, 0)
#define NCRYPT_SSL_INTERFACE_VERSION_1 BCRYPT_MAKE_INTERFACE_VERSION(1, 0)
#define NCRYPT_SSL_INTERFACE_VERSION_2 BCRYPT_MAKE_INTERFACE_VERSION(2, 0)
#define NCRYPT_SSL_INTERFACE_VERSION_3 BCRYPT_MAKE_INTERFACE_VERSION(3, 0)
#define NCRYPT_SSL_INTERFACE_VERSION_4 BCRYPT_MAKE_INTERFACE_VERSION(4, 0)
#define NCRYPT_SSL_INTERFACE_VERSION_5 BCRYPT_MAKE_INTERFACE_VERSION(5, 0)

/* One entry of a parameter list: cbBuffer bytes at pvBuffer. */
typedef struct _BCryptBuffer {
    ULONG cbBuffer;
    ULONG BufferType;
    PVOID pvBuffer;
} BCryptBuffer, *PBCryptBuffer, NCryptBuffer, *PNCryptBuffer;

/* A parameter list. ulVersion is NCRYPTBUFFER_VERSION; there are at most 256 entries. */
typedef struct _BCryptBufferDesc {
    ULONG ulVersion;
    ULONG cBuffers;
    PBCryptBuffer pBuffers;
} BCryptBufferDesc, *PBCryptBufferDesc, NCryptBufferDesc, *PNCryptBufferDesc;

typedef struct NCryptProviderName {
    LPWSTR pszName;
    LPWSTR pszComment;
} NCryptProviderName;

typedef struct NCryptAlgorithmName {
    LPWSTR pszName;
    DWORD dwClass;
    DWORD dwAlgOperations;
    DWORD dwFlags;
} NCryptAlgorithmName;

typedef struct NCryptKeyName {
    LPWSTR pszName;
    LPWSTR pszAlgid;
    DWORD dwLegacyKeySpec;
    DWORD dwFlags;
} NCryptKeyName;

/* Only the encoded certificate is read. */
typedef struct _CERT_CONTEXT {
    DWORD dwCertEncodingType;
    BYTE *pbCertEncoded;
    DWORD cbCertEncoded;
    struct _CERT_INFO *pCertInfo;
    void *hCertStore;
} CERT_CONTEXT, *PCERT_CONTEXT;
typedef const CERT_CONTEXT *PCCERT_CONTEXT;

/* Lengths are in bits, except dwCipherBlockLen, which is in bytes. */
typedef struct _NCRYPT_SSL_CIPHER_SUITE {
    DWORD dwProtocol;
    DWORD dwCipherSuite;
    DWORD dwBaseCipherSuite;
    WCHAR szCipherSuite[NCRYPT_SSL_MAX_NAME_SIZE];
    WCHAR szCipher[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwCipherLen;
    DWORD dwCipherBlockLen;
    WCHAR szHash[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwHashLen;
    WCHAR szExchange[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwMinExchangeLen;
    DWORD dwMaxExchangeLen;
    WCHAR szCertificate[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwKeyType;
} NCRYPT_SSL_CIPHER_SUITE;

typedef struct _NCRYPT_SSL_CIPHER_SUITE_EX {
    DWORD dwVersion;
    DWORD dwProtocol;
    DWORD dwCipherSuite;
    DWORD dwBaseCipherSuite;
    WCHAR szCipherSuite[NCRYPT_SSL_MAX_NAME_SIZE];
    WCHAR szCipher[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwCipherLen;
    DWORD dwCipherBlockLen;
    WCHAR szHash[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwHashLen;
    WCHAR szExchange[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwMinExchangeLen;
    DWORD dwMaxExchangeLen;
    WCHAR szCertificate[NCRYPT_SSL_MAX_NAME_SIZE];
    DWORD dwKeyType;
    WCHAR szCipherMode[NCRYPT_SSL_MAX_NAME_SIZE];
} NCRYPT_SSL_CIPHER_SUITE_EX;

/* Lengths are in bytes. */
typedef struct _NCRYPT_SSL_CIPHER_LENGTHS {
    DWORD cbLength;
    DWORD dwHeaderLen;
    DWORD dwFixedTrailerLen;
    DWORD dwMaxVariableTrailerLen;
    DWORD dwFlags;
} NCRYPT_SSL_CIPHER_LENGTHS;

typedef struct _NCRYPT_SSL_ECC_CURVE {
    WCHAR szCurveName[MSCRYPT_ECC_MAX_CURVE_NAME_LENGTH];
    CHAR szOID[MSCRYPT_ECC_MAX_OID_LENGTH];
    DWORD dwPublicKeyLength;
    DWORD dwCurveType;
    DWORD dwFlags;
} NCRYPT_SSL_ECC_CURVE, *PNCRYPT_SSL_ECC_CURVE;

/* The start of every key blob with a magic number. */
typedef struct _BCRYPT_KEY_BLOB {
    ULONG Magic;
} BCRYPT_KEY_BLOB;

/*
 * RSA key blobs. Big-endian numbers follow: exponent, modulus; in RSAPRIVATEBLOB also prime 1 and
 * prime 2; in RSAFULLPRIVATEBLOB then exponent 1, exponent 2, coefficient and the private exponent.
 */
typedef struct _BCRYPT_RSAKEY_BLOB {
    ULONG Magic;
    ULONG BitLength;
    ULONG cbPublicExp;
    ULONG cbModulus;
    ULONG cbPrime1;
    ULONG cbPrime2;
} BCRYPT_RSAKEY_BLOB;

typedef struct _BCRYPT_ECCKEY_BLOB {
    ULONG dwMagic;
    ULONG cbKey;
} BCRYPT_ECCKEY_BLOB, *PBCRYPT_ECCKEY_BLOB;

typedef struct _SSL_ECCKEY_BLOB {
    ULONG dwCurveType;
    ULONG cbKey;
} SSL_ECCKEY_BLOB, *PSSL_ECCKEY_BLOB;

typedef struct _BCRYPT_DH_KEY_BLOB {
    ULONG dwMagic;
    ULONG cbKey;
} BCRYPT_DH_KEY_BLOB, *PBCRYPT_DH_KEY_BLOB;

typedef struct _BCRYPT_DH_PARAMETER_HEADER {
    ULONG cbLength;
    ULONG dwMagic;
    ULONG cbKeyLength;
} BCRYPT_DH_PARAMETER_HEADER;

typedef struct _BCRYPT_KEY_DATA_BLOB_HEADER {
    ULONG dwMagic;
    ULONG dwVersion;
    ULONG cbKeyData;
} BCRYPT_KEY_DATA_BLOB_HEADER, *PBCRYPT_KEY_DATA_BLOB_HEADER;

/* The parameter set follows, cbParameterSet bytes of UTF-16 with the terminator, then the key. */
typedef struct _BCRYPT_MLKEM_KEY_BLOB {
    ULONG dwMagic;
    ULONG cbParameterSet;
    ULONG cbKey;
} BCRYPT_MLKEM_KEY_BLOB, *PBCRYPT_MLKEM_KEY_BLOB;

/* Up to four key shares or ciphertexts of a hybrid group, with their blob types. */
typedef struct _TLS_HYBRID_KEYEXCHANGE_BLOB {
    ULONG dwMagic;
    ULONG dwKeyType;
    UCHAR NumBlobs;
    LPWSTR rgwszBlobTypes[4];
    PBYTE rgbBlobs[4];
} TLS_HYBRID_KEYEXCHANGE_BLOB;

typedef struct _TLS_KEM_CIPHERTEXT_BLOB {
    ULONG dwMagic;
    ULONG cbLength;
} TLS_KEM_CIPHERTEXT_BLOB;

/* The EAP-TLS key block of SslComputeEapKeyBlock. */
typedef struct _SecPkgContext_EapKeyBlock {
    BYTE rgbKeys[128];
    BYTE rgbIVs[64];
} SecPkgContext_EapKeyBlock, *PSecPkgContext_EapKeyBlock;

/* The function table. */

typedef SECURITY_STATUS (WINAPI *SslComputeClientAuthHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    LPCWSTR pszAlgId,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslComputeEapKeyBlockFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    PBYTE pbRandoms,
    DWORD cbRandoms,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslComputeFinishedHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslCreateEphemeralKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phEphemeralKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    DWORD dwKeyBitLen,
    PBYTE pbParams,
    DWORD cbParams,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslCreateHandshakeHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE *phHandshakeHash,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslDecryptPacketFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    PBYTE pbInput,
    DWORD cbInput,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    ULONGLONG SequenceNumber,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslEncryptPacketFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    PBYTE pbInput,
    DWORD cbInput,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    ULONGLONG SequenceNumber,
    DWORD dwContentType,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslEnumCipherSuitesFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_SSL_CIPHER_SUITE **ppCipherSuite,
    PVOID *ppEnumState,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExportKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    LPCWSTR pszBlobType,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslFreeBufferFn)(
    PVOID pvInput);
typedef SECURITY_STATUS (WINAPI *SslFreeObjectFn)(
    NCRYPT_HANDLE hObject,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGenerateMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGenerateSessionKeysFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_KEY_HANDLE *phReadKey,
    NCRYPT_KEY_HANDLE *phWriteKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGetKeyPropertyFn)(
    NCRYPT_KEY_HANDLE hKey,
    LPCWSTR pszProperty,
    PBYTE *ppbOutput,
    DWORD *pcbOutput,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGetProviderPropertyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    LPCWSTR pszProperty,
    PBYTE *ppbOutput,
    DWORD *pcbOutput,
    PVOID *ppEnumState,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslHashHandshakeFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    PBYTE pbInput,
    DWORD cbInput,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslImportMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbEncryptedKey,
    DWORD cbEncryptedKey,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslImportKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phKey,
    LPCWSTR pszBlobType,
    PBYTE pbKeyBlob,
    DWORD cbKeyBlob,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslLookupCipherSuiteInfoFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    NCRYPT_SSL_CIPHER_SUITE *pCipherSuite,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslOpenPrivateKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phPrivateKey,
    PCCERT_CONTEXT pCertContext,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslOpenProviderFn)(
    NCRYPT_PROV_HANDLE *phSslProvider,
    LPCWSTR pszProviderName,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslSignHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    PBYTE pbHashValue,
    DWORD cbHashValue,
    PBYTE pbSignature,
    DWORD cbSignature,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslVerifySignatureFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPublicKey,
    PBYTE pbHashValue,
    DWORD cbHashValue,
    PBYTE pbSignature,
    DWORD cbSignature,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslLookupCipherLengthsFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    NCRYPT_SSL_CIPHER_LENGTHS *pCipherLengths,
    DWORD cbCipherLengths,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslCreateClientAuthHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE *phHandshakeHash,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    LPCWSTR pszHashAlgId,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGetCipherSuitePRFHashAlgorithmFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    WCHAR szPRFHash[NCRYPT_SSL_MAX_NAME_SIZE],
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslComputeSessionHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    DWORD dwProtocol,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslGeneratePreMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE *phPreMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslEnumEccCurvesFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD *pEccCurveCount,
    NCRYPT_SSL_ECC_CURVE **ppEccCurve,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExportKeyingMaterialFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    PCHAR sLabel,
    PBYTE pbRandoms,
    DWORD cbRandoms,
    PBYTE pbContextValue,
    WORD cbContextValue,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExtractEarlyKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPreSharedKey,
    NCRYPT_KEY_HANDLE *phEarlyKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExtractHandshakeKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE hEarlyKey,
    NCRYPT_KEY_HANDLE *phHandshakeKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExtractMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hHandshakeKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandTrafficKeysFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phClientTrafficKey,
    NCRYPT_KEY_HANDLE *phServerTrafficKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandWriteKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseTrafficKey,
    NCRYPT_KEY_HANDLE *phWriteKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandExporterMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phExporterMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslEnumCipherSuitesExFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_SSL_CIPHER_SUITE_EX **ppCipherSuite,
    PVOID *ppEnumState,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandResumptionMasterKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phResumptionMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslDuplicateTranscriptHashFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hTranscriptHash,
    NCRYPT_HASH_HANDLE *phTranscriptHash,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandBinderKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hEarlyKey,
    NCRYPT_KEY_HANDLE *phBinderKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslExpandPreSharedKeyFn)(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hResumptionMasterKey,
    PBYTE pbTicketNonce,
    DWORD cbTicketNonce,
    NCRYPT_KEY_HANDLE *phPreSharedKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

typedef struct _NCRYPT_SSL_FUNCTION_TABLE {
    BCRYPT_INTERFACE_VERSION Version;
    /* Interface 1.0. */
    SslComputeClientAuthHashFn ComputeClientAuthHash;
    SslComputeEapKeyBlockFn ComputeEapKeyBlock;
    SslComputeFinishedHashFn ComputeFinishedHash;
    SslCreateEphemeralKeyFn CreateEphemeralKey;
    SslCreateHandshakeHashFn CreateHandshakeHash;
    SslDecryptPacketFn DecryptPacket;
    SslEncryptPacketFn EncryptPacket;
    SslEnumCipherSuitesFn EnumCipherSuites;
    SslExportKeyFn ExportKey;
    SslFreeBufferFn FreeBuffer;
    SslFreeObjectFn FreeObject;
    SslGenerateMasterKeyFn GenerateMasterKey;
    SslGenerateSessionKeysFn GenerateSessionKeys;
    SslGetKeyPropertyFn GetKeyProperty;
    SslGetProviderPropertyFn GetProviderProperty;
    SslHashHandshakeFn HashHandshake;
    SslImportMasterKeyFn ImportMasterKey;
    SslImportKeyFn ImportKey;
    SslLookupCipherSuiteInfoFn LookupCipherSuiteInfo;
    SslOpenPrivateKeyFn OpenPrivateKey;
    SslOpenProviderFn OpenProvider;
    SslSignHashFn SignHash;
    SslVerifySignatureFn VerifySignature;
    /* Interface 2.0. */
    SslLookupCipherLengthsFn LookupCipherLengths;
    SslCreateClientAuthHashFn CreateClientAuthHash;
    SslGetCipherSuitePRFHashAlgorithmFn GetCipherSuitePRFHashAlgorithm;
    /* Interface 3.0. */
    SslComputeSessionHashFn ComputeSessionHash;
    SslGeneratePreMasterKeyFn GeneratePreMasterKey;
    SslEnumEccCurvesFn EnumEccCurves;
    SslExportKeyingMaterialFn ExportKeyingMaterial;
    /* Interface 4.0. */
    SslExtractEarlyKeyFn ExtractEarlyKey;
    SslExtractHandshakeKeyFn ExtractHandshakeKey;
    SslExtractMasterKeyFn ExtractMasterKey;
    SslExpandTrafficKeysFn ExpandTrafficKeys;
    SslExpandWriteKeyFn ExpandWriteKey;
    SslExpandExporterMasterKeyFn ExpandExporterMasterKey;
    SslEnumCipherSuitesExFn EnumCipherSuitesEx;
    /* Interface 5.0. */
    SslExpandResumptionMasterKeyFn ExpandResumptionMasterKey;
    SslDuplicateTranscriptHashFn DuplicateTranscriptHash;
    SslExpandBinderKeyFn ExpandBinderKey;
    SslExpandPreSharedKeyFn ExpandPreSharedKey;
} NCRYPT_SSL_FUNCTION_TABLE, *PNCRYPT_SSL_FUNCTION_TABLE;

typedef NTSTATUS (WINAPI *GetSChannelInterfaceFn)(
    LPCWSTR pszProviderName,
    NCRYPT_SSL_FUNCTION_TABLE **ppFunctionTable,
    DWORD dwFlags);
typedef SECURITY_STATUS (WINAPI *SslInitializeInterfaceFn)(
    LPCWSTR pszProviderName,
    NCRYPT_SSL_FUNCTION_TABLE *pFunctionTable,
    DWORD dwFlags);

/* Providers. */

/*
 * Opens a provider. NULL and MS_SCHANNEL_PROVIDER select the default backend; each name that
 * SslEnumProtocolProviders lists selects the backend of that name. RSA keys of 1024 bits and more
 * are taken, SSL 3.0 is off, session keys may be exported, and master secrets may not be read; for
 * another policy use SslProviderOpenWithPolicy. Free the handle with SslFreeObject.
 *
 * Returns NTE_PROV_DLL_NOT_FOUND for an unknown name, and for the default if no backend is compiled
 * in.
 */
SSLP_API SECURITY_STATUS WINAPI SslOpenProvider(
    NCRYPT_PROV_HANDLE *phSslProvider,
    LPCWSTR pszProviderName,
    DWORD dwFlags);

/*
 * Frees a handle: releases the caller's reference to a provider, or frees a key or a hash. A call
 * that uses the object in another thread completes undisturbed, and objects created with a provider
 * outlive it.
 *
 * Returns STATUS_INVALID_HANDLE for a value that is not a live handle, such as one freed before,
 * with any flags.
 */
SSLP_API SECURITY_STATUS WINAPI SslFreeObject(
    NCRYPT_HANDLE hObject,
    DWORD dwFlags);

/*
 * Frees a buffer or an enumeration state that a function of this library returned. Returns
 * NTE_INVALID_PARAMETER for every other pointer, including NULL, and does not dereference it.
 */
SSLP_API SECURITY_STATUS WINAPI SslFreeBuffer(
    PVOID pvInput);

/*
 * Increments the reference count of a provider's handle. Each reference, including the first, which
 * comes from opening the provider, is released by one call of SslDecrementProviderReferenceCount or
 * SslFreeObject. Returns NTE_INVALID_HANDLE for a handle that is not live.
 */
SSLP_API SECURITY_STATUS WINAPI SslIncrementProviderReferenceCount(
    NCRYPT_PROV_HANDLE hSslProvider);

/*
 * Decrements the reference count of a provider's handle, and frees the handle at 0. Returns
 * STATUS_INVALID_HANDLE for a handle that is not live.
 */
SSLP_API SECURITY_STATUS WINAPI SslDecrementProviderReferenceCount(
    NCRYPT_PROV_HANDLE hSslProvider);

/* Always returns NTE_NOT_SUPPORTED, as documented. */
SSLP_API SECURITY_STATUS WINAPI SslChangeNotify(
    PVOID hEvent,
    DWORD dwFlags);

/*
 * Lists the names that SslOpenProvider accepts, Microsoft's first, each with the name of its
 * library as the comment. One call of SslFreeBuffer frees the list and its strings.
 */
SSLP_API SECURITY_STATUS WINAPI SslEnumProtocolProviders(
    DWORD *pdwProviderCount,
    NCryptProviderName **ppProviderList,
    DWORD dwFlags);

/*
 * Returns a property of a provider: "Name" and "Library" as text with a terminator, "Impl Type" as
 * a DWORD. ppEnumState may be NULL; with a state, every later call returns NTE_NO_MORE_ITEMS,
 * because each property has one value. Returns NTE_NOT_SUPPORTED for other names.
 */
SSLP_API SECURITY_STATUS WINAPI SslGetProviderProperty(
    NCRYPT_PROV_HANDLE hSslProvider,
    LPCWSTR pszProperty,
    PBYTE *ppbOutput,
    DWORD *pcbOutput,
    PVOID *ppEnumState,
    DWORD dwFlags);

/*
 * Returns the address of the function table, which is static. pszProviderName is a name that
 * SslOpenProvider accepts. The statuses are NTSTATUS codes: STATUS_NOT_FOUND for an unknown name,
 * STATUS_INVALID_PARAMETER for other errors.
 */
SSLP_API NTSTATUS WINAPI GetSChannelInterface(
    LPCWSTR pszProviderName,
    NCRYPT_SSL_FUNCTION_TABLE **ppFunctionTable,
    DWORD dwFlags);

/*
 * Copies the function table, 336 bytes, into a table of the caller. Names and statuses are those of
 * GetSChannelInterface.
 */
SSLP_API SECURITY_STATUS WINAPI SslInitializeInterface(
    LPCWSTR pszProviderName,
    NCRYPT_SSL_FUNCTION_TABLE *pFunctionTable,
    DWORD dwFlags);

/* Cipher suites. */

/*
 * Returns one cipher suite of one protocol per call, best first, until NTE_NO_MORE_ITEMS.
 * *ppEnumState is NULL in the first call. Only suites that the provider supports are listed.
 * hPrivateKey is 0, or a key of a server that limits the list to the suites that it can be used
 * with: RSA suites, and DHE_RSA and ECDHE_RSA if it signs, for an RSA key, ECDHE_ECDSA for an ECDSA
 * key, those of TLS 1.3 for both if they sign, and none for an ECDH key. Free suites and state with
 * SslFreeBuffer.
 */
SSLP_API SECURITY_STATUS WINAPI SslEnumCipherSuites(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_SSL_CIPHER_SUITE **ppCipherSuite,
    PVOID *ppEnumState,
    DWORD dwFlags);

/* As SslEnumCipherSuites, with the chaining mode of the cipher. */
SSLP_API SECURITY_STATUS WINAPI SslEnumCipherSuitesEx(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_SSL_CIPHER_SUITE_EX **ppCipherSuite,
    PVOID *ppEnumState,
    DWORD dwFlags);

/*
 * Returns the properties of a cipher suite in a protocol, whether or not the provider supports it.
 * dwKeyType is 0, or for ECDHE suites the number of a curve in TLS, 22 to 29, such as 23 (P-256).
 * Returns NTE_INVALID_PARAMETER for an unknown combination.
 */
SSLP_API SECURITY_STATUS WINAPI SslLookupCipherSuiteInfo(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    NCRYPT_SSL_CIPHER_SUITE *pCipherSuite,
    DWORD dwFlags);

/*
 * Returns what a record adds to its content, in bytes: the record header with an explicit IV or
 * nonce, the MAC or tag, in TLS 1.3 with the byte of the content type that is encrypted, and the
 * longest padding that is written. dwKeyType is as for SslLookupCipherSuiteInfo. Returns
 * NTE_INVALID_PARAMETER for an unknown combination or a cbCipherLengths below 20, and
 * NTE_NOT_SUPPORTED for SSL 2.0.
 */
SSLP_API SECURITY_STATUS WINAPI SslLookupCipherLengths(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    NCRYPT_SSL_CIPHER_LENGTHS *pCipherLengths,
    DWORD cbCipherLengths,
    DWORD dwFlags);

/*
 * Returns the hash of a suite's PRF, "SHA256" or "SHA384". dwKeyType is as for
 * SslLookupCipherSuiteInfo. Returns NTE_NOT_SUPPORTED before TLS 1.2, where the PRF combines MD5
 * and SHA-1.
 */
SSLP_API SECURITY_STATUS WINAPI SslGetCipherSuitePRFHashAlgorithm(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    WCHAR szPRFHash[NCRYPT_SSL_MAX_NAME_SIZE],
    DWORD dwFlags);

/*
 * Lists the curves of ephemeral keys that the backend has, best first, in one array, which
 * SslFreeBuffer frees. dwPublicKeyLength is in bits, dwCurveType is what SslCreateEphemeralKey
 * takes as dwKeyType, szOID is empty for curve25519 (X25519), and dwFlags is 0. Behind all curves
 * stand the hybrid groups of TLS 1.3, best first again, with a dwCurveType above 255, no szOID, and
 * the length of a client's share: only TLS 1.3 has them, where they should be preferred. The groups
 * of DHE are the server's choice, and not listed.
 */
SSLP_API SECURITY_STATUS WINAPI SslEnumEccCurves(
    NCRYPT_PROV_HANDLE hSslProvider,
    DWORD *pEccCurveCount,
    NCRYPT_SSL_ECC_CURVE **ppEccCurve,
    DWORD dwFlags);

/* Keys. */

/*
 * Opens the private key of a certificate: a key that NCryptImportKey has imported, whose handle is
 * live, and whose public key is that of the certificate. Of the certificate only pbCertEncoded and
 * cbCertEncoded (DER) are read. An RSA key decrypts and signs, as far as the key usage in its
 * PKCS#8 structure allows both; an EC key signs if it was imported for ECDSA.
 *
 * On Linux, an RSA key that was not imported is looked for in the key server (sslprov
 * key-server) whose socket the environment variable SSL_PROVIDER_KEY_SERVER names. It must run as
 * the same user, as root, or as the user whose number is in SSL_PROVIDER_KEY_SERVER_UID. It does
 * the key exchange of SslImportMasterKey, which returns NTE_DEVICE_NOT_READY while it cannot be
 * reached. Such a key does not sign, and what a policy requires of RSA is not checked for it.
 *
 * Returns NTE_NO_KEY if there is no such key, NTE_DEVICE_NOT_READY if the key server cannot be
 * reached, NTE_BAD_TYPE if the key of the certificate is neither RSA nor on P-256, P-384 or P-521,
 * NTE_PERM if the modulus has fewer bits than dwMinKeyBits of the policy, and NTE_INVALID_PARAMETER
 * if SSL_PROVIDER_KEY_SERVER_UID is not a number.
 */
SSLP_API SECURITY_STATUS WINAPI SslOpenPrivateKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phPrivateKey,
    PCCERT_CONTEXT pCertContext,
    DWORD dwFlags);

/*
 * Returns a property of a private key. DWORDs are "Length" and "PublicKeyLength" in bits, "Block
 * Length" of an RSA key in bytes, "Key Usage", "Export Policy", "Impl Type", and "KEYTYPE", the
 * number of the curve or 0 for RSA. Texts are "Algorithm Name", "Algorithm Group", and
 * "ECCCurveName" of an EC key. Returns NTE_NOT_SUPPORTED for other names.
 */
SSLP_API SECURITY_STATUS WINAPI SslGetKeyProperty(
    NCRYPT_KEY_HANDLE hKey,
    LPCWSTR pszProperty,
    PBYTE *ppbOutput,
    DWORD *pcbOutput,
    DWORD dwFlags);

/*
 * Generates a private key for one key agreement of a DHE or ECDHE suite or of TLS 1.3. SslExportKey
 * returns its public half, for ServerKeyExchange, ClientKeyExchange or the extension key_share, and
 * SslGenerateMasterKey or SslExtractHandshakeKey agrees with it, once: a key of Diffie-Hellman that
 * is used again may be found through the leading zeros of its secrets (Raccoon).
 *
 * - ECDHE: dwKeyType is the number of a curve in TLS, 22 to 29: secp256k1, P-256 (23), P-384 (24),
 *   P-521 (25), three brainpool curves, X25519 (29); dwKeyBitLen is then ignored. With a dwKeyType
 *   of 0, a dwKeyBitLen of 256, 384 or 521 is a NIST curve, and 255 is X25519. pbParams is NULL.
 * - DHE: pbParams is the group that the server chose, a BCRYPT_DH_PARAMETER_HEADER with prime and
 *   generator behind it, of cbParams bytes in all; on a client too, of ServerKeyExchange. dwKeyType
 *   is 0, and dwKeyBitLen is 0 or the length of the prime.
 * - TLS 1.3, with any suite of it: a curve as for ECDHE, of 23, 24, 25 and 29; a finite field of
 *   RFC 7919, whose number, 256 to 260, is dwKeyType, or as for DHE; or a hybrid group:
 *   SecP256r1MLKEM768 (4587), X25519MLKEM768 (4588) or SecP384r1MLKEM1024 (4589). For a hybrid
 *   group a client passes no pbParams, and a server the share of the client, in the form of
 *   SslImportKey for TLS_HYBRID_KEYEXCHANGE: its key answers that share alone. That, and hybrid
 *   groups as a whole, are an extension of this library, since Windows has published no contract
 *   for them.
 *
 * Returns NTE_INVALID_PARAMETER for an unknown curve and for numbers that are no group, that is an
 * odd prime of at most 8192 bits and 1 < g < p - 1; that the prime is one is not checked. Returns
 * NTE_BAD_DATA where a generator of small order makes a public key of 1 or p - 1, which tells that
 * the group is a hostile one, and for a share of a hybrid group that must be refused. Returns
 * NTE_PERM for a prime that is shorter than what the policy asks of RSA, and NTE_NOT_SUPPORTED for
 * another suite and for a group that the backend does not have.
 */
SSLP_API SECURITY_STATUS WINAPI SslCreateEphemeralKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phEphemeralKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwKeyType,
    DWORD dwKeyBitLen,
    PBYTE pbParams,
    DWORD cbParams,
    DWORD dwFlags);

/*
 * Exports a session key for another process (OpaqueKeyBlob), or the public half of another key:
 * RSAPUBLICBLOB; ECCPUBLICBLOB of a key on P-256, P-384 or P-521, or of X25519, which has the magic
 * BCRYPT_ECDH_PUBLIC_GENERIC_MAGIC, the 32 bytes of TLS as x and zeros as y; SSLECCPUBLICBLOB of an
 * ECDH key on any curve, where X25519 has no y; DHPUBLICBLOB; PUBLICBLOB, which is that of its
 * algorithm; and TLS_HYBRID_KEYEXCHANGE of a key in a hybrid group. An ephemeral key is exported
 * before and after it has agreed. A point of TLS is 04 and both coordinates, and a number of DHE is
 * as long as the prime in the blob; TLS up to 1.2 lets it have leading zeros, and TLS 1.3 asks for
 * them.
 *
 * TLS_HYBRID_KEYEXCHANGE is the bare share, as the extension key_share carries it: an extension of
 * this library. TLS_HYBRID_KEYEXCHANGE_BLOB, whose use Windows has not documented, is not written.
 *
 * Returns NTE_NOT_SUPPORTED for a blob type that is not valid for this key type, and NTE_PERM if
 * the policy of the provider denies the export of session keys. Premaster, master and pre-shared
 * keys and the secrets of TLS 1.3 are not exported.
 *
 * An opaque blob holds the key unencrypted, with its position in the connection: the importer
 * continues with the next record, and the exported key must not be used for the same records.
 */
SSLP_API SECURITY_STATUS WINAPI SslExportKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    LPCWSTR pszBlobType,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Imports one of these, and returns NTE_NOT_SUPPORTED for other blob types:
 *
 * - OpaqueKeyBlob: a session key that another process exported from a provider with the same
 *   backend.
 * - RSAPUBLICBLOB, CAPIPUBLICBLOB, or ECCPUBLICBLOB with a magic of ECDSA: a public key for
 *   SslVerifySignature, or of RSA for SslGenerateMasterKey.
 * - ECCPUBLICBLOB with a magic of ECDH, SSLECCPUBLICBLOB, DHPUBLICBLOB: the peer's key of an
 *   (EC)DHE key agreement, in the form that SslExportKey writes. An ECCPUBLICBLOB of the generic
 *   magic is X25519; of other curves it would not say which, so they need an SSLECCPUBLICBLOB,
 *   whose dwCurveType is the number of the curve in TLS. A DHPUBLICBLOB has the prime and generator
 *   of one's own ephemeral key.
 * - PUBLICBLOB: RSAPUBLICBLOB, ECCPUBLICBLOB or DHPUBLICBLOB, which the magic tells.
 * - TLS_HYBRID_KEYEXCHANGE: the peer's share in a hybrid group of TLS 1.3, bare as SslExportKey
 *   writes it, of a client (1216, 1249 or 1665 bytes) or of a server (1120, 1153 or 1665): an
 *   extension of this library. The length tells the group.
 * - KeyDataBlob, or TLS13PRESHAREDKEY, which is a KeyDataBlob, or else, if it does not begin as
 *   one, the bare key: a pre-shared key of 1 to 1024 bytes, for SslExtractEarlyKey. What Windows
 *   expects in it is not public. That it is also the hPrivateKey of SslGenerateMasterKey is an
 *   extension of this library.
 *
 * Returns NTE_INVALID_PARAMETER for a blob that is not as its header says or has another magic,
 * NTE_BAD_KEY for a point that is not on P-256, P-384 or P-521 and for a number that is not between
 * 1 and p - 1, and NTE_BAD_TYPE for a curve that is not known. Points of other curves, and shares
 * of hybrid groups, are checked when they agree.
 */
SSLP_API SECURITY_STATUS WINAPI SslImportKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE *phKey,
    LPCWSTR pszBlobType,
    PBYTE pbKeyBlob,
    DWORD cbKeyBlob,
    DWORD dwFlags);

/* Hashes and signatures. */

/*
 * Starts a handshake hash for a protocol and a suite. In TLS 1.3, whose transcript hash it is, the
 * hash of the suite is all that matters. Returns NTE_INVALID_PARAMETER for a protocol or suite that
 * is unknown or disabled.
 */
SSLP_API SECURITY_STATUS WINAPI SslCreateHandshakeHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE *phHandshakeHash,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    DWORD dwFlags);

/*
 * Adds handshake messages to a hash: whole messages, each with its four-byte header, any number of
 * them per call.
 */
SSLP_API SECURITY_STATUS WINAPI SslHashHandshake(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    PBYTE pbInput,
    DWORD cbInput,
    DWORD dwFlags);

/*
 * Returns the value of a hash of SslCreateHandshakeHash, 36 bytes before TLS 1.2 and 32 or 48 in
 * TLS 1.2 and 1.3. After ClientKeyExchange it is the session hash of the extended master secret
 * (RFC 7627), to be passed as NCRYPTBUFFER_SSL_SESSION_HASH. In TLS 1.3 it is the transcript hash,
 * for CertificateVerify and for the message_hash that takes the place of the first ClientHello
 * after HelloRetryRequest (RFC 8446, 4.4.1). More messages can be added afterwards. Returns
 * NTE_NOT_SUPPORTED in SSL 3.0, and NTE_INVALID_PARAMETER for a hash of SslCreateClientAuthHash,
 * whose value SslComputeClientAuthHash returns.
 */
SSLP_API SECURITY_STATUS WINAPI SslComputeSessionHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    DWORD dwProtocol,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/* Creates a second hash with the same messages. */
SSLP_API SECURITY_STATUS WINAPI SslDuplicateTranscriptHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE hTranscriptHash,
    NCRYPT_HASH_HANDLE *phTranscriptHash,
    DWORD dwFlags);

/*
 * Computes the verify_data of a Finished message, the client's (NCRYPT_SSL_CLIENT_FLAG) or the
 * server's (NCRYPT_SSL_SERVER_FLAG). It fills cbOutput bytes: 12 or more in TLS, 36 in SSL 3.0.
 * More messages can be added to the hash afterwards.
 *
 * In TLS 1.3, hMasterKey is the traffic secret of the sender, and of the handshake, or of
 * application data if the client authenticates after the handshake; the flag is that of the sender,
 * or else NTE_BAD_FLAGS. With a key of SslExpandBinderKey it computes the binder of a pre-shared
 * key, with either flag. cbOutput is the length of the hash of the suite, 32 or 48. Returns
 * NTE_INVALID_PARAMETER for a traffic secret of early data, which have no Finished.
 */
SSLP_API SECURITY_STATUS WINAPI SslComputeFinishedHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD dwFlags);

/*
 * Starts a hash for the CertificateVerify of TLS 1.2 with "SHA1", "SHA256", "SHA384" or "SHA512";
 * add the same messages as to the handshake hash. SslComputeClientAuthHash returns its value, and
 * SslComputeSessionHash refuses it. Returns NTE_NOT_SUPPORTED for other algorithms, and
 * NTE_INVALID_PARAMETER for other protocols, where the handshake hash is used.
 */
SSLP_API SECURITY_STATUS WINAPI SslCreateClientAuthHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_HASH_HANDLE *phHandshakeHash,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    LPCWSTR pszHashAlgId,
    DWORD dwFlags);

/*
 * Returns what a client signs in CertificateVerify with a key of pszAlgId, such as "RSA" or
 * "ECDSA", to be passed to SslVerifySignature. Before TLS 1.2 that is computed from the handshake
 * hash: MD5 and SHA-1, 36 bytes, for RSA, and SHA-1, 20 bytes, for other keys. In TLS 1.2 it is the
 * value of the hash itself, from SslCreateClientAuthHash or the handshake hash. More messages can
 * be added to the hash afterwards.
 */
SSLP_API SECURITY_STATUS WINAPI SslComputeClientAuthHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHandshakeHash,
    LPCWSTR pszAlgId,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Signs a hash with a key of SslOpenPrivateKey, for ServerKeyExchange or CertificateVerify. The key
 * and dwFlags say how:
 *
 * - RSA, 0: PKCS#1 v1.5 without a DigestInfo. pbHashValue is any bytes, at least 1 and at most 11
 *   fewer than the modulus has, such as the 36 of MD5 and SHA-1 before TLS 1.2.
 * - RSA, NCRYPT_SSL_SIGN_INCLUDE_HASHOID: PKCS#1 v1.5 with the DigestInfo, as in TLS 1.2.
 *   pbHashValue is the name of the hash, "SHA1", "SHA256", "SHA384" or "SHA512", in UTF-16 with its
 *   NUL, and right behind it the digest; cbHashValue counts the bytes of both.
 * - RSA, NCRYPT_SSL_SIGN_USE_PSS_PADDING: PSS with a salt as long as the digest and MGF1 of the
 *   same hash. pbHashValue is name and digest as above, or the digest alone; SHA-256, SHA-384 or
 *   SHA-512.
 * - ECDSA, 0: pbHashValue is a digest alone, of 20, 32, 48 or 64 bytes. The signature is in DER, as
 *   TLS carries it (RFC 8422, 5.4); what Windows returns is not documented.
 *
 * The digest of ServerKeyExchange (RFC 5246, 7.4.3) comes from a handshake hash of its own: give
 * SslHashHandshake client random, server random and the parameters as the message carries them,
 * then call SslComputeSessionHash. In TLS 1.2 it is SHA-384 if the hash was created for a suite
 * with this PRF, else SHA-256; that suite need not be the negotiated one. Before, it is MD5 and
 * SHA-1, of which ECDSA signs the last 20 bytes. The digest of CertificateVerify is that of
 * SslComputeClientAuthHash.
 *
 * An RSA signature is as long as the modulus. An ECDSA signature differs in length from the next: a
 * NULL pbSignature asks for the longest, for which it must have room, and *pcbResult is then the
 * length of this one.
 *
 * Returns NTE_BAD_FLAGS for other flags, also both together, NTE_INVALID_PARAMETER for an unknown
 * name, a missing NUL or a digest of the wrong length or too long for the modulus, NTE_BAD_TYPE for
 * an ECDH key, and NTE_NOT_SUPPORTED for a key of a key server and for a key or a hash that the
 * backend does not sign with.
 */
SSLP_API SECURITY_STATUS WINAPI SslSignHash(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    PBYTE pbHashValue,
    DWORD cbHashValue,
    PBYTE pbSignature,
    DWORD cbSignature,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Verifies a signature with a public key of SslImportKey, or the public half of an RSA or ECDSA key
 * of this provider or of key storage. Key, dwFlags and pbHashValue are those of SslSignHash:
 * without NCRYPT_SSL_SIGN_INCLUDE_HASHOID an RSA signature with a DigestInfo is that of a hash with
 * it. An ECDSA signature is in DER, or r and s one after the other, each as long as a coordinate.
 *
 * Returns NTE_BAD_SIGNATURE if verification fails, NTE_BAD_FLAGS for other flags, also both
 * together, NTE_INVALID_PARAMETER for an unknown name, a missing NUL or a digest of the wrong
 * length, and NTE_BAD_TYPE for a key of ECDH or DH.
 */
SSLP_API SECURITY_STATUS WINAPI SslVerifySignature(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPublicKey,
    PBYTE pbHashValue,
    DWORD cbHashValue,
    PBYTE pbSignature,
    DWORD cbSignature,
    DWORD dwFlags);

/* The master key and the keys derived from it. */

/*
 * Decrypts the premaster secret of an RSA key exchange and computes the master key.
 *
 * The list holds both randoms, or the session hash, which selects the extended master secret and
 * takes precedence; and optionally the version that the client offered, 4 bytes. pbEncryptedKey is
 * the bare RSA ciphertext. dwFlags is NCRYPT_SSL_SERVER_FLAG.
 *
 * Returns, in the order of the checks: NTE_INVALID_HANDLE; NTE_BAD_TYPE for a key that is not RSA;
 * NTE_INVALID_PARAMETER for a NULL pointer; NTE_BAD_FLAGS; NTE_NOT_SUPPORTED for protocol or suite;
 * NTE_INVALID_PARAMETER for the list; NTE_PERM for a key that the policy of the provider forbids.
 *
 * No content of the ciphertext is an error (implicit rejection), so that the call is no padding
 * oracle (Bleichenbacher): with wrong padding, length or version it succeeds with a master key that
 * no client has, and the handshake fails at Finished (RFC 5246, 7.4.7.1).
 */
SSLP_API SECURITY_STATUS WINAPI SslImportMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbEncryptedKey,
    DWORD cbEncryptedKey,
    DWORD dwFlags);

/*
 * Computes the master key of a client with RSA key exchange, or of either side of (EC)DHE and PSK.
 * dwFlags is NCRYPT_SSL_CLIENT_FLAG or NCRYPT_SSL_SERVER_FLAG, the side that the caller is on. What
 * is computed depends on the keys:
 *
 * - (EC)DHE: hPrivateKey is an ephemeral key, which this uses up; hPublicKey is the key of the
 *   peer, from SslImportKey, in the same group.
 * - RSA: hPrivateKey is 0, hPublicKey is the key of the server, as for SslGeneratePreMasterKey,
 *   which describes what is written to pbOutput.
 * - RSA, after SslGeneratePreMasterKey: its *phPreMasterKey is hPrivateKey, with the key of the
 *   server or 0 as hPublicKey, or it is hPublicKey, and hPrivateKey is 0. Which of the two Windows
 *   takes is not documented. Protocol and suite are those of the first call.
 * - PSK (RFC 4279), an extension of this library: hPrivateKey is a pre-shared key of SslImportKey,
 *   and hPublicKey is 0.
 *
 * The list holds both randoms, or the session hash, which selects the extended master secret and
 * takes precedence; and for RSA optionally the version that the client offered. Only RSA without a
 * premaster key has an output: with a NULL pbOutput it returns the size, and no master key. The
 * others ignore pbOutput, and set *pcbResult to 0 unless it is NULL.
 *
 * Returns, in the order of the checks: NTE_INVALID_HANDLE, also for keys that are none of these
 * combinations; NTE_BAD_TYPE for a public key of another algorithm, such as ECDSA in place of ECDH;
 * NTE_BAD_KEY_STATE for an ephemeral key that has agreed before; NTE_INVALID_PARAMETER for a NULL
 * pointer; NTE_BAD_FLAGS, also for a server with RSA; NTE_NOT_SUPPORTED for protocol or suite, also
 * of another key exchange; NTE_INVALID_PARAMETER for the list, for a peer's key of another group,
 * and for another protocol or suite than that of the premaster key; NTE_BUFFER_TOO_SMALL. Up to
 * here an ephemeral key is not used up. Then NTE_BAD_DATA for a peer's key that is not on its
 * curve, or of small order.
 */
SSLP_API SECURITY_STATUS WINAPI SslGenerateMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Generates the premaster secret of a client, and writes it to pbOutput encrypted to the RSA key of
 * the server, for ClientKeyExchange: as many bytes as the modulus has, without the length that TLS
 * puts before them. It is for the extended master secret, which depends on that message: hash it,
 * then pass the session hash and *phPreMasterKey to SslGenerateMasterKey.
 *
 * hPublicKey is a key of SslImportKey, of SslOpenPrivateKey or of key storage. The list may hold
 * the version that the client offered (type 22), which the premaster secret carries, without it
 * dwProtocol; other entries are ignored. dwFlags is 0 or NCRYPT_SSL_CLIENT_FLAG. With a NULL or
 * short pbOutput no premaster secret is made.
 *
 * Returns NTE_BAD_TYPE for a key that is not RSA, NTE_NOT_SUPPORTED for a protocol or suite without
 * RSA key exchange, NTE_INVALID_PARAMETER for a modulus that is not of 1024 to 8192 bits, and
 * NTE_PERM for one that is shorter than the policy asks.
 */
SSLP_API SECURITY_STATUS WINAPI SslGeneratePreMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE *phPreMasterKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Derives both session keys from a master key and the two randoms in the list; other entries are
 * ignored. The read key is the key that the peer writes with, and the side is that which the master
 * key was made on. On failure both handles are 0. Returns NTE_NOT_SUPPORTED if the backend does not
 * have the cipher.
 */
SSLP_API SECURITY_STATUS WINAPI SslGenerateSessionKeys(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_KEY_HANDLE *phReadKey,
    NCRYPT_KEY_HANDLE *phWriteKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Encrypts up to 16384 bytes of content of type 20 to 23 and writes a whole record, with its
 * header. The sequence number starts at 0 with each new key; in DTLS its upper 16 bits are the
 * epoch. Records of one key must be processed in order. For an AEAD suite, a number that is not
 * above that of the key's last record, or is 2^64 - 1, returns NTE_INVALID_PARAMETER, so that no
 * nonce is used twice. With any suite, a key for decryption returns it too: the read key of
 * SslGenerateSessionKeys, and a key that SslDecryptPacket was called with, successfully or not.
 *
 * In TLS 1.3, dwContentType is encrypted behind the content, and the header says 23. Type 20 is
 * never encrypted, and only content of type 23 may be empty: others return NTE_INVALID_PARAMETER.
 * Records are not padded, and not counted: with AES-GCM a key has to be replaced before it has
 * encrypted 2^24.5 full ones (RFC 8446, 5.5), by SslProviderUpdateTrafficKey.
 *
 * Input and output may overlap in any way: a caller may encrypt in place at dwHeaderLen bytes
 * (SslLookupCipherLengths) into pbOutput, or at 5 + dwHeaderLen. Whether dwHeaderLen includes the
 * five bytes of the record header can be settled only on Windows; here it does.
 */
SSLP_API SECURITY_STATUS WINAPI SslEncryptPacket(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    PBYTE pbInput,
    DWORD cbInput,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    ULONGLONG SequenceNumber,
    DWORD dwContentType,
    DWORD dwFlags);

/*
 * Decrypts a whole record, with its header, and returns its content, which may be empty. pbOutput
 * needs room for the longest content that a record of this length can hold, because the length of
 * the padding is secret; a NULL pbOutput asks for that size. Sequence numbers count and buffers
 * overlap as for SslEncryptPacket, but a number may repeat: protection against replay is the
 * caller's.
 *
 * In TLS 1.3, where the content type is encrypted and there is no parameter for it, it is written
 * right behind the content, at pbOutput + *pcbResult, and pbOutput needs room for one byte more.
 * *pcbResult does not count it, except where the size is asked for, or is too small. How Windows
 * returns the type is not public. Padding is removed.
 *
 * Returns NTE_DECRYPTION_FAILURE for every record that fails authentication, for whatever reason,
 * and for one that is too long or, in TLS 1.3, holds no content type, and writes nothing.
 */
SSLP_API SECURITY_STATUS WINAPI SslDecryptPacket(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    PBYTE pbInput,
    DWORD cbInput,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    ULONGLONG SequenceNumber,
    DWORD dwFlags);

/*
 * Fills pbOutput with 1 to 65536 bytes of keying material (RFC 5705). sLabel is printable ASCII
 * with a terminator, and not a label reserved by TLS; pbRandoms is the client's random and the
 * server's, 64 bytes; a NULL pbContextValue of length 0 is no context, which is not the same as an
 * empty one. Returns NTE_NOT_SUPPORTED in SSL 3.0. Without the extended master secret, callers must
 * not use it for authentication within the session (RFC 7627, 5.4); as on Windows, it is not
 * refused.
 *
 * In TLS 1.3 (RFC 8446, 7.5), hMasterKey is a secret of SslExpandExporterMasterKey, pbRandoms is
 * NULL, and no context is the same as an empty one. At most 8160 bytes are filled, 12240 with
 * SHA-384, and a label has at most 249 characters.
 */
SSLP_API SECURITY_STATUS WINAPI SslExportKeyingMaterial(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    PCHAR sLabel,
    PBYTE pbRandoms,
    DWORD cbRandoms,
    PBYTE pbContextValue,
    WORD cbContextValue,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD dwFlags);

/*
 * Computes a key block of an EAP method; pbRandoms is the client's random and the server's, 64
 * bytes. dwFlags is 0 for EAP-TLS (SecPkgContext_EapKeyBlock, 192 bytes), 1 for the keys of
 * EAP-TTLSv0 and 2 for its challenge, both of cbOutput bytes, up to 65536. 1 and 2 are also the
 * flags of client and server: with them, an output of exactly 192 bytes and a size query are
 * EAP-TLS as well. Without the extended master secret, see SslExportKeyingMaterial.
 */
SSLP_API SECURITY_STATUS WINAPI SslComputeEapKeyBlock(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    PBYTE pbRandoms,
    DWORD cbRandoms,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/* TLS 1.3. */

/*
 * Computes the Early Secret of TLS 1.3, with which the key schedule starts, from a pre-shared key,
 * or without one if hPreSharedKey is 0. dwProtocol is TLS1_3_PROTOCOL_VERSION; the suite fixes hash
 * and cipher of everything that is derived from the secret.
 *
 * hPreSharedKey is a key of SslExpandPreSharedKey, which belongs to the hash of its connection, or
 * one of SslImportKey, which belongs to the hash of the suite that it is first used with here: that
 * is SHA-256 unless the two sides have agreed on another (RFC 8446, 4.2.11). It should not be used
 * with TLS 1.2 too.
 *
 * In this function and the others of TLS 1.3, pParameterList is NULL, or a list whose entries are
 * ignored. Returns NTE_NOT_SUPPORTED for another protocol and for a suite that is not of TLS 1.3,
 * and NTE_INVALID_PARAMETER for a pre-shared key of another hash.
 */
SSLP_API SECURITY_STATUS WINAPI SslExtractEarlyKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPreSharedKey,
    NCRYPT_KEY_HANDLE *phEarlyKey,
    DWORD dwProtocol,
    DWORD dwCipherSuite,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Agrees with the peer and computes the Handshake Secret of TLS 1.3. hPrivateKey is an ephemeral
 * key, which this uses up; hPublicKey is the key of the peer, from SslImportKey, in the same group.
 * With both 0 there is no key agreement (psk_ke, RFC 8446, 4.2.9), which takes an Early Secret of a
 * pre-shared key, and has no forward secrecy.
 *
 * Returns, in the order of the checks: NTE_INVALID_HANDLE, also for one key without the other;
 * NTE_BAD_TYPE for a public key that is for signatures or encryption; NTE_BAD_KEY_STATE for an
 * ephemeral key that has agreed before; NTE_INVALID_PARAMETER for a NULL pointer; NTE_BAD_FLAGS;
 * NTE_INVALID_PARAMETER for the list, for a group that is not one of TLS 1.3, for a peer's key of
 * another group, for another share than the one that a server's key of a hybrid group answers, and
 * for an Early Secret without a pre-shared key if there is no key agreement. Up to here the
 * ephemeral key is not used up. Then NTE_BAD_DATA for a peer's key that is not on its curve or of
 * small order, and for a share of a hybrid group that must be refused.
 */
SSLP_API SECURITY_STATUS WINAPI SslExtractHandshakeKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hPrivateKey,
    NCRYPT_KEY_HANDLE hPublicKey,
    NCRYPT_KEY_HANDLE hEarlyKey,
    NCRYPT_KEY_HANDLE *phHandshakeKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Computes the Master Secret of TLS 1.3 from the Handshake Secret. It is no master key of earlier
 * versions: SslGenerateSessionKeys and the others return NTE_INVALID_HANDLE for it.
 */
SSLP_API SECURITY_STATUS WINAPI SslExtractMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hHandshakeKey,
    NCRYPT_KEY_HANDLE *phMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives the traffic secrets of a phase of TLS 1.3, that of the client and that of the server; one
 * of the outputs may be NULL. hHashValue is the handshake hash, whose value at the time of the call
 * counts, and which goes on running. What hBaseKey is tells the phase:
 *
 * - Early Secret, of a pre-shared key: early data, over ClientHello. phServerTrafficKey is NULL,
 *   since servers send none.
 * - Handshake Secret: the handshake, over ClientHello to ServerHello.
 * - Master Secret: application data, over ClientHello to the server's Finished.
 *
 * SslExpandWriteKey makes the record keys, and SslComputeFinishedHash the Finished of the writer.
 * On failure both handles are 0. Returns NTE_INVALID_PARAMETER for a hash that is not one of TLS
 * 1.3 with the hash of the suite.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandTrafficKeys(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phClientTrafficKey,
    NCRYPT_KEY_HANDLE *phServerTrafficKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives the key and the IV of the records under a traffic secret of TLS 1.3, as a session key for
 * SslEncryptPacket or, if the peer is the writer, for SslDecryptPacket. Sequence numbers start at
 * 0. Call it once for each traffic secret: two keys of one secret that both write use their nonces
 * twice. Returns NTE_NOT_SUPPORTED if the backend does not have the cipher.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandWriteKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseTrafficKey,
    NCRYPT_KEY_HANDLE *phWriteKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives an exporter secret of TLS 1.3, for SslExportKeyingMaterial: from the Master Secret, over
 * ClientHello to the server's Finished, or that of early data from the Early Secret of a pre-shared
 * key, over ClientHello. Returns NTE_INVALID_PARAMETER for a hash that is not one of TLS 1.3 with
 * the hash of the suite.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandExporterMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hBaseKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phExporterMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives the resumption secret of a connection of TLS 1.3 from its Master Secret, over ClientHello
 * to the client's Finished, for SslExpandPreSharedKey. Returns NTE_INVALID_PARAMETER for a hash
 * that is not one of TLS 1.3 with the hash of the suite.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandResumptionMasterKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    NCRYPT_HASH_HANDLE hHashValue,
    NCRYPT_KEY_HANDLE *phResumptionMasterKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives the key of the binder by which ClientHello shows that its sender has a pre-shared key.
 * dwFlags is NCRYPT_SSL_EXTERNAL_PSK_FLAG for one that was agreed outside TLS, or
 * NCRYPT_SSL_RESUMPTION_PSK_FLAG for one of an earlier connection. The binder is the value of
 * SslComputeFinishedHash, over ClientHello without its list of binders. Returns
 * NTE_INVALID_PARAMETER for an Early Secret without a pre-shared key.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandBinderKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hEarlyKey,
    NCRYPT_KEY_HANDLE *phBinderKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/*
 * Derives the pre-shared key of a session ticket, for SslExtractEarlyKey of a later connection.
 * pbTicketNonce is the nonce in NewSessionTicket, 0 to 255 bytes, which differs between the tickets
 * of a connection; NULL is an empty one. The key is for TLS 1.3 alone: SslGenerateMasterKey returns
 * NTE_INVALID_HANDLE for it.
 */
SSLP_API SECURITY_STATUS WINAPI SslExpandPreSharedKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hResumptionMasterKey,
    PBYTE pbTicketNonce,
    DWORD cbTicketNonce,
    NCRYPT_KEY_HANDLE *phPreSharedKey,
    PNCryptBufferDesc pParameterList,
    DWORD dwFlags);

/* Key storage: the part of ncrypt.h that imports keys. There is one storage, in memory. */

/*
 * Opens key storage. pszProviderName is NULL or MS_KEY_STORAGE_PROVIDER; there is one storage, in
 * memory, shared by all handles. Returns NTE_PROV_DLL_NOT_FOUND for another name. Free the handle
 * with NCryptFreeObject.
 */
SSLP_API SECURITY_STATUS WINAPI NCryptOpenStorageProvider(
    NCRYPT_PROV_HANDLE *phProvider,
    LPCWSTR pszProviderName,
    DWORD dwFlags);

/*
 * Imports a private key: BCRYPT_RSAPRIVATE_BLOB, BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_ECCPRIVATE_BLOB
 * or NCRYPT_PKCS8_PRIVATE_KEY_BLOB (DER, not encrypted; PKCS#1 too, an extension). RSA keys have
 * 1024 to 8192 bits; EC keys are on P-256, P-384 or P-521. While the handle is live,
 * SslOpenPrivateKey finds the key by a certificate with the same public key. hImportKey is 0, and
 * pParameterList is NULL or empty.
 *
 * Imports a public key too, for SslVerifySignature or SslGenerateMasterKey: BCRYPT_RSAPUBLIC_BLOB,
 * BCRYPT_ECCPUBLIC_BLOB, BCRYPT_PUBLIC_KEY_BLOB, which is either of them, or LEGACY_RSAPUBLIC_BLOB.
 *
 * A key usage in the attributes of a PKCS#8 structure is honoured: such an RSA key decrypts with
 * keyEncipherment or dataEncipherment and signs with digitalSignature, and an EC key without the
 * latter is for ECDH.
 *
 * Returns NTE_BAD_KEY for a key whose numbers are invalid or do not belong together, and for an RSA
 * key whose key usage allows neither, NTE_BAD_TYPE for another kind of key, and NTE_NOT_SUPPORTED
 * for an encrypted key or another blob type.
 */
SSLP_API SECURITY_STATUS WINAPI NCryptImportKey(
    NCRYPT_PROV_HANDLE hProvider,
    NCRYPT_KEY_HANDLE hImportKey,
    LPCWSTR pszBlobType,
    NCryptBufferDesc *pParameterList,
    NCRYPT_KEY_HANDLE *phKey,
    PBYTE pbData,
    DWORD cbData,
    DWORD dwFlags);

/*
 * Exports the public half of a key, BCRYPT_RSAPUBLIC_BLOB or BCRYPT_ECCPUBLIC_BLOB. Returns
 * NTE_PERM for the blob types of private keys, which are never exported, and NTE_NOT_SUPPORTED for
 * a type that is not valid for this key type.
 */
SSLP_API SECURITY_STATUS WINAPI NCryptExportKey(
    NCRYPT_KEY_HANDLE hKey,
    NCRYPT_KEY_HANDLE hExportKey,
    LPCWSTR pszBlobType,
    NCryptBufferDesc *pParameterList,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Frees a handle of key storage, or of a key in it. A key that SslOpenPrivateKey has opened remains
 * usable; opening it again needs another import.
 */
SSLP_API SECURITY_STATUS WINAPI NCryptFreeObject(
    NCRYPT_HANDLE hObject);

/* Extensions of this library. */

/*
 * Receives every call after it returns: the name of the function, its status, and the reason, ""
 * on success. The strings are valid until the trace function returns. They contain no secrets.
 */
typedef void (*SslProviderTraceFn)(
    const char *function,
    SECURITY_STATUS status,
    const char *reason);

/*
 * Sets the function that receives every call, in the thread of the call and after its outputs are
 * written; NULL stops the trace. It must be callable from several threads at once.
 */
SSLP_API void WINAPI SslProviderSetTrace(
    SslProviderTraceFn trace);

/*
 * Counts what this process has obtained and not freed: handles, and buffers including enumeration
 * states. A program that ends with 0 of both has leaked nothing. Returns NTE_INVALID_PARAMETER for
 * NULL. An extension of this library.
 */
SSLP_API SECURITY_STATUS WINAPI SslProviderCountLive(
    DWORD *pcHandles,
    DWORD *pcBuffers);

/*
 * What the caller of SslProviderOpenWithPolicy allows and requires. Set all to 0, then cbSize, then
 * what differs. Later versions of this header may add fields; programs that were compiled with this
 * one pass its size, and the new fields are then 0.
 */
typedef struct _SSL_PROVIDER_POLICY {
    DWORD cbSize;                 /* sizeof(SSL_PROVIDER_POLICY). */
    DWORD dwMinKeyBits;           /* The shortest RSA key, 1024 to 8192; 0 is 2048. */
    BOOL fAllowSsl3;              /* SSL 3.0 is accepted and listed. */
    BOOL fAllowKeyExport;         /* SslExportKey exports session keys. */
    BOOL fRequireConstantTimeRsa; /* The RSA private operation is claimed to be constant-time. */
    BOOL fAllowKeyLog;            /* SslProviderGetMasterSecret and -Tls13Secret return secrets. */
    DWORD dwBatchWaitMicroseconds; /* Longest wait of an RSA batch, 1 to 1000; 0: no batches. */
} SSL_PROVIDER_POLICY, *PSSL_PROVIDER_POLICY;

/*
 * Opens a provider as SslOpenProvider does, with the policy of the caller. It applies to every
 * object that is made with the handle, and stays with it. All zeros but for cbSize allow keys of
 * 2048 bits and more, no SSL 3.0, and neither session keys nor master secrets to leave the library:
 * a stricter policy than that of SslOpenProvider.
 *
 * With a dwBatchWaitMicroseconds, imports of several threads with one handle of
 * SslOpenPrivateKey are decrypted together, up to eight at once, by arithmetic of this library
 * for AVX-512 IFMA or AVX-IFMA. It is for servers in which many threads import at the same time
 * and share the handle. The first import of a batch waits for others at most so long, plus about
 * 50 microseconds of the system's timer, and any import waits for batches that run; a single
 * thread does not wait, except once after others have left. SslOpenPrivateKey and
 * SslImportMasterKey then need 512 KiB of stack, and 1 MiB for keys of more than 4096 bits. Keys
 * belong to providers that were opened with the same wait: others return NTE_INVALID_HANDLE for
 * them.
 *
 * Returns NTE_INVALID_PARAMETER for a cbSize that is 0, longer than the structure that this
 * library knows, or not a whole number of fields, for a dwMinKeyBits that is neither 0 nor from
 * 1024 to 8192, and for a dwBatchWaitMicroseconds above 1000; NTE_NOT_SUPPORTED if the backend,
 * or the arithmetic of the batches, lacks what the policy requires, and for batches that this
 * processor or build of the library does not support; and what SslOpenProvider returns. With the
 * handle, keys that are too short return NTE_PERM. An extension of this library.
 */
SSLP_API SECURITY_STATUS WINAPI SslProviderOpenWithPolicy(
    NCRYPT_PROV_HANDLE *phSslProvider,
    LPCWSTR pszProviderName,
    const SSL_PROVIDER_POLICY *pPolicy,
    DWORD dwFlags);

/*
 * Returns the master secret of a master key, 48 bytes, for a key log with which others can decrypt
 * the connection. Returns NTE_PERM unless the provider that imported the key was opened with
 * fAllowKeyLog. An extension of this library.
 */
SSLP_API SECURITY_STATUS WINAPI SslProviderGetMasterSecret(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hMasterKey,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Returns a traffic secret or an exporter secret of TLS 1.3, 32 or 48 bytes, for a key log (RFC
 * 9850) with which others can decrypt the connection. Returns NTE_PERM unless the provider that the
 * key schedule started with was opened with fAllowKeyLog. An extension of this library.
 */
SSLP_API SECURITY_STATUS WINAPI SslProviderGetTls13Secret(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hKey,
    PBYTE pbOutput,
    DWORD cbOutput,
    DWORD *pcbResult,
    DWORD dwFlags);

/*
 * Derives the traffic secret that follows one of application data (RFC 8446, 7.2): what the sender
 * of a KeyUpdate writes with after it. The old one stays valid until it is freed. Returns
 * NTE_INVALID_PARAMETER for a traffic secret of early data or of the handshake. An extension of
 * this library: Windows exports SslExpandNextGenTrafficKey for this, without a public prototype.
 */
SSLP_API SECURITY_STATUS WINAPI SslProviderUpdateTrafficKey(
    NCRYPT_PROV_HANDLE hSslProvider,
    NCRYPT_KEY_HANDLE hTrafficKey,
    NCRYPT_KEY_HANDLE *phNextTrafficKey,
    DWORD dwFlags);

#ifdef __cplusplus
}
#endif

#endif

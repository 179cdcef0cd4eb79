//! The interface against Microsoft's metadata, as windows-sys has it: prototypes, layouts, values.
//! Most of this is checked when it compiles.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "abi.rs"]
mod abi;

use std::mem::offset_of;

use sslprovider::abi as ours;
use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::Security::Cryptography as windows;

use abi::{Abi, assign};

/// Assigns each export to the type that windows-sys declares for the function of the same name.
macro_rules! same_prototypes {
    ($($module:ident::$function:ident($($placeholder:tt)*);)*) => {
        #[test]
        fn every_export_has_the_prototype_of_the_windows_function() {
            $(assign(
                sslprovider::$module::$function
                    as unsafe extern "system" fn($($placeholder)*) -> _,
                windows::$function,
            );)*
        }
    };
}

same_prototypes! {
    function_table::GetSChannelInterface(_, _, _);
    ncrypt::NCryptExportKey(_, _, _, _, _, _, _, _);
    ncrypt::NCryptFreeObject(_);
    ncrypt::NCryptImportKey(_, _, _, _, _, _, _, _);
    ncrypt::NCryptOpenStorageProvider(_, _, _);
    provider::SslChangeNotify(_, _);
    client_auth::SslComputeClientAuthHash(_, _, _, _, _, _, _, _);
    exporter::SslComputeEapKeyBlock(_, _, _, _, _, _, _, _);
    master_key::SslComputeFinishedHash(_, _, _, _, _, _);
    handshake_hash::SslComputeSessionHash(_, _, _, _, _, _, _);
    client_auth::SslCreateClientAuthHash(_, _, _, _, _, _);
    ephemeral_key::SslCreateEphemeralKey(_, _, _, _, _, _, _, _, _);
    handshake_hash::SslCreateHandshakeHash(_, _, _, _, _);
    provider::SslDecrementProviderReferenceCount(_);
    record::SslDecryptPacket(_, _, _, _, _, _, _, _, _);
    handshake_hash::SslDuplicateTranscriptHash(_, _, _, _);
    record::SslEncryptPacket(_, _, _, _, _, _, _, _, _, _);
    cipher_suites::SslEnumCipherSuites(_, _, _, _, _);
    cipher_suites::SslEnumCipherSuitesEx(_, _, _, _, _);
    ephemeral_key::SslEnumEccCurves(_, _, _, _);
    provider::SslEnumProtocolProviders(_, _, _);
    pre_shared_key::SslExpandBinderKey(_, _, _, _, _);
    exporter::SslExpandExporterMasterKey(_, _, _, _, _, _);
    pre_shared_key::SslExpandPreSharedKey(_, _, _, _, _, _, _);
    pre_shared_key::SslExpandResumptionMasterKey(_, _, _, _, _, _);
    traffic_secret::SslExpandTrafficKeys(_, _, _, _, _, _, _);
    traffic_secret::SslExpandWriteKey(_, _, _, _, _);
    key_transfer::SslExportKey(_, _, _, _, _, _, _);
    exporter::SslExportKeyingMaterial(_, _, _, _, _, _, _, _, _, _);
    key_schedule::SslExtractEarlyKey(_, _, _, _, _, _, _);
    key_schedule::SslExtractHandshakeKey(_, _, _, _, _, _, _);
    key_schedule::SslExtractMasterKey(_, _, _, _, _);
    provider::SslFreeBuffer(_);
    provider::SslFreeObject(_, _);
    key_exchange::SslGenerateMasterKey(_, _, _, _, _, _, _, _, _, _, _);
    key_exchange::SslGeneratePreMasterKey(_, _, _, _, _, _, _, _, _, _);
    master_key::SslGenerateSessionKeys(_, _, _, _, _, _);
    cipher_suites::SslGetCipherSuitePRFHashAlgorithm(_, _, _, _, _, _);
    private_key::SslGetKeyProperty(_, _, _, _, _);
    provider::SslGetProviderProperty(_, _, _, _, _, _);
    handshake_hash::SslHashHandshake(_, _, _, _, _);
    key_transfer::SslImportKey(_, _, _, _, _, _);
    master_key::SslImportMasterKey(_, _, _, _, _, _, _, _, _);
    provider::SslIncrementProviderReferenceCount(_);
    cipher_suites::SslLookupCipherLengths(_, _, _, _, _, _, _);
    cipher_suites::SslLookupCipherSuiteInfo(_, _, _, _, _, _);
    private_key::SslOpenPrivateKey(_, _, _, _);
    provider::SslOpenProvider(_, _, _);
    signature::SslSignHash(_, _, _, _, _, _, _, _);
    signature::SslVerifySignature(_, _, _, _, _, _, _);
}

/// The metadata has the type of this function, and not the function.
#[test]
fn initialize_interface_has_the_type_of_the_windows_function() {
    fn same<F: Abi>(_export: F, _windows: Option<F::Windows>) {}
    let windows: windows::SslInitializeInterfaceFn = None;
    let export: unsafe extern "system" fn(_, _, _) -> _ =
        sslprovider::function_table::SslInitializeInterface;
    same(export, windows);
}

same_layout! { ours::BCRYPT_INTERFACE_VERSION, windows::BCRYPT_INTERFACE_VERSION:
    MajorVersion MinorVersion
}
same_layout! { ours::NCryptBuffer, windows::BCryptBuffer:
    cbBuffer BufferType pvBuffer
}
same_layout! { ours::NCryptBufferDesc, windows::BCryptBufferDesc:
    ulVersion cBuffers pBuffers
}
same_layout! { ours::CERT_CONTEXT, windows::CERT_CONTEXT:
    dwCertEncodingType pbCertEncoded cbCertEncoded pCertInfo hCertStore
}
same_layout! { ours::NCryptProviderName, windows::NCryptProviderName:
    pszName pszComment
}
same_layout! { ours::NCRYPT_SSL_CIPHER_SUITE, windows::NCRYPT_SSL_CIPHER_SUITE:
    dwProtocol dwCipherSuite dwBaseCipherSuite szCipherSuite szCipher dwCipherLen
    dwCipherBlockLen szHash dwHashLen szExchange dwMinExchangeLen dwMaxExchangeLen
    szCertificate dwKeyType
}
same_layout! { ours::NCRYPT_SSL_CIPHER_SUITE_EX, windows::NCRYPT_SSL_CIPHER_SUITE_EX:
    dwVersion szCipherMode; CipherSuite:
    dwProtocol dwCipherSuite dwBaseCipherSuite szCipherSuite szCipher dwCipherLen
    dwCipherBlockLen szHash dwHashLen szExchange dwMinExchangeLen dwMaxExchangeLen
    szCertificate dwKeyType
}
same_layout! { ours::NCRYPT_SSL_CIPHER_LENGTHS, windows::NCRYPT_SSL_CIPHER_LENGTHS:
    cbLength dwHeaderLen dwFixedTrailerLen dwMaxVariableTrailerLen dwFlags
}
same_layout! { ours::NCRYPT_SSL_ECC_CURVE, windows::NCRYPT_SSL_ECC_CURVE:
    szCurveName szOID dwPublicKeyLength dwCurveType dwFlags
}
same_layout! {
    sslprovider::function_table::NCRYPT_SSL_FUNCTION_TABLE, windows::NCRYPT_SSL_FUNCTION_TABLE:
    Version
    ComputeClientAuthHash ComputeEapKeyBlock ComputeFinishedHash CreateEphemeralKey
    CreateHandshakeHash DecryptPacket EncryptPacket EnumCipherSuites ExportKey FreeBuffer
    FreeObject GenerateMasterKey GenerateSessionKeys GetKeyProperty GetProviderProperty
    HashHandshake ImportMasterKey ImportKey LookupCipherSuiteInfo OpenPrivateKey
    OpenProvider SignHash VerifySignature LookupCipherLengths CreateClientAuthHash
    GetCipherSuitePRFHashAlgorithm ComputeSessionHash GeneratePreMasterKey EnumEccCurves
    ExportKeyingMaterial ExtractEarlyKey ExtractHandshakeKey ExtractMasterKey
    ExpandTrafficKeys ExpandWriteKey ExpandExporterMasterKey EnumCipherSuitesEx
    ExpandResumptionMasterKey DuplicateTranscriptHash ExpandBinderKey ExpandPreSharedKey
}

/// Compares the types of the table's slots.
macro_rules! same_slots {
    ($($field:ident)*) => {
        #[test]
        fn every_slot_of_the_function_table_has_the_type_of_the_windows_slot() {
            let windows = windows::NCRYPT_SSL_FUNCTION_TABLE::default();
            let ours = function_table();
            $({
                fn same<F: Abi>(_: F, _: Option<F::Windows>) {}
                same(ours.$field, windows.$field);
            })*
        }
    };
}

same_slots! {
    ComputeClientAuthHash ComputeEapKeyBlock ComputeFinishedHash CreateEphemeralKey
    CreateHandshakeHash DecryptPacket EncryptPacket EnumCipherSuites ExportKey FreeBuffer
    FreeObject GenerateMasterKey GenerateSessionKeys GetKeyProperty GetProviderProperty
    HashHandshake ImportMasterKey ImportKey LookupCipherSuiteInfo OpenPrivateKey
    OpenProvider SignHash VerifySignature LookupCipherLengths CreateClientAuthHash
    GetCipherSuitePRFHashAlgorithm ComputeSessionHash GeneratePreMasterKey EnumEccCurves
    ExportKeyingMaterial ExtractEarlyKey ExtractHandshakeKey ExtractMasterKey
    ExpandTrafficKeys ExpandWriteKey ExpandExporterMasterKey EnumCipherSuitesEx
    ExpandResumptionMasterKey DuplicateTranscriptHash ExpandBinderKey ExpandPreSharedKey
}

fn function_table() -> sslprovider::function_table::NCRYPT_SSL_FUNCTION_TABLE {
    let mut table = std::ptr::null_mut();
    // SAFETY: NULL is a good name, and `table` has room for the pointer.
    let status = unsafe { windows::GetSChannelInterface(std::ptr::null(), &raw mut table, 0) };
    assert_eq!(status, 0);
    // SAFETY: the call succeeded, so this is the address of the static table, whose layout is that
    // of the Windows one, as is asserted above.
    unsafe { table.cast::<sslprovider::function_table::NCRYPT_SSL_FUNCTION_TABLE>().read() }
}

#[test]
fn the_table_says_version_5_0_and_calls_this_library() {
    let table = function_table();
    assert_eq!((table.Version.MajorVersion, table.Version.MinorVersion), (5, 0));
    assert_eq!(table.ImportMasterKey as usize, windows::SslImportMasterKey as *const () as usize);
    assert_eq!(
        table.ExpandPreSharedKey as usize,
        windows::SslExpandPreSharedKey as *const () as usize
    );
}

same_numbers! { windows:
    TLS_RSA_WITH_RC4_128_SHA TLS_RSA_WITH_3DES_EDE_CBC_SHA TLS_RSA_WITH_AES_128_CBC_SHA
    TLS_RSA_WITH_NULL_SHA256 TLS_RSA_WITH_AES_128_GCM_SHA256 TLS_AES_128_GCM_SHA256
    NCRYPT_SSL_CLIENT_FLAG NCRYPT_SSL_SERVER_FLAG NCRYPT_SSL_SIGN_INCLUDE_HASHOID
    NCRYPT_SSL_SIGN_USE_PSS_PADDING NCRYPT_SSL_EXTERNAL_PSK_FLAG NCRYPT_SSL_RESUMPTION_PSK_FLAG
    NCRYPT_SILENT_FLAG NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING
    NCRYPT_SSL_CIPHER_SUITE_EX_VERSION TLS_ECC_P256_CURVE_KEY_TYPE TLS_ECC_P384_CURVE_KEY_TYPE
    TLS_ECC_P521_CURVE_KEY_TYPE NCRYPTBUFFER_SSL_CLIENT_RANDOM NCRYPTBUFFER_SSL_SERVER_RANDOM
    NCRYPTBUFFER_SSL_HIGHEST_VERSION NCRYPTBUFFER_SSL_SESSION_HASH
}

same_numbers! { foundation:
    NTE_BAD_KEY NTE_BAD_FLAGS NTE_BAD_TYPE NTE_BAD_KEY_STATE NTE_NO_KEY NTE_NO_MEMORY
    NTE_PERM NTE_PROV_DLL_NOT_FOUND NTE_FAIL NTE_INVALID_HANDLE NTE_INVALID_PARAMETER
    NTE_BUFFER_TOO_SMALL NTE_NOT_SUPPORTED NTE_NO_MORE_ITEMS NTE_INTERNAL_ERROR
    NTE_DEVICE_NOT_READY STATUS_INVALID_HANDLE STATUS_INVALID_PARAMETER STATUS_NOT_FOUND
}

/// Compares texts, and says how many.
macro_rules! same_texts {
    ($($name:ident)*) => {
        const TEXTS: &[(&str, &str, *const u16)] =
            &[$((stringify!($name), ours::$name, windows::$name),)*];
    };
}

same_texts! {
    MS_SCHANNEL_PROVIDER MS_KEY_STORAGE_PROVIDER SSL_KEY_TYPE_PROPERTY SSL_ECDSA_ALGORITHM
    TLS_PSK_EXCHANGE BCRYPT_OPAQUE_KEY_BLOB BCRYPT_RSAPUBLIC_BLOB BCRYPT_RSAPRIVATE_BLOB
    BCRYPT_RSAFULLPRIVATE_BLOB LEGACY_RSAPUBLIC_BLOB BCRYPT_PUBLIC_KEY_BLOB BCRYPT_ECCPUBLIC_BLOB
    SSL_ECCPUBLIC_BLOB BCRYPT_DH_PUBLIC_BLOB BCRYPT_KEY_DATA_BLOB
    BCRYPT_ECCPRIVATE_BLOB NCRYPT_PKCS8_PRIVATE_KEY_BLOB BCRYPT_RSA_ALGORITHM
    BCRYPT_RSA_SIGN_ALGORITHM BCRYPT_DH_ALGORITHM BCRYPT_DSA_ALGORITHM BCRYPT_ECDH_ALGORITHM
    BCRYPT_ECDSA_ALGORITHM BCRYPT_ECDH_P256_ALGORITHM BCRYPT_ECDH_P384_ALGORITHM
    BCRYPT_ECDH_P521_ALGORITHM BCRYPT_ECDSA_P256_ALGORITHM BCRYPT_ECDSA_P384_ALGORITHM
    BCRYPT_ECDSA_P521_ALGORITHM BCRYPT_AES_ALGORITHM BCRYPT_3DES_ALGORITHM BCRYPT_DES_ALGORITHM
    BCRYPT_RC2_ALGORITHM BCRYPT_RC4_ALGORITHM BCRYPT_CHACHA20_POLY1305_ALGORITHM
    BCRYPT_MD5_ALGORITHM BCRYPT_SHA1_ALGORITHM BCRYPT_SHA256_ALGORITHM BCRYPT_SHA384_ALGORITHM
    BCRYPT_SHA512_ALGORITHM BCRYPT_CHAIN_MODE_NA BCRYPT_CHAIN_MODE_CBC BCRYPT_CHAIN_MODE_CCM
    BCRYPT_CHAIN_MODE_GCM NCRYPT_NAME_PROPERTY NCRYPT_ALGORITHM_PROPERTY
    NCRYPT_ALGORITHM_GROUP_PROPERTY NCRYPT_LENGTH_PROPERTY NCRYPT_BLOCK_LENGTH_PROPERTY
    NCRYPT_KEY_USAGE_PROPERTY NCRYPT_EXPORT_POLICY_PROPERTY NCRYPT_IMPL_TYPE_PROPERTY
    BCRYPT_PUBLIC_KEY_LENGTH BCRYPT_ECC_CURVE_NAME
}

#[test]
fn every_text_is_that_of_the_windows_headers() {
    for (name, ours, theirs) in TEXTS {
        let theirs: Vec<u16> = (0..)
            // SAFETY: windows-sys gives terminated texts, and `take_while` stops at the terminator.
            .map(|index| unsafe { *theirs.wrapping_add(index) })
            .take_while(|unit| *unit != 0)
            .collect();
        assert_eq!(*ours, String::from_utf16(&theirs).unwrap(), "{name}");
    }
}

/// What windows-sys does not have.
const ABSENT: [&str; 2] = ["CT_CHANGE_CIPHER_SPEC", "CT_APPLICATIONDATA"];
const ABSENT_TEXTS: [&str; 2] = ["TLS_13_PRE_SHARED_KEY", "TLS_HYBRID_KEYEXCHANGE"];

#[test]
fn no_constant_is_left_out_of_the_comparison() {
    let numbers = ours::NUMBERS.len() + ours::STATUSES.len();
    // ERROR_SUCCESS is unsigned in windows-sys.
    assert_eq!(foundation::ERROR_SUCCESS, 0);
    let texts = ours::STRINGS.len();
    assert_eq!(numbers, COMPARED_NUMBERS + ABSENT.len() + 1);
    assert_eq!(texts, TEXTS.len() + ABSENT_TEXTS.len());
}

/// Names in the two lists of numbers above.
const COMPARED_NUMBERS: usize = 41;

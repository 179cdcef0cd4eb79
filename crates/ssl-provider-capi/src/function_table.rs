//! The function table of the provider interface, and the two functions that return it.
//! A router calls a provider through it; here every provider shares one table, of version 5.0.

use crate::abi::{BCRYPT_INTERFACE_VERSION, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND};
use crate::boundary::export;
use crate::cipher_suites::*;
use crate::client_auth::*;
use crate::ephemeral_key::*;
use crate::exporter::*;
use crate::failure::Failure;
use crate::handshake_hash::*;
use crate::key_exchange::*;
use crate::key_schedule::*;
use crate::key_transfer::*;
use crate::master_key::*;
use crate::pointer::{Out, WideStr};
use crate::pre_shared_key::*;
use crate::private_key::*;
use crate::provider::*;
use crate::record::*;
use crate::signature::*;
use crate::traffic_secret::*;

/// Defines the table and its one instance, field by field.
macro_rules! function_table {
    ($($field:ident: $type:ty = $function:ident;)*) => {
        /// `NCRYPT_SSL_FUNCTION_TABLE` of interface version 5.0.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        #[expect(non_snake_case, reason = "the names of the Windows header")]
        pub struct NCRYPT_SSL_FUNCTION_TABLE {
            /// The version: 5.0.
            pub Version: BCRYPT_INTERFACE_VERSION,
            $(
                #[doc = concat!("[`", stringify!($function), "`]")]
                pub $field: $type,
            )*
        }

        /// The table that every provider shares.
        static TABLE: NCRYPT_SSL_FUNCTION_TABLE = NCRYPT_SSL_FUNCTION_TABLE {
            Version: BCRYPT_INTERFACE_VERSION { MajorVersion: 5, MinorVersion: 0 },
            $($field: $function,)*
        };
    };
}

function_table! {
    ComputeClientAuthHash: ComputeClientAuthHashFn = SslComputeClientAuthHash;
    ComputeEapKeyBlock: ComputeEapKeyBlockFn = SslComputeEapKeyBlock;
    ComputeFinishedHash: ComputeFinishedHashFn = SslComputeFinishedHash;
    CreateEphemeralKey: CreateEphemeralKeyFn = SslCreateEphemeralKey;
    CreateHandshakeHash: CreateHandshakeHashFn = SslCreateHandshakeHash;
    DecryptPacket: DecryptPacketFn = SslDecryptPacket;
    EncryptPacket: EncryptPacketFn = SslEncryptPacket;
    EnumCipherSuites: EnumCipherSuitesFn = SslEnumCipherSuites;
    ExportKey: ExportKeyFn = SslExportKey;
    FreeBuffer: FreeBufferFn = SslFreeBuffer;
    FreeObject: FreeObjectFn = SslFreeObject;
    GenerateMasterKey: GenerateMasterKeyFn = SslGenerateMasterKey;
    GenerateSessionKeys: GenerateSessionKeysFn = SslGenerateSessionKeys;
    GetKeyProperty: GetKeyPropertyFn = SslGetKeyProperty;
    GetProviderProperty: GetProviderPropertyFn = SslGetProviderProperty;
    HashHandshake: HashHandshakeFn = SslHashHandshake;
    ImportMasterKey: ImportMasterKeyFn = SslImportMasterKey;
    ImportKey: ImportKeyFn = SslImportKey;
    LookupCipherSuiteInfo: LookupCipherSuiteInfoFn = SslLookupCipherSuiteInfo;
    OpenPrivateKey: OpenPrivateKeyFn = SslOpenPrivateKey;
    OpenProvider: OpenProviderFn = SslOpenProvider;
    SignHash: SignHashFn = SslSignHash;
    VerifySignature: VerifySignatureFn = SslVerifySignature;
    LookupCipherLengths: LookupCipherLengthsFn = SslLookupCipherLengths;
    CreateClientAuthHash: CreateClientAuthHashFn = SslCreateClientAuthHash;
    GetCipherSuitePRFHashAlgorithm: CipherSuitePrfHashFn = SslGetCipherSuitePRFHashAlgorithm;
    ComputeSessionHash: ComputeSessionHashFn = SslComputeSessionHash;
    GeneratePreMasterKey: GeneratePreMasterKeyFn = SslGeneratePreMasterKey;
    EnumEccCurves: EnumEccCurvesFn = SslEnumEccCurves;
    ExportKeyingMaterial: ExportKeyingMaterialFn = SslExportKeyingMaterial;
    ExtractEarlyKey: ExtractEarlyKeyFn = SslExtractEarlyKey;
    ExtractHandshakeKey: ExtractHandshakeKeyFn = SslExtractHandshakeKey;
    ExtractMasterKey: ExtractMasterKeyFn = SslExtractMasterKey;
    ExpandTrafficKeys: ExpandTrafficKeysFn = SslExpandTrafficKeys;
    ExpandWriteKey: ExpandWriteKeyFn = SslExpandWriteKey;
    ExpandExporterMasterKey: ExpandExporterMasterKeyFn = SslExpandExporterMasterKey;
    EnumCipherSuitesEx: EnumCipherSuitesExFn = SslEnumCipherSuitesEx;
    ExpandResumptionMasterKey: ExpandResumptionMasterKeyFn = SslExpandResumptionMasterKey;
    DuplicateTranscriptHash: DuplicateTranscriptHashFn = SslDuplicateTranscriptHash;
    ExpandBinderKey: ExpandBinderKeyFn = SslExpandBinderKey;
    ExpandPreSharedKey: ExpandPreSharedKeyFn = SslExpandPreSharedKey;
}

export! {
    /// Returns the address of the function table, which is static. `pszProviderName` is a name that
    /// `SslOpenProvider` accepts. The statuses are NTSTATUS codes: `STATUS_NOT_FOUND` for an
    /// unknown name, `STATUS_INVALID_PARAMETER` for other errors.
    fn GetSChannelInterface(
        name: WideStr,
        table: Out<*mut NCRYPT_SSL_FUNCTION_TABLE>,
        flags: u32,
    ) {
        table.preset(std::ptr::null_mut());
        let place = table.required("ppFunctionTable is NULL").map_err(invalid_parameter)?;
        check_provider(name, flags)?;
        place.write((&raw const TABLE).cast_mut());
        Ok(())
    }
}

export! {
    /// Copies the function table, 336 bytes, into a table of the caller. Names and statuses are
    /// those of [`GetSChannelInterface`].
    fn SslInitializeInterface(
        name: WideStr,
        table: Out<NCRYPT_SSL_FUNCTION_TABLE>,
        flags: u32,
    ) {
        let place = table.required("pFunctionTable is NULL").map_err(invalid_parameter)?;
        check_provider(name, flags)?;
        place.write(TABLE);
        Ok(())
    }
}

fn check_provider(name: WideStr, flags: u32) -> Result<(), Failure> {
    if flags != 0 {
        return Err(Failure::Status(STATUS_INVALID_PARAMETER, "dwFlags: expected 0"));
    }
    let name = name.read().map_err(invalid_parameter)?;
    match backend_of(name.as_deref()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Status(STATUS_NOT_FOUND, "no provider of this name")),
    }
}

fn invalid_parameter(_: ssl_provider::Error) -> Failure {
    Failure::Status(STATUS_INVALID_PARAMETER, "a parameter is NULL or malformed")
}

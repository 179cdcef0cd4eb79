//! Private keys: found for a certificate, and asked for their size.

use ssl_provider::Error;

use crate::abi::{
    BCRYPT_PUBLIC_KEY_LENGTH, BCRYPT_RSA_ALGORITHM, KeyHandle, NCRYPT_ALGORITHM_GROUP_PROPERTY,
    NCRYPT_ALGORITHM_PROPERTY, NCRYPT_BLOCK_LENGTH_PROPERTY, NCRYPT_EXPORT_POLICY_PROPERTY,
    NCRYPT_IMPL_TYPE_PROPERTY, NCRYPT_KEY_USAGE_PROPERTY, NCRYPT_LENGTH_PROPERTY, NTE_NO_KEY,
    NTE_NOT_SUPPORTED, ProviderHandle, SSL_KEY_TYPE_PROPERTY,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::Failure;
use crate::key_store::{PublicKey, bit_len};
use crate::object::Object;
use crate::pointer::{CertContext, Out, WideStr};
use crate::process::process;
use crate::provider::{SOFTWARE, wide};

/// `NCRYPT_ALLOW_DECRYPT_FLAG`: the value of "Key Usage".
const ALLOW_DECRYPT: u32 = 1;

export! {
    /// Opens the private key of a certificate: one that `NCryptImportKey` has brought in, whose
    /// handle lives, and whose public half is that of the certificate. There is no Windows store
    /// here that links the two. `NTE_NO_KEY` says that there is none.
    ///
    /// Of the context only `pbCertEncoded` and `cbCertEncoded` are read.
    fn SslOpenPrivateKey is OpenPrivateKeyFn(
        provider: ProviderHandle,
        private_key: Out<KeyHandle>,
        cert_context: CertContext,
        flags: u32,
    ) {
        private_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = private_key.required("phPrivateKey is NULL")?;
        let certificate = cert_context.encoded()?;
        no_flags(flags)?;
        let public = PublicKey::of_certificate(&certificate)?;
        let stored = process().keys.find(&public).ok_or(Failure::Status(
            NTE_NO_KEY,
            "no imported key with the public key of the certificate",
        ))?;
        let key = provider.provider().load_private_key(stored.pkcs1())?;
        place.write(process().handles.insert(Object::PrivateKey(key.into()))?);
        Ok(())
    }
}

export! {
    /// Gives a property of a private key as a buffer: "Length" and "PublicKeyLength" in bits,
    /// "Block Length" in bytes, "Algorithm Name" and "Algorithm Group" as text, "Key Usage",
    /// "Export Policy", "Impl Type", and "KEYTYPE", the curve, which is 0 for RSA. Others answer
    /// `NTE_NOT_SUPPORTED`. Numbers are 32 bits wide.
    fn SslGetKeyProperty is GetKeyPropertyFn(
        key: KeyHandle,
        property: WideStr,
        output: Out<*mut u8>,
        output_len: Out<u32>,
        flags: u32,
    ) {
        output.preset(std::ptr::null_mut());
        let key = process().handles.any_private_key(key)?;
        let property = property.required("pszProperty is NULL")?;
        let output_place = output.required("ppbOutput is NULL")?;
        let len_place = output_len.required("pcbOutput is NULL")?;
        no_flags(flags)?;
        let number = |value: u32| value.to_ne_bytes().to_vec();
        let value = match property.as_str() {
            NCRYPT_LENGTH_PROPERTY | BCRYPT_PUBLIC_KEY_LENGTH => number(bit_len(&key.modulus())),
            NCRYPT_BLOCK_LENGTH_PROPERTY => {
                number(u32::try_from(key.modulus_len()).map_err(|_| Error::NoMemory)?)
            }
            NCRYPT_ALGORITHM_PROPERTY | NCRYPT_ALGORITHM_GROUP_PROPERTY => {
                wide(BCRYPT_RSA_ALGORITHM)
            }
            NCRYPT_KEY_USAGE_PROPERTY => number(ALLOW_DECRYPT),
            NCRYPT_EXPORT_POLICY_PROPERTY | SSL_KEY_TYPE_PROPERTY => number(0),
            NCRYPT_IMPL_TYPE_PROPERTY => number(SOFTWARE),
            _ => return Err(Failure::Status(NTE_NOT_SUPPORTED, "no such key property")),
        };
        let len = u32::try_from(value.len()).map_err(|_| Error::NoMemory)?;
        output_place.write(process().blocks.bytes(&value)?);
        len_place.write(len);
        Ok(())
    }
}

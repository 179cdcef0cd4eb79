//! Private keys: opened by their certificates, and their properties.

use std::sync::Arc;

use ssl_provider::{Curve, Error, InvalidKey, NamedCurve, PrivateKey, Provider, SigningKey};
use ssl_provider_keys::{CheckedKey, EcAlgorithm, EcPublicKey, PublicKey, RsaPublicKey};

use crate::abi::{
    BCRYPT_ECC_CURVE_NAME, BCRYPT_ECDH_ALGORITHM, BCRYPT_ECDH_P256_ALGORITHM,
    BCRYPT_ECDH_P384_ALGORITHM, BCRYPT_ECDH_P521_ALGORITHM, BCRYPT_ECDSA_ALGORITHM,
    BCRYPT_ECDSA_P256_ALGORITHM, BCRYPT_ECDSA_P384_ALGORITHM, BCRYPT_ECDSA_P521_ALGORITHM,
    BCRYPT_PUBLIC_KEY_LENGTH, BCRYPT_RSA_ALGORITHM, KeyHandle, NCRYPT_ALGORITHM_GROUP_PROPERTY,
    NCRYPT_ALGORITHM_PROPERTY, NCRYPT_BLOCK_LENGTH_PROPERTY, NCRYPT_EXPORT_POLICY_PROPERTY,
    NCRYPT_IMPL_TYPE_PROPERTY, NCRYPT_KEY_USAGE_PROPERTY, NCRYPT_LENGTH_PROPERTY, NTE_BAD_TYPE,
    NTE_NO_KEY, NTE_NOT_SUPPORTED, ProviderHandle, SSL_KEY_TYPE_PROPERTY,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::Failure;
#[cfg(target_os = "linux")]
use crate::key_server::private_key as key_of_key_server;
use crate::key_store::certificate_key;
use crate::object::{Object, OpenedKey};
use crate::pointer::{CertContext, Out, WideStr};
use crate::process::process;
use crate::provider::{SOFTWARE, wide};

export! {
    /// Opens the private key of a certificate: a key that `NCryptImportKey` has imported, whose
    /// handle is live, and whose public key is that of the certificate. Of the certificate only
    /// `pbCertEncoded` and `cbCertEncoded` (DER) are read. An RSA key decrypts and signs, as far as
    /// the key usage in its PKCS#8 structure allows both; an EC key signs if it was imported for
    /// ECDSA.
    ///
    /// On Linux, an RSA key that was not imported is looked for in the key server (`sslprov
    /// key-server`) whose socket the environment variable `SSL_PROVIDER_KEY_SERVER` names. It must
    /// run as the same user, as root, or as the user whose number is in
    /// `SSL_PROVIDER_KEY_SERVER_UID`. It does the key exchange of `SslImportMasterKey`, which
    /// returns `NTE_DEVICE_NOT_READY` while it cannot be reached. Such a key does not sign, and
    /// what a policy requires of RSA is not checked for it.
    ///
    /// Returns `NTE_NO_KEY` if there is no such key, `NTE_DEVICE_NOT_READY` if the key server
    /// cannot be reached, `NTE_BAD_TYPE` if the key of the certificate is neither RSA nor on P-256,
    /// P-384 or P-521, `NTE_PERM` if the modulus has fewer bits than `dwMinKeyBits` of the policy,
    /// and `NTE_INVALID_PARAMETER` if `SSL_PROVIDER_KEY_SERVER_UID` is not a number.
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
        let public = certificate_key(&certificate)?;
        let stored = process().keys.find(&public)?;
        let provider = provider.provider();
        let (decryption, signing) = match stored.as_deref() {
            Some(CheckedKey::Rsa { der, .. }) => {
                (decryption_key(provider, der)?, signing_key(provider, der)?)
            }
            Some(CheckedKey::Ec { sec1, public }) => (
                Err(Error::Key(InvalidKey::NotRsa("an EC key")).into()),
                match public.algorithm {
                    EcAlgorithm::Ecdsa => signing_key(provider, sec1)?,
                    EcAlgorithm::Ecdh => Err(NO_ECDH),
                },
            ),
            None => {
                let key = key_of_key_server(provider, &public)?.ok_or(NO_KEY)?;
                (Ok(key.into()), Err(NO_KEY_SERVER))
            }
        };
        // A certificate does not tell ECDH from ECDSA.
        let public = stored.map_or(public, |key| key.public()).into();
        let key = OpenedKey { backend: provider.backend().clone(), public, decryption, signing };
        place.write(process().handles.insert(Object::PrivateKey(key))?);
        Ok(())
    }
}

export! {
    /// Returns a property of a private key. DWORDs are "Length" and "PublicKeyLength" in bits,
    /// "Block Length" of an RSA key in bytes, "Key Usage", "Export Policy", "Impl Type", and
    /// "KEYTYPE", the number of the curve or 0 for RSA. Texts are "Algorithm Name", "Algorithm
    /// Group", and "ECCCurveName" of an EC key. Returns `NTE_NOT_SUPPORTED` for other names.
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
        let value = match &*key.public {
            PublicKey::Rsa(public) => rsa_property(public, &key, &property),
            PublicKey::Ec(public) => ec_property(public, &property),
        };
        let value = value.ok_or(Failure::Status(NTE_NOT_SUPPORTED, "no such key property"))?;
        let len = u32::try_from(value.len()).map_err(|_| Error::NoMemory)?;
        output_place.write(process().blocks.bytes(&value)?);
        len_place.write(len);
        Ok(())
    }
}

/// There are key servers on Linux only.
#[cfg(not(target_os = "linux"))]
fn key_of_key_server(_: &Provider, _: &PublicKey) -> Result<Option<PrivateKey>, Failure> {
    Ok(None)
}

const NO_KEY: Failure =
    Failure::Status(NTE_NO_KEY, "no key with the public key of the certificate was imported");

/// Returns a key as one that decrypts, or the reason why its key usage does not allow that.
fn decryption_key(
    provider: &Provider,
    der: &[u8],
) -> Result<Result<Arc<PrivateKey>, Failure>, Error> {
    match provider.load_private_key(der) {
        Ok(key) => Ok(Ok(key.into())),
        Err(error @ Error::Key(InvalidKey::Usage)) => Ok(Err(error.into())),
        Err(error) => Err(error),
    }
}

/// Returns a key as one that signs, or the reason why the library has no such key. A failure of
/// anything but the key is an error.
fn signing_key(provider: &Provider, der: &[u8]) -> Result<Result<Arc<SigningKey>, Failure>, Error> {
    match provider.load_signing_key(der) {
        Ok(key) => Ok(Ok(key.into())),
        Err(error @ (Error::Unsupported(_) | Error::Key(_))) => Ok(Err(error.into())),
        Err(error) => Err(error),
    }
}

const NO_ECDH: Failure = Failure::Status(NTE_BAD_TYPE, "an ECDH key does not sign");
const NO_KEY_SERVER: Failure =
    Failure::Status(NTE_NOT_SUPPORTED, "a key of a key server does not sign");

/// Returns a property of an RSA key, or `None` for an unknown name.
fn rsa_property(public: &RsaPublicKey, key: &OpenedKey, property: &str) -> Option<Vec<u8>> {
    let size = |value: usize| u32::try_from(value).ok().map(number);
    match property {
        NCRYPT_LENGTH_PROPERTY | BCRYPT_PUBLIC_KEY_LENGTH => size(public.bits()),
        NCRYPT_BLOCK_LENGTH_PROPERTY => size(public.modulus.len()),
        NCRYPT_ALGORITHM_PROPERTY | NCRYPT_ALGORITHM_GROUP_PROPERTY => {
            Some(wide(BCRYPT_RSA_ALGORITHM))
        }
        NCRYPT_KEY_USAGE_PROPERTY => {
            let decrypts = if key.decryption.is_ok() { ALLOW_DECRYPT } else { 0 };
            let signs = if key.signing.is_ok() { ALLOW_SIGNING } else { 0 };
            Some(number(decrypts | signs))
        }
        SSL_KEY_TYPE_PROPERTY => Some(number(0)),
        _ => common_property(property),
    }
}

/// Returns a property of an EC key, or `None` for an unknown name.
fn ec_property(key: &EcPublicKey, property: &str) -> Option<Vec<u8>> {
    let (ecdh, ecdsa) = match key.curve {
        Curve::P256 => (BCRYPT_ECDH_P256_ALGORITHM, BCRYPT_ECDSA_P256_ALGORITHM),
        Curve::P384 => (BCRYPT_ECDH_P384_ALGORITHM, BCRYPT_ECDSA_P384_ALGORITHM),
        Curve::P521 => (BCRYPT_ECDH_P521_ALGORITHM, BCRYPT_ECDSA_P521_ALGORITHM),
    };
    let curve = NamedCurve::from(key.curve);
    let (algorithm, group, usage) = match key.algorithm {
        EcAlgorithm::Ecdh => (ecdh, BCRYPT_ECDH_ALGORITHM, ALLOW_KEY_AGREEMENT),
        EcAlgorithm::Ecdsa => (ecdsa, BCRYPT_ECDSA_ALGORITHM, ALLOW_SIGNING),
    };
    match property {
        NCRYPT_LENGTH_PROPERTY | BCRYPT_PUBLIC_KEY_LENGTH => Some(number(key.curve.bits())),
        NCRYPT_ALGORITHM_PROPERTY => Some(wide(algorithm)),
        NCRYPT_ALGORITHM_GROUP_PROPERTY => Some(wide(group)),
        NCRYPT_KEY_USAGE_PROPERTY => Some(number(usage)),
        BCRYPT_ECC_CURVE_NAME => Some(wide(curve.cng_name())),
        SSL_KEY_TYPE_PROPERTY => Some(number(curve.wire().into())),
        _ => common_property(property),
    }
}

/// Returns a property that has the same value for every key.
fn common_property(property: &str) -> Option<Vec<u8>> {
    match property {
        NCRYPT_EXPORT_POLICY_PROPERTY => Some(number(0)),
        NCRYPT_IMPL_TYPE_PROPERTY => Some(number(SOFTWARE)),
        _ => None,
    }
}

fn number(value: u32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

/// The values of "Key Usage": `NCRYPT_ALLOW_DECRYPT_FLAG` and those beside it.
const ALLOW_DECRYPT: u32 = 1;
const ALLOW_SIGNING: u32 = 2;
const ALLOW_KEY_AGREEMENT: u32 = 4;

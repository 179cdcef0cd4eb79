//! A backend made of two: what the first does not support, the second does.
//! This is how ring, which leaves out RSA decryption, MD5 and CBC, becomes a whole backend.

use crate::algorithm::{
    AeadAlgorithm, CbcAlgorithm, HashAlgorithm, KEM_SECRET_LEN, KemAlgorithm, NamedCurve,
    PrfAlgorithm, SignatureScheme,
};
use crate::backend::{
    AeadCipher, AgreementKey, Backend, BackendInfo, CbcCipher, CompressionFunction,
    DecapsulationKey, HashContext, Hashing, KemPrivateKey, KeyAgreement, KeyEncapsulation,
    KeyExchangeBackend, RecordCiphers, RsaDecryption, RsaEncryption, RsaPrivateKey, SecureRandom,
    SignatureKey, Signatures, StreamCipher,
};
use crate::dh_parameters::DhParameters;
use crate::error::Error;
use crate::operation::{Operation, Support};
use crate::public_key::PublicKeyDer;
use crate::rsa_der::RsaPrivateKeyDer;
use crate::signing_key_der::SigningKeyDer;

/// Two backends as one. An operation goes to `primary` if `primary.support(operation)` is not
/// [`Support::Unsupported`], else to `secondary`; HKDF goes where HMAC goes, and a key that signs
/// where a scheme goes that all keys of its kind have. Every error of the chosen backend is
/// returned: the other one is not tried.
#[derive(Debug)]
pub struct Composed<P> {
    info: BackendInfo,
    primary: P,
    secondary: Backend,
}

impl<P: KeyExchangeBackend> Composed<P> {
    /// Composes two backends under a description of the whole.
    pub fn new(info: BackendInfo, primary: P, secondary: Backend) -> Self {
        Self { info, primary, secondary }
    }

    /// The backend that does `operation`.
    fn of(&self, operation: Operation) -> &dyn KeyExchangeBackend {
        if self.primary.support(operation).is_supported() {
            &self.primary
        } else {
            &*self.secondary
        }
    }
}

impl<P: KeyExchangeBackend> KeyExchangeBackend for Composed<P> {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        self.of(operation).support(operation)
    }

    crate::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
    }
}

impl<P: KeyExchangeBackend> SecureRandom for Composed<P> {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        self.of(Operation::Random).random().fill(out)
    }
}

impl<P: KeyExchangeBackend> Hashing for Composed<P> {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.of(Operation::Hash(hash)).hashing().hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.of(Operation::Hash(hash)).hashing().hash_context(hash)
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        self.of(Operation::CompressionFunction(hash)).hashing().compression_function(hash)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.of(Operation::Hmac(hash)).hashing().hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.of(Operation::Prf(prf)).hashing().prf(prf, secret, label, seed, out)
    }

    fn hkdf_extract(
        &self,
        hash: HashAlgorithm,
        salt: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.of(Operation::Hmac(hash)).hashing().hkdf_extract(hash, salt, input, out)
    }

    fn hkdf_expand(
        &self,
        hash: HashAlgorithm,
        secret: &[u8],
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.of(Operation::Hmac(hash)).hashing().hkdf_expand(hash, secret, info, out)
    }
}

impl<P: KeyExchangeBackend> RsaDecryption for Composed<P> {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        self.of(Operation::RsaDecryptRaw).rsa_decryption().load(key)
    }
}

impl<P: KeyExchangeBackend> RsaEncryption for Composed<P> {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        self.of(Operation::RsaEncryptRaw).rsa_encryption().encrypt_raw(key, em, ciphertext)
    }
}

impl<P: KeyExchangeBackend> KeyAgreement for Composed<P> {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        self.of(Operation::Ecdh(curve)).key_agreement().generate_ecdh(curve)
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        self.of(Operation::EcdhLoad(curve)).key_agreement().load_ecdh(curve, private_key)
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        self.of(Operation::Dh).key_agreement().generate_dh(group)
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        self.of(Operation::Dh).key_agreement().load_dh(group, private_key)
    }
}

impl<P: KeyExchangeBackend> KeyEncapsulation for Composed<P> {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        self.of(Operation::Kem(kem)).key_encapsulation().generate_kem(kem)
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        self.of(Operation::KemLoad(kem)).key_encapsulation().load_kem(kem, key)
    }

    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let chosen = self.of(Operation::Kem(kem)).key_encapsulation();
        chosen.encapsulate(kem, encapsulation_key, ciphertext, secret)
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let chosen = self.of(Operation::KemLoad(kem)).key_encapsulation();
        chosen.encapsulate_with(kem, encapsulation_key, m, ciphertext, secret)
    }
}

impl<P: KeyExchangeBackend> RecordCiphers for Composed<P> {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        self.of(Operation::Rc4).record_ciphers().rc4(key)
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        self.of(Operation::Cbc(cipher)).record_ciphers().cbc(cipher, key)
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        self.of(Operation::Aead(cipher)).record_ciphers().aead(cipher, key)
    }
}

impl<P: KeyExchangeBackend> Signatures for Composed<P> {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.of(Operation::Verify(scheme)).signatures().verify(key, scheme, digest, signature)
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        self.of(Operation::Sign(key.any_scheme())).signatures().load(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Announces(BackendInfo, Operation);

    impl KeyExchangeBackend for Announces {
        fn info(&self) -> &BackendInfo {
            &self.0
        }

        fn support(&self, operation: Operation) -> Support {
            if operation == self.1 { Support::By(self.0.name) } else { Support::Unsupported }
        }
    }

    #[derive(Debug)]
    struct Rc4(BackendInfo);

    impl KeyExchangeBackend for Rc4 {
        fn info(&self) -> &BackendInfo {
            &self.0
        }

        fn support(&self, _: Operation) -> Support {
            Support::By(self.0.name)
        }

        fn record_ciphers(&self) -> &dyn RecordCiphers {
            self
        }
    }

    impl RecordCiphers for Rc4 {
        fn rc4(&self, _: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
            Err(Error::NoMemory)
        }
    }

    #[test]
    fn the_backend_that_is_announced_does_the_work() {
        let info = |name| BackendInfo::new(name, name, String::new());
        for (announced, by, result) in [
            (Operation::Rc4, "first", Error::Unsupported(Operation::Rc4)),
            (Operation::Random, "second", Error::NoMemory),
        ] {
            let second = Backend::new(Rc4(info("second")));
            let both = Composed::new(info("both"), Announces(info("first"), announced), second);
            assert_eq!(both.support(Operation::Rc4), Support::By(by));
            assert_eq!(both.record_ciphers().rc4(&[0; 16]).unwrap_err(), result);
        }
    }
}

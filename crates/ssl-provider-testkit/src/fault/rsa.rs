//! RSA private and public operations with a fault.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use num_bigint::BigUint;
use ssl_provider_core::backend::{RawDecryption, RsaDecryption, RsaEncryption, RsaPrivateKey};
use ssl_provider_core::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};

use super::Fault;
use super::backend::FaultyBackend;
use super::defect::{Defect, drop_leading_zeros, flip};
use super::encoded_numbers::padded;
use crate::bytes::to_hex;
use crate::rsa_key::{KeyParts, TestKey};

impl RsaDecryption for FaultyBackend {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let sound = self.inner.rsa_decryption().load(key);
        let bits = key.modulus_bits();
        let other = TestKey::rsa_1024();
        let [p, q] = key.primes().map(BigUint::from_bytes_be);
        let inner = match (sound, self.defect.fault) {
            (Ok(_), Some(Fault::SmallKeysAreRefused)) if bits < 2048 => {
                self.defect.count_if(true);
                return Err(Error::Key(InvalidKey::Modulus { bits }));
            }
            (Ok(_), Some(Fault::LargeKeysAreRefused)) if bits > 4096 => {
                self.defect.count_if(true);
                return Err(Error::Key(InvalidKey::Modulus { bits }));
            }
            (Ok(_), Some(Fault::PrimesInTheOtherOrderAreRefused)) if p < q => {
                self.defect.count_if(true);
                return Err(Error::Key(InvalidKey::Inconsistent));
            }
            (Err(Error::Key(_)), Some(Fault::WrongPrimesAreTaken)) => {
                self.defect.count_if(true);
                self.inner.rsa_decryption().load(&RsaPrivateKeyDer::from_der(&other.der)?)?
            }
            (Err(Error::Key(_)), Some(Fault::BadKeysHaveAnErrorOfTheirOwn)) => {
                self.defect.count_if(true);
                return Err(self.defect.failure());
            }
            (sound, _) => sound?,
        };
        if self.defect.fault.is_none() {
            return Ok(inner);
        }
        let parts = TestKey::from_der("key of a faulty backend", key.pkcs1()).parts();
        let uses = AtomicU32::new(0);
        Ok(Box::new(FaultyKey { inner, parts, defect: self.defect.clone(), uses }))
    }
}

/// An RSA private key with a fault.
struct FaultyKey {
    inner: Box<dyn RsaPrivateKey>,
    parts: KeyParts,
    defect: Defect,
    uses: AtomicU32,
}

impl fmt::Debug for FaultyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FaultyKey");
        if self.defect.is(Fault::DebugShowsTheKey) {
            self.defect.count_if(true);
            shown.field("d", &to_hex(&self.parts.d.to_bytes_be()));
        }
        shown.finish_non_exhaustive()
    }
}

impl RsaPrivateKey for FaultyKey {
    fn modulus_len(&self) -> usize {
        self.inner.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let sound = |out: &mut [u8]| self.inner.decrypt_raw(ciphertext, out);
        let is_short = ciphertext.len() + 1 == self.inner.modulus_len();
        if self.defect.is(Fault::DecryptionTakesShortCiphertexts) && is_short {
            let extended = [&[0], ciphertext].concat();
            let faulty = |out: &mut [u8]| self.inner.decrypt_raw(&extended, out);
            return self.defect.replace(em, sound, faulty);
        }
        sound(em)?;
        self.spoil(ciphertext, em)
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let before: Vec<Vec<u8>> = jobs.iter().map(|job| job.em.to_vec()).collect();
        self.inner.decrypt_raw_batch(jobs)?;
        match (self.defect.fault, jobs) {
            (Some(Fault::BatchMixesUpItsJobs), [first, .., last]) => {
                self.defect.count_if(first.em != last.em);
                first.em.swap_with_slice(last.em);
            }
            (Some(Fault::BatchOfOneIsLeftOut), [only]) => {
                self.defect.alter(only.em, |em| em.copy_from_slice(&before[0]));
            }
            (Some(Fault::BatchStopsAtEight), jobs) => {
                for (job, before) in jobs.iter_mut().zip(&before).skip(8) {
                    self.defect.alter(job.em, |em| em.copy_from_slice(before));
                }
            }
            (_, jobs) => {
                for job in jobs {
                    self.spoil(job.ciphertext, job.em)?;
                }
            }
        }
        Ok(())
    }
}

impl FaultyKey {
    /// Makes of the sound block of a ciphertext what the fault makes of it.
    fn spoil(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let KeyParts { p, q, e, n, .. } = &self.parts;
        let is_wrong = match self.defect.fault {
            Some(Fault::DecryptionIsOneBitOff) => true,
            Some(Fault::DecryptionNeedsTheLargerPrimeFirst) => p < q,
            Some(Fault::DecryptionNeedsALargeExponent) => *e == BigUint::from(3_u8),
            Some(Fault::DecryptionOf3072Bits) => n.bits() == 3072,
            Some(Fault::DecryptionNeedsWholeWords) => !em.len().is_multiple_of(8),
            Some(Fault::DecryptionMisreadsShortCiphertexts) => ciphertext.first() == Some(&0),
            Some(Fault::DecryptionWearsOut) => self.uses.fetch_add(1, Ordering::Relaxed) % 32 == 31,
            _ => false,
        };
        if is_wrong {
            self.defect.alter(em, flip);
            return Ok(());
        }
        match self.defect.fault {
            Some(Fault::DecryptionDropsLeadingZeros) => {
                self.defect.alter(em, drop_leading_zeros);
            }
            Some(Fault::DecryptionFailsOnBadPadding) if !em.starts_with(&[0, 2]) => {
                self.defect.count_if(true);
                return Err(self.defect.failure());
            }
            Some(Fault::DecryptionFailsOnShortBlocks) if em.starts_with(&[0; 8]) => {
                self.defect.count_if(true);
                return Err(self.defect.failure());
            }
            Some(Fault::DecryptionHalfIsWrong) => self.join(em, |of_p, of_q| {
                let wrong = (of_q + 1_u8) % q;
                self.garner(&wrong, &((of_p + p * q - &wrong) % p))
            }),
            Some(Fault::DecryptionLosesTheBorrow) => self.join(em, |of_p, of_q| {
                let of_q_mod_p = &of_q % p;
                let difference = match of_p >= of_q_mod_p {
                    true => of_p - of_q_mod_p,
                    false => of_q_mod_p - of_p,
                };
                self.garner(&of_q, &difference)
            }),
            _ => {}
        }
        Ok(())
    }

    /// Replaces a block by what `join` makes of it modulo p and modulo q.
    fn join(&self, em: &mut [u8], join: impl FnOnce(BigUint, BigUint) -> BigUint) {
        let KeyParts { p, q, n, .. } = &self.parts;
        let block = BigUint::from_bytes_be(em);
        let joined = join(&block % p, &block % q) % n;
        if let Some(bytes) = padded(&joined, em.len()) {
            self.defect.alter(em, |em| em.copy_from_slice(&bytes));
        }
    }

    /// Joins the half of q with that of p, given their difference modulo p (RFC 8017 section
    /// 5.1.2, step 2.b).
    fn garner(&self, of_q: &BigUint, difference: &BigUint) -> BigUint {
        let KeyParts { p, q, qinv, .. } = &self.parts;
        of_q + q * (difference * qinv % p)
    }
}

impl RsaEncryption for FaultyBackend {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let inner = self.inner.rsa_encryption();
        let sound = |out: &mut [u8]| inner.encrypt_raw(key, em, out);
        match (self.defect.fault, key.parts()) {
            (Some(Fault::EncryptionIsOneBitOff), _) => {
                let mut block = em.to_vec();
                flip(&mut block);
                let faulty = |out: &mut [u8]| inner.encrypt_raw(key, &block, out);
                self.defect.replace(ciphertext, sound, faulty)
            }
            (Some(Fault::EncryptionDropsLeadingZeros), _) => {
                sound(ciphertext)?;
                self.defect.alter(ciphertext, drop_leading_zeros);
                Ok(())
            }
            (Some(Fault::EncryptionIgnoresTheExponent), PublicKeyParts::Rsa { modulus, .. }) => {
                let other = PublicKeyParts::Rsa { modulus, exponent: &[1, 0, 1] }.to_der()?;
                let other = PublicKeyDer::from_der(&other)?;
                let faulty = |out: &mut [u8]| inner.encrypt_raw(&other, em, out);
                self.defect.replace(ciphertext, sound, faulty)
            }
            (Some(Fault::EncryptionTakesShortBlocks), _) if em.len() + 1 == ciphertext.len() => {
                let extended = [&[0], em].concat();
                let faulty = |out: &mut [u8]| inner.encrypt_raw(key, &extended, out);
                self.defect.replace(ciphertext, sound, faulty)
            }
            _ => sound(ciphertext),
        }
    }
}

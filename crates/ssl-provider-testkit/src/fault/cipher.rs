//! RC4 and CBC ciphers with a fault.

use std::sync::{Mutex, PoisonError};

use ssl_provider_core::backend::{AeadCipher, CbcCipher, RecordCiphers, StreamCipher};
use ssl_provider_core::{AeadAlgorithm, CbcAlgorithm, Error, Operation};

use super::Fault;
use super::aead::{FaultyAead, IN_AEAD};
use super::backend::FaultyBackend;
use super::defect::Defect;

/// The faults of every CBC cipher.
const IN_CBC: &[Fault] = &[
    Fault::CbcIgnoresTheIv,
    Fault::CbcDoesNotChain,
    Fault::CbcGoesOn,
    Fault::CbcLeavesTheLastBlock,
    Fault::CbcTakesShortIvs,
];

impl RecordCiphers for FaultyBackend {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        let sound = self.inner.record_ciphers().rc4(key)?;
        let mut faulty = self.inner.record_ciphers().rc4(key)?;
        let fresh = match self.defect.fault {
            Some(Fault::Rc4StartsAnew) => Some((self.inner.clone(), key.to_vec())),
            Some(Fault::Rc4DropsItsFirstBytes) => {
                faulty.apply(&mut [0; 256])?;
                None
            }
            _ => return Ok(sound),
        };
        Ok(Box::new(FaultyStream { sound, faulty, fresh, defect: self.defect.clone() }))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        let ciphers = self.inner.record_ciphers();
        let sound = ciphers.cbc(cipher, key)?;
        let faulty = match (self.defect.fault, cipher) {
            (Some(Fault::LackNamesAnotherOperation), CbcAlgorithm::Des) => {
                self.defect.count_if(true);
                return Err(Error::Unsupported(Operation::Rc4));
            }
            (Some(Fault::TripleDesHasTwoKeys), CbcAlgorithm::TripleDes) => {
                ciphers.cbc(cipher, &[&key[..16], &key[..8]].concat())
            }
            (Some(Fault::CbcAes256HasHalfAKey), CbcAlgorithm::Aes256) => {
                ciphers.cbc(cipher, &key[..16].repeat(2))
            }
            (Some(fault), _) if IN_CBC.contains(&fault) => ciphers.cbc(cipher, key),
            _ => return Ok(sound),
        };
        let (faulty, defect, block_len) = (faulty?, self.defect.clone(), cipher.block_len());
        Ok(Box::new(FaultyCbc { sound, faulty, block_len, last: Mutex::default(), defect }))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let inner = self.inner.record_ciphers().aead(cipher, key)?;
        if !self.defect.is_one_of(IN_AEAD) {
            return Ok(inner);
        }
        let full = match (self.defect.fault, cipher) {
            (Some(Fault::Ccm8IsCcm), AeadAlgorithm::Aes128Ccm8) => Some(AeadAlgorithm::Aes128Ccm),
            (Some(Fault::Ccm8IsCcm), AeadAlgorithm::Aes256Ccm8) => Some(AeadAlgorithm::Aes256Ccm),
            _ => None,
        };
        let full = full.map(|full| self.inner.record_ciphers().aead(full, key)).transpose()?;
        Ok(Box::new(FaultyAead { inner, full, cipher, defect: self.defect.clone() }))
    }
}

/// RC4 with a fault, beside the sound one.
struct FaultyStream {
    sound: Box<dyn StreamCipher>,
    faulty: Box<dyn StreamCipher>,
    /// What a new cipher is made of, where each call begins anew.
    fresh: Option<(ssl_provider_core::Backend, Vec<u8>)>,
    defect: Defect,
}

ssl_provider_core::redacted_debug! { FaultyStream { .. } }

impl StreamCipher for FaultyStream {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        if let Some((backend, key)) = &self.fresh {
            self.faulty = backend.record_ciphers().rc4(key)?;
        }
        let (sound, faulty) = (&mut self.sound, &mut self.faulty);
        self.defect.replace(bytes, |out| sound.apply(out), |out| faulty.apply(out))
    }
}

/// A CBC cipher with a fault, beside the sound one.
struct FaultyCbc {
    sound: Box<dyn CbcCipher>,
    faulty: Box<dyn CbcCipher>,
    block_len: usize,
    /// The last block of ciphertext, as long as there is any.
    last: Mutex<Vec<u8>>,
    defect: Defect,
}

ssl_provider_core::redacted_debug! { FaultyCbc { block_len, .. } }

/// Encryption or decryption.
type Work<'a> = &'a dyn Fn(&dyn CbcCipher, &[u8], &mut [u8]) -> Result<(), Error>;

impl FaultyCbc {
    fn run(
        &self,
        iv: &[u8],
        blocks: &mut [u8],
        encrypts: bool,
        work: Work<'_>,
    ) -> Result<(), Error> {
        let has_lengths = iv.len() == self.block_len && blocks.len().is_multiple_of(self.block_len);
        let has_short_iv = iv.len() + 1 == self.block_len;
        let takes_short = self.defect.is(Fault::CbcTakesShortIvs) && has_short_iv;
        if !has_lengths && !takes_short {
            return work(&*self.sound, iv, blocks);
        }
        let len = blocks.len();
        let ciphertext = blocks.to_vec();
        let faulty = |out: &mut [u8]| match self.defect.fault {
            Some(Fault::CbcIgnoresTheIv) => work(&*self.faulty, &vec![0; iv.len()], out),
            Some(Fault::CbcDoesNotChain) => {
                out.chunks_mut(self.block_len).try_for_each(|block| work(&*self.faulty, iv, block))
            }
            Some(Fault::CbcGoesOn) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                let iv = if last.is_empty() { iv } else { last.as_slice() };
                work(&*self.faulty, iv, out)?;
                let ciphertext = if encrypts { &*out } else { &*ciphertext };
                if let Some(block) = ciphertext.chunks(self.block_len).last() {
                    *last = block.to_vec();
                }
                Ok(())
            }
            Some(Fault::CbcLeavesTheLastBlock) if !encrypts => {
                let rest = len.saturating_sub(self.block_len);
                work(&*self.faulty, iv, &mut out[..rest])
            }
            Some(Fault::CbcTakesShortIvs) if takes_short => {
                work(&*self.faulty, &[iv, &[0]].concat(), out)
            }
            _ => work(&*self.faulty, iv, out),
        };
        self.defect.replace(blocks, |out| work(&*self.sound, iv, out), faulty)
    }
}

impl CbcCipher for FaultyCbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.run(iv, blocks, true, &|cipher, iv, blocks| cipher.encrypt(iv, blocks))
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.run(iv, blocks, false, &|cipher, iv, blocks| cipher.decrypt(iv, blocks))
    }
}

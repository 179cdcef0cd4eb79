//! Running hashes and compression functions with a fault.

use std::sync::{Arc, Mutex, PoisonError};

use ssl_provider_core::backend::{CompressionFunction, HashContext};
use ssl_provider_core::{Error, HashAlgorithm};

use super::Fault;
use super::defect::{Defect, flip};
use super::hashing::wrong_hash;
use crate::reference;

/// A running hash with a fault. It keeps its input beside the sound one, as the fault takes it.
pub(super) struct FaultyContext {
    sound: Box<dyn HashContext>,
    hash: HashAlgorithm,
    defect: Defect,
    /// Shared by duplicates where that is the fault.
    input: Arc<Mutex<Vec<u8>>>,
}

ssl_provider_core::redacted_debug! { FaultyContext { hash, .. } }

impl FaultyContext {
    pub(super) fn new(sound: Box<dyn HashContext>, hash: HashAlgorithm, defect: Defect) -> Self {
        Self { sound, hash, defect, input: Arc::default() }
    }

    fn input(&self) -> Vec<u8> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HashContext for FaultyContext {
    fn update(&mut self, input: &[u8]) {
        self.sound.update(input);
        let mut kept = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if self.defect.is(Fault::HashKeepsTheLastPiece) {
            kept.clear();
        }
        kept.extend_from_slice(input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        let input = match self.defect.fault {
            Some(Fault::HashDuplicateIsShared) => Arc::clone(&self.input),
            Some(Fault::HashDuplicateForgets) => Arc::default(),
            _ => Arc::new(Mutex::new(self.input())),
        };
        let (sound, defect) = (self.sound.duplicate(), self.defect.clone());
        Box::new(Self { sound, hash: self.hash, defect, input })
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        let (input, len) = (self.input(), out.len());
        let Self { sound, hash, defect, .. } = *self;
        if defect.is(Fault::HashTakesAnyOutput) {
            let faulty = |out: &mut [u8]| {
                let digest = reference::hash(hash, &[&input]);
                out.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
                Ok(())
            };
            return defect.replace(out, |out| sound.finish(out), faulty);
        }
        if len != hash.output_len() {
            return sound.finish(out);
        }
        let wrong = defect.fault.and_then(|fault| wrong_hash(fault, hash, &[&input]));
        let digest = wrong.unwrap_or_else(|| reference::hash(hash, &[&input]));
        let faulty = |out: &mut [u8]| {
            out.copy_from_slice(&digest);
            Ok(())
        };
        defect.replace(out, |out| sound.finish(out), faulty)
    }
}

/// A compression function with a fault, beside the sound one.
#[derive(Debug)]
pub(super) struct FaultyCompression {
    pub(super) sound: Box<dyn CompressionFunction>,
    pub(super) faulty: Box<dyn CompressionFunction>,
    pub(super) hash: HashAlgorithm,
    pub(super) defect: Defect,
}

impl CompressionFunction for FaultyCompression {
    fn compress(&mut self, blocks: &[u8]) {
        self.sound.compress(blocks);
        let one = self.defect.is(Fault::CompressionTakesOneBlock);
        let len = if one { self.hash.block_len().min(blocks.len()) } else { blocks.len() };
        self.faulty.compress(&blocks[..len]);
    }

    fn chaining_value(&self, out: &mut [u8]) {
        let mut sound = out.to_vec();
        self.sound.chaining_value(&mut sound);
        self.faulty.chaining_value(out);
        if self.defect.is(Fault::CompressionIsOneBitOff) {
            flip(out);
        }
        self.defect.count_if(*out != *sound);
    }
}

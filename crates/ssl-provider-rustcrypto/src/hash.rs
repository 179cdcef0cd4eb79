//! Hashes of the RustCrypto crates, at once and running, and the compression functions inside them.
//! An algorithm becomes a type here, and only here and in the HMAC.

use std::any;
use std::fmt;

use hmac::digest::{Digest, FixedOutputReset};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop};

use ssl_provider_core::backend::{
    BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing, HmacKey,
};
use ssl_provider_core::{Error, HashAlgorithm, Operation};

use crate::RustCrypto;
use crate::prf::Key;

impl Hashing for RustCrypto {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Ok(match hash {
            HashAlgorithm::Md5 => Box::new(Context(Md5::new())),
            HashAlgorithm::Sha1 => Box::new(Context(Sha1::new())),
            HashAlgorithm::Sha256 => Box::new(Context(Sha256::new())),
            HashAlgorithm::Sha384 => Box::new(Context(Sha384::new())),
            HashAlgorithm::Sha512 => Box::new(Context(Sha512::new())),
            _ => return Err(Error::Unsupported(Operation::Hash(hash))),
        })
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        // The first chaining value of each hash (RFC 1321, FIPS 180-4).
        Ok(Box::new(match hash {
            HashAlgorithm::Md5 => State::Md5([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]),
            HashAlgorithm::Sha1 => {
                State::Sha1([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0])
            }
            HashAlgorithm::Sha256 => State::Sha256([
                0x6a09_e667,
                0xbb67_ae85,
                0x3c6e_f372,
                0xa54f_f53a,
                0x510e_527f,
                0x9b05_688c,
                0x1f83_d9ab,
                0x5be0_cd19,
            ]),
            HashAlgorithm::Sha384 => State::Sha384([
                0xcbbb_9d5d_c105_9ed8,
                0x629a_292a_367c_d507,
                0x9159_015a_3070_dd17,
                0x152f_ecd8_f70e_5939,
                0x6733_2667_ffc0_0b31,
                0x8eb4_4a87_6858_1511,
                0xdb0c_2e0d_64f9_8fa7,
                0x47b5_481d_befa_4fa4,
            ]),
            HashAlgorithm::Sha512 => State::Sha512([
                0x6a09_e667_f3bc_c908,
                0xbb67_ae85_84ca_a73b,
                0x3c6e_f372_fe94_f82b,
                0xa54f_f53a_5f1d_36f1,
                0x510e_527f_ade6_82d1,
                0x9b05_688c_2b3e_6c1f,
                0x1f83_d9ab_fb41_bd6b,
                0x5be0_cd19_137e_2179,
            ]),
            _ => return Err(Error::Unsupported(Operation::CompressionFunction(hash))),
        }))
    }

    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        match hash {
            HashAlgorithm::Md5 => work(&Key::<Md5>::new(key)),
            HashAlgorithm::Sha1 => work(&Key::<Sha1>::new(key)),
            HashAlgorithm::Sha256 => work(&Key::<Sha256>::new(key)),
            HashAlgorithm::Sha384 => work(&Key::<Sha384>::new(key)),
            HashAlgorithm::Sha512 => work(&Key::<Sha512>::new(key)),
            _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
        }
        Ok(())
    }
}

/// The crates of this file, and of the HMAC, with their release series.
pub(crate) const CRATES: &[(&str, &str)] =
    &[("hmac", "0.13"), ("sha2", "0.11"), ("sha1", "0.11"), ("md-5", "0.11")];

#[derive(Clone)]
struct Context<D>(D);

impl<D: Digest + FixedOutputReset + Clone + Send + Sync + 'static> HashContext for Context<D> {
    fn update(&mut self, input: &[u8]) {
        Digest::update(&mut self.0, input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(self.clone())
    }

    fn finish(mut self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        let out = out.try_into().map_err(|_| BAD_OUTPUT_LEN)?;
        // In place, so that the state is wiped where it lies: one that is moved out of its box
        // leaves its bytes behind there.
        Digest::finalize_into_reset(&mut self.0, out);
        Ok(())
    }
}

impl<D> fmt::Debug for Context<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", any::type_name::<D>())
    }
}

/// A chaining value.
#[derive(Zeroize, ZeroizeOnDrop)]
enum State {
    Md5([u32; 4]),
    Sha1([u32; 5]),
    Sha256([u32; 8]),
    Sha384([u64; 8]),
    Sha512([u64; 8]),
}

impl CompressionFunction for State {
    fn compress(&mut self, blocks: &[u8]) {
        match self {
            Self::Md5(state) => md5::block_api::compress(state, blocks.as_chunks().0),
            Self::Sha1(state) => sha1::block_api::compress(state, blocks.as_chunks().0),
            Self::Sha256(state) => sha2::block_api::compress256(state, blocks.as_chunks().0),
            Self::Sha384(state) | Self::Sha512(state) => {
                sha2::block_api::compress512(state, blocks.as_chunks().0);
            }
        }
    }

    fn chaining_value(&self, out: &mut [u8]) {
        match self {
            Self::Md5(state) => write(out, state.map(u32::to_le_bytes)),
            Self::Sha1(state) => write(out, state.map(u32::to_be_bytes)),
            Self::Sha256(state) => write(out, state.map(u32::to_be_bytes)),
            Self::Sha384(state) | Self::Sha512(state) => write(out, state.map(u64::to_be_bytes)),
        }
    }
}

/// Writes words one after another, as far as `out` goes.
fn write<const N: usize>(out: &mut [u8], words: impl IntoIterator<Item = [u8; N]>) {
    for (to, from) in out.iter_mut().zip(words.into_iter().flatten()) {
        *to = from;
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5(_) => "State(Md5)",
            Self::Sha1(_) => "State(Sha1)",
            Self::Sha256(_) => "State(Sha256)",
            Self::Sha384(_) => "State(Sha384)",
            Self::Sha512(_) => "State(Sha512)",
        })
    }
}

//! Algorithms by name, one file for each kind, with the facts that any caller needs: lengths,
//! numbers on the wire, the usual name. Whose code computes them is for [`crate::backend`].

mod cipher;
mod group;
mod hash;
mod kem;
mod prf;
mod signature;

pub use crate::algorithm::cipher::{AeadAlgorithm, CbcAlgorithm};
pub use crate::algorithm::group::{FfdheGroup, NamedCurve};
pub use crate::algorithm::hash::HashAlgorithm;
pub use crate::algorithm::kem::{HybridGroup, KEM_SECRET_LEN, KemAlgorithm};
pub use crate::algorithm::prf::PrfAlgorithm;
pub use crate::algorithm::signature::{SignatureAlgorithm, SignatureScheme};

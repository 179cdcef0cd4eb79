//! Backends with one fault each, to test what is to find faults: our cases, and a comparison of
//! backends.
//!
//! Each [`Fault`] is one that libraries and their bindings have had, or could have. It is put
//! around a sound backend, and the rest of that backend stays as it is. The fault counts the
//! results that it has changed, so that a test can tell a question that it missed from one that
//! the fault does not touch.
//!
//! ```
//! use ssl_provider_testkit::{fake::Fake, fault::{self, Fault}};
//!
//! let library = Fake::new().share();
//! let faulty = Fault::RandomIsZero.inject(&library);
//! let mut bytes = [7; 16];
//! faulty.backend().random().fill(&mut bytes).unwrap();
//! assert_eq!((bytes, faulty.changes()), ([0; 16], 1));
//!
//! // The wrapper alone changes nothing.
//! let wrapped = fault::sound(&library);
//! wrapped.backend().random().fill(&mut bytes).unwrap();
//! assert_ne!(bytes, [0; 16]);
//! assert_eq!(wrapped.changes(), 0);
//!
//! assert_eq!(Fault::from_name("random-is-zero"), Some(Fault::RandomIsZero));
//! assert_eq!(Fault::RandomIsZero.description(), "Random numbers are zeros");
//! ```
//!
//! # What is no fault
//!
//! What core checks itself, a library may leave to it: small-order points of X25519, public keys
//! of 1 and p - 1 in finite fields, compressed points, RSA signatures of another length than the
//! modulus. ECDSA signatures with a high s are valid.

mod aead;
mod agreement;
mod backend;
mod cipher;
mod defect;
mod encoded_numbers;
mod found_by;
mod hashing;
mod kem;
mod kinds;
mod rsa;
mod running_hash;
mod signing;
mod verification;

use ssl_provider_core::Backend;

use self::backend::FaultyBackend;
use self::defect::Defect;

pub use self::kinds::Fault;

impl Fault {
    /// Returns the fault with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }

    /// Puts the fault around a backend. What the fault needs and `inner` does not support stays
    /// unsupported.
    pub fn inject(self, inner: &Backend) -> Injected {
        Injected::new(inner, Some(self))
    }
}

/// Wraps a backend without a fault, to test the wrapper.
pub fn sound(inner: &Backend) -> Injected {
    Injected::new(inner, None)
}

/// A backend with a fault in it.
#[derive(Clone, Debug)]
pub struct Injected {
    backend: Backend,
    defect: Defect,
}

impl Injected {
    fn new(inner: &Backend, fault: Option<Fault>) -> Self {
        let defect = Defect::new(fault, inner.info().name);
        let backend = Backend::new(FaultyBackend::new(inner.clone(), defect.clone()));
        Self { backend, defect }
    }

    /// Returns the backend. Its description is that of the sound one, under an identity of its
    /// own.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the fault; none for a sound wrapper.
    pub fn fault(&self) -> Option<Fault> {
        self.defect.fault
    }

    /// Returns how many results the fault has changed so far: bytes, errors, answers about
    /// support. A result that is right in spite of the fault does not count.
    pub fn changes(&self) -> u64 {
        self.defect.changes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fake::Fake;

    #[test]
    fn names_are_in_kebab_case_and_name_one_fault_each() {
        let names: HashSet<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            // `RunningHashIsMissing` without its capitals, and digits where they belong.
            let plain = fault.name().replace('-', "");
            assert_eq!(plain, format!("{fault:?}").to_lowercase());
            let parts = fault.name().split('-');
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(parts.into_iter().all(|part| !part.is_empty() && part.chars().all(is_plain)));
            assert_eq!(Fault::from_name(fault.name()), Some(*fault));
        }
        assert_eq!(Fault::from_name("no-such-fault"), None);
        assert_eq!(Fault::from_name(""), None);
    }

    #[test]
    fn descriptions_are_one_sentence_each_without_its_full_stop() {
        let descriptions: HashSet<&str> =
            Fault::ALL.iter().map(|fault| fault.description()).collect();
        assert_eq!(descriptions.len(), Fault::ALL.len());
        for description in descriptions {
            assert!(description.starts_with(|c: char| c.is_ascii_uppercase()), "{description}");
            assert!(!description.ends_with('.') && !description.contains(". "), "{description}");
            assert!(!description.contains("  ") && description.len() < 90, "{description}");
        }
    }

    #[test]
    fn every_fault_but_that_of_the_description_is_in_an_operation() {
        for fault in Fault::ALL {
            let operations = fault.operations();
            assert_eq!(operations.is_empty(), *fault == Fault::DescriptionMoves, "{fault:?}");
            let distinct: HashSet<_> = operations.iter().collect();
            assert_eq!(distinct.len(), operations.len(), "{fault:?}");
        }
    }

    #[test]
    fn a_faulty_backend_describes_itself_as_the_sound_one_and_is_another() {
        let inner = Fake::new().share();
        let injected = Fault::RandomIsZero.inject(&inner);
        let (found, expected) = (injected.backend().info(), inner.info());
        assert_eq!((found.name, found.provider_name), (expected.name, expected.provider_name));
        assert_eq!((&found.library, found.rsa), (&expected.library, expected.rsa));
        assert_eq!(found.fips, expected.fips);
        assert_ne!(injected.backend(), &inner);
        assert_eq!(injected.changes(), 0);
    }
}

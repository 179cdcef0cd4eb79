//! Key encapsulation with a fault.

use std::fmt;

use ssl_provider_core::backend::{BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, KeyEncapsulation};
use ssl_provider_core::{Error, KEM_SECRET_LEN, KemAlgorithm};

use super::Fault;
use super::backend::FaultyBackend;
use super::defect::{Defect, flip};
use crate::bytes::to_hex;
use crate::ml_kem::{MlKem, rejection};

/// The faults of a decapsulation key.
const IN_KEYS: &[Fault] = &[
    Fault::KemSecretIsOneBitOff,
    Fault::KemRejectsExplicitly,
    Fault::KemRejectsToZeros,
    Fault::DebugShowsTheKemKey,
];

impl FaultyBackend {
    /// A key of a sound library, with its z.
    fn decapsulation_key(
        &self,
        inner: Box<dyn DecapsulationKey>,
        z: [u8; 32],
    ) -> Box<dyn DecapsulationKey> {
        match self.defect.is_one_of(IN_KEYS) {
            true => Box::new(FaultyKey { inner, z, defect: self.defect.clone() }),
            false => inner,
        }
    }

    /// The key that a library without a modulus check makes of one that is not reduced.
    fn reduced(&self, kem: KemAlgorithm, encapsulation_key: &[u8]) -> Option<Vec<u8>> {
        let is_faulty = self.defect.is(Fault::KemIgnoresTheModulus);
        let has_length = encapsulation_key.len() == kem.encapsulation_key_len();
        let ml_kem = MlKem::new(kem).filter(|_| is_faulty && has_length)?;
        (!ml_kem.is_reduced(encapsulation_key)).then(|| ml_kem.reduced(encapsulation_key))
    }

    /// Makes a ciphertext by `sound`, of the key that a faulty library understands.
    fn encapsulated(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
        sound: impl Fn(&[u8], &mut [u8], &mut [u8; KEM_SECRET_LEN]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.reduced(kem, encapsulation_key) {
            Some(reduced) => {
                sound(&reduced, ciphertext, secret)?;
                self.defect.count_if(true);
            }
            None => sound(encapsulation_key, ciphertext, secret)?,
        }
        if self.defect.is(Fault::KemSecretIsOneBitOff) {
            self.defect.alter(secret, flip);
        }
        Ok(())
    }
}

impl KeyEncapsulation for FaultyBackend {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        let library = self.inner.key_encapsulation();
        let generated = library.generate_kem(kem)?;
        let repeats = self.defect.is(Fault::KemRepeatsItsKeys);
        if !repeats && !self.defect.is_one_of(IN_KEYS) {
            return Ok(generated);
        }
        // The faults of keys need one whose z is known.
        let mut seed = [1; 64];
        if !repeats {
            self.inner.random().fill(&mut seed)?;
        }
        match library.load_kem(kem, KemPrivateKey::Seed(&seed)) {
            Ok(inner) => {
                self.defect.count_if(repeats);
                Ok(self.decapsulation_key(inner, z_of(&seed)))
            }
            Err(_) => Ok(generated),
        }
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        let library = self.inner.key_encapsulation();
        let z = match key {
            KemPrivateKey::Seed(seed) => z_of(seed),
            KemPrivateKey::Expanded(key) => z_of(key),
        };
        let inner = match (library.load_kem(kem, key), key) {
            (Err(BAD_KEM_KEY), KemPrivateKey::Expanded(key))
                if self.defect.is(Fault::KemIgnoresTheHash)
                    && key.len() == kem.decapsulation_key_len() =>
            {
                let ml_kem = MlKem::new(kem).ok_or(BAD_KEM_KEY)?;
                let righted = ml_kem.with_right_hash(key);
                let inner = library.load_kem(kem, KemPrivateKey::Expanded(&righted))?;
                self.defect.count_if(true);
                inner
            }
            (loaded, _) => loaded?,
        };
        Ok(self.decapsulation_key(inner, z))
    }

    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let library = self.inner.key_encapsulation();
        let repeats = self.defect.is(Fault::KemRepeatsItsRandomness);
        let sound = |key: &[u8], ciphertext: &mut [u8], secret: &mut [u8; KEM_SECRET_LEN]| {
            if repeats && library.encapsulate_with(kem, key, &[1; 32], ciphertext, secret).is_ok() {
                self.defect.count_if(true);
                return Ok(());
            }
            library.encapsulate(kem, key, ciphertext, secret)
        };
        self.encapsulated(kem, encapsulation_key, ciphertext, secret, sound)
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let library = self.inner.key_encapsulation();
        let sound = |key: &[u8], ciphertext: &mut [u8], secret: &mut [u8; KEM_SECRET_LEN]| {
            library.encapsulate_with(kem, key, m, ciphertext, secret)
        };
        self.encapsulated(kem, encapsulation_key, ciphertext, secret, sound)
    }
}

/// The last 32 bytes of a key, in either form.
fn z_of(key: &[u8]) -> [u8; 32] {
    key.last_chunk().copied().unwrap_or_default()
}

/// A decapsulation key with a fault.
struct FaultyKey {
    inner: Box<dyn DecapsulationKey>,
    z: [u8; 32],
    defect: Defect,
}

impl fmt::Debug for FaultyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FaultyKey");
        if self.defect.is(Fault::DebugShowsTheKemKey) {
            self.defect.count_if(true);
            shown.field("z", &to_hex(&self.z));
        }
        shown.finish_non_exhaustive()
    }
}

impl DecapsulationKey for FaultyKey {
    fn encapsulation_key(&self) -> &[u8] {
        self.inner.encapsulation_key()
    }

    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let Self { inner, z, defect } = *self;
        let mut found = [0; KEM_SECRET_LEN];
        inner.decapsulate(ciphertext, &mut found)?;
        let is_rejected = found == rejection(&z, ciphertext);
        match defect.fault {
            Some(Fault::KemRejectsExplicitly) if is_rejected => {
                defect.count_if(true);
                return Err(Error::BadKeyShare);
            }
            Some(Fault::KemRejectsToZeros) if is_rejected => {
                defect.alter(&mut found, |found| found.fill(0));
            }
            Some(Fault::KemSecretIsOneBitOff) => defect.alter(&mut found, flip),
            _ => {}
        }
        *secret = found;
        Ok(())
    }
}

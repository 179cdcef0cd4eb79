//! The backends that are tested, each with a log of its private operations, and two with a planted
//! fault, which must be found.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use num_bigint::BigUint;
use ssl_provider::backend::{
    Composed, KeyExchangeBackend, RawDecryption, RsaDecryption, RsaPrivateKey,
};
use ssl_provider::{
    Backend, BackendInfo, Error, Operation, PrivateKey, Provider, RsaPrivateKeyDer, Support,
    with_multi_buffer,
};
use ssl_provider_testkit::exchange;

use crate::forms;

/// The key, with primes of 1024 bits.
pub(crate) const KEY: &[u8] =
    include_bytes!("../../../crates/ssl-provider-testkit/keys/rsa-2048.der");

/// A backend, or multi-buffer RSA around it.
pub(crate) struct Target {
    backend: Backend,
    /// The operations that the backend returned.
    log: Arc<Log>,
    /// Those that multi-buffer RSA left to the library.
    by_library: Arc<Log>,
    engine: bool,
    /// Whether the library returns another block where the modulus is wrong. OpenSSL does; see
    /// SECURITY.md.
    modulus_unchecked: bool,
}

/// A key that a target has loaded.
pub(crate) struct Loaded {
    pub(crate) provider: Provider,
    pub(crate) key: PrivateKey,
}

impl Target {
    /// `aws-lc`, `multi-buffer:aws-lc` and so on, or a planted one: `planted:unchecked`,
    /// `planted:telling`. None where the processor has no multi-buffer RSA.
    pub(crate) fn named(name: &str) -> Result<Option<Self>> {
        let (log, by_library) = (Arc::<Log>::default(), Arc::<Log>::default());
        let (backend, engine) = match name.split_once(':') {
            Some(("multi-buffer", name)) => {
                let library = observed(ssl_provider::backend(name)?, &by_library);
                match with_multi_buffer(&library) {
                    Some(around) => (around, true),
                    None => return Ok(None),
                }
            }
            Some(("planted", flaw)) => {
                let flaw = [Flaw::Unchecked, Flaw::Telling]
                    .into_iter()
                    .find(|known| known.name() == flaw)
                    .with_context(|| format!("no planted backend `{flaw}`"))?;
                (with_rsa_of(Careless(info("careless"), flaw)), false)
            }
            _ => (ssl_provider::backend(name)?, false),
        };
        let modulus_unchecked = name == "openssl";
        let backend = observed(backend, &log);
        Ok(Some(Self { backend, log, by_library, engine, modulus_unchecked }))
    }

    /// Whether the numbers are those of multi-buffer RSA.
    pub(crate) fn engine(&self) -> bool {
        self.engine
    }

    /// Whether a wrong bit in this part may lead to another block, which must come to the fallback.
    pub(crate) fn may_return_another_block(&self, part: &str) -> bool {
        self.modulus_unchecked && part == "n"
    }

    /// The parts of the key that are flipped in turn.
    pub(crate) fn parts(&self) -> &'static [&'static str] {
        if self.engine { &forms::CRT } else { &forms::ALL }
    }

    /// Loads the key.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let provider = exchange::open(&self.backend);
        let key = provider.load_private_key(KEY).context("cannot load the key")?;
        Ok(Loaded { provider, key })
    }

    /// Takes the operations that the backend has returned since the last call, and the number of
    /// those that multi-buffer RSA left to the library.
    pub(crate) fn take_log(&self) -> (Vec<Raw>, usize) {
        (self.log.take(), self.by_library.take().len())
    }
}

/// A private operation: the ciphertext, and the block or the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) block: Result<Vec<u8>, Error>,
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Raw>>);

impl Log {
    fn add(&self, ciphertext: &[u8], block: Result<&[u8], Error>) {
        let (ciphertext, block) = (ciphertext.to_vec(), block.map(<[u8]>::to_vec));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Raw { ciphertext, block });
    }

    fn take(&self) -> Vec<Raw> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn info(name: &'static str) -> BackendInfo {
    BackendInfo::new(name, name, "of the fault injection".to_owned())
}

/// Puts a log around the RSA of a backend.
fn observed(library: Backend, log: &Arc<Log>) -> Backend {
    let BackendInfo { name, rsa, .. } = library.info();
    let [rsa_only, whole] = [(); 2].map(|()| info(name).with_rsa(*rsa));
    let rsa_only = Observed { info: rsa_only, library: library.clone(), log: Arc::clone(log) };
    Backend::new(Composed::new(whole, rsa_only, library))
}

/// The RSA of a planted backend, with everything else of the default backend.
fn with_rsa_of(careless: Careless) -> Backend {
    let rest = ssl_provider::backends().into_iter().next();
    let rest = rest.expect("the manifest of this program names the backends");
    Backend::new(Composed::new(info("planted"), careless, rest))
}

macro_rules! rsa_only {
    ($name:ident { $info:tt }) => {
        impl KeyExchangeBackend for $name {
            fn info(&self) -> &BackendInfo {
                &self.$info
            }

            fn support(&self, operation: Operation) -> Support {
                match operation {
                    Operation::RsaDecryptRaw => Support::By("the fault injection"),
                    _ => Support::Unsupported,
                }
            }

            ssl_provider::offers! { rsa_decryption }
        }
    };
}

#[derive(Debug)]
struct Observed {
    info: BackendInfo,
    library: Backend,
    log: Arc<Log>,
}

rsa_only! { Observed { info } }

impl RsaDecryption for Observed {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.library.rsa_decryption().load(key)?;
        Ok(Box::new(ObservedKey { key, log: Arc::clone(&self.log) }))
    }
}

#[derive(Debug)]
struct ObservedKey {
    key: Box<dyn RsaPrivateKey>,
    log: Arc<Log>,
}

impl RsaPrivateKey for ObservedKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let result = self.key.decrypt_raw(ciphertext, em);
        self.log.add(ciphertext, result.map(|()| &*em));
        result
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let result = self.key.decrypt_raw_batch(jobs);
        for job in jobs {
            self.log.add(job.ciphertext, result.map(|()| &*job.em));
        }
        result
    }
}

/// What is wrong with a planted backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// It does not check its result. From one such block x of the ciphertext c, whoever sees it has
    /// a factor of the modulus: the greatest common divisor of it and x^e - c (Boneh, DeMillo and
    /// Lipton, of Bellcore, 1997).
    Unchecked,
    /// It checks its result, computes a wrong one again, and then looks at the padding.
    Telling,
}

impl Flaw {
    fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Telling => "telling",
        }
    }
}

/// A planted backend.
#[derive(Debug)]
struct Careless(BackendInfo, Flaw);

rsa_only! { Careless { 0 } }

impl RsaDecryption for Careless {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(CarelessKey { flaw: self.1, key: CrtKey::new(der) }))
    }
}

struct CarelessKey {
    flaw: Flaw,
    key: CrtKey,
}

impl fmt::Debug for CarelessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarelessKey").field("flaw", &self.flaw).finish_non_exhaustive()
    }
}

impl RsaPrivateKey for CarelessKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let Self { flaw, key } = self;
        let c = BigUint::from_bytes_be(ciphertext);
        let mut m = key.power(&c);
        let failed = m.modpow(&key.e, &key.n) != c;
        if *flaw == Flaw::Telling && failed {
            m = c.modpow(&key.d, &key.n);
        }
        key.write(&m, em);
        if *flaw == Flaw::Telling && failed && !em.starts_with(&[0, 2]) {
            return Err(Error::Backend { backend: "careless", code: 1 });
        }
        Ok(())
    }
}

/// The private operation of the planted backends.
pub(crate) struct CrtKey {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
    dp: BigUint,
    dq: BigUint,
    qinv: BigUint,
}

impl CrtKey {
    pub(crate) fn new(der: &RsaPrivateKeyDer<'_>) -> Self {
        let number = BigUint::from_bytes_be;
        let ([p, q], [dp, dq, qinv]) = (der.primes().map(number), der.crt_parts().map(number));
        let [n, e, d] = [der.modulus(), der.public_exponent(), der.private_exponent()].map(number);
        Self { n, e, d, p, q, dp, dq, qinv }
    }

    pub(crate) fn modulus_len(&self) -> usize {
        self.n.to_bytes_be().len()
    }

    /// The private power, by the Chinese remainder theorem. Nothing is checked.
    pub(crate) fn power(&self, c: &BigUint) -> BigUint {
        let Self { n, p, q, dp, dq, qinv, .. } = self;
        let (mod_p, mod_q) = (c.modpow(dp, p), c.modpow(dq, q));
        let difference = mod_p + p - &mod_q % p;
        (mod_q + difference * qinv % p * q) % n
    }

    /// Writes a number below the modulus with its leading zeros.
    pub(crate) fn write(&self, number: &BigUint, out: &mut [u8]) {
        let bytes = number.to_bytes_be();
        let (zeros, number) = out.split_at_mut(out.len() - bytes.len());
        zeros.fill(0);
        number.copy_from_slice(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_loads_the_key_and_a_misspelt_one_does_not_exist() {
        for name in ["aws-lc", "multi-buffer:openssl", "planted:unchecked", "planted:telling"] {
            if let Some(target) = Target::named(name).unwrap() {
                assert_eq!(target.load().unwrap().key.modulus_len(), 256, "{name}");
            }
        }
        assert!(Target::named("planted:careful").is_err());
        assert!(Target::named("multi-buffer:aws").is_err());
    }

    /// Why all of this is done: the power s of m is right modulo one prime, which is the greatest
    /// common divisor of the modulus and s^e - m.
    #[test]
    fn one_wrong_power_reveals_a_prime() {
        let right = CrtKey::new(&RsaPrivateKeyDer::from_der(KEY).unwrap());
        let mut wrong = CrtKey::new(&RsaPrivateKeyDer::from_der(KEY).unwrap());
        wrong.dp ^= BigUint::from(1u8) << 517;
        let CrtKey { n, e, q, .. } = right;
        let m = BigUint::from_bytes_be(&[0x3d; 255]);
        let (mut factor, mut rest) = (n.clone(), (wrong.power(&m).modpow(&e, &n) + &n - m) % &n);
        while rest != BigUint::ZERO {
            (factor, rest) = (rest.clone(), factor % rest);
        }
        assert_eq!(factor, q);
    }
}

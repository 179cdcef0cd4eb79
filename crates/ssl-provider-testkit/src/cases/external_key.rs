//! RSA keys outside the backend: those that do the raw operation, of which core makes the exchange,
//! and those that do the whole exchange.

use std::sync::{Arc, Mutex};

use ssl_provider_core::backend::RsaPrivateKey;
use ssl_provider_core::{
    Backend, Error, InvalidKey, MasterSecret, MasterSeed, ProtocolVersion, RsaExchange,
    RsaKeyExchange, RsaPrivateKeyDer,
};

use crate::bytes::Rng;
use crate::ciphertext::KINDS;
use crate::exchange::{Exchange, open};
use crate::rsa_key::TestKey;

fn raw_key(backend: &Backend, key: &TestKey) -> Box<dyn RsaPrivateKey> {
    backend.rsa_decryption().load(&RsaPrivateKeyDer::from_der(&key.der).unwrap()).unwrap()
}

/// A key that does the raw operation elsewhere imports as one that the backend loads. Its fallback
/// is another, as the primes are hidden, and the same for two objects of one key, which would be an
/// oracle otherwise.
pub fn external_key_raw_operation_of_a_token(backend: &Backend) {
    let (provider, test_key, exchange) = (open(backend), TestKey::rsa_1024(), Exchange::tls1_2());
    let (n, e) = (test_key.modulus().to_bytes_be(), vec![1, 0, 1]);
    let token = || provider.private_key_of_raw(&n, &e, raw_key(backend, &test_key)).unwrap();
    let (one, other, loaded) = (token(), token(), test_key.load(&provider));
    assert_eq!((one.modulus(), one.public_exponent()), (&n[..], &e[..]));
    let mut rng = Rng::new(91);
    for kind in KINDS {
        let sample = kind.sample(&mut rng, &test_key, exchange.expected_version());
        let secret = |key| exchange.imported_secret(&provider, key, &sample.ciphertext);
        let (first, again, elsewhere) = (secret(&one), secret(&one), secret(&other));
        assert_eq!(first, again, "{}", kind.name);
        match &sample.premaster_secret {
            Some(premaster_secret) => {
                assert_eq!(first.as_slice(), exchange.master_secret(premaster_secret));
            }
            None => assert_ne!(first, secret(&loaded), "{}", kind.name),
        }
        assert_eq!(first, elsewhere, "{}", kind.name);
        let decrypted = one.decrypt_premasters(&[&sample.ciphertext]).unwrap();
        assert_eq!(exchange.decrypted_secret(&provider, &decrypted[0]), first, "{}", kind.name);
    }
}

/// What a key server was asked: the ciphertext, the versions that it may accept, and the seed.
type Asked = (Vec<u8>, Option<[ProtocolVersion; 2]>, Vec<u8>);

/// A key server that returns a master secret of its own.
#[derive(Debug, Default)]
struct KeyServer {
    asked: Arc<Mutex<Vec<Asked>>>,
    fails: bool,
}

impl RsaKeyExchange for KeyServer {
    fn master_secret(
        &self,
        exchange: &RsaExchange<'_>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        let seed = match exchange.seed {
            MasterSeed::Randoms(client, server) => [&client[..], &server[..]].concat(),
            MasterSeed::SessionHash(hash) => hash.to_vec(),
        };
        let versions = exchange.premaster_version.accepted();
        self.asked.lock().unwrap().push((exchange.ciphertext.to_vec(), versions, seed));
        if self.fails {
            return Err(Error::Backend { backend: "key server", code: 7 });
        }
        out.expose_mut().fill(0x5e);
        Ok(())
    }
}

/// A key that does the whole exchange gets ciphertexts of any length with all that decides, and its
/// master secret is the one of the session, also in batches. What it fails with is the error.
pub fn external_key_whole_exchange_of_a_key_server(backend: &Backend) {
    let (provider, n) = (open(backend), TestKey::rsa_1024().modulus().to_bytes_be());
    let asked = Arc::default();
    let server = KeyServer { asked: Arc::clone(&asked), fails: false };
    let key = provider.private_key_of_exchange(&n, &[3], Box::new(server)).unwrap();
    for exchange in [Exchange::tls1_2(), Exchange::tls1_2().extended()] {
        let seed = exchange
            .session_hash
            .clone()
            .unwrap_or_else(|| [exchange.client_random, exchange.server_random].concat());
        for ciphertext in [vec![7; 128], vec![0; 3], vec![0xff; 128]] {
            let secret = exchange.imported_secret(&provider, &key, &ciphertext);
            assert_eq!(secret, [0x5e; 48]);
            let decrypted = key.decrypt_premasters(&[&ciphertext]).unwrap();
            assert_eq!(exchange.decrypted_secret(&provider, &decrypted[0]), secret);
            let expected = (ciphertext, Some([ProtocolVersion::TLS1_2; 2]), seed.clone());
            assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), [expected.clone(), expected]);
        }
    }
    let server = KeyServer { fails: true, ..KeyServer::default() };
    let key = provider.private_key_of_exchange(&n, &[3], Box::new(server)).unwrap();
    let error = Exchange::tls1_2().import(&provider, &key, &[7; 128]).unwrap_err();
    assert_eq!(error, Error::Backend { backend: "key server", code: 7 });
}

/// A key server that reports success and writes nothing yields a secret that nobody knows.
pub fn external_key_whole_exchange_that_writes_nothing_is_not_known(backend: &Backend) {
    #[derive(Debug)]
    struct Silent;

    impl RsaKeyExchange for Silent {
        fn master_secret(
            &self,
            _exchange: &RsaExchange<'_>,
            _out: &mut MasterSecret,
        ) -> Result<(), Error> {
            Ok(())
        }
    }

    let (provider, n) = (open(backend), TestKey::rsa_1024().modulus().to_bytes_be());
    let key = provider.private_key_of_exchange(&n, &[3], Box::new(Silent)).unwrap();
    let secret = || Exchange::tls1_2().imported_secret(&provider, &key, &[7; 128]);
    let (first, second) = (secret(), secret());
    assert_ne!(first, [0; 48]);
    assert_ne!(first, second);
}

/// A modulus that is even or that no block with a premaster secret is as long as, and an exponent
/// that is empty, even, 1 or padded, are refused; so is a raw key that reports another length.
pub fn external_key_of_impossible_numbers_is_refused(backend: &Backend) {
    let provider = open(backend)
        .with_policy(ssl_provider_core::Policy { min_modulus_bits: 0, ..crate::exchange::POLICY });
    let server = || Box::<KeyServer>::default();
    let mut even = vec![0xff; 128];
    even[127] = 0xfe;
    for modulus in [vec![], vec![0xff; 58], vec![0xff; 1025], vec![0; 128], even] {
        let refused = provider.private_key_of_exchange(&modulus, &[3], server()).map(drop);
        assert!(matches!(refused, Err(Error::Key(InvalidKey::Modulus { .. }))), "{refused:?}");
    }
    for exponent in [&[][..], &[0], &[1], &[2], &[0, 3]] {
        let refused = provider.private_key_of_exchange(&[0xff; 59], exponent, server()).map(drop);
        assert_eq!(refused, Err(Error::Key(InvalidKey::Exponent)), "{exponent:?}");
    }
    assert!(provider.private_key_of_exchange(&[0xff; 59], &[3], server()).is_ok());
    let short = open(backend).private_key_of_exchange(&[0xff; 59], &[3], server()).map(drop);
    assert!(matches!(short, Err(Error::NotAllowed(_))), "{short:?}");
    let raw = raw_key(backend, &TestKey::rsa_1024());
    let other_len = provider.private_key_of_raw(&[0xff; 256], &[3], raw).map(drop);
    assert!(matches!(other_len, Err(Error::InvalidParameter(_))), "{other_len:?}");
}

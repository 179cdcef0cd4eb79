//! Questions made from a seed: of every kind, most of them good and the others wrong in a way that
//! a peer or a caller might choose. The same seed and number make the same question again, as long
//! as the same backends make the parts that differ each time.

use num_bigint::BigUint;
use ssl_provider_core::{
    AeadAlgorithm, CbcAlgorithm, CipherMode, CipherSuiteInfo, DhParameters, Error, FfdheGroup,
    Group, HashAlgorithm, KemAlgorithm, MAX_PAYLOAD_LEN, NamedCurve, PrfAlgorithm, ProtocolVersion,
    SignatureAlgorithm, SignatureScheme,
};

use super::agreement::{Agree, AgreeMasterKey, GroupName, PublicKey};
use super::cipher::{AeadOpen, AeadSeal, Cbc, Direction as Way, Rc4};
use super::hashing::{Compression, Hash, Hkdf, Hmac, Prf, padded};
use super::import::{ImportMasterKey, Psk};
use super::kem::{Decapsulate, Encapsulate};
use super::master_key::{
    Exchange as Established, Export, Finished, HandshakeHash, Sender, SessionKeys,
};
use super::record::{DecryptRecord, EncryptRecord, Keys};
use super::rsa::{LoadPrivateKey, RsaPrivate, RsaPublic};
use super::signature::{Sign, Verify};
use super::tls13;
use super::{Answer, Bytes, Hex16, Key, Question, Status, Subject, Vector};
use crate::bytes::Rng;
use crate::cases::signing::EcKey;
use crate::ciphertext::KINDS;
use crate::direction::{Direction, seal};
use crate::exchange::{Exchange, PROTOCOLS, session_hash_len};
use crate::ml_kem::{MlKem, Q};
use crate::reference13;
use crate::rsa_key::TestKey;
use crate::signature::{digest, rsa_public_key};

/// Makes questions from a seed.
#[derive(Debug)]
pub struct Generator {
    seed: u64,
    /// The smallest first: it is asked most.
    keys: Vec<TestKey>,
    /// Keys that sign: private, public, whether RSA.
    signers: Vec<(Bytes, Bytes, bool)>,
    groups: Vec<Group>,
    /// Directions of every suite that records are defined for, by the mode of the cipher.
    directions: Vec<Vec<Direction>>,
    psk_suites: Vec<(ProtocolVersion, &'static CipherSuiteInfo)>,
}

/// What a kind makes: what is asked, in words, the question, and its answer where it is known.
type Made = (&'static str, Question, Option<Answer>);

type Make = fn(&Generator, &mut Rng, &[&Subject]) -> Made;

/// The words for a pre-shared key of any length.
const PSK: &str = "a pre-shared key";

/// Every kind, with the share of the questions that it has.
const KINDS_OF_QUESTIONS: &[(usize, Make)] = &[
    (10, Generator::import),
    (1, Generator::session_keys),
    (1, Generator::finished),
    (1, Generator::handshake_hash),
    (1, Generator::export),
    (1, Generator::psk),
    (1, Generator::hash),
    (1, Generator::compression),
    (1, Generator::hmac),
    (2, Generator::prf),
    (1, Generator::hkdf),
    (1, Generator::load_private_key),
    (1, Generator::rsa_private),
    (1, Generator::rsa_public),
    (1, Generator::public_key),
    (2, Generator::agree),
    (1, Generator::agree_master_key),
    (1, Generator::encapsulate),
    (1, Generator::decapsulate),
    (1, Generator::rc4),
    (2, Generator::cbc),
    (1, Generator::aead_seal),
    (1, Generator::aead_open),
    (3, Generator::decrypt_record),
    (1, Generator::encrypt_record),
    (2, Generator::verify),
    (1, Generator::sign),
    (4, Generator::tls13_secrets),
    (2, Generator::tls13_seal),
    (3, Generator::tls13_open),
];

impl Generator {
    /// The seed of whoever names none.
    pub const DEFAULT_SEED: u64 = 0x5353_4c49_4d4b;

    /// Returns the generator of a seed.
    pub fn new(seed: u64) -> Self {
        let keys = vec![
            TestKey::rsa_1024(),
            TestKey::rsa_2048(),
            TestKey::rsa_2048_p_lt_q(),
            TestKey::rsa_2048_e3(),
            TestKey::rsa_3072(),
        ];
        let rsa = keys[..2].iter().map(|key| (key.der.clone(), rsa_public_key(key), true));
        let on_curves = EcKey::all(&mut Rng::new(seed)).into_iter();
        let on_curves = on_curves.map(|key| (key.der, key.public_key, false));
        let signers = rsa
            .chain(on_curves)
            .map(|(key, public, is_rsa)| (Bytes::from(key), Bytes::from(public), is_rsa));
        let curves = NamedCurve::ALL.into_iter().map(Group::from);
        // The shortest field that the policy of the cases takes is fast.
        let prime = keys[1].parts().p.to_bytes_be();
        let fields = [
            DhParameters::new(&prime, &[2]).ok(),
            Some(DhParameters::named(FfdheGroup::Ffdhe2048)),
        ];
        let groups = curves.chain(fields.into_iter().flatten().map(Group::from)).collect();
        let psk_suites = CipherSuiteInfo::all()
            .iter()
            .filter(|suite| suite.key_exchange.is_psk())
            .flat_map(|suite| {
                let versions = ProtocolVersion::ALL.into_iter();
                versions.filter(|version| suite.allows(*version)).map(move |it| (it, suite))
            })
            .collect();
        Self {
            seed,
            signers: signers.collect(),
            keys,
            groups,
            directions: directions(),
            psk_suites,
        }
    }

    /// Returns the question with this number. `makers` sign, encrypt and generate keys where a
    /// question needs something that no plain arithmetic of the test kit makes.
    pub fn vector(&self, number: usize, makers: &[&Subject]) -> Vector {
        let offset = (number as u64).wrapping_mul(0x2545_f491_4f6c_dd1d);
        let mut rng = Rng::new(self.seed.wrapping_add(offset));
        let shares: usize = KINDS_OF_QUESTIONS.iter().map(|(share, _)| share).sum();
        let mut turn = number % shares;
        let of_turn = KINDS_OF_QUESTIONS.iter().find(|(share, _)| match turn.checked_sub(*share) {
            Some(rest) => {
                turn = rest;
                false
            }
            None => true,
        });
        let (_, make) = of_turn.expect("a turn below the sum of all shares");
        let (what, question, expected) = make(self, &mut rng, makers);
        let name = format!("seed {:#x}, number {number}: {what}", self.seed);
        Vector { name, question, expected }
    }

    fn exchange(&self, rng: &mut Rng) -> (&'static str, Exchange, ImportMasterKey) {
        let exchange = Exchange::random(rng);
        // One in three is well-formed.
        let is_good = rng.one_in(3);
        let of_kind: Vec<_> = KINDS.iter().filter(|kind| kind.good == is_good).collect();
        let kind = *rng.pick(&of_kind);
        // Mostly the small key, which is fast; each larger one now and then.
        let key = match rng.below(128) {
            at @ 0..=15 => &self.keys[1 + at % (self.keys.len() - 1)],
            _ => &self.keys[0],
        };
        let sample = kind.sample(rng, key, exchange.expected_version());
        let import = ImportMasterKey::of(&exchange, Key::of(key), sample.ciphertext);
        (kind.name, exchange, import)
    }

    /// Imports, one in sixteen with arguments that are wrong in a way that has a status.
    fn import(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (kind, exchange, mut import) = self.exchange(rng);
        if !rng.one_in(16) {
            return (kind, Question::ImportMasterKey(import), None);
        }
        const INVALID_PARAMETER: u32 = 0x8009_0027;
        const NOT_SUPPORTED: u32 = 0x8009_0029;
        let (what, status) = match rng.below(5) {
            0 => {
                import.protocol = Hex16(*rng.pick(&[0, 2, 0x0304, 0xfefe, 0x0305]));
                ("protocol without an RSA key exchange", NOT_SUPPORTED)
            }
            1 => {
                import.suite = Hex16(*rng.pick(&[0, 0xc02f, 0x009e, 0x1301, 0xffff]));
                ("suite of another key exchange", NOT_SUPPORTED)
            }
            2 => {
                (import.server_random, import.session_hash) = (None, None);
                ("no server random", INVALID_PARAMETER)
            }
            3 => {
                (import.client_random, import.session_hash) = (None, None);
                ("no client random", INVALID_PARAMETER)
            }
            _ => {
                let right = session_hash_len(exchange.protocol, exchange.suite);
                let wrong: Vec<usize> =
                    [32, 36, 48].into_iter().filter(|len| Some(*len) != right).collect();
                let len = *rng.pick(&wrong);
                import.session_hash = Some(rng.bytes(len).into());
                // SSL 3.0 has no extended master secret at all.
                let status = if right.is_none() { NOT_SUPPORTED } else { INVALID_PARAMETER };
                ("session hash of another length", status)
            }
        };
        (what, Question::ImportMasterKey(import), Some(Answer::Status(Status(status))))
    }

    /// An exchange of any kind that has a master key.
    fn established(&self, rng: &mut Rng, makers: &[&Subject]) -> (&'static str, Established) {
        match rng.below(4) {
            0 => (PSK, Established::Psk(self.psk_exchange(rng))),
            1 => {
                let (what, exchange) = self.agreement_exchange(rng, makers);
                (what, Established::Agreement(exchange))
            }
            _ => {
                let (kind, _, exchange) = self.exchange(rng);
                (kind, Established::Rsa(exchange))
            }
        }
    }

    fn session_keys(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (kind, exchange) = self.established(rng, makers);
        (kind, Question::SessionKeys(SessionKeys { exchange }), None)
    }

    fn finished(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (kind, exchange) = self.established(rng, makers);
        let messages = pieces(rng, 4, 300);
        let sender = *rng.pick(&[Sender::Client, Sender::Server]);
        (kind, Question::Finished(Finished { exchange, messages, sender }), None)
    }

    fn handshake_hash(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let exchange = Exchange::random(rng);
        let question = HandshakeHash {
            protocol: exchange.protocol.into(),
            suite: Hex16::of_suite(exchange.suite),
            messages: pieces(rng, 5, 200),
        };
        ("messages one after the other", Question::HandshakeHash(question), None)
    }

    fn export(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (kind, exchange) = self.established(rng, makers);
        let context = (!rng.one_in(3)).then(|| up_to(rng, 100));
        let label = format!("EXPORTER {}", rng.below(100));
        let len = 1 + rng.below(200);
        (kind, Question::Export(Export { exchange, label, context, len }), None)
    }

    fn psk(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        (PSK, Question::Psk(self.psk_exchange(rng)), None)
    }

    fn psk_exchange(&self, rng: &mut Rng) -> Psk {
        let (protocol, suite) = *rng.pick(&self.psk_suites);
        let len = *rng.pick(&[0, 1, 16, 32, 64, 1024, 1025]);
        let hash_len = session_hash_len(protocol, suite).filter(|_| rng.one_in(2));
        Psk {
            psk: rng.bytes(len).into(),
            protocol: protocol.into(),
            suite: Hex16::of_suite(suite),
            client_random: rng.array::<32>().into(),
            server_random: rng.array::<32>().into(),
            session_hash: hash_len.map(|len| rng.bytes(len).into()),
        }
    }

    fn hash(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let hash = *rng.pick(&HashAlgorithm::ALL);
        let input = pieces(rng, 4, 150);
        ("a message in parts", Question::Hash(Hash { hash, input }), None)
    }

    fn compression(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let hash = *rng.pick(&HashAlgorithm::ALL);
        let message = up_to(rng, 3 * hash.block_len());
        let blocks = padded(hash, &message).into();
        ("a padded message", Question::Compression(Compression { hash, blocks }), None)
    }

    fn hmac(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let hash = *rng.pick(&HashAlgorithm::ALL);
        let len = near(rng, hash.block_len());
        let (key, input) = (rng.bytes(len).into(), pieces(rng, 3, 150));
        ("a key of any length", Question::Hmac(Hmac { hash, key, input }), None)
    }

    fn prf(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let prf = *rng.pick(&PrfAlgorithm::ALL);
        let len = *rng.pick(&[0, 1, 47, 48, 49, 64, 65, 128, 129, 256]);
        let secret = rng.bytes(len).into();
        let (label, seed) = (up_to(rng, 30), pieces(rng, 3, 80));
        let most = *rng.pick(&[48, 104, 300, 5000]);
        let len = 1 + rng.below(most);
        ("a secret of any length", Question::Prf(Prf { prf, secret, label, seed, len }), None)
    }

    fn hkdf(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let hash = *rng.pick(&[HashAlgorithm::Sha256, HashAlgorithm::Sha384]);
        let (ikm, salt, info) = (up_to(rng, 100), up_to(rng, 100), up_to(rng, 100));
        let len = 1 + rng.below(255 * hash.output_len() + 10);
        ("both steps", Question::Hkdf(Hkdf { hash, ikm, salt, info, len }), None)
    }

    fn load_private_key(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let key = &self.keys[rng.below(3)];
        let (what, der) = match rng.below(4) {
            0 => ("a good key", key.der.clone()),
            1 => ("a key with a flipped bit", crate::bytes::flipped(&key.der, rng.below(8 * 140))),
            2 => ("a key cut short", key.der[..rng.below(key.der.len())].to_vec()),
            _ => {
                let mut parts = key.parts();
                let part = match rng.below(6) {
                    0 => &mut parts.n,
                    1 => &mut parts.d,
                    2 => &mut parts.p,
                    3 => &mut parts.dp,
                    4 => &mut parts.dq,
                    _ => &mut parts.qinv,
                };
                *part += 2_u8;
                ("a key with a wrong part", parts.to_der())
            }
        };
        (what, Question::LoadPrivateKey(LoadPrivateKey { der: der.into() }), None)
    }

    /// A key, and a number below its modulus: as long, or with zeros in front.
    fn number(&self, rng: &mut Rng) -> (&TestKey, BigUint) {
        let key = if rng.one_in(8) { rng.pick(&self.keys) } else { &self.keys[0] };
        let len = key.len() - if rng.one_in(4) { rng.below(12) } else { 0 };
        let number = BigUint::from_bytes_be(&rng.bytes(len)) % (key.modulus() - 4_u8) + 2_u8;
        (key, number)
    }

    fn rsa_private(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (key, block) = self.number(rng);
        // The interesting number is the result, whose zeros a library may drop.
        let ciphertext = key.encrypt(&key.left_pad(&block)).into();
        let question = RsaPrivate { key: Key::of(key), ciphertext };
        ("a block of any value", Question::RsaPrivate(question), None)
    }

    fn rsa_public(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (key, block) = self.number(rng);
        let block = key.left_pad(&block).into();
        ("a block of any value", Question::RsaPublic(RsaPublic { key: Key::of(key), block }), None)
    }

    fn agreement(&self, rng: &mut Rng, makers: &[&Subject]) -> (&'static str, &Group, Agree) {
        let group = rng.pick(&self.groups);
        let private_key = private_key(group, rng);
        // The peer's key is generated by one backend after the other.
        let first = rng.below(makers.len().max(1));
        let in_turn = makers.iter().cycle().skip(first).take(makers.len());
        let made = in_turn.map(|maker| maker.provider().generate_ephemeral_key(group.clone()));
        let made = made.filter_map(Result::ok).next();
        let made = made.map(|key| key.public_key().to_vec());
        let mut public_key = made.unwrap_or_else(|| {
            let number = crate::group::private_key(group, rng);
            let base = match group {
                Group::Curve(NamedCurve::X25519) => [&[9][..], &[0; 31]].concat(),
                _ => return Vec::new(),
            };
            crate::group::peer(group, &number, &base).0
        });
        let what = if rng.one_in(3) { spoil(&mut public_key, rng) } else { "a good key" };
        let agree =
            Agree { group: GroupName::from(group), private_key, public_key: public_key.into() };
        (what, group, agree)
    }

    fn public_key(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let group = rng.pick(&self.groups);
        let private_key = private_key(group, rng);
        let question = PublicKey { group: GroupName::from(group), private_key };
        ("its public key", Question::PublicKey(question), None)
    }

    fn agree(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (what, _, agree) = self.agreement(rng, makers);
        (what, Question::Agree(agree), None)
    }

    fn agree_master_key(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (what, exchange) = self.agreement_exchange(rng, makers);
        (what, Question::AgreeMasterKey(exchange), None)
    }

    fn agreement_exchange(
        &self,
        rng: &mut Rng,
        makers: &[&Subject],
    ) -> (&'static str, AgreeMasterKey) {
        let (what, group, agreement) = self.agreement(rng, makers);
        let suites: Vec<_> = CipherSuiteInfo::all()
            .iter()
            .filter(|suite| match group {
                Group::Curve(_) => suite.key_exchange.is_ecdhe(),
                _ => suite.key_exchange.is_dhe(),
            })
            .flat_map(|suite| {
                let versions = ProtocolVersion::ALL.into_iter();
                versions.filter(|version| suite.allows(*version)).map(move |it| (it, suite))
            })
            .collect();
        let (protocol, suite) = *rng.pick(&suites);
        let hash_len = session_hash_len(protocol, suite).filter(|_| rng.one_in(2));
        let exchange = AgreeMasterKey {
            agreement,
            protocol: protocol.into(),
            suite: Hex16::of_suite(suite),
            client_random: rng.array::<32>().into(),
            server_random: rng.array::<32>().into(),
            session_hash: hash_len.map(|len| rng.bytes(len).into()),
        };
        (what, exchange)
    }

    fn encapsulate(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (kem, ml_kem) = mechanism(rng);
        let mut key = ml_kem.key_pair(&rng.array()).encapsulation_key;
        let what = match rng.below(6) {
            0 => spoil(&mut key, rng),
            1 => {
                let at = rng.below(ml_kem.coefficients());
                let value = *rng.pick(&[Q - 1, Q, 4095]);
                key = ml_kem.with_coefficient(&key, at, value);
                "a coefficient around the modulus"
            }
            _ => "a good key",
        };
        let (encapsulation_key, m) = (key.into(), rng.array::<32>().into());
        (what, Question::Encapsulate(Encapsulate { kem, encapsulation_key, m }), None)
    }

    fn decapsulate(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (kem, ml_kem) = mechanism(rng);
        let seed = rng.array();
        let pair = ml_kem.key_pair(&seed);
        let (mut ciphertext, _) = ml_kem.encapsulate(&pair.encapsulation_key, &rng.array());
        let expanded = pair.decapsulation_key;
        let (what, key) = match rng.below(8) {
            0 => {
                let bit = rng.below(8 * expanded.len());
                ("a key with a flipped bit", crate::bytes::flipped(&expanded, bit))
            }
            1..=3 => ("an expanded key", expanded),
            _ => ("a seed", seed.to_vec()),
        };
        let what = if rng.one_in(3) { spoil(&mut ciphertext, rng) } else { what };
        let (decapsulation_key, ciphertext) = (key.into(), ciphertext.into());
        (what, Question::Decapsulate(Decapsulate { kem, decapsulation_key, ciphertext }), None)
    }

    fn rc4(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (key, texts) = (rng.array::<16>().into(), pieces(rng, 3, 300));
        ("texts one after the other", Question::Rc4(Rc4 { key, texts }), None)
    }

    fn cbc(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let cipher = *rng.pick(&CbcAlgorithm::ALL);
        let blocks = 1 + rng.below(8);
        let question = Cbc {
            cipher,
            direction: *rng.pick(&[Way::Encrypt, Way::Decrypt]),
            key: rng.bytes(cipher.key_len()).into(),
            iv: rng.bytes(cipher.block_len()).into(),
            blocks: rng.bytes(blocks * cipher.block_len()).into(),
        };
        ("whole blocks", Question::Cbc(question), None)
    }

    fn aead_seal(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let cipher = *rng.pick(&AeadAlgorithm::ALL);
        let key = rng.bytes(cipher.key_len()).into();
        let (nonce, aad) = (rng.array::<12>().into(), up_to(rng, 40));
        let text = up_to(rng, 300);
        ("a text", Question::AeadSeal(AeadSeal { cipher, key, nonce, aad, text }), None)
    }

    fn aead_open(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let cipher = *rng.pick(&AeadAlgorithm::ALL);
        let key = Bytes::from(rng.bytes(cipher.key_len()));
        let (nonce, mut aad) = (rng.array(), up_to(rng, 40).to_vec());
        let mut text = up_to(rng, 300).to_vec();
        let mut tag = vec![0; cipher.tag_len()];
        let first = rng.below(makers.len().max(1));
        let in_turn = makers.iter().cycle().skip(first).take(makers.len());
        let mut keyed = in_turn.map(|maker| maker.backend().record_ciphers().aead(cipher, &key));
        if let Some(Ok(maker)) = keyed.find(Result::is_ok) {
            // A maker that fails leaves a text that fails authentication: a question all the same.
            _ = maker.seal(&nonce, &aad, &mut text, &mut tag);
        }
        let what = match rng.below(4) {
            0 => {
                let bit = rng.below(8 * tag.len());
                tag[bit / 8] ^= 1 << (bit % 8);
                "a tag with a flipped bit"
            }
            1 if !aad.is_empty() => {
                let at = rng.below(aad.len());
                aad[at] ^= 0x10;
                "other additional data"
            }
            2 if !text.is_empty() => {
                let at = rng.below(text.len());
                text[at] ^= 1;
                "a changed ciphertext"
            }
            _ => "a good text",
        };
        let (nonce, aad, text, tag) = (nonce.into(), aad.into(), text.into(), tag.into());
        (what, Question::AeadOpen(AeadOpen { cipher, key, nonce, aad, text, tag }), None)
    }

    /// A direction with keys of its own, for whose cipher a maker has code.
    fn direction(&self, rng: &mut Rng, makers: &[&Subject]) -> (Direction, u64) {
        let is_supported = |direction: &&Direction| {
            makers.iter().any(|maker| direction.key(maker.backend()).is_ok())
        };
        let of_mode = rng.pick(&self.directions);
        let supported: Vec<_> = of_mode.iter().filter(is_supported).collect();
        let mut direction = match supported.as_slice() {
            [] => rng.pick(of_mode).clone(),
            supported => (*rng.pick(supported)).clone(),
        };
        for key in [&mut direction.mac_key, &mut direction.write_key, &mut direction.write_iv] {
            rng.fill(key);
        }
        let epoch = if direction.protocol.is_dtls() { 1 << 48 } else { 0 };
        (direction, epoch + rng.below(1000) as u64)
    }

    fn decrypt_record(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (direction, number) = self.direction(rng, makers);
        let keys = Keys::of(&direction);
        let first = rng.below(makers.len().max(1));
        let in_turn: Vec<_> = makers.iter().cycle().skip(first).take(makers.len()).collect();
        let is_forged = direction.suite.cipher.mode == CipherMode::Cbc
            && matches!(
                (direction.suite.cipher.block_len(), direction.suite.cipher.key_len),
                (8, 24) | (16, 16)
            )
            && rng.one_in(2);
        if is_forged {
            // Padding of any length and content, and a MAC that is right or not.
            let payload = up_to(rng, 80);
            let mut blocks = payload.to_vec();
            if !direction.options.encrypt_then_mac {
                blocks.extend(direction.mac(0, 23, &payload));
            }
            let block = direction.suite.cipher.block_len();
            let least = block - blocks.len() % block;
            let most = if direction.protocol == ProtocolVersion::SSL3 { 0 } else { 255 - least };
            let padding = least + block * rng.below(most / block + 1);
            blocks.resize(blocks.len() + padding, u8::try_from(padding - 1).unwrap_or(0xff));
            let what = match rng.below(4) {
                0 => {
                    let at = blocks.len() - 1 - rng.below(padding);
                    blocks[at] ^= 1 + u8::try_from(rng.below(255)).unwrap_or(0);
                    "a byte of the padding changed"
                }
                1 if !payload.is_empty() => {
                    blocks[0] ^= 1;
                    "a MAC of another payload"
                }
                _ => "padding of any length",
            };
            let forging = in_turn.iter().find(|maker| direction.key(maker.backend()).is_ok());
            let record = forging.map(|maker| direction.forge(maker.backend(), &blocks));
            let question = DecryptRecord {
                keys,
                preceding: Vec::new(),
                sequence_number: 0,
                record: record.unwrap_or_default().into(),
            };
            return (what, Question::DecryptRecord(question), None);
        }
        let payload = up_to(rng, 300);
        let sealed = in_turn.iter().find_map(|maker| {
            let mut key = keys.record_key(maker).ok()?;
            Some(seal(&mut key, number, 23, &payload))
        });
        let mut record = sealed.unwrap_or_default();
        let mut sequence_number = number;
        let what = match rng.below(8) {
            0 if !record.is_empty() => {
                let at = rng.below(record.len());
                record[at] ^= 1 << rng.below(8);
                "a flipped bit"
            }
            1 if !record.is_empty() => {
                record.truncate(rng.below(record.len()));
                "cut short"
            }
            2 => {
                record.push(rng.byte());
                "a byte more"
            }
            3 => {
                sequence_number ^= 1;
                "another sequence number"
            }
            _ => "a good record",
        };
        let (preceding, record) = (Vec::new(), record.into());
        let question = DecryptRecord { keys, preceding, sequence_number, record };
        (what, Question::DecryptRecord(question), None)
    }

    fn encrypt_record(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let (direction, sequence_number) = self.direction(rng, makers);
        let question = EncryptRecord {
            keys: Keys::of(&direction),
            sequence_number,
            content_type: *rng.pick(&[20, 21, 22, 23]),
            payload: up_to(rng, 300),
        };
        ("a payload", Question::EncryptRecord(question), None)
    }

    /// A key, a scheme of it, and a digest of its length.
    fn signer(&self, rng: &mut Rng) -> (&(Bytes, Bytes, bool), SignatureScheme, Vec<u8>) {
        // RSA keys are fewer than curves, and have more schemes.
        let is_rsa = rng.one_in(2);
        let of_kind: Vec<_> = self.signers.iter().filter(|signer| signer.2 == is_rsa).collect();
        let signer = *rng.pick(&of_kind);
        let schemes: Vec<_> =
            SignatureScheme::ALL.into_iter().filter(|it| it.is_rsa() == signer.2).collect();
        let scheme = *rng.pick(&schemes);
        let mut digest = digest(scheme);
        rng.fill(&mut digest);
        (signer, scheme, digest)
    }

    fn verify(&self, rng: &mut Rng, makers: &[&Subject]) -> Made {
        let ((private_key, public_key, is_rsa), mut scheme, mut digest) = self.signer(rng);
        let first = rng.below(makers.len().max(1));
        let in_turn = makers.iter().cycle().skip(first).take(makers.len());
        let made = in_turn
            .map(|maker| maker.signing_key(private_key).and_then(|key| key.sign(scheme, &digest)))
            .find_map(|made| match made {
                Ok(signature) => Some(signature),
                Err(Error::Unsupported(_) | Error::InvalidParameter(_)) => None,
                Err(_) => Some(Vec::new()),
            });
        let mut signature = made.unwrap_or_default();
        let what = match rng.below(6) {
            0 => {
                let others = SignatureScheme::ALL.into_iter();
                let others: Vec<_> = others.filter(|it| it.is_rsa() == *is_rsa).collect();
                scheme = *rng.pick(&others);
                "as another scheme"
            }
            1 => {
                let at = rng.below(digest.len());
                digest[at] ^= 1 << rng.below(8);
                "over another digest"
            }
            2 => spoil(&mut signature, rng),
            _ => "a good signature",
        };
        let question = Verify {
            public_key: public_key.clone(),
            scheme,
            digest: digest.into(),
            signature: signature.into(),
        };
        (what, Question::Verify(question), None)
    }

    fn sign(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let ((private_key, public_key, _), scheme, digest) = self.signer(rng);
        let what = match scheme.algorithm() {
            SignatureAlgorithm::RsaPkcs1 => "a signature with one right value",
            _ => "a signature that differs each time",
        };
        let question = Sign {
            private_key: private_key.clone(),
            public_key: public_key.clone(),
            scheme,
            digest: digest.into(),
        };
        (what, Question::Sign(question), None)
    }

    fn tls13_secrets(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (what, question) = tls13_secrets(rng);
        (what, Question::Tls13Secrets(question), None)
    }

    fn tls13_seal(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (_, traffic) = tls13_traffic(rng);
        let question = tls13::Seal {
            traffic,
            sequence_number: tls13_number(rng),
            // One in eight is a type that is not encrypted.
            content_type: *rng.pick(&[20, 21, 22, 23, 23, 23, 24, 255]),
            payload: tls13_payload(rng).into(),
            padding_block: *rng.pick(&[0, 0, 0, 1, 2, 16, 100, 256, 4096]),
        };
        ("a payload", Question::Tls13Seal(question), None)
    }

    /// Records by the reference, most of them good.
    fn tls13_open(&self, rng: &mut Rng, _: &[&Subject]) -> Made {
        let (suite, traffic) = tls13_traffic(rng);
        let mut sequence_number = tls13_number(rng);
        let padding = if rng.one_in(3) { rng.below(300) } else { 0 };
        let content_type = *rng.pick(&[21, 22, 23, 23, 24]);
        let mut what = "a good record";
        let mut text = reference13::inner(content_type, &tls13_payload(rng), padding);
        match rng.below(12) {
            0 => {
                text.fill(0);
                what = "nothing but zeros";
            }
            1 => {
                text = reference13::inner(content_type, &[], padding);
                what = "no payload";
            }
            2 => {
                text = reference13::inner(20, &[1], padding);
                what = "a ChangeCipherSpec";
            }
            3 => {
                let len = MAX_PAYLOAD_LEN - 2 + rng.below(5);
                text = reference13::inner(23, &rng.bytes(len), rng.below(3));
                what = "a payload about as long as there may be";
            }
            _ => {}
        }
        let mut record = reference13::seal(suite, &traffic.secret, sequence_number, &text);
        match rng.below(8) {
            0 => {
                let at = rng.below(record.len());
                record[at] ^= 1 << rng.below(8);
                what = "a flipped bit";
            }
            1 => {
                record.truncate(rng.below(record.len()));
                // With a header that says so, or not.
                if let Some(len) = record.len().checked_sub(5).filter(|_| rng.one_in(2)) {
                    record[..5].copy_from_slice(&reference13::header(len));
                }
                what = "cut short";
            }
            2 => {
                sequence_number ^= 1 << rng.below(64);
                what = "another sequence number";
            }
            _ => {}
        }
        let question = tls13::Open { traffic, sequence_number, record: record.into() };
        (what, Question::Tls13Open(question), None)
    }
}

/// The suites of TLS 1.3.
fn tls13_suites() -> Vec<&'static CipherSuiteInfo> {
    let suites = CipherSuiteInfo::all().iter();
    suites.filter(|suite| suite.allows(ProtocolVersion::TLS1_3)).collect()
}

/// A suite of TLS 1.3 with a traffic secret.
fn tls13_traffic(rng: &mut Rng) -> (&'static CipherSuiteInfo, tls13::Traffic) {
    let suite = *rng.pick(&tls13_suites());
    let secret = rng.bytes(reference13::hash_of(suite).output_len()).into();
    (suite, tls13::Traffic { suite: Hex16::of_suite(suite), secret })
}

/// A sequence number: one of the first, any, or one of the last.
fn tls13_number(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => rng.next_u64(),
        1 => u64::MAX - rng.below(3) as u64,
        _ => rng.below(1000) as u64,
    }
}

/// Mostly a short payload, now and then one at the limit.
fn tls13_payload(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(40) {
        0 => MAX_PAYLOAD_LEN - 2 + rng.below(4),
        1..=4 => 0,
        _ => rng.below(300),
    };
    // Zeros at the end are payload, not padding.
    let mut payload = rng.bytes(len);
    if rng.one_in(4) {
        payload[len / 2..].fill(0);
    }
    payload
}

/// A handshake of TLS 1.3: with a pre-shared key or without one, after HelloRetryRequest or not.
/// One in 16 has nothing that its secrets could come from.
pub fn tls13_secrets(rng: &mut Rng) -> (&'static str, tls13::Secrets) {
    let suite = *rng.pick(&tls13_suites());
    let hash = reference13::hash_of(suite);
    let (has_psk, has_shared) = match rng.below(16) {
        0 => (false, false),
        1..=2 => (true, false),
        3..=8 => (true, true),
        _ => (false, true),
    };
    let what = match (has_psk, has_shared) {
        (false, false) => "neither a pre-shared key nor an agreement",
        (true, false) => "a pre-shared key alone",
        (true, true) => "a pre-shared key with an agreement",
        (false, true) => "an agreement",
    };
    let psk_len = *rng.pick(&[1, 16, 32, 48, 64, 65, 128, 129, 1024]);
    let shared_len = *rng.pick(&[32, 48, 56, 64, 66, 80, 256, 384]);
    let hello_len = 60 + rng.below(400);
    let client_hello = rng.bytes(hello_len).into();
    let psk = has_psk.then(|| tls13::Psk {
        key: rng.bytes(psk_len).into(),
        origin: *rng.pick(&[tls13::PskOrigin::External, tls13::PskOrigin::Resumption]),
        binders_len: 3 + hash.output_len(),
    });
    let context = (!rng.one_in(3)).then(|| up_to(rng, 300));
    let most = *rng.pick(&[hash.output_len(), 200, 255 * hash.output_len()]);
    let exporter = tls13::Exporter {
        label: format!("EXPORTER {}", "x".repeat(rng.below(241))),
        context,
        len: 1 + rng.below(most),
    };
    let question = tls13::Secrets {
        suite: Hex16::of_suite(suite),
        psk,
        shared_secret: has_shared.then(|| rng.bytes(shared_len).into()),
        retried_client_hello: rng.one_in(3).then(|| up_to(rng, 300)),
        client_hello,
        server_hello: up_to(rng, 200),
        server_flight: up_to(rng, 2000),
        server_finished: up_to(rng, 60),
        client_flight: up_to(rng, 1000),
        client_finished: up_to(rng, 60),
        exporter,
        ticket_nonce: up_to(rng, 256),
        key_updates: u8::try_from(rng.below(4)).unwrap_or_default(),
        only: None,
    };
    (what, question)
}

/// Every protocol with every suite that records are defined for, by the mode of the cipher, and CBC
/// twice.
fn directions() -> Vec<Vec<Direction>> {
    let suites = CipherSuiteInfo::all().iter();
    let in_protocols = suites.flat_map(|suite| {
        let protocols = PROTOCOLS.iter().filter(|protocol| suite.allows(**protocol));
        protocols.map(move |protocol| (*protocol, suite))
    });
    let (mut stream, mut cbc, mut then_mac, mut aead) = (vec![], vec![], vec![], vec![]);
    for (protocol, suite) in in_protocols {
        let direction = Direction::new(protocol, suite, false);
        match suite.cipher.mode {
            CipherMode::Stream => stream.push(direction),
            CipherMode::Cbc => {
                cbc.push(direction);
                if protocol != ProtocolVersion::SSL3 {
                    then_mac.push(Direction::new(protocol, suite, true));
                }
            }
            _ => aead.push(direction),
        }
    }
    vec![stream, cbc, then_mac, aead]
}

/// A mechanism of key encapsulation, by name and by plain arithmetic.
fn mechanism(rng: &mut Rng) -> (KemAlgorithm, MlKem) {
    let kem = *rng.pick(&KemAlgorithm::ALL);
    (kem, MlKem::new(kem).expect("every mechanism of the interface is ML-KEM"))
}

/// A private key of a group: mostly one in range, now and then a number at an edge.
fn private_key(group: &Group, rng: &mut Rng) -> Bytes {
    let Group::Curve(curve) = group else { return rng.bytes(28).into() };
    let mut private_key = rng.bytes(curve.coordinate_len());
    match rng.below(40) {
        0 => private_key.fill(0),
        1 => private_key.fill(0xff),
        2 => _ = private_key.pop(),
        _ if *curve == NamedCurve::Secp521r1 => private_key[0] = 0,
        _ => private_key[0] &= 0x7f,
    }
    private_key.into()
}

/// Fewer than `len` bytes.
fn up_to(rng: &mut Rng, len: usize) -> Bytes {
    let len = rng.below(len);
    rng.bytes(len).into()
}

/// A length around that of a block, or any other below two of them.
fn near(rng: &mut Rng, block: usize) -> usize {
    match rng.below(3) {
        0 => block - 1 + rng.below(3),
        _ => rng.below(2 * block),
    }
}

/// Up to `count` pieces, each shorter than `len`.
fn pieces(rng: &mut Rng, count: usize, len: usize) -> Vec<Bytes> {
    (0..rng.below(count + 1)).map(|_| up_to(rng, len)).collect()
}

/// What is done to bytes that a peer sends.
fn spoil(bytes: &mut Vec<u8>, rng: &mut Rng) -> &'static str {
    if bytes.len() < 2 {
        bytes.push(0);
        return "a byte more";
    }
    let at = rng.below(bytes.len());
    match rng.below(8) {
        0 => {
            bytes[at] ^= 1 << rng.below(8);
            "a flipped bit"
        }
        1 => {
            bytes.fill(0);
            "zeros"
        }
        2 => {
            let rest = rng.bytes(bytes.len() - 1);
            bytes[1..].copy_from_slice(&rest);
            "random bytes"
        }
        3 => {
            bytes.truncate(at);
            "cut short"
        }
        4 => {
            bytes.push(0);
            "a byte more"
        }
        5 => {
            bytes[1..].fill(0xff);
            "numbers at the end of their range"
        }
        6 => {
            bytes[0] = *rng.pick(&[0, 2, 3, 4, 5, 6, 7]);
            "another form"
        }
        _ => {
            let half = bytes.len().div_ceil(2);
            bytes.rotate_left(half);
            "halves exchanged"
        }
    }
}

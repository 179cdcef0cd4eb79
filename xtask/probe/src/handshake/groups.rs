//! What core does with secrets: agreed ones, premaster secrets, pre-shared keys, tickets.

use anyhow::{Result, ensure};
use ssl_provider::{
    Backend, CipherSuite, DhParameters, EphemeralKey, FfdheGroup, Group, KeyExportPolicy,
    KeyLogPolicy, MasterKey, NamedCurve, PeerPublicKey, Policy, PremasterKey, ProtocolVersion,
    Provider, Side,
};

use super::{Agreed, KnownRandom, Prepared, derive, dump, open};
use crate::backend::Mark;
use crate::{KEY, valgrind};

const TLS1_0: ProtocolVersion = ProtocolVersion::TLS1_0;
const TLS1_2: ProtocolVersion = ProtocolVersion::TLS1_2;

/// The agreements: curves in each PRF, and a finite field, whose secrets lose their leading zeros.
fn agreements() -> Vec<(Agreed, Group)> {
    const SHA: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA;
    const SHA256: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    const SHA384: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;
    const DHE: CipherSuite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;
    vec![
        (Agreed::new(TLS1_0, SHA), NamedCurve::Secp256r1.into()),
        (Agreed::new(TLS1_2, SHA256), NamedCurve::X25519.into()),
        (Agreed::new(TLS1_2, SHA384).extended(48), NamedCurve::Secp521r1.into()),
        (Agreed::new(TLS1_2, DHE), DhParameters::named(FfdheGroup::Ffdhe2048).into()),
    ]
}

/// Length of the agreed secret, and a public key of the peer.
fn peer(group: &Group) -> Result<(usize, PeerPublicKey)> {
    let (len, bytes) = match group {
        Group::Curve(curve) if curve.is_montgomery() => (32, vec![9; 32]),
        Group::Curve(curve) => {
            let len = curve.coordinate_len();
            (len, [&[4][..], &vec![9; 2 * len]].concat())
        }
        Group::FiniteField(field) => (field.prime().len(), vec![9; field.prime().len()]),
        _ => anyhow::bail!("a group that the probe does not know"),
    };
    Ok((len, group.public_key(&bytes)?))
}

fn own_key(
    provider: &Provider,
    group: &Group,
    secret: Vec<u8>,
    mark: Mark,
) -> Result<EphemeralKey> {
    let public_key = peer(group)?.1.as_bytes().to_vec();
    let key = Box::new(Prepared { public_key, secret, mark });
    Ok(provider.ephemeral_key_of(group.clone(), key)?)
}

/// The operation under test. Callgrind counts what runs between its entry and its exit.
#[inline(never)]
fn measured_agreement(
    provider: &Provider,
    key: EphemeralKey,
    peer: &PeerPublicKey,
    agreed: Agreed,
    parameters: &ssl_provider::ParameterList,
) -> Result<MasterKey, ssl_provider::Error> {
    let (version, suite) = (agreed.protocol, agreed.suite);
    provider.generate_master_key(key, peer, version, suite, parameters, Side::Server)
}

#[inline(never)]
fn measured_pre_shared_key(
    provider: &Provider,
    psk: &[u8],
    agreed: Agreed,
    parameters: &ssl_provider::ParameterList,
) -> Result<MasterKey, ssl_provider::Error> {
    #[cfg(feature = "planted-leak")]
    super::planted_leak(psk);
    let (version, suite) = (agreed.protocol, agreed.suite);
    provider.generate_psk_master_key(psk, version, suite, parameters, Side::Client)
}

#[inline(never)]
fn measured_premaster(
    provider: &Provider,
    server_key: &[u8],
    agreed: Agreed,
    parameters: &ssl_provider::ParameterList,
) -> Result<(PremasterKey, MasterKey), ssl_provider::Error> {
    let (version, suite) = (agreed.protocol, agreed.suite);
    let premaster = provider.generate_premaster_key(server_key, version, suite, parameters)?;
    let master_key = premaster.generate_master_key(parameters)?;
    Ok((premaster, master_key))
}

const PSK: [Agreed; 2] = [
    Agreed::new(TLS1_2, CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256),
    Agreed::new(TLS1_2, CipherSuite::TLS_PSK_WITH_AES_256_GCM_SHA384).extended(48),
];

const PREMASTER: [Agreed; 3] = [
    Agreed::new(TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
    Agreed::new(TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
    Agreed::new(TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384).extended(48),
];

/// Runs each group with its secrets marked, and returns how many operations it did.
///
/// # Errors
///
/// Names where the mark was not set or was lost.
pub(super) fn poison(library: &Backend) -> Result<usize> {
    Ok(agreement(library)? + pre_shared_key(library)? + premaster(library)? + ticket(library)?)
}

#[inline(never)]
fn agreement(library: &Backend) -> Result<usize> {
    let provider = open(library);
    let mut operations = 0;
    for (agreed, group) in agreements() {
        let (len, peer) = peer(&group)?;
        let parameters = agreed.parameters()?;
        for zeros in [0, 1, 9] {
            let mut secret = secret(len, 1);
            secret[..zeros].fill(0);
            let key = own_key(&provider, &group, secret, Mark::Secret)?;
            let master_key = measured_agreement(&provider, key, &peer, agreed, &parameters)?;
            derive(&provider, agreed, &master_key)?;
            operations += 1;
        }
    }
    Ok(operations)
}

#[inline(never)]
fn pre_shared_key(library: &Backend) -> Result<usize> {
    let provider = open(library);
    for agreed in PSK {
        let psk = secret(32, 2);
        valgrind::mark_undefined(&psk);
        let parameters = agreed.parameters()?;
        let master_key = measured_pre_shared_key(&provider, &psk, agreed, &parameters)?;
        derive(&provider, agreed, &master_key)?;
    }
    Ok(PSK.len())
}

#[inline(never)]
fn premaster(library: &Backend) -> Result<usize> {
    let backend = KnownRandom::leak(library, Mark::Secret);
    let (provider, server_key) = (open(backend), server_key()?);
    for agreed in PREMASTER {
        let marked = backend.marked();
        let parameters = agreed.parameters()?;
        let (premaster, master_key) =
            measured_premaster(&provider, &server_key, agreed, &parameters)?;
        // The secret, and the padding of the block.
        ensure!(backend.marked() == marked + 2, "random numbers were not marked");
        let is_marked = valgrind::is_wholly_undefined(premaster.encrypted());
        ensure!(is_marked, "the mark is lost before the ciphertext");
        derive(&provider, agreed, &master_key)?;
    }
    Ok(PREMASTER.len())
}

#[inline(never)]
fn ticket(library: &Backend) -> Result<usize> {
    let backend = KnownRandom::leak(library, Mark::Secret);
    let provider = open(backend);
    let agreed = PREMASTER[1];
    // Only the server's side has tickets: a premaster secret that was decrypted before.
    let key = provider.private_key_of_exchange(
        ssl_provider::RsaPrivateKeyDer::from_der(KEY)?.modulus(),
        &[1, 0, 1],
        Box::new(MarkedExchange),
    )?;
    let parameters = agreed.parameters()?;
    let (version, suite) = (agreed.protocol, agreed.suite);
    let master_key = provider.import_master_key(&key, version, suite, &parameters, &[2; 256])?;
    let ticket_key = provider.generate_ticket_key()?;
    let mut ticket = ticket_key.seal(&master_key, b"state")?;
    ensure!(valgrind::is_wholly_undefined(&ticket), "the mark is lost before the ticket");
    // It goes to the client.
    for byte in &mut ticket {
        valgrind::mark_defined(byte);
    }
    let (opened, state) = ticket_key.open(&provider, &ticket)?.ok_or_else(lost)?;
    ensure!(state == b"state", "another state came out of the ticket");
    derive(&provider, agreed, &opened)?;
    let end = ticket.len() - 1;
    ticket[end] ^= 1;
    ensure!(ticket_key.open(&provider, &ticket)?.is_none(), "a forged ticket is taken");
    Ok(2)
}

fn lost() -> anyhow::Error {
    anyhow::anyhow!("a good ticket is refused")
}

/// A key exchange whose master secret is the same in each run, and secret.
#[derive(Debug)]
struct MarkedExchange;

impl ssl_provider::RsaKeyExchange for MarkedExchange {
    fn master_secret(
        &self,
        _exchange: &ssl_provider::RsaExchange<'_>,
        out: &mut ssl_provider::MasterSecret,
    ) -> Result<(), ssl_provider::Error> {
        out.expose_mut().fill(0x3c);
        valgrind::mark_undefined(out.expose());
        Ok(())
    }
}

/// A public key that premaster secrets are encrypted to.
fn server_key() -> Result<Vec<u8>> {
    let der = ssl_provider::RsaPrivateKeyDer::from_der(KEY)?;
    let integer = |number: &[u8]| {
        let zero: &[u8] = if number[0] & 0x80 == 0 { &[] } else { &[0] };
        element(2, &[zero, number].concat())
    };
    let key = [integer(der.modulus()), integer(der.public_exponent())].concat();
    // rsaEncryption, and NULL for its parameters.
    let algorithm = [&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1][..], &[5, 0]].concat();
    let bits = element(3, &[&[0], &element(0x30, &key)[..]].concat());
    Ok(element(0x30, &[element(0x30, &algorithm), bits].concat()))
}

/// An element of DER of at most 65535 bytes.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let len = match content.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &len[..], content].concat()
}

/// A secret, different for each number.
fn secret(len: usize, number: u8) -> Vec<u8> {
    let start = usize::from(number);
    (1..=u8::MAX).cycle().skip(start).step_by(7 + 2 * start).take(len).collect()
}

/// Classes of secrets of one kind, which must not be told apart.
const CLASSES: u8 = 32;

/// Counts the instructions of each operation of core, over secrets of many kinds. Secrets of a
/// finite field are counted apart by the number of their leading zeros, which TLS strips.
///
/// # Errors
///
/// Names what failed.
pub(crate) fn count() -> Result<String> {
    let library = ssl_provider::backend("rustcrypto")?;
    let backend = KnownRandom::leak(&library, Mark::Nothing);
    let policy = Policy {
        key_log: KeyLogPolicy::Denied,
        key_export: KeyExportPolicy::Denied,
        ..Policy::default()
    };
    let provider = Provider::open(backend).with_policy(policy);
    let mut counted = 0;
    for (agreed, group) in agreements() {
        let (len, peer) = peer(&group)?;
        let parameters = agreed.parameters()?;
        let is_field = matches!(group, Group::FiniteField(_));
        let agree = |secret: Vec<u8>| {
            let key = own_key(&provider, &group, secret, Mark::Nothing)?;
            measured_agreement(&provider, key, &peer, agreed, &parameters)?;
            Ok(())
        };
        // Once before counting: lazy binding, the library's detection of the processor.
        agree(secret(len, 1))?;
        valgrind::zero_counts();
        // Zeros of a curve's secrets stay, so that these are one class with the others.
        for zeros in [0, 1, 2, 9] {
            let name = match is_field {
                true => format!("{}, {zeros} leading zeros", agreed.name()),
                false => agreed.name(),
            };
            for number in 0..CLASSES {
                let mut secret = secret(len, number);
                secret[..zeros].fill(0);
                // The one after the zeros decides how many there are.
                secret[zeros] |= 1;
                dump(&name, &format!("secret {number}, {zeros} zeros"), || agree(secret))?;
                counted += 1;
            }
        }
    }
    for agreed in PSK {
        let parameters = agreed.parameters()?;
        let derive = |psk: &[u8]| {
            measured_pre_shared_key(&provider, psk, agreed, &parameters)?;
            Ok(())
        };
        derive(&secret(32, 1))?;
        valgrind::zero_counts();
        for number in 0..CLASSES {
            let psk = secret(32, number);
            dump(&agreed.name(), &format!("key {number}"), || derive(&psk))?;
            counted += 1;
        }
    }
    let server_key = server_key()?;
    for agreed in PREMASTER {
        let parameters = agreed.parameters()?;
        let make = |seed: u8| {
            backend.seed(seed.into());
            measured_premaster(&provider, &server_key, agreed, &parameters)?;
            Ok(())
        };
        make(77)?;
        valgrind::zero_counts();
        for seed in 0..CLASSES {
            dump(&agreed.name(), &format!("random numbers {seed}"), || make(seed))?;
            counted += 1;
        }
    }
    Ok(format!("{counted} operations of core"))
}

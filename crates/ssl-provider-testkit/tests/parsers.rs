//! Parsers on input that nobody meant: parameter lists and key files of seeded garbage and of good
//! input with bytes changed. They answer or refuse, and never panic.
//!
//! `SSL_PROVIDER_SEED` chooses the inputs.

use ssl_provider_core::{
    Buffer, Error, InvalidKey, ParameterList, ProtocolVersion, RsaPrivateKeyDer, SecurityStatus,
};
use ssl_provider_testkit::bytes::{Rng, number_from_env, to_hex};
use ssl_provider_testkit::rsa_key::{self, RSA_OID, TestKey, pkcs8};

fn rng() -> Rng {
    let seed = number_from_env("SSL_PROVIDER_SEED", 1);
    println!("SSL_PROVIDER_SEED={seed}");
    Rng::new(seed)
}

/// What a list must mean, by the plainest reading of its contract.
fn expected_list(version: u32, buffers: &[(u32, Option<Vec<u8>>)]) -> Option<ParameterList> {
    if version != 0 {
        return None;
    }
    let mut list = ParameterList::new();
    for (buffer_type, data) in buffers {
        list = match (buffer_type, data.as_deref()) {
            (20 | 21 | 22 | 25, None) => return None,
            (20, Some(random)) => list.client_random(random.try_into().ok()?),
            (21, Some(random)) => list.server_random(random.try_into().ok()?),
            (22, Some(version)) => {
                let version = u32::from_ne_bytes(version.try_into().ok()?);
                list.highest_version(ProtocolVersion((version & 0xffff) as u16))
            }
            (25, Some(hash)) if [32, 36, 48].contains(&hash.len()) => {
                list.session_hash(hash).ok()?
            }
            (25, Some(_)) => return None,
            _ => list,
        };
    }
    Some(list)
}

#[test]
fn generated_parameter_lists_mean_what_their_contract_says() {
    let mut rng = rng();
    let mut taken = 0;
    for _ in 0..50_000 {
        let version = if rng.one_in(50) { u32::from(rng.byte()) } else { 0 };
        let count = rng.below(7);
        let buffers: Vec<(u32, Option<Vec<u8>>)> = (0..count)
            .map(|_| {
                let unknown = u32::try_from(rng.below(300)).unwrap();
                let buffer_type = *rng.pick(&[0, 20, 21, 22, 25, unknown, u32::MAX]);
                // Mostly the right length, so that whole lists are taken often enough.
                let right = match buffer_type {
                    20 | 21 => 32,
                    22 => 4,
                    25 => *rng.pick(&[32, 36, 48]),
                    _ => rng.below(100),
                };
                let len = if rng.one_in(12) { rng.below(80) } else { right };
                (buffer_type, (!rng.one_in(25)).then(|| rng.bytes(len)))
            })
            .collect();
        let raw: Vec<Buffer<'_>> = buffers
            .iter()
            .map(|(buffer_type, data)| Buffer { buffer_type: *buffer_type, data: data.as_deref() })
            .collect();
        let parsed = ParameterList::parse(version, &raw);
        taken += usize::from(parsed.is_ok());
        if let Err(error) = parsed {
            assert!(matches!(error, Error::InvalidParameter(_)), "{error:?}");
        }
        assert_eq!(parsed.ok(), expected_list(version, &buffers), "{version} {buffers:?}");
    }
    assert!((5_000..45_000).contains(&taken), "{taken} of 50000 lists were taken");
}

#[test]
fn long_lists_are_read_to_the_end() {
    let random = [7; 32];
    let mut buffers = vec![Buffer { buffer_type: 99, data: None }; 100_000];
    buffers.push(Buffer { buffer_type: 20, data: Some(&random) });
    let list = ParameterList::parse(0, &buffers).unwrap();
    assert_eq!(list, ParameterList::new().client_random(random));
}

/// Asks for everything that a key tells, so that lazy parsing cannot hide a panic.
fn touch(der: &[u8]) -> Result<usize, Error> {
    let key = RsaPrivateKeyDer::from_der(der)?;
    let parts = key.primes().concat().len() + key.crt_parts().concat().len();
    Ok(parts + key.modulus().len() + key.public_exponent().len() + format!("{key:?}").len())
}

#[test]
fn changed_keys_are_read_or_refused() {
    let mut rng = rng();
    let pkcs1 = TestKey::rsa_1024().der;
    let pkcs8 = pkcs8(RSA_OID, &pkcs1);
    for original in [pkcs1, pkcs8] {
        // Each of the first bytes, which are structure, with every value.
        for position in 0..32 {
            for value in 0..=u8::MAX {
                let mut der = original.clone();
                der[position] = value;
                check(&der);
            }
        }
        for _ in 0..20_000 {
            let mut der = original.clone();
            for _ in 0..=rng.below(4) {
                let position = rng.below(der.len());
                match rng.below(3) {
                    0 => der[position] = rng.byte(),
                    1 => drop(der.remove(position)),
                    _ => der.insert(position, rng.byte()),
                }
            }
            check(&der);
        }
    }
}

fn check(der: &[u8]) {
    if let Err(error) = touch(der) {
        assert!(matches!(error, Error::Key(_)), "{error:?} {}", to_hex(der));
        let status = error.status();
        assert!(
            status == SecurityStatus::NTE_BAD_KEY || status == SecurityStatus::NTE_BAD_TYPE,
            "{status}"
        );
    }
}

#[test]
fn garbage_is_no_key() {
    let mut rng = rng();
    for _ in 0..50_000 {
        let len = rng.below(200);
        let mut der = rng.bytes(len);
        // Garbage that looks like DER gets further than garbage that does not.
        if rng.one_in(2) {
            der = rsa_key::der(0x30, &[&der]);
        }
        assert!(matches!(touch(&der), Err(Error::Key(_))), "{}", to_hex(&der));
    }
}

#[test]
fn lengths_that_lie_are_malformed() {
    for head in [
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..],
        &[0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x30, 0x80, 0x02, 0x01, 0x00, 0x00, 0x00],
        &[0x30, 0x82, 0x02, 0x5c, 0x02, 0x84, 0xff, 0xff, 0xff, 0xff],
    ] {
        let key = TestKey::rsa_1024();
        for der in [head.to_vec(), [head, &key.der].concat()] {
            assert_eq!(touch(&der), Err(Error::Key(InvalidKey::Malformed)), "{}", to_hex(head));
        }
    }
}

#[test]
fn every_16_bit_number_is_a_version_and_a_larger_one_is_refused() {
    let mut rng = rng();
    let versions: Vec<_> = (0..=u32::from(u16::MAX))
        .map(|number| ProtocolVersion::try_from(number).unwrap())
        .collect();
    let known = versions.iter().filter(|version| version.name().is_some()).count();
    assert_eq!(known, ProtocolVersion::ALL.len());
    for _ in 0..100_000 {
        let far = u32::from_be_bytes(rng.array()) | 0x1_0000;
        assert_eq!(ProtocolVersion::try_from(far), Err(Error::UnsupportedProtocol { given: far }));
    }
}

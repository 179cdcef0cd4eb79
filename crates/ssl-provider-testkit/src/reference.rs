//! The key schedule once more, written from the standards alone and over other code than core's.
//! Cases compare a backend's answers with these. Plain and slow on purpose; it keeps no secret.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use ssl_provider_core::{CipherSuiteInfo, HashAlgorithm, PrfAlgorithm, ProtocolVersion};

/// A hash of the concatenation of `parts`.
pub fn hash(algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
    let input = parts.concat();
    match algorithm {
        HashAlgorithm::Md5 => Md5::digest(input).to_vec(),
        HashAlgorithm::Sha1 => Sha1::digest(input).to_vec(),
        HashAlgorithm::Sha256 => Sha256::digest(input).to_vec(),
        HashAlgorithm::Sha384 => Sha384::digest(input).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(input).to_vec(),
        other => panic!("{}: a hash that is not known here", other.name()),
    }
}

/// HMAC (RFC 2104) of the concatenation of `parts`.
pub fn hmac(algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn mac<M: Mac + KeyInit>(key: &[u8], input: &[u8]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(input);
        mac.finalize().into_bytes().to_vec()
    }
    let input = parts.concat();
    match algorithm {
        HashAlgorithm::Md5 => mac::<Hmac<Md5>>(key, &input),
        HashAlgorithm::Sha1 => mac::<Hmac<Sha1>>(key, &input),
        HashAlgorithm::Sha256 => mac::<Hmac<Sha256>>(key, &input),
        HashAlgorithm::Sha384 => mac::<Hmac<Sha384>>(key, &input),
        HashAlgorithm::Sha512 => mac::<Hmac<Sha512>>(key, &input),
        other => panic!("{}: a hash that is not known here", other.name()),
    }
}

/// P_hash (RFC 5246 section 5), `len` bytes.
pub fn p_hash(algorithm: HashAlgorithm, secret: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let mut a = seed.to_vec();
    let mut out = Vec::new();
    while out.len() < len {
        a = hmac(algorithm, secret, &[&a]);
        out.extend(hmac(algorithm, secret, &[&a, seed]));
    }
    out.truncate(len);
    out
}

/// The TLS PRF (RFC 2246 section 5, RFC 5246 section 5), `len` bytes.
pub fn prf(
    algorithm: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    len: usize,
) -> Vec<u8> {
    let seed = [label, &seed.concat()].concat();
    match algorithm {
        PrfAlgorithm::Md5Sha1 => {
            let half = secret.len().div_ceil(2);
            let md5 = p_hash(HashAlgorithm::Md5, &secret[..half], &seed, len);
            let sha1 = p_hash(HashAlgorithm::Sha1, &secret[secret.len() - half..], &seed, len);
            md5.iter().zip(sha1).map(|(a, b)| a ^ b).collect()
        }
        PrfAlgorithm::Sha256 => p_hash(HashAlgorithm::Sha256, secret, &seed, len),
        PrfAlgorithm::Sha384 => p_hash(HashAlgorithm::Sha384, secret, &seed, len),
        other => panic!("{}: a PRF that is not known here", other.name()),
    }
}

/// The expansion of SSL 3.0 (RFC 6101 sections 6.1 and 6.2.2), `len` bytes.
pub fn ssl3_expand(secret: &[u8], seed: &[&[u8]], len: usize) -> Vec<u8> {
    let seed = seed.concat();
    let mut out = Vec::new();
    for (repeat, letter) in (b'A'..=b'Z').enumerate() {
        let salt = vec![letter; repeat + 1];
        let inner = hash(HashAlgorithm::Sha1, &[&salt, secret, &seed]);
        out.extend(hash(HashAlgorithm::Md5, &[secret, &inner]));
    }
    assert!(len <= out.len(), "SSL 3.0 defines no more than 416 bytes");
    out.truncate(len);
    out
}

/// The PRF of a protocol and a suite; none in SSL 3.0.
pub fn prf_of(protocol: ProtocolVersion, suite: &CipherSuiteInfo) -> Option<PrfAlgorithm> {
    match protocol {
        ProtocolVersion::SSL3 => None,
        ProtocolVersion::TLS1_0 | ProtocolVersion::TLS1_1 | ProtocolVersion::DTLS1_0 => {
            Some(PrfAlgorithm::Md5Sha1)
        }
        ProtocolVersion::TLS1_2 | ProtocolVersion::DTLS1_2 => Some(suite.prf),
        _ => panic!("{protocol} has no such schedule"),
    }
}

/// The master secret from a premaster secret and both randoms (RFC 5246 section 8.1).
pub fn master_secret(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    premaster_secret: &[u8],
    client_random: &[u8],
    server_random: &[u8],
) -> Vec<u8> {
    let randoms = [client_random, server_random];
    match prf_of(protocol, suite) {
        None => ssl3_expand(premaster_secret, &randoms, 48),
        Some(algorithm) => prf(algorithm, premaster_secret, b"master secret", &randoms, 48),
    }
}

/// The extended master secret (RFC 7627 section 4).
pub fn extended_master_secret(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    premaster_secret: &[u8],
    session_hash: &[u8],
) -> Vec<u8> {
    let algorithm = prf_of(protocol, suite).expect("SSL 3.0 has no extended master secret");
    prf(algorithm, premaster_secret, b"extended master secret", &[session_hash], 48)
}

/// The key block (RFC 5246 section 6.3), `len` bytes.
pub fn key_block(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    master_secret: &[u8],
    client_random: &[u8],
    server_random: &[u8],
    len: usize,
) -> Vec<u8> {
    let randoms = [server_random, client_random];
    match prf_of(protocol, suite) {
        None => ssl3_expand(master_secret, &randoms, len),
        Some(algorithm) => prf(algorithm, master_secret, b"key expansion", &randoms, len),
    }
}

/// The session keys in the order of the key block: both MAC keys, both write keys, both
/// initialisation vectors. Export suites derive the last four again (RFC 2246 section 6.3.1,
/// RFC 6101 section 6.2.2.1).
pub fn session_keys(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    master_secret: &[u8],
    client_random: &[u8],
    server_random: &[u8],
) -> Vec<u8> {
    let mac_len = suite.mac.map_or(0, HashAlgorithm::output_len);
    let key_len = suite.cipher.key_len;
    let iv_len = suite.cipher.fixed_iv_len(protocol);
    if !suite.key_exchange.is_export() {
        let len = 2 * (mac_len + key_len + iv_len);
        return key_block(protocol, suite, master_secret, client_random, server_random, len);
    }

    let short = suite.cipher.key_material_len;
    let block_len = 2 * (mac_len + short);
    let block = key_block(protocol, suite, master_secret, client_random, server_random, block_len);
    let (mac_keys, short_keys) = block.split_at(2 * mac_len);
    let (client_short, server_short) = short_keys.split_at(short);
    let randoms = [client_random, server_random];
    let reversed = [server_random, client_random];
    let parts = match prf_of(protocol, suite) {
        None => {
            let md5 = |parts: &[&[u8]], len: usize| {
                let mut out = hash(HashAlgorithm::Md5, parts);
                out.truncate(len);
                out
            };
            [
                md5(&[client_short, client_random, server_random], key_len),
                md5(&[server_short, server_random, client_random], key_len),
                md5(&randoms, iv_len),
                md5(&reversed, iv_len),
            ]
        }
        Some(algorithm) => {
            // The suites were withdrawn before TLS 1.2, whose default PRF stands in there.
            let ivs = prf(algorithm, &[], b"IV block", &randoms, 2 * iv_len);
            let (client_iv, server_iv) = ivs.split_at(iv_len);
            [
                prf(algorithm, client_short, b"client write key", &randoms, key_len),
                prf(algorithm, server_short, b"server write key", &randoms, key_len),
                client_iv.to_vec(),
                server_iv.to_vec(),
            ]
        }
    };
    [mac_keys, &parts.concat()].concat()
}

/// The verify_data of SSL 3.0 (RFC 6101 section 5.6.9) over handshake `messages`; with no sender,
/// what a client signs (section 5.6.8).
pub fn ssl3_verify_data(sender: &[u8], master_secret: &[u8], messages: &[u8]) -> Vec<u8> {
    let half = |algorithm, pad_len: usize| {
        let inner = hash(algorithm, &[messages, sender, master_secret, &vec![0x36; pad_len]]);
        hash(algorithm, &[master_secret, &vec![0x5c; pad_len], &inner])
    };
    [half(HashAlgorithm::Md5, 48), half(HashAlgorithm::Sha1, 40)].concat()
}

/// The handshake hash over `messages`: 36 bytes up to TLS 1.1, that of the suite in TLS 1.2.
pub fn handshake_hash(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    messages: &[u8],
) -> Vec<u8> {
    match prf_of(protocol, suite) {
        None | Some(PrfAlgorithm::Md5Sha1) => {
            [hash(HashAlgorithm::Md5, &[messages]), hash(HashAlgorithm::Sha1, &[messages])].concat()
        }
        Some(PrfAlgorithm::Sha256) => hash(HashAlgorithm::Sha256, &[messages]),
        Some(PrfAlgorithm::Sha384) => hash(HashAlgorithm::Sha384, &[messages]),
        Some(other) => panic!("{}: a PRF that is not known here", other.name()),
    }
}

/// What the fallback of a private key depends on: HMAC-SHA-256 of one prime under a label, xor that
/// of the other, each big-endian without leading zeros.
pub fn reject_key(primes: [&[u8]; 2]) -> Vec<u8> {
    const LABEL: &[u8] = b"ssl-provider implicit rejection";
    let [of_p, of_q] = primes.map(|prime| hmac(HashAlgorithm::Sha256, LABEL, &[prime]));
    of_p.iter().zip(of_q).map(|(p, q)| p ^ q).collect()
}

/// The premaster secret that stands in for a bad one: HMAC-SHA-256 of the ciphertext under the
/// reject key, expanded by P_SHA256 over what else the caller asked with.
pub fn fallback_premaster(
    reject_key: &[u8],
    ciphertext: &[u8],
    expected_version: u16,
    seed: &[u8],
) -> Vec<u8> {
    let derivation_key = hmac(HashAlgorithm::Sha256, reject_key, &[ciphertext]);
    let version = expected_version.to_be_bytes();
    prf(PrfAlgorithm::Sha256, &derivation_key, b"fallback premaster secret", &[&version, seed], 48)
}

/// The premaster secret in a block, by the plainest reading of RFC 8017 section 7.2.2 and
/// RFC 5246 section 7.4.7.1: none where padding, length or version are wrong.
pub fn unpad(block: &[u8], version: Option<u16>) -> Option<Vec<u8>> {
    let [0, 2, rest @ ..] = block else { return None };
    let separator = rest.iter().position(|byte| *byte == 0)?;
    let message = &rest[separator + 1..];
    let version_is_good = match version {
        Some(version) => message.starts_with(&version.to_be_bytes()),
        None => true,
    };
    (separator >= 8 && message.len() == 48 && version_is_good).then(|| message.to_vec())
}

//! Sessions that are sealed for the client to keep (RFC 5077).

use ssl_provider_core::{
    Backend, CipherSuite, Error, MasterKey, Policy, ProtocolVersion, Provider, Side, TicketKey,
};

use crate::exchange::{Exchange, POLICY, open};
use crate::fake::Fake;

/// Bytes of a ticket besides the state: nonce, version, suite, master secret, tag.
const OVERHEAD: usize = 12 + 2 + 4 + 48 + 16;

/// A master key of TLS 1.2, and a key that seals it.
fn sealed(backend: &Backend, state: &[u8]) -> (MasterKey, TicketKey, Vec<u8>) {
    let master_key = Exchange::tls1_2().master_key(backend);
    let key = open(backend).generate_ticket_key().unwrap();
    let ticket = key.seal(&master_key, state).unwrap();
    (master_key, key, ticket)
}

/// Sessions of several versions and suites come back with their secret, and with states of any
/// length; no two tickets have anything in common.
pub fn ticket_gives_back_its_session(backend: &Backend) {
    let provider = open(backend);
    let key = provider.generate_ticket_key().unwrap();
    for (version, suite) in [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_MD5),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
    ] {
        let master_key = Exchange::new(version, suite).master_key(backend);
        for state_len in [0, 1, 15, 16, 17, 300, 5000] {
            let state: Vec<u8> = (0..=255).cycle().take(state_len).collect();
            let [one, other] = [(); 2].map(|()| key.seal(&master_key, &state).unwrap());
            assert_eq!(one.len(), OVERHEAD + state_len);
            let mut pairs = one.windows(8).zip(other.windows(8));
            assert!(pairs.all(|(one, other)| one != other), "{version}, {state_len}");
            let (opened, found) = key.open(&provider, &one).unwrap().expect("a session");
            assert_eq!((opened.version(), opened.suite().id), (version, suite));
            assert_eq!((opened.side(), found), (Side::Server, state));
            let secrets = [&opened, &master_key].map(|key| key.secret_for_key_log().unwrap());
            assert_eq!(secrets[0].expose(), secrets[1].expose());
        }
    }
}

/// Whatever bit was flipped, and wherever a ticket was cut, it is unknown; so it is to another key.
pub fn ticket_that_was_altered_is_unknown(backend: &Backend) {
    let provider = open(backend);
    let (_, key, ticket) = sealed(backend, b"state");
    let is_known = |key: &TicketKey, ticket: &[u8]| key.open(&provider, ticket).unwrap().is_some();
    for bit in 0..8 * ticket.len() {
        let mut altered = ticket.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_known(&key, &altered), "bit {bit}");
    }
    for len in 0..ticket.len() {
        assert!(!is_known(&key, &ticket[..len]), "{len} bytes");
    }
    assert!(!is_known(&key, &[&ticket[..], &[0]].concat()));
    assert!(!is_known(&provider.generate_ticket_key().unwrap(), &ticket), "another key");
    assert!(is_known(&key, &ticket));
}

/// Another backend, the client's side, and versions that policy forbids.
pub fn ticket_is_checked(backend: &Backend) {
    let provider = open(backend);
    let (master_key, key, ticket) = sealed(backend, b"");
    let stranger = Provider::open(Fake::new().share());
    assert!(matches!(key.open(&stranger, &ticket), Err(Error::InvalidHandle)));
    let foreign = stranger.generate_ticket_key().unwrap();
    assert_eq!(foreign.seal(&master_key, b""), Err(Error::InvalidHandle));

    let suite = CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256;
    let (version, parameters) = (ProtocolVersion::TLS1_2, Exchange::tls1_2().parameters());
    let client = provider
        .generate_psk_master_key(&[7; 32], version, suite, &parameters, Side::Client)
        .unwrap();
    assert!(matches!(key.seal(&client, b""), Err(Error::InvalidParameter(_))));

    let old = Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_MD5);
    let ticket = key.seal(&old.master_key(backend), b"").unwrap();
    let strict = Provider::open(backend).with_policy(Policy { legacy_ssl3: false, ..POLICY });
    assert!(key.open(&provider, &ticket).unwrap().is_some());
    assert!(key.open(&strict, &ticket).unwrap().is_none(), "SSL 3.0");
}

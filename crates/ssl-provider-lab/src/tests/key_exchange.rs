//! ECDHE and DHE: every suite, version and group; what is negotiated, and bad public keys.

use ssl_provider::{FfdheGroup, Operation, backends};
use ssl_provider_wire::ExtensionType;

use super::*;
use crate::group::NamedGroup;
use crate::settings::ClientAuth;

const ECDHE_RSA: u16 = 0xc02f;
const ECDHE_ECDSA: u16 = 0xc02b;
const DHE_RSA: u16 = 0x009e;

const GROUPS: u16 = ExtensionType::SUPPORTED_GROUPS.0;
const POINT_FORMATS: u16 = ExtensionType::EC_POINT_FORMATS.0;
const SCHEMES: u16 = ExtensionType::SIGNATURE_ALGORITHMS.0;

/// The backends that agree on keys and sign.
pub(super) fn with_ephemeral_keys() -> Vec<Backend> {
    let needed = [
        Operation::Ecdh(NamedCurve::Secp256r1),
        Operation::Sign(SignatureScheme::RsaSha256),
        Operation::Sign(SignatureScheme::EcdsaSha256),
    ];
    let able = backends()
        .into_iter()
        .filter(|backend| needed.iter().all(|it| backend.support(*it).is_supported()));
    let able: Vec<_> = able.collect();
    assert!(!able.is_empty(), "no backend has ephemeral keys and signatures");
    able
}

/// Settings on the first backend with everything.
fn settings() -> Arc<Settings> {
    ephemeral_settings(&with_ephemeral_keys()[0], |_| {})
}

/// A list of numbers of two bytes, as extensions have it.
fn numbers(list: &[u16]) -> Vec<u8> {
    let mut out = Vec::new();
    put_vec::<2>(&mut out, |out| out.extend(list.iter().flat_map(|it| it.to_be_bytes())));
    out
}

/// The schemes that modern clients offer.
fn usual_schemes() -> Vec<u8> {
    numbers(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201, 0x0203])
}

fn connect(
    settings: &Arc<Settings>,
    version: ProtocolVersion,
    suites: &[u16],
    groups: &[u16],
) -> (Client, SessionInfo) {
    let mut client = Client::new(settings, version);
    let (groups, schemes) = (numbers(groups), usual_schemes());
    let session =
        client.handshake(suites, &[EXTENDED_MASTER_SECRET, (GROUPS, &groups), (SCHEMES, &schemes)]);
    (client, session)
}

#[test]
fn every_suite_version_and_group_works_on_every_backend() {
    for backend in with_ephemeral_keys() {
        let name = backend.info().name;
        let settings = ephemeral_settings(&backend, |_| {});
        let mut groups: Vec<_> = settings.curves.iter().copied().map(NamedGroup::Curve).collect();
        if backend.support(Operation::Dh).is_supported() {
            groups.push(NamedGroup::FiniteField(FfdheGroup::Ffdhe2048));
            groups.push(NamedGroup::FiniteField(FfdheGroup::Ffdhe3072));
        }
        let mut count = 0;
        for (version, suites) in settings.usable() {
            for suite in suites {
                let exchange = suite.key_exchange;
                for group in &groups {
                    let number = match group {
                        NamedGroup::Curve(curve) if exchange.is_ecdhe() => curve.wire(),
                        NamedGroup::FiniteField(group) if exchange.is_dhe() => group.wire(),
                        _ => continue,
                    };
                    // The curve of the certificate is one of the client's too.
                    let listed = [number, NamedCurve::Secp256r1.wire()];
                    let listed = match exchange {
                        KeyExchange::EcdheEcdsa => &listed[..],
                        _ => &listed[..1],
                    };
                    let id = u16::try_from(suite.id.0).unwrap();
                    let (client, session) = connect(&settings, *version, &[id], listed);
                    assert_eq!((session.protocol, session.suite.id), (*version, suite.id));
                    let scheme = session.signature_scheme.unwrap();
                    assert_eq!(scheme.is_rsa(), exchange != KeyExchange::EcdheEcdsa, "{name}");
                    let first = settings.curves.iter().find(|it| listed.contains(&it.wire()));
                    let expected = match exchange.is_ecdhe() {
                        true => NamedGroup::Curve(*first.unwrap()),
                        false => *group,
                    };
                    assert_eq!(session.group, Some(expected), "{name}");
                    if count % 8 == 0 {
                        let extensions = [EXTENDED_MASTER_SECRET];
                        let is_tls = *version != ProtocolVersion::SSL3;
                        let extensions = if is_tls { &extensions[..] } else { &[] };
                        let resumed = client.again().handshake(&[id], extensions);
                        assert!(resumed.resumed && resumed.group.is_none(), "{name}");
                    }
                    count += 1;
                }
            }
        }
        assert!(count > 80, "{name}: only {count} handshakes");
    }
}

#[test]
fn each_handshake_has_a_key_of_its_own() {
    let settings = settings();
    for suite in [ECDHE_RSA, DHE_RSA] {
        let keys = [(); 3].map(|()| {
            let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
            client.open(&[suite], &[]);
            client.server_key().1
        });
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{suite:04x}");
    }
}

#[test]
fn the_group_is_the_server_s_first_that_the_client_lists() {
    let settings = settings();
    let group = |suites: &[u16], groups: &[u16]| {
        let (_, session) = connect(&settings, ProtocolVersion::TLS1_2, suites, groups);
        session.group.map(NamedGroup::name)
    };
    assert_eq!(group(&[ECDHE_RSA], &[24, 23, 29]), Some("x25519"));
    assert_eq!(group(&[ECDHE_RSA], &[0x1a1a, 25, 24]), Some("secp384r1"));
    assert_eq!(group(&[DHE_RSA], &[257, 256]), Some("ffdhe2048"));
    assert_eq!(group(&[DHE_RSA], &[511, 257]), Some("ffdhe3072"));
    assert_eq!(group(&[DHE_RSA], &[29]), Some("ffdhe2048"), "no finite field is listed");
    // RFC 7919 section 4: a client that lists finite fields takes no other.
    assert_eq!(group(&[DHE_RSA, AES_128_GCM], &[511]), None, "RSA key exchange");
    assert_eq!(group(&[ECDHE_RSA, DHE_RSA], &[30]), Some("ffdhe2048"));

    let mut old = Client::new(&settings, ProtocolVersion::TLS1_0);
    let session = old.handshake(&[0xc013], &[]);
    assert_eq!(session.group.map(NamedGroup::name), Some("secp256r1"), "no list");

    // The certificate's curve has to be listed (RFC 8422 section 5.3).
    let suite = |groups| {
        connect(&settings, ProtocolVersion::TLS1_2, &[ECDHE_ECDSA, AES_128_GCM], groups).1.suite
    };
    assert_eq!(suite(&[29, 23]).id.0, u32::from(ECDHE_ECDSA));
    assert_eq!(suite(&[29]).id.0, u32::from(AES_128_GCM));
}

#[test]
fn the_scheme_is_the_server_s_first_that_the_client_lists() {
    let settings = settings();
    let scheme = |suites: &[u16], schemes: Option<&[u16]>| {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        let schemes = schemes.map(numbers);
        let extensions: Vec<_> = schemes.iter().map(|list| (SCHEMES, &list[..])).collect();
        client.handshake(suites, &extensions).signature_scheme
    };
    let all = [0x0201, 0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0203, 0x0403, 0x0503, 0x0603];
    for number in all {
        let expected = SignatureScheme::from_wire(number);
        let suite = if expected.unwrap().is_rsa() { ECDHE_RSA } else { ECDHE_ECDSA };
        assert_eq!(scheme(&[suite], Some(&[number])), expected, "{number:04x}");
    }
    assert_eq!(scheme(&[ECDHE_RSA], Some(&all)), Some(SignatureScheme::RsaPssSha256));
    assert_eq!(scheme(&[ECDHE_ECDSA], Some(&all)), Some(SignatureScheme::EcdsaSha256));
    // RFC 5246 section 7.4.1.4.1.
    assert_eq!(scheme(&[ECDHE_RSA], None), Some(SignatureScheme::RsaSha1));
    assert_eq!(scheme(&[ECDHE_ECDSA], None), Some(SignatureScheme::EcdsaSha1));
    // Its key of 1024 bits is too short for PSS with SHA-512, and DSA is not known.
    assert_eq!(scheme(&[ECDHE_RSA, AES_128_GCM], Some(&[0x0806, 0x0402])), None, "RSA");
    assert_eq!(
        scheme(&[ECDHE_ECDSA, ECDHE_RSA], Some(&[0x0401])),
        SignatureScheme::from_wire(0x0401)
    );
}

/// Returns the alert for a hello and its cause.
fn refusal(suites: &[u16], extensions: &[(u16, &[u8])]) -> (Alert, Option<Cause>) {
    let mut client = Client::new(&settings(), ProtocolVersion::TLS1_2);
    let hello = client.hello(suites, extensions);
    client.send(ContentType::Handshake, &hello);
    (client.refusal(), client.server.cause().cloned())
}

#[test]
fn a_client_without_a_common_group_or_scheme_is_refused_with_the_cause() {
    let (curves, unknown) = (numbers(&[29, 23]), numbers(&[30, 511]));
    let failure = |cause| (Alert::HandshakeFailure, Some(cause));
    for suite in [ECDHE_RSA, ECDHE_ECDSA, DHE_RSA] {
        assert_eq!(refusal(&[suite], &[(GROUPS, &unknown)]), failure(Cause::Group));
        let schemes = numbers(&[0x0402, 0x0806]);
        let refused = refusal(&[suite], &[(GROUPS, &curves), (SCHEMES, &schemes)]);
        assert_eq!(refused, failure(Cause::SignatureScheme));
    }
    // RFC 8422 section 5.1.2.
    let refused = refusal(&[ECDHE_RSA], &[(GROUPS, &curves), (POINT_FORMATS, &[1, 1])]);
    assert_eq!(refused, (Alert::IllegalParameter, Some(Cause::PointFormats)));
    for malformed in [&[][..], &[0], &[0, 0], &[0, 1, 0], &[0, 2, 0], &[0, 2, 0, 29, 0]] {
        assert_eq!(refusal(&[DHE_RSA], &[(GROUPS, malformed)]), (Alert::DecodeError, None));
    }
    for malformed in [&[][..], &[0], &[2, 0], &[1, 0, 0]] {
        assert_eq!(refusal(&[DHE_RSA], &[(POINT_FORMATS, malformed)]), (Alert::DecodeError, None));
    }
}

#[test]
fn a_server_without_ephemeral_keys_passes_over_their_extensions() {
    let settings = super::settings();
    for (kind, data) in [(GROUPS, &b""[..]), (GROUPS, b"\0\x01x"), (POINT_FORMATS, b"\x01\x01")] {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.handshake(&[AES_128_GCM], &[(kind, data)]);
    }
}

#[test]
fn point_formats_are_answered_where_they_matter_and_were_listed() {
    let settings = settings();
    let answered = |suite: u16, extensions: &[(u16, &[u8])]| {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.handshake(&[suite], extensions);
        let message = client.message_of_server(HandshakeType::SERVER_HELLO).unwrap();
        let hello = ServerHello::parse(&message, View::Strict).unwrap();
        hello.extensions.point_formats().unwrap().map(<[u8]>::to_vec)
    };
    assert_eq!(answered(ECDHE_RSA, &[(POINT_FORMATS, &[3, 2, 0, 1])]), Some(vec![0]));
    assert_eq!(answered(ECDHE_RSA, &[]), None);
    assert_eq!(answered(AES_128_GCM, &[(POINT_FORMATS, &[1, 0])]), None);
}

#[test]
fn a_client_key_exchange_with_a_public_key_does_not_pause() {
    let settings = settings();
    for suite in [ECDHE_RSA, DHE_RSA] {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.open(&[suite], &[]);
        let (group, _) = client.server_key();
        let key = client.provider.generate_ephemeral_key(group.clone()).unwrap();
        let message = client.share_message(&group, key.public_key());
        let record = client.record(22, &message);
        client.server.receive_until_decryption(&record);
        assert!(client.server.pending_ciphertext().is_none());
        client.expect_silence();
    }
}

/// Returns the alert for the body of a ClientKeyExchange.
fn refusal_of_share(settings: &Arc<Settings>, suite: u16, group: u16, body: &[u8]) -> Alert {
    let mut client = Client::new(settings, ProtocolVersion::TLS1_2);
    let (groups, schemes) = (numbers(&[group, 23]), usual_schemes());
    client.open(&[suite], &[(GROUPS, &groups), (SCHEMES, &schemes)]);
    let mut message = Vec::new();
    put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| {
        out.extend_from_slice(body);
    });
    client.send(ContentType::Handshake, &message);
    client.refusal()
}

#[test]
fn a_malformed_client_key_exchange_is_a_decode_error() {
    let settings = settings();
    for body in [&[][..], &[0], &[65, 4], &[1, 4, 4]] {
        assert_eq!(refusal_of_share(&settings, ECDHE_RSA, 23, body), Alert::DecodeError);
    }
    for body in [&[][..], &[0], &[0, 0], &[0, 2, 4], &[0, 1, 4, 4]] {
        assert_eq!(refusal_of_share(&settings, DHE_RSA, 256, body), Alert::DecodeError);
    }
    let too_long = [&[255][..], &[4; 256]].concat();
    assert_eq!(refusal_of_share(&settings, ECDHE_RSA, 23, &too_long), Alert::DecodeError);
}

#[test]
fn a_public_key_that_is_not_of_the_group_is_an_illegal_parameter() {
    for backend in with_ephemeral_keys() {
        let name = backend.info().name;
        let settings = ephemeral_settings(&backend, |_| {});
        let bad_share = |suite, group, share: &[u8]| {
            let mut body = Vec::new();
            match suite {
                DHE_RSA => put_vec::<2>(&mut body, |out| out.extend_from_slice(share)),
                _ => put_vec::<1>(&mut body, |out| out.extend_from_slice(share)),
            }
            let alert = refusal_of_share(&settings, suite, group, &body);
            assert_eq!(alert, Alert::IllegalParameter, "{name}, group {group}: {share:02x?}");
        };
        for curve in settings.curves.clone() {
            let len = curve.public_key_len();
            // Of a length that is another curve's or none's.
            bad_share(ECDHE_RSA, curve.wire(), &vec![4; len - 1]);
            bad_share(ECDHE_RSA, curve.wire(), &vec![4; len + 1]);
            if curve.is_montgomery() {
                // Points of small order (RFC 7748 section 6.1): 0, 1 and p.
                let one = [&[1][..], &[0; 31]].concat();
                let prime = [&[0xed][..], &[0xff; 30], &[0x7f]].concat();
                for share in [&[0; 32][..], &one, &prime] {
                    bad_share(ECDHE_RSA, curve.wire(), share);
                }
                continue;
            }
            // Infinity, a compressed point, and one that is not on the curve.
            bad_share(ECDHE_RSA, curve.wire(), &[0]);
            bad_share(ECDHE_RSA, curve.wire(), &[&[2][..], &vec![1; len / 2]].concat());
            let key = settings.provider.generate_ephemeral_key(curve).unwrap();
            let mut share = key.public_key().to_vec();
            *share.last_mut().unwrap() ^= 1;
            bad_share(ECDHE_RSA, curve.wire(), &share);
            bad_share(ECDHE_RSA, curve.wire(), &[&[4][..], &vec![0; len - 1]].concat());
            bad_share(ECDHE_RSA, curve.wire(), &[&[4][..], &vec![0xff; len - 1]].concat());
        }
        if !backend.support(Operation::Dh).is_supported() {
            continue;
        }
        let prime = FfdheGroup::Ffdhe2048.prime();
        let mut before = prime.clone();
        *before.last_mut().unwrap() -= 1;
        let longer = [&[1][..], &prime].concat();
        // RFC 7919 section 5.1: 1 < Y < p - 1.
        for share in [&[0][..], &[1], &[0, 0, 1], &before, &prime, &longer] {
            bad_share(DHE_RSA, 256, share);
        }
    }
}

#[test]
fn client_certificates_go_with_ephemeral_keys() {
    for backend in with_ephemeral_keys() {
        let settings =
            ephemeral_settings(&backend, |options| options.client_auth = ClientAuth::Require);
        for (version, suite) in
            [(ProtocolVersion::TLS1_0, 0xc013), (ProtocolVersion::TLS1_2, ECDHE_RSA)]
        {
            let mut client = Client::new(&settings, version);
            client.open(&[suite], &[EXTENDED_MASTER_SECRET]);
            client_certificates::send_certificate_and_key_exchange(&mut client);
            let session = client.finish();
            assert!(session.client_certificate.is_some() && session.group.is_some());
        }
    }
}

//! Application-layer protocol negotiation (RFC 7301).

use super::*;

const KIND: u16 = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION.0;

fn settings_of(protocols: &[&str]) -> Arc<Settings> {
    settings_with(|options| {
        options.application_protocols = protocols.iter().map(|name| (*name).to_owned()).collect();
    })
}

fn list(protocols: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    put_vec::<2>(&mut out, |out| {
        for name in protocols {
            put_vec::<1>(out, |out| out.extend_from_slice(name.as_bytes()));
        }
    });
    out
}

/// Returns what a client with these protocols gets, in the session and in the ServerHello.
fn negotiated(settings: &Arc<Settings>, offered: Option<&[&str]>) -> [Option<String>; 2] {
    let mut client = Client::new(settings, ProtocolVersion::TLS1_2);
    let offered = offered.map(list);
    let extensions: Vec<_> = offered.iter().map(|list| (KIND, &list[..])).collect();
    let session = client.handshake(&[AES_128_GCM], &extensions);
    let resumed = client.again().handshake(&[AES_128_GCM], &extensions);
    assert!(resumed.resumed);
    assert_eq!(resumed.application_protocol, session.application_protocol, "negotiated again");
    let message = client.message_of_server(HandshakeType::SERVER_HELLO).unwrap();
    let hello = ServerHello::parse(&message, View::Strict).unwrap();
    let selected = hello.extensions.application_protocols().unwrap().map(|list| {
        assert_eq!(list.len(), 1, "RFC 7301 section 3.1");
        String::from_utf8(list[0].to_vec()).unwrap()
    });
    [session.application_protocol, selected]
}

#[test]
fn the_server_s_first_protocol_that_the_client_offers_is_selected() {
    let settings = settings_of(&["http/1.1", "http/1.0"]);
    for (offered, expected) in [
        (&["h2", "http/1.1"][..], "http/1.1"),
        (&["http/1.0", "http/1.1"], "http/1.1"),
        (&["http/1.0"], "http/1.0"),
    ] {
        let both = [(); 2].map(|()| Some(expected.to_owned()));
        assert_eq!(negotiated(&settings, Some(offered)), both);
    }
    assert_eq!(negotiated(&settings, None), [None, None]);
}

#[test]
fn a_client_that_offers_other_protocols_only_is_refused_where_there_are_some() {
    let refusal = |offered: &[u8]| {
        let mut client = Client::new(&settings_of(&["http/1.1"]), ProtocolVersion::TLS1_2);
        let hello = client.hello(&[AES_128_GCM], &[(KIND, offered)]);
        client.send(ContentType::Handshake, &hello);
        (client.refusal(), client.server.cause().cloned())
    };
    let refused = (Alert::NoApplicationProtocol, Some(Cause::ApplicationProtocol));
    assert_eq!(refusal(&list(&["h2", "http/1.10", "http/1"])), refused);
    for malformed in [&b""[..], b"\0\0", b"\0\x01\0", b"\0\x02\x02h", b"\0\x02\x01h\0"] {
        assert_eq!(refusal(malformed), (Alert::DecodeError, None), "{malformed:?}");
    }
    for ignored in [&list(&["h2"])[..], b"\0\x01\0"] {
        let mut client = Client::new(&settings_of(&[]), ProtocolVersion::TLS1_2);
        let session = client.handshake(&[AES_128_GCM], &[(KIND, ignored)]);
        assert_eq!(session.application_protocol, None);
    }
}

#[test]
fn a_protocol_without_a_name_or_with_one_that_is_too_long_is_refused_at_the_start() {
    for name in [String::new(), "x".repeat(256)] {
        let backend = default_backend().unwrap();
        let provider = provider(&backend);
        let key = rsa::PrivateKey::from_pkcs1_der(&test_key().der).unwrap();
        let identity = Identity::of(&provider, key).unwrap().identity;
        let options = Options { application_protocols: vec![name], ..Options::default() };
        assert!(Settings::new(provider, identity, options, None, None).is_err());
    }
}

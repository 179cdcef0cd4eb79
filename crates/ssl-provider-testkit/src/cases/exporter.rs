//! Keying material for other protocols: exporters (RFC 5705) and the key blocks of EAP methods.
//! Known answers come from sessions of OpenSSL's own client and server.

use ssl_provider_core::{
    Backend, CipherSuite, EAP_TLS_KEY_BLOCK_LEN, EapKeyBlock, Error, MasterKey, ProtocolVersion,
    RANDOMS_LEN,
};

use crate::bytes::{Rng, hex, to_hex};
use crate::exchange::{Exchange, open, rsa_suites};
use crate::reference;
use crate::rsa_key::TestKey;

/// What OpenSSL 3.0.22 printed as `Keying material` for `-keymatexport LABEL`, with the premaster
/// secret and the randoms of the session from its key log and its trace.
struct Known {
    protocol: ProtocolVersion,
    suite: CipherSuite,
    label: &'static str,
    premaster_secret: &'static str,
    client_random: &'static str,
    server_random: &'static str,
    exported: &'static str,
}

const KNOWN: [Known; 4] = [
    Known {
        protocol: ProtocolVersion::TLS1_0,
        suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
        label: "EXPERIMENTAL ssl-provider",
        premaster_secret: "0301d9df7efaee96538872c9a861dd58e69fe4b9b87b516377f5e716b6bb183e\
                           beb094a1e266840c3a0d5c874bc31725",
        client_random: "f77a4c030e50bb4ebe6fa9b714e5baf61e1451df38a4f743978a824b62de4da1",
        server_random: "fa1154c733b66ba2d9918726d745af033fbe0cd6afec349d444f574e47524400",
        exported: "056baa2cff0c20d7ab4e5eb9d41d78472641e43ad63ab71ede94c18d788ad11a\
                   98948b1d5cd5992c",
    },
    Known {
        protocol: ProtocolVersion::TLS1_2,
        suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
        label: "EXPERIMENTAL ssl-provider",
        premaster_secret: "030398be2c16eb974efc343567b1f6e30be721b58284a02b28a8803d6a80a35e\
                           addbfe5a921e0d1c0895150dfe2c9995",
        client_random: "176fd86622ac49b1f75af19ca9b61fc02d3fa50d4b77b5a31f1c17bbe9f30a6b",
        server_random: "adb721a1d4d7b045457e32895ab5cb1903e6c212ab724a3e444f574e47524401",
        exported: "321d7d7e97ec27d0b02ef425d0365193bc39c7eef4049d930d485b2fb2862c28\
                   8235e66661b25b00",
    },
    Known {
        protocol: ProtocolVersion::TLS1_2,
        suite: CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384,
        label: "EXPERIMENTAL ssl-provider",
        premaster_secret: "0303be05037ce356199edaa7090718846ace45944b7fac0c2a84529ec8da9c85\
                           b91776920f1ea27f9a4b0e30c619493d",
        client_random: "abed103cef1d764412c4db144b74ad3611127c742b9afd78b7e699dd225eb3a4",
        server_random: "fa9ff11c54cc5f159509d9e89e89cbdb17ab4f8e2771af58444f574e47524401",
        exported: "8049e4990e9519e834c1dd7771601e576a7b8f3fa800ba29299b5b4470090551\
                   22223eae75281c89",
    },
    // The keys of EAP-TLS are this exporter too (RFC 5216 section 2.3).
    Known {
        protocol: ProtocolVersion::TLS1_2,
        suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
        label: "client EAP encryption",
        premaster_secret: "0303ae239bc87c93f0799d795f72b86540d6eeda107480ae07d6a06910d15050\
                           d34ee2f2d3424fca36ab99ef550abb33",
        client_random: "cefd3316c981aa679667b76b6da83e71849dd9e19906e284b2c46a4c6e01d231",
        server_random: "ee50c326a05f851658958f658305f85518d8783dbb1e4f56444f574e47524401",
        exported: "f23a5469ace35101182aedf2bc6a62dc6d1fd9093f54b37d03156e00b82b97f8\
                   885aa7cd528a6be504be8ad949c1737727f5a46b9e353072625ba9a601acd305\
                   aef1454bc3b1c7de6c3e1e4110557388df8c9edce8d5f652c4c5fa4547a10c65\
                   40db8283be758c4084cabbefa8d2433855df193810ad030859a0008cb6981e3f",
    },
];

/// A master key from a premaster secret, and both randoms together.
fn imported(
    backend: &Backend,
    exchange: &Exchange,
    premaster_secret: &[u8],
) -> (MasterKey, Vec<u8>) {
    let provider = open(backend);
    let key = TestKey::rsa_1024();
    let ciphertext = key.encrypt(&key.pad(premaster_secret, &mut Rng::new(1)));
    let master_key = exchange.import(&provider, &key.load(&provider), &ciphertext).unwrap();
    (master_key, [exchange.client_random, exchange.server_random].concat())
}

/// OpenSSL's sessions give the same keying material here.
pub fn exporter_known_answers(backend: &Backend) {
    for known in KNOWN {
        let exchange = Exchange {
            client_random: hex(known.client_random).try_into().unwrap(),
            server_random: hex(known.server_random).try_into().unwrap(),
            ..Exchange::new(known.protocol, known.suite)
        };
        let (key, randoms) = imported(backend, &exchange, &hex(known.premaster_secret));
        let label = known.label.as_bytes();
        let mut out = vec![0; known.exported.len() / 2];
        key.export_keying_material(label, &randoms, None, &mut out).unwrap();
        assert_eq!(to_hex(&out), known.exported, "{}", known.label);
        if known.label == "client EAP encryption" {
            let mut block = [0; EAP_TLS_KEY_BLOCK_LEN];
            key.eap_key_block(EapKeyBlock::Tls, &randoms, &mut block).unwrap();
            assert_eq!(to_hex(&block[..128]), known.exported);
        }
    }
}

/// Every suite that an import takes, with and without a context, of any length.
pub fn exporter_of_every_suite(backend: &Backend) {
    let mut rng = Rng::new(0x5705);
    for (protocol, suite) in rsa_suites() {
        let exchange = Exchange::new(protocol, suite.id);
        let premaster_secret = exchange.premaster_secret(&mut rng);
        let (key, randoms) = imported(backend, &exchange, &premaster_secret);
        let secret = exchange.master_secret(&premaster_secret);
        let mut out = vec![0; 1 + rng.below(200)];
        let Some(prf) = reference::prf_of(protocol, exchange.suite) else {
            let unsupported = Err(Error::UnsupportedProtocol { given: 0x0300 });
            let exported = key.export_keying_material(b"EXPORTER", &randoms, None, &mut out);
            assert_eq!(exported, unsupported);
            assert_eq!(key.eap_key_block(EapKeyBlock::TtlsV0, &randoms, &mut out), unsupported);
            continue;
        };
        for context_len in [None, Some(0), Some(1), Some(300)] {
            let context = context_len.map(|len| rng.bytes(len));
            let seed = match &context {
                Some(context) => {
                    let len = u16::try_from(context.len()).unwrap().to_be_bytes();
                    [&randoms[..], &len, context].concat()
                }
                None => randoms.clone(),
            };
            let expected = reference::prf(prf, &secret, b"EXPORTER x", &[&seed], out.len());
            key.export_keying_material(b"EXPORTER x", &randoms, context.as_deref(), &mut out)
                .unwrap();
            assert_eq!(out, expected, "{} {context_len:?}", exchange.suite.name);
        }
    }
}

/// A context is up to 65535 bytes, whose length goes into the derivation with both bytes.
pub fn exporter_takes_a_context_as_long_as_its_length_field(backend: &Backend) {
    let exchange = Exchange::tls1_2();
    let (key, randoms) = imported(backend, &exchange, &exchange.premaster_secret(&mut Rng::new(2)));
    let context = vec![7; 0x1_0000];
    let (mut out, mut other) = ([0; 32], [0; 32]);
    let longest = Some(&context[..0xffff]);
    key.export_keying_material(b"EXPORTER", &randoms, longest, &mut out).unwrap();
    key.export_keying_material(b"EXPORTER", &randoms, Some(&context[..0xfffe]), &mut other)
        .unwrap();
    assert_ne!(out, other);
    let error =
        key.export_keying_material(b"EXPORTER", &randoms, Some(&context), &mut out).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter(_)));
}

/// Labels under which TLS derives its own secrets are refused, their beginnings too, and so is what
/// is no label; nothing is written then.
pub fn exporter_refuses_reserved_and_malformed_requests(backend: &Backend) {
    let exchange = Exchange::tls1_2();
    let (key, randoms) = imported(backend, &exchange, &exchange.premaster_secret(&mut Rng::new(3)));
    let mut out = [0xaa; 16];
    let bad_labels: [&[u8]; 15] = [
        b"client finished",
        b"server finished",
        b"master secret",
        b"extended master secret",
        b"key expansion",
        b"client write key",
        b"server write key",
        b"IV block",
        // The randoms, which the caller chooses, can complete these.
        b"key expans",
        b"k",
        b"",
        b"\0",
        b"EXPORTER\0",
        b"line\n",
        "EXPORTER é".as_bytes(),
    ];
    for label in bad_labels {
        let error = key.export_keying_material(label, &randoms, None, &mut out).unwrap_err();
        assert_eq!(error.status().code(), 0x8009_0027, "{label:?}");
    }
    for len in [0, 32, RANDOMS_LEN - 1, RANDOMS_LEN + 1, 2 * RANDOMS_LEN] {
        let randoms = vec![0; len];
        let error = key.export_keying_material(b"EXPORTER", &randoms, None, &mut out).unwrap_err();
        assert_eq!(error.status().code(), 0x8009_0027, "randoms of {len} bytes");
        let error = key.eap_key_block(EapKeyBlock::TtlsV0, &randoms, &mut out).unwrap_err();
        assert_eq!(error.status().code(), 0x8009_0027, "randoms of {len} bytes");
    }
    assert_eq!(out, [0xaa; 16]);
    let error = key.export_keying_material(b"EXPORTER", &randoms, None, &mut []).unwrap_err();
    assert_eq!(error.status().code(), 0x8009_0027);
}

/// The derivations of EAP-TLS and EAP-TTLSv0 are those of RFC 5216 section 2.3 and RFC 5281
/// sections 8 and 11.1, under each PRF.
pub fn exporter_eap_key_blocks(backend: &Backend) {
    let mut rng = Rng::new(0x5216);
    for (protocol, suite) in [
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
    ] {
        let exchange = Exchange::new(protocol, suite);
        let premaster_secret = exchange.premaster_secret(&mut rng);
        let (key, randoms) = imported(backend, &exchange, &premaster_secret);
        let secret = exchange.master_secret(&premaster_secret);
        let prf = reference::prf_of(protocol, exchange.suite).unwrap();
        let derived =
            |secret: &[u8], label: &[u8], len| reference::prf(prf, secret, label, &[&randoms], len);

        let mut block = [0; EAP_TLS_KEY_BLOCK_LEN];
        key.eap_key_block(EapKeyBlock::Tls, &randoms, &mut block).unwrap();
        assert_eq!(block[..128], derived(&secret, b"client EAP encryption", 128));
        assert_eq!(block[128..], derived(b"", b"client EAP encryption", 64));
        for len in [1, 128, 191, 193] {
            let mut out = vec![0; len];
            let answer = key.eap_key_block(EapKeyBlock::Tls, &randoms, &mut out);
            assert!(matches!(answer, Err(Error::InvalidParameter(_))), "{len} bytes");
            assert_eq!(out, vec![0; len]);
            for (kind, label) in [
                (EapKeyBlock::TtlsV0, &b"ttls keying material"[..]),
                (EapKeyBlock::TtlsV0Challenge, b"ttls challenge"),
            ] {
                key.eap_key_block(kind, &randoms, &mut out).unwrap();
                assert_eq!(out, derived(&secret, label, len), "{kind:?}");
            }
        }
    }
}

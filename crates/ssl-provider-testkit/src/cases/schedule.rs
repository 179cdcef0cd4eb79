//! The key schedule: master secret and key block of each version, over published values.
//! These go through core with the backend's hashes, so they hold the two together.

use ssl_provider_core::{
    Backend, CipherSuite, MasterSecret, MasterSeed, PremasterSecret, ProtocolVersion,
};

use crate::bytes::{counting, hex};
use crate::exchange::{Exchange, connection};
use crate::vectors::{AcvpCase, acvp, acvp_set, colon_lines, field, hex_field, with_folder};

/// Suites by the PRF that they have in TLS 1.2.
const SHA256_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
const SHA384_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384;
/// A suite of every version.
const AES_CBC_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;

fn derived_master_secret(
    backend: &Backend,
    protocol: ProtocolVersion,
    suite: CipherSuite,
    premaster: &[u8],
    seed: MasterSeed<'_>,
) -> MasterSecret {
    let connection = connection(backend, protocol, suite);
    let mut premaster_secret = PremasterSecret::zeroed();
    premaster_secret.expose_mut().copy_from_slice(premaster);
    let mut out = MasterSecret::zeroed();
    connection.master_secret(&premaster_secret, seed, &mut out).unwrap();
    out
}

/// Published values for each version: randoms 00 … 1f and 20 … 3f, premaster secret of the version
/// and 80 … ad, session hash 40 …; computed by two independent programs (SSL 3.0 by one).
pub fn schedule_known_answers(backend: &Backend) {
    struct Row {
        protocols: &'static [ProtocolVersion],
        suite: CipherSuite,
        version: u16,
        master_secret: &'static str,
        extended: Option<&'static str>,
        key_block: Option<&'static str>,
    }
    let rows = [
        Row {
            protocols: &[ProtocolVersion::SSL3],
            suite: AES_CBC_SUITE,
            version: 0x0300,
            master_secret: "36b3ce0ef702cd8bd73e2c48f0bdad423decfa9bbe5aadb579ae8b48775df342\
                            9f1be536480c9324f97b07bac0569b0c",
            extended: None,
            key_block: None,
        },
        Row {
            protocols: &[
                ProtocolVersion::TLS1_0,
                ProtocolVersion::TLS1_1,
                ProtocolVersion::DTLS1_0,
            ],
            suite: AES_CBC_SUITE,
            version: 0x0301,
            master_secret: "7b1415fa23d49237c0c913dd51ca19f0f11bdb857e29973f0a1ac90a75bb5919\
                            0bb83e84298ec0c620982210f73ab2f1",
            extended: Some(
                "59153e7442a658aacff05da12b0e221a5c7cf253398ff5f5a1dd4f0b3a60f821\
                 0336b1574dec88910bb4476ab26652d9",
            ),
            key_block: Some(
                "89c8fe65df2c1cc7b80c97744f64b02c27ed10ac495eed2e5c7aba4758b11063\
                 0b58d1b4c74c4374737b089b36b023c0a2def41e96a611ffd11f3cf035ad2c10\
                 45888114779ec71f5f79a2c3ac32ec7c667395993916fcc19a40530074d974b7\
                 338fd1293e83ad2d",
            ),
        },
        Row {
            protocols: &[ProtocolVersion::TLS1_2, ProtocolVersion::DTLS1_2],
            suite: SHA256_SUITE,
            version: 0x0303,
            master_secret: "9ca002fd6dedbf6f24e1dcbacdf12fe03c19c6f3aca1226716d811fce99563a0\
                            3a00885c61ef030f1fdba19f4f6fed80",
            extended: Some(
                "a8a9239ad6c60f2e14e0d704492bc1ea88895370142c6f1fe39c2de5aef87625\
                 c8d61b83bafa4f3b2f6d782567e1d6fa",
            ),
            key_block: Some(
                "472d06445028e2a8817741cb4bdcdec1782c71f8d7431016b989d6b744fb2f09\
                 5e8692cf2a822504a1d96529b1c09ac9a4de0fb7576fb05f6cc69155f9c18585\
                 7dc26d26d8b0e577bee2094d524b32721d1540f62b37104697211a6b05192bfa\
                 f0d73529bb394158",
            ),
        },
        Row {
            protocols: &[ProtocolVersion::TLS1_2, ProtocolVersion::DTLS1_2],
            suite: SHA384_SUITE,
            version: 0x0303,
            master_secret: "572787539e01f2b2ccbde8cf84be53a243937e8d7d6abd89be7bf4994eba8efd\
                            5cbce822474c7702b4e51867bf61b91e",
            extended: Some(
                "4ec047933d58c8f8536a694539446f2d3e4a8d787fa764a62594fd824dad6cc6\
                 49c3e80b68054a37948be60c294cb781",
            ),
            key_block: Some(
                "1efca199fa42e66b1539348117c7c558e3134cc7d92632d4d5d04b81e9b9b661\
                 4879eac95a316550085003578892c067a4575d3ec93a1e66010c37ec86ce1847\
                 578575f39cd0ce5f0e5f68a15a4010e035ca34d0ac8e6f8bc0fe8c76bb9e99a5\
                 d1193bc683e7c9a1",
            ),
        },
    ];
    let (client_random, server_random) = (counting(0x00), counting(0x20));
    for row in rows {
        let mut premaster = [0; 48];
        premaster[..2].copy_from_slice(&row.version.to_be_bytes());
        premaster[2..].copy_from_slice(&counting::<46>(0x80));
        for protocol in row.protocols {
            let name = protocol;
            let seed = MasterSeed::Randoms(&client_random, &server_random);
            let secret = derived_master_secret(backend, *protocol, row.suite, &premaster, seed);
            assert_eq!(secret.expose(), hex(row.master_secret).as_slice(), "{name} master secret");

            if let Some(extended) = row.extended {
                let exchange = Exchange::new(*protocol, row.suite).extended();
                let hash = exchange.session_hash.unwrap();
                let seed = MasterSeed::SessionHash(&hash);
                let secret = derived_master_secret(backend, *protocol, row.suite, &premaster, seed);
                assert_eq!(secret.expose(), hex(extended).as_slice(), "{name} extended");
            }
            if let Some(expected) = row.key_block {
                let mut block = [0; 104];
                connection(backend, *protocol, row.suite)
                    .key_block(&secret, &client_random, &server_random, &mut block)
                    .unwrap();
                assert_eq!(block, hex(expected).as_slice(), "{name} key block");
            }
        }
    }
}

/// Master secret and key block of one ACVP case; false for a hash that no TLS suite has.
fn acvp_case(backend: &Backend, case: &AcvpCase) -> bool {
    let (protocol, suite) = match case.hash.as_str() {
        "SHA-1" => (ProtocolVersion::TLS1_0, AES_CBC_SUITE),
        "SHA2-256" => (ProtocolVersion::TLS1_2, SHA256_SUITE),
        "SHA2-384" => (ProtocolVersion::TLS1_2, SHA384_SUITE),
        "SHA2-512" => return false,
        other => panic!("unknown hash {other}"),
    };
    let random = |name: &str| -> [u8; 32] { hex_field(&case.prompt, name).try_into().unwrap() };
    let premaster = hex_field(&case.prompt, "preMasterSecret");
    let secret = if case.prompt["sessionHash"].is_string() {
        let hash = hex_field(&case.prompt, "sessionHash");
        let seed = MasterSeed::SessionHash(&hash);
        derived_master_secret(backend, protocol, suite, &premaster, seed)
    } else {
        let (client, server) = (random("clientHelloRandom"), random("serverHelloRandom"));
        let seed = MasterSeed::Randoms(&client, &server);
        derived_master_secret(backend, protocol, suite, &premaster, seed)
    };
    let id = &case.prompt["tcId"];
    assert_eq!(secret.expose(), hex_field(&case.expected, "masterSecret").as_slice(), "{id}");

    // The key block has randoms of its own, as if the session were resumed.
    let expected = hex_field(&case.expected, "keyBlock");
    let mut block = vec![0; expected.len()];
    let (client, server) = (random("clientRandom"), random("serverRandom"));
    let connection = connection(backend, protocol, suite);
    connection.key_block(&secret, &client, &server, &mut block).unwrap();
    assert_eq!(block, expected, "{id}");
    true
}

/// NIST's 160 cases: 120 for TLS 1.0 to 1.2; 40 have SHA-512, which no suite uses.
pub fn schedule_nist_vectors(backend: &Backend) {
    with_folder(120, |vectors| {
        let folder = "acvp/kdf-components-tls-1.0";
        let prompts = vectors.json(&format!("{folder}/prompt.json"));
        let expected = vectors.json(&format!("{folder}/expectedResults.json"));
        let cases = acvp(&prompts, &expected);
        assert_eq!(cases.len(), 160);
        cases.iter().filter(|case| acvp_case(backend, case)).count()
    });
}

/// The cases that BoringSSL and AWS-LC keep: 4 of the plain schedule, 17 with the extended master
/// secret; 3 of the 21 have SHA-512, which no suite uses.
pub fn schedule_boringssl_and_aws_lc_vectors(backend: &Backend) {
    with_folder(18, |vectors| {
        let files = [
            ("boringssl-acvp", "kdf-components", 4),
            ("boringssl-acvp", "TLS12", 14),
            ("aws-lc-acvp", "TLS-1.2-KDF", 3),
        ];
        let mut count = 0;
        for (folder, name, total) in files {
            let prompts = vectors.json_bz2(&format!("{folder}/vectors/{name}.bz2"));
            let expected = vectors.json_bz2(&format!("{folder}/expected/{name}.bz2"));
            let (prompts, expected) = (acvp_set(&prompts), acvp_set(&expected));
            assert!(!field(prompts, "algorithm").is_empty());
            let cases = acvp(prompts, expected);
            assert_eq!(cases.len(), total, "{folder}/{name}");
            count += cases.iter().filter(|case| acvp_case(backend, case)).count();
        }
        count
    });
}

/// The SSL 3.0 case of Mbed TLS: a premaster secret of 48 bytes, 16 bytes of master secret.
pub fn schedule_mbedtls_ssl3_vector(backend: &Backend) {
    with_folder(1, |vectors| {
        let mut count = 0;
        for case in colon_lines(&vectors.text("mbedtls/ssl_prf.data"), "ssl_tls_prf") {
            let ["MBEDTLS_SSL_TLS_PRF_SSL3", secret, seed, _, output, "0"] = case[..] else {
                continue;
            };
            let (secret, seed, output) = (hex(secret), hex(seed), hex(output));
            assert_eq!((secret.len(), seed.len()), (48, 64));
            let (client, server) = seed.split_at(32);
            let (client, server) = (client.try_into().unwrap(), server.try_into().unwrap());
            let seed = MasterSeed::Randoms(&client, &server);
            let secret =
                derived_master_secret(backend, ProtocolVersion::SSL3, AES_CBC_SUITE, &secret, seed);
            assert_eq!(secret.expose()[..output.len()], output);
            count += 1;
        }
        count
    });
}

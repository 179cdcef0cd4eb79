//! Key schedules: a master key from the premaster secret, and everything that is derived from it.

use ssl_provider::{
    Error, HandshakeHash, MasterKey, ParameterList, Policy, PremasterVersion, ProtocolVersion,
    Provider, Side,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::corpus::{KeyScheduleGroup, KeyScheduleTest};
use ssl_provider_testkit::exchange::POLICY;
use ssl_provider_testkit::rsa_key::TestKey;

use super::{Answer, Fault, Verify, parameters, same, same_as, same_keys, suite, version};

impl Verify for KeyScheduleGroup {
    fn verify(&self, provider: &Provider) -> Vec<Answer> {
        // Any premaster secret of the right length is taken, since none was offered for it.
        let premaster_version = PremasterVersion::InsecureAny;
        let provider = provider.clone().with_policy(Policy { premaster_version, ..POLICY });
        let version = version(self.version);
        self.tests.iter().map(|test| schedule(&provider, version, test)).collect()
    }
}

fn schedule(provider: &Provider, version: ProtocolVersion, test: &KeyScheduleTest) -> Answer {
    let list = parameters(&test.client_random, &test.server_random, test.session_hash.as_ref())?;
    let mut handshake = provider.handshake_hash(version, suite(test.suite_number))?;
    handshake.update(&test.messages);
    if test.session_hash.is_some() {
        same_as("sessionHash", test.session_hash.as_ref(), &handshake.current()?)?;
    }
    let master_key = master_key(provider, version, test, &list)?;
    same("masterSecret", &test.master_secret, master_key.secret_for_key_log()?.expose())?;
    same_keys(&test.keys, &master_key.session_keys(&list)?)?;

    let found = verify_data(&master_key, Side::Client, &handshake)?;
    same("clientVerifyData", &test.client_verify_data, &found)?;
    handshake.update(&test.client_finished);
    let found = verify_data(&master_key, Side::Server, &handshake)?;
    same("serverVerifyData", &test.server_verify_data, &found)?;

    let randoms = [&test.client_random[..], &test.server_random].concat();
    for exporter in &test.exporters {
        let mut out = vec![0; exporter.keying_material.len()];
        let context = exporter.context.as_deref();
        master_key.export_keying_material(
            exporter.label.as_bytes(),
            &randoms,
            context,
            &mut out,
        )?;
        same(&format!("exporter {}", exporter.label), &exporter.keying_material, &out)?;
    }
    Ok(())
}

fn verify_data(key: &MasterKey, side: Side, handshake: &HandshakeHash) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; key.verify_data_len()];
    key.verify_data(side, handshake, &mut out).map(|()| out)
}

/// A master key from a premaster secret: through the pre-shared key in it, or through RSA.
fn master_key(
    provider: &Provider,
    version: ProtocolVersion,
    test: &KeyScheduleTest,
    list: &ParameterList,
) -> Result<MasterKey, Fault> {
    let (premaster, suite) = (&test.premaster, suite(test.suite_number));
    let kind = suite.info().map(|info| info.key_exchange);
    if kind.is_some_and(|kind| kind.is_psk()) {
        let psk = &premaster[premaster.len() / 2..];
        let psk = psk.get(2..).unwrap_or_default();
        return Ok(provider.generate_psk_master_key(psk, version, suite, list, Side::Server)?);
    }
    if premaster.len() != 48 {
        return Err(Fault::Wrong("premaster: expected 48 bytes for RSA".to_owned()));
    }
    let key = TestKey::rsa_1024();
    let ciphertext = key.encrypt(&key.pad(premaster, &mut Rng::new(1)));
    let key = provider.load_private_key(&key.der)?;
    Ok(provider.import_master_key(&key, version, suite, list, &ciphertext)?)
}

//! RSA key exchanges: a master secret for each, of the test or of our own implicit rejection.

use ssl_provider::{PrivateKey, ProtocolVersion, Provider};
use ssl_provider_testkit::corpus::{RsaImportGroup, RsaImportTest, Verdict};

use super::{Answer, Fault, Verify, parameters, same, same_as, suite, version};

impl Verify for RsaImportGroup {
    fn verify(&self, provider: &Provider) -> Vec<Answer> {
        match provider.load_private_key(&self.key.pkcs1) {
            Ok(key) => self.tests.iter().map(|test| import(provider, &key, test)).collect(),
            Err(error) => self.tests.iter().map(|_| Err(Fault::from(error))).collect(),
        }
    }
}

fn import(provider: &Provider, key: &PrivateKey, test: &RsaImportTest) -> Answer {
    let hash = test.session_hash.as_ref();
    let list = parameters(&test.client_random, &test.server_random, hash)?
        .highest_version(ProtocolVersion(test.client_version.0));
    let (version, suite) = (version(test.version), suite(test.suite_number));
    let ciphertext = &test.encrypted_premaster;
    let master_key = provider.import_master_key(key, version, suite, &list, ciphertext)?;
    let found = master_key.secret_for_key_log()?.expose();
    match (test.result, &test.implicit_rejection) {
        (Verdict::Valid, _) => same_as("masterSecret", test.master_secret.as_ref(), found),
        (Verdict::Invalid, Some(own)) => {
            same("masterSecret of implicitRejection", &own.master_secret, found)
        }
        // A corpus of somebody else has no fallback of ours; the import had to succeed.
        (Verdict::Invalid, None) => Ok(()),
    }
}

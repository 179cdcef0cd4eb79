//! Key agreement with given private keys, from the client's side and from the server's.

use ssl_provider::{
    DhParameters, EphemeralKey, Error, Group, MasterKey, NamedCurve, Provider, Side,
};
use ssl_provider_testkit::corpus::{KeyAgreementGroup, KeyAgreementTest, Verdict};

use super::{Answer, Fault, Verify, parameters, same, same_as, same_keys, suite, version};

impl Verify for KeyAgreementGroup {
    fn verify(&self, provider: &Provider) -> Vec<Answer> {
        self.tests
            .iter()
            .map(|test| group(self).and_then(|group| agreement(provider, &group, test)))
            .collect()
    }
}

/// The group of Diffie-Hellman.
fn group(group: &KeyAgreementGroup) -> Result<Group, Fault> {
    if let (Some(prime), Some(generator)) = (&group.prime, &group.generator) {
        return Ok(DhParameters::new(prime, generator)?.into());
    }
    let curve = group.group_number.and_then(|number| NamedCurve::from_wire(number.0));
    curve.map(Group::from).ok_or_else(|| Fault::Wrong(format!("unknown group {}", group.group)))
}

fn agreement(provider: &Provider, group: &Group, test: &KeyAgreementTest) -> Answer {
    let own = load(provider, group, &test.client_private)?;
    same("clientPublic", &test.client_public, own.public_key())?;
    let agreed = agree(provider, own, &test.server_public, test, Side::Client);
    if test.result == Verdict::Invalid {
        return match agreed {
            Err(Refused::Key) => Ok(()),
            Err(Refused::Other(fault)) => Err(fault),
            Ok(_) => Err(Fault::Wrong("the public key was accepted".to_owned())),
        };
    }
    check(&agreed?, test)?;
    let Some(private) = &test.server_private else {
        return Err(Fault::Wrong("the test has no serverPrivate".to_owned()));
    };
    let own = load(provider, group, private)?;
    same("serverPublic", &test.server_public, own.public_key())?;
    check(&agree(provider, own, &test.client_public, test, Side::Server)?, test)
}

fn load(provider: &Provider, group: &Group, private: &[u8]) -> Result<EphemeralKey, Error> {
    let agreement = provider.backend().key_agreement();
    let key = match group {
        Group::Curve(curve) => agreement.load_ecdh(*curve, private)?,
        Group::FiniteField(field) => agreement.load_dh(field, private)?,
        _ => return Err(Error::BadKeyShare),
    };
    provider.ephemeral_key_of(group.clone(), key)
}

/// Why an agreement failed.
enum Refused {
    /// The public key was refused.
    Key,
    Other(Fault),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if error == Error::BadKeyShare { Self::Key } else { Self::Other(error.into()) }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Key => Self::Wrong("the public key was refused".to_owned()),
            Refused::Other(fault) => fault,
        }
    }
}

fn agree(
    provider: &Provider,
    own: EphemeralKey,
    peer: &[u8],
    test: &KeyAgreementTest,
    side: Side,
) -> Result<MasterKey, Refused> {
    let list = parameters(&test.client_random, &test.server_random, test.session_hash.as_ref());
    let list = list.map_err(Refused::Other)?;
    let peer = own.group().public_key(peer)?;
    let (version, suite) = (version(test.version), suite(test.suite_number));
    Ok(provider.generate_master_key(own, &peer, version, suite, &list, side)?)
}

fn check(master_key: &MasterKey, test: &KeyAgreementTest) -> Answer {
    let found = master_key.secret_for_key_log()?.expose();
    same_as("masterSecret", test.master_secret.as_ref(), found)?;
    let Some(keys) = &test.keys else { return Ok(()) };
    let list = parameters(&test.client_random, &test.server_random, None)?;
    same_keys(keys, &master_key.session_keys(&list)?)
}

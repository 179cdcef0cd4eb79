//! A program that asks for `aws-lc`, and reads a master secret with whichever backend it is given.

use ssl_provider::{
    Backend, CipherSuite, Error, KeyLogPolicy, ParameterList, Policy, ProtocolVersion, Provider,
};

/// The backend that this program asks for, whatever those are that its dependencies ask for.
pub const NAME: &str = "aws-lc";

/// Imports one exchange and returns its master secret, to write a key log.
///
/// # Errors
///
/// Those of [`Provider::load_private_key`] and [`Provider::import_master_key`].
pub fn master_secret(
    backend: &Backend,
    key_der: &[u8],
    (version, suite): (ProtocolVersion, CipherSuite),
    parameters: &ParameterList,
    encrypted_premaster: &[u8],
) -> Result<[u8; 48], Error> {
    let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
    let provider = Provider::open(backend).with_policy(policy);
    let key = provider.load_private_key(key_der)?;
    let master_key =
        provider.import_master_key(&key, version, suite, parameters, encrypted_premaster)?;
    Ok(*master_key.secret_for_key_log()?.expose())
}

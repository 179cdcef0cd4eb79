//! Imports one recorded exchange and derives what a server needs to go on.
//! Look at `import`: it is all that a server has to do with a ClientKeyExchange.

mod recording;

use ssl_provider::{Error, KeyExportPolicy, Policy, Provider, SessionKeys, Side};

use recording::{ENCRYPTED_PREMASTER, KEY_DER, SUITE, VERSION, parameters};

fn import(provider: &Provider, key_der: &[u8]) -> Result<SessionKeys, Error> {
    let key = provider.load_private_key(key_der)?;
    let parameters = parameters();
    let master_key =
        provider.import_master_key(&key, VERSION, SUITE, &parameters, &ENCRYPTED_PREMASTER)?;
    master_key.session_keys(&parameters)
}

pub(crate) fn main() -> Result<(), Error> {
    // The keys of this recording are public, so they may be printed. A server leaves this out.
    let policy = Policy { key_export: KeyExportPolicy::Allowed, ..Policy::default() };
    let provider = Provider::open(ssl_provider::default_backend()?).with_policy(policy);
    let session_keys = import(&provider, KEY_DER)?;
    let keys = session_keys.expose(Side::Client)?;
    let shown: String = keys.mac_key.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("client MAC key {shown}, by {}", provider.backend().info().library);
    // First 20 bytes of P_SHA256(master secret, "key expansion", server random + client random)
    // of RFC 5246 section 6.3, computed by two independent programs.
    assert_eq!(shown, "472d06445028e2a8817741cb4bdcdec1782c71f8");
    Ok(())
}

//! Runs one import on every backend that is compiled in: same bytes, other speed and other claims.
//! Look at `backends()`: a backend is a value, and a program may use several side by side.

mod recording;

use std::time::Instant;

use ssl_provider::{Error, KeyLogPolicy, Policy, Provider, backends};

use recording::{ENCRYPTED_PREMASTER, KEY_DER, SUITE, VERSION, parameters};

const IMPORTS: u32 = 20;

pub(crate) fn main() -> Result<(), Error> {
    // Master secrets stay inside by default; here they are compared.
    let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
    let mut first = None;
    for backend in backends() {
        let provider = Provider::open(&backend).with_policy(policy);
        let key = provider.load_private_key(KEY_DER)?;
        let import = || {
            provider.import_master_key(&key, VERSION, SUITE, &parameters(), &ENCRYPTED_PREMASTER)
        };

        let secret = *import()?.secret_for_key_log()?.expose();
        let expected = *first.get_or_insert(secret);
        assert_eq!(secret, expected, "{} disagrees", backend.info().name);

        let start = Instant::now();
        for _ in 0..IMPORTS {
            import()?;
        }
        let took = start.elapsed() / IMPORTS;
        let claim = backend.info().rsa.map(|rsa| rsa.constant_time);
        println!("{:12} {took:>10.2?} an import, constant time: {claim:?}", backend.info().name);
    }
    Ok(())
}

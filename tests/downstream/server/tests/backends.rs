//! Two crates of one program ask for different backends, and the program registers a third.

#[path = "../../../../crates/ssl-provider/examples/recording.rs"]
mod recording;

use downstream_server::{NAME, master_secret};
use recording::{ENCRYPTED_PREMASTER, KEY_DER, SUITE, VERSION, parameters};
use ssl_provider::{backends, default_backend, register};

#[test]
fn each_crate_gets_its_backend_and_all_have_one_result() {
    register(downstream_token::open().unwrap()).unwrap();
    let names: Vec<_> = backends().iter().map(|backend| backend.info().name).collect();
    assert_eq!(names, [NAME, "rustcrypto", downstream_token::NAME]);
    // What a dependency asks for does not take the default from what the program asks for.
    assert_eq!(default_backend().unwrap().info().name, NAME);

    let secrets = backends().into_iter().map(|backend| {
        let facts = (VERSION, SUITE);
        master_secret(&backend, KEY_DER, facts, &parameters(), &ENCRYPTED_PREMASTER).unwrap()
    });
    let secrets: Vec<_> = secrets.collect();
    assert!(secrets.iter().all(|secret| *secret == secrets[0]), "the backends disagree");

    // The name is taken now.
    assert!(register(downstream_token::open().unwrap()).is_err());
}

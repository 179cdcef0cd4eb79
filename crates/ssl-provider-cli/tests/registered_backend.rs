//! A backend that the program registers is one of those that `--backend` names.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use ssl_provider::{default_backend, register};
use ssl_provider_cli::Failure;
use ssl_provider_cli::backend_choice::BackendArgs;
use ssl_provider_testkit::fake::Fake;

fn choose(backend: Option<&str>) -> Result<Vec<&'static str>, Failure> {
    let chosen = BackendArgs { backend: backend.map(str::to_owned) }.choose()?;
    Ok(chosen.iter().map(|backend| backend.info().name).collect())
}

#[test]
fn a_registered_backend_is_found_by_its_name_and_by_all_and_is_no_default() {
    let fake = Fake::new().share();
    let name = fake.info().name;
    assert!(matches!(choose(Some(name)), Err(Failure::Usage(text)) if text.contains(name)));
    let compiled_in = choose(Some("all")).unwrap();
    register(fake).unwrap();
    assert_eq!(choose(Some(name)).unwrap(), [name]);
    assert_eq!(choose(Some("all")).unwrap(), [compiled_in, vec![name]].concat());
    assert_eq!(choose(None).unwrap(), [default_backend().unwrap().info().name]);
}

//! The backend passes the same cases as those of the repository.

use downstream_token::open;

#[test]
fn the_backend_conforms() {
    let report = ssl_provider_testkit::check(open().unwrap());
    assert!(report.passed(), "{report}");
}

#[test]
fn the_backend_is_short() {
    assert!(include_str!("../src/lib.rs").lines().count() < 150);
}

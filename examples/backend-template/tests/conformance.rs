//! Every case of the test kit on this backend, as a test each.

ssl_provider_testkit::conformance_tests!(mine, my_backend::backend().unwrap());

#[test]
fn the_program_stays_short() {
    assert!(include_str!("../src/main.rs").lines().count() < 60);
}

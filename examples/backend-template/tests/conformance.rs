//! Every case of the test kit on this backend, as a test each.

ssl_provider_testkit::conformance_tests!(mine, my_backend::backend().unwrap());

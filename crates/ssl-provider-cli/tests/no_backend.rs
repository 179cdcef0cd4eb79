//! `sslprov` without any backend: it names the features that add one.
#![cfg(not(any(
    feature = "aws-lc",
    feature = "openssl",
    feature = "rustcrypto",
    feature = "ring"
)))]

mod common;

use common::sslprov;

#[test]
fn what_needs_a_backend_names_the_features() {
    for arguments in [
        &["import", "--batch", "-"][..],
        &["import", "--batch", "-", "--backend", "all"],
        &["import", "--batch", "-", "--backend", "openssl"],
        &["keylog", "--key", "server.pem", "capture.pcap"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["bench"],
        &["crosscheck"],
        &["timing", "--smoke"],
        &["backends"],
        &["backends", "--markdown"],
    ] {
        let run = sslprov(arguments).expect_code(2);
        assert_eq!(run.stdout, "", "{arguments:?}");
        run.expect_stderr("aws-lc, openssl, openssl-vendored, rustcrypto, ring");
    }
    sslprov(["suites"]).expect_code(0);
}

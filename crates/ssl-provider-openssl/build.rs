//! Finds out whether the OpenSSL at hand was built with RC4, whose functions are linked by name.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(openssl_without_rc4)");
    // `openssl-sys` hands on what OpenSSL's configuration leaves out, such as `OPENSSL_NO_RC4`.
    let left_out = std::env::var("DEP_OPENSSL_CONF").unwrap_or_default();
    if left_out.split(',').any(|name| name == "OPENSSL_NO_RC4") {
        println!("cargo::rustc-cfg=openssl_without_rc4");
    }
}

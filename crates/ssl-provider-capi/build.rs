//! Keeps the shared library in its process once it is loaded: fork handlers point into it, and
//! other threads may be running its code when one calls dlclose.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

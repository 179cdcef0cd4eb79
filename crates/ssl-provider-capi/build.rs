//! Linker arguments of the shared library on Linux, for `cargo build` and `cargo cbuild` alike: the
//! soname, symbol versions, and no debug sections in a release build. `-z nodelete` keeps the
//! library loaded after dlclose: fork handlers point into it, and other threads may be running it.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        // The part of the version that changes with the ABI, by the same rule as in cargo-c.
        let soname = match (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")) {
            ("0", minor) => format!("libsslprovider.so.0.{minor}"),
            (major, _) => format!("libsslprovider.so.{major}"),
        };
        link(&["-Wl,-z,nodelete", &format!("-Wl,-soname,{soname}")]);
        if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
            link(&["-Wl,--strip-debug"]);
        }
        if has_gnu_ld() {
            // A version script of ours cannot be combined with the one by which rustc limits the
            // exports. This gives each export the soname as its version; LLD ignores the option.
            link(&["-fuse-ld=bfd", "-Wl,--default-symver"]);
        } else {
            println!("cargo::warning=without GNU ld, the exports of {soname} have no version");
        }
    }
}

fn link(arguments: &[&str]) {
    for argument in arguments {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}

/// Whether the linker driver, which is a C compiler, can use GNU ld.
fn has_gnu_ld() -> bool {
    let compiler = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into());
    Command::new(compiler)
        .args(["-fuse-ld=bfd", "-Wl,--version"])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("GNU ld"))
}

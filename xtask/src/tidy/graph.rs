//! Rules on dependencies: which member may use which crate, sources, single versions, and modules.
//! The layers point inward: core uses no crypto library, a backend only core and its library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use cargo_metadata::{DependencyKind, Package};

use super::Finding;
use crate::workspace::Workspace;

/// What a member may depend on.
struct Layer {
    member: &'static str,
    /// Members that its code may use.
    members: &'static [&'static str],
    /// Members that only its tests may use.
    in_tests: &'static [&'static str],
    /// Crates of others that its code may use; `None` for any.
    others: Option<&'static [&'static str]>,
}

const CORE: &str = "ssl-provider-core";
const MEMORY: &str = "ssl-provider-memory";
const WIRE: &str = "ssl-provider-wire";
const BARE: &str = "ssl-provider-bare";
const COMMAND: &str = "ssl-provider-command";

const LAYERS: [Layer; 23] = [
    Layer {
        member: MEMORY,
        members: &[],
        in_tests: &[],
        // What the operating system does with memory.
        others: Some(&["libc", "rustix", "zeroize"]),
    },
    Layer {
        member: CORE,
        members: &[MEMORY],
        in_tests: &[],
        // Formats and wiping. No crypto library.
        others: Some(&["pkcs1", "pkcs8", "sec1", "zeroize"]),
    },
    Layer { member: "ssl-provider-rustcrypto", ..COMMON },
    Layer {
        member: "ssl-provider-ring",
        // ring has neither RSA decryption nor MD5.
        members: &[CORE, "ssl-provider-rustcrypto"],
        ..COMMON
    },
    Layer { member: "ssl-provider-aws-lc", ..COMMON },
    Layer { member: "ssl-provider-openssl", ..COMMON },
    Layer {
        member: "ssl-provider-multibuffer",
        in_tests: &["ssl-provider-rustcrypto", "ssl-provider-testkit"],
        // Its own arithmetic.
        others: Some(&["bytemuck", "zeroize"]),
        ..COMMON
    },
    Layer {
        member: "ssl-provider",
        members: &[
            CORE,
            "ssl-provider-aws-lc",
            "ssl-provider-openssl",
            "ssl-provider-rustcrypto",
            "ssl-provider-ring",
            "ssl-provider-multibuffer",
        ],
        others: Some(&["cfg-if"]),
        ..COMMON
    },
    Layer {
        member: "ssl-provider-testkit",
        in_tests: &["ssl-provider"],
        // Any backend may be tested, so none is known by name.
        ..COMMON
    },
    Layer {
        member: WIRE,
        members: &[],
        in_tests: &[],
        // Bytes only, for endpoints and readers of captures alike.
        others: Some(&[]),
    },
    Layer {
        member: "ssl-provider-remote",
        in_tests: &["ssl-provider", "ssl-provider-testkit"],
        // Sockets; the crypto is the backends'.
        others: Some(&["nix", "zeroize"]),
        ..COMMON
    },
    Layer { member: "ssl-provider-lab", members: &["ssl-provider", WIRE], ..COMMON },
    // The libraries themselves, to measure against: nothing of ours but names.
    Layer { member: BARE, in_tests: &["ssl-provider", "ssl-provider-testkit"], ..COMMON },
    Layer { member: COMMAND, members: &["ssl-provider"], in_tests: &[], ..COMMON },
    Layer {
        member: "ssl-provider-compare",
        // What it compares, the libraries beside it, and the server that is timed.
        members: &["ssl-provider", BARE, COMMAND, "ssl-provider-lab", "ssl-provider-testkit", WIRE],
        ..COMMON
    },
    Layer {
        member: "ssl-provider-cli",
        members: &[
            "ssl-provider",
            COMMAND,
            "ssl-provider-compare",
            "ssl-provider-testkit",
            CORE,
            "ssl-provider-lab",
            "ssl-provider-keys",
            "ssl-provider-remote",
            WIRE,
        ],
        ..COMMON
    },
    Layer {
        member: "ssl-provider-keys",
        // Key formats, and the arithmetic that completes or checks a key; the crypto is the
        // backends'.
        others: Some(&[
            "base64ct",
            "crypto-bigint",
            "p12-keystore",
            "p256",
            "p384",
            "p521",
            "pkcs1",
            "pkcs8",
            "sec1",
            "zeroize",
        ]),
        ..COMMON
    },
    Layer {
        member: "ssl-provider-capi",
        members: &["ssl-provider", "ssl-provider-keys", "ssl-provider-remote"],
        // Key formats; the crypto is the backends'.
        others: Some(&["getrandom", "libc", "pkcs1", "pkcs8", "zeroize"]),
        ..COMMON
    },
    Layer {
        member: "ssl-provider-benches",
        members: &[
            "ssl-provider",
            CORE,
            "ssl-provider-bare",
            "ssl-provider-capi",
            "ssl-provider-compare",
            "ssl-provider-testkit",
        ],
        in_tests: &["ssl-provider", CORE, "ssl-provider-testkit"],
        ..COMMON
    },
    Layer {
        member: "ssl-provider-fuzz",
        members: &[
            "ssl-provider",
            "ssl-provider-cli",
            "ssl-provider-compare",
            "ssl-provider-lab",
            "ssl-provider-remote",
            "ssl-provider-testkit",
            WIRE,
        ],
        in_tests: &[],
        ..COMMON
    },
    Layer {
        member: "ssl-provider-probe",
        members: &["ssl-provider", "ssl-provider-multibuffer"],
        in_tests: &[],
        others: Some(&["anyhow", "num-bigint"]),
    },
    Layer {
        member: "ssl-provider-faults",
        members: &["ssl-provider", "ssl-provider-testkit"],
        in_tests: &[],
        others: Some(&["anyhow", "num-bigint", "serde_json"]),
    },
    Layer { member: "xtask", members: &[], in_tests: &[], ..COMMON },
];

/// What most members may use: core, the test kit in tests, and any crate of others.
const COMMON: Layer =
    Layer { member: "", members: &[CORE], in_tests: &["ssl-provider-testkit"], others: None };

/// Checks every dependency between members, and those on other crates where they are listed.
pub(super) fn check_layers(workspace: &Workspace) -> Vec<Finding> {
    let members = workspace.members();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut findings = Vec::new();
    for member in &members {
        let Some(layer) = LAYERS.iter().find(|layer| layer.member == member.name.as_str()) else {
            findings.push(Finding::new(&member.name, "is not in the layers of tidy; add it"));
            continue;
        };
        for dependency in &member.dependencies {
            let is_member = names.contains(dependency.name.as_str());
            let in_tests = dependency.kind == DependencyKind::Development;
            findings.extend(check_arrow(layer, &dependency.name, is_member, in_tests));
        }
    }
    findings
}

fn check_arrow(layer: &Layer, to: &str, is_member: bool, in_tests: bool) -> Option<Finding> {
    let allowed = match (is_member, in_tests) {
        (true, false) => layer.members.contains(&to),
        (true, true) => layer.members.contains(&to) || layer.in_tests.contains(&to),
        (false, false) => layer.others.is_none_or(|others| others.contains(&to)),
        (false, true) => true,
    };
    let message = || format!("may not depend on `{to}`: arrows point inward");
    (!allowed).then(|| Finding::new(layer.member, message()))
}

/// Every package is ours or comes from crates.io.
pub(super) fn check_sources(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .filter_map(|package| {
            let source = package.source.as_ref().map(|source| source.repr.as_str());
            check_source(&package.name, source)
        })
        .collect()
}

fn check_source(name: &str, source: Option<&str>) -> Option<Finding> {
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    match source {
        None | Some(CRATES_IO) => None,
        Some(other) => Some(Finding::new(name, format!("comes from `{other}`"))),
    }
}

/// Libraries that link C code and keep state are there at most once.
pub(super) fn check_single_versions(packages: &[Package]) -> Vec<Finding> {
    let versions = |name: &str| -> Vec<String> {
        packages
            .iter()
            .filter(|package| package.name.as_str() == name)
            .map(|package| package.version.to_string())
            .collect()
    };
    SINGLE.iter().filter_map(|name| check_single(name, &versions(name))).collect()
}

/// Two versions of these would link two copies of a library, with two states.
const SINGLE: [&str; 5] = ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "ring", "rsa"];

fn check_single(name: &str, versions: &[String]) -> Option<Finding> {
    match versions {
        [] | [_] => None,
        _ => Some(Finding::new(name, format!("has several versions: {}", versions.join(" and ")))),
    }
}

/// The crates whose modules depend on each other in one direction only.
const WITHOUT_CIRCLES: [&str; 2] = ["ssl-provider-capi", CORE];

/// No module depends on itself through others.
pub(super) fn check_circles(files: &[(PathBuf, String)]) -> Vec<Finding> {
    let circle = |member: &&str| {
        let source = Path::new("crates").join(member).join("src");
        let modules = files.iter().filter_map(|(path, contents)| {
            Some((module(path.strip_prefix(&source).ok()?)?, contents.as_str()))
        });
        let circle = circle_of(modules);
        let message = || format!("modules in a circle: {}", circle.join(", "));
        (!circle.is_empty()).then(|| Finding::new(member, message()))
    };
    WITHOUT_CIRCLES.iter().filter_map(circle).collect()
}

/// The module below the root that a source file belongs to; none for the root itself.
fn module(path: &Path) -> Option<&str> {
    match path.components().next()? {
        Component::Normal(name) => name.to_str().map(|name| name.trim_end_matches(".rs")),
        _ => None,
    }
    .filter(|name| *name != "lib")
}

/// The modules of a circle, by the paths in their code outside tests.
fn circle_of<'a>(modules: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, source) in modules {
        let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let used = code
            .flat_map(|line| line.split("crate::").skip(1))
            .filter_map(|path| path.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next());
        uses.entry(name).or_default().extend(used.filter(|used| *used != name));
    }
    // What uses nothing that is left, or is used by nothing that is left, is in no circle.
    loop {
        let used: BTreeSet<&str> = uses.values().flatten().copied().collect();
        let left: BTreeSet<&str> =
            uses.keys().copied().filter(|name| used.contains(name)).collect();
        let before = uses.len();
        uses.retain(|name, used| {
            used.retain(|used| left.contains(used));
            left.contains(name) && !used.is_empty()
        });
        if uses.len() == before {
            return uses.into_keys().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(member: &str) -> &'static Layer {
        LAYERS.iter().find(|layer| layer.member == member).unwrap()
    }

    fn is_refused(member: &str, to: &str, is_member: bool, in_tests: bool) -> bool {
        check_arrow(layer(member), to, is_member, in_tests).is_some()
    }

    #[test]
    fn core_may_use_no_crypto_library_and_no_member() {
        for crypto in ["ring", "aws-lc-rs", "openssl", "rsa", "sha2", "hmac", "rand"] {
            assert!(is_refused(CORE, crypto, false, false), "{crypto}");
        }
        assert!(is_refused(CORE, "ssl-provider-rustcrypto", true, false));
        assert!(is_refused(CORE, "ssl-provider-testkit", true, true));
        assert!(!is_refused(CORE, "zeroize", false, false));
    }

    #[test]
    fn a_backend_may_use_core_and_the_test_kit_in_tests_only() {
        for backend in ["rustcrypto", "ring", "aws-lc", "openssl"] {
            let backend = format!("ssl-provider-{backend}");
            assert!(!is_refused(&backend, CORE, true, false));
            assert!(!is_refused(&backend, "ssl-provider-testkit", true, true));
            assert!(is_refused(&backend, "ssl-provider-testkit", true, false));
            assert!(is_refused(&backend, "ssl-provider", true, true));
        }
        assert!(is_refused("ssl-provider-aws-lc", "ssl-provider-rustcrypto", true, false));
        assert!(!is_refused("ssl-provider-ring", "ssl-provider-rustcrypto", true, false));
    }

    #[test]
    fn nothing_but_the_fuzz_targets_may_use_the_programs() {
        assert!(is_refused("ssl-provider-fuzz", "xtask", true, true));
        for layer in LAYERS.iter().filter(|layer| layer.member != "ssl-provider-fuzz") {
            for program in ["ssl-provider-cli", "ssl-provider-benches", "xtask"] {
                assert!(is_refused(layer.member, program, true, true), "{}", layer.member);
            }
        }
    }

    #[test]
    fn modules_in_a_circle_are_found_and_those_beside_it_are_not() {
        let circle = |modules: &[(&'static str, &'static str)]| circle_of(modules.iter().copied());
        let line = [("a", "use crate::b::B;"), ("b", "use crate::c::C;"), ("c", "use std::fmt;")];
        assert!(circle(&line).is_empty());
        let back = "use std::fmt;\nuse crate::b::{B, D};";
        let both_ends = [("0", "use crate::a::A;"), line[0], line[1], ("c", back), ("d", "")];
        assert_eq!(circle(&both_ends), ["b", "c"]);
        let apart = "use crate::c;\n//! [`crate::b`]\n#[cfg(test)]\nmod tests {\n    use crate::b;";
        assert!(circle(&[line[0], line[1], ("c", apart)]).is_empty());
        assert_eq!(module(Path::new("abi/constants.rs")), Some("abi"));
        assert_eq!(module(Path::new("lib.rs")), None);
    }

    #[test]
    fn a_source_other_than_crates_io_is_found() {
        assert_eq!(check_source("x", None), None);
        for other in ["git+https://example.org/x", "registry+https://example.org/index"] {
            assert!(check_source("x", Some(other)).is_some());
        }
    }

    #[test]
    fn a_second_version_is_found() {
        assert_eq!(check_single("x", &["1.0.0".into()]), None);
        assert!(check_single("x", &["1.0.0".into(), "2.0.0".into()]).is_some());
    }
}

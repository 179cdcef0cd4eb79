//! The features that choose backends, and where OpenSSL comes from on this machine.
//! The system's library is used if pkg-config finds it; else it is built from source.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// The four backends, by feature and by name, in the order of preference.
pub(crate) const BACKENDS: [&str; 4] = ["aws-lc", "openssl", "rustcrypto", "ring"];

/// The backends of these names, in the order of preference; all of them where none is named.
///
/// # Errors
///
/// Fails for an unknown name.
pub(crate) fn chosen_backends(names: &[String]) -> Result<Vec<&'static str>> {
    for name in names {
        let known = BACKENDS.join(", ");
        ensure!(BACKENDS.contains(&name.as_str()), "no backend `{name}`; choose one of {known}");
    }
    let is_chosen = |backend: &&str| names.is_empty() || names.iter().any(|name| name == backend);
    Ok(BACKENDS.into_iter().filter(is_chosen).collect())
}

/// Where the openssl backend gets its library from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenSsl {
    /// The system's, found by pkg-config.
    System,
    /// Built from source, by the feature `openssl-vendored`.
    Vendored,
}

impl OpenSsl {
    /// Looks for the system's library, 3.0 or later, and prints the choice.
    pub(crate) fn choose() -> Self {
        let found = Command::new("pkg-config")
            .args(["--exists", "openssl >= 3.0"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if found {
            println!("OpenSSL: the system's, found by pkg-config");
            Self::System
        } else {
            println!("OpenSSL: built from source (openssl-vendored); pkg-config finds none >= 3.0");
            Self::Vendored
        }
    }

    fn feature(self) -> &'static str {
        match self {
            Self::System => "openssl",
            Self::Vendored => "openssl-vendored",
        }
    }
}

/// The feature that adds `backend`.
pub(crate) fn feature_of(backend: &'static str, openssl: OpenSsl) -> &'static str {
    if backend == "openssl" { openssl.feature() } else { backend }
}

/// All features, with all four backends, as the argument of `--features` for the whole workspace.
pub(crate) fn all_of_facade() -> String {
    let openssl = OpenSsl::choose();
    let backends = BACKENDS.map(|backend| feature_of(backend, openssl));
    let features = backends.iter().chain(&["multi-buffer"]);
    features.map(|feature| format!("ssl-provider/{feature}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_backend_is_refused_with_the_right_ones() {
        let error = chosen_backends(&["aws".into()]).unwrap_err().to_string();
        assert!(error.contains("aws-lc"), "{error}");
        assert_eq!(chosen_backends(&["ring".into()]).unwrap(), ["ring"]);
        assert_eq!(chosen_backends(&[]).unwrap(), BACKENDS);
    }
}

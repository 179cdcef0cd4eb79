//! The option that would have let a refused client in.
//! The server reports the cause; only the command line knows its own options.

use ssl_provider::{CipherSuite, Protocol};
use ssl_provider_lab::{Cause, DEFAULT_SUITES, DEFAULT_VERSIONS, LEGACY_SUITES};

/// What the server was configured with.
#[derive(Debug)]
pub(super) struct Advisor {
    pub(super) backend: &'static str,
    pub(super) versions: Vec<Protocol>,
    pub(super) suites: Vec<u32>,
    pub(super) allow_ssl3: bool,
}

impl Advisor {
    /// Returns which option helps a client that was refused for `cause`, if any.
    pub(super) fn advice(&self, cause: &Cause) -> Option<String> {
        match cause {
            Cause::Version(version) => self.version(*version),
            Cause::Suites(protocol, suites) => {
                self.suites(*protocol, suites.iter().map(|suite| u32::from(*suite)))
            }
            _ => None,
        }
    }

    fn version(&self, version: u16) -> Option<String> {
        match Protocol::try_from(u32::from(version)).ok()? {
            Protocol::Ssl3 if !self.allow_ssl3 => Some("--allow-ssl3 enables it".to_owned()),
            protocol if self.versions.contains(&protocol) => {
                Some(format!("none of --suites is usable in {}", protocol.name()))
            }
            protocol if protocol == Protocol::Ssl3 || DEFAULT_VERSIONS.contains(&protocol) => {
                Some("--versions does not include it".to_owned())
            }
            _ => None,
        }
    }

    fn suites(&self, protocol: Protocol, offered: impl Iterator<Item = u32>) -> Option<String> {
        let speakable = |suite: &u32| {
            CipherSuite::for_rsa_key_exchange(*suite, protocol)
                .is_ok_and(|suite| !suite.key_exchange.is_export())
        };
        let (asked_for, left_out): (Vec<u32>, Vec<u32>) =
            offered.filter(speakable).partition(|suite| self.suites.contains(suite));
        let is_left_out = |suites: &[u32]| left_out.iter().any(|suite| suites.contains(suite));
        if is_left_out(&LEGACY_SUITES) {
            return Some("--suites default,legacy enables 3DES, RC4, DES and NULL".to_owned());
        }
        // The suite is enabled and exists in this version, so only the backend can lack it.
        if let Some(suite) = asked_for.first() {
            let name = CipherSuite::from_id(*suite)?.name;
            let backend = self.backend;
            return Some(format!(
                "{backend} does not support {name}; `sslprov backends` shows which backends do"
            ));
        }
        is_left_out(&DEFAULT_SUITES).then(|| "--suites does not include them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisor() -> Advisor {
        let (versions, suites) = (DEFAULT_VERSIONS.to_vec(), DEFAULT_SUITES.to_vec());
        Advisor { backend: "aws-lc", versions, suites, allow_ssl3: false }
    }

    fn advice(cause: Cause) -> Option<String> {
        advisor().advice(&cause)
    }

    #[test]
    fn the_option_that_helps_is_named() {
        let suites = |suites: &[u16]| advice(Cause::Suites(Protocol::Tls1_2, suites.into()));
        let starts = |advice: Option<String>, start: &str| {
            assert!(advice.as_ref().is_some_and(|it| it.starts_with(start)), "{advice:?}");
        };
        starts(advice(Cause::Version(0x0300)), "--allow-ssl3");
        starts(advice(Cause::Version(0x0301)), "none of --suites is usable in TLS 1.0");
        starts(suites(&[0xc02f, 0x000a]), "--suites default,legacy");
        starts(suites(&[0x0041, 0x000a]), "--suites default,legacy");
        starts(suites(&[0x0041]), "aws-lc does not support TLS_RSA_WITH_CAMELLIA_128_CBC_SHA");
        let (versions, suites) = (vec![Protocol::Tls1_2], vec![0x2f]);
        let speaks_less = Advisor { backend: "ring", versions, suites, allow_ssl3: true };
        let camellia = Cause::Suites(Protocol::Tls1_2, [0x0041].into());
        starts(speaks_less.advice(&camellia), "--suites does not include them");
        starts(speaks_less.advice(&Cause::Version(0x0300)), "--versions does not include it");
        starts(speaks_less.advice(&Cause::Version(0x0301)), "--versions does not include it");
    }

    #[test]
    fn where_no_option_helps_there_is_no_advice() {
        // SSL 2.0, (EC)DHE, TLS 1.3, an export suite, a suite of TLS 1.2 only, IDEA, SEED and ARIA.
        assert_eq!(advice(Cause::Version(0x0002)), None);
        for (protocol, suite) in [
            (Protocol::Tls1_2, 0xc02f),
            (Protocol::Tls1_2, 0x1301),
            (Protocol::Tls1_0, 0x0003),
            (Protocol::Tls1_0, 0x009c),
            (Protocol::Tls1_1, 0x0007),
            (Protocol::Tls1_2, 0x0096),
            (Protocol::Tls1_2, 0xc03c),
        ] {
            assert_eq!(advice(Cause::Suites(protocol, [suite].into())), None, "{suite:#06x}");
        }
        assert_eq!(advice(Cause::PlainHttp), None);
    }
}

//! The option that would have let a refused client in.
//! The server reports the cause; only the command line knows its own options.

use ssl_provider::{CipherSuite, ProtocolVersion};
use ssl_provider_lab::{Cause, DEFAULT_SUITES, DEFAULT_VERSIONS, LEGACY_SUITES};

use crate::serve::Exchange;

/// What the server was configured with.
#[derive(Debug)]
pub(super) struct Advisor {
    pub(super) backend: &'static str,
    pub(super) versions: Vec<ProtocolVersion>,
    pub(super) suites: Vec<CipherSuite>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) allow_ssl3: bool,
}

impl Advisor {
    /// Returns which option helps a client that was refused for `cause`, if any.
    pub(super) fn advice(&self, cause: &Cause) -> Option<String> {
        match cause {
            Cause::Version(version) => self.version(*version),
            Cause::Suites(version, suites) => self.suites(*version, suites),
            _ => None,
        }
    }

    fn version(&self, version: ProtocolVersion) -> Option<String> {
        match version {
            ProtocolVersion::SSL3 if !self.allow_ssl3 => Some("--allow-ssl3 enables it".to_owned()),
            _ if self.versions.contains(&version) => {
                Some(format!("none of --suites is usable in {version}"))
            }
            _ if version == ProtocolVersion::SSL3 || DEFAULT_VERSIONS.contains(&version) => {
                Some("--versions does not include it".to_owned())
            }
            _ => None,
        }
    }

    fn suites(&self, version: ProtocolVersion, every: &[CipherSuite]) -> Option<String> {
        let speakable = |suite: &CipherSuite| {
            let suite = suite.for_rsa_key_exchange(version);
            suite.is_ok_and(|suite| !suite.key_exchange.is_export())
        };
        let offered = every.iter().copied().filter(speakable);
        let (asked_for, left_out): (Vec<_>, Vec<_>) =
            offered.partition(|suite| self.suites.contains(suite));
        let is_left_out =
            |suites: &[CipherSuite]| left_out.iter().any(|suite| suites.contains(suite));
        if is_left_out(&LEGACY_SUITES) {
            return Some("--suites default,legacy enables 3DES, RC4, DES and NULL".to_owned());
        }
        // The suite is enabled and exists in this version, so only the backend can lack it.
        if let Some(suite) = asked_for.first() {
            let backend = self.backend;
            return Some(format!(
                "{backend} does not support {suite}; `sslprov backends` shows which backends do"
            ));
        }
        if is_left_out(&DEFAULT_SUITES) {
            return Some("--suites does not include them".to_owned());
        }
        let other = [Exchange::Ecdhe, Exchange::Dhe].into_iter().find(|exchange| {
            let offers = |suite: &CipherSuite| {
                exchange.default_suites().contains(suite)
                    && suite.info().is_some_and(|suite| suite.allows(version))
            };
            !self.exchanges.contains(exchange) && every.iter().any(offers)
        });
        other.map(|exchange| format!("--key-exchange rsa,{} enables them", exchange.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisor() -> Advisor {
        let (versions, suites) = (DEFAULT_VERSIONS.to_vec(), DEFAULT_SUITES.to_vec());
        let exchanges = vec![Exchange::Rsa];
        Advisor { backend: "aws-lc", versions, suites, exchanges, allow_ssl3: false }
    }

    fn advice(cause: Cause) -> Option<String> {
        advisor().advice(&cause)
    }

    #[test]
    fn the_option_that_helps_is_named() {
        const CAMELLIA: CipherSuite = CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA;
        const ECDHE: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        const TRIPLE_DES: CipherSuite = CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA;
        let suites =
            |suites: &[CipherSuite]| advice(Cause::Suites(ProtocolVersion::TLS1_2, suites.into()));
        let starts = |advice: Option<String>, start: &str| {
            assert!(advice.as_ref().is_some_and(|it| it.starts_with(start)), "{advice:?}");
        };
        starts(advice(Cause::Version(ProtocolVersion::SSL3)), "--allow-ssl3");
        starts(
            advice(Cause::Version(ProtocolVersion::TLS1_0)),
            "none of --suites is usable in TLS 1.0",
        );
        starts(suites(&[ECDHE, TRIPLE_DES]), "--suites default,legacy");
        starts(suites(&[CAMELLIA, TRIPLE_DES]), "--suites default,legacy");
        starts(suites(&[ECDHE]), "--key-exchange rsa,ecdhe");
        starts(suites(&[CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA]), "--key-exchange rsa,dhe");
        starts(suites(&[CAMELLIA]), "aws-lc does not support TLS_RSA_WITH_CAMELLIA_128_CBC_SHA");
        let (versions, suites) =
            (vec![ProtocolVersion::TLS1_2], vec![CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA]);
        let exchanges = vec![Exchange::Rsa];
        let speaks_less =
            Advisor { backend: "ring", versions, suites, exchanges, allow_ssl3: true };
        let camellia = Cause::Suites(ProtocolVersion::TLS1_2, [CAMELLIA].into());
        starts(speaks_less.advice(&camellia), "--suites does not include them");
        starts(
            speaks_less.advice(&Cause::Version(ProtocolVersion::SSL3)),
            "--versions does not include it",
        );
        starts(
            speaks_less.advice(&Cause::Version(ProtocolVersion::TLS1_0)),
            "--versions does not include it",
        );
    }

    #[test]
    fn where_no_option_helps_there_is_no_advice() {
        // SSL 2.0, DSS, TLS 1.3, an export suite, a suite of TLS 1.2 only, IDEA, SEED and ARIA.
        assert_eq!(advice(Cause::Version(ProtocolVersion::SSL2)), None);
        for (protocol, suite) in [
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_DHE_DSS_WITH_AES_128_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_AES_128_GCM_SHA256),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
            (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_IDEA_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_SEED_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_ARIA_128_CBC_SHA256),
        ] {
            assert_eq!(advice(Cause::Suites(protocol, [suite].into())), None, "{suite}");
        }
        assert_eq!(advice(Cause::PlainHttp), None);
    }
}

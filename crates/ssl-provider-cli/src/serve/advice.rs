//! The option that would have let a refused client in.
//! The server reports the cause; only the command line knows its own options.

use ssl_provider::{CipherSuite, KeyExchange, ProtocolVersion};
use ssl_provider_lab::{Cause, DEFAULT_VERSIONS, LEGACY_SUITES};

use crate::serve::Exchange;

/// What the server was configured with.
#[derive(Debug)]
pub(super) struct Advisor {
    pub(super) backend: &'static str,
    pub(super) versions: Vec<ProtocolVersion>,
    pub(super) suites: Vec<CipherSuite>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) has_ecdsa_key: bool,
    pub(super) allow_ssl3: bool,
}

impl Advisor {
    /// Returns which option helps a client that was refused for `cause`, if any.
    pub(super) fn advice(&self, cause: &Cause) -> Option<String> {
        match cause {
            Cause::Version(version) => self.version(*version),
            Cause::Suites(_, suites) if is_tls13_only(suites) => {
                Some(format!("{} enables it", self.with_exchange(Exchange::Ecdhe)))
            }
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
        let exists = |suite: &CipherSuite| {
            let suite = suite.info().filter(|suite| suite.allows(version));
            suite.is_some_and(|suite| !suite.key_exchange.is_export())
        };
        let offered: Vec<CipherSuite> = every.iter().copied().filter(exists).collect();
        let is_left_out = |list: &[CipherSuite]| {
            offered.iter().any(|suite| list.contains(suite) && !self.suites.contains(suite))
        };
        let has_rsa = self.exchanges.contains(&Exchange::Rsa);
        if has_rsa && is_left_out(&LEGACY_SUITES) {
            return Some(format!("--suites default,legacy {LEGACY}"));
        }
        if let Some(suite) = offered.iter().find(|suite| self.suites.contains(suite)) {
            return Some(self.unusable(*suite));
        }
        let (on, off): (Vec<_>, Vec<_>) = [Exchange::Rsa, Exchange::Ecdhe, Exchange::Dhe]
            .into_iter()
            .filter(|exchange| is_left_out(exchange.default_suites()))
            .partition(|exchange| self.exchanges.contains(exchange));
        if !on.is_empty() {
            return Some("--suites does not include them".to_owned());
        }
        if let Some(exchange) = off.first() {
            return Some(format!("{} enables them", self.with_exchange(*exchange)));
        }
        is_left_out(&LEGACY_SUITES).then(|| {
            format!("{} --suites default,legacy {LEGACY}", self.with_exchange(Exchange::Rsa))
        })
    }

    /// The suite is enabled and exists in this version, so a key or the backend lacks it.
    fn unusable(&self, suite: CipherSuite) -> String {
        let exchange = suite.info().map(|suite| suite.key_exchange);
        if exchange == Some(KeyExchange::EcdheEcdsa) && !self.has_ecdsa_key {
            return format!("--ecdsa-key and --ecdsa-cert add the key that {suite} needs");
        }
        // With RSA key exchange alone, a key that does not decrypt is refused at the start.
        let key = if self.exchanges == [Exchange::Rsa] { "" } else { "this key or " };
        format!(
            "{key}{} does not support {suite}; `sslprov backends` shows which backends do",
            self.backend
        )
    }

    /// Returns the option for one more key exchange.
    fn with_exchange(&self, exchange: Exchange) -> String {
        let names = self.exchanges.iter().map(|exchange| exchange.name());
        format!("--key-exchange {}", names.chain([exchange.name()]).collect::<Vec<_>>().join(","))
    }
}

/// Whether a client offers suites of TLS 1.3 and no other.
fn is_tls13_only(offered: &[CipherSuite]) -> bool {
    let mut known = offered.iter().filter_map(|suite| suite.info()).peekable();
    known.peek().is_some() && known.all(|suite| suite.key_exchange == KeyExchange::Tls13)
}

/// What the suites for old devices are.
const LEGACY: &str = "enables 3DES, RC4, DES and NULL";

#[cfg(test)]
mod tests {
    use ssl_provider_lab::DEFAULT_SUITES;

    use super::*;

    fn advisor() -> Advisor {
        let (versions, suites) = (DEFAULT_VERSIONS.to_vec(), DEFAULT_SUITES.to_vec());
        let exchanges = vec![Exchange::Rsa];
        let (has_ecdsa_key, allow_ssl3) = (true, false);
        Advisor { backend: "aws-lc", versions, suites, exchanges, has_ecdsa_key, allow_ssl3 }
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
        // With GREASE and a signal.
        let tls13 = [CipherSuite(0x1a1a), CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite(0xff)];
        starts(suites(&tls13), "--key-exchange rsa,ecdhe enables it");
        starts(suites(&[CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA]), "--key-exchange rsa,dhe");
        starts(suites(&[CAMELLIA]), "aws-lc does not support TLS_RSA_WITH_CAMELLIA_128_CBC_SHA");
        let (versions, suites) =
            (vec![ProtocolVersion::TLS1_2], vec![CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA]);
        let speaks_less =
            Advisor { backend: "ring", versions, suites, allow_ssl3: true, ..advisor() };
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
    fn the_key_exchange_that_is_off_is_named_with_those_that_are_on() {
        const RSA: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
        const ECDSA: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        let advice = |exchanges: &[Exchange], has_ecdsa_key, offered: CipherSuite| {
            let all = exchanges.iter().flat_map(|exchange| exchange.default_suites());
            let (suites, exchanges) = (all.copied().collect(), exchanges.to_vec());
            let advisor = Advisor { suites, exchanges, has_ecdsa_key, ..advisor() };
            let cause = Cause::Suites(ProtocolVersion::TLS1_2, [offered].into());
            advisor.advice(&cause).unwrap_or_default()
        };
        use Exchange::{Dhe, Ecdhe};
        assert_eq!(advice(&[Ecdhe], true, RSA), "--key-exchange ecdhe,rsa enables them");
        assert_eq!(advice(&[Dhe], true, ECDSA), "--key-exchange dhe,ecdhe enables them");
        assert_eq!(
            advice(&[Ecdhe, Dhe], true, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
            "--key-exchange ecdhe,dhe,rsa --suites default,legacy enables 3DES, RC4, DES and NULL"
        );
        let no_key = advice(&[Ecdhe, Dhe], false, ECDSA);
        assert!(no_key.starts_with("--ecdsa-key and --ecdsa-cert add the key"), "{no_key}");
    }

    #[test]
    fn where_no_option_helps_there_is_no_advice() {
        // SSL 2.0, DSS, an export suite, a suite of TLS 1.2 only, IDEA, SEED and ARIA.
        assert_eq!(advice(Cause::Version(ProtocolVersion::SSL2)), None);
        for (protocol, suite) in [
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_DHE_DSS_WITH_AES_128_CBC_SHA),
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

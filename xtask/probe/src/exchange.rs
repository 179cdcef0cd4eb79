//! The public side of the exchanges: protocol, suite, parameters and ciphertexts.
//! The count of instructions may differ between these, and must not differ within one.

use ssl_provider::{
    CipherSuite, KeyExportPolicy, KeyLogPolicy, ParameterList, Policy, PremasterVersion,
    ProtocolVersion,
};

use crate::classes::OFFERED_VERSION;

/// A protocol with a suite, a seed and a policy.
#[derive(Clone)]
pub(crate) struct Variant {
    /// Its name in reports.
    pub(crate) name: String,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) parameters: ParameterList,
    premaster_version: PremasterVersion,
}

impl Variant {
    /// Every variant: each protocol, plain and with the extended master secret, each PRF, and each
    /// policy on versions.
    pub(crate) fn all() -> Vec<Self> {
        const SHA256_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256;
        const SHA384_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384;
        const OLD_SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
        let base = [
            (ProtocolVersion::SSL3, OLD_SUITE, None),
            (ProtocolVersion::TLS1_0, OLD_SUITE, Some(36)),
            (ProtocolVersion::TLS1_1, OLD_SUITE, Some(36)),
            (ProtocolVersion::TLS1_2, SHA256_SUITE, Some(32)),
            (ProtocolVersion::TLS1_2, SHA384_SUITE, Some(48)),
            (ProtocolVersion::DTLS1_0, OLD_SUITE, Some(36)),
            (ProtocolVersion::DTLS1_2, SHA256_SUITE, Some(32)),
        ];
        let mut variants = Vec::new();
        for (protocol, suite, hash_len) in base {
            let name = format!("{protocol} {suite}");
            let plain = Self {
                name: name.clone(),
                protocol,
                suite,
                parameters: parameters(),
                premaster_version: PremasterVersion::Offered,
            };
            if let Some(hash_len) = hash_len {
                let parameters = parameters().session_hash(&vec![0x5a; hash_len]);
                variants.push(Self {
                    name: format!("{name} extended"),
                    parameters: parameters
                        .expect("the lengths above are those of handshake hashes"),
                    ..plain.clone()
                });
            }
            variants.push(plain);
        }
        for (name, premaster_version) in [
            ("either version", PremasterVersion::InsecureOfferedOrNegotiated),
            ("any version", PremasterVersion::InsecureAny),
        ] {
            variants.push(Self {
                name: format!("{} {OLD_SUITE} {name}", ProtocolVersion::TLS1_1),
                protocol: ProtocolVersion::TLS1_1,
                suite: OLD_SUITE,
                parameters: parameters(),
                premaster_version,
            });
        }
        variants
    }

    /// The policy to open the provider with.
    pub(crate) fn policy(&self, key_log: KeyLogPolicy) -> Policy {
        Policy {
            legacy_ssl3: true,
            key_log,
            key_export: KeyExportPolicy::Allowed,
            premaster_version: self.premaster_version,
            ..Policy::default()
        }
    }

    /// Length of verify_data in bytes.
    pub(crate) fn verify_data_len(&self) -> usize {
        match self.protocol {
            ProtocolVersion::SSL3 => 36,
            _ => 12,
        }
    }
}

fn parameters() -> ParameterList {
    ParameterList::new()
        .client_random([0xc1; 32])
        .server_random([0x5e; 32])
        .highest_version(ProtocolVersion(OFFERED_VERSION))
}

/// Ciphertexts of the right length and below every modulus of that length. Their last byte is above
/// 1: one that ends in 0 or 1 is compared with those numbers byte by byte, which is public.
pub(crate) fn ciphertexts(len: usize, count: u8) -> Vec<Vec<u8>> {
    (2..0x80).step_by(7).take(usize::from(count)).map(|byte| vec![byte; len]).collect()
}

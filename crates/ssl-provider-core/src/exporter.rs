//! Keying material for other protocols, derived from the master key: exporters (RFC 5705) and the
//! key blocks of EAP methods (`SslExportKeyingMaterial`, `SslComputeEapKeyBlock`).

use crate::error::Error;
use crate::master_key::MasterKey;
use crate::parameter_list::RANDOM_LEN;

/// Length of the two randoms together in bytes: the client's, then the server's.
pub const RANDOMS_LEN: usize = 2 * RANDOM_LEN;

/// Length in bytes of the key block of EAP-TLS: 128 of keys and 64 of IVs
/// (RFC 5216 section 2.3, `SecPkgContext_EapKeyBlock`).
pub const EAP_TLS_KEY_BLOCK_LEN: usize = EAP_TLS_KEYS_LEN + 64;

const EAP_TLS_KEYS_LEN: usize = 128;

/// Labels under which TLS itself derives its secrets (RFC 5246, RFC 7627 section 4, RFC 2246
/// section 6.3.1). An exporter under one of them would give those away, and so would one under the
/// beginning of one, since nothing stands between the label and the randoms that a caller chooses.
const RESERVED_LABELS: [&[u8]; 8] = [
    b"client finished",
    b"server finished",
    b"master secret",
    b"extended master secret",
    b"key expansion",
    b"client write key",
    b"server write key",
    b"IV block",
];

/// A derivation of an EAP method over a TLS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EapKeyBlock {
    /// The key block of EAP-TLS (RFC 5216 section 2.3): [`EAP_TLS_KEY_BLOCK_LEN`] bytes.
    Tls,
    /// The keying material of EAP-TTLSv0 (RFC 5281 section 8), as long as asked for.
    TtlsV0,
    /// The implicit challenge of EAP-TTLSv0 (RFC 5281 section 11.1), as long as asked for.
    TtlsV0Challenge,
}

impl EapKeyBlock {
    /// Takes the flags of `SslComputeEapKeyBlock` and the length of the output in bytes.
    ///
    /// The header gives the low byte to the derivation, from 0 to 3; the page wants the flag of the
    /// client (1) or the server (2) instead, and knows EAP-TLS alone. An output of the length of
    /// the key block of EAP-TLS is therefore that, whichever of 0, 1 and 2 is given.
    ///
    /// # Errors
    ///
    /// [`Error::BadFlags`] for all else, EAP-FAST (3) included.
    pub fn from_flags(flags: u32, output_len: usize) -> Result<Self, Error> {
        match (flags, output_len) {
            (0, _) | (1 | 2, EAP_TLS_KEY_BLOCK_LEN) => Ok(Self::Tls),
            (1, _) => Ok(Self::TtlsV0),
            (2, _) => Ok(Self::TtlsV0Challenge),
            _ => Err(Error::BadFlags { given: flags }),
        }
    }
}

impl MasterKey {
    /// Derives keying material for another protocol (`SslExportKeyingMaterial`, RFC 5705 section 4)
    /// and fills `out`.
    ///
    /// - `label`: printable ASCII, without an ending NUL.
    /// - `randoms`: the client's and the server's, [`RANDOMS_LEN`] bytes together.
    /// - `context`: up to 65535 bytes; none is not the same as an empty one.
    ///
    /// Without the extended master secret, two sessions may share their keying material (triple
    /// handshake), so an endpoint must not export it for authentication within the session (RFC
    /// 7627 section 5.4). A master key is not told what it is exported for, and Windows exports
    /// without, so that is left to the caller, who knows what the hellos negotiated.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a length or the label is not as said, or the label is one
    /// of TLS itself; [`Error::UnsupportedProtocol`] for SSL 3.0; errors of the backend.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        randoms: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        check_label(label)?;
        if RESERVED_LABELS.iter().any(|reserved| reserved.starts_with(label)) {
            return Err(Error::InvalidParameter("label: reserved by TLS"));
        }
        check(randoms, out)?;
        let prf = self.parameters.prf()?;
        let Some(context) = context else {
            return self.derive(prf, label, &[randoms], out);
        };
        let len = u16::try_from(context.len())
            .map_err(|_| Error::InvalidParameter("context: expected at most 65535 bytes"))?;
        self.derive(prf, label, &[randoms, &len.to_be_bytes(), context], out)
    }

    /// Derives a key block of an EAP method (`SslComputeEapKeyBlock`) and fills `out`; `randoms`
    /// are the client's and the server's, [`RANDOMS_LEN`] bytes together.
    ///
    /// Without the extended master secret, what holds of
    /// [exporters](Self::export_keying_material) holds of methods that rely on compound
    /// authentication, too.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a length is not as said, [`Error::UnsupportedProtocol`] for
    /// SSL 3.0, and errors of the backend.
    pub fn eap_key_block(
        &self,
        kind: EapKeyBlock,
        randoms: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        check(randoms, out)?;
        let prf = self.parameters.prf()?;
        match kind {
            EapKeyBlock::Tls => {
                const LABEL: &[u8] = b"client EAP encryption";
                let (keys, ivs) = out
                    .split_at_mut_checked(EAP_TLS_KEYS_LEN)
                    .filter(|(_, ivs)| ivs.len() == EAP_TLS_KEY_BLOCK_LEN - EAP_TLS_KEYS_LEN)
                    .ok_or(Error::InvalidParameter("EAP-TLS key block: expected 192 bytes"))?;
                self.derive(prf, LABEL, &[randoms], keys)?;
                // The IVs are not secret.
                self.parameters.hashing().prf(prf, &[], LABEL, &[randoms], ivs)
            }
            EapKeyBlock::TtlsV0 => self.derive(prf, b"ttls keying material", &[randoms], out),
            EapKeyBlock::TtlsV0Challenge => self.derive(prf, b"ttls challenge", &[randoms], out),
        }
    }
}

pub(crate) fn check_label(label: &[u8]) -> Result<(), Error> {
    let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
    if !label.is_empty() && label.iter().all(is_printable) {
        Ok(())
    } else {
        Err(Error::InvalidParameter("label: expected printable ASCII"))
    }
}

fn check(randoms: &[u8], out: &[u8]) -> Result<(), Error> {
    if randoms.len() != RANDOMS_LEN {
        return Err(Error::InvalidParameter("randoms: expected 64 bytes, the client's first"));
    }
    if out.is_empty() {
        return Err(Error::InvalidParameter("output: expected at least one byte"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eap_flags_name_a_derivation_unless_the_length_is_that_of_eap_tls() {
        assert_eq!(EapKeyBlock::from_flags(0, 192), Ok(EapKeyBlock::Tls));
        assert_eq!(EapKeyBlock::from_flags(0, 1), Ok(EapKeyBlock::Tls));
        assert_eq!(EapKeyBlock::from_flags(1, 128), Ok(EapKeyBlock::TtlsV0));
        assert_eq!(EapKeyBlock::from_flags(2, 17), Ok(EapKeyBlock::TtlsV0Challenge));
        for side in [1, 2] {
            assert_eq!(EapKeyBlock::from_flags(side, 192), Ok(EapKeyBlock::Tls));
        }
        for given in [3, 4, 0x100, 0x102, u32::MAX] {
            assert_eq!(EapKeyBlock::from_flags(given, 192), Err(Error::BadFlags { given }));
        }
    }
}

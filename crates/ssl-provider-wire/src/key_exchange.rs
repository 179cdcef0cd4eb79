//! ServerKeyExchange and ClientKeyExchange of (EC)DHE and PSK suites: parameters and signature.
//! Which of the forms a message has follows from the cipher suite.

use crate::reader::{Malformed, Reader, put_vec};

/// The curve is named, as all that are used are (RFC 8422 section 5.4).
const NAMED_CURVE: u8 = 3;

/// What a server sends of its key in a ServerKeyExchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchangeParameters<'a> {
    /// ECDHE (RFC 8422 section 5.4).
    Curve {
        /// The number of the curve.
        curve: u16,
        /// The public key; never empty.
        public_key: &'a [u8],
    },
    /// DHE (RFC 5246 section 7.4.3); none of the numbers is empty.
    FiniteField {
        /// The prime p.
        prime: &'a [u8],
        /// The generator g.
        generator: &'a [u8],
        /// The public key Y.
        public_key: &'a [u8],
    },
}

impl KeyExchangeParameters<'_> {
    /// Writes the parameters, which are what the server signs.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Curve { curve, public_key } => {
                out.push(NAMED_CURVE);
                out.extend_from_slice(&curve.to_be_bytes());
                put_vec::<1>(out, |out| out.extend_from_slice(public_key));
            }
            Self::FiniteField { prime, generator, public_key } => {
                for number in [prime, generator, public_key] {
                    put_vec::<2>(out, |out| out.extend_from_slice(number));
                }
            }
        }
    }
}

/// The body of a signed ServerKeyExchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchange<'a> {
    /// The key.
    pub parameters: KeyExchangeParameters<'a>,
    /// The bytes of the parameters, which are signed behind both randoms.
    pub signed: &'a [u8],
    /// The scheme of the signature; TLS 1.2 only.
    pub scheme: Option<u16>,
    /// The signature; may be empty.
    pub signature: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    /// Parses the message of an ECDHE suite. With `names_scheme`, which TLS 1.2 has, the scheme of
    /// the signature stands before it.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first field that is; also for a curve without a name.
    pub fn parse_ecdhe(body: &'a [u8], names_scheme: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if reader.u8() != Some(NAMED_CURVE) {
            return Err("ServerKeyExchange: a curve without a name".into());
        }
        let curve = reader.u16().ok_or("ServerKeyExchange ends in the curve")?;
        let public_key = reader.vec8().filter(|key| !key.is_empty());
        let public_key = public_key.ok_or("ServerKeyExchange: public key empty or too long")?;
        let parameters = KeyExchangeParameters::Curve { curve, public_key };
        Self::parse_signature(body, reader, parameters, names_scheme)
    }

    /// As [`parse_ecdhe`](Self::parse_ecdhe), for a DHE suite.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first field that is.
    pub fn parse_dhe(body: &'a [u8], names_scheme: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut number = || {
            let number = reader.vec16().filter(|number| !number.is_empty());
            number.ok_or("ServerKeyExchange: a number is empty or too long")
        };
        let (prime, generator, public_key) = (number()?, number()?, number()?);
        let parameters = KeyExchangeParameters::FiniteField { prime, generator, public_key };
        Self::parse_signature(body, reader, parameters, names_scheme)
    }

    fn parse_signature(
        body: &'a [u8],
        mut reader: Reader<'a>,
        parameters: KeyExchangeParameters<'a>,
        names_scheme: bool,
    ) -> Result<Self, Malformed> {
        let (signed, _) = body.split_at(body.len() - reader.rest().len());
        let scheme = match names_scheme {
            true => Some(reader.u16().ok_or("ServerKeyExchange ends before the signature")?),
            false => None,
        };
        let signature = reader.vec16().filter(|_| reader.is_empty());
        let signature = signature.ok_or("ServerKeyExchange: length of the signature")?;
        Ok(Self { parameters, signed, scheme, signature })
    }
}

/// Writes the scheme, if there is one, and the signature behind the parameters.
pub fn put_signature(out: &mut Vec<u8>, scheme: Option<u16>, signature: &[u8]) {
    if let Some(scheme) = scheme {
        out.extend_from_slice(&scheme.to_be_bytes());
    }
    put_vec::<2>(out, |out| out.extend_from_slice(signature));
}

/// Returns the client's public key in a ClientKeyExchange of ECDHE (RFC 8422 section 5.7); `None`
/// if it is malformed or empty.
pub fn ecdhe_public_key(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.vec8().filter(|key| !key.is_empty() && reader.is_empty())
}

/// Returns the client's public key in a ClientKeyExchange of DHE (RFC 5246 section 7.4.7.2), or the
/// identity in one of PSK (RFC 4279 section 2); `None` if it is malformed.
pub fn dhe_public_key(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.vec16().filter(|_| reader.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: KeyExchangeParameters<'_> =
        KeyExchangeParameters::Curve { curve: 0x1234, public_key: &[4, 5, 6] };
    const FINITE_FIELD: KeyExchangeParameters<'_> =
        KeyExchangeParameters::FiniteField { prime: &[7, 7], generator: &[2], public_key: &[3] };

    /// The parser of a form.
    type Parse = for<'a> fn(&'a [u8], bool) -> Result<ServerKeyExchange<'a>, Malformed>;

    #[test]
    fn what_is_written_is_read_back_and_every_cut_of_it_is_malformed() {
        let forms: [(_, Parse); 2] = [
            (CURVE, |body, scheme| ServerKeyExchange::parse_ecdhe(body, scheme)),
            (FINITE_FIELD, |body, scheme| ServerKeyExchange::parse_dhe(body, scheme)),
        ];
        for (parameters, parse) in forms {
            for scheme in [None, Some(0x0401)] {
                let mut body = Vec::new();
                parameters.put(&mut body);
                let signed = body.clone();
                put_signature(&mut body, scheme, &[9, 9]);
                let read = parse(&body, scheme.is_some()).unwrap();
                let signature = &[9, 9][..];
                assert_eq!(
                    read,
                    ServerKeyExchange { parameters, signed: &signed, scheme, signature }
                );
                for len in 0..body.len() {
                    assert!(parse(&body[..len], scheme.is_some()).is_err(), "{len}");
                }
                assert!(parse(&[&body[..], &[0]].concat(), scheme.is_some()).is_err());
            }
        }
    }

    #[test]
    fn empty_keys_and_curves_without_a_name_are_malformed() {
        let parse = |body: &[u8]| ServerKeyExchange::parse_ecdhe(body, false).is_ok();
        assert!(parse(&[3, 0, 23, 1, 4, 0, 0]));
        assert!(!parse(&[3, 0, 23, 0, 0, 0]));
        assert!(!parse(&[1, 0, 23, 1, 4, 0, 0]));
        assert!(ServerKeyExchange::parse_dhe(&[0, 1, 7, 0, 1, 2, 0, 0, 0, 0], false).is_err());
        assert_eq!(ecdhe_public_key(&[2, 8, 9]), Some(&[8, 9][..]));
        for malformed in [&[][..], &[0], &[2, 8], &[1, 8, 9]] {
            assert_eq!(ecdhe_public_key(malformed), None, "{malformed:?}");
        }
        assert_eq!(dhe_public_key(&[0, 2, 8, 9]), Some(&[8, 9][..]));
        assert_eq!(dhe_public_key(&[0, 1, 8, 9]), None);
    }
}

//! Extensions and messages of TLS 1.3 (RFC 8446 section 4), parsed strictly and written.
//! Hellos are in `hello.rs`; a HelloRetryRequest is a ServerHello with a random of its own.

use crate::alert::Alert;
use crate::extension::{ExtensionType, Extensions};
use crate::handshake::{HandshakeType, put_message};
use crate::reader::{Malformed, Reader, put_vec};

/// A public key of a group (RFC 8446 section 4.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShare<'a> {
    /// The number of the group.
    pub group: u16,
    /// The public key, at least one byte.
    pub public_key: &'a [u8],
}

impl<'a> KeyShare<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let group = reader.u16()?;
        let public_key = reader.vec16().filter(|key| !key.is_empty())?;
        Some(Self { group, public_key })
    }

    /// Writes the share: a whole key_share of a server, an entry in that of a client.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.group.to_be_bytes());
        put_vec::<2>(out, |out| out.extend_from_slice(self.public_key));
    }
}

/// How a pre-shared key is used (RFC 8446 section 4.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PskMode(pub u8);

impl PskMode {
    /// Alone, without forward secrecy.
    pub const PSK_KE: Self = Self(0);
    /// With a key agreement.
    pub const PSK_DHE_KE: Self = Self(1);
}

/// The name of a pre-shared key in a ClientHello (RFC 8446 section 4.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PskIdentity<'a> {
    /// A ticket, or a name agreed outside TLS; at least one byte.
    pub identity: &'a [u8],
    /// Age of a ticket in milliseconds plus its ticket_age_add, modulo 2^32; 0 for others.
    pub obfuscated_ticket_age: u32,
}

/// The pre-shared keys that a client offers (RFC 8446 section 4.2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedPsks<'a> {
    /// Their names.
    pub identities: Vec<PskIdentity<'a>>,
    /// A binder for each, 32 to 255 bytes.
    pub binders: Vec<&'a [u8]>,
    /// Bytes at the end of the message that binders do not cover: the list of binders with its
    /// length (RFC 8446 section 4.2.11.2).
    pub binders_len: usize,
}

/// Writes the content of pre_shared_key of a client with binders of zeros, each as long as said, to
/// be filled in.
pub fn put_psks<'a>(
    out: &mut Vec<u8>,
    psks: impl Iterator<Item = (PskIdentity<'a>, usize)> + Clone,
) {
    put_vec::<2>(out, |out| {
        for (psk, _) in psks.clone() {
            put_vec::<2>(out, |out| out.extend_from_slice(psk.identity));
            out.extend(psk.obfuscated_ticket_age.to_be_bytes());
        }
    });
    put_vec::<2>(out, |out| {
        for (_, binder_len) in psks {
            put_vec::<1>(out, |out| out.resize(out.len() + binder_len, 0));
        }
    });
}

/// Extensions of hellos of TLS 1.3.
impl<'a> Extensions<'a> {
    /// Returns the versions that a client lists; `None` if there is no list.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty list, and for one that does not fill the extension.
    pub fn supported_versions(self) -> Result<Option<Vec<u16>>, Malformed> {
        let Some(data) = self.get(ExtensionType::SUPPORTED_VERSIONS) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec8().filter(|_| reader.is_empty());
        let (numbers, rest) = list.unwrap_or_default().as_chunks();
        if numbers.is_empty() || !rest.is_empty() {
            return Err("malformed supported_versions".into());
        }
        Ok(Some(numbers.iter().copied().map(u16::from_be_bytes).collect()))
    }

    /// Returns the public keys of a client, which may be none; `None` if there is no extension.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with illegal_parameter for two keys of one group.
    pub fn key_shares(self) -> Result<Option<Vec<KeyShare<'a>>>, Malformed> {
        const REASON: &str = "malformed key_share";
        let Some(data) = self.get(ExtensionType::KEY_SHARE) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec16().filter(|_| reader.is_empty());
        let mut list = Reader::new(list.ok_or(REASON)?);
        let mut shares: Vec<KeyShare<'_>> = Vec::new();
        while !list.is_empty() {
            let share = KeyShare::read(&mut list).ok_or(REASON)?;
            if shares.iter().any(|other| other.group == share.group) {
                let reason = "key_share with two keys of one group";
                return Err(Malformed { reason, alert: Alert::IllegalParameter });
            }
            shares.push(share);
        }
        Ok(Some(shares))
    }

    /// Returns the public key of a server; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for one that does not fill the extension.
    pub fn key_share_of_server(self) -> Result<Option<KeyShare<'a>>, Malformed> {
        let Some(data) = self.get(ExtensionType::KEY_SHARE) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let share = KeyShare::read(&mut reader).filter(|_| reader.is_empty());
        share.map(Some).ok_or_else(|| "malformed key_share".into())
    }

    /// Returns the group that a HelloRetryRequest asks for; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for another length than 2 bytes.
    pub fn retry_group(self) -> Result<Option<u16>, Malformed> {
        self.number(ExtensionType::KEY_SHARE, "malformed key_share")
    }

    /// Returns the index of the pre-shared key that the server chose; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for another length than 2 bytes.
    pub fn selected_psk(self) -> Result<Option<u16>, Malformed> {
        self.number(ExtensionType::PRE_SHARED_KEY, "malformed pre_shared_key")
    }

    fn number(self, kind: ExtensionType, reason: &'static str) -> Result<Option<u16>, Malformed> {
        let Some(data) = self.get(kind) else { return Ok(None) };
        let number = data.try_into().map_err(|_| reason)?;
        Ok(Some(u16::from_be_bytes(number)))
    }

    /// Returns how the client uses pre-shared keys, as numbers of [`PskMode`]; `None` if it does
    /// not say.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty list, and for one that does not fill the extension.
    pub fn psk_modes(self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(data) = self.get(ExtensionType::PSK_KEY_EXCHANGE_MODES) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec8().filter(|list| !list.is_empty() && reader.is_empty());
        list.map(Some).ok_or_else(|| "malformed psk_key_exchange_modes".into())
    }

    /// Returns the cookie; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty one, and for one that does not fill the extension.
    pub fn cookie(self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(data) = self.get(ExtensionType::COOKIE) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let cookie = reader.vec16().filter(|cookie| !cookie.is_empty() && reader.is_empty());
        cookie.map(Some).ok_or_else(|| "malformed cookie".into())
    }

    /// Returns the pre-shared keys that a client offers; `None` if there are none.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with illegal_parameter where the extension is not the last one, and where
    /// there are not as many binders as keys.
    pub fn offered_psks(self) -> Result<Option<OfferedPsks<'a>>, Malformed> {
        const REASON: &str = "malformed pre_shared_key";
        let illegal = |reason| Malformed { reason, alert: Alert::IllegalParameter };
        let Some(data) = self.get(ExtensionType::PRE_SHARED_KEY) else { return Ok(None) };
        if !self.is_last(ExtensionType::PRE_SHARED_KEY) {
            return Err(illegal("pre_shared_key is not the last extension"));
        }
        let mut reader = Reader::new(data);
        let identities_list = reader.vec16().filter(|list| !list.is_empty()).ok_or(REASON)?;
        let binders_len = reader.rest().len();
        let binders_list = reader.vec16().filter(|list| !list.is_empty() && reader.is_empty());
        let (mut identities, mut binders) = (Vec::new(), Vec::new());
        let mut list = Reader::new(identities_list);
        while !list.is_empty() {
            let identity = list.vec16().filter(|identity| !identity.is_empty()).ok_or(REASON)?;
            let age = list.array().map(u32::from_be_bytes).ok_or(REASON)?;
            identities.push(PskIdentity { identity, obfuscated_ticket_age: age });
        }
        let mut list = Reader::new(binders_list.ok_or(REASON)?);
        while !list.is_empty() {
            binders.push(list.vec8().filter(|it| it.len() >= MIN_BINDER_LEN).ok_or(REASON)?);
        }
        if identities.len() != binders.len() {
            return Err(illegal("pre_shared_key with another number of binders than of keys"));
        }
        Ok(Some(OfferedPsks { identities, binders, binders_len }))
    }
}

/// Shortest binder in bytes (RFC 8446 section 4.2.11).
const MIN_BINDER_LEN: usize = 32;

/// Parses the body of EncryptedExtensions (RFC 8446 section 4.3.1).
///
/// # Errors
///
/// [`Malformed`].
pub fn encrypted_extensions(body: &[u8]) -> Result<Extensions<'_>, Malformed> {
    let mut reader = Reader::new(body);
    let extensions = Extensions::parse_list(&mut reader)?;
    end(reader, extensions)
}

/// Writes EncryptedExtensions with this list.
pub fn put_encrypted_extensions(out: &mut Vec<u8>, list: &[u8]) {
    put_message(out, HandshakeType::ENCRYPTED_EXTENSIONS, |out| {
        Extensions::new(list).put_list(out);
    });
}

/// A certificate in a Certificate message of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateEntry<'a> {
    /// The certificate as DER.
    pub certificate: &'a [u8],
    /// Its extensions, such as a stapled OCSP response.
    pub extensions: Extensions<'a>,
}

/// A Certificate message of TLS 1.3 (RFC 8446 section 4.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateMessage<'a> {
    /// That of the CertificateRequest; empty in the handshake.
    pub context: &'a [u8],
    /// The chain, the sender's own certificate first; of a client it may be empty.
    pub entries: Vec<CertificateEntry<'a>>,
}

impl<'a> CertificateMessage<'a> {
    /// Parses the body.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for lengths that do not add up, and for an empty certificate.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let context = reader.vec8().ok_or("certificate_request_context exceeds the message")?;
        let list = reader.vec24().filter(|_| reader.is_empty());
        let mut list = Reader::new(list.ok_or("certificate list: length")?);
        let mut entries = Vec::new();
        while !list.is_empty() {
            let certificate = list.vec24().filter(|it| !it.is_empty());
            let certificate = certificate.ok_or("certificate empty or too long")?;
            let extensions = Extensions::parse_list(&mut list)?;
            entries.push(CertificateEntry { certificate, extensions });
        }
        Ok(Self { context, entries })
    }
}

/// Writes a Certificate message of TLS 1.3 with this chain, DER, without extensions.
pub fn put_certificate_chain<'a>(
    out: &mut Vec<u8>,
    context: &[u8],
    chain: impl IntoIterator<Item = &'a [u8]>,
) {
    put_message(out, HandshakeType::CERTIFICATE, |out| {
        put_vec::<1>(out, |out| out.extend_from_slice(context));
        put_vec::<3>(out, |out| {
            for certificate in chain {
                put_vec::<3>(out, |out| out.extend_from_slice(certificate));
                Extensions::default().put_list(out);
            }
        });
    });
}

/// A CertificateRequest of TLS 1.3 (RFC 8446 section 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// What the client repeats in its Certificate; empty in the handshake.
    pub context: &'a [u8],
    /// What the server takes; signature_algorithms is one of them.
    pub extensions: Extensions<'a>,
}

impl<'a> CertificateRequest<'a> {
    /// Parses the body.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let context = reader.vec8().ok_or("certificate_request_context exceeds the message")?;
        let extensions = Extensions::parse_list(&mut reader)?;
        end(reader, Self { context, extensions })
    }

    /// Writes the message.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_message(out, HandshakeType::CERTIFICATE_REQUEST, |out| {
            put_vec::<1>(out, |out| out.extend_from_slice(self.context));
            self.extensions.put_list(out);
        });
    }
}

/// A CertificateVerify of TLS 1.3, of either side (RFC 8446 section 4.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// The number of the signature scheme.
    pub scheme: u16,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    /// Parses the body.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let scheme = reader.u16().ok_or("message ends before the scheme")?;
        let signature = reader.vec16().ok_or("signature exceeds the message")?;
        end(reader, Self { scheme, signature })
    }

    /// Writes the message.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_message(out, HandshakeType::CERTIFICATE_VERIFY, |out| {
            out.extend(self.scheme.to_be_bytes());
            put_vec::<2>(out, |out| out.extend_from_slice(self.signature));
        });
    }
}

/// A NewSessionTicket of TLS 1.3 (RFC 8446 section 4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSessionTicket<'a> {
    /// For how long the ticket is good, in seconds, at most [`MAX_LIFETIME`](Self::MAX_LIFETIME).
    pub lifetime: u32,
    /// What the client adds to the age of the ticket.
    pub age_add: u32,
    /// What tells the pre-shared keys of a connection apart.
    pub nonce: &'a [u8],
    /// The ticket, at least one byte.
    pub ticket: &'a [u8],
    /// Most bytes of early data; none where it may send none.
    pub max_early_data: Option<u32>,
}

impl<'a> NewSessionTicket<'a> {
    /// Longest lifetime in seconds: seven days.
    pub const MAX_LIFETIME: u32 = 604_800;

    /// Parses the body.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with illegal_parameter for a longer lifetime.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let lifetime = reader.array().map(u32::from_be_bytes).ok_or("message ends early")?;
        let age_add = reader.array().map(u32::from_be_bytes).ok_or("message ends early")?;
        let nonce = reader.vec8().ok_or("nonce exceeds the message")?;
        let ticket = reader.vec16().filter(|ticket| !ticket.is_empty());
        let ticket = ticket.ok_or("ticket empty or too long")?;
        let extensions = Extensions::parse_list(&mut reader)?;
        let max_early_data = match extensions.get(ExtensionType::EARLY_DATA) {
            Some(data) => {
                Some(u32::from_be_bytes(data.try_into().map_err(|_| "malformed early_data")?))
            }
            None => None,
        };
        if lifetime > Self::MAX_LIFETIME {
            let reason = "lifetime of more than seven days";
            return Err(Malformed { reason, alert: Alert::IllegalParameter });
        }
        end(reader, Self { lifetime, age_add, nonce, ticket, max_early_data })
    }

    /// Writes the message.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_message(out, HandshakeType::NEW_SESSION_TICKET, |out| {
            out.extend(self.lifetime.to_be_bytes());
            out.extend(self.age_add.to_be_bytes());
            put_vec::<1>(out, |out| out.extend_from_slice(self.nonce));
            put_vec::<2>(out, |out| out.extend_from_slice(self.ticket));
            put_vec::<2>(out, |out| {
                if let Some(max) = self.max_early_data {
                    out.extend(ExtensionType::EARLY_DATA.0.to_be_bytes());
                    put_vec::<2>(out, |out| out.extend(max.to_be_bytes()));
                }
            });
        });
    }
}

/// A KeyUpdate (RFC 8446 section 4.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUpdate {
    /// Whether the other side is to do the same.
    pub update_requested: bool,
}

impl KeyUpdate {
    /// Parses the body.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with illegal_parameter for a number other than 0 and 1.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        match body {
            [0] => Ok(Self { update_requested: false }),
            [1] => Ok(Self { update_requested: true }),
            [_] => Err(Malformed {
                reason: "request_update is neither 0 nor 1",
                alert: Alert::IllegalParameter,
            }),
            _ => Err("expected one byte".into()),
        }
    }

    /// Writes the message.
    pub fn put(self, out: &mut Vec<u8>) {
        put_message(out, HandshakeType::KEY_UPDATE, |out| out.push(self.update_requested.into()));
    }
}

/// Returns what was parsed, if nothing follows it.
fn end<T>(reader: Reader<'_>, parsed: T) -> Result<T, Malformed> {
    if reader.is_empty() { Ok(parsed) } else { Err("message continues behind its end".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::put_extension;
    use crate::handshake::Message;

    fn list(kind: ExtensionType, data: &[u8]) -> Vec<u8> {
        let mut list = Vec::new();
        put_extension(&mut list, kind, data);
        list
    }

    /// Asserts that a body is parsed, and that every cut of it and one byte more are malformed.
    fn only_whole<T>(body: &[u8], parse: impl Fn(&[u8]) -> Result<T, Malformed>) {
        assert!(parse(body).is_ok());
        for len in 0..body.len() {
            assert!(parse(&body[..len]).is_err(), "{len} of {body:?}");
        }
        assert!(parse(&[body, &[0]].concat()).is_err(), "{body:?} and more");
    }

    /// The same for the content of an extension.
    fn only_whole_extension<T>(
        kind: ExtensionType,
        data: &[u8],
        parse: impl Fn(Extensions<'_>) -> Result<T, Malformed>,
    ) {
        only_whole(data, |data| parse(Extensions::new(&list(kind, data))));
    }

    #[test]
    fn extensions_are_read_whole_or_are_malformed() {
        let shares = [0, 11, 0, 29, 0, 2, 1, 2, 0, 23, 0, 1, 4];
        let kind = ExtensionType::KEY_SHARE;
        only_whole_extension(kind, &shares, |it| it.key_shares().map(|it| it.unwrap().len()));
        let found = list(kind, &shares);
        let found = Extensions::new(&found).key_shares().unwrap().unwrap();
        assert_eq!(found[1], KeyShare { group: 23, public_key: &[4] });
        let mut written = Vec::new();
        put_vec::<2>(&mut written, |out| found.iter().for_each(|share| share.put(out)));
        assert_eq!(written, shares);
        only_whole_extension(kind, &shares[2..8], |it| it.key_share_of_server().map(|_| ()));
        only_whole_extension(kind, &[0, 29], |it| it.retry_group().map(|_| ()));
        let none = list(kind, &[0, 0]);
        assert_eq!(Extensions::new(&none).key_shares(), Ok(Some(Vec::new())));
        for bad in [&[0, 5, 0, 29, 0, 0, 0][..], &[0, 4, 0, 29, 0, 0]] {
            assert!(Extensions::new(&list(kind, bad)).key_shares().is_err());
        }
        let twice = list(kind, &[0, 10, 0, 29, 0, 1, 1, 0, 29, 0, 1, 2]);
        let refused = Extensions::new(&twice).key_shares().unwrap_err();
        assert_eq!(refused.alert, Alert::IllegalParameter);

        let kind = ExtensionType::SUPPORTED_VERSIONS;
        only_whole_extension(kind, &[4, 3, 4, 3, 3], |it| it.supported_versions().map(|_| ()));
        let versions = list(kind, &[4, 3, 4, 3, 3]);
        let versions = Extensions::new(&versions).supported_versions().unwrap();
        assert_eq!(versions, Some(vec![0x0304, 0x0303]));
        for bad in [&[0][..], &[3, 3, 4, 3]] {
            assert!(Extensions::new(&list(kind, bad)).supported_versions().is_err());
        }
        let kind = ExtensionType::PSK_KEY_EXCHANGE_MODES;
        only_whole_extension(kind, &[2, 1, 0], |it| it.psk_modes().map(|_| ()));
        assert!(Extensions::new(&list(kind, &[0])).psk_modes().is_err());
        only_whole_extension(ExtensionType::COOKIE, &[0, 2, 8, 9], |it| it.cookie().map(|_| ()));
        assert!(Extensions::new(&list(ExtensionType::COOKIE, &[0, 0])).cookie().is_err());
        let kind = ExtensionType::PRE_SHARED_KEY;
        only_whole_extension(kind, &[0, 1], |it| it.selected_psk().map(|_| ()));
    }

    #[test]
    fn pre_shared_keys_that_are_written_are_read_back() {
        let kind = ExtensionType::PRE_SHARED_KEY;
        let identity = |identity, age| PskIdentity { identity, obfuscated_ticket_age: age };
        let psks = [(identity(b"one", 7), 32), (identity(b"other", 0), 48)];
        let mut data = Vec::new();
        put_psks(&mut data, psks.into_iter());
        only_whole_extension(kind, &data, |it| it.offered_psks().map(|_| ()));
        let written = list(kind, &data);
        let read = Extensions::new(&written).offered_psks().unwrap().unwrap();
        assert_eq!(read.identities, psks.map(|(identity, _)| identity));
        assert_eq!(read.binders, [&[0; 32][..], &[0; 48]]);
        assert_eq!(read.binders_len, 2 + 33 + 49);

        let not_last = [written.clone(), list(ExtensionType::PADDING, &[])].concat();
        let few = [&data[..data.len() - read.binders_len], &[0, 33, 32], &[0; 32]].concat();
        for bad in [not_last, list(kind, &few)] {
            let refused = Extensions::new(&bad).offered_psks().unwrap_err();
            assert_eq!(refused.alert, Alert::IllegalParameter);
        }
        let short = [&[0, 7, 0, 1, 9, 0, 0, 0, 0][..], &[0, 32, 31], &[0; 31]].concat();
        assert!(Extensions::new(&list(kind, &short)).offered_psks().is_err());
    }

    #[test]
    fn messages_that_are_written_are_read_back_and_every_cut_of_them_is_malformed() {
        let body = |put: &dyn Fn(&mut Vec<u8>)| {
            let mut message = Vec::new();
            put(&mut message);
            message.split_off(Message::HEADER_LEN)
        };
        let extensions = list(ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]);

        let message = body(&|out| put_encrypted_extensions(out, &extensions));
        only_whole(&message, |body| encrypted_extensions(body).map(|_| ()));
        assert_eq!(encrypted_extensions(&message), Ok(Extensions::new(&extensions)));
        assert_eq!(encrypted_extensions(&[0, 0]), Ok(Extensions::default()));

        let chain = [&[1, 2, 3][..], &[4]];
        let message = body(&|out| put_certificate_chain(out, &[7], chain));
        only_whole(&message, |body| CertificateMessage::parse(body).map(|_| ()));
        let read = CertificateMessage::parse(&message).unwrap();
        assert_eq!(read.context, [7]);
        assert_eq!(read.entries.iter().map(|it| it.certificate).collect::<Vec<_>>(), chain);
        assert!(CertificateMessage::parse(&[0, 0, 0, 5, 0, 0, 0, 0, 0]).is_err(), "empty");

        let request = CertificateRequest { context: &[], extensions: Extensions::new(&extensions) };
        let message = body(&|out| request.put(out));
        only_whole(&message, |body| CertificateRequest::parse(body).map(|_| ()));
        assert_eq!(CertificateRequest::parse(&message), Ok(request));

        let verify = CertificateVerify { scheme: 0x0403, signature: &[9; 5] };
        let message = body(&|out| verify.put(out));
        only_whole(&message, |body| CertificateVerify::parse(body).map(|_| ()));
        assert_eq!(CertificateVerify::parse(&message), Ok(verify));

        for max_early_data in [None, Some(100)] {
            let ticket = NewSessionTicket {
                lifetime: 60,
                age_add: 0x1234_5678,
                nonce: &[0],
                ticket: &[8; 3],
                max_early_data,
            };
            let message = body(&|out| ticket.put(out));
            only_whole(&message, |body| NewSessionTicket::parse(body).map(|_| ()));
            assert_eq!(NewSessionTicket::parse(&message), Ok(ticket));
            let long = NewSessionTicket { lifetime: 604_801, ..ticket };
            let message = body(&|out| long.put(out));
            let refused = NewSessionTicket::parse(&message).unwrap_err();
            assert_eq!(refused.alert, Alert::IllegalParameter);
        }

        for update_requested in [false, true] {
            let message = body(&|out| KeyUpdate { update_requested }.put(out));
            only_whole(&message, KeyUpdate::parse);
            assert_eq!(KeyUpdate::parse(&message), Ok(KeyUpdate { update_requested }));
        }
        assert_eq!(KeyUpdate::parse(&[2]).unwrap_err().alert, Alert::IllegalParameter);
    }
}

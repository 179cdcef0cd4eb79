//! Ephemeral keys, signatures and the client's side: from the hellos to a master key where the
//! server's RSA key decrypts nothing, or where this program is the client.
//!
//! # ECDHE and DHE
//!
//! Both sides generate a key for one handshake, exchange the public halves, and agree.
//!
//! ```
//! use ssl_provider::{CipherSuite, Group, HashAlgorithm, NamedCurve, ParameterList};
//! use ssl_provider::{ProtocolVersion, Provider, Side, SignatureScheme};
//!
//! # fn main() -> Result<(), ssl_provider::Error> {
//! # let key_der = include_bytes!(concat!(
//! #     env!("CARGO_MANIFEST_DIR"), "/crates/ssl-provider-testkit/keys/rsa-2048.der"));
//! let provider = Provider::open(ssl_provider::default_backend()?);
//! let version = ProtocolVersion::TLS1_2;
//! let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
//! let group = Group::from(NamedCurve::Secp256r1);
//!
//! // Of the hellos; each side makes its own.
//! let (mut client_random, mut server_random) = ([0; 32], [0; 32]);
//! for random in [&mut client_random, &mut server_random] {
//!     provider.backend().random().fill(random)?;
//! }
//! let randoms = ParameterList::new().client_random(client_random).server_random(server_random);
//!
//! // The server: its public key goes into ServerKeyExchange, signed with the certificate's key.
//! let signing_key = provider.load_signing_key(key_der)?;
//! let server = provider.generate_ephemeral_key(group.clone())?;
//! let to_client = server.public_key().to_vec();
//! // The parameters: named_curve, its number, the length of a point on P-256, and the point.
//! let [high, low] = NamedCurve::Secp256r1.wire().to_be_bytes();
//! let parameters = [&[3, high, low, 65][..], &to_client].concat();
//! let mut digest = [0; 32];
//! let signed: [&[u8]; 3] = [&client_random, &server_random, &parameters];
//! provider.backend().hashing().hash(HashAlgorithm::Sha256, &signed, &mut digest)?;
//! let signature = signing_key.sign(SignatureScheme::RsaSha256, &digest)?;
//! # assert_eq!(signature.len(), 256);
//!
//! // The client: its own goes into ClientKeyExchange.
//! let client = provider.generate_ephemeral_key(group.clone())?;
//! let to_server = client.public_key().to_vec();
//!
//! // Each takes the other's as it came over the wire, and uses its own key up.
//! let peer = group.public_key(&to_server)?;
//! let of_server =
//!     provider.generate_master_key(server, &peer, version, suite, &randoms, Side::Server)?;
//! let peer = group.public_key(&to_client)?;
//! let of_client =
//!     provider.generate_master_key(client, &peer, version, suite, &randoms, Side::Client)?;
//! # let verify_data = |key: &ssl_provider::MasterKey| -> Result<_, ssl_provider::Error> {
//! #     let mut out = [0; 12];
//! #     key.verify_data(Side::Client, &provider.handshake_hash(version, suite)?, &mut out)?;
//! #     Ok(out)
//! # };
//! # assert_eq!(verify_data(&of_server)?, verify_data(&of_client)?);
//! # Ok(())
//! # }
//! ```
//!
//! - The digest is of client random, server random and the parameters as the message carries them
//!   (RFC 5246 section 7.4.3; RFC 8422 section 5.4). [`SignatureScheme::hashes`] names its hashes:
//!   MD5 and SHA-1 one after the other for RSA before TLS 1.2.
//!   [`Provider::verify_signature`] is the client's part; verify before you agree.
//! - [`Group::public_key`] refuses what is not of the group's form, and the agreement a point that
//!   is not on its curve, as [`Error::BadKeyShare`]: send `illegal_parameter`.
//! - Numbers that a server chose for DHE become a [`Group`] by [`DhParameters::new`]. That the
//!   prime is one is not checked; its length is, by [`Policy::min_modulus_bits`].
//! - A key agrees once. [`EphemeralKey`] says why (Raccoon).
//! - With the extended master secret (RFC 7627), give [`ParameterList::session_hash`] in place of
//!   the randoms; session keys still need those.
//!
//! # A client with RSA key exchange
//!
//! [`Provider::generate_premaster_key`] makes the premaster secret and encrypts it to the server's
//! key, and [`PremasterKey::generate_master_key`] derives the master key: with the extended master
//! secret, after ClientKeyExchange has been hashed. `highest_version` in the list is the version
//! that ClientHello offered.
//!
//! # Pre-shared keys
//!
//! [`Provider::generate_psk_master_key`] derives the master key of a PSK suite (RFC 4279), on
//! either side.
//!
//! # Session tickets
//!
//! A [`TicketKey`] seals a server's [`MasterKey`] with what the program needs of the session, so
//! that the client can keep it (RFC 5077), and opens it again.
//!
//! [`DhParameters::new`]: crate::DhParameters::new
//! [`EphemeralKey`]: crate::EphemeralKey
//! [`Error::BadKeyShare`]: crate::Error::BadKeyShare
//! [`Group`]: crate::Group
//! [`Group::public_key`]: crate::Group::public_key
//! [`MasterKey`]: crate::MasterKey
//! [`ParameterList::session_hash`]: crate::ParameterList::session_hash
//! [`Policy::min_modulus_bits`]: crate::Policy::min_modulus_bits
//! [`PremasterKey::generate_master_key`]: crate::PremasterKey::generate_master_key
//! [`Provider::generate_premaster_key`]: crate::Provider::generate_premaster_key
//! [`Provider::generate_psk_master_key`]: crate::Provider::generate_psk_master_key
//! [`Provider::verify_signature`]: crate::Provider::verify_signature
//! [`SignatureScheme::hashes`]: crate::SignatureScheme::hashes
//! [`TicketKey`]: crate::TicketKey

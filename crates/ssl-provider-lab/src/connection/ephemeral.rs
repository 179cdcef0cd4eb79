//! The server's ServerKeyExchange and the client's ClientKeyExchange of ECDHE and DHE.

use ssl_provider::{EphemeralKey, Error, Group, PeerPublicKey, Provider};
use ssl_provider_wire::{
    Alert, HandshakeType, dhe_public_key, ecdhe_public_key, put_message, put_signature,
};

use crate::alert::internal_error;
use crate::group::put_parameters;
use crate::identity::Signer;
use crate::negotiation::Ephemeral;
use crate::signed_params::SignedParameters;

/// Makes the server's key of one key exchange, and writes the message with its public key, signed
/// together with the randoms of client and server (RFC 5246 section 7.4.3).
pub(super) fn put_server_key_exchange(
    out: &mut Vec<u8>,
    provider: &Provider,
    signer: &Signer,
    chosen: Ephemeral,
    (client_random, server_random): (&[u8; 32], &[u8; 32]),
) -> Result<EphemeralKey, Error> {
    let key = provider.generate_ephemeral_key(chosen.group.group())?;
    let mut parameters = Vec::new();
    put_parameters(&mut parameters, key.group(), key.public_key());
    let signed = SignedParameters { client_random, server_random, parameters: &parameters };
    let digest = signed.digest(provider, chosen.scheme)?;
    let signature = signer.key.sign(chosen.scheme, &digest)?;
    put_message(out, HandshakeType::SERVER_KEY_EXCHANGE, |out| {
        out.extend_from_slice(&parameters);
        put_signature(out, chosen.wire_scheme, &signature);
    });
    Ok(key)
}

/// Returns the client's public key in the body of a ClientKeyExchange. A length that does not match
/// is `decode_error`; a key that is not of the group `illegal_parameter` (RFC 8422 section 5.11).
pub(super) fn client_public_key(group: &Group, body: &[u8]) -> Result<PeerPublicKey, Alert> {
    let public_key = match group {
        Group::Curve(_) => ecdhe_public_key(body),
        _ => dhe_public_key(body).filter(|key| !key.is_empty()),
    };
    group.public_key(public_key.ok_or(Alert::DecodeError)?).map_err(bad_share)
}

/// Returns the alert for a key agreement that failed. Whether a point is on its curve is public, as
/// the client sent it in the clear.
pub(super) fn bad_share(error: Error) -> Alert {
    match error {
        Error::BadKeyShare => Alert::IllegalParameter,
        other => internal_error(other),
    }
}

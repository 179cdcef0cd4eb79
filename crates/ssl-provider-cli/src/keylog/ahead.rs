//! Private operations done ahead: those of several conversations at once, which a backend with
//! multi-buffer RSA does in the time of few. Whatever is not foreseen here is done when it is due.

use std::ptr;

use ssl_provider::{DecryptedPremaster, ProtocolVersion};
use ssl_provider_wire::{HandshakeType, ServerHello, View};

use super::ciphertext::Ciphertext;
use super::handshake::Halves;
use super::keyring::{Key, Keyring};
use super::negotiation::{not_rsa, version_of};

/// Conversations whose private operations are done at once: two batches of a multi-buffer backend.
pub(super) const CONVERSATIONS: usize = 16;

/// Does the private operation of every first handshake that asks for one with a key of the keyring.
pub(super) fn decrypt_ahead<'k>(
    keyring: &'k Keyring,
    openings: &[Halves<'_>],
) -> Vec<Option<DecryptedPremaster<'k>>> {
    let wanted: Vec<_> = openings.iter().map(|halves| wanted(keyring, halves)).collect();
    let mut decrypted: Vec<_> = openings.iter().map(|_| None).collect();
    for key in &keyring.keys {
        let (places, ciphertexts): (Vec<usize>, Vec<&[u8]>) = wanted
            .iter()
            .enumerate()
            .filter_map(|(place, wanted)| wanted.map(|(other, text)| (place, other, text)))
            .filter(|(_, other, _)| ptr::eq(*other, key))
            .map(|(place, _, ciphertext)| (place, ciphertext))
            .unzip();
        // What fails here fails again where it can be reported.
        let Ok(answers) = key.private_key.decrypt_premasters(&ciphertexts) else { continue };
        for (place, answer) in places.into_iter().zip(answers) {
            decrypted[place] = Some(answer);
        }
    }
    decrypted
}

/// The key and the ciphertext that a handshake will be tried with first.
fn wanted<'k, 'h>(keyring: &'k Keyring, halves: &'h Halves<'_>) -> Option<(&'k Key, &'h [u8])> {
    let server_hello = halves.server.messages.first()?;
    let server_hello = ServerHello::parse(server_hello, View::Lenient).ok()?;
    if not_rsa(&server_hello, &halves.server).is_some() {
        return None;
    }
    let exchange = halves.client.find(HandshakeType::CLIENT_KEY_EXCHANGE)?;
    let key = *keyring.candidates(halves.certificate()).first()?;
    let ssl3 = version_of(&server_hello) == ProtocolVersion::SSL3;
    let ciphertext = Ciphertext::of(exchange.body(), key.private_key.modulus_len(), ssl3)?;
    Some((key, ciphertext.bytes))
}

//! Notes of the files: what each flag stands for, which bug such tests find, and where it is known.

use std::collections::BTreeMap;

use ssl_provider_testkit::corpus::Note;

/// The notes of these flags.
pub(super) fn notes<'a>(flags: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Note> {
    flags.into_iter().map(|flag| (flag.to_owned(), note(flag))).collect()
}

fn note(flag: &str) -> Note {
    let row = NOTES.iter().find(|(name, ..)| *name == flag);
    let (_, bug_type, description, links) =
        row.unwrap_or_else(|| panic!("{flag}: a flag without a note"));
    Note {
        bug_type: (*bug_type).to_owned(),
        description: (*description).to_owned(),
        links: links.iter().map(|link| (*link).to_owned()).collect(),
    }
}

type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const RFC5246: &str = "https://www.rfc-editor.org/rfc/rfc5246";
const RFC6101: &str = "https://www.rfc-editor.org/rfc/rfc6101";
const RFC7366: &str = "https://www.rfc-editor.org/rfc/rfc7366";
const RFC7627: &str = "https://www.rfc-editor.org/rfc/rfc7627";
const RFC7919: &str = "https://www.rfc-editor.org/rfc/rfc7919";
const RFC8017: &str = "https://www.rfc-editor.org/rfc/rfc8017";
const RFC8422: &str = "https://www.rfc-editor.org/rfc/rfc8422";
const RFC8446: &str = "https://www.rfc-editor.org/rfc/rfc8446";
const ROBOT: &str = "https://robotattack.org/";
const MARVIN: &str = "https://people.redhat.com/~hkario/marvin/";
const VERSION_ORACLE: &str = "https://eprint.iacr.org/2003/052";
const LUCKY_THIRTEEN: &str = "https://www.isg.rhul.ac.uk/tls/Lucky13.html";
const VAUDENAY: &str = "https://www.iacr.org/archive/eurocrypt2002/23320530/cbc02_e02d.pdf";
const INVALID_CURVE: &str = "https://doi.org/10.1007/978-3-319-24174-6_21";
const RACCOON: &str = "https://raccoon-attack.com/";
const SP800_56A: &str = "https://doi.org/10.6028/NIST.SP.800-56Ar3";

const NOTES: &[Row] = &[
    ("Normal", "BASIC", "An ordinary case that every implementation supports.", &[]),
    (
        "ExtendedMasterSecret",
        "FUNCTIONALITY",
        "The master secret is derived from the session hash in place of the randoms.",
        &[RFC7627],
    ),
    (
        "Export",
        "LEGACY",
        "An export suite: write keys are derived from short keys.",
        &["https://www.rfc-editor.org/rfc/rfc2246"],
    ),
    (
        "PreSharedKey",
        "FUNCTIONALITY",
        "The premaster secret is made of a pre-shared key.",
        &["https://www.rfc-editor.org/rfc/rfc4279"],
    ),
    // RSA key exchange.
    (
        "UnusualPadding",
        "EDGE_CASE",
        "Padding or premaster secret have bytes of one value. The block is well formed all the \
         same.",
        &[RFC8017],
    ),
    (
        "Ssl2RollbackMark",
        "EDGE_CASE",
        "The last eight bytes of the padding are 3, which a client that supports SSL 3.0 writes in \
         SSL 2.0. In later versions they are padding like any other.",
        &[RFC6101],
    ),
    (
        "SmallerPrimeFirst",
        "EDGE_CASE",
        "The first prime of the key is the smaller one, which some libraries do not expect.",
        &[RFC8017],
    ),
    (
        "OfferedVersion",
        "FUNCTIONALITY",
        "The client offered a higher version than was negotiated; the premaster secret has the one \
         that was offered.",
        &[RFC5246],
    ),
    (
        "NegotiatedVersion",
        "MISSING_STEP",
        "The premaster secret has the negotiated version in place of the offered one: a rollback. \
         Where at most TLS 1.0 was offered, a server may have an option that accepts it; here it \
         was more.",
        &[RFC5246],
    ),
    (
        "BlockType",
        "PADDING_ORACLE",
        "The block does not begin with 00 02. A server that shows it is an oracle \
         (Bleichenbacher).",
        &[RFC8017, ROBOT, MARVIN],
    ),
    (
        "PaddingLength",
        "PADDING_ORACLE",
        "The padding is shorter than eight bytes.",
        &[RFC8017, ROBOT, MARVIN],
    ),
    (
        "ZeroInPadding",
        "PADDING_ORACLE",
        "A zero in the padding ends it, so that the message is longer than 48 bytes.",
        &[RFC8017, ROBOT, MARVIN],
    ),
    (
        "NoSeparator",
        "PADDING_ORACLE",
        "There is no zero between padding and premaster secret.",
        &[RFC8017, ROBOT, MARVIN],
    ),
    (
        "MessageLength",
        "PADDING_ORACLE",
        "The padding is well formed, and the message has another length than 48 bytes.",
        &[RFC5246, ROBOT, MARVIN],
    ),
    (
        "PremasterVersion",
        "PADDING_ORACLE",
        "The premaster secret has another version than the client offered. A server that shows it \
         is an oracle (Klima, Pokorny, Rosa).",
        &[RFC5246, VERSION_ORACLE],
    ),
    (
        "LeadingZeros",
        "PADDING_ORACLE",
        "The decrypted number is short. Code that handles it without leading zeros may take it for \
         well formed, or show its length by its time.",
        &[RFC8017, MARVIN],
    ),
    ("RandomBlock", "PADDING_ORACLE", "The decrypted block has no structure.", &[RFC8017]),
    (
        "CiphertextLength",
        "INPUT_VALIDATION",
        "The ciphertext is not as long as the modulus.",
        &[RFC8017],
    ),
    (
        "CiphertextRange",
        "INPUT_VALIDATION",
        "The ciphertext is not below the modulus, or is a number at the edges of its range, which \
         some libraries refuse with an error of its own.",
        &[RFC8017],
    ),
    (
        "CiphertextModified",
        "PADDING_ORACLE",
        "The ciphertext is another number than the client sent, so that it decrypts to noise.",
        &[ROBOT],
    ),
    ("WrongKey", "PADDING_ORACLE", "The ciphertext was made for another key.", &[ROBOT]),
    // Records.
    (
        "Sequence",
        "FUNCTIONALITY",
        "Other records come before this one: chained IVs, key streams and sequence numbers go on \
         from them.",
        &[RFC5246],
    ),
    ("EmptyPlaintext", "EDGE_CASE", "The record has no plaintext.", &[RFC5246]),
    (
        "LongestPlaintext",
        "EDGE_CASE",
        "The plaintext has 16384 bytes, the most there may be.",
        &[RFC5246],
    ),
    (
        "LongPadding",
        "EDGE_CASE",
        "CBC padding is longer than it has to be, which a sender may choose.",
        &[RFC5246],
    ),
    (
        "Ssl3Padding",
        "LEGACY",
        "The padding of SSL 3.0 has any bytes but for the last.",
        &[RFC6101, "https://www.openssl.org/~bodo/ssl-poodle.pdf"],
    ),
    (
        "ExplicitNonce",
        "EDGE_CASE",
        "The explicit part of the nonce is not the sequence number, which a sender may choose.",
        &["https://www.rfc-editor.org/rfc/rfc5288"],
    ),
    (
        "HeaderModified",
        "AUTHENTICATION",
        "Content type, version or, in DTLS, sequence number of the header are not those that were \
         authenticated or that are expected.",
        &[RFC5246],
    ),
    ("NonceModified", "AUTHENTICATION", "The IV or nonce in the record was changed.", &[RFC5246]),
    ("CiphertextChanged", "AUTHENTICATION", "A bit of the ciphertext was flipped.", &[RFC5246]),
    ("TagModified", "AUTHENTICATION", "The last byte, of a tag or MAC, was changed.", &[RFC5246]),
    (
        "Truncated",
        "INPUT_VALIDATION",
        "The record was cut, and its header says so. What is left may be shorter than MAC, tag, IV \
         or block.",
        &[RFC5246],
    ),
    ("Extended", "INPUT_VALIDATION", "Bytes were appended, and the header says so.", &[RFC5246]),
    (
        "WrongSequenceNumber",
        "AUTHENTICATION",
        "The record has another sequence number than its reader expects: replay or reordering.",
        &[RFC5246],
    ),
    (
        "BadPadding",
        "PADDING_ORACLE",
        "CBC padding is malformed or longer than the record. It must not be told apart from a bad \
         MAC, neither by alert nor by time.",
        &[RFC5246, VAUDENAY, LUCKY_THIRTEEN],
    ),
    (
        "BadMac",
        "PADDING_ORACLE",
        "CBC padding is well formed, and the MAC is wrong or missing.",
        &[RFC5246, VAUDENAY, LUCKY_THIRTEEN],
    ),
    (
        "Ssl3PaddingTooLong",
        "PADDING_ORACLE",
        "The padding of SSL 3.0 is longer than a block.",
        &[RFC6101],
    ),
    (
        "MacThenEncrypt",
        "AUTHENTICATION",
        "The MAC is inside the encryption though encrypt-then-MAC was negotiated.",
        &[RFC7366],
    ),
    (
        "RecordOverflow",
        "INPUT_VALIDATION",
        "Plaintext or fragment are longer than the protocol allows, in a record that is authentic \
         where it can be.",
        &[RFC5246],
    ),
    (
        "OverflowNotAuthentic",
        "PADDING_ORACLE",
        "The plaintext is too long and the MAC or tag is wrong: a failure like any other.",
        &[RFC5246],
    ),
    // Key agreement.
    (
        "LeadingZeroSecret",
        "EDGE_CASE",
        "The shared secret begins with a zero byte. Finite fields strip it, curves keep it.",
        &[RFC5246, RFC8422, RACCOON],
    ),
    (
        "NotOnCurve",
        "INVALID_CURVE",
        "The point is not on the curve, or its coordinates are not reduced. An agreement with it \
         gives the private key away.",
        &[RFC8422, INVALID_CURVE],
    ),
    (
        "PublicKeyForm",
        "INPUT_VALIDATION",
        "The public key is compressed, hybrid or infinity, which TLS does not have, or of another \
         length.",
        &[RFC8422],
    ),
    (
        "SmallOrder",
        "WEAK_PUBLIC_KEY",
        "Anybody knows the shared secret, since the public key is of small order.",
        &[RFC8422, "https://www.rfc-editor.org/rfc/rfc7748", SP800_56A],
    ),
    (
        "PublicKeyRange",
        "WEAK_PUBLIC_KEY",
        "The number is not between 2 and p - 2.",
        &[RFC7919, SP800_56A],
    ),
    // TLS 1.3.
    (
        "Tls13PreSharedKey",
        "FUNCTIONALITY",
        "The Early Secret is extracted from a pre-shared key, and a binder ends ClientHello.",
        &[RFC8446],
    ),
    (
        "PskOnly",
        "FUNCTIONALITY",
        "There is no (EC)DHE (psk_ke): zeros take the place of its secret.",
        &[RFC8446],
    ),
    (
        "HelloRetryRequest",
        "FUNCTIONALITY",
        "A message_hash stands for the first ClientHello in the transcript, that of the binder \
         included.",
        &[RFC8446],
    ),
    (
        "KeyUpdate",
        "FUNCTIONALITY",
        "Both sides update their application traffic secrets.",
        &[RFC8446],
    ),
    (
        "Tls13LeadingZeroSecret",
        "EDGE_CASE",
        "The shared secret begins with a zero byte, which TLS 1.3 keeps in every group.",
        &[RFC8446],
    ),
    (
        "InnerType",
        "EDGE_CASE",
        "The encrypted content type is none that TLS has. The record is good; what becomes of it \
         is for the layer above.",
        &[RFC8446],
    ),
    (
        "InnerPadding",
        "FUNCTIONALITY",
        "Zeros follow the content type, which hide how long the plaintext is.",
        &[RFC8446],
    ),
    (
        "TrailingZeros",
        "EDGE_CASE",
        "The plaintext ends with zeros, which are before the content type and no padding.",
        &[RFC8446],
    ),
    (
        "LargeSequenceNumber",
        "EDGE_CASE",
        "The sequence number has more than a byte, which are added to the end of the IV.",
        &[RFC8446],
    ),
    (
        "OnlyPadding",
        "INPUT_VALIDATION",
        "An authentic record has no content type. The search for it must end before the record \
         does.",
        &[RFC8446],
    ),
    (
        "UnexpectedInner",
        "INPUT_VALIDATION",
        "An authentic record has an encrypted ChangeCipherSpec, or no bytes of an alert or a \
         handshake message.",
        &[RFC8446],
    ),
];

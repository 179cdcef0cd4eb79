//! The file of `--external-psk`: pre-shared keys of TLS 1.3, one in a line. In a file, no list of
//! processes shows them.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use ssl_provider::{HashAlgorithm, Provider};
use ssl_provider_lab::{DEFAULT_PSK_HASH, ExternalPsk, Zeroizing};

use crate::exit::Failure;

/// Longest file in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Shortest key in bytes: fewer can be tried one after the other.
const MIN_KEY_LEN: usize = 16;

/// Reads the keys of a server. Empty lines, and those that begin with `#`, are passed over.
///
/// # Errors
///
/// [`Failure::Usage`] for a file that cannot be read, has no key or two of one name, and for a line
/// that is not as expected; the text never has the key.
pub(crate) fn read(provider: &Provider, path: &Path) -> Result<Vec<Arc<ExternalPsk>>, Failure> {
    let file = path.display();
    let failure = |why: &str| Failure::usage(format_args!("--external-psk {file}: {why}"));
    let opened = File::open(path).map_err(|error| failure(&error.to_string()))?;
    // No copy of a part is left behind where the text grows.
    let len = opened.metadata().map_or(0, |it| it.len()).min(MAX_LEN + 1);
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(len).unwrap_or(0) + 1));
    opened.take(MAX_LEN + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => failure("expected text: a name and a key in hex in each line"),
        _ => failure(&error.to_string()),
    })?;
    if text.len() as u64 > MAX_LEN {
        return Err(failure(&format!("more than {MAX_LEN} bytes")));
    }
    let mut keys: Vec<Arc<ExternalPsk>> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key =
            parse(provider, line).map_err(|why| failure(&format!("line {}: {why}", number + 1)))?;
        if keys.iter().any(|other| other.identity() == key.identity()) {
            return Err(failure(&format!("line {}: the name is there already", number + 1)));
        }
        keys.push(Arc::new(key));
    }
    match keys.is_empty() {
        true => Err(failure("no key: expected a name and a key in hex in a line")),
        false => Ok(keys),
    }
}

/// Reads the one key of a client.
///
/// # Errors
///
/// As [`read`], and for several keys.
pub(crate) fn of_client(provider: &Provider, path: &Path) -> Result<Arc<ExternalPsk>, Failure> {
    let mut keys = read(provider, path)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(Failure::usage(format_args!(
            "--external-psk {}: several keys; a client has one",
            path.display()
        ))),
    }
}

fn parse(provider: &Provider, line: &str) -> Result<ExternalPsk, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(key)) = (words.next(), words.next()) else {
        return Err("expected a name, a key in hex, and sha256 or sha384".to_owned());
    };
    let hash = match (words.next(), words.next()) {
        (None, _) => DEFAULT_PSK_HASH,
        (Some("sha256"), None) => HashAlgorithm::Sha256,
        (Some("sha384"), None) => HashAlgorithm::Sha384,
        _ => return Err("expected sha256, sha384 or nothing behind the key".to_owned()),
    };
    let mut bytes = Zeroizing::new(vec![0; key.len() / 2]);
    let key = base16ct::mixed::decode(key, &mut bytes)
        .map_err(|_| "the key is not hex, of two digits for each byte".to_owned())?;
    if key.len() < MIN_KEY_LEN {
        return Err(format!("the key has {} bytes, at least {MIN_KEY_LEN} are needed", key.len()));
    }
    ExternalPsk::new(provider, name.as_bytes(), hash, key).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ssl_provider::default_backend;

    use super::*;

    fn written(text: &str) -> Result<Vec<Arc<ExternalPsk>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.psk");
        fs::write(&path, text).unwrap();
        let provider = Provider::open(default_backend().unwrap());
        read(&provider, &path).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_line_has_name_key_and_hash() {
        let key = "00112233445566778899aabbccddeeff";
        let text = format!("# of the lab\n\none {key}\r\ntwo {} sha384\n", key.to_uppercase());
        let keys = written(&text).unwrap();
        let found: Vec<_> = keys.iter().map(|key| (key.identity(), key.hash())).collect();
        assert_eq!(
            found,
            [(&b"one"[..], HashAlgorithm::Sha256), (&b"two"[..], HashAlgorithm::Sha384)]
        );
    }

    #[test]
    fn a_bad_line_is_named_without_its_key() {
        let key = "00112233445566778899aabbccddeeff";
        for (text, why) in [
            (String::new(), "no key"),
            ("one\n".to_owned(), "line 1: expected a name"),
            (format!("\none {}\n", &key[..30]), "line 2: the key has 15 bytes"),
            (format!("one {key}0\n"), "line 1: the key is not hex"),
            (format!("one x{}\n", &key[1..]), "line 1: the key is not hex"),
            (format!("one {key} sha1\n"), "line 1: expected sha256"),
            (format!("one {key}\none {key}\n"), "line 2: the name is there already"),
        ] {
            let told = written(&text).unwrap_err();
            assert!(told.contains(why), "{told}");
            assert!(!told.contains(&key[2..20]), "{told}");
        }
        assert!(written("\u{0}one").is_err());
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_as_a_whole() {
        let key = "one 00112233445566778899aabbccddeeff\n";
        let max = usize::try_from(MAX_LEN).unwrap();
        let padded = |len: usize| format!("{key}{}", "#".repeat(len - key.len()));
        assert_eq!(written(&padded(max)).unwrap().len(), 1);
        let told = written(&padded(max + 1)).unwrap_err();
        assert!(told.contains("more than 1048576 bytes"), "{told}");
    }
}

//! Splits a PEM file (RFC 7468) into its blocks. As many key files need it, text around the blocks,
//! any line length and any line ending are accepted.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::fault::Fault;

/// One block, still in base64.
pub(super) struct Block<'a> {
    /// The label after BEGIN.
    pub(super) label: String,
    /// Whether the header names OpenSSL's legacy encryption (RFC 1421 section 4.6.1.1).
    pub(super) legacy_encryption: bool,
    body: Vec<&'a [u8]>,
}

/// Returns every block of a file, in order; none for a file that is not PEM.
pub(super) fn blocks(file: &[u8]) -> Result<Vec<Block<'_>>, Fault> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
        if let Some(label) = boundary(line, b"-----BEGIN ")? {
            if open.is_some() {
                return Err(Fault::Pem("a block begins inside another one"));
            }
            open = Some(Block { label, legacy_encryption: false, body: Vec::new() });
        } else if let Some(label) = boundary(line, b"-----END ")? {
            match open.take() {
                Some(block) if block.label == label => blocks.push(block),
                Some(_) => return Err(Fault::Pem("the labels of BEGIN and END differ")),
                None => return Err(Fault::Pem("an END without a BEGIN")),
            }
        } else if let Some(block) = &mut open {
            if line.ends_with(b"-----") {
                return Err(LINE_BREAKS);
            }
            // No header line is base64, which has no colon.
            if !line.contains(&b':') {
                block.body.push(line);
            } else if line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED") {
                block.legacy_encryption = true;
            }
        }
    }
    match open {
        Some(_) => Err(Fault::Pem("a BEGIN without an END; the file is cut off")),
        None => Ok(blocks),
    }
}

impl Block<'_> {
    /// The content of the block. Decoding takes the same time for all values of the bytes.
    pub(super) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let len = self.body.iter().map(|line| line.len()).sum();
        let mut joined = Zeroizing::new(Vec::with_capacity(len));
        for line in &self.body {
            joined.extend_from_slice(line);
        }
        let invalid = Fault::Pem("its base64 is not valid");
        let Ok(text) = str::from_utf8(&joined) else { return Err(invalid) };
        let mut decoded = Zeroizing::new(vec![0; len.div_ceil(4) * 3]);
        let Ok(bytes) = Base64::decode(text, &mut decoded) else { return Err(invalid) };
        let decoded_len = bytes.len();
        decoded.truncate(decoded_len);
        Ok(decoded)
    }
}

fn boundary(line: &[u8], start: &[u8]) -> Result<Option<String>, Fault> {
    let label = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(b"-----"));
    match label {
        // What would be the label has the key in it, so no copy of it is made.
        Some(label) if label.windows(5).any(|part| part == b"-----") => Err(LINE_BREAKS),
        label => Ok(label.map(|label| String::from_utf8_lossy(label).into_owned())),
    }
}

const LINE_BREAKS: Fault = Fault::Pem("line breaks are missing; each boundary needs its own line");

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(file: &str) -> Vec<(String, Vec<u8>)> {
        let blocks = blocks(file.as_bytes()).unwrap();
        blocks.iter().map(|block| (block.label.clone(), block.decode().unwrap().to_vec())).collect()
    }

    fn message(file: &str) -> String {
        match blocks(file.as_bytes()).and_then(|blocks| blocks[0].decode()) {
            Err(fault) => fault.to_string(),
            Ok(_) => panic!("{file}: accepted"),
        }
    }

    #[test]
    fn blocks_are_found_among_text_with_any_line_ending_and_length() {
        let file = "\u{feff}Bag Attributes: x\r\n-----BEGIN A-----\r\nAQ\r\nID\r\n\
                    -----END A-----\r\n\
                    subject=/CN=b\n  -----BEGIN B C-----  \nBAUG\n-----END B C-----";
        let expected = [("A".to_owned(), vec![1, 2, 3]), ("B C".to_owned(), vec![4, 5, 6])];
        assert_eq!(decoded(file), expected);
        assert_eq!(decoded("no block at all"), []);
    }

    #[test]
    fn damage_is_named() {
        assert!(message("-----BEGIN A-----\nAQID\n").contains("cut off"));
        for joined in
            ["-----BEGIN A-----AQID-----END A-----", "-----BEGIN A-----\nAQID -----END A-----"]
        {
            assert!(message(joined).contains("line breaks are missing"), "{joined}");
        }
        assert!(message("-----BEGIN A-----\nAQID\n-----END B-----").contains("differ"));
        assert!(message("-----END A-----").contains("without a BEGIN"));
        assert!(message("-----BEGIN A-----\n-----BEGIN A-----").contains("inside"));
        assert!(message("-----BEGIN A-----\nA*ID\n-----END A-----").contains("base64"));
        assert!(message("-----BEGIN A-----\nAQI\n-----END A-----").contains("base64"));
    }

    #[test]
    fn legacy_encryption_is_seen_in_the_header() {
        let file = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                    DEK-Info: DES-EDE3-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----\n";
        let blocks = blocks(file.as_bytes()).unwrap();
        assert!(blocks[0].legacy_encryption);
    }
}

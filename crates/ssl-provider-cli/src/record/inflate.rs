//! Record compression with DEFLATE (RFC 3749): one zlib stream over all records of a direction.
//! Records that were not kept are part of it, so nothing after them can be decompressed.

use flate2::{Decompress, FlushDecompress, Status};

use super::RecordError;

/// Most bytes in a record (RFC 5246 section 6.2.1).
const MAX_PLAINTEXT_LEN: usize = 1 << 14;

/// The compression state of one direction.
pub(super) struct Inflate {
    stream: Decompress,
    lost: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { stream: Decompress::new(true), lost: false }
    }

    /// Notes that records were skipped.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    pub(super) fn inflate(&mut self, compressed: &[u8]) -> Result<Vec<u8>, RecordError> {
        if self.lost {
            let why = "compressed records cannot be decrypted after skipped application data";
            return Err(RecordError::Missing(why));
        }
        let mut plaintext = Vec::with_capacity(MAX_PLAINTEXT_LEN);
        let before = self.stream.total_in();
        // Fills the spare capacity without growing it.
        let status = self.stream.decompress_vec(compressed, &mut plaintext, FlushDecompress::Sync);
        let all_taken = self.stream.total_in() - before == compressed.len() as u64;
        match status {
            Ok(Status::Ok | Status::StreamEnd | Status::BufError) if all_taken => Ok(plaintext),
            Ok(_) | Err(_) => Err(RecordError::Bad("compression")),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    #[test]
    fn records_share_one_stream_and_none_can_be_left_out() {
        let mut compress = Compress::new(Compression::default(), true);
        let mut record = |text: &[u8]| {
            let mut out = Vec::with_capacity(20_000);
            compress.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
            out
        };
        let (first, second) = (record(b"handshake handshake"), record(b"handshake"));
        let mut inflate = Inflate::new();
        assert_eq!(inflate.inflate(&first).unwrap(), b"handshake handshake");
        assert_eq!(inflate.inflate(&second).unwrap(), b"handshake");
        inflate.lose();
        assert!(matches!(inflate.inflate(&second), Err(RecordError::Missing(_))));

        let bomb = record(&[0; 100_000]);
        let mut inflate = Inflate::new();
        inflate.inflate(&first).unwrap();
        inflate.inflate(&second).unwrap();
        assert!(inflate.inflate(&bomb).is_err(), "more than a record holds");
    }
}

//! A copy of a capture as pcapng with the key log inside, in a Decryption Secrets Block
//! (pcapng specification, section 4.7). It stands before all packets, where every reader finds it.

use std::fmt::Display;
use std::io::BufReader;
use std::path::Path;

use super::input;
use super::output_file::OutputFile;
use crate::capture::{CaptureReader, Packet};
use crate::exit::Failure;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
/// `TLSK`, the secrets type of a TLS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Writes the copy.
pub(super) fn write(capture: &Path, key_log: &str, mut out: OutputFile) -> Result<(), Failure> {
    copy(capture, key_log, &mut out)?;
    out.commit().map(drop)
}

/// Copies packet by packet: section, interfaces and times are kept, comments and other blocks are
/// not. What cannot be read any more ends the copy, as it ended the analysis.
fn copy(capture: &Path, key_log: &str, out: &mut OutputFile) -> Result<(), Failure> {
    let input = BufReader::new(input::open(capture)?);
    let unusable = |error: &dyn Display| input::unusable(capture, error);
    let mut reader = CaptureReader::new(input).map_err(|error| unusable(&error))?;
    let mut copy = Copy { out, interfaces: Vec::new() };
    copy.header(key_log)?;
    while let Ok(Some(packet)) = reader.next_packet() {
        copy.packet(&packet)?;
    }
    Ok(())
}

struct Copy<'o> {
    out: &'o mut OutputFile,
    /// The link type of each interface that has been described.
    interfaces: Vec<u16>,
}

impl Copy<'_> {
    fn header(&mut self, key_log: &str) -> Result<(), Failure> {
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // The length of the section is not known.
        body.extend(u64::MAX.to_le_bytes());
        self.block(SECTION_HEADER, &[&body])?;
        let len = length(key_log.len())?.to_le_bytes();
        self.block(DECRYPTION_SECRETS, &[&TLS_KEY_LOG.to_le_bytes(), &len, key_log.as_bytes()])
    }

    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let known = self.interfaces.iter().position(|link_type| *link_type == packet.link_type);
        let interface = match known {
            Some(interface) => interface,
            None => self.interface(packet.link_type)?,
        };
        let interface = length(interface)?.to_le_bytes();
        let [a, b, c, d, e, f, g, h] = packet.time.unwrap_or(0).to_be_bytes();
        let high = u32::from_be_bytes([a, b, c, d]).to_le_bytes();
        let low = u32::from_be_bytes([e, f, g, h]).to_le_bytes();
        let captured = length(packet.data.len())?.to_le_bytes();
        let original = packet.original_len.to_le_bytes();
        self.block(ENHANCED_PACKET, &[&interface, &high, &low, &captured, &original, packet.data])
    }

    /// Describes one more interface, with times in nanoseconds, and returns its number.
    fn interface(&mut self, link_type: u16) -> Result<usize, Failure> {
        let mut body = Vec::new();
        body.extend(link_type.to_le_bytes());
        body.extend([0; 2]);
        body.extend(0_u32.to_le_bytes());
        // if_tsresol 9: nanoseconds; then the end of the options.
        body.extend([9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        self.block(INTERFACE_DESCRIPTION, &[&body])?;
        self.interfaces.push(link_type);
        Ok(self.interfaces.len() - 1)
    }

    fn block(&mut self, kind: u32, parts: &[&[u8]]) -> Result<(), Failure> {
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let padding = body.next_multiple_of(4) - body;
        let len = length(12 + body + padding)?.to_le_bytes();
        let head = [&kind.to_le_bytes()[..], &len];
        let tail = [&[0; 3][..padding], &len];
        let mut pieces = head.iter().chain(parts).chain(&tail);
        pieces.try_for_each(|piece| self.out.write(piece))
    }
}

fn length(len: usize) -> Result<u32, Failure> {
    u32::try_from(len).map_err(|_| Failure::usage("the key log is too long for a pcapng block"))
}

//! The classic pcap format: a file header, then packets, each behind a header of its own.
//! Both byte orders, micro- and nanoseconds, and the variant with longer packet headers.

use std::io::Read;

use pcap_parser::nom::bytes::streaming::take as bytes;
use pcap_parser::nom::number::streaming::be_u32;
use pcap_parser::nom::{Err as Failed, IResult, Needed, Parser};
use pcap_parser::pcap::{
    LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};
use pcap_parser::{Linktype, PcapError};

use super::reader::{CaptureError, MAX_PACKET_LEN, Packet};
use super::window::Window;

const FILE_HEADER_LEN: usize = 24;

/// The magic numbers of big-endian microseconds, with the longer packet headers and without.
const MODIFIED_BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xcd, 0x34];
const BIG_ENDIAN: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];

type Frame<'a> = IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>>;

/// What the file header says.
pub(super) struct Pcap {
    parse_frame: fn(&[u8]) -> Frame<'_>,
    nanoseconds_per_tick: u64,
    packet_header_len: usize,
    link_type: u16,
    /// Length of the packet that was handed out last and is still in the window.
    unread: u64,
}

impl Pcap {
    /// Parses the file header.
    pub(super) fn start<R: Read>(window: &mut Window<R>) -> Result<Self, CaptureError> {
        // Where the file is shorter, its magic number still tells whether it is a capture.
        window.peek(FILE_HEADER_LEN)?;
        let mut header = window.available().to_vec();
        header.truncate(FILE_HEADER_LEN);
        // The parser knows the longer packet headers in little endian only.
        let modified_big_endian = header.starts_with(&MODIFIED_BIG_ENDIAN);
        if let (true, Some(magic)) = (modified_big_endian, header.first_chunk_mut()) {
            *magic = BIG_ENDIAN;
        }
        let header = match parse_pcap_header(&header) {
            Ok((_, header)) => header,
            Err(Failed::Incomplete(_)) => return Err(CaptureError::Truncated { offset: 0 }),
            Err(_) => return Err(CaptureError::NotACapture),
        };
        window.skip(FILE_HEADER_LEN as u64)?;
        let (parse_frame, packet_header_len): (fn(&[u8]) -> Frame<'_>, _) = if modified_big_endian {
            (parse_frame_modified_be, 24)
        } else if header.is_modified_format() {
            (parse_pcap_frame_modified, 24)
        } else if header.is_bigendian() {
            (parse_pcap_frame_be, 16)
        } else {
            (parse_pcap_frame, 16)
        };
        Ok(Self {
            parse_frame,
            nanoseconds_per_tick: if header.is_nanosecond_precision() { 1 } else { 1000 },
            packet_header_len,
            link_type: link_type(header.network),
            unread: 0,
        })
    }

    pub(super) fn next_packet<'w, R: Read>(
        &mut self,
        window: &'w mut Window<R>,
    ) -> Result<Option<Packet<'w>>, CaptureError> {
        window.skip(self.unread)?;
        self.unread = 0;
        let offset = window.offset();
        let Some(header) = window.head(self.packet_header_len)? else { return Ok(None) };
        // Given the header alone, the parser asks for exactly the bytes that were captured.
        let captured = match (self.parse_frame)(header) {
            Err(Failed::Incomplete(Needed::Size(captured))) => captured.get(),
            _ => 0,
        };
        if captured > MAX_PACKET_LEN as usize {
            let what = format!("a packet claims to be {captured} bytes long");
            return Err(CaptureError::Corrupt { offset, what });
        }
        let len = self.packet_header_len + captured;
        let frame = window.peek(len)?.ok_or(CaptureError::Truncated { offset })?;
        let Ok((_, frame)) = (self.parse_frame)(frame) else {
            let what = "a packet has an unknown format".to_owned();
            return Err(CaptureError::Corrupt { offset, what });
        };
        self.unread = len as u64;
        let time = u64::from(frame.ts_sec) * 1_000_000_000
            + u64::from(frame.ts_usec).saturating_mul(self.nanoseconds_per_tick);
        Ok(Some(Packet {
            link_type: self.link_type,
            time: Some(time),
            data: frame.data,
            original_len: frame.origlen,
        }))
    }
}

/// The number of a link type. In pcap files, the high half of the field holds the length of a
/// frame check sequence.
pub(super) fn link_type(field: Linktype) -> u16 {
    let [low, high, ..] = field.0.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// [`parse_pcap_frame_modified`] in big endian, which the parser lacks.
fn parse_frame_modified_be(frame: &[u8]) -> Frame<'_> {
    let (rest, (ts_sec, ts_usec, caplen, origlen, _)) =
        (be_u32, be_u32, be_u32, be_u32, bytes(8_usize)).parse(frame)?;
    let (rest, data) = bytes(caplen)(rest)?;
    Ok((rest, LegacyPcapBlock { ts_sec, ts_usec, caplen, origlen, data }))
}

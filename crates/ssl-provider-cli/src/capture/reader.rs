//! Reads packets out of a capture file, pcap or pcapng, one at a time and without copying them.
//! A file that ends or breaks in the middle gives every packet before that place.

use std::fmt;
use std::io::{self, Read};

use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::window::Window;

/// Longest packet in bytes that is taken; libpcap itself stops at 256 KiB for networks.
pub(super) const MAX_PACKET_LEN: u32 = 16 * 1024 * 1024;

/// A packet as captured.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The link type of `tcpdump.org/linktypes.html`.
    pub link_type: u16,
    /// When it passed, in nanoseconds since 1970, where the file says.
    pub time: Option<u64>,
    /// The bytes that were captured, from the link layer on.
    pub data: &'a [u8],
    /// Bytes of the packet on the wire, which may have been longer than `data`.
    pub original_len: u32,
}

/// Why a capture could not be read, or not to its end.
#[derive(Debug)]
pub enum CaptureError {
    /// The file has no content.
    Empty,
    /// The first bytes are not those of a capture file.
    NotACapture,
    /// The file ends within a header, block or packet.
    Truncated {
        /// Where that header, block or packet starts.
        offset: u64,
    },
    /// A header or block makes no sense; the text says which and how.
    Corrupt {
        /// Where it starts.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The input could not be read.
    Io {
        /// Where reading stopped.
        offset: u64,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::NotACapture => f.write_str("not a pcap or pcapng file"),
            Self::Truncated { offset } => {
                write!(f, "the file ends in the middle of what starts at byte {offset}")
            }
            Self::Corrupt { offset, what } => write!(f, "at byte {offset}: {what}"),
            Self::Io { offset, error } => write!(f, "reading failed after byte {offset}: {error}"),
        }
    }
}

impl std::error::Error for CaptureError {}

/// A capture file, open for reading.
pub struct CaptureReader<R> {
    window: Window<R>,
    format: Format,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl<R: Read> CaptureReader<R> {
    /// Starts reading; the first bytes decide the format.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when the file is empty, is not a capture, or ends within its header.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let mut window = Window::new(input);
        let Some(magic) = take(&mut window, 4)? else {
            return Err(match window.available() {
                0 => CaptureError::Empty,
                _ => CaptureError::NotACapture,
            });
        };
        let magic = [magic[0], magic[1], magic[2], magic[3]];
        let format = if magic == Pcapng::MAGIC {
            Format::Pcapng(Pcapng::default())
        } else {
            Format::Pcap(Pcap::start(magic, &mut window)?)
        };
        Ok(Self { window, format })
    }

    /// The next packet; none at the end of the file.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] says where the file stops making sense. Every later call says so again or
    /// answers none: nothing after that place is read.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next_packet(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.next_packet(&mut self.window),
        }
    }

    /// Bytes of the file that have been read so far, after decompression.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }
}

impl<R> fmt::Debug for CaptureReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureReader").finish_non_exhaustive()
    }
}

/// The first `len` bytes of the window.
pub(super) fn take<R: Read>(
    window: &mut Window<R>,
    len: usize,
) -> Result<Option<&[u8]>, CaptureError> {
    let offset = window.offset();
    window.peek(len).map_err(|error| CaptureError::Io { offset, error })
}

/// Moves past `len` bytes that must be there.
pub(super) fn pass<R: Read>(window: &mut Window<R>, len: u64) -> Result<(), CaptureError> {
    let offset = window.offset();
    match window.skip(len) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CaptureError::Truncated { offset }),
        Err(error) => Err(CaptureError::Io { offset, error }),
    }
}

/// Reads numbers in the byte order of the machine that wrote the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ByteOrder {
    #[default]
    Little,
    Big,
}

impl ByteOrder {
    /// Two bytes at `at`; zero beyond the end.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let field = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        match self {
            Self::Little => u16::from_le_bytes(field),
            Self::Big => u16::from_be_bytes(field),
        }
    }

    /// Four bytes at `at`; zero beyond the end.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let field = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        }
    }
}

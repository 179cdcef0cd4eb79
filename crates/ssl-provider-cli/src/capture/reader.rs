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
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are not those of a capture file.
    #[error("not a pcap or pcapng file")]
    NotACapture,
    /// The file ends within a header, block or packet.
    #[error("the file ends in the middle of what starts at byte {offset}")]
    Truncated {
        /// Where that header, block or packet starts.
        offset: u64,
    },
    /// A header or block makes no sense; the text says which and how.
    #[error("at byte {offset}: {what}")]
    Corrupt {
        /// Where it starts.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The input could not be read.
    #[error("reading failed after byte {offset}: {error}")]
    Io {
        /// Where reading stopped.
        offset: u64,
        /// Why.
        error: io::Error,
    },
}

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
        let Some(magic) = window.peek(4)? else {
            return Err(match window.available() {
                [] => CaptureError::Empty,
                _ => CaptureError::NotACapture,
            });
        };
        let format = if magic == Pcapng::MAGIC {
            Format::Pcapng(Pcapng::default())
        } else {
            Format::Pcap(Pcap::start(&mut window)?)
        };
        Ok(Self { window, format })
    }

    /// The next packet; none at the end of the file.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] says where the file stops making sense. Every later call fails again or
    /// returns `None`: nothing after that place is read.
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
#[cfg(test)]
mod tests {
    use super::super::pcapng::ByteOrder;
    use super::*;

    /// Time, content and length on the wire.
    type Read = (Option<u64>, Vec<u8>, u32);

    /// Every packet of a file, and how it ended.
    fn read(bytes: &[u8]) -> (Vec<Read>, Result<(), CaptureError>) {
        let mut packets = Vec::new();
        let mut reader = match CaptureReader::new(bytes) {
            Ok(reader) => reader,
            Err(error) => return (packets, Err(error)),
        };
        loop {
            match reader.next_packet() {
                Ok(None) => return (packets, Ok(())),
                Ok(Some(packet)) => {
                    packets.push((packet.time, packet.data.to_vec(), packet.original_len));
                }
                Err(error) => return (packets, Err(error)),
            }
        }
    }

    /// A file made of 32-bit numbers in one of the byte orders, and of bytes.
    struct Writer {
        order: ByteOrder,
        bytes: Vec<u8>,
    }

    impl Writer {
        fn new(order: ByteOrder) -> Self {
            Self { order, bytes: Vec::new() }
        }

        fn numbers(mut self, numbers: &[u32]) -> Self {
            for number in numbers {
                self.bytes.extend(self.order.bytes(*number));
            }
            self
        }

        fn bytes(mut self, bytes: &[u8]) -> Self {
            self.bytes.extend(bytes);
            self
        }

        /// A pcapng block of this type; `body` writes what is in it.
        fn block(self, kind: u32, body: impl FnOnce(Self) -> Self) -> Self {
            let inner = body(Self::new(self.order)).bytes;
            let padding = inner.len().next_multiple_of(4) - inner.len();
            let len = u32::try_from(12 + inner.len() + padding).unwrap();
            self.numbers(&[kind, len]).bytes(&inner).bytes(&[0; 3][..padding]).numbers(&[len])
        }

        fn section(self) -> Self {
            self.block(0x0a0d_0d0a, |body| {
                body.numbers(&[0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX])
            })
        }

        /// An Ethernet interface: the link type shares its number with a reserved field.
        fn interface(self, snap_len: u32, options: &[u8]) -> Self {
            let link_type = match self.order {
                ByteOrder::Little => 1,
                ByteOrder::Big => 1 << 16,
            };
            self.block(1, |body| body.numbers(&[link_type, snap_len]).bytes(options))
        }
    }

    #[test]
    fn every_pcap_variant_is_read_in_both_byte_orders() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for (magic, extra, time) in [
                (0xa1b2_c3d4, 0, 5_000_007_000),
                (0xa1b2_3c4d, 0, 5_000_000_007),
                (0xa1b2_cd34, 8, 5_000_007_000),
            ] {
                let file = Writer::new(order)
                    .numbers(&[magic, 0x0002_0004, 0, 0, 65535, 1])
                    .numbers(&[5, 7, 3, 9])
                    .bytes(&vec![0; extra])
                    .bytes(b"abc")
                    .bytes;
                let (packets, end) = read(&file);
                assert!(end.is_ok(), "{order:?} {magic:x}: {end:?}");
                assert_eq!(packets, [(Some(time), b"abc".to_vec(), 9)], "{order:?} {magic:x}");
                let (packets, end) = read(&file[..file.len() - 1]);
                assert!(packets.is_empty());
                assert!(matches!(end, Err(CaptureError::Truncated { offset: 24 })), "{end:?}");
            }
        }
    }

    #[test]
    fn every_packet_block_of_pcapng_is_read_in_both_byte_orders() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let milliseconds = match order {
                ByteOrder::Little => [9, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0],
                ByteOrder::Big => [0, 9, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0],
            };
            let old_interface = match order {
                ByteOrder::Little => 1,
                ByteOrder::Big => 1 << 16,
            };
            let file = Writer::new(order)
                .section()
                .interface(2, &[])
                .interface(0, &milliseconds)
                .block(0xbad, |body| body.bytes(&[7; 99]))
                .block(6, |body| body.numbers(&[0, 0, 8_000_001, 5, 6]).bytes(b"hello"))
                .block(3, |body| body.numbers(&[5]).bytes(b"he"))
                .block(2, |body| body.numbers(&[old_interface, 0, 4, 1, 1]).bytes(b"x"))
                .section()
                .interface(0, &[])
                .block(6, |body| body.numbers(&[0, 1, 0, 0, 0]))
                .bytes;
            let (packets, end) = read(&file);
            assert!(end.is_ok(), "{end:?}");
            let expected = [
                (Some(8_000_001_000), b"hello".to_vec(), 6),
                (None, b"he".to_vec(), 5),
                (Some(4_000_000), b"x".to_vec(), 1),
                (Some((1 << 32) * 1000), Vec::new(), 0),
            ];
            assert_eq!(packets, expected, "{order:?}");
        }
    }

    #[test]
    fn blocks_that_contradict_themselves_are_named_with_their_place() {
        let start = || Writer::new(ByteOrder::Little).section().interface(0, &[]);
        let place = start().bytes.len() as u64;
        let unknown_interface = start().block(6, |body| body.numbers(&[1, 0, 0, 0, 0]));
        let beyond = start().block(6, |body| body.numbers(&[0, 0, 0, 9, 9]).bytes(b"short"));
        let tiny = start().numbers(&[6, 4, 4]);
        for file in [unknown_interface, beyond, tiny] {
            let (packets, end) = read(&file.bytes);
            assert!(packets.is_empty());
            assert!(matches!(end, Err(CaptureError::Corrupt { offset, .. }) if offset == place));
        }
    }
    #[test]
    fn lengths_that_leave_out_the_padding_are_read() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let file = Writer::new(order)
                .section()
                .interface(0, &[])
                .numbers(&[6, 37, 0, 0, 1, 5, 5])
                .bytes(b"hello\0\0\0")
                .numbers(&[37, 3, 19, 3])
                .bytes(b"abc\0")
                .numbers(&[19, 2, 35, 0, 0, 2, 3, 3])
                .bytes(b"old\0")
                .numbers(&[35])
                .bytes;
            let (packets, end) = read(&file);
            assert!(end.is_ok(), "{end:?}");
            let expected = [
                (Some(1000), b"hello".to_vec(), 5),
                (None, b"abc".to_vec(), 3),
                (Some(2000), b"old".to_vec(), 3),
            ];
            assert_eq!(packets, expected, "{order:?}");
        }
    }

    #[test]
    fn a_wrong_length_behind_a_body_loses_no_packet() {
        let file = Writer::new(ByteOrder::Big)
            .section()
            .interface(0, &[])
            .numbers(&[6, 36, 0, 0, 1, 4, 4])
            .bytes(b"once")
            .numbers(&[99])
            .block(6, |body| body.numbers(&[0, 0, 2, 5, 5]).bytes(b"twice"))
            .bytes;
        let (packets, end) = read(&file);
        assert!(end.is_ok(), "{end:?}");
        let expected = [(Some(1000), b"once".to_vec(), 4), (Some(2000), b"twice".to_vec(), 5)];
        assert_eq!(packets, expected);
    }

    #[test]
    fn a_resolution_that_is_a_power_of_two_is_read() {
        let file = Writer::new(ByteOrder::Little)
            .section()
            .interface(0, &[9, 0, 1, 0, 0x8a, 0, 0, 0, 0, 0, 0, 0])
            .block(6, |body| body.numbers(&[0, 0, 512, 0, 0]))
            .bytes;
        let (packets, end) = read(&file);
        assert!(end.is_ok(), "{end:?}");
        assert_eq!(packets, [(Some(500_000_000), Vec::new(), 0)]);
    }

    #[test]
    fn options_beyond_their_room_are_refused_before_they_are_loaded() {
        let file = Writer::new(ByteOrder::Little).section().interface(0, &[]).numbers(&[
            6,
            2 * 1024 * 1024,
            0,
            0,
            0,
            4,
            4,
        ]);
        let (packets, end) = read(&file.bytes);
        assert!(packets.is_empty());
        assert!(matches!(end, Err(CaptureError::Corrupt { offset: 48, .. })), "{end:?}");
    }
}

//! The classic pcap format: a file header, then packets, each behind a header of its own.
//! Both byte orders, micro- and nanoseconds, and the variant with longer packet headers.

use std::io::Read;

use super::reader::{ByteOrder, CaptureError, MAX_PACKET_LEN, Packet, pass, take};
use super::window::Window;

const FILE_HEADER_LEN: usize = 24;

/// What the file header says.
pub(super) struct Pcap {
    order: ByteOrder,
    nanoseconds_per_tick: u64,
    packet_header_len: usize,
    link_type: u16,
    /// Length of the packet that was handed out last and is still in the window.
    unread: u64,
}

impl Pcap {
    /// Parses the file header, whose first four bytes are `magic`.
    pub(super) fn start<R: Read>(
        magic: [u8; 4],
        window: &mut Window<R>,
    ) -> Result<Self, CaptureError> {
        let (order, magic) = match magic {
            [0xa1, 0xb2, ..] => (ByteOrder::Big, u32::from_be_bytes(magic)),
            _ => (ByteOrder::Little, u32::from_le_bytes(magic)),
        };
        let (nanoseconds_per_tick, packet_header_len) = match magic {
            0xa1b2_c3d4 => (1000, 16),
            0xa1b2_3c4d => (1, 16),
            0xa1b2_cd34 => (1000, 24),
            _ => return Err(CaptureError::NotACapture),
        };
        let header = take(window, FILE_HEADER_LEN)?.ok_or(CaptureError::Truncated { offset: 0 })?;
        // The high half of the field holds the length of a frame check sequence.
        let [low, high, ..] = order.u32(header, 20).to_le_bytes();
        let link_type = u16::from_le_bytes([low, high]);
        pass(window, FILE_HEADER_LEN as u64)?;
        Ok(Self { order, nanoseconds_per_tick, packet_header_len, link_type, unread: 0 })
    }

    pub(super) fn next_packet<'w, R: Read>(
        &mut self,
        window: &'w mut Window<R>,
    ) -> Result<Option<Packet<'w>>, CaptureError> {
        pass(window, self.unread)?;
        self.unread = 0;
        let offset = window.offset();
        let order = self.order;
        let Some(header) = take(window, self.packet_header_len)? else {
            return match window.available() {
                0 => Ok(None),
                _ => Err(CaptureError::Truncated { offset }),
            };
        };
        let (seconds, ticks) = (order.u32(header, 0), order.u32(header, 4));
        let (captured, original) = (order.u32(header, 8), order.u32(header, 12));
        if captured > MAX_PACKET_LEN {
            let what = format!("a packet claims to be {captured} bytes long");
            return Err(CaptureError::Corrupt { offset, what });
        }
        let time = u64::from(seconds) * 1_000_000_000
            + u64::from(ticks).saturating_mul(self.nanoseconds_per_tick);
        let len = self.packet_header_len + captured as usize;
        let data = take(window, len)?
            .and_then(|packet| packet.get(self.packet_header_len..))
            .ok_or(CaptureError::Truncated { offset })?;
        self.unread = len as u64;
        let link_type = self.link_type;
        Ok(Some(Packet { link_type, time: Some(time), data, original_len: original }))
    }
}

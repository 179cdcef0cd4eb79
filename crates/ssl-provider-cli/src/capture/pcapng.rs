//! The pcapng format: sections of blocks, where interface blocks describe and packet blocks carry.
//! Blocks of other kinds are stepped over without being loaded, whatever their length.

use std::io::Read;

use super::reader::{ByteOrder, CaptureError, MAX_PACKET_LEN, Packet, pass, take};
use super::window::Window;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Block type and length before the body, and the length again after it.
const FRAME_LEN: u32 = 12;
/// Longest interface block in bytes; real ones have a name and a filter.
const MAX_INTERFACE_LEN: u32 = 64 * 1024;
/// Room for the options behind a packet.
const MAX_OPTIONS_LEN: u32 = 1024 * 1024;
/// Most interfaces of a section; each costs memory.
const MAX_INTERFACES: usize = 65_536;

/// The state of the section that is being read.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Length of the block that was handed out last and is still in the window.
    unread: u64,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: u16,
    snap_len: u32,
    ticks_per_second: u64,
}

impl Pcapng {
    /// The block type of a section header, a palindrome.
    pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

    pub(super) fn next_packet<'w, R: Read>(
        &mut self,
        window: &'w mut Window<R>,
    ) -> Result<Option<Packet<'w>>, CaptureError> {
        pass(window, self.unread)?;
        self.unread = 0;
        // Finds the packet first and borrows it last, which is what the borrow checker can follow.
        let (len, fields) = loop {
            let offset = window.offset();
            let Some((kind, len)) = self.next_block(window)? else { return Ok(None) };
            let limit = match kind {
                INTERFACE_DESCRIPTION => MAX_INTERFACE_LEN,
                OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => MAX_PACKET_LEN + MAX_OPTIONS_LEN,
                _ => {
                    pass(window, u64::from(len))?;
                    continue;
                }
            };
            if len > limit {
                let what = format!("a block claims to be {len} bytes long");
                return Err(CaptureError::Corrupt { offset, what });
            }
            let block = take(window, len as usize)?.ok_or(CaptureError::Truncated { offset })?;
            // The frame has been checked to fit.
            let body = block.get(8..block.len() - 4).unwrap_or_default();
            if kind == INTERFACE_DESCRIPTION {
                self.add_interface(body, offset)?;
                pass(window, u64::from(len))?;
                continue;
            }
            break (len, self.packet_fields(kind, body, offset)?);
        };
        self.unread = u64::from(len);
        let offset = window.offset();
        let data = take(window, len as usize)?
            .and_then(|block| block.get(8..)?.get(fields.start..)?.get(..fields.captured))
            .ok_or_else(|| beyond_block(offset))?;
        Ok(Some(Packet {
            link_type: fields.interface.link_type,
            time: fields.time,
            data,
            original_len: fields.original_len,
        }))
    }

    /// Type and length of the next block. A section header is read here, as it sets the byte order
    /// in which its own length is to be read.
    fn next_block<R: Read>(
        &mut self,
        window: &mut Window<R>,
    ) -> Result<Option<(u32, u32)>, CaptureError> {
        let offset = window.offset();
        let Some(head) = take(window, FRAME_LEN as usize)? else {
            return match window.available() {
                0 => Ok(None),
                _ => Err(CaptureError::Truncated { offset }),
            };
        };
        if head.starts_with(&Self::MAGIC) {
            self.order = match head.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => ByteOrder::Big,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => ByteOrder::Little,
                _ => {
                    let what = "a section header has an unknown byte order".to_owned();
                    return Err(CaptureError::Corrupt { offset, what });
                }
            };
            self.interfaces.clear();
        }
        let (kind, len) = (self.order.u32(head, 0), self.order.u32(head, 4));
        let shortest = if kind == SECTION_HEADER { 28 } else { FRAME_LEN };
        // Bodies are padded to four bytes, but some writers do not count the padding.
        let padded = len.checked_next_multiple_of(4);
        match padded {
            Some(padded) if len >= shortest => Ok(Some((kind, padded))),
            _ => {
                let what = format!("a block claims to be {len} bytes long");
                Err(CaptureError::Corrupt { offset, what })
            }
        }
    }

    fn add_interface(&mut self, body: &[u8], offset: u64) -> Result<(), CaptureError> {
        if body.len() < 8 || self.interfaces.len() >= MAX_INTERFACES {
            let what = "an interface block is too short, or one too many".to_owned();
            return Err(CaptureError::Corrupt { offset, what });
        }
        self.interfaces.push(Interface {
            link_type: self.order.u16(body, 0),
            snap_len: self.order.u32(body, 4),
            ticks_per_second: self.ticks_per_second(body.get(8..).unwrap_or_default()),
        });
        Ok(())
    }

    /// The option if_tsresol; microseconds without it.
    fn ticks_per_second(&self, mut options: &[u8]) -> u64 {
        const END: u16 = 0;
        const IF_TSRESOL: u16 = 9;
        loop {
            let (code, len) = (self.order.u16(options, 0), self.order.u16(options, 2));
            match (code, options.get(4)) {
                (END, _) | (_, None) => return 1_000_000,
                (IF_TSRESOL, Some(resolution)) => {
                    let exponent = u32::from(resolution & 0x7f);
                    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
                    return base.checked_pow(exponent).unwrap_or(u64::MAX);
                }
                _ => {
                    let step = 4 + usize::from(len).next_multiple_of(4);
                    options = options.get(step..).unwrap_or_default();
                }
            }
        }
    }

    fn packet_fields(
        &self,
        kind: u32,
        body: &[u8],
        offset: u64,
    ) -> Result<PacketFields, CaptureError> {
        let order = self.order;
        let id = match kind {
            ENHANCED_PACKET => order.u32(body, 0),
            OLD_PACKET => u32::from(order.u16(body, 0)),
            _ => 0,
        };
        let interface = *self.interfaces.get(id as usize).ok_or_else(|| CaptureError::Corrupt {
            offset,
            what: format!("a packet names interface {id}, which is not described"),
        })?;
        let (start, captured, original, ticks) = if kind == SIMPLE_PACKET {
            let original = order.u32(body, 0);
            let limit = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
            (4, original.min(limit), original, None)
        } else {
            let ticks = u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8));
            (20, order.u32(body, 12), order.u32(body, 16), Some(ticks))
        };
        let captured_len = captured as usize;
        if body.len() < start || body.len() - start < captured_len {
            return Err(beyond_block(offset));
        }
        let time = ticks.map(|ticks| interface.nanoseconds(ticks));
        Ok(PacketFields { interface, start, captured: captured_len, time, original_len: original })
    }
}

struct PacketFields {
    interface: Interface,
    start: usize,
    captured: usize,
    time: Option<u64>,
    original_len: u32,
}

impl Interface {
    fn nanoseconds(self, ticks: u64) -> u64 {
        let nanoseconds =
            u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second.max(1));
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }
}

fn beyond_block(offset: u64) -> CaptureError {
    CaptureError::Corrupt { offset, what: "a packet reaches beyond its block".to_owned() }
}

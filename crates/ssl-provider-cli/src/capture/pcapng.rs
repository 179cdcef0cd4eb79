//! The pcapng format: sections of blocks, where interface blocks describe and packet blocks carry.
//! Blocks of other kinds are stepped over without being loaded, whatever their length.

use std::io::Read;

use pcap_parser::pcapng::{
    BOM_MAGIC, Block, EPB_MAGIC, IDB_MAGIC, InterfaceDescriptionBlock, SHB_MAGIC, SPB_MAGIC,
    parse_block_be, parse_block_le,
};

use super::pcap::link_type;
use super::reader::{CaptureError, MAX_PACKET_LEN, Packet};
use super::window::Window;
use crate::counted::counted;

/// The packet block that the enhanced one replaced.
const OLD_PACKET: u32 = 2;

/// Block type and length before the body, and the length again after it.
const FRAME_LEN: u32 = 12;
/// Longest interface block in bytes; real ones have a name and a filter.
const MAX_INTERFACE_LEN: u32 = 64 * 1024;
/// Room for what surrounds a packet. The parser lists options, at eight times their length.
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

/// What comes before the body of a block.
#[derive(Clone, Copy)]
struct Head {
    kind: u32,
    /// Length of the whole block in bytes, as written.
    written_len: u32,
    /// The same with the padding, which some writers do not count.
    len: u32,
}

impl Pcapng {
    /// The block type of a section header, a palindrome.
    pub(super) const MAGIC: [u8; 4] = SHB_MAGIC.to_be_bytes();

    pub(super) fn next_packet<'w, R: Read>(
        &mut self,
        window: &'w mut Window<R>,
    ) -> Result<Option<Packet<'w>>, CaptureError> {
        window.skip(self.unread)?;
        self.unread = 0;
        // Finds the packet first and borrows it last, which is what the borrow checker can follow.
        let head = loop {
            let Some(head) = self.next_block(window)? else { return Ok(None) };
            match head.kind {
                OLD_PACKET | SPB_MAGIC | EPB_MAGIC => break head,
                IDB_MAGIC => {
                    let offset = window.offset();
                    match self.load(head, MAX_INTERFACE_LEN, window)? {
                        Block::InterfaceDescription(block)
                            if self.interfaces.len() < MAX_INTERFACES =>
                        {
                            self.interfaces.push(Interface::new(&block));
                        }
                        _ => return Err(corrupt(offset, "an interface block is one too many")),
                    }
                }
                _ => {}
            }
            window.skip(u64::from(head.len))?;
        };
        let limit = match head.kind {
            SPB_MAGIC => MAX_PACKET_LEN,
            // Only the packet itself may be long; its length stands at the same place in both.
            _ => window.peek(24)?.map_or(0, |block| self.order.u32(block, 20)).min(MAX_PACKET_LEN),
        };
        let offset = window.offset();
        let block = self.load(head, limit + MAX_OPTIONS_LEN, window)?;
        let packet = self.packet(block, offset)?;
        self.unread = u64::from(head.len);
        Ok(Some(packet))
    }

    /// The head of the next block, which decides whether the block is loaded at all. That of a
    /// section header sets the byte order, in which its own length is to be read.
    fn next_block<R: Read>(
        &mut self,
        window: &mut Window<R>,
    ) -> Result<Option<Head>, CaptureError> {
        let offset = window.offset();
        let Some(head) = window.head(FRAME_LEN as usize)? else { return Ok(None) };
        if head.starts_with(&Self::MAGIC) {
            self.order = [ByteOrder::Little, ByteOrder::Big]
                .into_iter()
                .find(|order| order.u32(head, 8) == BOM_MAGIC)
                .ok_or_else(|| corrupt(offset, "a section header has an unknown byte order"))?;
            self.interfaces.clear();
        }
        let (kind, written_len) = (self.order.u32(head, 0), self.order.u32(head, 4));
        let shortest = if kind == SHB_MAGIC { 28 } else { FRAME_LEN };
        match written_len.checked_next_multiple_of(4) {
            Some(len) if len >= shortest => Ok(Some(Head { kind, written_len, len })),
            _ => Err(too_long_or_short(offset, written_len)),
        }
    }

    /// The next block, parsed, unless it is longer than `limit`.
    fn load<'w, R: Read>(
        &self,
        head: Head,
        limit: u32,
        window: &'w mut Window<R>,
    ) -> Result<Block<'w>, CaptureError> {
        let offset = window.offset();
        if head.len > limit {
            return Err(too_long_or_short(offset, head.written_len));
        }
        let block =
            window.peek_mut(head.len as usize)?.ok_or(CaptureError::Truncated { offset })?;
        self.modernise(head, block);
        let parsed = match self.order {
            ByteOrder::Little => parse_block_le(block),
            ByteOrder::Big => parse_block_be(block),
        };
        let (_, block) = parsed.map_err(|_| corrupt(offset, "a block contradicts itself"))?;
        Ok(block)
    }

    /// Rewrites, in memory, what captures have and the parser does not take: lengths without the
    /// padding, a damaged length behind the body, and the old packet block, which is an enhanced
    /// one but for a shorter interface number next to a count of lost packets.
    fn modernise(&self, head: Head, block: &mut [u8]) {
        let len = self.order.bytes(head.len);
        if let Some(last) = block.last_chunk_mut() {
            *last = len;
        }
        if let (OLD_PACKET, Some(interface)) = (head.kind, block.get(8..10)) {
            let interface = match (self.order, interface) {
                (ByteOrder::Little, &[low, high]) | (ByteOrder::Big, &[high, low]) => {
                    u32::from(u16::from_be_bytes([high, low]))
                }
                _ => 0,
            };
            let fields = [EPB_MAGIC, head.len, interface].map(|field| self.order.bytes(field));
            if let Some(start) = block.first_chunk_mut::<12>() {
                start.copy_from_slice(fields.as_flattened());
            }
        } else if let Some(field) = block.get_mut(4..8) {
            field.copy_from_slice(&len);
        }
    }

    /// The packet in a block.
    fn packet<'w>(&self, block: Block<'w>, offset: u64) -> Result<Packet<'w>, CaptureError> {
        let id = match &block {
            Block::EnhancedPacket(block) => block.if_id,
            _ => 0,
        };
        let interface = self.interfaces.get(id as usize).ok_or_else(|| {
            corrupt(offset, &format!("a packet names interface {id}, which is not described"))
        })?;
        let (data, captured, original_len, time) = match block {
            Block::EnhancedPacket(block) => {
                let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                (block.data, block.caplen, block.origlen, Some(interface.nanoseconds(ticks)))
            }
            Block::SimplePacket(block) => {
                let limit = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
                (block.data, block.origlen.min(limit), block.origlen, None)
            }
            _ => return Err(corrupt(offset, "a packet has an unknown format")),
        };
        let data = data
            .get(..captured as usize)
            .ok_or_else(|| corrupt(offset, "a packet reaches beyond its block"))?;
        Ok(Packet { link_type: interface.link_type, time, data, original_len })
    }
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>) -> Self {
        // Not `ts_resolution()`, which refuses the powers of two.
        let exponent = u32::from(block.if_tsresol & 0x7f);
        let base: u64 = if block.if_tsresol & 0x80 == 0 { 10 } else { 2 };
        Self {
            link_type: link_type(block.linktype),
            snap_len: block.snaplen,
            ticks_per_second: base.checked_pow(exponent).unwrap_or(u64::MAX),
        }
    }

    fn nanoseconds(self, ticks: u64) -> u64 {
        let nanoseconds =
            u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second.max(1));
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }
}

/// The byte order of the machine that wrote the section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ByteOrder {
    #[default]
    Little,
    Big,
}

impl ByteOrder {
    /// The number in the four bytes at `at`; zero beyond the end.
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let field = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        }
    }

    /// A number as it is written.
    pub(super) fn bytes(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

fn corrupt(offset: u64, what: &str) -> CaptureError {
    CaptureError::Corrupt { offset, what: what.to_owned() }
}

fn too_long_or_short(offset: u64, len: u32) -> CaptureError {
    corrupt(offset, &format!("a block claims to be {} long", counted(u64::from(len), "byte")))
}

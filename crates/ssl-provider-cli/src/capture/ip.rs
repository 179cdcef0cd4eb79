//! IP packets to TCP segments, with fragments put together.
//! Of packets that the capture truncated the rest is a gap in the stream.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice, TcpSlice};

use super::other_traffic::OtherTraffic;

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The sequence number of SYN where it is set, else of the first byte of the payload.
    pub sequence: u32,
    /// Opens a direction.
    pub syn: bool,
    /// Acknowledges; a SYN without it comes from the side that opens the connection.
    pub ack: bool,
    /// Ends a direction behind the payload.
    pub fin: bool,
    /// Ends the connection.
    pub rst: bool,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Most datagrams whose fragments are kept at a time.
const MAX_DATAGRAMS: usize = 256;
/// Longest datagram in bytes that fragments can make (RFC 791 section 3.1).
const MAX_DATAGRAM_LEN: usize = 65_535;
/// Most fragments of a datagram; whoever sends more has another purpose.
const MAX_FRAGMENTS: usize = 256;

/// Turns IP packets into TCP segments.
#[derive(Debug, Default)]
pub struct IpStage {
    datagrams: HashMap<DatagramId, Datagram>,
    /// Counts fragments, to find the datagram that has waited longest.
    clock: u64,
    whole: Vec<u8>,
    /// What was not TCP.
    pub other: BTreeMap<OtherTraffic, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct DatagramId {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
}

#[derive(Debug, Default)]
struct Datagram {
    fragments: Vec<(usize, Vec<u8>)>,
    /// Bytes of all fragments, copies too.
    len: usize,
    total: Option<usize>,
    touched: u64,
}

/// Where a fragment belongs.
struct Place {
    id: DatagramId,
    offset: usize,
    more: bool,
}

impl IpStage {
    /// Returns the TCP segment in an IP packet, if it has one or completes one. Counts the others.
    pub fn segment<'a>(&'a mut self, packet: &'a [u8]) -> Option<Segment<'a>> {
        let Ok((ip, _)) = LaxIpSlice::from_slice(packet) else {
            self.count(OtherTraffic::Unreadable, 1);
            return None;
        };
        let payload = ip.payload();
        let (other, count) = match payload.ip_number {
            IpNumber::TCP if payload.fragmented => {
                self.count(OtherTraffic::Fragment, 1);
                self.add_fragment(&place(&ip)?, payload.payload)?;
                return tcp_segment(ip.source_addr(), ip.destination_addr(), &self.whole);
            }
            IpNumber::TCP => {
                let segment = tcp_segment(ip.source_addr(), ip.destination_addr(), payload.payload);
                if segment.is_some() {
                    return segment;
                }
                (OtherTraffic::Unreadable, 1)
            }
            IpNumber::UDP if !payload.fragmented => OtherTraffic::of_udp(payload.payload),
            IpNumber::UDP => (OtherTraffic::Udp, 1),
            IpNumber(number) => (OtherTraffic::Ip(number), 1),
        };
        self.count(other, count);
        None
    }

    fn count(&mut self, other: OtherTraffic, count: u64) {
        *self.other.entry(other).or_default() += count;
    }

    /// Keeps a fragment; some when that makes the datagram whole, which then is in `self.whole`.
    fn add_fragment(&mut self, place: &Place, bytes: &[u8]) -> Option<()> {
        let end = place.offset.checked_add(bytes.len()).filter(|end| *end <= MAX_DATAGRAM_LEN)?;
        if self.datagrams.len() >= MAX_DATAGRAMS && !self.datagrams.contains_key(&place.id) {
            let oldest = self.datagrams.iter().min_by_key(|(_, datagram)| datagram.touched)?;
            let oldest = *oldest.0;
            self.datagrams.remove(&oldest);
        }
        self.clock += 1;
        let datagram = self.datagrams.entry(place.id).or_default();
        datagram.touched = self.clock;
        datagram.len += bytes.len();
        if datagram.fragments.len() >= MAX_FRAGMENTS || datagram.len > 2 * MAX_DATAGRAM_LEN {
            return None;
        }
        datagram.fragments.push((place.offset, bytes.to_vec()));
        if !place.more {
            datagram.total = Some(end);
        }
        let complete = datagram.assemble(&mut self.whole);
        if complete && let Some(datagram) = self.datagrams.remove(&place.id) {
            let pieces = datagram.fragments.len() as u64;
            self.other.entry(OtherTraffic::Fragment).and_modify(|count| *count -= pieces);
        }
        complete.then_some(())
    }
}

impl Datagram {
    /// Writes the datagram to `whole` if nothing of it is missing. Where fragments overlap, the one
    /// that came first counts.
    fn assemble(&self, whole: &mut Vec<u8>) -> bool {
        let Some(total) = self.total else { return false };
        let mut order: Vec<_> = self.fragments.iter().collect();
        order.sort_by_key(|(offset, _)| *offset);
        whole.clear();
        for (offset, bytes) in order {
            if *offset > whole.len() {
                return false;
            }
            whole.extend_from_slice(bytes.get(whole.len() - offset..).unwrap_or_default());
        }
        let enough = whole.len() >= total;
        whole.truncate(total);
        enough
    }
}

fn place(ip: &LaxIpSlice<'_>) -> Option<Place> {
    let (identification, offset, more) = match ip {
        LaxIpSlice::Ipv4(ipv4) => {
            let header = ipv4.header();
            let offset = usize::from(header.fragments_offset().value()) * 8;
            (u32::from(header.identification()), offset, header.more_fragments())
        }
        LaxIpSlice::Ipv6(ipv6) => {
            let header = ipv6.extensions().clone().into_iter().find_map(|part| match part {
                Ipv6ExtensionSlice::Fragment(header) => Some(header),
                _ => None,
            })?;
            let offset = usize::from(header.fragment_offset().value()) * 8;
            (header.identification(), offset, header.more_fragments())
        }
    };
    let id =
        DatagramId { source: ip.source_addr(), destination: ip.destination_addr(), identification };
    Some(Place { id, offset, more })
}

fn tcp_segment(source: IpAddr, destination: IpAddr, bytes: &[u8]) -> Option<Segment<'_>> {
    let tcp = TcpSlice::from_slice(bytes).ok()?;
    Some(Segment {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet with part of a TCP segment.
    fn fragment(id: u16, offset: u16, more: bool, bytes: &[u8]) -> Vec<u8> {
        let len = u16::try_from(20 + bytes.len()).unwrap();
        let flags = (offset / 8) | if more { 0x2000 } else { 0 };
        let mut packet = vec![0x45, 0];
        packet.extend(len.to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend(flags.to_be_bytes());
        packet.extend([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(bytes);
        packet
    }

    fn tcp(payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x18];
        segment.extend([0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload);
        segment
    }

    #[test]
    fn fragments_make_a_segment_in_any_order() {
        let whole = tcp(&[0x5a; 100]);
        let pieces = [
            fragment(9, 0, true, &whole[..40]),
            fragment(9, 40, true, &whole[40..80]),
            fragment(9, 80, false, &whole[80..]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut stage = IpStage::default();
            assert!(stage.segment(&pieces[order[0]]).is_none());
            assert!(stage.segment(&pieces[order[1]]).is_none());
            let segment = stage.segment(&pieces[order[2]]).unwrap();
            assert_eq!((segment.sequence, segment.payload), (7, &[0x5a; 100][..]));
            assert_eq!(segment.source.to_string(), "10.0.0.1:12345");
        }
    }

    #[test]
    fn a_flood_of_first_fragments_is_bounded() {
        let mut stage = IpStage::default();
        for id in 0..u16::MAX {
            assert!(stage.segment(&fragment(id, 0, true, &[0; 64])).is_none());
        }
        assert!(stage.datagrams.len() <= MAX_DATAGRAMS);
        for offset in 0..2000 {
            assert!(stage.segment(&fragment(1, offset * 8, true, &[0; 8])).is_none());
        }
        assert!(stage.datagrams.values().all(|one| one.fragments.len() <= MAX_FRAGMENTS));
    }
}

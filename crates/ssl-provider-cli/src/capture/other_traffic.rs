//! What a capture holds besides TCP over IP. None of it is decoded, only counted by kind, so that a
//! user whose TLS is in there sees where it is.

use std::fmt;

use etherparse::IpNumber;

use crate::counted::counted;

/// A kind of traffic that is not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherTraffic {
    /// Ethernet in UDP (RFC 7348).
    Vxlan,
    /// Any protocol in UDP (RFC 8926).
    Geneve,
    /// IP of mobile networks in UDP.
    Gtp,
    /// Records of DTLS; all other kinds count packets.
    Dtls,
    /// Anything else in UDP.
    Udp,
    /// Another protocol over IP.
    Ip(u8),
    /// Fragments of an IP packet that has others missing.
    Fragment,
    /// Another protocol over Ethernet, by its EtherType.
    Ethernet(u16),
    /// Another protocol over PPP.
    Ppp,
    /// Another link layer.
    Link(u16),
    /// Too short to tell, or with lengths that contradict each other.
    Unreadable,
}

impl OtherTraffic {
    /// Classifies a UDP datagram by its ports and content. Returns the kind and the count.
    pub(super) fn of_udp(datagram: &[u8]) -> (Self, u64) {
        let [a, b, c, d, _, _, _, _, payload @ ..] = datagram else { return (Self::Unreadable, 1) };
        let ports = [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])];
        // The second one is that of Linux before the assignment.
        for (port, kind) in
            [(4789, Self::Vxlan), (8472, Self::Vxlan), (6081, Self::Geneve), (2152, Self::Gtp)]
        {
            if ports.contains(&port) {
                return (kind, 1);
            }
        }
        match dtls_records(payload) {
            0 => (Self::Udp, 1),
            records => (Self::Dtls, records),
        }
    }

    /// A count of this kind in words, such as `30 packets in VXLAN`.
    pub fn counted(self, count: u64) -> String {
        match self {
            Self::Dtls => counted(count, "DTLS record"),
            Self::Fragment => counted(count, "incomplete IP fragment"),
            Self::Unreadable => counted(count, "unreadable packet"),
            _ => format!("{} in {self}", counted(count, "packet")),
        }
    }
}

impl fmt::Display for OtherTraffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Vxlan => f.write_str("VXLAN"),
            Self::Geneve => f.write_str("Geneve"),
            Self::Gtp => f.write_str("GTP-U"),
            Self::Dtls => f.write_str("DTLS"),
            Self::Udp => f.write_str("UDP"),
            Self::Ip(number) => match IpNumber(number).keyword_str() {
                Some(name) => f.write_str(name),
                None => write!(f, "IP protocol {number}"),
            },
            Self::Fragment => f.write_str("incomplete IP fragments"),
            Self::Ethernet(0x0806) => f.write_str("ARP"),
            Self::Ethernet(0x8847 | 0x8848) => f.write_str("MPLS"),
            Self::Ethernet(0x88e5) => f.write_str("MACsec"),
            Self::Ethernet(number) => write!(f, "EtherType 0x{number:04x}"),
            Self::Ppp => f.write_str("PPP"),
            Self::Link(number) => write!(f, "link type {number}"),
            Self::Unreadable => f.write_str("unreadable"),
        }
    }
}

/// Counts the DTLS records that a datagram starts with (RFC 6347 section 4.1).
fn dtls_records(mut rest: &[u8]) -> u64 {
    let mut count = 0;
    while let [20..=26, 0xfe, 0xfd | 0xff, _, _, _, _, _, _, _, _, high, low, tail @ ..] = rest {
        count += 1;
        rest = tail.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    count
}

//! The link layers that captures of TLS come in, down to the IP packet inside.
//! Numbers are those of `tcpdump.org/linktypes.html`.

const NULL: u16 = 0;
const ETHERNET: u16 = 1;
const PPP: u16 = 9;
const RAW_OPENBSD: u16 = 12;
const RAW_BSDOS: u16 = 14;
const PPP_HDLC: u16 = 50;
const RAW: u16 = 101;
const LOOP: u16 = 108;
const LINUX_SLL: u16 = 113;
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const LINUX_SLL2: u16 = 276;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An IP packet of either version, which its first four bits tell.
    Ip(&'a [u8]),
    /// Something else, such as ARP, or too little to tell.
    Other,
    /// The link type is not known here.
    UnknownLink,
}

/// Finds the IP packet in a frame.
pub fn ip_packet(link_type: u16, frame: &[u8]) -> Frame<'_> {
    let ip = match link_type {
        ETHERNET => tagged(frame, 12),
        LINUX_SLL => tagged(frame, 14),
        LINUX_SLL2 => ether_type(frame, 0).and_then(|kind| protocol(kind, frame.get(20..)?)),
        RAW | RAW_OPENBSD | RAW_BSDOS | IPV4 | IPV6 => Some(frame),
        // The address family before the packet has another number on every system.
        NULL | LOOP => frame.get(4..),
        PPP | PPP_HDLC => ppp(frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame)),
        _ => return Frame::UnknownLink,
    };
    match ip.and_then(|ip| Some((ip, ip.first()? >> 4))) {
        Some((ip, 4 | 6)) => Frame::Ip(ip),
        Some(_) | None => Frame::Other,
    }
}

/// The packet of a frame whose EtherType is at `at`.
fn tagged(frame: &[u8], at: usize) -> Option<&[u8]> {
    protocol(ether_type(frame, at)?, frame.get(at + 2..)?)
}

/// The IP packet in `payload`, behind any number of VLAN tags, or PPPoE.
fn protocol(mut ether_type_: u16, mut payload: &[u8]) -> Option<&[u8]> {
    loop {
        match ether_type_ {
            0x0800 | 0x86dd => return Some(payload),
            // 802.1Q, 802.1ad, and the older number for stacked tags.
            0x8100 | 0x88a8 | 0x9100 => {
                ether_type_ = ether_type(payload, 2)?;
                payload = payload.get(4..)?;
            }
            0x8864 => return ppp(payload.get(6..)?),
            _ => return None,
        }
    }
}

fn ppp(frame: &[u8]) -> Option<&[u8]> {
    match frame {
        [0x00, 0x21 | 0x57, ip @ ..] => Some(ip),
        // The protocol field may be compressed to one byte (RFC 1661 section 6.5).
        [0x21 | 0x57, ip @ ..] => Some(ip),
        _ => None,
    }
}

fn ether_type(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..)?.first_chunk().map(|field| u16::from_be_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &[u8] = &[0x45, 0, 0, 20];

    fn frame(head: &[u8]) -> Vec<u8> {
        [head, PACKET].concat()
    }

    #[test]
    fn the_packet_is_found_behind_every_link_layer() {
        let addresses = [0x11; 12];
        let heads: [(u16, Vec<u8>); 10] = [
            (ETHERNET, [&addresses[..], &[8, 0]].concat()),
            (ETHERNET, [&addresses[..], &[0x81, 0, 0, 5, 8, 0]].concat()),
            (ETHERNET, [&addresses[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0]].concat()),
            (ETHERNET, [&addresses[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0, 0x21]].concat()),
            (LINUX_SLL, [&[0; 14][..], &[8, 0]].concat()),
            (LINUX_SLL2, [&[8, 0][..], &[0; 18]].concat()),
            (NULL, vec![2, 0, 0, 0]),
            (LOOP, vec![0, 0, 0, 2]),
            (PPP, vec![0xff, 3, 0, 0x21]),
            (RAW, vec![]),
        ];
        for (link_type, head) in heads {
            let frame = frame(&head);
            assert_eq!(ip_packet(link_type, &frame), Frame::Ip(PACKET), "{link_type} {head:x?}");
        }
    }

    #[test]
    fn cut_frames_and_other_protocols_are_told_apart_from_unknown_links() {
        let arp = [&[0x11; 12][..], &[8, 6]].concat();
        assert_eq!(ip_packet(ETHERNET, &frame(&arp)), Frame::Other);
        for len in 0..14 {
            assert_eq!(ip_packet(ETHERNET, &arp[..len]), Frame::Other, "{len}");
        }
        assert_eq!(ip_packet(189, PACKET), Frame::UnknownLink);
    }
}

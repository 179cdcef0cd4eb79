//! The link layers that captures of TLS come in, down to the IP packet inside.
//! Numbers are those of `tcpdump.org/linktypes.html`.

use super::other_traffic::OtherTraffic;

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

/// Returns the IP packet of either version in a frame, or what else the frame holds.
///
/// # Errors
///
/// The kind of traffic that has no IP packet.
pub fn ip_packet(link_type: u16, frame: &[u8]) -> Result<&[u8], OtherTraffic> {
    let ip = match link_type {
        ETHERNET => tagged(frame, 12),
        LINUX_SLL => tagged(frame, 14),
        LINUX_SLL2 => protocol(ether_type(frame, 0)?, behind(frame, 20)?),
        RAW | RAW_OPENBSD | RAW_BSDOS | IPV4 | IPV6 => Ok(frame),
        // The address family before the packet has another number on every system.
        NULL | LOOP => behind(frame, 4),
        PPP | PPP_HDLC => ppp(frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame)),
        _ => Err(OtherTraffic::Link(link_type)),
    }?;
    match ip.first().map(|first| first >> 4) {
        Some(4 | 6) => Ok(ip),
        Some(_) | None => Err(OtherTraffic::Unreadable),
    }
}

/// The packet of a frame whose EtherType is at `at`.
fn tagged(frame: &[u8], at: usize) -> Result<&[u8], OtherTraffic> {
    protocol(ether_type(frame, at)?, behind(frame, at + 2)?)
}

/// The IP packet in `payload`, behind any number of VLAN tags, or PPPoE.
fn protocol(mut ether_type_: u16, mut payload: &[u8]) -> Result<&[u8], OtherTraffic> {
    loop {
        match ether_type_ {
            0x0800 | 0x86dd => return Ok(payload),
            // 802.1Q, 802.1ad, and the older number for stacked tags.
            0x8100 | 0x88a8 | 0x9100 => {
                ether_type_ = ether_type(payload, 2)?;
                payload = behind(payload, 4)?;
            }
            0x8864 => return ppp(behind(payload, 6)?),
            other => return Err(OtherTraffic::Ethernet(other)),
        }
    }
}

fn ppp(frame: &[u8]) -> Result<&[u8], OtherTraffic> {
    match frame {
        [0x00, 0x21 | 0x57, ip @ ..] => Ok(ip),
        // The protocol field may be compressed to one byte (RFC 1661 section 6.5).
        [0x21 | 0x57, ip @ ..] => Ok(ip),
        _ => Err(OtherTraffic::Ppp),
    }
}

fn ether_type(frame: &[u8], at: usize) -> Result<u16, OtherTraffic> {
    let field = behind(frame, at)?.first_chunk().ok_or(OtherTraffic::Unreadable)?;
    Ok(u16::from_be_bytes(*field))
}

fn behind(frame: &[u8], at: usize) -> Result<&[u8], OtherTraffic> {
    frame.get(at..).ok_or(OtherTraffic::Unreadable)
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
            assert_eq!(ip_packet(link_type, &frame), Ok(PACKET), "{link_type} {head:x?}");
        }
    }

    #[test]
    fn cut_frames_and_other_protocols_are_told_apart_from_unknown_links() {
        let arp = [&[0x11; 12][..], &[8, 6]].concat();
        assert_eq!(ip_packet(ETHERNET, &frame(&arp)), Err(OtherTraffic::Ethernet(0x0806)));
        for len in 0..14 {
            assert_eq!(ip_packet(ETHERNET, &arp[..len]), Err(OtherTraffic::Unreadable), "{len}");
        }
        assert_eq!(ip_packet(RAW, &[0x11]), Err(OtherTraffic::Unreadable));
        assert_eq!(ip_packet(PPP, &[0xc0, 0x21]), Err(OtherTraffic::Ppp));
        assert_eq!(ip_packet(189, PACKET), Err(OtherTraffic::Link(189)));
    }
}

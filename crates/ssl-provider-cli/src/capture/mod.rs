//! From a capture file to ordered bytes: file formats, link layers, IP, and TCP reassembly.
//! Everything is streamed, and every buffer that input can grow has a limit.

pub mod ip;
pub mod link;
pub mod other_traffic;
mod pcap;
mod pcapng;
pub mod reader;
pub mod source;
pub mod tcp;
mod window;

pub use self::ip::{IpStage, Segment};
pub use self::other_traffic::OtherTraffic;
pub use self::reader::{CaptureError, CaptureReader, Packet};
pub use self::tcp::{Ended, Endpoints, Limits, Moment, Peer, StreamHandler, TcpStage};

//! A planted fault: a relay that alters one bit of what the server sends, in the first record of
//! application data of each connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};

/// Application data, as the type of a record.
const APPLICATION_DATA: u8 = 23;

/// A relay on a port of its own, until this value is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    stopped: Arc<AtomicBool>,
    altered: Arc<AtomicUsize>,
}

impl Relay {
    /// Starts a relay to a port of this machine.
    ///
    /// # Errors
    ///
    /// Fails when there is no free port.
    pub(crate) fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let port = listener.local_addr().context("no free port")?.port();
        let relay = Self { port, stopped: Arc::default(), altered: Arc::default() };
        let (stopped, altered) = (Arc::clone(&relay.stopped), Arc::clone(&relay.altered));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { break };
                let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone())
                else {
                    break;
                };
                let altered = Arc::clone(&altered);
                thread::spawn(move || carry(from_client, to_server, |_| {}));
                let mut is_first = true;
                thread::spawn(move || {
                    carry(server, client, |record| {
                        if record.first() == Some(&APPLICATION_DATA) && is_first {
                            if let Some(last) = record.last_mut() {
                                *last ^= 1;
                            }
                            is_first = false;
                            altered.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
            }
        });
        Ok(relay)
    }

    /// The number of records that were altered.
    pub(crate) fn altered(&self) -> usize {
        self.altered.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a client.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Carries records until one side closes.
fn carry(mut from: TcpStream, mut to: TcpStream, mut alter: impl FnMut(&mut [u8])) {
    while let Ok(mut record) = read_record(&mut from) {
        alter(&mut record);
        if to.write_all(&record).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn read_record(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = [0; 5];
    from.read_exact(&mut header)?;
    let [_, _, _, high, low] = header;
    let mut record = header.to_vec();
    record.resize(header.len() + usize::from(u16::from_be_bytes([high, low])), 0);
    from.read_exact(record.get_mut(header.len()..).unwrap_or_default())?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_of_the_first_record_of_data_differs() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(listener.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port)).unwrap();
        client.write_all(&[23, 3, 3, 0, 1, 9]).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let sent = [[22, 3, 3, 0, 1, 8], [23, 3, 3, 0, 1, 8], [23, 3, 3, 0, 1, 8]].concat();
        server.write_all(&sent).unwrap();
        drop(server.shutdown(Shutdown::Write));
        let (mut to_client, mut to_server) = (Vec::new(), [0; 6]);
        client.read_to_end(&mut to_client).unwrap();
        server.read_exact(&mut to_server).unwrap();
        assert_eq!(to_server, [23, 3, 3, 0, 1, 9]);
        assert_eq!(to_client[..6], sent[..6]);
        assert_eq!(to_client[6..12], [23, 3, 3, 0, 1, 9]);
        assert_eq!(to_client[12..], sent[12..]);
        assert_eq!(relay.altered(), 1);
    }
}

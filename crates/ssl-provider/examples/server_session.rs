//! A server's side of a session: import, session keys, Finished, and records both ways.
//! Look at `serve`, and at what `main` says of a ciphertext that is wrong.

mod recording;

use ssl_provider::{Error, HandshakeHash, MasterKey, Provider, RecordKey, RecordOptions, Side};

use recording::{ENCRYPTED_PREMASTER, KEY_DER, SUITE, VERSION, parameters};

/// Content types (RFC 5246 section 6.2.1).
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What both sides feed to their handshake hash: each message whole, with its header of four bytes.
/// Here, three short texts stand for the messages of a connection.
const MESSAGES: [&[u8]; 3] =
    [b"ClientHello", b"ServerHello .. ServerHelloDone", b"ClientKeyExchange"];

/// Serves one session, up to the reply to the first record of application data.
fn serve(provider: &Provider, client: &mut Client, encrypted: &[u8]) -> Result<(), Error> {
    let mut handshake = provider.handshake_hash(VERSION, SUITE)?;
    MESSAGES.iter().for_each(|message| handshake.update(message));

    // ClientKeyExchange. Nothing that the ciphertext holds is an error here (implicit rejection).
    let key = provider.load_private_key(KEY_DER)?;
    let parameters = parameters();
    let master_key = provider.import_master_key(&key, VERSION, SUITE, &parameters, encrypted)?;

    // One key for each direction. Sequence numbers start at 0 with the key.
    let session_keys = master_key.session_keys(&parameters)?;
    let mut read = session_keys.record_key(Side::Client, RecordOptions::default())?;
    let mut write = session_keys.record_key(Side::Server, RecordOptions::default())?;

    // The client's Finished is the first record under the new keys.
    let finished = receive(&mut read, 0, &client.finished()?)?;
    let verify_data = finished.get(4..).ok_or(Error::BadFinished)?;
    master_key.verify_finished(Side::Client, &handshake, verify_data)?;

    // The server's own covers it.
    handshake.update(&finished);
    let finished = finished_message(&master_key, Side::Server, &handshake)?;
    client.check_finished(&send(&mut write, 0, HANDSHAKE, &finished)?)?;

    let request = send(&mut client.write, 1, APPLICATION_DATA, b"ping")?;
    assert_eq!(receive(&mut read, 1, &request)?, b"ping");
    let reply = send(&mut write, 1, APPLICATION_DATA, b"pong")?;
    assert_eq!(receive(&mut client.read, 1, &reply)?, b"pong");
    Ok(())
}

/// Encrypts one record; it goes to the socket as it is, header included.
fn send(key: &mut RecordKey, number: u64, content: u8, payload: &[u8]) -> Result<Vec<u8>, Error> {
    let mut record = vec![0; key.record_len(payload.len())?];
    key.encrypt_packet(number, content, payload, &mut record)?;
    Ok(record)
}

/// Decrypts one record as it came from the socket.
fn receive(key: &mut RecordKey, number: u64, record: &[u8]) -> Result<Vec<u8>, Error> {
    let mut payload = vec![0; key.max_payload_len(record.len())];
    let len = key.decrypt_packet(number, record, &mut payload)?;
    payload.truncate(len);
    Ok(payload)
}

/// A Finished message: type 20, the length of verify_data in three bytes, verify_data.
fn finished_message(
    master_key: &MasterKey,
    sender: Side,
    handshake: &HandshakeHash,
) -> Result<Vec<u8>, Error> {
    let mut message = vec![20, 0, 0, 12];
    message.resize(4 + master_key.verify_data_len(), 0);
    master_key.verify_data(sender, handshake, &mut message[4..])?;
    Ok(message)
}

/// The other side. It knows the premaster secret; here it has that from the server's key.
struct Client {
    master_key: MasterKey,
    handshake: HandshakeHash,
    read: RecordKey,
    write: RecordKey,
}

impl Client {
    fn new(provider: &Provider) -> Result<Self, Error> {
        let key = provider.load_private_key(KEY_DER)?;
        let list = parameters();
        let master_key =
            provider.import_master_key(&key, VERSION, SUITE, &list, &ENCRYPTED_PREMASTER)?;
        let mut handshake = provider.handshake_hash(VERSION, SUITE)?;
        MESSAGES.iter().for_each(|message| handshake.update(message));
        let keys = master_key.session_keys(&list)?;
        let read = keys.record_key(Side::Server, RecordOptions::default())?;
        let write = keys.record_key(Side::Client, RecordOptions::default())?;
        Ok(Self { master_key, handshake, read, write })
    }

    fn finished(&mut self) -> Result<Vec<u8>, Error> {
        let message = finished_message(&self.master_key, Side::Client, &self.handshake)?;
        self.handshake.update(&message);
        send(&mut self.write, 0, HANDSHAKE, &message)
    }

    fn check_finished(&mut self, record: &[u8]) -> Result<(), Error> {
        let message = receive(&mut self.read, 0, record)?;
        let verify_data = message.get(4..).ok_or(Error::BadFinished)?;
        self.master_key.verify_finished(Side::Server, &self.handshake, verify_data)
    }
}

pub(crate) fn main() -> Result<(), Error> {
    let provider = Provider::open(ssl_provider::default_backend()?);
    serve(&provider, &mut Client::new(&provider)?, &ENCRYPTED_PREMASTER)?;
    println!("a session by {}", provider.backend().info().library);

    // A ciphertext that is wrong imports too, and fails no sooner than at Finished, whose record
    // is under keys that nobody has: a server that says more is an oracle (Bleichenbacher).
    let mut wrong = ENCRYPTED_PREMASTER;
    wrong[100] ^= 1;
    let refused = serve(&provider, &mut Client::new(&provider)?, &wrong);
    assert_eq!(refused, Err(Error::BadRecord));
    Ok(())
}

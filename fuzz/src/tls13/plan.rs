//! What an input of the TLS 1.3 targets says: a conversation, and what is done to its messages.
//! Every input is a plan, so that no mutation is lost on a syntax.

use ssl_provider_wire::{HandshakeType, Message, Reader};

/// A conversation and the changes to the messages of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Which conversation, modulo their number.
    pub scenario: u8,
    /// Bit 0: messages are repaired. The rest selects the pieces that bytes arrive in.
    pub flags: u8,
    /// The changes, at most [`MAX_CHANGES`](Self::MAX_CHANGES).
    pub changes: Vec<Change>,
}

/// A change to one unit: a handshake message, an alert, a ChangeCipherSpec, or a record of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the unit in its direction, from 0.
    pub unit: u8,
    /// What is done.
    pub kind: Kind,
    /// Mostly an offset in the unit, modulo its length.
    pub at: u16,
    /// Mostly a byte.
    pub value: u8,
    /// Bytes that are put in.
    pub literal: Vec<u8>,
}

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Flips bits.
    Flip,
    /// Sets a byte.
    Set,
    /// Cuts the message, and leaves its length field as it was.
    Truncate,
    /// Puts bytes in.
    Insert,
    /// Takes bytes out.
    Delete,
    /// Sets a length field of two bytes.
    Length,
    /// Makes the length in the header of the message right.
    Mend,
    /// Changes an extension, with all lengths right.
    Extension,
    /// Leaves the unit out.
    Drop,
    /// Sends it twice.
    Twice,
    /// Sends it after the next one.
    Later,
    /// Sends another message before it.
    Message,
    /// Sends a record of any type before it.
    Record,
    /// Sends any bytes before it.
    Raw,
    /// Sends a message of the conversation again, of either side.
    Seen,
    /// Splits the unit over records.
    Fragment,
    /// Puts it into one record with the next one.
    Join,
    /// Flips bits of the ciphertext.
    Wire,
    /// Sends the encrypted record twice.
    Replay,
    /// Sends the unit in the clear.
    Clear,
    /// Encrypts it under another key of the conversation.
    Epoch,
    /// Puts zeros behind the content type.
    Pad,
    /// Sets a byte of the record's header.
    Header,
    /// Has the sender replace its keys before it goes on.
    KeyUpdate,
    /// Has the sender send data.
    Data,
    /// Has the sender close.
    Close,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 26] = [
        Self::Flip,
        Self::Set,
        Self::Truncate,
        Self::Insert,
        Self::Delete,
        Self::Length,
        Self::Mend,
        Self::Extension,
        Self::Drop,
        Self::Twice,
        Self::Later,
        Self::Message,
        Self::Record,
        Self::Raw,
        Self::Seen,
        Self::Fragment,
        Self::Join,
        Self::Wire,
        Self::Replay,
        Self::Clear,
        Self::Epoch,
        Self::Pad,
        Self::Header,
        Self::KeyUpdate,
        Self::Data,
        Self::Close,
    ];
}

impl Plan {
    /// Most changes in a plan.
    pub const MAX_CHANGES: usize = 24;

    /// Reads an input. Numbers are taken modulo what there is.
    pub fn parse(input: &[u8]) -> Self {
        let mut reader = Reader::new(input);
        let (scenario, flags) = (reader.u8().unwrap_or_default(), reader.u8().unwrap_or_default());
        let mut changes = Vec::new();
        while changes.len() < Self::MAX_CHANGES
            && let Some([unit, kind, high, low, value, len]) = reader.array()
        {
            let rest = reader.rest();
            let literal = rest.get(..usize::from(len)).unwrap_or(rest);
            reader = Reader::new(&rest[literal.len()..]);
            changes.push(Change {
                unit: unit % MAX_UNITS,
                kind: Kind::ALL[usize::from(kind) % Kind::ALL.len()],
                at: u16::from_be_bytes([high, low]),
                value,
                literal: literal.to_vec(),
            });
        }
        Self { scenario, flags, changes }
    }

    /// Writes an input that [`parse`](Self::parse) reads as this plan.
    ///
    /// # Panics
    ///
    /// Panics for more than 255 bytes of a literal.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.scenario, self.flags];
        for Change { unit, kind, at, value, literal } in &self.changes {
            let [high, low] = at.to_be_bytes();
            let len = u8::try_from(literal.len()).expect("a literal of at most 255 bytes");
            out.extend([*unit, *kind as u8, high, low, *value, len]);
            out.extend(literal);
        }
        out
    }

    /// Whether messages that depend on the transcript are made anew for what the receiver has seen,
    /// so that changes are found by nothing but their meaning.
    pub fn repairs(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The most bytes that arrive together.
    pub fn piece_len(&self) -> usize {
        [usize::MAX, 1, 4, 5, 7, 100, 1000, usize::MAX][usize::from(self.flags >> 1 & 7)]
    }
}

/// Units that a change can be about; no conversation has more.
const MAX_UNITS: u8 = 20;

/// Changes an extension of a hello or of another message that has some, and all lengths around it.
/// Returns whether there is one.
pub fn change_extension(message: &mut Vec<u8>, change: &Change) -> bool {
    let Some(start) = extensions_start(message) else { return false };
    let Some(mut list) = extensions(&message[start..]) else { return false };
    let index = usize::from(change.at) % list.len().max(1);
    let action = change.value % 8;
    if let Some((kind, data)) = list.get(index).cloned() {
        match action {
            0 => drop(list.remove(index)),
            1 => list.insert(index, (kind, data)),
            2 => {
                list.remove(index);
                list.push((kind, data));
            }
            3 => list[index].1.clone_from(&change.literal),
            4 => list[index].1.truncate(usize::from(change.value >> 3)),
            5 => list[index].1.extend_from_slice(&change.literal),
            6 => {
                let place = usize::from(change.value >> 3) % data.len().max(1);
                if let Some(byte) = list[index].1.get_mut(place) {
                    *byte ^= change.literal.first().copied().unwrap_or(1);
                }
            }
            _ => list[index].0 = change.at,
        }
    } else {
        list.push((change.at, change.literal.clone()));
    }
    if list.iter().map(|(_, data)| 4 + data.len()).sum::<usize>() > usize::from(u16::MAX) {
        return false;
    }
    message.truncate(start);
    ssl_provider_wire::put_vec::<2>(message, |out| {
        for (kind, data) in &list {
            out.extend(kind.to_be_bytes());
            ssl_provider_wire::put_vec::<2>(out, |out| out.extend_from_slice(data));
        }
    });
    mend(message);
    true
}

/// Makes the length in the header of a message right.
pub fn mend(message: &mut [u8]) {
    if let Some(len) = message.len().checked_sub(Message::HEADER_LEN) {
        let [.., a, b, c] = len.to_be_bytes();
        message[1..4].copy_from_slice(&[a, b, c]);
    }
}

/// Where the list of extensions of a message begins with its length.
fn extensions_start(message: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(message.get(Message::HEADER_LEN..)?);
    match HandshakeType(*message.first()?) {
        HandshakeType::CLIENT_HELLO => {
            reader.array::<34>()?;
            reader.vec8()?;
            reader.vec16()?;
            reader.vec8()?;
        }
        HandshakeType::SERVER_HELLO => {
            reader.array::<34>()?;
            reader.vec8()?;
            reader.array::<3>()?;
        }
        HandshakeType::ENCRYPTED_EXTENSIONS => {}
        HandshakeType::CERTIFICATE_REQUEST => drop(reader.vec8()?),
        HandshakeType::NEW_SESSION_TICKET => {
            reader.array::<8>()?;
            reader.vec8()?;
            reader.vec16()?;
        }
        _ => return None,
    }
    Some(message.len() - reader.rest().len())
}

/// The extensions of a list with its length; none unless it fills the bytes.
fn extensions(bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader::new(bytes);
    let mut list = Reader::new(reader.vec16().filter(|_| reader.is_empty())?);
    let mut found = Vec::new();
    while !list.is_empty() {
        found.push((list.u16()?, list.vec16()?.to_vec()));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written_and_every_input_is_one() {
        let change = |kind, literal: &[u8]| Change {
            unit: 3,
            kind,
            at: 0x0102,
            value: 7,
            literal: literal.to_vec(),
        };
        let changes = Kind::ALL.map(|kind| change(kind, b"abc"))[..Plan::MAX_CHANGES].to_vec();
        let plan = Plan { scenario: 2, flags: 5, changes };
        assert_eq!(Plan::parse(&plan.to_bytes()), plan);
        assert!(plan.repairs() && plan.piece_len() == 4);
        assert!(Kind::ALL.iter().enumerate().all(|(number, kind)| *kind as usize == number));
        assert_eq!(Plan::parse(&[]), Plan::default());
        let cut = Plan::parse(&[1, 0, 255, 255, 0, 0, 0, 200, 9, 9]);
        assert_eq!(cut.changes[0].literal, [9, 9]);
        assert!(cut.changes[0].unit < MAX_UNITS);
    }

    #[test]
    fn extensions_are_changed_with_all_lengths_right() {
        let mut message = Vec::new();
        ssl_provider_wire::put_encrypted_extensions(&mut message, &[0, 1, 0, 1, 9, 0, 2, 0, 0]);
        let changed = |at, value, literal: &[u8]| {
            let literal = literal.to_vec();
            let mut message = message.clone();
            let change = Change { unit: 0, kind: Kind::Extension, at, value, literal };
            assert!(change_extension(&mut message, &change));
            message
        };
        assert_eq!(changed(0, 0, b""), [8, 0, 0, 6, 0, 4, 0, 2, 0, 0]);
        assert_eq!(changed(1, 3, b"x"), [8, 0, 0, 12, 0, 10, 0, 1, 0, 1, 9, 0, 2, 0, 1, b'x']);
        assert_eq!(changed(0, 6, &[2]), [8, 0, 0, 11, 0, 9, 0, 1, 0, 1, 11, 0, 2, 0, 0]);
        let change = Change { unit: 0, kind: Kind::Extension, at: 0, value: 0, literal: vec![] };
        assert!(!change_extension(&mut vec![20, 0, 0, 1, 7], &change));
    }
}

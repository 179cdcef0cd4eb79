//! Records under a block cipher in CBC mode with a MAC, inside the encryption (RFC 5246 section
//! 6.2.3.2) or around it (RFC 7366).

use zeroize::Zeroizing;

use crate::backend::{Backend, CbcCipher};
use crate::error::Error;
use crate::record::mac::RecordMac;
use crate::record::padding::{self, Verdict};
use crate::record::protection::{Payload, Protection, RecordHeader};

/// The longest block of a cipher.
const MAX_BLOCK_LEN: usize = 16;

/// A block cipher with a MAC.
pub(super) struct Cbc {
    /// Makes random IVs.
    pub(super) backend: Backend,
    pub(super) cipher: Box<dyn CbcCipher>,
    pub(super) block_len: usize,
    pub(super) iv: Iv,
    pub(super) mac: RecordMac,
    pub(super) rule: padding::Rule,
    pub(super) encrypt_then_mac: bool,
}

/// Where the IV of a CBC record comes from.
pub(super) enum Iv {
    /// It is the last block of the record before.
    Chained(Zeroizing<Vec<u8>>),
    /// It is random, and stands before the ciphertext.
    Explicit,
}

impl Cbc {
    /// Bytes of the MAC inside the encryption, and around it; one of them is 0.
    fn mac_lens(&self) -> (usize, usize) {
        if self.encrypt_then_mac { (0, self.mac.len()) } else { (self.mac.len(), 0) }
    }

    /// Decrypts whole blocks in place.
    fn decrypt(&mut self, explicit: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        match &mut self.iv {
            Iv::Explicit => self.cipher.decrypt(explicit, blocks),
            Iv::Chained(iv) => {
                let mut next = [0; MAX_BLOCK_LEN];
                let next = &mut next[..self.block_len];
                next.copy_from_slice(last_block(blocks, self.block_len));
                self.cipher.decrypt(iv, blocks)?;
                iv.copy_from_slice(next);
                Ok(())
            }
        }
    }

    /// Encrypts whole blocks in place, under a new random IV where the record carries one.
    fn encrypt(&mut self, explicit: &mut [u8], blocks: &mut [u8]) -> Result<(), Error> {
        match &mut self.iv {
            Iv::Explicit => {
                self.backend.random().fill(explicit)?;
                self.cipher.encrypt(explicit, blocks)
            }
            Iv::Chained(iv) => {
                self.cipher.encrypt(iv, blocks)?;
                iv.copy_from_slice(last_block(blocks, self.block_len));
                Ok(())
            }
        }
    }
}

impl Protection for Cbc {
    fn explicit_len(&self) -> usize {
        match self.iv {
            Iv::Chained(_) => 0,
            Iv::Explicit => self.block_len,
        }
    }

    fn sealed_len(&self, payload_len: usize) -> usize {
        let (inner, outer) = self.mac_lens();
        ((payload_len + inner) / self.block_len + 1) * self.block_len + outer
    }

    fn overhead(&self) -> usize {
        self.mac.len() + 1
    }

    fn seal(
        &mut self,
        header: &RecordHeader,
        payload: Payload<'_>,
        fragment: &mut [u8],
    ) -> Result<(), Error> {
        let (inner, outer) = self.mac_lens();
        let (sealed, outer_tag) = fragment.split_at_mut(fragment.len() - outer);
        let (explicit, blocks) = sealed.split_at_mut(self.explicit_len());
        let (text, tail) = blocks.split_at_mut(payload.len());
        let (inner_tag, padding) = tail.split_at_mut(inner);
        payload.copy_to(text);
        if !self.encrypt_then_mac {
            self.mac.compute(&header.mac_header(text.len()), text, inner_tag)?;
        }
        padding::fill(padding);
        self.encrypt(explicit, blocks)?;
        if self.encrypt_then_mac {
            self.mac.compute(&header.mac_header(sealed.len()), sealed, outer_tag)?;
        }
        Ok(())
    }

    fn open(&mut self, header: &RecordHeader, fragment: &mut [u8]) -> Result<usize, Error> {
        let (inner, outer) = self.mac_lens();
        let sealed_len = fragment.len().checked_sub(outer).ok_or(Error::BadRecord)?;
        let (sealed, outer_tag) = fragment.split_at_mut(sealed_len);
        if self.encrypt_then_mac {
            self.mac.verify(&header.mac_header(sealed_len), sealed, outer_tag)?;
        }
        let (explicit, blocks) = sealed
            .split_at_mut_checked(self.explicit_len())
            .filter(|(_, blocks)| {
                blocks.len() > inner && blocks.len().is_multiple_of(self.block_len)
            })
            .ok_or(Error::BadRecord)?;
        self.decrypt(explicit, blocks)?;
        if self.encrypt_then_mac {
            padding::remove(blocks, self.rule, 0).reveal()
        } else {
            self.verify_padding_and_mac(header, blocks)?.reveal()
        }
    }

    fn verify_padding_and_mac(
        &self,
        header: &RecordHeader,
        blocks: &[u8],
    ) -> Result<Verdict, Error> {
        let mac_len = self.mac.len();
        if self.encrypt_then_mac
            || blocks.len() <= mac_len
            || !blocks.len().is_multiple_of(self.block_len)
        {
            return Err(super::BAD_CBC_BLOCKS);
        }
        let unpadded = padding::remove(blocks, self.rule, mac_len);
        self.mac.verify_behind_padding(|len| header.mac_header(len), blocks, &unpadded)
    }

    fn iv(&self) -> &[u8] {
        match &self.iv {
            Iv::Chained(iv) => iv,
            Iv::Explicit => &[],
        }
    }
}

/// The last of `blocks`, of which there is at least one.
fn last_block(blocks: &[u8], block_len: usize) -> &[u8] {
    &blocks[blocks.len() - block_len..]
}

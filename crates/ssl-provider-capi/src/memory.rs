//! Memory that callers receive and free with `SslFreeBuffer`.
//! Every block is registered by its address, so that foreign pointers are refused.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ssl_provider::Error;

/// Alignment of every block in bytes, enough for each structure of the interface.
const ALIGNMENT: usize = 16;

/// The blocks that callers hold.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Mutex<BTreeMap<usize, Registered>>);

#[derive(Debug)]
struct Registered {
    #[expect(dead_code, reason = "it is here to be freed when the entry goes")]
    block: Block,
    enumeration: Option<Enumeration>,
}

/// Where an enumeration stands. Kept beside the block, not in it, so that no caller changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Enumeration {
    /// The function that it belongs to.
    pub(crate) of: &'static str,
    /// Index of the next item.
    pub(crate) next: usize,
}

impl Blocks {
    /// Registers a copy of `bytes`, and returns its address.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`].
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<*mut u8, Error> {
        let mut block = Block::new(bytes.len())?;
        block.put(0, bytes)?;
        Ok(self.publish(block))
    }

    /// Registers a copy of a structure, in the block that was allocated for it.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when it does not fit.
    pub(crate) fn structure<T: Copy>(
        &self,
        mut block: Block,
        structure: T,
    ) -> Result<*mut T, Error> {
        const { assert!(align_of::<T>() <= ALIGNMENT) };
        block.put_structure(0, structure)?;
        Ok(self.publish(block).cast())
    }

    /// Registers a block, and returns its address.
    pub(crate) fn publish(&self, block: Block) -> *mut u8 {
        self.register(block, None)
    }

    /// Registers the state of an enumeration; its block has an address and no contents.
    pub(crate) fn enumeration(&self, block: Block, enumeration: Enumeration) -> *mut c_void {
        self.register(block, Some(enumeration)).cast()
    }

    /// Returns the next index of the enumeration at `address`, below `count`; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when there is no enumeration of this function at the address.
    pub(crate) fn advance(
        &self,
        address: usize,
        of: &'static str,
        count: usize,
    ) -> Result<Option<usize>, Error> {
        let mut blocks = self.lock();
        let enumeration = blocks
            .get_mut(&address)
            .and_then(|registered| registered.enumeration.as_mut())
            .filter(|enumeration| enumeration.of == of)
            .ok_or(Error::InvalidParameter("ppEnumState: not a state of this function"))?;
        if enumeration.next >= count {
            return Ok(None);
        }
        enumeration.next += 1;
        Ok(Some(enumeration.next - 1))
    }

    /// Frees a block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when no live block starts at the address.
    pub(crate) fn free(&self, address: usize) -> Result<(), Error> {
        match self.lock().remove(&address) {
            Some(_) => Ok(()),
            None => Err(Error::InvalidParameter("pvInput: not a buffer of this library")),
        }
    }

    /// The number of blocks that callers hold.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn register(&self, block: Block, enumeration: Option<Enumeration>) -> *mut u8 {
        let pointer = block.start.as_ptr();
        self.lock().insert(pointer.addr(), Registered { block, enumeration });
        pointer
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block of memory, freed on drop.
#[derive(Debug)]
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

impl Block {
    /// A block of zeros, at least one byte long so that it has an address of its own.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`].
    pub(crate) fn new(len: usize) -> Result<Self, Error> {
        let layout = Layout::from_size_align(len.max(1), ALIGNMENT).map_err(|_| Error::NoMemory)?;
        // SAFETY: the size of the layout is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        Ok(Self { start: NonNull::new(start).ok_or(Error::NoMemory)?, layout })
    }

    /// Where the byte at `offset` will be for the caller.
    pub(crate) fn address_of(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }

    /// Writes bytes at an offset.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when they do not fit.
    pub(crate) fn put(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        self.check(offset, bytes.len())?;
        // SAFETY: the check above ensures that the offset lies inside the block.
        let place = unsafe { self.start.add(offset) };
        // SAFETY: the check above ensures that as many bytes fit behind the offset; no caller
        // has the block yet, so `bytes` lies elsewhere.
        unsafe { place.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Writes a structure at an offset.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when it does not fit.
    pub(crate) fn put_structure<T: Copy>(&mut self, offset: usize, value: T) -> Result<(), Error> {
        self.check(offset, size_of::<T>())?;
        // SAFETY: the check above ensures that the offset lies inside the block.
        let place = unsafe { self.start.add(offset) };
        // SAFETY: the check above ensures that a `T` fits here; no alignment is needed.
        unsafe { place.cast::<T>().write_unaligned(value) };
        Ok(())
    }

    fn check(&self, offset: usize, len: usize) -> Result<(), Error> {
        match offset.checked_add(len) {
            Some(end) if end <= self.layout.size() => Ok(()),
            Some(_) | None => Err(Error::Internal("a block is smaller than what goes into it")),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` came from the allocator with this very layout, and only this drop
        // frees it.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

// SAFETY: a block owns its memory as a `Box` does; nothing in it is tied to a thread.
unsafe impl Send for Block {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_freed_once_and_foreign_addresses_are_refused() {
        let blocks = Blocks::default();
        let pointer = blocks.bytes(&[1, 2, 3]).unwrap();
        assert!(blocks.free(pointer.addr() + 1).is_err(), "inside a block");
        assert!(blocks.free(0).is_err());
        assert_eq!(blocks.len(), 1);
        blocks.free(pointer.addr()).unwrap();
        assert!(blocks.free(pointer.addr()).is_err(), "freed before");
        assert_eq!(blocks.len(), 0);
    }

    #[test]
    fn an_enumeration_counts_and_belongs_to_its_function() {
        let blocks = Blocks::default();
        let block = Block::new(1).unwrap();
        let state = blocks.enumeration(block, Enumeration { of: "mine", next: 1 }).addr();
        assert!(blocks.advance(state, "other", 3).is_err());
        assert_eq!(blocks.advance(state, "mine", 3), Ok(Some(1)));
        assert_eq!(blocks.advance(state, "mine", 3), Ok(Some(2)));
        assert_eq!(blocks.advance(state, "mine", 3), Ok(None));
        let buffer = blocks.bytes(&[0]).unwrap().addr();
        assert!(blocks.advance(buffer, "mine", 3).is_err(), "a buffer is no state");
        blocks.free(state).unwrap();
        blocks.free(buffer).unwrap();
    }

    #[test]
    fn nothing_is_written_outside_a_block() {
        let mut block = Block::new(4).unwrap();
        assert!(block.put(0, &[0; 4]).is_ok());
        assert!(block.put(1, &[0; 4]).is_err());
        assert!(block.put(usize::MAX, &[0]).is_err());
        assert!(block.put_structure(1, 0_u32).is_err());
    }
}

//! Pointers of C callers, each in a type that documents what the caller promises about it.
//! Everything is copied at once and without regard to alignment; nothing is kept after the call.

use std::ffi::c_void;
use std::ptr::NonNull;

use ssl_provider::{Buffer, Error, ParameterList};
use zeroize::Zeroizing;

use crate::abi::{
    CERT_CONTEXT, MAX_NAME_LEN, NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_HIGHEST_VERSION,
    NCRYPTBUFFER_SSL_SERVER_RANDOM, NCRYPTBUFFER_SSL_SESSION_HASH, NCryptBuffer, NCryptBufferDesc,
    SSL_PROVIDER_POLICY,
};
use crate::failure::ensure;

/// Characters that are read of a string before it counts as unterminated. The longest name
/// that the interface knows, and every name field of it, is shorter.
pub const MAX_STRING_LEN: usize = 256;

/// Most entries of a parameter list; the interface defines fewer than 40 types.
pub const MAX_LIST_LEN: u32 = 256;

/// Longest certificate in bytes.
pub const MAX_CERTIFICATE_LEN: u32 = 1 << 20;

/// Bytes that are read of one entry of a parameter list: one more than the longest good one,
/// so that a longer entry is still seen to be too long.
const MAX_ENTRY_LEN: u32 = 49;

/// The entries of a parameter list that mean something here; the memory of others is not touched.
const READ_TYPES: [u32; 4] = [
    NCRYPTBUFFER_SSL_CLIENT_RANDOM,
    NCRYPTBUFFER_SSL_SERVER_RANDOM,
    NCRYPTBUFFER_SSL_HIGHEST_VERSION,
    NCRYPTBUFFER_SSL_SESSION_HASH,
];

/// An output of one value: NULL, or a pointer that is valid for writing a `T`, at any alignment.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Out<T>(*mut T);

impl<T: Copy> Out<T> {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be NULL or valid for writing a `T` until the call that it is passed to returns.
    pub const unsafe fn new(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// Writes `value` where the pointer is not NULL. Handles and pointers are set to "none" with
    /// this before anything can fail, so that a caller that overlooks a status holds no stale one.
    pub(crate) fn preset(self, value: T) {
        if let Some(place) = NonNull::new(self.0) {
            OutSlot(place).write(value);
        }
    }

    /// Returns the slot to write to.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] with `name_is_null` when the pointer is NULL.
    pub(crate) fn required(self, name_is_null: &'static str) -> Result<OutSlot<T>, Error> {
        non_null(self.0, name_is_null).map(OutSlot)
    }

    /// Returns the slot to write to, or `None` for NULL, where a caller does not want the value.
    pub(crate) fn optional(self) -> Option<OutSlot<T>> {
        NonNull::new(self.0).map(OutSlot)
    }

    /// Whether both pointers name the same place.
    pub(crate) fn is_same(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// An output pointer of the caller that is not NULL.
#[derive(Debug)]
pub(crate) struct OutSlot<T>(NonNull<T>);

impl<T: Copy> OutSlot<T> {
    pub(crate) fn write(&self, value: T) {
        // SAFETY: whoever made the `Out` promised that the pointer is valid for writing a `T`
        // during this call; `write_unaligned` asks for no alignment.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// A value that the call reads and replaces: NULL, or a pointer to an initialised `T`.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct InOut<T>(*mut T);

impl<T: Copy> InOut<T> {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be NULL, or valid for reading and writing an initialised `T` until the call that it
    /// is passed to returns.
    pub const unsafe fn new(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// Returns the value and its slot, or `None` for NULL.
    pub(crate) fn read(self) -> Option<(T, OutSlot<T>)> {
        let place = NonNull::new(self.0)?;
        // SAFETY: whoever made the `InOut` promised an initialised `T` that is valid for reading;
        // `read_unaligned` asks for no alignment.
        let value = unsafe { place.read_unaligned() };
        Some((value, OutSlot(place)))
    }
}

/// Input bytes: NULL, or a pointer to as many readable bytes as its size parameter.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes(*const u8);

impl Bytes {
    /// Takes a pointer of the caller.
    pub const fn new(pointer: *const u8) -> Self {
        Self(pointer)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Copies as many bytes as `to` is long. A length of 0 touches no memory.
    ///
    /// # Safety
    ///
    /// Unless the pointer is NULL, as many bytes must be valid for reading.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a NULL pointer, with `name_is_null`.
    pub(crate) unsafe fn copy_to(
        self,
        to: &mut [u8],
        name_is_null: &'static str,
    ) -> Result<(), Error> {
        let pointer = non_null(self.0, name_is_null)?;
        // SAFETY: the caller promises that many readable bytes; `to` is memory of ours, so it does
        // not overlap the caller's.
        unsafe { pointer.as_ptr().copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// As [`copy`](Self::copy); returns `None` for a NULL pointer with a length of 0.
    ///
    /// # Safety
    ///
    /// As for [`copy`](Self::copy).
    ///
    /// # Errors
    ///
    /// As for [`copy`](Self::copy), for a NULL pointer with another length.
    pub(crate) unsafe fn copy_optional(
        self,
        len: u32,
        name_is_null: &'static str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        if self.is_null() && len == 0 {
            return Ok(None);
        }
        // SAFETY: the caller of this function promises what that one asks for.
        unsafe { self.copy(len, name_is_null) }.map(Some)
    }

    /// Copies `len` bytes; a length of 0 touches no memory.
    ///
    /// # Safety
    ///
    /// Unless the pointer is NULL, `len` bytes must be valid for reading.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a NULL pointer, with `name_is_null`; [`Error::NoMemory`].
    pub(crate) unsafe fn copy(
        self,
        len: u32,
        name_is_null: &'static str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let pointer = non_null(self.0, name_is_null)?;
        let len = usize_of(len);
        let mut copy = Zeroizing::new(Vec::new());
        copy.try_reserve_exact(len).map_err(|_| Error::NoMemory)?;
        // SAFETY: the caller promises `len` readable bytes; the vector has just been given room for
        // as many; memory allocated during the call overlaps none of the caller's.
        unsafe { pointer.as_ptr().copy_to_nonoverlapping(copy.as_mut_ptr(), len) };
        // SAFETY: exactly `len` bytes have been written above, and the capacity is no less.
        unsafe { copy.set_len(len) };
        Ok(copy)
    }

    /// Passes `len` bytes to `feed` in copies of at most a page, so that long inputs need little
    /// memory and a caller that changes the input during the call does no harm.
    ///
    /// # Safety
    ///
    /// As for [`copy`](Self::copy).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a NULL pointer and a length other than 0.
    pub(crate) unsafe fn copy_chunks(
        self,
        len: u32,
        name_is_null: &'static str,
        mut feed: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        if len == 0 {
            return Ok(());
        }
        let pointer = non_null(self.0, name_is_null)?;
        let mut chunk = [0; 4096];
        let mut done = 0;
        while done < usize_of(len) {
            let now = chunk.len().min(usize_of(len) - done);
            // SAFETY: `done` is less than `len`, so the offset stays inside what the caller gave.
            let from = unsafe { pointer.add(done) };
            // SAFETY: `done + now` is at most `len`, which the caller promises to be readable;
            // `now` is at most the size of `chunk`, a local that overlaps nothing of the caller's.
            unsafe { from.as_ptr().copy_to_nonoverlapping(chunk.as_mut_ptr(), now) };
            feed(&chunk[..now]);
            done += now;
        }
        Ok(())
    }
}

/// An output buffer: NULL, or a pointer to as many writable bytes as its size parameter.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct OutBytes(*mut u8);

impl OutBytes {
    /// Takes a pointer of the caller.
    pub const fn new(pointer: *mut u8) -> Self {
        Self(pointer)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Writes `bytes`, which must fit `len`.
    ///
    /// # Safety
    ///
    /// Unless the pointer is NULL, `len` bytes must be valid for writing.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`] when they do not fit, [`Error::InvalidParameter`] for NULL.
    pub(crate) unsafe fn write(
        self,
        len: u32,
        bytes: &[u8],
        name_is_null: &'static str,
    ) -> Result<(), Error> {
        let pointer = non_null(self.0, name_is_null)?;
        if bytes.len() > usize_of(len) {
            return Err(Error::BufferTooSmall { needed: bytes.len() });
        }
        // SAFETY: the caller promises `len` writable bytes, and `bytes` is no longer; it is memory
        // of ours, so it does not overlap the caller's.
        unsafe { pointer.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Writes `bytes` behind the first `offset` ones.
    ///
    /// # Safety
    ///
    /// The pointer must not be NULL, and `offset` and the length of `bytes` together must be no
    /// more than the number of bytes that are valid for writing.
    pub(crate) unsafe fn write_at(self, offset: usize, bytes: &[u8]) {
        // SAFETY: the caller promises that so many bytes are writable, so this is among them or
        // right behind the last.
        let place = unsafe { self.0.add(offset) };
        // SAFETY: as above; `bytes` is memory of ours, so it does not overlap the caller's.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
}

/// A UTF-16 string: NULL, or a pointer that is readable up to its terminator, or for
/// [`MAX_STRING_LEN`] characters where it has none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct WideStr(*const u16);

impl WideStr {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be as the type documents until the call that it is passed to returns.
    pub const unsafe fn new(pointer: *const u16) -> Self {
        Self(pointer)
    }

    /// Returns the string, or `None` for NULL.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when there is no terminator within [`MAX_STRING_LEN`]
    /// characters, or when the text is not UTF-16.
    pub(crate) fn read(self) -> Result<Option<String>, Error> {
        if self.0.is_null() {
            return Ok(None);
        }
        let mut units = Vec::with_capacity(MAX_NAME_LEN);
        for index in 0..MAX_STRING_LEN {
            // SAFETY: no character before this one was the terminator and `index` is below the
            // maximum, so the caller's promise covers this character.
            let place = unsafe { self.0.add(index) };
            // SAFETY: as above; `read_unaligned` asks for no alignment.
            let unit = unsafe { place.read_unaligned() };
            if unit == 0 {
                return String::from_utf16(&units)
                    .map(Some)
                    .map_err(|_| Error::InvalidParameter("string: not UTF-16"));
            }
            units.push(unit);
        }
        Err(Error::InvalidParameter("string: no terminator within 256 characters"))
    }

    /// The string.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`Error::InvalidParameter`] for NULL.
    pub(crate) fn required(self, name_is_null: &'static str) -> Result<String, Error> {
        self.read()?.ok_or(Error::InvalidParameter(name_is_null))
    }
}

/// A string of bytes: NULL, or a pointer that is readable up to its terminator, or for
/// [`MAX_STRING_LEN`] bytes where it has none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct AsciiStr(*const u8);

impl AsciiStr {
    /// Takes a pointer of the caller.
    pub const fn new(pointer: *const u8) -> Self {
        Self(pointer)
    }

    /// The bytes before the terminator.
    ///
    /// # Safety
    ///
    /// Unless the pointer is NULL, it must be readable up to a terminator, or for
    /// [`MAX_STRING_LEN`] bytes where there is none among them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a NULL pointer, with `name_is_null`, and when there is no
    /// terminator within [`MAX_STRING_LEN`] bytes.
    pub(crate) unsafe fn read(self, name_is_null: &'static str) -> Result<Vec<u8>, Error> {
        let start = non_null(self.0, name_is_null)?;
        let mut bytes = Vec::with_capacity(MAX_NAME_LEN);
        for index in 0..MAX_STRING_LEN {
            // SAFETY: no byte before this one was the terminator and `index` is below the maximum,
            // so the caller's promise covers this byte.
            let place = unsafe { start.add(index) };
            // SAFETY: as above.
            match unsafe { place.read() } {
                0 => return Ok(bytes),
                byte => bytes.push(byte),
            }
        }
        Err(Error::InvalidParameter("string: no terminator within 256 characters"))
    }
}

/// A parameter list: NULL, or a descriptor whose entries and their contents are readable.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct BufferList(*const NCryptBufferDesc);

impl BufferList {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be NULL or a readable descriptor; its `pBuffers` must be NULL or `cBuffers` readable
    /// entries; each `pvBuffer` must be NULL or `cbBuffer` readable bytes. All of that until the
    /// call that it is passed to returns, and at any alignment.
    pub const unsafe fn new(pointer: *const NCryptBufferDesc) -> Self {
        Self(pointer)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Returns whether the list has at least one entry.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] as for [`parse`](Self::parse).
    pub(crate) fn has_entries(self) -> Result<bool, Error> {
        match NonNull::new(self.0.cast_mut()) {
            Some(descriptor) => Ok(!Self::entries(descriptor)?.1.is_empty()),
            None => Ok(false),
        }
    }

    /// Checks a list of a function that takes none, or whose entries are all of types that it does
    /// not know: NULL, or one that is well-formed. The memory of the entries is not touched.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] as for [`parse`](Self::parse).
    pub(crate) fn check_ignored(self) -> Result<(), Error> {
        if self.is_null() { Ok(()) } else { self.parse_only(&[]).map(|_| ()) }
    }

    /// Copies and parses the list.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`]: the list is NULL, its entries are, there are more than
    /// [`MAX_LIST_LEN`] of them, or [`ParameterList::parse`] refuses one.
    pub(crate) fn parse(self) -> Result<ParameterList, Error> {
        self.parse_only(&READ_TYPES)
    }

    /// As [`parse`](Self::parse), of the entries of these types; others are passed over.
    pub(crate) fn parse_only(self, types: &[u32]) -> Result<ParameterList, Error> {
        let descriptor = non_null(self.0, "pParameterList is NULL")?;
        let (version, entries) = Self::entries(descriptor)?;
        let mut contents = Vec::with_capacity(entries.len());
        for entry in &entries {
            let bytes = Bytes::new(entry.pvBuffer.cast_const().cast());
            let content = if bytes.is_null() || !types.contains(&entry.BufferType) {
                None
            } else {
                let len = entry.cbBuffer.min(MAX_ENTRY_LEN);
                // SAFETY: the maker of the list promised `cbBuffer` readable bytes, and `len` is
                // no more.
                Some(unsafe { bytes.copy(len, "pvBuffer is NULL") }?)
            };
            contents.push(content);
        }
        let buffers: Vec<Buffer<'_>> = entries
            .iter()
            .zip(&contents)
            .filter(|(entry, _)| types.contains(&entry.BufferType))
            .map(|(entry, content)| Buffer {
                buffer_type: entry.BufferType,
                data: content.as_ref().map(|content| content.as_slice()),
            })
            .collect();
        ParameterList::parse(version, &buffers)
    }

    /// A copy of the descriptor's version and of its entries.
    fn entries(descriptor: NonNull<NCryptBufferDesc>) -> Result<(u32, Vec<NCryptBuffer>), Error> {
        // SAFETY: the maker of the list promised a readable descriptor; no alignment is asked for.
        let descriptor = unsafe { descriptor.read_unaligned() };
        ensure(descriptor.cBuffers <= MAX_LIST_LEN, "pParameterList: more than 256 entries")?;
        let count = usize_of(descriptor.cBuffers);
        let mut entries = Vec::with_capacity(count);
        if count > 0 {
            let first = non_null(descriptor.pBuffers, "pParameterList: pBuffers is NULL")?;
            for index in 0..count {
                // SAFETY: `index` is below the number of entries that the maker promised.
                let entry = unsafe { first.add(index) };
                // SAFETY: as above; no alignment is asked for.
                entries.push(unsafe { entry.read_unaligned() });
            }
        }
        Ok((descriptor.ulVersion, entries))
    }
}

/// A certificate: NULL, or a context whose encoded certificate is readable.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct CertContext(*const CERT_CONTEXT);

impl CertContext {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be NULL or a readable context, whose `pbCertEncoded` must be NULL or `cbCertEncoded`
    /// readable bytes, until the call that it is passed to returns, and at any alignment.
    pub const unsafe fn new(pointer: *const CERT_CONTEXT) -> Self {
        Self(pointer)
    }

    /// A copy of the encoded certificate.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for NULL at either level, and for more than
    /// [`MAX_CERTIFICATE_LEN`] bytes.
    pub(crate) fn encoded(self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let context = non_null(self.0, "pCertContext is NULL")?;
        // SAFETY: the maker promised a readable context; no alignment is asked for.
        let context = unsafe { context.read_unaligned() };
        ensure(context.cbCertEncoded <= MAX_CERTIFICATE_LEN, "pCertContext: longer than 1 MiB")?;
        let encoded = Bytes::new(context.pbCertEncoded.cast_const());
        // SAFETY: the maker promised `cbCertEncoded` readable bytes.
        unsafe { encoded.copy(context.cbCertEncoded, "pCertContext: pbCertEncoded is NULL") }
    }
}

/// A policy: NULL, or a structure that is readable for as many bytes as its first field says, and
/// for four at least.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct PolicyPointer(*const SSL_PROVIDER_POLICY);

impl PolicyPointer {
    /// Takes a pointer of the caller.
    ///
    /// # Safety
    ///
    /// It must be as the type documents until the call that it is passed to returns.
    pub const unsafe fn new(pointer: *const SSL_PROVIDER_POLICY) -> Self {
        Self(pointer)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Returns a copy. Fields that an older caller does not have are 0.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for NULL and for a size that no version of the structure has.
    pub(crate) fn read(self) -> Result<SSL_PROVIDER_POLICY, Error> {
        const FIELD_LEN: usize = size_of::<u32>();
        let first = non_null(self.0.cast::<u32>(), "pPolicy is NULL")?;
        // SAFETY: the maker promised four readable bytes; no alignment is asked for.
        let len = usize_of(unsafe { first.read_unaligned() });
        if !(FIELD_LEN..=size_of::<SSL_PROVIDER_POLICY>()).contains(&len)
            || !len.is_multiple_of(FIELD_LEN)
        {
            return Err(Error::InvalidParameter("pPolicy: cbSize is of no known version"));
        }
        let mut policy = SSL_PROVIDER_POLICY::default();
        // SAFETY: the maker promised `cbSize` readable bytes; `policy` is a local of at least that
        // size, which overlaps nothing of the caller's, and every value of its fields is valid.
        unsafe {
            first.cast::<u8>().copy_to_nonoverlapping(NonNull::from(&mut policy).cast(), len)
        };
        Ok(policy)
    }
}

/// An opaque pointer that is compared and never followed.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Opaque(*mut c_void);

impl Opaque {
    /// Takes a pointer of the caller.
    pub const fn new(pointer: *mut c_void) -> Self {
        Self(pointer)
    }

    pub(crate) fn address(self) -> usize {
        self.0.addr()
    }
}

/// The pointer, or an error of the caller for NULL.
fn non_null<T>(pointer: *const T, name_is_null: &'static str) -> Result<NonNull<T>, Error> {
    NonNull::new(pointer.cast_mut()).ok_or(Error::InvalidParameter(name_is_null))
}

/// A length of the interface as a length here. This library is built for 64-bit targets only.
pub(crate) const fn usize_of(len: u32) -> usize {
    len as usize
}

#[cfg(test)]
mod tests {
    use ssl_provider::ProtocolVersion;

    use super::*;

    /// A copy of a value at an odd address, in memory of its very size and one byte.
    struct Odd(Vec<u8>);

    impl Odd {
        fn copy_of<T: Copy>(value: T) -> Self {
            let mut odd = Self(vec![0; size_of::<T>() + 1]);
            // SAFETY: the vector has room for a `T` behind its first byte; no alignment is needed.
            unsafe { odd.pointer::<T>().write_unaligned(value) };
            odd
        }

        fn pointer<T>(&mut self) -> *mut T {
            self.0.as_mut_ptr().wrapping_add(1).cast()
        }
    }

    fn entry(kind: u32, content: &mut [u8]) -> NCryptBuffer {
        NCryptBuffer {
            cbBuffer: u32::try_from(content.len()).unwrap(),
            BufferType: kind,
            pvBuffer: content.as_mut_ptr().cast(),
        }
    }

    fn parse(descriptor: *const NCryptBufferDesc) -> Result<ParameterList, Error> {
        // SAFETY: every test passes a live descriptor of live entries.
        unsafe { BufferList::new(descriptor) }.parse()
    }

    #[test]
    fn a_list_at_odd_addresses_is_parsed() {
        let (mut client, mut server, mut version) = ([1; 32], [2; 32], 0x0303_u32.to_ne_bytes());
        let entries = [entry(20, &mut client), entry(21, &mut server), entry(22, &mut version)];
        let mut entries = Odd::copy_of(entries);
        let list = NCryptBufferDesc { ulVersion: 0, cBuffers: 3, pBuffers: entries.pointer() };
        let mut list = Odd::copy_of(list);
        let expected = ParameterList::new()
            .client_random([1; 32])
            .server_random([2; 32])
            .highest_version(ProtocolVersion::TLS1_2);
        assert_eq!(parse(list.pointer()), Ok(expected));
    }

    #[test]
    fn the_memory_of_other_entries_is_not_touched() {
        let nowhere = std::ptr::without_provenance_mut(1);
        let mut entries = [
            NCryptBuffer { cbBuffer: u32::MAX, BufferType: 0x1234_5678, pvBuffer: nowhere },
            NCryptBuffer { cbBuffer: 9, BufferType: 0, pvBuffer: nowhere },
        ];
        let list = NCryptBufferDesc { ulVersion: 0, cBuffers: 2, pBuffers: entries.as_mut_ptr() };
        assert_eq!(parse(&raw const list), Ok(ParameterList::new()));
    }

    #[test]
    fn lists_that_say_too_much_are_refused_before_they_are_read() {
        let mut random = [1; 32];
        let mut entries = [entry(20, &mut random)];
        let refused = [
            NCryptBufferDesc { ulVersion: 0, cBuffers: 257, pBuffers: entries.as_mut_ptr() },
            NCryptBufferDesc { ulVersion: 0, cBuffers: u32::MAX, pBuffers: entries.as_mut_ptr() },
            NCryptBufferDesc { ulVersion: 0, cBuffers: 1, pBuffers: std::ptr::null_mut() },
            NCryptBufferDesc { ulVersion: 1, cBuffers: 1, pBuffers: entries.as_mut_ptr() },
        ];
        for list in refused {
            assert!(parse(&raw const list).is_err(), "{list:?}");
        }
        assert!(parse(std::ptr::null()).is_err());
    }

    #[test]
    fn an_entry_that_is_too_long_is_seen_to_be_so_with_49_bytes_of_it() {
        let mut content = [0; 49];
        let mut entries = [entry(25, &mut content)];
        entries[0].cbBuffer = u32::MAX;
        let list = NCryptBufferDesc { ulVersion: 0, cBuffers: 1, pBuffers: entries.as_mut_ptr() };
        assert!(parse(&raw const list).is_err());
    }

    #[test]
    fn a_string_ends_at_its_terminator_or_at_the_limit() {
        let read = |units: &[u16]| {
            let mut memory: Vec<u8> = vec![0];
            memory.extend(units.iter().flat_map(|unit| unit.to_ne_bytes()));
            // SAFETY: each string below has a terminator or is as long as the limit.
            unsafe { WideStr::new(memory.as_ptr().wrapping_add(1).cast()) }.read()
        };
        assert_eq!(read(&[0x52, 0x53, 0x41, 0]), Ok(Some("RSA".to_owned())));
        assert_eq!(read(&[0]), Ok(Some(String::new())));
        assert!(read(&[0x41; MAX_STRING_LEN]).is_err(), "no terminator");
        assert!(read(&[0xd800, 0]).is_err(), "half a surrogate pair");
        let mut longest = [0x41; MAX_STRING_LEN];
        longest[MAX_STRING_LEN - 1] = 0;
        assert_eq!(read(&longest).unwrap().unwrap().len(), MAX_STRING_LEN - 1);
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { WideStr::new(std::ptr::null()) }.read(), Ok(None));
    }

    #[test]
    fn a_policy_is_read_at_any_alignment_and_no_further_than_its_size() {
        for (len, expected) in [(4, (4, 0, 0)), (8, (8, 7, 0)), (12, (12, 7, -1))] {
            let fields = [i32::try_from(len).unwrap(), 7, -1].map(i32::to_ne_bytes).concat();
            let at_odd_address = [&[0xa5][..], &fields[..len]].concat();
            // SAFETY: as many bytes are readable as the first field says.
            let pointer = unsafe { PolicyPointer::new(at_odd_address[1..].as_ptr().cast()) };
            let SSL_PROVIDER_POLICY { cbSize, dwMinKeyBits, fAllowSsl3, .. } =
                pointer.read().unwrap();
            assert_eq!((cbSize, dwMinKeyBits, fAllowSsl3), expected);
        }
    }

    #[test]
    fn values_are_read_and_written_at_any_alignment() {
        let mut odd = Odd::copy_of(7_usize);
        let pointer: *mut usize = odd.pointer();
        // SAFETY: `odd` holds a `usize` there and outlives the uses.
        let out = unsafe { Out::new(pointer) };
        // SAFETY: as above.
        let in_out = unsafe { InOut::new(pointer) };
        assert_eq!(in_out.read().map(|(value, _)| value), Some(7));
        out.preset(0);
        out.required("").unwrap().write(9);
        assert_eq!(in_out.read().map(|(value, _)| value), Some(9));
        // SAFETY: NULL is allowed.
        let none = unsafe { Out::<usize>::new(std::ptr::null_mut()) };
        none.preset(1);
        assert_eq!(none.required("x").unwrap_err(), Error::InvalidParameter("x"));
    }

    #[test]
    fn bytes_are_copied_whole_and_in_chunks() {
        let input: Vec<u8> = (0..10_000_u32).map(|each| each.to_le_bytes()[0]).collect();
        let (bytes, len) = (Bytes::new(input.as_ptr()), 10_000);
        // SAFETY: `input` is as long as `len` says.
        assert_eq!(*unsafe { bytes.copy(len, "") }.unwrap(), input);
        let mut chunks: Vec<u8> = Vec::new();
        // SAFETY: as above.
        unsafe { bytes.copy_chunks(len, "", |chunk| chunks.extend(chunk)) }.unwrap();
        assert_eq!(chunks, input);
        let null = Bytes::new(std::ptr::null());
        // SAFETY: NULL is allowed.
        assert!(unsafe { null.copy(1, "") }.is_err());
        // SAFETY: NULL is allowed.
        assert!(unsafe { null.copy_chunks(0, "", |_| ()) }.is_ok());
        let mut part = [0; 100];
        // SAFETY: `input` is longer than `part`.
        unsafe { bytes.copy_to(&mut part, "") }.unwrap();
        assert_eq!(part, input[..100]);
        // SAFETY: NULL is allowed.
        assert!(unsafe { null.copy_to(&mut part, "") }.is_err());
    }

    #[test]
    fn a_string_of_bytes_ends_at_its_terminator_or_at_the_limit() {
        // SAFETY: each string below has a terminator or is as long as the limit.
        let read = |bytes: &[u8]| unsafe { AsciiStr::new(bytes.as_ptr()).read("") };
        assert_eq!(read(b"label\0more").unwrap(), b"label");
        assert_eq!(read(b"\0").unwrap(), b"");
        assert!(read(&[b'a'; MAX_STRING_LEN]).is_err(), "no terminator");
        // SAFETY: NULL is allowed.
        assert!(unsafe { AsciiStr::new(std::ptr::null()).read("") }.is_err());
    }
}

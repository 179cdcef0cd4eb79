//! The heap of this process, as the kernel shows it: where the numbers of a key are, and a way to
//! flip one of their bits behind the back of the library that owns them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, anyhow};

use crate::forms::Form;

/// A form of a number in memory.
pub(crate) struct Place {
    /// Which of the forms.
    pub(crate) form: usize,
    address: u64,
}

impl Place {
    /// Bits of all its pieces.
    pub(crate) fn bits(&self, forms: &[Form]) -> usize {
        forms[self.form].pieces() * forms[self.form].piece_len() * 8
    }
}

/// The memory of this process.
pub(crate) struct Memory {
    file: File,
    /// What is searched is copied here. It is no part of the search itself.
    buffer: Vec<u8>,
}

/// Bytes that are searched at a time.
const CHUNK: usize = 1 << 18;

/// The longest form spans this many bytes at most.
const LONGEST: usize = 1 << 13;

impl Memory {
    pub(crate) fn open() -> Result<Self> {
        let file = File::options().read(true).write(true).open(MEMORY);
        let file = file.with_context(|| format!("cannot open {MEMORY}; is /proc mounted?"))?;
        Ok(Self { file, buffer: vec![0; CHUNK + LONGEST] })
    }

    /// Every place of every form on the heap, in the order of addresses.
    pub(crate) fn places(&mut self, forms: &[Form]) -> Result<Vec<Place>> {
        let mut by_first = vec![Vec::new(); 256];
        for (number, form) in forms.iter().enumerate() {
            by_first[usize::from(form.first())].push(number);
        }
        let own = self.buffer.as_ptr().addr() as u64;
        let own = own..own + self.buffer.len() as u64;
        let mut places = Vec::new();
        for (start, end) in heap()? {
            let mut address = start;
            while address < end {
                if own.contains(&address) {
                    address = own.end;
                    continue;
                }
                // Up to the buffer itself, whose content would be found twice.
                let end = if address < own.start { end.min(own.start) } else { end };
                let len = usize::try_from(end - address)?.min(self.buffer.len());
                // The allocator may have given the end of the heap back since it was listed.
                let len = self.file.read_at(&mut self.buffer[..len], address).unwrap_or(0);
                if len == 0 {
                    break;
                }
                let chunk = &self.buffer[..len];
                for at in 0..len.min(CHUNK) {
                    for &form in &by_first[usize::from(chunk[at])] {
                        if forms[form].is_at(&chunk[at..]) {
                            places.push(Place { form, address: address + at as u64 });
                        }
                    }
                }
                address += CHUNK.min(len) as u64;
            }
        }
        Ok(places)
    }

    /// Flips a bit, counted over all pieces.
    pub(crate) fn flip(&self, place: &Place, forms: &[Form], bit: usize) -> Result<()> {
        let form = &forms[place.form];
        let (piece, byte) = (bit / 8 / form.piece_len(), bit / 8 % form.piece_len());
        let address = place.address + (piece * form.stride + byte) as u64;
        let mut value = [0];
        self.file.read_exact_at(&mut value, address).context("cannot read the key")?;
        value[0] ^= 1 << (bit % 8);
        self.file.write_all_at(&value, address).context("cannot write to the key")
    }
}

const MEMORY: &str = "/proc/self/mem";

/// The ranges of addresses of memory that is not that of a file or of the stack.
fn heap() -> Result<Vec<(u64, u64)>> {
    let maps = fs::read_to_string("/proc/self/maps").context("cannot read /proc/self/maps")?;
    maps.lines().filter_map(|line| range(line).transpose()).collect()
}

/// The range of a line, if it is one of the heap.
fn range(line: &str) -> Result<Option<(u64, u64)>> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (range, access, name) = match words[..] {
        [range, access, _, _, _] => (range, access, ""),
        [range, access, _, _, _, name] => (range, access, name),
        // A name with spaces is that of a file.
        _ => return Ok(None),
    };
    if !access.starts_with("rw") || !(name.is_empty() || name == "[heap]") {
        return Ok(None);
    }
    let number = |text| u64::from_str_radix(text, 16).with_context(|| format!("`{line}`"));
    let (start, end) = range.split_once('-').ok_or_else(|| anyhow!("`{line}`"))?;
    Ok(Some((number(start)?, number(end)?)))
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;
    use crate::forms;

    #[test]
    fn the_heap_is_what_can_be_written_and_has_no_file() {
        let heap = "1000-3000 rw-p 00000000 00:00 0                          [heap]";
        assert_eq!(range(heap).unwrap(), Some((0x1000, 0x3000)));
        assert_eq!(range("1000-3000 rw-p 00000000 00:00 0").unwrap(), Some((0x1000, 0x3000)));
        for other in [
            "1000-3000 rw-p 00000000 00:00 0    [stack]",
            "1000-3000 r--p 00000000 00:00 0",
            "1000-3000 rw-p 00000000 08:01 77   /lib/libc.so.6",
        ] {
            assert_eq!(range(other).unwrap(), None, "{other}");
        }
        assert!(range("x rw-p 0 00:00 0").is_err());
    }

    #[test]
    fn a_number_on_the_heap_is_found_and_its_bit_is_flipped() {
        let forms = forms::all(&TestKey::rsa_2048().parts(), false);
        let mut memory = Memory::open().unwrap();
        let number: Vec<u8> = TestKey::rsa_2048().parts().p.to_bytes_be();
        let places = memory.places(&forms).unwrap();
        let address = number.as_ptr().addr() as u64;
        let place = places.iter().find(|place| place.address == address).unwrap();
        assert_eq!((forms[place.form].part, forms[place.form].name), ("p", "bytes"));
        assert_eq!(place.bits(&forms), 1024);
        memory.flip(place, &forms, 1023).unwrap();
        let flipped = BigUint::from_bytes_be(std::hint::black_box(&number));
        // The last byte has the lowest bits.
        assert_eq!(flipped ^ TestKey::rsa_2048().parts().p, BigUint::from(0x80u8));
    }
}

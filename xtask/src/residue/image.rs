//! The memory and the registers of a running process, as gdb writes them to a core file.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::Run;
use crate::interop::process::Dialogue;
use crate::workspace::Workspace;

/// The memory and the registers of a process.
pub(super) struct Image {
    core: Vec<u8>,
    /// What Linux says of its mappings.
    pub(super) maps: String,
    /// What it sent to its peer: names, and bytes in hexadecimal.
    pub(super) sent: Vec<(String, String)>,
}

impl Image {
    /// Starts a program, waits until it is ready, and takes its memory. `None` if it cannot do what
    /// is asked on this machine.
    pub(super) fn take(workspace: &Workspace, command: &mut Command) -> Result<Option<Self>> {
        let mut program = Dialogue::start(command).context("the C program does not start")?;
        let mut sent = Vec::new();
        loop {
            let line = program.receive().context("the C program")?;
            match (line.as_str(), line.split_once(' ')) {
                ("ready", _) => break,
                ("no batches", _) => return Ok(None),
                (_, Some((name, bytes))) => sent.push((name.to_owned(), bytes.to_owned())),
                (other, None) => bail!("the C program says: {other}"),
            }
        }
        let image = Self::of(workspace, program.id())?;
        program.send("go on")?;
        Ok(Some(Self { sent, ..image }))
    }

    /// Takes the memory of a process, which goes on.
    pub(super) fn of(workspace: &Workspace, process: u32) -> Result<Self> {
        let image = workspace.target("residue.core");
        let maps = fs::read_to_string(format!("/proc/{process}/maps"))
            .context("cannot read the mappings of the program")?;
        // Pages that are kept from core dumps are of interest here.
        Run::new("gdb")
            .quiet()
            .args(["--batch", "--nx", "-ex", "set dump-excluded-mappings on"])
            .args(["-ex", &format!("generate-core-file {}", image.display())])
            .args(["--pid", &process.to_string()])
            .read(workspace)?;
        let core = fs::read(&image).context("gdb wrote no image of the process")?;
        fs::remove_file(&image).context("cannot remove the image of the process")?;
        Ok(Self { core, maps, sent: Vec::new() })
    }

    pub(super) fn segments(&self) -> Result<Vec<Segment<'_>>> {
        segments(&self.core).context("gdb wrote an image that is cut off")
    }
}

/// A part of the image: memory at an address, or the registers.
pub(super) struct Segment<'a> {
    address: Option<u64>,
    pub(super) bytes: &'a [u8],
}

impl Segment<'_> {
    /// The name of the mapping that an offset is in.
    pub(super) fn place(&self, offset: usize, maps: &str) -> String {
        let Some(start) = self.address else { return "registers".to_owned() };
        let address = start + offset as u64;
        let mapping = maps.lines().find_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (from, to) = range.split_once('-')?;
            let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).ok());
            (from?..to?).contains(&address).then(|| rest.split_whitespace().nth(4))
        });
        mapping.flatten().map_or("anonymous memory", |name| name).to_owned()
    }
}

/// The segments of a core file for a 64-bit little-endian processor; `None` if it is cut off.
fn segments(core: &[u8]) -> Option<Vec<Segment<'_>>> {
    const PT_LOAD: u64 = 1;
    const PT_NOTE: u64 = 4;
    let number = |at: usize, len: usize| {
        let mut bytes = [0; 8];
        bytes.get_mut(..len)?.copy_from_slice(core.get(at..at + len)?);
        Some(u64::from_le_bytes(bytes))
    };
    let offset = |at: usize| usize::try_from(number(at, 8)?).ok();
    let table = offset(0x20)?;
    let (entry_len, count) = (number(0x36, 2)?, number(0x38, 2)?);
    let mut segments = Vec::new();
    for index in 0..count {
        let entry = table + usize::try_from(index * entry_len).ok()?;
        let kind = number(entry, 4)?;
        let (start, len) = (offset(entry + 0x08)?, offset(entry + 0x20)?);
        let address = match kind {
            PT_LOAD => Some(number(entry + 0x10, 8)?),
            PT_NOTE => None,
            _ => continue,
        };
        segments.push(Segment { address, bytes: core.get(start..start + len)? });
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_its_mapping() {
        let maps = "1000-2000 rw-p 00000000 00:00 0 [heap]\n2000-3000 rw-p 00000000 00:00 0\n";
        let segment = Segment { address: Some(0x1000), bytes: &[] };
        assert_eq!(segment.place(0xfff, maps), "[heap]");
        assert_eq!(segment.place(0x1000, maps), "anonymous memory");
        assert_eq!(Segment { address: None, ..segment }.place(0, maps), "registers");
    }

    #[test]
    fn an_image_that_is_cut_off_has_no_segments() {
        assert!(segments(&[0; 16]).is_none());
        assert!(segments(&[0; 64]).is_some_and(|segments| segments.is_empty()));
    }
}

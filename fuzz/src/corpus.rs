//! The corpora in `fuzz/corpus`: for each target a folder with some of its valid input, small
//! enough to be kept. The driver starts from them too, and libFuzzer takes the folders as they are.
//!
//! `cargo run -p ssl-provider-fuzz -- --write-corpus fuzz/corpus` writes them anew.

use std::fs;
use std::io;
use std::path::Path;

use crate::Target;

/// Where they are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

/// Bytes of a target at the most.
pub const MAX_TARGET_LEN: usize = 16 * 1024;

/// Reads the seeds of a target, in the order of their names; none where there is no folder.
///
/// # Errors
///
/// Fails when the folder or a file cannot be read.
pub fn read(folder: &Path, target: Target) -> io::Result<Vec<Vec<u8>>> {
    let folder = folder.join(target.name);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// Writes the seeds of a target, those that it computes from the shortest on, as many as there is
/// room for, and returns how many. What was in its folder is removed.
///
/// # Errors
///
/// Fails when the folder or a file cannot be written.
pub fn write(folder: &Path, target: Target) -> io::Result<usize> {
    let folder = folder.join(target.name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut seeds = (target.corpus)();
    seeds.sort_by_key(Vec::len);
    seeds.dedup();
    let mut room = MAX_TARGET_LEN;
    let mut count = 0;
    for seed in seeds {
        let Some(left) = room.checked_sub(seed.len()) else { break };
        room = left;
        fs::write(folder.join(format!("{count:03}")), seed)?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TARGETS;

    #[test]
    fn every_target_has_seeds_which_are_small_and_pass() {
        let mut len = 0;
        for target in TARGETS {
            let seeds = read(Path::new(FOLDER), target).unwrap();
            assert!(!seeds.is_empty(), "{}: no seeds in {FOLDER}", target.name);
            len += seeds.iter().map(Vec::len).sum::<usize>();
            seeds.iter().for_each(|seed| (target.run)(seed));
        }
        assert!(len <= 200_000, "{len} bytes");
    }

    #[test]
    fn seeds_are_written_as_they_are_computed_and_read_again() {
        let folder = std::env::temp_dir().join(format!("ssl-provider-fuzz-{}", std::process::id()));
        let target = TARGETS[0];
        let count = write(&folder, target).unwrap();
        let seeds = read(&folder, target).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let computed = (target.corpus)();
        assert_eq!(seeds.len(), count);
        assert!(count > 1 && seeds.iter().all(|seed| computed.contains(seed)));
    }
}

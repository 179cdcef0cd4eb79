//! `cargo xtask vectors`: fetches the third-party vectors that are public files into
//! `target/vectors`, where the test kit finds them. `xtask/vectors.json` pins each by its hash.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::command::{Run, in_parallel_by};
use crate::workspace::Workspace;

/// Where vectors come from.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Take them from a folder with the same layout, in place of the network.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Replace files in target/vectors that differ from the manifest.
    #[arg(long)]
    force: bool,
}

/// Fetches what is missing, and lists what nobody publishes as a file.
///
/// # Errors
///
/// Names each file that cannot be fetched, is not the one that the manifest lists, or stands there
/// with other content.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let manifest = Manifest::load(&workspace.root().join(MANIFEST))?;
    let target = workspace.target("vectors");
    let fetch = |file: &File, part: &Path| match &options.from {
        Some(folder) => copy(&folder.join(&file.path), part),
        None => download(workspace, &file.url, part),
    };
    let (fetched, kept) = manifest.fetch(&target, options.force, fetch)?;
    println!("{}: {fetched} files fetched, {kept} were there", target.display());
    println!("not to be had as files of their own, and so not tested there:");
    for (path, reason) in &manifest.absent {
        println!("  {path}: {reason}");
    }
    Ok(())
}

/// The list of vectors, relative to the root.
const MANIFEST: &str = "xtask/vectors.json";

/// The file that tells the test kit what is absent; `ssl_provider_testkit::vectors::ABSENT`.
const ABSENT: &str = "absent.json";

/// Downloads at a time.
const WORKERS: usize = 4;

/// `xtask/vectors.json` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    sources: Vec<Source>,
    /// What tests read and nobody publishes as a file, with the reason.
    absent: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    repository: String,
    revision: String,
    licence: String,
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedFile {
    path: String,
    from: String,
    sha256: String,
}

#[derive(Debug)]
struct Manifest {
    files: Vec<File>,
    absent: BTreeMap<String, String>,
}

/// A file of vectors: where it goes, where it is from, and its SHA-256 in hexadecimal.
#[derive(Debug)]
struct File {
    path: String,
    url: String,
    sha256: String,
}

impl Manifest {
    fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let listed: Listed = serde_json::from_str(text)?;
        let mut files = Vec::new();
        for source in listed.sources {
            let Source { repository, revision, licence, files: of_source } = source;
            ensure!(repository.starts_with("https://"), "{repository}: expected https://");
            ensure!(!licence.is_empty(), "{repository}: no licence");
            for ListedFile { path, from, sha256 } in of_source {
                let is_inside = |part| matches!(part, Component::Normal(_));
                ensure!(Path::new(&path).components().all(is_inside), "{path}: outside the folder");
                let is_hash =
                    sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
                ensure!(is_hash, "{path}: expected a SHA-256 of 64 digits, found `{sha256}`");
                files.push(File { path, url: format!("{repository}/{revision}/{from}"), sha256 });
            }
        }
        Ok(Self { files, absent: listed.absent })
    }

    /// Fetches into `target` what is not there, and returns how many files were fetched, and how
    /// many were there. `fetch` writes a file to a temporary name.
    fn fetch(
        &self,
        target: &Path,
        force: bool,
        fetch: impl Fn(&File, &Path) -> Result<()> + Sync,
    ) -> Result<(usize, usize)> {
        let results =
            in_parallel_by(WORKERS, &self.files, |file| file.fetch(target, force, &fetch));
        let failed: Vec<String> = results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .map(|error| format!("{error:#}"))
            .collect();
        ensure!(
            failed.is_empty(),
            "{} of {} files are not there:\n  {}",
            failed.len(),
            self.files.len(),
            failed.join("\n  ")
        );
        let kept = results.iter().flatten().filter(|was_there| **was_there).count();
        let list = serde_json::to_string_pretty(&self.absent)?;
        write(&target.join(ABSENT), list.as_bytes())?;
        Ok((results.len() - kept, kept))
    }
}

impl File {
    /// Fetches the file unless it is there, and returns whether it was.
    fn fetch(
        &self,
        target: &Path,
        force: bool,
        fetch: impl Fn(&Self, &Path) -> Result<()>,
    ) -> Result<bool> {
        let place = target.join(&self.path);
        if place.exists() {
            match self.check(&place) {
                Ok(()) => return Ok(true),
                Err(error) if !force => return Err(error.context("--force replaces it")),
                Err(_) => {}
            }
        }
        let folder = place.parent().unwrap_or(target);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let part = part_of(&place);
        let done = fetch(self, &part)
            .with_context(|| format!("cannot fetch {}", self.path))
            .and_then(|()| self.check(&part))
            .and_then(|()| fs::rename(&part, &place).map_err(anyhow::Error::from));
        if done.is_err() {
            // It may not be there.
            let _ = fs::remove_file(&part);
        }
        done.map(|()| false)
    }

    /// Compares the hash of what is at `place` with that of the manifest.
    fn check(&self, place: &Path) -> Result<()> {
        let content = fs::read(place).with_context(|| format!("cannot read {}", self.path))?;
        let found = Sha256::digest(&content).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        ensure!(
            found == self.sha256.to_ascii_lowercase(),
            "{}: expected SHA-256 {}, found {found} in {} bytes",
            self.path,
            self.sha256,
            content.len()
        );
        Ok(())
    }
}

/// The temporary name of a file, beside it.
fn part_of(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn write(place: &Path, content: &[u8]) -> Result<()> {
    let part = part_of(place);
    fs::write(&part, content)
        .and_then(|()| fs::rename(&part, place))
        .with_context(|| format!("cannot write {}", place.display()))
}

fn copy(from: &Path, part: &Path) -> Result<()> {
    fs::copy(from, part).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

fn download(workspace: &Workspace, url: &str, part: &Path) -> Result<()> {
    let (status, printed) = Run::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--proto-redir", "=https"])
        .args(["--retry", "2", "--connect-timeout", "20", "--max-time", "300", "--output"])
        .args([part])
        .args([url])
        .quiet()
        .outcome(workspace)?;
    match (status.success(), printed.trim()) {
        (true, _) => Ok(()),
        (false, "") => bail!("{url}: curl failed: {status}"),
        (false, printed) => Err(anyhow!("{url}: {printed}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    /// The SHA-256 of `abc` (FIPS 180-4).
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn manifest(sha256: &str) -> Manifest {
        let text = format!(
            r#"{{
              "sources": [{{
                "repository": "https://example.org/project", "revision": "1", "licence": "MIT",
                "files": [{{"path": "project/abc", "from": "tests/abc", "sha256": "{sha256}"}}]
              }}],
              "absent": {{"project/derived": "computed"}}
            }}"#
        );
        Manifest::parse(&text).unwrap()
    }

    fn from(folder: &Path) -> impl Fn(&File, &Path) -> Result<()> {
        |file, part| copy(&folder.join(&file.path), part)
    }

    /// A folder with `content` as the only file, and one to fetch into.
    fn folders(content: &[u8]) -> (TempDir, TempDir) {
        let (source, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::create_dir(source.path().join("project")).unwrap();
        fs::write(source.path().join("project/abc"), content).unwrap();
        (source, target)
    }

    fn files(folder: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn files_are_fetched_once_with_the_list_of_what_is_absent() {
        let (source, target) = folders(b"abc");
        let manifest = manifest(OF_ABC);
        assert_eq!(manifest.files[0].url, "https://example.org/project/1/tests/abc");
        let fetch = || manifest.fetch(target.path(), false, from(source.path())).unwrap();
        assert_eq!(fetch(), (1, 0));
        assert_eq!(fetch(), (0, 1));
        assert_eq!(fs::read(target.path().join("project/abc")).unwrap(), b"abc");
        let absent = fs::read_to_string(target.path().join(ABSENT)).unwrap();
        assert!(absent.contains("project/derived"), "{absent}");
        assert_eq!(files(&target.path().join("project")), ["abc"]);
    }

    #[test]
    fn a_tampered_or_missing_file_is_refused_and_leaves_nothing() {
        let (source, target) = folders(b"123");
        let fetch = || manifest(OF_ABC).fetch(target.path(), false, from(source.path()));
        let error = fetch().unwrap_err().to_string();
        let expected = format!("project/abc: expected SHA-256 {OF_ABC}");
        assert!(error.contains(&expected), "{error}");
        fs::remove_file(source.path().join("project/abc")).unwrap();
        let error = fetch().unwrap_err().to_string();
        assert!(error.contains("cannot fetch project/abc: cannot copy"), "{error}");
        assert_eq!(files(&target.path().join("project")), [""; 0]);
        assert!(!target.path().join(ABSENT).exists());
    }

    #[test]
    fn a_file_that_differs_is_replaced_if_that_is_asked_for() {
        let (source, target) = folders(b"abc");
        fs::create_dir(target.path().join("project")).unwrap();
        fs::write(target.path().join("project/abc"), "mine").unwrap();
        let fetch = |force| manifest(OF_ABC).fetch(target.path(), force, from(source.path()));
        let error = fetch(false).unwrap_err().to_string();
        assert!(error.contains("--force replaces it"), "{error}");
        assert_eq!(fs::read(target.path().join("project/abc")).unwrap(), b"mine");
        assert_eq!(fetch(true).unwrap(), (1, 0));
        assert_eq!(fs::read(target.path().join("project/abc")).unwrap(), b"abc");
    }

    /// Serves one file of three bytes, of which it sends as many as there are in `sent`.
    fn served(sent: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            // curl tries again after an interruption of some kinds.
            for stream in listener.incoming().take(3) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
                let _ = stream.write_all(sent);
            }
        });
        format!("http://{address}/abc")
    }

    #[test]
    fn a_download_that_is_interrupted_is_refused_and_leaves_nothing() {
        let workspace = Workspace::load().unwrap();
        for (sent, is_whole) in [(&b"abc"[..], true), (b"a", false)] {
            let (_source, target) = folders(b"");
            let url = served(sent);
            let fetched = manifest(OF_ABC)
                .fetch(target.path(), false, |_, part| download(&workspace, &url, part));
            let expected = if is_whole { vec!["abc".to_owned()] } else { Vec::new() };
            assert_eq!(files(&target.path().join("project")), expected);
            match fetched {
                Ok(counts) => assert!(is_whole && counts == (1, 0)),
                Err(error) => {
                    let error = error.to_string();
                    assert!(!is_whole && error.contains("curl: (18)"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_manifest_that_is_not_sound_is_refused() {
        let whole = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors.json"));
        let whole = whole.unwrap();
        assert!(Manifest::parse(&whole).unwrap().files.len() > 20);
        for (part, other, message) in [
            ("\"openssl/evpciph_aes", "\"../evpciph_aes", "outside the folder"),
            ("\"https://", "\"http://", "expected https://"),
            ("\"sha256\": \"", "\"sha256\": \"0", "expected a SHA-256"),
            ("\"licence\": \"Apache-2.0\"", "\"licence\": \"\"", "no licence"),
        ] {
            assert!(whole.contains(part), "{part}");
            let error = Manifest::parse(&whole.replacen(part, other, 1)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}

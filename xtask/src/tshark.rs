//! `cargo xtask tshark`: runs tshark with our key log on every capture in tests/data.
//! tshark must decrypt every session that the manifest expects to be proven.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::command::Run;
use crate::corpus;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// Writes our own key logs next to copies of the captures; the corpus generator verifies them.
///
/// # Errors
///
/// Fails when tshark is missing, and when it cannot read a session with our key log.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let data = workspace.root().join("tests/data");
    let own = workspace.empty_target("tshark")?;
    let manifest = data.join("manifest.json");
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    fs::copy(&manifest, own.join("manifest.json")).context("cannot copy the manifest")?;

    let build = ["--package", "ssl-provider-cli", "--features", &all_of_facade()];
    Run::cargo("build").args(build).run(workspace)?;
    let sslprov = workspace.target("debug").join("sslprov");
    for capture in captures(&text)? {
        fs::copy(data.join(&capture.file), own.join(&capture.file))
            .with_context(|| format!("cannot copy {}", capture.file))?;
        let keys = capture.keys.iter().flat_map(|key| ["--key".into(), data.join(key)]);
        let (status, printed) = Run::new(&sslprov)
            .args(["keylog", "--quiet", "--allow-ssl3", "--force", "--output"])
            .args([own.join(&capture.key_log)])
            .args(keys)
            .args([data.join(&capture.file)])
            .quiet()
            .outcome(workspace)?;
        // All, none, or some of the sessions were proven; tshark checks which ones.
        if !matches!(status.code(), Some(0 | 1 | 3)) {
            bail!("sslprov keylog {}: {status}\n{printed}", capture.file);
        }
    }
    corpus::run(workspace, &["verify".into(), own.display().to_string()])
}

#[derive(Deserialize)]
struct Manifest {
    captures: Vec<Capture>,
}

/// A capture in the manifest.
#[derive(Deserialize)]
struct Capture {
    file: String,
    key_log: String,
    keys: Vec<String>,
}

fn captures(manifest: &str) -> Result<Vec<Capture>> {
    let Manifest { captures } =
        serde_json::from_str(manifest).context("unexpected format of the manifest")?;
    ensure!(!captures.is_empty(), "the manifest lists no captures");
    Ok(captures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_captures_is_refused() {
        assert!(captures("{}").is_err());
        assert!(captures(r#"{"captures": []}"#).is_err());
        assert!(captures(r#"{"captures": [{"file": "a"}]}"#).is_err());
        let one = r#"{"captures": [{"file": "a", "key_log": "b", "keys": ["c", "d"]}]}"#;
        assert_eq!(captures(one).unwrap()[0].keys, ["c", "d"]);
    }
}

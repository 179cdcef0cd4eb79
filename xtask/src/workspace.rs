//! Where the workspace is, what is in it, and where its output goes.
//! Read from `cargo metadata`, so it is correct for any target directory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The workspace that this program belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Loads the workspace from cargo, with the dependencies of every feature.
    ///
    /// # Errors
    ///
    /// Fails when cargo does.
    pub(crate) fn load() -> Result<Self> {
        // `cargo run` sets where this package is now; the build may be of another checkout.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let manifest = package.join("../Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .features(cargo_metadata::CargoOpt::AllFeatures)
            .exec()
            .context("cannot read the workspace")?;
        Ok(Self { metadata })
    }

    /// The directory with the root manifest.
    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// A path in the target directory.
    pub(crate) fn target(&self, path: &str) -> PathBuf {
        self.metadata.target_directory.as_std_path().join(path)
    }

    /// Makes the folder `path` below [`Self::target`] anew, without what was in it.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be removed or created.
    pub(crate) fn empty_target(&self, path: &str) -> Result<PathBuf> {
        let directory = self.target(path);
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("cannot empty {path}"))?;
        }
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {path}"))?;
        Ok(directory)
    }

    /// The members.
    pub(crate) fn members(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    /// Members and all their dependencies.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// The files of the repository, tracked or about to be, relative to the root.
    ///
    /// # Errors
    ///
    /// Fails without git.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let list = crate::command::Run::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .quiet()
            .read(self)?;
        let mut files: Vec<PathBuf> = list
            .split('\0')
            .filter(|path| !path.is_empty() && self.root().join(path).is_file())
            .map(PathBuf::from)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}

//! The private keys of a batch: each file is read once and loaded into every chosen backend.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::key_file::{KeyFileError, Password, explain, read_key};

use super::answer::{Importer, LoadedKey};
use super::exchange::Problem;

/// The source of keys, and the keys that have been loaded.
pub(super) struct Keys<'a> {
    importer: &'a Importer,
    password: &'a Password,
    folder: PathBuf,
    default: Option<PathBuf>,
    loaded: HashMap<PathBuf, Result<Arc<LoadedKey>, Problem>>,
}

impl<'a> Keys<'a> {
    /// `folder` is the base of relative paths, `default` the key for exchanges that name none.
    pub(super) fn new(
        importer: &'a Importer,
        password: &'a Password,
        folder: PathBuf,
        default: Option<PathBuf>,
    ) -> Self {
        Self { importer, password, folder, default, loaded: HashMap::new() }
    }

    /// Returns the key that an exchange names, or the default.
    pub(super) fn find(&mut self, name: Option<&str>) -> Result<Arc<LoadedKey>, Problem> {
        let path = match (name, &self.default) {
            (Some(name), _) => self.folder.join(name),
            (None, Some(default)) => default.clone(),
            (None, None) => {
                return Err(Problem::parameter("key: missing, and there is no --key".to_owned()));
            }
        };
        if let Some(found) = self.loaded.get(&path) {
            return found.clone();
        }
        // Bounds the memory for a batch with a different key for each exchange.
        if self.loaded.len() >= MAX_LOADED {
            self.loaded.clear();
        }
        let loaded = self
            .read(&path)
            .map_err(|error| Problem { status: error.status(), text: explain(&error) });
        self.loaded.insert(path, loaded.clone());
        loaded
    }

    /// Reads a key file, which must hold one RSA key, and loads it.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<LoadedKey>, KeyFileError> {
        let key = read_key(path, self.password)?;
        Ok(Arc::new(self.importer.load(&key.der)))
    }
}

const MAX_LOADED: usize = 1024;

//! What is measured: groups, and in each the cases of every backend that supports them.

pub(crate) mod agreement;
pub(crate) mod batches;
pub(crate) mod handshakes;
pub(crate) mod import;
pub(crate) mod records;
pub(crate) mod signatures;
pub(crate) mod threads;

use std::fmt;
use std::sync::Arc;

use ssl_provider::Backend;
use ssl_provider_testkit::rsa_key::TestKey;

use super::paired::Measure;

/// A group of measurements: one section of the reports.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What is measured, in a few sentences.
    pub text: &'static str,
    /// What [`Row::x`](super::report::Row::x) counts, such as `bytes`; empty where there is none.
    pub x: &'static str,
    /// How charts show it.
    pub chart: Chart,
    /// Returns the cases of the group.
    pub cases: fn(&Scope) -> Vec<Case>,
}

/// How charts show a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// Bars of times, shorter is faster.
    Times,
    /// Throughput against x, a line for each backend and operation.
    Curves,
}

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The backends.
    pub backends: Vec<Backend>,
    /// The RSA keys, by size.
    pub keys: Vec<Arc<TestKey>>,
}

/// Something to be measured.
pub struct Case {
    /// The name of its group.
    pub group: &'static str,
    /// The case within the group.
    pub name: String,
    /// The name of the backend.
    pub backend: &'static str,
    /// Its part of the time, relative to other cases.
    pub weight: u32,
    /// Loads keys and so on.
    pub prepare: Prepare,
}

/// Prepares a measurement, once for each half of the run.
///
/// The error says what failed.
pub type Prepare = Box<dyn Fn() -> Result<Box<dyn Measure>, String>>;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, name, backend, weight, .. } = self;
        write!(f, "Case({group}, {name}, {backend}, {weight})")
    }
}

/// Every group of the command. What a later version of TLS needs, such as key encapsulation, is
/// another one.
pub const GROUPS: [Group; 7] = [
    import::GROUP,
    handshakes::GROUP,
    records::GROUP,
    agreement::GROUP,
    signatures::GROUP,
    batches::GROUP,
    threads::GROUP,
];

/// Returns an error as text.
pub(crate) fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ssl_provider::backend::{Composed, KeyExchangeBackend};
    use ssl_provider::{BackendInfo, Operation, Support};

    use super::*;

    /// Supports nothing, so that all is left to the backend that it is composed with.
    #[derive(Debug)]
    struct Nothing(BackendInfo);

    impl KeyExchangeBackend for Nothing {
        fn info(&self) -> &BackendInfo {
            &self.0
        }

        fn support(&self, _operation: Operation) -> Support {
            Support::Unsupported
        }
    }

    /// A backend of somebody else: one of ours under another name.
    fn foreign(backend: &Backend) -> Backend {
        let info = || BackendInfo::new("foreign", "Foreign Provider", "a library".to_owned());
        Backend::new(Composed::new(info(), Nothing(info()), backend.clone()))
    }

    #[test]
    fn a_backend_that_is_not_ours_is_measured_without_a_library() {
        let Some(ours) = ssl_provider::backends().first().cloned() else { return };
        let keys = vec![Arc::new(TestKey::rsa_1024())];
        for (backend, has_library) in [(foreign(&ours), false), (ours, true)] {
            let name = backend.info().name;
            let has_library = has_library && ssl_provider_bare::library(name).is_some();
            let scope = Scope { backends: vec![backend], keys: keys.clone() };
            for group in [records::GROUP, agreement::GROUP, signatures::GROUP] {
                let case = (group.cases)(&scope).into_iter().next().unwrap();
                assert_eq!((case.group, case.backend), (group.name, name));
                let mut measured = (case.prepare)().unwrap();
                measured.measure(Duration::ZERO).unwrap();
                let samples = measured.samples();
                let rows = measured.rows([samples.clone(), samples]);
                assert!(!rows.is_empty());
                for row in rows {
                    assert_eq!(row.other.is_some(), has_library, "{row:?}");
                }
            }
        }
    }
}

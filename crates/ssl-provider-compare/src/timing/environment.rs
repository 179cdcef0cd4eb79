//! The machine that a report is of.

use std::env::consts;
use std::fs;
use std::time::SystemTime;

use x509_cert::der::DateTime;

use ssl_provider::Backend;

use crate::timing::report::Environment;

/// Describes machine, libraries and time.
pub(crate) fn describe(backends: &[Backend], meter: String) -> Environment {
    let libraries = backends.iter().map(|backend| {
        let info = backend.info();
        (info.name.to_owned(), info.library.clone())
    });
    Environment {
        date: DateTime::try_from(SystemTime::now())
            .map_or_else(|_| "unknown".to_owned(), |date| date.to_string()),
        processor: processor(),
        system: system(),
        meter,
        libraries: libraries.collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        optimised: !cfg!(debug_assertions),
    }
}

/// The model of the processor, or at least its architecture.
fn processor() -> String {
    let facts = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = facts.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    model.unwrap_or_else(|| consts::ARCH.to_owned())
}

/// The operating system with the version of its kernel.
fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", consts::OS, release.trim()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let described = describe(&[], "a clock".to_owned());
        assert!(described.date.ends_with('Z') && described.date.len() == 20, "{described:?}");
        assert!(!described.processor.is_empty() && described.system.starts_with(consts::OS));
    }
}

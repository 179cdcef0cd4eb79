//! The machine that a run was on, and how busy it was.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use x509_cert::der::DateTime;

/// A machine, as far as the system tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor; `unknown` where the system does not tell.
    pub processor: String,
    /// How many threads run at once.
    pub logical_processors: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The instructions of multi-buffer RSA, if the processor has them.
    pub multi_buffer: Option<String>,
    /// The load average of a minute before the run; `None` where the system does not tell.
    pub load_before: Option<f64>,
    /// The version of this program.
    pub program: String,
    /// Whether the program was built without optimization, so that its times mean nothing.
    pub debug_build: bool,
    /// When the run began, in seconds since 1970.
    pub started: u64,
}

impl Machine {
    /// Returns this machine, now.
    pub fn here() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            processor: processor().unwrap_or("unknown".to_owned()),
            logical_processors: logical_processors(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            multi_buffer: ssl_provider::multi_buffer_instructions().map(str::to_owned),
            load_before: load(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            debug_build: cfg!(debug_assertions),
            started: since.as_secs(),
        }
    }

    /// Whether other programs ran that take part of the processors.
    pub fn was_busy(&self) -> bool {
        self.load_before.is_some_and(|load| load > 0.3 * self.logical_processors as f64)
    }

    /// Returns name and value of each property.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let instructions = self.multi_buffer.as_deref().unwrap_or("not supported");
        let load = self.load_before.map_or("unknown".to_owned(), |load| format!("{load:.2}"));
        let build = if self.debug_build { " (debug build)" } else { "" };
        vec![
            ("processor", format!("{}, {} logical", self.processor, self.logical_processors)),
            ("system", self.system.clone()),
            ("multi-buffer RSA", instructions.to_owned()),
            ("load average before the run", load),
            ("version", format!("{}{build}", self.program)),
            ("started", date(self.started)),
        ]
    }
}

/// Returns how many threads run at once.
pub(crate) fn logical_processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the processor as Linux names it.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let name = field("model name").or_else(|| field("Model"))?;
    Some(match field("cpu family").zip(field("model")) {
        Some((family, model)) => format!("{name} (family {family}, model {model})"),
        None => name,
    })
}

fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Returns a time in seconds since 1970 as date and time in UTC.
fn date(seconds: u64) -> String {
    match DateTime::from_unix_duration(Duration::from_secs(seconds)) {
        Ok(date) => date.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A machine that is nowhere.
    pub(crate) fn machine() -> Machine {
        Machine {
            processor: "a processor".into(),
            logical_processors: 4,
            system: "linux x86_64".into(),
            multi_buffer: None,
            load_before: Some(0.1),
            program: "0.1.0".into(),
            debug_build: false,
            started: 1_709_210_096,
        }
    }

    #[test]
    fn dates_are_in_utc_and_impossible_ones_unknown() {
        assert_eq!(date(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(date(u64::MAX), "unknown");
    }

    #[test]
    fn a_load_of_a_third_of_the_processors_counts_as_busy() {
        assert!(!machine().was_busy());
        assert!(Machine { load_before: Some(1.3), ..machine() }.was_busy());
        assert!(!Machine { load_before: None, ..machine() }.was_busy());
    }

    #[test]
    fn this_machine_has_processors_and_a_name() {
        let here = Machine::here();
        assert!(here.logical_processors > 0 && here.started > 1_700_000_000);
        assert!(!here.processor.is_empty());
    }
}

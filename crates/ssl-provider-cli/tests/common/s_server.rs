//! `openssl s_server` as a process, for tests of clients.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use ssl_provider_testkit::diagnostics::not_tested;

use super::key;

/// `openssl s_server`, which is ended with the test.
pub(crate) struct SServer {
    child: Child,
    pub(crate) address: String,
}

impl SServer {
    /// Starts it with the key of `name`; none if OpenSSL is not installed.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        Self::with(&key(&format!("{name}.cert.pem")), &key(&format!("{name}.pem")), arguments)
    }

    /// Starts it with the certificate and the key in these files; none if OpenSSL is not installed.
    pub(crate) fn with(cert: &Path, private: &Path, arguments: &[&str]) -> Option<Self> {
        let child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(
                [cert, private]
                    .iter()
                    .zip(["-cert", "-key"])
                    .flat_map(|(file, option)| [option.as_ref(), file.as_os_str()]),
            )
            .args(arguments)
            // Defaults of a distribution would forbid old versions.
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            not_tested("openssl", "it is not installed");
            return None;
        };
        let mut lines =
            BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
            .expect("the server listens");
        // It must be able to go on writing.
        thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address })
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! OpenSSL's own speed, as its program measures it, beside the backend on the same library.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::report::Peer;

/// The name of the backend that OpenSSL's own speed is beside.
const BACKEND: &str = "openssl";

/// The name on the command line.
pub(crate) const NAME: &str = "peers";

/// How long the program measures, with a second for each algorithm; newer ones measure more.
pub(crate) const SECONDS: f64 = 8.0;

/// Runs `openssl speed`. What cannot be had is in the notes.
pub(crate) fn measure(notes: &mut Vec<String>) -> Vec<Peer> {
    let Some(version) = output(&["version"]) else {
        notes.push("peers: the program `openssl` is not installed".into());
        return Vec::new();
    };
    let program =
        format!("openssl speed, {}", version.split(" (").next().unwrap_or(&version).trim());
    let mut peers = Vec::new();
    for args in [
        &["rsa2048", "ecdsap256"][..],
        &["-bytes", "16384", "-evp", "aes-128-gcm"],
        &["-bytes", "16384", "-evp", "chacha20-poly1305"],
    ] {
        let all = [&["speed", "-mr", "-seconds", "1"][..], args].concat();
        match output(&all) {
            Some(text) => peers.extend(parse(&text, &program)),
            None => notes.push(format!("peers: `openssl {}` failed", all.join(" "))),
        }
    }
    peers
}

/// Runs the program and returns its output; `None` where it is not installed, fails or does not
/// end.
fn output(args: &[&str]) -> Option<String> {
    const LONGEST: Duration = Duration::from_secs(60);
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let succeeded = wait(&mut child, Instant::now() + LONGEST)?;
    // The output is shorter than the buffer of a pipe, so the program does not wait for its reader.
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    succeeded.then_some(text)
}

fn wait(child: &mut Child, end: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Reads the results of `openssl speed -mr`: `+F2` has operations a second with RSA keys, private
/// and public, `+F4` those of ECDSA, `+F` bytes a second of a cipher.
fn parse(text: &str, program: &str) -> Vec<Peer> {
    let peer =
        |measured: &str, nanoseconds, (group, case, operation, x): (&str, &str, &str, _)| Peer {
            program: program.to_owned(),
            measured: measured.to_owned(),
            nanoseconds,
            group: group.into(),
            case: case.into(),
            operation: operation.into(),
            x,
            backend: BACKEND.into(),
        };
    let mut peers = Vec::new();
    let mut size = None;
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |index: usize| fields.get(index)?.parse::<f64>().ok().filter(|it| *it > 0.0);
        match fields.as_slice() {
            ["+H", bytes] => size = bytes.parse::<u64>().ok(),
            ["+F2", _, "2048", ..] => {
                let private = number(3).map(|rate| {
                    let row = ("import", "RSA", "RSA", Some(2048));
                    peer("RSA-2048 private", 1e9 / rate, row)
                });
                let public = number(4).map(|rate| {
                    let row = ("signatures", "RSA-2048 PKCS#1", "verify", None);
                    peer("RSA-2048 public", 1e9 / rate, row)
                });
                peers.extend([private, public].into_iter().flatten());
            }
            ["+F4", _, "256", ..] => {
                for (index, operation) in [(3, "sign"), (4, "verify")] {
                    let row = ("signatures", "ECDSA P-256", operation, None);
                    let measured = format!("ECDSA P-256 {operation}");
                    peers.extend(number(index).map(|rate| peer(&measured, 1e9 / rate, row)));
                }
            }
            ["+F", _, cipher, _] => {
                let case = match cipher.to_ascii_lowercase().as_str() {
                    "aes-128-gcm" => "AES-128-GCM",
                    "chacha20-poly1305" => "ChaCha20-Poly1305",
                    _ => continue,
                };
                let Some((size, rate)) = size.zip(number(3)) else { continue };
                let row = ("records", case, "encrypt", Some(size));
                let nanoseconds = size as f64 * 1e9 / rate;
                peers.push(peer(&format!("{case}, {size} bytes"), nanoseconds, row));
            }
            _ => {}
        }
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_openssl_speed_are_read() {
        let text = "+DT:AES-128-GCM:1:16384\n+R:114365:AES-128-GCM:0.420000\n+H:16384\n\
            +F:25:AES-128-GCM:4461324190.48\n+DTP:2048:private:rsa:1\n+R1:1632:2048:0.40\n\
            +F2:2:2048:4000.000000:61446.153846\n+F4:3:256:53143.181818:16502.631579\n\
            +F5:3:256:22066.666667:0.000045\n";
        let peers = parse(text, "openssl speed, OpenSSL 3");
        let found: Vec<_> =
            peers.iter().map(|peer| (peer.measured.as_str(), peer.nanoseconds.round())).collect();
        assert_eq!(
            found,
            [
                ("AES-128-GCM, 16384 bytes", 3672.0),
                ("RSA-2048 private", 250_000.0),
                ("RSA-2048 public", 16_274.0),
                ("ECDSA P-256 sign", 18_817.0),
                ("ECDSA P-256 verify", 60_596.0),
            ]
        );
        assert_eq!(parse("+F2:2:2048:0.0:nan\n+F4:3\nnothing\n+F:1:AES-128-GCM:5", "x"), []);
    }
}

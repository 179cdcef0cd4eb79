//! Counters of the proxy, and their text for Prometheus (exposition format 0.0.4) over plain HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ending::{Reason, Spoken};

/// Upper bounds of the buckets for the duration of handshakes, in milliseconds.
const BUCKETS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) accepted: AtomicU64,
    /// Connections that are open.
    pub(super) active: AtomicU64,
    pub(super) to_device: AtomicU64,
    pub(super) to_client: AtomicU64,
    ended: [AtomicU64; Reason::ALL.len()],
    handshakes: Mutex<Handshakes>,
}

#[derive(Debug, Default)]
struct Handshakes {
    /// By version, suite, and whether the session was resumed.
    by_kind: BTreeMap<(String, &'static str, bool), u64>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
}

impl Metrics {
    /// Counts a handshake with the device.
    pub(super) fn count_handshake(&self, spoken: Spoken, duration: Duration) {
        let mut handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (spoken.version.to_string(), spoken.suite.name, spoken.is_resumed);
        *handshakes.by_kind.entry(kind).or_default() += 1;
        for (bucket, bound) in handshakes.buckets.iter_mut().zip(BUCKETS) {
            if duration <= Duration::from_millis(bound) {
                *bucket += 1;
            }
        }
        handshakes.count += 1;
        handshakes.sum += duration;
    }

    /// Counts the end of a connection.
    pub(super) fn count_end(&self, reason: Reason) {
        if let Some(count) = self.ended.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns all of them as text.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed).to_string();
        let alone = |count: &AtomicU64| [(String::new(), value(count))];
        family(
            "sslprov_proxy_connections_accepted_total",
            "counter",
            "Connections of clients that were accepted.",
            &alone(&self.accepted),
        );
        family(
            "sslprov_proxy_connections_active",
            "gauge",
            "Connections of clients that are open.",
            &alone(&self.active),
        );
        let reasons = |is_failure: bool| -> Vec<_> {
            let chosen = Reason::ALL.into_iter().zip(&self.ended);
            chosen
                .filter(|(reason, _)| reason.is_failure() == is_failure)
                .map(|(reason, count)| (format!("{{reason=\"{}\"}}", reason.name()), value(count)))
                .collect()
        };
        family(
            "sslprov_proxy_connections_closed_total",
            "counter",
            "Connections that ended without failure, by reason.",
            &reasons(false),
        );
        family(
            "sslprov_proxy_connections_failed_total",
            "counter",
            "Connections that failed, by reason.",
            &reasons(true),
        );
        let bytes =
            |direction: &str, count| (format!("{{direction=\"{direction}\"}}"), value(count));
        family(
            "sslprov_proxy_bytes_total",
            "counter",
            "Bytes of data that were carried, without TLS.",
            &[bytes("to_device", &self.to_device), bytes("to_client", &self.to_client)],
        );
        let handshakes = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = handshakes.by_kind.iter().map(|((version, suite, resumed), count)| {
            let labels = format!("version=\"{version}\",suite=\"{suite}\",resumed=\"{resumed}\"");
            (format!("{{{labels}}}"), count.to_string())
        });
        family(
            "sslprov_proxy_device_handshakes_total",
            "counter",
            "Handshakes with the device that were completed, by version and suite.",
            &kinds.collect::<Vec<_>>(),
        );
        let name = "sslprov_proxy_device_handshake_seconds";
        let _ = writeln!(
            text,
            "# HELP {name} Time from the connection to the device to the end of the handshake.\n\
             # TYPE {name} histogram"
        );
        for (bound, count) in BUCKETS.iter().zip(handshakes.buckets) {
            let seconds = Duration::from_millis(*bound).as_secs_f64();
            let _ = writeln!(text, "{name}_bucket{{le=\"{seconds}\"}} {count}");
        }
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}",
            count = handshakes.count,
            sum = handshakes.sum.as_secs_f64()
        );
        text
    }

    /// Responds to requests, one after the other. One that is slow or too long is cut off.
    pub(super) fn serve(&self, listener: &TcpListener) {
        loop {
            match listener.accept() {
                // Whoever asks has gone away or is too slow.
                Ok((stream, _)) => drop(self.respond(stream)),
                // Such as for lack of file descriptors.
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn respond(&self, mut stream: TcpStream) -> io::Result<()> {
        let deadline = Instant::now() + REQUEST_TIME;
        stream.set_write_timeout(Some(REQUEST_TIME))?;
        let mut request = Vec::new();
        let mut buffer = [0; 512];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || request.len() > MAX_REQUEST_LEN {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                len => request.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            }
        }
        let mut words = request.split(|byte| byte.is_ascii_whitespace());
        let (method, path) = (words.next(), words.next());
        let (status, body) = match (method, path) {
            (Some(b"GET" | b"HEAD"), Some(b"/metrics" | b"/")) => ("200 OK", self.to_text()),
            (Some(b"GET" | b"HEAD"), _) => {
                ("404 Not Found", "the metrics are at /metrics\n".to_owned())
            }
            _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let body = if method == Some(b"HEAD") { "" } else { &body };
        stream.write_all([&head, body].concat().as_bytes())
    }
}

/// Longest time and length of a request.
const REQUEST_TIME: Duration = Duration::from_secs(2);
const MAX_REQUEST_LEN: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use ssl_provider::{CipherSuite, ProtocolVersion};

    use super::*;

    #[test]
    fn buckets_are_cumulative_and_the_last_one_has_all() {
        let metrics = Metrics::default();
        let suite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA.info().expect("it is known");
        let spoken = Spoken { version: ProtocolVersion::TLS1_0, suite, is_resumed: false };
        for milliseconds in [1, 5, 30, 20_000] {
            metrics.count_handshake(spoken, Duration::from_millis(milliseconds));
        }
        let text = metrics.to_text();
        let name = "sslprov_proxy_device_handshake_seconds";
        for (bound, count) in [("0.005", 2), ("0.025", 2), ("0.05", 3), ("10", 3), ("+Inf", 4)] {
            let line = format!("{name}_bucket{{le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(text.contains(&format!("{name}_count 4\n{}", "")), "{text}");
        assert!(text.contains("version=\"TLS 1.0\",suite=\"TLS_RSA_WITH_AES_128_CBC_SHA\""));
    }

    #[test]
    fn ends_are_counted_by_reason() {
        let metrics = Metrics::default();
        metrics.count_end(Reason::DeviceRefused);
        metrics.count_end(Reason::ClosedByClient);
        let text = metrics.to_text();
        assert!(text.contains("failed_total{reason=\"device_refused\"} 1\n"), "{text}");
        assert!(text.contains("failed_total{reason=\"device_lost\"} 0\n"), "{text}");
        assert!(text.contains("closed_total{reason=\"closed_by_client\"} 1\n"), "{text}");
    }
}

//! What the user sees: key log lines, a verdict for each session, and a summary, as text or JSON.
//! Everything secret among it is a key log line, which the user asked for.

use std::collections::BTreeMap;
use std::io::Write;

use indicatif::ProgressBar;
use serde::Serialize;
use ssl_provider::ProtocolVersion;
use zeroize::Zeroizing;

use super::input::InputSummary;
use super::order::Judged;
use super::output_file::OutputFile;
use super::session::{Session, Verdict};
use crate::counted::counted;
use crate::exit::{Failure, Outcome, show, tell};
use crate::hex;

/// Where things go.
pub(super) struct Report<'r> {
    pub(super) backends: Vec<&'static str>,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) progress: &'r ProgressBar,
    /// Standard output.
    pub(super) stdout: &'r mut dyn Write,
    /// The file for the key log, if not standard output.
    pub(super) output: Option<OutputFile>,
    /// The key log once more, for the Decryption Secrets Block.
    pub(super) kept: Option<KeptLines>,
    pub(super) counts: Counts,
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    verdicts: [u64; Verdict::NAMES.len()],
    opened: u64,
    not_opened: u64,
    disagreements: u64,
}

impl Report<'_> {
    /// Takes a session as each backend judges it.
    pub(super) fn session(&mut self, mut judged: Judged) -> Result<(), Failure> {
        let backends = self.backends.len();
        let agree =
            judged.len() == backends && judged.windows(2).all(|pair| pair[0].agrees_with(&pair[1]));
        if !agree {
            self.counts.disagreements += 1;
            self.disagreement(&judged);
            // Nobody knows which line would be right.
            judged.iter_mut().for_each(|session| session.key_log = None);
        }
        let Some(session) = judged.first() else { return Ok(()) };
        self.counts.add(session);
        if let Some(line) = &session.key_log {
            self.key_log_line(line.expose())?;
        }
        if self.json {
            let line = JsonSession::new(session, &self.backends, agree);
            json_line(self.stdout, &line)?;
            // Whoever reads a live capture wants each session when it is there.
            self.stdout.flush()?;
        } else if !self.quiet {
            let line = verdict_line(session);
            self.progress.suspend(|| show(&line));
        }
        Ok(())
    }

    /// Writes the summary and completes the key log file. Returns the outcome.
    pub(super) fn finish(self, input: &InputSummary) -> Result<Outcome, Failure> {
        self.progress.finish_and_clear();
        for warning in &input.warnings {
            tell(format_args!("warning: {warning}"));
        }
        if self.json {
            let summary = JsonSummary::new(&self.counts, input, &self.backends);
            json_line(self.stdout, &summary)?;
        } else if !self.quiet {
            show(self.counts.summary_line(input));
            if !input.other.is_empty() {
                let other = input.other.iter().map(|(kind, count)| kind.counted(*count));
                show(format_args!("not looked into: {}", other.collect::<Vec<_>>().join(", ")));
            }
        }
        self.stdout.flush()?;
        if let Some(unchanged) = self.output.map(OutputFile::commit).transpose()?.flatten() {
            tell(format_args!("nothing was opened; {} is unchanged", unchanged.display()));
        }
        if self.counts.disagreements > 0 {
            let sessions = counted(self.counts.disagreements, "session");
            tell(format_args!("THE BACKENDS DISAGREE about {sessions}"));
            return Ok(Outcome::Disagreement);
        }
        Ok(Outcome::of(self.counts.opened, self.counts.not_opened))
    }

    fn key_log_line(&mut self, line: &str) -> Result<(), Failure> {
        if let Some(kept) = &mut self.kept {
            kept.push(line);
        }
        match &mut self.output {
            Some(output) => output.line(line),
            None if self.json => Ok(()),
            None => {
                writeln!(self.stdout, "{line}")?;
                Ok(self.stdout.flush()?)
            }
        }
    }

    fn disagreement(&self, judged: &[Session]) {
        self.progress.suspend(|| {
            let stream = judged.first().map_or("", |session| &session.stream);
            tell(format_args!("THE BACKENDS DISAGREE about {stream}:"));
            for (backend, session) in self.backends.iter().zip(judged) {
                let (verdict, reason) = (session.verdict.name(), &session.reason);
                tell(format_args!("  {backend}: {verdict} {reason}"));
            }
        });
    }
}

/// Lines of the key log, of which no copy stays behind: each is allocated at its size.
#[derive(Default)]
pub(super) struct KeptLines(Vec<Zeroizing<String>>);

impl KeptLines {
    fn push(&mut self, line: &str) {
        self.0.push(Zeroizing::new(line.to_owned()));
    }

    /// The whole key log, in a buffer that is reserved at once.
    pub(super) fn join(&self) -> Zeroizing<String> {
        let len = self.0.iter().map(|line| line.len() + 1).sum();
        let mut log = Zeroizing::new(String::with_capacity(len));
        for line in &self.0 {
            log.push_str(line);
            log.push('\n');
        }
        log
    }
}

fn json_line(out: &mut dyn Write, line: &impl Serialize) -> Result<(), Failure> {
    // Structures of text and numbers always have a JSON form, so that this is an output error.
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

impl Counts {
    fn add(&mut self, session: &Session) {
        self.verdicts[session.verdict as usize] += 1;
        match session.counts() {
            Some(true) => self.opened += 1,
            Some(false) => self.not_opened += 1,
            None => {}
        }
    }

    fn of_each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Verdict::NAMES.into_iter().zip(self.verdicts)
    }

    fn sessions(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    fn summary_line(&self, input: &InputSummary) -> String {
        let packets = counted(input.packets, "packet");
        match self.sessions() {
            0 => format!("no TLS sessions over TCP in {packets}"),
            sessions => {
                let parts: Vec<_> = self
                    .of_each()
                    .filter(|(_, count)| *count > 0)
                    .map(|(name, count)| format!("{count} {name}"))
                    .collect();
                format!("{} in {packets}: {}", counted(sessions, "session"), parts.join(", "))
            }
        }
    }
}

/// Public bytes as hexadecimal digits.
fn digits(bytes: &[u8]) -> String {
    hex::encode(bytes).to_string()
}

/// The verdict for people.
fn verdict_line(session: &Session) -> String {
    let random = session.client_random.map_or("unknown".to_owned(), |random| digits(&random));
    let mut line = format!(
        "{:14} {}  {} {}  random {random}",
        session.verdict.name(),
        session.stream,
        session.protocol_name(),
        session.suite_name(),
    );
    let resumes =
        session.resumes.map(|random| format!("master key of the session {}", digits(&random)));
    let renegotiation = session.renegotiation.then(|| "renegotiated".to_owned());
    let reason = Some(session.reason.clone()).filter(|reason| !reason.is_empty());
    let remarks: Vec<_> = [renegotiation, reason, resumes]
        .into_iter()
        .flatten()
        .chain(session.notes.iter().cloned())
        .collect();
    if !remarks.is_empty() {
        line.push_str("  ");
        line.push_str(&remarks.join("; "));
    }
    line
}

/// The verdict for programs.
#[derive(Serialize)]
struct JsonSession<'s> {
    r#type: &'static str,
    stream: &'s str,
    packet: u64,
    time: Option<String>,
    client_random: Option<String>,
    protocol: Option<String>,
    offered_version: Option<String>,
    suite: Option<String>,
    suite_name: String,
    ems: bool,
    etm: bool,
    renegotiation: bool,
    resumed: bool,
    resumes: Option<String>,
    verdict: &'static str,
    /// The side whose Finished was checked and is right.
    proof: Option<&'static str>,
    reason: &'s str,
    notes: &'s [String],
    key: Option<&'s str>,
    premaster_version: Option<String>,
    backends: &'s [&'static str],
    backends_agree: bool,
    key_log: Option<&'s str>,
}

impl<'s> JsonSession<'s> {
    fn new(session: &'s Session, backends: &'s [&'static str], agree: bool) -> Self {
        let number = |value: Option<u16>| value.map(|value| format!("{value:04x}"));
        Self {
            r#type: "session",
            stream: &session.stream,
            packet: session.moment.packet,
            time: session
                .moment
                .time
                .map(|time| format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000)),
            client_random: session.client_random.map(|random| digits(&random)),
            protocol: number(session.protocol.map(ProtocolVersion::wire)),
            offered_version: number(session.offered_version),
            suite: session.suite.map(|suite| format!("{:04x}", suite.0)),
            suite_name: session.suite_name(),
            ems: session.extended_master_secret,
            etm: session.encrypt_then_mac,
            renegotiation: session.renegotiation,
            resumed: session.verdict == Verdict::Resumed,
            resumes: session.resumes.map(|random| digits(&random)),
            verdict: session.verdict.name(),
            // In a resumption the server's Finished comes first.
            proof: session.key_log.as_ref().map(|_| match session.verdict {
                Verdict::Resumed => "server",
                _ => "client",
            }),
            reason: &session.reason,
            notes: &session.notes,
            key: session.key.as_deref(),
            premaster_version: number(session.premaster_version),
            backends,
            backends_agree: agree,
            key_log: session.key_log.as_ref().map(|line| line.expose()),
        }
    }
}

#[derive(Serialize)]
struct JsonSummary<'s> {
    r#type: &'static str,
    packets: u64,
    /// Packets that are not TCP over IP by kind; for DTLS, records.
    not_looked_into: BTreeMap<String, u64>,
    sessions: u64,
    verdicts: serde_json::Map<String, serde_json::Value>,
    opened: u64,
    not_opened: u64,
    disagreements: u64,
    backends: &'s [&'static str],
    warnings: &'s [String],
}

impl<'s> JsonSummary<'s> {
    fn new(counts: &Counts, input: &'s InputSummary, backends: &'s [&'static str]) -> Self {
        Self {
            r#type: "summary",
            packets: input.packets,
            not_looked_into: input.other.iter().map(|(kind, n)| (kind.to_string(), *n)).collect(),
            sessions: counts.sessions(),
            verdicts: counts
                .of_each()
                .map(|(name, count)| (name.to_owned(), count.into()))
                .collect(),
            opened: counts.opened,
            not_opened: counts.not_opened,
            disagreements: counts.disagreements,
            backends,
            warnings: &input.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use ssl_provider::MasterSecret;

    use super::super::session::KeyLogLine;
    use super::*;
    use crate::capture::Moment;

    /// A session with a line of the key log whose secret is all of one byte.
    fn session(verdict: Verdict, secret: Option<u8>) -> Session {
        let mut session = Session::new(Moment::default(), "a > b".to_owned(), false);
        session.judge(verdict, "");
        session.client_random = Some([1; 32]);
        session.key_log = secret.map(|byte| {
            let mut secret = MasterSecret::zeroed();
            secret.expose_mut().fill(byte);
            KeyLogLine::new(&[1; 32], &secret)
        });
        session
    }

    /// What is written, and the outcome.
    fn report(json: bool, sessions: Vec<Judged>) -> (String, Outcome) {
        let (progress, mut stdout) = (ProgressBar::hidden(), Vec::new());
        let mut report = Report {
            backends: vec!["first", "second"],
            json,
            quiet: true,
            progress: &progress,
            stdout: &mut stdout,
            output: None,
            kept: None,
            counts: Counts::default(),
        };
        for judged in sessions {
            report.session(judged).unwrap();
        }
        let outcome = report.finish(&InputSummary::default()).unwrap();
        (String::from_utf8(stdout).unwrap(), outcome)
    }

    fn proven(secret: u8) -> Session {
        session(Verdict::Proven, Some(secret))
    }

    #[test]
    fn backends_that_agree_give_one_line() {
        let (out, outcome) = report(false, vec![vec![proven(2), proven(2)]]);
        let line = format!("CLIENT_RANDOM {} {}\n", "01".repeat(32), "02".repeat(48));
        assert_eq!((out, outcome), (line, Outcome::All));
    }

    #[test]
    fn backends_that_disagree_give_no_line_and_an_outcome_of_their_own() {
        for judged in [
            vec![proven(2), proven(3)],
            vec![proven(2), session(Verdict::WrongKey, None)],
            vec![proven(2)],
        ] {
            let (out, outcome) = report(false, vec![vec![proven(4), proven(4)], judged]);
            assert_eq!((out.lines().count(), outcome), (1, Outcome::Disagreement));
        }
    }

    #[test]
    fn outcomes_count_what_a_private_key_could_open() {
        let both = |make: fn() -> Session| vec![make(), make()];
        let good = || both(|| proven(2));
        let forward_secret = || both(|| session(Verdict::ForwardSecret, None));
        let resumed = || both(|| session(Verdict::Resumed, Some(2)));
        let unopened = || both(|| session(Verdict::Resumed, None));
        for (sessions, expected) in [
            (vec![], Outcome::None),
            (vec![forward_secret()], Outcome::None),
            (vec![good(), forward_secret()], Outcome::All),
            (vec![good(), resumed()], Outcome::All),
            (vec![good(), unopened()], Outcome::Some),
            (vec![unopened()], Outcome::None),
        ] {
            assert_eq!(report(true, sessions).1, expected);
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", proven(0xab)).contains("abab"));
    }
}

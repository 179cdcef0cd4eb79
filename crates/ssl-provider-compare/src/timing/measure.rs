//! A run: which subjects there are, the controls that belong to them, and one after another their
//! times.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use ssl_provider::{
    Backend, Error, Operation as Supported, multi_buffer_instructions, with_multi_buffer,
};
use ssl_provider_command::exit::Failure;
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::timing_class::CLASSES;

use crate::timing::client::{Offer, Served};
use crate::timing::environment;
use crate::timing::input::Inputs;
use crate::timing::local::{
    self, DELAY_NANOSECONDS, Local, Operation, SELECTIONS, VERSION, careless_selection, one_branch,
    selection,
};
use crate::timing::meter::{Meter, Pinned};
use crate::timing::report::{Kind, Report, Role, Settings, SubjectReport, nanoseconds};
use crate::timing::sampling::{Plan, Samples, Subject};
use crate::timing::server::{Leaky, LocalServer};
use crate::timing::verdict::{Facts, describe, judge};

/// What to measure.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) backends: Vec<Backend>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) bits: usize,
    pub(crate) extent: Extent,
    /// The effect in nanoseconds that is to be detectable, if not the usual one.
    pub(crate) target: Option<f64>,
    pub(crate) seed: u64,
    pub(crate) all_pairs: bool,
    /// A server elsewhere, in place of the rest, with its name.
    pub(crate) connect: Option<(String, Offer)>,
    pub(crate) quiet: bool,
}

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Seconds.
    Smoke,
    /// Until the size that is to be detectable is, up to a limit.
    Precise,
    /// So many blocks, or for so long.
    Given { blocks: Option<usize>, time: Option<Duration> },
}

/// Most blocks of a subject in a run that ends by time.
const MAX_BLOCKS: usize = 1_000_000;

/// How many times as many blocks there may be where they are too few.
const ROUNDS: usize = 4;

impl Extent {
    /// Blocks, and how many times as many.
    fn blocks(self, kind: Kind) -> (usize, usize) {
        let (smoke, usual) = match kind {
            Kind::Selection => (1_000, 200_000),
            Kind::Import => (64, 30_000),
            Kind::Batch => (32, 10_000),
            Kind::Socket => (16, 5_000),
            Kind::Server => (16, 3_000),
        };
        match self {
            Self::Smoke => (smoke, 1),
            Self::Precise => (usual, ROUNDS),
            Self::Given { blocks, .. } => (blocks.unwrap_or(MAX_BLOCKS), 1),
        }
    }

    fn time(self) -> Option<Duration> {
        match self {
            Self::Given { time, .. } => time,
            Self::Smoke | Self::Precise => None,
        }
    }
}

/// A subject that is to be measured.
struct Job {
    facts: Facts,
    what: What,
}

enum What {
    /// An operation on blocks.
    Blocks(fn() -> Operation),
    /// An operation on ciphertexts, with a backend.
    Ciphertexts(Backend, Make),
    /// A server in this process on a backend; a control has a planted delay, in nanoseconds.
    Socket(Backend, Option<f64>),
    /// A server elsewhere.
    Server(Offer),
}

/// Makes an operation; it is tried with a good ciphertext.
type Make = fn(&Backend, &TestKey, &[u8]) -> Result<Operation, Error>;

/// Measures everything that was asked for, with its controls, and judges it.
///
/// # Errors
///
/// [`Failure::Usage`] for a server elsewhere that cannot be measured.
pub(crate) fn measure(request: &Request) -> Result<Report, Failure> {
    let mut not_measured = Vec::new();
    let jobs = jobs(request, &mut not_measured);
    let is_smoke = request.extent == Extent::Smoke;
    let mut meter = Meter::new(if is_smoke { 1 } else { ROUNDS });
    let key = if request.bits == 2048 { TestKey::rsa_2048() } else { TestKey::rsa_1024() };
    let mut report = Report {
        environment: environment::describe(&request.backends, meter.describe()),
        settings: Settings {
            bits: request.bits,
            seed: request.seed,
            smoke: is_smoke,
            all_pairs: request.all_pairs,
        },
        subjects: Vec::new(),
        not_measured,
        failed: Vec::new(),
    };
    let pairs = |is_control| -> usize {
        let jobs = jobs.iter().filter(|job| job.facts.is_control == is_control);
        jobs.map(|job| job.facts.pairs().len()).sum()
    };
    let pairs = [pairs(false), pairs(true)];
    let start = Instant::now();
    let count = jobs.len();
    for (number, job) in jobs.into_iter().enumerate() {
        let (blocks, rounds) = request.extent.blocks(job.facts.kind);
        let left = request.extent.time().map(|time| time.saturating_sub(start.elapsed()));
        let share = u32::try_from(count - number).unwrap_or(u32::MAX);
        let plan = Plan {
            blocks,
            rounds,
            target: job.facts.target,
            pairs: pairs[usize::from(job.facts.is_control)],
            limit: job.facts.kind.limit(),
            time: left.map(|left| left / share),
            discards: !is_smoke,
        };
        let seed = Rng::new(request.seed).next_u64() ^ number as u64;
        let mut run = Run {
            meter: &mut meter,
            key: &key,
            plan,
            rng: Rng::new(seed),
            bits: request.bits,
            bar: bar(request.quiet, &format!("{} of {count}: {}", number + 1, job.facts.name)),
        };
        let name = job.facts.name.clone();
        let is_elsewhere = job.facts.kind == Kind::Server;
        let measured = run.measure(job);
        let bits = run.bits;
        run.bar.finish_and_clear();
        match measured {
            Ok(subject) => report.subjects.push(subject),
            Err(error) if is_elsewhere => return Err(Failure::Usage(format!("{name}: {error}"))),
            Err(error) => report.failed.push(format!("{name}: {error}")),
        }
        report.settings.bits = bits;
    }
    judge(&mut report.subjects, is_smoke);
    Ok(report)
}

fn bar(is_quiet: bool, message: &str) -> ProgressBar {
    const STEPS: u64 = 1000;
    // Hidden too where standard error is no terminal.
    let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(STEPS) };
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:24} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    bar
}

/// The subjects that were asked for, after the controls that they need.
fn jobs(request: &Request, not_measured: &mut Vec<String>) -> Vec<Job> {
    let target = |kind: Kind| request.target.unwrap_or(kind.target());
    let job = |name: String, kind: Kind, is_control: bool, what: What| {
        let delay = matches!(what, What::Server(_)).then(|| target(kind));
        let all_pairs = request.all_pairs && !is_control;
        let classes = classes(delay);
        Job {
            facts: Facts { name, kind, is_control, target: target(kind), classes, all_pairs },
            what,
        }
    };
    if let Some((target, offer)) = &request.connect {
        return vec![job(target.clone(), Kind::Server, false, What::Server(offer.clone()))];
    }
    let has = |kind: Kind| request.kinds.contains(&kind);
    let mut controls = Vec::new();
    let mut control = |name: String, kind, what| {
        controls.push(job(format!("control: {name}"), kind, true, what));
    };
    // The planted leaks are the same whatever library decrypts.
    let decrypts = request
        .backends
        .iter()
        .find(|backend| backend.support(Supported::RsaDecryptRaw).is_supported());
    if has(Kind::Selection) {
        control("careless routine".into(), Kind::Selection, What::Blocks(careless_selection));
        control("one branch".into(), Kind::Selection, What::Blocks(one_branch));
    }
    if let Some(backend) = decrypts {
        if has(Kind::Import) || has(Kind::Batch) {
            let careless: Make = |backend, key, _| local::careless_server(backend, key);
            let slower: Make = |backend, key, _| local::slower(backend, key);
            let of = |make| What::Ciphertexts(backend.clone(), make);
            control("careless server".into(), Kind::Import, of(careless));
            control(format!("{DELAY_NANOSECONDS} ns longer"), Kind::Import, of(slower));
        }
        if has(Kind::Socket) {
            let delay = target(Kind::Socket);
            let what = What::Socket(backend.clone(), Some(delay));
            let name = format!("server that takes {} longer", nanoseconds(delay));
            control(name, Kind::Socket, what);
        }
    }
    for Job { facts, .. } in &mut controls {
        // What is planted must be detectable.
        if facts.kind == Kind::Import {
            facts.target = facts.target.min(DELAY_NANOSECONDS);
        }
    }
    let mut jobs = controls;
    if has(Kind::Selection) {
        let what = What::Blocks(selection);
        jobs.push(job("selection".to_owned(), Kind::Selection, false, what));
    }
    for backend in &request.backends {
        let name = backend.info().name;
        if has(Kind::Import) {
            let what = What::Ciphertexts(backend.clone(), local::import);
            jobs.push(job(format!("import with {name}"), Kind::Import, false, what));
        }
        if has(Kind::Batch)
            && let Some(around) = with_multi_buffer(backend)
        {
            let what = What::Ciphertexts(around, local::batch);
            jobs.push(job(format!("batch with {name}"), Kind::Batch, false, what));
        }
    }
    if has(Kind::Batch) && multi_buffer_instructions().is_none() {
        not_measured.push(
            "batches: the processor has neither AVX-512 IFMA nor AVX-IFMA, which multi-buffer RSA \
             needs"
                .to_owned(),
        );
    }
    if has(Kind::Socket) {
        for backend in &request.backends {
            let name = format!("socket with {}", backend.info().name);
            jobs.push(job(name, Kind::Socket, false, What::Socket(backend.clone(), None)));
        }
    }
    jobs
}

/// The classes of a subject: those of the test kit, and one that the client delays by so many
/// nanoseconds.
fn classes(delay: Option<f64>) -> Vec<(String, String, Role)> {
    let role = |index: usize, good: bool| match (index, good) {
        (0, _) => Role::Reference,
        (1, _) => Role::Alike,
        (_, true) => Role::Good,
        (_, false) => Role::Bad,
    };
    let of_testkit = CLASSES.iter().enumerate().map(|(index, class)| {
        (class.name.to_owned(), class.description.to_owned(), role(index, class.good))
    });
    let delayed = delay.map(|delay| {
        let name = format!("control: {} longer", nanoseconds(delay));
        (name, "well formed; the client waits before it stops the clock".to_owned(), Role::Delayed)
    });
    of_testkit.chain(delayed).collect()
}

/// What the measurement of one subject needs.
struct Run<'a> {
    meter: &'a mut Meter,
    key: &'a TestKey,
    plan: Plan,
    rng: Rng,
    /// Bits of the key; those of a server elsewhere are known once it has been reached.
    bits: usize,
    bar: ProgressBar,
}

impl Run<'_> {
    fn measure(&mut self, job: Job) -> Result<SubjectReport, String> {
        let Job { facts, what } = job;
        let public_key = self.key.public_key();
        let version = VERSION.wire();
        match what {
            What::Blocks(make) => {
                let inputs = Inputs::blocks(&public_key, version, &mut self.rng);
                self.local(&facts, inputs, make(), SELECTIONS)
            }
            What::Ciphertexts(backend, make) => {
                let inputs = Inputs::ciphertexts(&public_key, version, &mut self.rng);
                let operation = make(&backend, self.key, inputs.of(0));
                let operation = operation.map_err(|error| error.to_string())?;
                self.local(&facts, inputs, operation, 1)
            }
            What::Socket(backend, delay) => {
                let backend = match delay {
                    Some(delay) => Leaky::around(&backend, delay),
                    None => backend,
                };
                let server = LocalServer::start(&backend, self.key)?;
                let server = server.ok_or("the backend does not support what the server needs")?;
                let offer = Offer::new(&server.target(), VERSION, None)?;
                self.served(&facts, offer)
            }
            What::Server(offer) => self.served(&facts, offer),
        }
    }

    fn local(
        &mut self,
        facts: &Facts,
        inputs: Inputs,
        operation: Operation,
        calls: usize,
    ) -> Result<SubjectReport, String> {
        let (plan, bar) = (self.plan, &self.bar);
        let mut local = Local::new(self.meter, inputs, operation, calls);
        let samples = take(&mut local, facts, plan, &mut self.rng, bar)?;
        Ok(describe(facts, &samples, Vec::new(), &mut self.rng))
    }

    fn served(&mut self, facts: &Facts, offer: Offer) -> Result<SubjectReport, String> {
        let delay = facts.classes.len() > CLASSES.len();
        let delay = delay.then_some(facts.target);
        let mut served = Served::new(offer, delay, &mut self.rng)?;
        self.bits = served.bits();
        let samples = take(&mut served, facts, self.plan, &mut self.rng, &self.bar)?;
        Ok(describe(facts, &samples, served.into_answers(), &mut self.rng))
    }
}

fn take(
    subject: &mut dyn Subject,
    facts: &Facts,
    plan: Plan,
    rng: &mut Rng,
    bar: &ProgressBar,
) -> Result<Samples, String> {
    let _pinned = Pinned::here();
    let steps = bar.length().unwrap_or(1) as f64;
    let mut progress = |blocks: usize, all: usize, elapsed: Duration| {
        let of_blocks = blocks as f64 / all as f64;
        let of_time = plan.time.map_or(0.0, |time| elapsed.as_secs_f64() / time.as_secs_f64());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let position = (of_blocks.max(of_time).min(1.0) * steps) as u64;
        bar.set_position(position);
    };
    let samples = Samples::take(subject, facts.classes.len(), plan, rng, &mut progress)?;
    match samples.blocks() {
        0 => Err("the hypervisor took time in every block; measure on a quiet machine".to_owned()),
        _ => Ok(samples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider_testkit::fake::Fake;

    fn request(kinds: &[Kind]) -> Request {
        Request {
            backends: vec![Backend::from(&Fake::new().share())],
            kinds: kinds.to_vec(),
            bits: 1024,
            extent: Extent::Smoke,
            target: None,
            seed: 1,
            all_pairs: true,
            connect: None,
            quiet: true,
        }
    }

    #[test]
    fn every_kind_has_its_controls_before_it() {
        for kind in [Kind::Selection, Kind::Import, Kind::Batch, Kind::Socket] {
            let jobs = jobs(&request(&[kind]), &mut Vec::new());
            let controls = jobs.iter().take_while(|job| job.facts.is_control).count();
            assert!(controls > 0, "{kind:?}");
            assert!(jobs[..controls].iter().all(|job| job.facts.kind == kind.control()));
            let rest = &jobs[controls..];
            assert!(rest.iter().all(|job| !job.facts.is_control && job.facts.kind == kind));
            // Not each processor has what batches need.
            assert!(!rest.is_empty() || kind == Kind::Batch, "{kind:?}");
        }
    }

    #[test]
    fn planted_leaks_are_to_be_detectable_and_are_compared_with_the_reference_only() {
        let kinds = [Kind::Selection, Kind::Import, Kind::Socket];
        for job in jobs(&request(&kinds), &mut Vec::new()) {
            let pairs = job.facts.pairs().len();
            assert_eq!(pairs == CLASSES.len() - 1, job.facts.is_control, "{}", job.facts.name);
            if job.facts.is_control && job.facts.kind == Kind::Import {
                assert_eq!(job.facts.target, DELAY_NANOSECONDS);
            }
        }
    }

    #[test]
    fn a_server_elsewhere_has_a_delayed_class_and_nothing_else_is_measured() {
        let version = ssl_provider::ProtocolVersion::TLS1_2;
        let offer = Offer::new("127.0.0.1:9", version, None).unwrap();
        let connect = Some(("127.0.0.1:9".to_owned(), offer));
        let request = Request { connect, target: Some(7_000.0), ..request(&[Kind::Import]) };
        let jobs = jobs(&request, &mut Vec::new());
        assert_eq!(jobs.len(), 1);
        let (name, _, role) = jobs[0].facts.classes.last().unwrap();
        assert_eq!((name.as_str(), *role), ("control: 7.00 µs longer", Role::Delayed));
        // The one that nobody listens on.
        let refused = measure(&request).unwrap_err().to_string();
        assert!(refused.starts_with("127.0.0.1:9: cannot connect"), "{refused}");
    }

    #[test]
    fn a_run_by_time_ends_by_time_and_one_by_blocks_after_these() {
        let time = Some(Duration::from_secs(5));
        let extent = Extent::Given { blocks: None, time };
        assert_eq!((extent.blocks(Kind::Import), extent.time()), ((MAX_BLOCKS, 1), time));
        let extent = Extent::Given { blocks: Some(300), time: None };
        assert_eq!((extent.blocks(Kind::Socket), extent.time()), ((300, 1), None));
        assert_eq!(Extent::Precise.blocks(Kind::Socket).1, ROUNDS);
    }
}

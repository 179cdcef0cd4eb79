//! `sslprov bench` with two groups more, which only this repository can measure: the C interface,
//! and the handle table behind it. `cargo xtask bench-report` makes docs/benchmarks.md of it.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::Parser;
use ssl_provider::{Backend, Handle, HandleKind, HandleTable, MasterKey, Provider};
use ssl_provider_benches::c_interface::CProvider;
use ssl_provider_compare::bench::cases::{Case, Chart, GROUPS, Group, Scope};
use ssl_provider_compare::bench::exchange::{SUITE, VERSION, ciphertexts, parameters};
use ssl_provider_compare::bench::paired::{Contestant, Measure, RowOf, Set};
use ssl_provider_compare::bench::report::Row;
use ssl_provider_compare::bench::{Args, run_groups};
use ssl_provider_testkit::rsa_key::TestKey;

/// The command line.
#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: Args,

    /// Cargo adds it to the arguments of every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let CommandLine { args, bench: _ } = CommandLine::parse();
    let groups: Vec<Group> = GROUPS.into_iter().chain([C_INTERFACE, HANDLE_LOOKUP]).collect();
    match run_groups(&args, &groups) {
        Ok(outcome) => outcome.into(),
        Err(failure) => failure.report(),
    }
}

const C_INTERFACE: Group = Group {
    name: "c-interface",
    title: "The C interface",
    text: "`SslImportMasterKey` and `SslFreeObject` with a key of 2048 bits, compared with the \
        same import in Rust.",
    x: "",
    chart: Chart::Times,
    cases: |scope| {
        let case = |backend: &Backend| {
            let backend = backend.clone();
            Case {
                group: C_INTERFACE.name,
                name: "RSA-2048".into(),
                backend: backend.info().name,
                weight: 2,
                prepare: Box::new(move || c_interface(&backend)),
            }
        };
        scope.backends.iter().map(case).collect()
    },
};

fn c_interface(backend: &Backend) -> Result<Box<dyn Measure>, String> {
    let key = TestKey::rsa_2048();
    let encrypted: Arc<[Vec<u8>]> = ciphertexts(&key).into();
    let c = CProvider::open(backend.info().provider_name, &key.der);
    let provider = Provider::open(backend);
    let private_key = key.try_load(&provider).map_err(|error| error.to_string())?;
    let (parameters, of_c) = (parameters(), Arc::clone(&encrypted));
    let from_c = move |round: usize| {
        c.import(&of_c[round % of_c.len()]);
        Ok::<_, ssl_provider::Error>(())
    };
    let from_rust = move |round: usize| {
        let ciphertext = &encrypted[round % encrypted.len()];
        provider
            .import_master_key(&private_key, VERSION, SUITE, &parameters, ciphertext)
            .map(|master_key| drop(black_box(master_key)))
    };
    let template = Row {
        group: C_INTERFACE.name.into(),
        case: "RSA-2048".into(),
        backend: backend.info().name.into(),
        ..Row::default()
    };
    let contestants = vec![Contestant::new("C", from_c), Contestant::new("Rust", from_rust)];
    Ok(Box::new(Set::new(template, "import", contestants)))
}

const HANDLE_LOOKUP: Group = Group {
    name: "handle-lookup",
    title: "Looking up a handle",
    text: "By the number of live handles. `1 thread` and `2 threads` look up the same 64 handles \
        per thread again and again; equal times mean that two threads do twice the work of one. `1 \
        thread, cold` looks up all live handles in an order that defeats the caches. The time is \
        that of one lookup in each thread.",
    x: "live handles",
    chart: Chart::Times,
    cases: handle_lookup,
};

fn handle_lookup(_scope: &Scope) -> Vec<Case> {
    let case = |live: usize| Case {
        group: HANDLE_LOOKUP.name,
        name: format!("{live} live handles"),
        backend: "core",
        weight: 1,
        prepare: Box::new(move || lookups(live)),
    };
    [10, 1_000, 100_000, 1_000_000].map(case).into()
}

/// As large as the object of a master key in the C interface.
type Object = Arc<[usize; size_of::<MasterKey>() / size_of::<usize>()]>;

/// Handles that a thread works with.
const IN_USE: usize = 64;

/// This many take milliseconds, so the time to wake the other thread is negligible.
const LOOKUPS: u32 = 100_000;

fn lookups(live: usize) -> Result<Box<dyn Measure>, String> {
    let table = Arc::new(HandleTable::new(&[1; 16]));
    let insert = |number| table.insert(HandleKind::MasterKey, Object::new([number; _]));
    let handles: Result<Vec<Handle>, _> = (0..live).map(insert).collect();
    let handles = handles.map_err(|error| error.to_string())?;
    // Spread over the whole table, and different ones for each thread.
    let in_use = |thread: usize| -> Vec<Handle> {
        let step = (live / (2 * IN_USE)).max(1);
        handles.iter().skip(thread).step_by(2).step_by(step).take(IN_USE).copied().collect()
    };
    let (ours, other) = (in_use(0), OtherThread::start(&table, in_use(1)));
    let (table_of_both, ours_of_both) = (Arc::clone(&table), ours.clone());
    let both = move |_| {
        other.beside(|| look_up(&table_of_both, &ours_of_both, 1));
        Ok::<_, String>(())
    };
    let table_of_one = Arc::clone(&table);
    let alone = move |_| {
        look_up(&table_of_one, &ours, 1);
        Ok::<_, String>(())
    };
    let cold = move |_| {
        look_up(&table, &handles, 7919);
        Ok::<_, String>(())
    };
    let template = Row {
        group: HANDLE_LOOKUP.name.into(),
        case: "table".into(),
        backend: "core".into(),
        x: u64::try_from(live).ok(),
        ..Row::default()
    };
    let contestants = vec![
        Contestant::new("2 threads", both),
        Contestant::new("1 thread", alone),
        Contestant::new("1 thread, cold", cold),
    ];
    let row = |operation, index, against| RowOf {
        operation,
        plus: vec![index],
        minus: Vec::new(),
        against,
    };
    let rows = vec![
        row("2 threads", 0, Some(1)),
        row("1 thread", 1, None),
        row("1 thread, cold", 2, None),
    ];
    Ok(Box::new(Set::with_rows(template, contestants, rows).of_many(LOOKUPS)))
}

/// Looks up handles, advancing by `stride` each time.
fn look_up(table: &HandleTable<Object>, handles: &[Handle], stride: usize) {
    let mut index = 0;
    for _ in 0..LOOKUPS {
        index = (index + stride) % handles.len();
        let object = table.get(black_box(handles[index]), HandleKind::MasterKey);
        black_box(object.expect("a live handle"));
    }
}

/// A thread that looks up handles of its own whenever this one does.
struct OtherThread {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    start: Barrier,
    end: Barrier,
    stops: AtomicBool,
}

impl OtherThread {
    fn start(table: &Arc<HandleTable<Object>>, handles: Vec<Handle>) -> Self {
        let shared = Arc::new(Shared {
            start: Barrier::new(2),
            end: Barrier::new(2),
            stops: AtomicBool::new(false),
        });
        let (table, of_thread) = (Arc::clone(table), Arc::clone(&shared));
        let thread = thread::spawn(move || {
            loop {
                of_thread.start.wait();
                if of_thread.stops.load(Ordering::Acquire) {
                    break;
                }
                look_up(&table, &handles, 1);
                of_thread.end.wait();
            }
        });
        Self { shared, thread: Some(thread) }
    }

    fn beside(&self, work: impl FnOnce()) {
        self.shared.start.wait();
        work();
        self.shared.end.wait();
    }
}

impl Drop for OtherThread {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::Release);
        self.shared.start.wait();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; what it panicked with has been printed.
            let _ = thread.join();
        }
    }
}

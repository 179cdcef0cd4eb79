//! How a panic is reported: where it happened, and its message only if that is text of the source.
//! Other messages may hold values, and values may be secret: in builds with debug assertions those
//! of `crypto-bigint` can hold the primes of a key.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::fmt::Display;
use std::panic;

use crate::exit::{program, show};

thread_local! {
    /// Where this thread panicked last.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Reports panics of this process like this.
pub fn install_hook() {
    panic::set_hook(Box::new(|info| {
        let place =
            info.location().map(|it| format!("{}:{}:{}", it.file(), it.line(), it.column()));
        let place = place.unwrap_or_else(|| "an unknown place".to_owned());
        show(report(&place, info.payload()));
        // Names of functions and lines only.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            show(backtrace);
        }
        // Nothing is kept by a thread that ends.
        let _ = LAST.try_with(|last| last.replace(Some(format!("at {place}"))));
    }));
}

/// Returns where this thread has panicked, the last time only, and forgets it.
pub fn last() -> Option<String> {
    LAST.take()
}

fn report(place: &impl Display, payload: &(dyn Any + Send)) -> String {
    let message = match payload.downcast_ref::<&'static str>() {
        Some(message) => message,
        None => "its message is left out, since it may hold secrets",
    };
    format!(
        "{}: panicked at {place}: {message}; please report it, with what RUST_BACKTRACE=1 adds",
        program()
    )
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// Returns the report of a panic.
    fn report_of(panics: fn()) -> String {
        let payload = panic::catch_unwind(panics).unwrap_err();
        report(&"src/here.rs:1:2", &*payload)
    }

    #[test]
    fn only_text_of_the_source_is_reported() {
        let report = report_of(|| panic!("planted"));
        assert!(report.contains("panicked at src/here.rs:1:2: planted; "), "{report}");
        let with_values: [fn(); 5] = [
            || panic!("a prime: {}", black_box(7919)),
            || black_box(Err::<(), _>(7919)).expect("no primes"),
            || assert_eq!(7919, black_box(0)),
            || panic::panic_any(7919),
            || drop(black_box("7919\u{e9}")[..5].to_owned()),
        ];
        for panics in with_values {
            let report = report_of(panics);
            assert!(!report.contains("7919") && report.contains("left out"), "{report}");
        }
    }
}

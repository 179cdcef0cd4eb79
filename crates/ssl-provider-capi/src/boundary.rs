//! What surrounds every export: the panic boundary, the mapping to a status, and the trace event.
//! The macro that defines an export adds all three, so that no export can lack them.

use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use ssl_provider::{SecurityStatus, wipe_vector_registers};

use crate::failure::Failure;
use crate::process::InCall;

/// Defines an export of the C interface.
///
/// The body is ordinary code that returns `Result<(), Failure>`. Around it stand the calling
/// convention, the unmangled name, and [`call`]. What follows `is` becomes the name of the
/// function's type, for those that have a slot in the function table.
macro_rules! export {
    (
        $(#[$doc:meta])*
        fn $name:ident is $slot:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    ) => {
        #[doc = concat!("The type of [`", stringify!($name), "`], in the function table.")]
        pub type $slot = unsafe extern "system" fn($($type),*) -> i32;

        $crate::boundary::export! {
            $(#[$doc])*
            fn $name($($argument: $type),*) $body
        }
    };
    (
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// Each pointer keeps the promise of its type in [`crate::pointer`], and is valid for the
        /// number of bytes in its size parameter.
        // SAFETY: no other function of this name is linked; it is this library that provides it.
        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments, reason = "the prototype of the Windows interface")]
        pub unsafe extern "system" fn $name($($argument: $type),*) -> i32 {
            $crate::boundary::call(
                stringify!($name),
                || -> Result<(), $crate::failure::Failure> { $body },
            )
        }
    };
}

pub(crate) use export;

/// A function that receives every call after it returns: the name of the export, its status, and
/// the reason, empty on success. The strings are valid until the trace function returns. They
/// contain no secrets.
pub type TraceFn =
    unsafe extern "C" fn(function: *const c_char, status: i32, reason: *const c_char);

static TRACE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Sets the function that receives every call, in the thread of the call and after its outputs are
/// written; `None` (NULL in C) stops the trace. An extension of this library.
///
/// # Safety
///
/// `trace` must be callable from several threads at once until it is replaced and calls in progress
/// have returned, and must not unwind.
// SAFETY: no other function of this name is linked; it is this library's own.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn SslProviderSetTrace(trace: Option<TraceFn>) {
    let pointer = trace.map_or(ptr::null_mut(), |function| function as *mut ());
    TRACE.store(pointer, Ordering::Release);
}

/// Runs the body of an export, and leaves nothing in the vector registers, which whoever saves them
/// next puts on the stack.
///
/// A panic becomes `NTE_INTERNAL_ERROR`. The state behind the handles stays usable, because locks
/// recover from poisoning and half-changed objects are refused.
pub(crate) fn call(name: &'static str, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _in_call = InCall::begin();
        body()
    }));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(payload) => {
            discard(payload);
            let internal = SecurityStatus::NTE_INTERNAL_ERROR.0;
            Err(Failure::Status(internal, "the library panicked; this is a defect in it"))
        }
    };
    let status = match outcome {
        Ok(()) => SecurityStatus::ERROR_SUCCESS,
        Err(failure) => failure.status(),
    };
    // Before and after: the caller's function is called, and the outcome is freed.
    wipe_vector_registers();
    trace(name, status, outcome);
    wipe_vector_registers();
    status.0
}

/// Drops the payload of a panic. Its destructor is foreign code and may panic as well; the payload
/// of that second panic is leaked.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

fn trace(name: &'static str, status: SecurityStatus, outcome: Result<(), Failure>) {
    let pointer = TRACE.load(Ordering::Acquire);
    if pointer.is_null() {
        return;
    }
    let reason = outcome.err().map_or_else(String::new, |failure| failure.reason().into_owned());
    let (Ok(name), Ok(reason)) = (CString::new(name), CString::new(reason)) else { return };
    // SAFETY: the only pointers stored in TRACE are NULL, ruled out above, and functions of this
    // type, from SslProviderSetTrace.
    let function = unsafe { std::mem::transmute::<*mut (), TraceFn>(pointer) };
    // SAFETY: whoever set the function promised that it may be called from any thread and does not
    // unwind; both strings are terminated and live until it returns.
    unsafe { function(name.as_ptr(), status.0, reason.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use ssl_provider::Error;

    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(call("test", || panic!("injected")), SecurityStatus::NTE_INTERNAL_ERROR.0);
    }

    #[test]
    fn a_panic_whose_payload_panics_too_becomes_a_status() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let status = call("test", || std::panic::panic_any(Bomb));
        assert_eq!(status, SecurityStatus::NTE_INTERNAL_ERROR.0);
    }

    #[test]
    fn an_error_becomes_its_status() {
        assert_eq!(call("test", || Ok(())), 0);
        let status = call("test", || Err(Error::NoMemory.into()));
        assert_eq!(status, SecurityStatus::NTE_NO_MEMORY.0);
        assert_eq!(call("test", || Err(Failure::Status(-1, "why"))), -1);
    }
}

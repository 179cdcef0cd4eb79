//! The handle table of core, compiled from its own file with the locks of shuttle, so that each of
//! its lock operations is a point where another thread may run.

#![forbid(unsafe_code)]

mod error {
    pub(crate) use ssl_provider_core::Error;
}

/// The replacements for `std::sync` in core.
mod sync {
    pub(crate) use std::sync::{OnceLock, PoisonError};

    pub(crate) use shuttle::sync::{Mutex, RwLock};
}

#[path = "../../../crates/ssl-provider-core/src/handle.rs"]
pub mod handle;

//! A backend as programs hold it and pass it on: compiled in, or opened at run time.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::KeyExchangeBackend;

/// A shared backend, cheap to clone.
///
/// Backends that are compiled in are static. One that a program opens at run time, such as a token
/// with a slot and a PIN, or a test double, is counted by reference and dropped with its last user:
/// the last provider or key made with it.
///
/// ```
/// # use ssl_provider_core::backend::KeyExchangeBackend;
/// # use ssl_provider_core::{Backend, BackendInfo, Operation, Support};
/// #[derive(Debug)]
/// struct Token { info: BackendInfo }
///
/// impl KeyExchangeBackend for Token {
///     fn info(&self) -> &BackendInfo { &self.info }
///     fn support(&self, _: Operation) -> Support { Support::Unsupported }
/// }
///
/// let info = BackendInfo::new("token", "Token in slot 1", "none".to_owned());
/// let backend = Backend::new(Token { info });
/// assert_eq!(backend, backend.clone());
/// ```
#[derive(Clone)]
pub struct Backend(Shared);

#[derive(Clone)]
enum Shared {
    Static(&'static dyn KeyExchangeBackend),
    Instance(Arc<dyn KeyExchangeBackend>),
}

impl Backend {
    /// Shares a backend that is opened at run time.
    pub fn new(backend: impl KeyExchangeBackend + 'static) -> Self {
        Self(Shared::Instance(Arc::new(backend)))
    }

    /// Shares a backend that lives as long as the program.
    pub const fn from_static(backend: &'static dyn KeyExchangeBackend) -> Self {
        Self(Shared::Static(backend))
    }
}

impl Deref for Backend {
    type Target = dyn KeyExchangeBackend;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Shared::Static(backend) => *backend,
            Shared::Instance(backend) => &**backend,
        }
    }
}

impl From<&'static dyn KeyExchangeBackend> for Backend {
    fn from(backend: &'static dyn KeyExchangeBackend) -> Self {
        Self::from_static(backend)
    }
}

impl From<Arc<dyn KeyExchangeBackend>> for Backend {
    fn from(backend: Arc<dyn KeyExchangeBackend>) -> Self {
        Self(Shared::Instance(backend))
    }
}

impl From<&Backend> for Backend {
    fn from(backend: &Backend) -> Self {
        backend.clone()
    }
}

impl PartialEq for Backend {
    /// Compares the identities.
    fn eq(&self, other: &Self) -> bool {
        self.info().id() == other.info().id()
    }
}

impl Eq for Backend {}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backend").field(&self.info().name).finish()
    }
}

/// The identity of a backend within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackendId(u64);

impl BackendId {
    /// Returns an identity that no other backend of the process has.
    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendInfo;
    use crate::operation::{Operation, Support};

    #[derive(Debug)]
    struct Double(BackendInfo, #[expect(dead_code, reason = "counts the users")] Arc<()>);

    impl KeyExchangeBackend for Double {
        fn info(&self) -> &BackendInfo {
            &self.0
        }

        fn support(&self, _operation: Operation) -> Support {
            Support::Unsupported
        }
    }

    #[test]
    fn two_instances_of_one_type_are_two_backends_and_are_dropped_with_their_last_user() {
        let users = Arc::new(());
        let open = || {
            let info = BackendInfo::new("double", "Double", String::new());
            Backend::new(Double(info, Arc::clone(&users)))
        };
        let (first, second) = (open(), open());
        assert_ne!(first, second);
        assert_eq!(first, first.clone());
        let provider = crate::Provider::open(&first);
        drop((first, second));
        assert_eq!(Arc::strong_count(&users), 2);
        drop(provider);
        assert_eq!(Arc::strong_count(&users), 1);
    }
}

//! A backend whose random numbers panic when a test wants it; all else is that of a library.

use ssl_provider_core::backend::{Composed, KeyExchangeBackend, SecureRandom};
use ssl_provider_core::{Backend, BackendInfo, Error, Operation, Support};

/// The random numbers.
struct Trap {
    library: Backend,
    first: Box<dyn Fn() + Send + Sync>,
}

/// Returns a backend with the name `trap`, which calls `first` before it draws random numbers: a
/// panic there is one within whatever operation needs them.
pub fn backend(library: &Backend, first: impl Fn() + Send + Sync + 'static) -> Backend {
    let info = BackendInfo::new("trap", "Trap", String::new()).with_rsa(library.info().rsa);
    let trap = Trap { library: library.clone(), first: Box::new(first) };
    Backend::new(Composed::new(info, trap, library.clone()))
}

impl KeyExchangeBackend for Trap {
    ssl_provider_core::offers! { random }

    fn info(&self) -> &BackendInfo {
        self.library.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Random => self.library.support(operation),
            _ => Support::Unsupported,
        }
    }
}

impl SecureRandom for Trap {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        (self.first)();
        self.library.random().fill(out)
    }
}

ssl_provider_core::redacted_debug! { Trap { library, .. } }

//! The backends that are compiled in, and the choice of the default: the one place with features.
//! Order is preference: aws-lc, openssl, rustcrypto, ring.

#[cfg(feature = "multi-buffer")]
use std::ptr;
use std::sync::LazyLock;

use cfg_if::cfg_if;
use ssl_provider_core::{Error, KeyExchangeBackend};
#[cfg(feature = "multi-buffer")]
use ssl_provider_multibuffer::MultiBuffer;

static BACKENDS: LazyLock<Vec<&'static dyn KeyExchangeBackend>> = LazyLock::new(|| {
    vec![
        #[cfg(feature = "aws-lc")]
        ssl_provider_aws_lc::backend(),
        #[cfg(feature = "openssl")]
        ssl_provider_openssl::backend(),
        #[cfg(feature = "rustcrypto")]
        ssl_provider_rustcrypto::backend(),
        #[cfg(feature = "ring")]
        ssl_provider_ring::backend(),
    ]
});

/// The backends that are compiled in, in order of preference.
///
/// # Examples
///
/// ```
/// for backend in ssl_provider::backends() {
///     println!("{}: {}", backend.info().name, backend.info().library);
/// }
/// ```
pub fn backends() -> &'static [&'static dyn KeyExchangeBackend] {
    &BACKENDS
}

/// The backend with this name: `aws-lc`, `openssl`, `rustcrypto` or `ring`.
///
/// # Errors
///
/// [`Error::NoBackend`] when it is not compiled in.
pub fn backend(name: &str) -> Result<&'static dyn KeyExchangeBackend, Error> {
    backends().iter().find(|backend| backend.info().name == name).copied().ok_or(Error::NoBackend)
}

/// The backend for an application that names none.
///
/// # Errors
///
/// [`Error::NoBackend`] when no backend is compiled in.
pub fn default_backend() -> Result<&'static dyn KeyExchangeBackend, Error> {
    cfg_if! {
        if #[cfg(feature = "aws-lc")] {
            Ok(ssl_provider_aws_lc::backend())
        } else if #[cfg(feature = "openssl")] {
            Ok(ssl_provider_openssl::backend())
        } else if #[cfg(feature = "rustcrypto")] {
            Ok(ssl_provider_rustcrypto::backend())
        } else if #[cfg(feature = "ring")] {
            Ok(ssl_provider_ring::backend())
        } else {
            Err(Error::NoBackend)
        }
    }
}

/// A backend with multi-buffer RSA around it, where the processor supports that; see
/// [`ssl_provider_multibuffer`]. None where it does not, and for a backend that is not one of
/// [`backends`].
///
/// Single private operations take part where those of the backend's own library are portable code.
/// The loading of a key and each operation need 320 KiB of stack.
///
/// # Examples
///
/// ```
/// # fn demo() -> Result<(), ssl_provider::Error> {
/// let backend = ssl_provider::default_backend()?;
/// // Batches of eight private operations are then more than twice as fast.
/// let backend = ssl_provider::with_multi_buffer(backend).unwrap_or(backend);
/// # let _ = backend;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "multi-buffer")]
pub fn with_multi_buffer(
    backend: &'static dyn KeyExchangeBackend,
) -> Option<&'static dyn KeyExchangeBackend> {
    static AROUND: LazyLock<Vec<Option<MultiBuffer>>> = LazyLock::new(|| {
        backends().iter().map(|backend| ssl_provider_multibuffer::around(*backend)).collect()
    });
    // Each backend has one description, at one address.
    let position = backends().iter().position(|other| ptr::eq(other.info(), backend.info()))?;
    let around = AROUND.get(position)?.as_ref()?;
    Some(around)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_first_of_all_that_are_compiled_in() {
        let name = |backend: &dyn KeyExchangeBackend| backend.info().name;
        let first = backends().first().map(|backend| name(*backend));
        assert_eq!(default_backend().ok().map(name), first);
    }
}

//! The backends of the process: those that are compiled in, and those that the program registers.
//! Order is preference: aws-lc, openssl, rustcrypto, ring. The one place with features.

use std::sync::{LazyLock, PoisonError, RwLock};
#[cfg(feature = "multi-buffer")]
use std::time::Duration;

use cfg_if::cfg_if;
use ssl_provider_core::{Backend, BackendInfo, Error};
#[cfg(feature = "multi-buffer")]
use ssl_provider_multibuffer::BatchSettings;

static BACKENDS: LazyLock<RwLock<Vec<Backend>>> = LazyLock::new(|| {
    RwLock::new(vec![
        #[cfg(feature = "aws-lc")]
        ssl_provider_aws_lc::backend().into(),
        #[cfg(feature = "openssl")]
        ssl_provider_openssl::backend().into(),
        #[cfg(feature = "rustcrypto")]
        ssl_provider_rustcrypto::backend().into(),
        #[cfg(feature = "ring")]
        ssl_provider_ring::backend().into(),
    ])
});

/// The name under which `SslOpenProvider` opens the default backend (`MS_SCHANNEL_PROVIDER`).
const DEFAULT_PROVIDER: &str = "Microsoft SSL Protocol Provider";

/// Longest provider name that the C interface reads, in UTF-16 code units.
const MAX_PROVIDER_NAME_LEN: usize = 255;

/// Returns the backends that are compiled in, in order of preference, then those that were
/// [registered](register), in the order of registration.
///
/// # Examples
///
/// ```
/// for backend in ssl_provider::backends() {
///     println!("{}: {}", backend.info().name, backend.info().library);
/// }
/// ```
pub fn backends() -> Vec<Backend> {
    BACKENDS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Adds a backend to [`backends`], where it is found by its name, by `--backend` of a program that
/// has the command-line interface linked in, by `SslEnumProtocolProviders` and by
/// `with_multi_buffer`. The default stays what it was.
///
/// # Errors
///
/// [`Error::InvalidParameter`] when another backend has its name or its provider name, and for
/// names that nobody could ask for: empty ones, `all`, the provider name that stands for the
/// default, and a provider name of more than 255 UTF-16 code units.
pub fn register(backend: impl Into<Backend>) -> Result<(), Error> {
    let backend = backend.into();
    let mut backends = BACKENDS.write().unwrap_or_else(PoisonError::into_inner);
    let (name, provider_name) = (backend.info().name, backend.info().provider_name);
    let is_taken = |info: &BackendInfo| info.name == name || info.provider_name == provider_name;
    if ["", "all"].contains(&name)
        || ["", DEFAULT_PROVIDER].contains(&provider_name)
        || provider_name.encode_utf16().count() > MAX_PROVIDER_NAME_LEN
    {
        return Err(Error::InvalidParameter("backend: its name is empty, too long or reserved"));
    }
    if backends.iter().any(|other| is_taken(other.info())) {
        return Err(Error::InvalidParameter("backend: another one has its name"));
    }
    backends.push(backend);
    Ok(())
}

/// Returns the backend with this name: `aws-lc`, `openssl`, `rustcrypto`, `ring`, or the name of
/// one that was registered.
///
/// # Errors
///
/// [`Error::UnknownBackend`] when it is neither compiled in nor registered, and
/// [`Error::NoBackend`] when no backend is.
pub fn backend(name: &str) -> Result<Backend, Error> {
    let all = backends();
    let missing = if all.is_empty() { Error::NoBackend } else { Error::UnknownBackend };
    all.into_iter().find(|backend| backend.info().name == name).ok_or(missing)
}

/// Returns the backend for an application that names none.
///
/// # Errors
///
/// [`Error::NoBackend`] when no backend is compiled in.
pub fn default_backend() -> Result<Backend, Error> {
    cfg_if! {
        if #[cfg(feature = "aws-lc")] {
            Ok(ssl_provider_aws_lc::backend().into())
        } else if #[cfg(feature = "openssl")] {
            Ok(ssl_provider_openssl::backend().into())
        } else if #[cfg(feature = "rustcrypto")] {
            Ok(ssl_provider_rustcrypto::backend().into())
        } else if #[cfg(feature = "ring")] {
            Ok(ssl_provider_ring::backend().into())
        } else {
            Err(Error::NoBackend)
        }
    }
}

/// Returns a backend with multi-buffer RSA around it, where the processor supports that; see
/// [`ssl_provider_multibuffer`]. `None` if it does not, or if the backend has no RSA.
///
/// For one of [`backends`] it is the same backend on every call, which takes the keys of the calls
/// before. Load keys with the new backend, since it refuses those of the other, and wrap once.
/// Single private operations take part where those of the backend's own library are portable code,
/// and with keys whose primes have at most 768 bits. The loading of a key and each operation need
/// 512 KiB of stack, and 1 MiB for keys of more than 4096 bits.
///
/// [`BackendInfo::rsa`](ssl_provider_core::BackendInfo::rsa) and
/// [`Requirements`](ssl_provider_core::Requirements) go on describing the backend's own library:
/// nobody claims that the arithmetic of batches is constant-time. Do not use it where you require
/// that.
///
/// # Examples
///
/// ```
/// # fn demo() -> Result<(), ssl_provider::Error> {
/// let backend = ssl_provider::default_backend()?;
/// // Batches of eight private operations are then faster.
/// let backend = ssl_provider::with_multi_buffer(&backend).unwrap_or(backend);
/// # let _ = backend;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "multi-buffer")]
pub fn with_multi_buffer(backend: &Backend) -> Option<Backend> {
    let make = || ssl_provider_multibuffer::around(backend).map(Backend::new);
    wrapped(backend, Wrapper::MultiBuffer, make)
}

/// Returns a backend around another one that collects the RSA private operations of all threads
/// into batches; see [`ssl_provider_multibuffer::BatchSettings`]. `None` if the backend has no
/// RSA. For servers in which each thread has one operation at a time, around the backend of
/// [`with_multi_buffer`].
///
/// - `wait`: how long the first operation of a batch waits for others where some are likely to
///   come, in whole microseconds, at most 1000: more counts as that, and a fraction is dropped. A
///   lone caller does not wait, but once after others have left. With 0 a batch takes what queues
///   up while others run.
///
/// For one of [`backends`], and for what `with_multi_buffer` makes of it, it is the same backend on
/// every call with the same wait. With another wait it is another backend, which refuses its keys.
///
/// Share one [`PrivateKey`](ssl_provider_core::PrivateKey) between the threads: each that is loaded
/// has a queue of its own. The stack is that of `with_multi_buffer`. After a panic in a batch, its
/// other operations return [`Error::Internal`](ssl_provider_core::Error::Internal). Programs that
/// count batches depend on `ssl-provider-multibuffer` and use `BatchSettings::counts`.
///
/// # Examples
///
/// ```
/// # fn demo() -> Result<(), ssl_provider::Error> {
/// use std::time::Duration;
///
/// use ssl_provider::{with_batcher, with_multi_buffer};
///
/// let mut backend = ssl_provider::default_backend()?;
/// if let Some(fast) = with_multi_buffer(&backend) {
///     backend = with_batcher(&fast, Duration::from_micros(50)).unwrap_or(fast);
/// }
/// # let _ = backend;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "multi-buffer")]
pub fn with_batcher(backend: &Backend, wait: Duration) -> Option<Backend> {
    let wait = wait.min(BatchSettings::MAX_WAIT);
    let wait = Duration::from_micros(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
    let make = || BatchSettings::new(wait).around(backend).map(Backend::new);
    wrapped(backend, Wrapper::Batcher(wait), make)
}

/// What is put around a backend.
#[cfg(feature = "multi-buffer")]
#[derive(PartialEq, Eq)]
enum Wrapper {
    MultiBuffer,
    Batcher(Duration),
}

/// Wraps a backend, and remembers the result for one that lives as long as the process: one of the
/// list, or one that is remembered.
#[cfg(feature = "multi-buffer")]
fn wrapped(
    backend: &Backend,
    wrapper: Wrapper,
    make: impl FnOnce() -> Option<Backend>,
) -> Option<Backend> {
    static WRAPPED: RwLock<Vec<(Backend, Wrapper, Option<Backend>)>> = RwLock::new(Vec::new());
    let mut known = WRAPPED.write().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., around)) =
        known.iter().find(|(inner, by, _)| inner == backend && *by == wrapper)
    {
        return around.clone();
    }
    let around = make();
    let is_known = |(.., around): &(_, _, Option<Backend>)| around.as_ref() == Some(backend);
    if backends().contains(backend) || known.iter().any(is_known) {
        known.push((backend.clone(), wrapper, around.clone()));
    }
    around
}

#[cfg(test)]
mod tests {
    use ssl_provider_core::backend::KeyExchangeBackend;
    use ssl_provider_core::{Operation, Support};

    use super::*;

    #[derive(Debug)]
    struct Named(BackendInfo);

    impl KeyExchangeBackend for Named {
        fn info(&self) -> &BackendInfo {
            &self.0
        }

        fn support(&self, _: Operation) -> Support {
            Support::Unsupported
        }
    }

    #[test]
    fn a_name_that_nobody_could_ask_for_is_not_registered() {
        let long = String::leak("x".repeat(256));
        let good = "of this test";
        for (name, provider_name) in
            [("", good), ("all", good), (good, ""), (good, DEFAULT_PROVIDER), (good, &*long)]
        {
            let info = BackendInfo::new(name, provider_name, "none".to_owned());
            let refused = register(Backend::new(Named(info)));
            assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{name} {provider_name}");
        }
        let is_empty = backends().is_empty();
        let missing = if is_empty { Error::NoBackend } else { Error::UnknownBackend };
        assert_eq!(backend(good), Err(missing));
    }

    #[cfg(feature = "multi-buffer")]
    #[test]
    fn a_backend_of_the_list_has_one_batcher_for_each_wait_and_another_a_new_one_each_time() {
        let micros = Duration::from_micros;
        for backend in backends().iter().filter(|backend| backend.info().rsa.is_some()) {
            let fast = with_multi_buffer(backend).unwrap_or(backend.clone());
            let fifty = with_batcher(&fast, micros(50)).unwrap();
            assert_ne!(fifty, fast);
            assert_eq!(with_batcher(&fast, micros(50)), Some(fifty.clone()));
            assert_eq!(with_batcher(&fast, Duration::from_nanos(50_900)), Some(fifty.clone()));
            assert_ne!(with_batcher(&fast, micros(49)), Some(fifty.clone()));
            let longest = with_batcher(&fast, BatchSettings::MAX_WAIT);
            assert_eq!(with_batcher(&fast, Duration::MAX), longest);

            let info = BackendInfo::new("unlisted", "Unlisted", String::new());
            let unlisted = Backend::new(Named(info.with_rsa(backend.info().rsa)));
            let [one, other] = [(); 2].map(|()| with_batcher(&unlisted, micros(50)).unwrap());
            assert_ne!(one, other);
        }
        let info = BackendInfo::new("without RSA", "Without RSA", String::new());
        assert_eq!(with_batcher(&Backend::new(Named(info)), micros(50)), None);
    }

    #[test]
    fn the_default_is_the_first_of_all_that_are_compiled_in() {
        assert_eq!(default_backend().ok(), backends().into_iter().next());
    }
}

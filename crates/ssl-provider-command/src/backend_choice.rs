//! Which backends a subcommand uses: `--backend`, then `SSL_PROVIDER_BACKEND`, then the default.
//! The order and the list of names are the facade's; nothing here depends on a Cargo feature.

use std::time::Duration;

use ssl_provider::{
    Backend, Error, backend, backends, default_backend, with_batcher, with_multi_buffer,
};

use crate::exit::Failure;

/// The value of `--backend` for all backends that are compiled in or registered.
const ALL: &str = "all";

/// The option `--backend`, for subcommands that can use several.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct BackendArgs {
    /// Crypto backend, or `all` to run every backend and compare the results. Default: the first
    /// of aws-lc, openssl, rustcrypto and ring that is compiled in
    #[arg(long, value_name = "NAME|all", env = "SSL_PROVIDER_BACKEND")]
    pub backend: Option<String>,
}

/// The option `--backend`, for subcommands that compare all backends unless some are chosen.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SomeBackendsArgs {
    /// Crypto backends, separated by commas, or `all`. Default: all that are compiled in or
    /// registered
    #[arg(long, value_name = "NAMES|all", env = "SSL_PROVIDER_BACKEND", value_delimiter = ',')]
    pub backend: Vec<String>,
}

/// The option `--backend`, for subcommands that use one.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OneBackendArgs {
    /// Crypto backend. Default: the first of aws-lc, openssl, rustcrypto and ring that is compiled
    /// in
    #[arg(long, value_name = "NAME", env = "SSL_PROVIDER_BACKEND")]
    pub backend: Option<String>,
}

/// The option `--no-multi-buffer`, for subcommands with many RSA private operations.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct MultiBufferArgs {
    /// Do RSA private operations with the backend's library only. By default, processors with
    /// AVX-512 IFMA or AVX-IFMA run up to eight at once, and single ones where that is faster
    #[arg(long)]
    pub no_multi_buffer: bool,
}

impl MultiBufferArgs {
    /// Wraps the backend in multi-buffer RSA, unless that is turned off or the processor does not
    /// support it.
    pub fn around(self, backend: Backend) -> Backend {
        if self.no_multi_buffer { backend } else { with_multi_buffer(&backend).unwrap_or(backend) }
    }
}

/// The options of a server whose threads share batches of private operations.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct BatchArgs {
    /// Whether private operations are done by multi-buffer RSA.
    #[command(flatten)]
    pub multi_buffer: MultiBufferArgs,

    /// Longest time, in microseconds, that a private operation waits for those of other threads, to
    /// run in one batch with them; at most 1000. With 0 it joins those that have queued up
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1000))]
    #[arg(conflicts_with = "no_multi_buffer")]
    pub batch_wait: u16,
}

impl BatchArgs {
    /// Wraps the backend, if batches are faster with it: around multi-buffer RSA the threads share
    /// batches; a library by itself gains nothing by them.
    pub fn around(self, library: Backend) -> Backend {
        let backend = self.multi_buffer.around(library.clone());
        if backend == library {
            return backend;
        }
        let wait = Duration::from_micros(self.batch_wait.into());
        with_batcher(&backend, wait).unwrap_or(backend)
    }
}

impl OneBackendArgs {
    /// Returns the chosen backend.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when no backend is compiled in, for an unknown name and for `all`.
    pub fn choose(&self) -> Result<Backend, Failure> {
        if self.backend.as_deref() == Some(ALL) {
            return Err(Failure::usage(
                "--backend all: this command uses one backend; `sslprov backends` lists them",
            ));
        }
        one(self.backend.as_deref(), "")
    }
}

impl BackendArgs {
    /// Returns the chosen backends: at least one, and several only for `all`.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when no backend is compiled in, and for an unknown name; the text lists
    /// the names that are compiled in.
    pub fn choose(&self) -> Result<Vec<Backend>, Failure> {
        let all = backends();
        match self.backend.as_deref() {
            Some(ALL) if !all.is_empty() => Ok(all),
            other => Ok(vec![one(other, ", or 'all'")?]),
        }
    }
}

impl SomeBackendsArgs {
    /// Returns whether backends are named.
    pub fn is_given(&self) -> bool {
        // An empty variable counts as not set.
        self.backend.iter().any(|name| !name.is_empty() && name != ALL)
    }

    /// Returns the chosen backends, at least one, in the order in which they are named.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when there is no backend, for an unknown name, and for one that is named
    /// twice or beside `all`; the text lists the names that are there.
    pub fn choose(&self) -> Result<Vec<Backend>, Failure> {
        let all = backends();
        if all.is_empty() {
            return Err(Failure::usage(Error::NoBackend));
        }
        if !self.is_given() {
            return Ok(all);
        }
        let mut chosen: Vec<Backend> = Vec::new();
        for name in &self.backend {
            let found = all.iter().find(|backend| backend.info().name == name);
            let found = found.ok_or_else(|| Failure::Usage(unknown(name, ", or 'all' alone")))?;
            if chosen.contains(found) {
                return Err(Failure::Usage(format!("--backend {name}: named twice")));
            }
            chosen.push(found.clone());
        }
        Ok(chosen)
    }
}

/// Returns the backend of this name, or the default one. `more` is what else may be chosen.
fn one(name: Option<&str>, more: &str) -> Result<Backend, Failure> {
    if backends().is_empty() {
        return Err(Failure::usage(Error::NoBackend));
    }
    // An empty variable counts as not set.
    match name.filter(|name| !name.is_empty()) {
        None => default_backend().map_err(Failure::usage),
        Some(name) => backend(name).map_err(|_| Failure::Usage(unknown(name, more))),
    }
}

fn unknown(name: &str, more: &str) -> String {
    let names: Vec<_> = backends().iter().map(|backend| backend.info().name).collect();
    format!("no backend '{name}' is compiled in; choose one of {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(name: Option<&str>) -> Result<Vec<&'static str>, String> {
        match (BackendArgs { backend: name.map(str::to_owned) }).choose() {
            Ok(chosen) => Ok(chosen.iter().map(|backend| backend.info().name).collect()),
            Err(Failure::Usage(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_all_and_the_default_are_found_where_a_backend_is_compiled_in() {
        let names: Vec<_> = backends().iter().map(|backend| backend.info().name).collect();
        let Some(first) = names.first() else {
            for name in [None, Some("all"), Some("openssl")] {
                let text = choose(name).unwrap_err();
                assert!(text.contains("rustcrypto") && text.contains("feature"), "{text}");
            }
            return;
        };
        assert_eq!(choose(Some("all")), Ok(names.clone()));
        assert_eq!(choose(None), Ok(vec![*first]));
        assert_eq!(choose(Some("")), Ok(vec![*first]));
        for name in &names {
            assert_eq!(choose(Some(name)), Ok(vec![*name]));
        }
        let text = choose(Some("nss")).unwrap_err();
        assert!(text.contains("'nss'") && text.contains(first), "{text}");
        assert!(text.ends_with(", or 'all'"), "{text}");
    }

    #[test]
    fn several_backends_are_chosen_by_name_and_all_by_none() {
        let names: Vec<_> = backends().iter().map(|backend| backend.info().name).collect();
        let Some(first) = names.first() else { return };
        let choose = |list: &[&str]| {
            let backend = list.iter().map(|name| (*name).to_owned()).collect();
            match (SomeBackendsArgs { backend }).choose() {
                Ok(chosen) => Ok(chosen.iter().map(|backend| backend.info().name).collect()),
                Err(Failure::Usage(text)) => Err(text),
                Err(other) => panic!("{other:?}"),
            }
        };
        for all in [&[][..], &[""], &["all"]] {
            assert_eq!(choose(all), Ok(names.clone()));
        }
        assert_eq!(choose(&[first]), Ok(vec![*first]));
        for refused in [&["nss"][..], &[first, first], &["all", first], &[first, "all"]] {
            assert!(choose(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn commands_with_one_backend_offer_no_more() {
        let choose = |name: &str| match (OneBackendArgs { backend: Some(name.into()) }).choose() {
            Ok(chosen) => Ok(chosen.info().name),
            Err(Failure::Usage(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        };
        let Some(first) = backends().first().map(|backend| backend.info().name) else {
            assert!(choose("nss").is_err());
            return;
        };
        assert_eq!((choose(first), choose("")), (Ok(first), Ok(first)));
        let unknown = choose("nss").unwrap_err();
        assert!(unknown.contains(first) && !unknown.contains("all"), "{unknown}");
        let all = choose("all").unwrap_err();
        assert!(all.contains("this command uses one backend"), "{all}");
    }
}

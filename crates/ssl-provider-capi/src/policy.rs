//! Providers with a policy of the caller's: what `SslOpenProvider` has no parameter for.

use std::time::Duration;

use ssl_provider::{
    Backend, Error, KeyExportPolicy, KeyLogPolicy, MAX_MODULUS_LEN, MIN_MODULUS_BITS, Policy,
    Provider, Requirements,
};

use crate::abi::{KeyHandle, ProviderHandle, SSL_PROVIDER_POLICY};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::ensure;
use crate::pointer::{Out, OutBytes, PolicyPointer, WideStr, usize_of};
use crate::process::process;
use crate::provider::{backend_of, provider_handle};

/// The shortest key in bits where the caller has no wish: what a server should ask for.
const DEFAULT_MIN_KEY_BITS: usize = 2048;

/// The longest wait for a batch, in microseconds.
const MAX_BATCH_WAIT: u32 = 1000;

export! {
    /// Opens a provider as `SslOpenProvider` does, with the policy of the caller. It applies to
    /// every object that is made with the handle, and stays with it. All zeros but for `cbSize`
    /// allow keys of 2048 bits and more, no SSL 3.0, and neither session keys nor master secrets to
    /// leave the library: a stricter policy than that of `SslOpenProvider`.
    ///
    /// With a `dwBatchWaitMicroseconds`, imports of several threads with one handle of
    /// `SslOpenPrivateKey` are decrypted together, up to eight at once, by arithmetic of this
    /// library for AVX-512 IFMA or AVX-IFMA. It is for servers in which many threads import at the
    /// same time and share the handle. The first import of a batch waits for others at most so
    /// long, plus about 50 microseconds of the system's timer, and any import waits for batches
    /// that run; a single thread does not wait, except once after others have left.
    /// `SslOpenPrivateKey` and `SslImportMasterKey` then need 512 KiB of stack, and 1 MiB for keys
    /// of more than 4096 bits. Keys belong to providers that were opened with the same wait: others
    /// return `NTE_INVALID_HANDLE` for them.
    ///
    /// Returns `NTE_INVALID_PARAMETER` for a `cbSize` that is 0, longer than the structure that
    /// this library knows, or not a whole number of fields, for a `dwMinKeyBits` that is neither 0
    /// nor from 1024 to 8192, and for a `dwBatchWaitMicroseconds` above 1000; `NTE_NOT_SUPPORTED`
    /// if the backend, or the arithmetic of the batches, lacks what the policy requires, and for
    /// batches that this processor or build of the library does not support; and what
    /// `SslOpenProvider` returns. With the handle, keys that are too short return `NTE_PERM`. An
    /// extension of this library.
    fn SslProviderOpenWithPolicy(
        provider: Out<ProviderHandle>,
        name: WideStr,
        policy: PolicyPointer,
        flags: u32,
    ) {
        provider.preset(0);
        let place = provider.required("phSslProvider is NULL")?;
        ensure(!policy.is_null(), "pPolicy is NULL")?;
        no_flags(flags)?;
        let given = policy.read()?;
        let policy = policy_of(&given)?;
        let constant_time_rsa = given.fRequireConstantTimeRsa != 0;
        let requirements = Requirements { constant_time_rsa, ..Requirements::default() };
        let backend = backend_of(name.read()?.as_deref())?;
        let backend = match given.dwBatchWaitMicroseconds {
            0 => backend,
            wait => with_batches(&backend, Duration::from_micros(wait.into()))?,
        };
        let provider = Provider::open_requiring(backend, requirements)?;
        place.write(provider_handle(provider.with_policy(policy))?);
        Ok(())
    }
}

export! {
    /// Returns the master secret of a master key, 48 bytes, for a key log with which others can
    /// decrypt the connection. Returns `NTE_PERM` unless the provider that imported the key was
    /// opened with `fAllowKeyLog`. An extension of this library.
    fn SslProviderGetMasterSecret(
        provider: ProviderHandle,
        master_key: KeyHandle,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let master_key = process().handles.master_key(master_key, &provider)?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let secret = master_key.secret_for_key_log()?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(secret.expose()) }
    }
}

/// Returns the backend whose keys run private operations of several threads in batches, the same
/// for each wait. A forked child shares no key with its parent, and so no queue.
#[cfg(feature = "multi-buffer")]
fn with_batches(backend: &Backend, wait: Duration) -> Result<Backend, Error> {
    ssl_provider::with_multi_buffer(backend)
        .and_then(|fast| ssl_provider::with_batcher(&fast, wait))
        .ok_or(NO_BATCHES)
}

#[cfg(not(feature = "multi-buffer"))]
fn with_batches(_backend: &Backend, _wait: Duration) -> Result<Backend, Error> {
    Err(NO_BATCHES)
}

const NO_BATCHES: Error = Error::RequirementNotMet("RSA in batches");

fn policy_of(given: &SSL_PROVIDER_POLICY) -> Result<Policy, Error> {
    let min_modulus_bits = match usize_of(given.dwMinKeyBits) {
        0 => DEFAULT_MIN_KEY_BITS,
        bits if (MIN_MODULUS_BITS..=8 * MAX_MODULUS_LEN).contains(&bits) => bits,
        _ => return Err(Error::InvalidParameter("dwMinKeyBits: expected 0, or 1024 to 8192")),
    };
    if given.dwBatchWaitMicroseconds > MAX_BATCH_WAIT {
        return Err(Error::InvalidParameter("dwBatchWaitMicroseconds: expected at most 1000"));
    }
    Ok(Policy {
        legacy_ssl3: given.fAllowSsl3 != 0,
        key_export: match given.fAllowKeyExport {
            0 => KeyExportPolicy::Denied,
            _ => KeyExportPolicy::Allowed,
        },
        key_log: match given.fAllowKeyLog {
            0 => KeyLogPolicy::Denied,
            _ => KeyLogPolicy::Allowed,
        },
        min_modulus_bits,
        ..Policy::default()
    })
}

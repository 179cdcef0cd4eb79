//! Providers with a policy of the caller's: what `SslOpenProvider` has no parameter for.

use ssl_provider::{
    Error, KeyExportPolicy, KeyLogPolicy, MAX_MODULUS_LEN, MIN_MODULUS_BITS, Policy, Provider,
    Requirements,
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

export! {
    /// Opens a provider as `SslOpenProvider` does, with the policy of the caller. It applies to
    /// every object that is made with the handle, and stays with it. All zeros but for `cbSize`
    /// allow keys of 2048 bits and more, no SSL 3.0, and neither session keys nor master secrets to
    /// leave the library: a stricter policy than that of `SslOpenProvider`.
    ///
    /// Returns `NTE_INVALID_PARAMETER` for a `cbSize` that is 0, longer than the structure of this
    /// header, or not a whole number of fields, and for a `dwMinKeyBits` that is neither 0 nor from
    /// 1024 to 8192; `NTE_NOT_SUPPORTED` if the backend lacks what the policy requires; and what
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

fn policy_of(given: &SSL_PROVIDER_POLICY) -> Result<Policy, Error> {
    let min_modulus_bits = match usize_of(given.dwMinKeyBits) {
        0 => DEFAULT_MIN_KEY_BITS,
        bits if (MIN_MODULUS_BITS..=8 * MAX_MODULUS_LEN).contains(&bits) => bits,
        _ => return Err(Error::InvalidParameter("dwMinKeyBits: expected 0, or 1024 to 8192")),
    };
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

//! A backend that a program registers, seen from C. In a process of its own: it stays registered.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::ptr::{null, null_mut};

use ssl_provider::{ConstantTime, RsaInfo, backends, default_backend};
use ssl_provider_testkit::fake::Fake;
use sslprovider::abi::{NTE_NOT_SUPPORTED, NTE_PROV_DLL_NOT_FOUND, SSL_PROVIDER_POLICY};
use sslprovider::pointer::{Out, PolicyPointer, WideStr};
use sslprovider::policy::SslProviderOpenWithPolicy;
use windows_sys::Win32::Security::Cryptography::{
    NCryptProviderName, SslEnumProtocolProviders, SslFreeBuffer, SslFreeObject, SslOpenProvider,
};

#[test]
fn a_registered_backend_is_listed_last_and_opens_by_its_name_and_not_by_default() {
    let before = names();
    let fake = Fake::new().share();
    let wide: Vec<u16> = fake.info().provider_name.encode_utf16().chain([0]).collect();
    assert_ne!(open(wide.as_ptr()), 0, "it is not registered yet");
    ssl_provider::register(fake.clone()).unwrap();
    assert_eq!(backends().last(), Some(&fake));
    let after = names();
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(&after[before.len()..], std::slice::from_ref(&wide));
    assert_eq!(open(wide.as_ptr()), 0);
    assert_ne!(default_backend().as_ref(), Ok(&fake));
    let by_default = if default_backend().is_ok() { 0 } else { NTE_PROV_DLL_NOT_FOUND };
    assert_eq!(open(null()), by_default);
    for backend in backends() {
        let name: Vec<u16> = backend.info().provider_name.encode_utf16().chain([0]).collect();
        let is_claimed = |rsa: RsaInfo| rsa.constant_time >= ConstantTime::Claimed;
        let expected =
            if backend.info().rsa.is_some_and(is_claimed) { 0 } else { NTE_NOT_SUPPORTED };
        assert_eq!(open_requiring(name.as_ptr(), true), expected, "{backend:?}");
        assert_eq!(open_requiring(name.as_ptr(), false), 0, "{backend:?}");
    }
    assert_eq!(fake.info().rsa, None, "so that one of them lacks what is required");
}

/// Opens a provider and frees it again; returns the status.
fn open(name: *const u16) -> i32 {
    let mut provider = 0;
    // SAFETY: the name is NULL or terminated, and the handle is of a local.
    let status = unsafe { SslOpenProvider(&raw mut provider, name, 0) };
    if status == 0 {
        // SAFETY: a handle is a number.
        assert_eq!(unsafe { SslFreeObject(provider, 0) }, 0);
    }
    status
}

/// As [`open`], with a policy that asks for constant-time RSA or not.
fn open_requiring(name: *const u16, constant_time_rsa: bool) -> i32 {
    let policy = SSL_PROVIDER_POLICY {
        cbSize: u32::try_from(size_of::<SSL_PROVIDER_POLICY>()).unwrap(),
        fRequireConstantTimeRsa: i32::from(constant_time_rsa),
        ..SSL_PROVIDER_POLICY::default()
    };
    let mut provider = 77;
    // SAFETY: the handle is of a local.
    let place = unsafe { Out::new(&raw mut provider) };
    // SAFETY: the name is NULL or terminated.
    let name = unsafe { WideStr::new(name) };
    // SAFETY: the policy is a local of the size that it says.
    let policy = unsafe { PolicyPointer::new(&raw const policy) };
    // SAFETY: as above.
    let status = unsafe { SslProviderOpenWithPolicy(place, name, policy, 0) };
    assert_eq!(status == 0, provider != 0);
    if status == 0 {
        // SAFETY: a handle is a number.
        assert_eq!(unsafe { SslFreeObject(provider, 0) }, 0);
    }
    status
}

/// The names of the list, with their terminators.
fn names() -> Vec<Vec<u16>> {
    let (mut count, mut list): (u32, *mut NCryptProviderName) = (0, null_mut());
    // SAFETY: both places are of locals.
    assert_eq!(unsafe { SslEnumProtocolProviders(&raw mut count, &raw mut list, 0) }, 0);
    let names = (0..count as usize)
        .map(|index| {
            // SAFETY: the list has `count` records, and is not freed yet.
            let record = unsafe { list.add(index) };
            // SAFETY: as above.
            let mut unit = unsafe { record.read_unaligned() }.pszName.cast_const();
            let mut name = Vec::new();
            loop {
                // SAFETY: the name is terminated, and no unit before this one was its terminator.
                name.push(unsafe { unit.read() });
                if name.last() == Some(&0) {
                    return name;
                }
                // SAFETY: as above.
                unit = unsafe { unit.add(1) };
            }
        })
        .collect();
    // SAFETY: the list came from the call above.
    assert_eq!(unsafe { SslFreeBuffer(list.cast()) }, 0);
    names
}

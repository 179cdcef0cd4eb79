//! Providers: opening, listing, counting references, and freeing whatever a handle stands for.
//! NULL and Microsoft's name select the default backend; each backend also has its own name.

use ssl_provider::{
    Backend, Error, HandleKind, KeyExportPolicy, Policy, Provider, backends, default_backend,
};

use crate::abi::{
    MS_SCHANNEL_PROVIDER, NCRYPT_IMPL_TYPE_PROPERTY, NCRYPT_NAME_PROPERTY, NCryptProviderName,
    NTE_NO_MORE_ITEMS, NTE_NOT_SUPPORTED, NTE_PROV_DLL_NOT_FOUND, ObjectHandle, ProviderHandle,
    STATUS_INVALID_HANDLE,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::Failure;
use crate::memory::{Block, Enumeration};
use crate::object::{Object, OpenProvider};
use crate::pointer::{InOut, Opaque, Out, WideStr};
use crate::process::process;

/// `NCRYPT_IMPL_SOFTWARE_FLAG`: the value of the property "Impl Type".
pub(crate) const SOFTWARE: u32 = 2;

/// The name of a property of ours: the library behind a provider, with its version.
const LIBRARY_PROPERTY: &str = "Library";

/// Returns a C handle to a provider that Rust code has opened and configured, with its policy. Free
/// it like one of `SslOpenProvider`.
///
/// C code may use a private key with every provider of its backend, and those of `SslOpenProvider`
/// take keys of 1024 bits and let session keys be exported. A key keeps the rule for the version in
/// the premaster secret that it was opened under, and an import under another returns `NTE_PERM`:
/// see [`PremasterVersion`](ssl_provider::PremasterVersion).
///
/// # Errors
///
/// [`Error::NoMemory`] when there are too many live handles.
pub fn provider_handle(provider: Provider) -> Result<ProviderHandle, Error> {
    process().handles.insert(Object::Provider(OpenProvider::new(provider).into()))
}

export! {
    /// Opens a provider. NULL and `MS_SCHANNEL_PROVIDER` select the default backend; each name that
    /// [`SslEnumProtocolProviders`] lists selects the backend of that name. RSA keys of 1024 bits
    /// and more are taken, SSL 3.0 is off, session keys may be exported, and master secrets may not
    /// be read; for another policy use `SslProviderOpenWithPolicy`. Free the handle with
    /// [`SslFreeObject`].
    ///
    /// Returns `NTE_PROV_DLL_NOT_FOUND` for an unknown name, and for the default if no backend is
    /// compiled in.
    fn SslOpenProvider is OpenProviderFn(
        provider: Out<ProviderHandle>,
        name: WideStr,
        flags: u32,
    ) {
        provider.preset(0);
        let place = provider.required("phSslProvider is NULL")?;
        no_flags(flags)?;
        let backend = backend_of(name.read()?.as_deref())?;
        // A caller of SslExportKey has the plaintext of the records already.
        let policy = Policy { key_export: KeyExportPolicy::Allowed, ..Policy::default() };
        place.write(provider_handle(Provider::open(backend).with_policy(policy))?);
        Ok(())
    }
}

export! {
    /// Frees a handle: releases the caller's reference to a provider, or frees a key or a hash. A
    /// call that uses the object in another thread completes undisturbed, and objects created with
    /// a provider outlive it.
    ///
    /// Returns `STATUS_INVALID_HANDLE` for a value that is not a live handle, such as one freed
    /// before, with any flags.
    fn SslFreeObject is FreeObjectFn(object: ObjectHandle, flags: u32) {
        const OTHERS: [HandleKind; 16] = [
            HandleKind::PrivateKey,
            HandleKind::MasterKey,
            HandleKind::SessionKey,
            HandleKind::HandshakeHash,
            HandleKind::PublicKey,
            HandleKind::EphemeralKey,
            HandleKind::PremasterKey,
            HandleKind::PreSharedKey,
            HandleKind::ResumptionPreSharedKey,
            HandleKind::EarlySecret,
            HandleKind::HandshakeSecret,
            HandleKind::Tls13MasterSecret,
            HandleKind::TrafficSecret,
            HandleKind::ExporterSecret,
            HandleKind::ResumptionSecret,
            HandleKind::BinderKey,
        ];
        let handles = &process().handles;
        let invalid = Failure::Status(STATUS_INVALID_HANDLE, "hObject is not a live handle");
        if flags != 0 {
            let is_live = handles.is_live(object, &OTHERS) || handles.provider(object).is_ok();
            return Err(if is_live { Error::BadFlags { given: flags }.into() } else { invalid });
        }
        handles
            .free(object, &OTHERS)
            .or_else(|_| handles.release(object))
            .map_err(|_| invalid)
    }
}

export! {
    /// Frees a buffer or an enumeration state that a function of this library returned. Returns
    /// `NTE_INVALID_PARAMETER` for every other pointer, including NULL, and does not dereference
    /// it.
    fn SslFreeBuffer is FreeBufferFn(input: Opaque) {
        Ok(process().blocks.free(input.address())?)
    }
}

export! {
    /// Increments the reference count of a provider's handle. Each reference, including the first,
    /// which comes from opening the provider, is released by one call of
    /// [`SslDecrementProviderReferenceCount`] or [`SslFreeObject`]. Returns `NTE_INVALID_HANDLE`
    /// for a handle that is not live.
    fn SslIncrementProviderReferenceCount(provider: ProviderHandle) {
        Ok(process().handles.reference(provider)?)
    }
}

export! {
    /// Decrements the reference count of a provider's handle, and frees the handle at 0. Returns
    /// `STATUS_INVALID_HANDLE` for a handle that is not live.
    fn SslDecrementProviderReferenceCount(provider: ProviderHandle) {
        process()
            .handles
            .release(provider)
            .map_err(|_| Failure::Status(STATUS_INVALID_HANDLE, "hSslProvider is not live"))
    }
}

export! {
    /// Always returns `NTE_NOT_SUPPORTED`, as documented.
    fn SslChangeNotify(_event: Opaque, _flags: u32) {
        Err(Failure::Status(NTE_NOT_SUPPORTED, "change notifications are not supported"))
    }
}

export! {
    /// Lists the names that [`SslOpenProvider`] accepts, Microsoft's first, each with the name of
    /// its library as the comment. One call of [`SslFreeBuffer`] frees the list and its strings.
    fn SslEnumProtocolProviders(
        count: Out<u32>,
        list: Out<*mut NCryptProviderName>,
        flags: u32,
    ) {
        list.preset(std::ptr::null_mut());
        let count_place = count.required("pdwProviderCount is NULL")?;
        let list_place = list.required("ppProviderList is NULL")?;
        no_flags(flags)?;
        let providers = provider_names();
        let number = u32::try_from(providers.len()).map_err(|_| Error::NoMemory)?;
        let block = name_list(&providers)?;
        list_place.write(process().blocks.publish(block).cast());
        count_place.write(number);
        Ok(())
    }
}

export! {
    /// Returns a property of a provider: "Name" and "Library" as text with a terminator, "Impl
    /// Type" as a DWORD. `ppEnumState` may be NULL; with a state, every later call returns
    /// `NTE_NO_MORE_ITEMS`, because each property has one value. Returns `NTE_NOT_SUPPORTED` for
    /// other names.
    fn SslGetProviderProperty is GetProviderPropertyFn(
        provider: ProviderHandle,
        property: WideStr,
        output: Out<*mut u8>,
        output_len: Out<u32>,
        state: InOut<*mut std::ffi::c_void>,
        flags: u32,
    ) {
        const ME: &str = "SslGetProviderProperty";
        output.preset(std::ptr::null_mut());
        let provider = process().handles.provider(provider)?;
        let property = property.required("pszProperty is NULL")?;
        let output_place = output.required("ppbOutput is NULL")?;
        let len_place = output_len.required("pcbOutput is NULL")?;
        no_flags(flags)?;
        let info = provider.provider().backend().info();
        let value = match property.as_str() {
            NCRYPT_NAME_PROPERTY => wide(info.provider_name),
            LIBRARY_PROPERTY => wide(&info.library),
            NCRYPT_IMPL_TYPE_PROPERTY => SOFTWARE.to_ne_bytes().to_vec(),
            _ => return Err(Failure::Status(NTE_NOT_SUPPORTED, "no such provider property")),
        };
        let len = u32::try_from(value.len()).map_err(|_| Error::NoMemory)?;
        let state = state.read();
        if let Some((state, _)) = &state
            && !state.is_null()
            && process().blocks.advance(state.addr(), ME, 1)?.is_none()
        {
            return Err(Failure::Status(NTE_NO_MORE_ITEMS, "a property has one value"));
        }
        // Everything is allocated before anything is returned.
        let new_state = match state {
            Some((state, place)) if state.is_null() => Some((Block::new(1)?, place)),
            _ => None,
        };
        let value = process().blocks.bytes(&value)?;
        if let Some((block, place)) = new_state {
            place.write(process().blocks.enumeration(block, Enumeration { of: ME, next: 1 }));
        }
        output_place.write(value);
        len_place.write(len);
        Ok(())
    }
}

export! {
    /// Counts what this process has obtained and not freed: handles, and buffers including
    /// enumeration states. A program that ends with 0 of both has leaked nothing. Returns
    /// `NTE_INVALID_PARAMETER` for NULL. An extension of this library.
    fn SslProviderCountLive(handles: Out<u32>, buffers: Out<u32>) {
        let handles_place = handles.required("pcHandles is NULL")?;
        let buffers_place = buffers.required("pcBuffers is NULL")?;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        handles_place.write(number(process().handles.len()));
        buffers_place.write(number(process().blocks.len()));
        Ok(())
    }
}

/// The backend of a provider name.
pub(crate) fn backend_of(name: Option<&str>) -> Result<Backend, Failure> {
    match name {
        None | Some(MS_SCHANNEL_PROVIDER) => Ok(default_backend()?),
        Some(name) => {
            let all = backends();
            let missing = if all.is_empty() { Error::NoBackend.into() } else { UNKNOWN_PROVIDER };
            all.into_iter().find(|backend| backend.info().provider_name == name).ok_or(missing)
        }
    }
}

/// As [`Error::UnknownBackend`], in words of this interface.
const UNKNOWN_PROVIDER: Failure = Failure::Status(
    NTE_PROV_DLL_NOT_FOUND,
    "no provider of this name; SslEnumProtocolProviders lists them",
);

/// Returns names and comments of all providers.
fn provider_names() -> Vec<(&'static str, String)> {
    let library = |backend: &Backend| backend.info().library.clone();
    default_backend()
        .iter()
        .map(|backend| (MS_SCHANNEL_PROVIDER, library(backend)))
        .chain(backends().iter().map(|backend| (backend.info().provider_name, library(backend))))
        .collect()
}

/// The records first, then the strings that they point to, in one block.
fn name_list(providers: &[(&str, String)]) -> Result<Block, Error> {
    let texts: Vec<(Vec<u8>, Vec<u8>)> =
        providers.iter().map(|(name, comment)| (wide(name), wide(comment))).collect();
    let text_len: usize = texts.iter().map(|(name, comment)| name.len() + comment.len()).sum();
    let records_len = providers.len() * size_of::<NCryptProviderName>();
    let mut block = Block::new(records_len + text_len)?;
    let mut end = records_len;
    for (index, (name, comment)) in texts.iter().enumerate() {
        let record = NCryptProviderName {
            pszName: block.address_of(end).cast(),
            pszComment: block.address_of(end + name.len()).cast(),
        };
        block.put_structure(index * size_of::<NCryptProviderName>(), record)?;
        block.put(end, name)?;
        block.put(end + name.len(), comment)?;
        end += name.len() + comment.len();
    }
    Ok(block)
}

/// A text as UTF-16 in native byte order, terminated.
pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_ne_bytes).collect()
}

//! Hashes and HMAC of Botan.

use std::cell::{Cell, RefCell};

use botan::{HashFunction, MsgAuthCode};
use ssl_provider::backend::{BAD_OUTPUT_LEN, HashContext, Hashing, HmacKey};
use ssl_provider::{Error, HashAlgorithm, Operation};
use zeroize::Zeroizing;

use crate::{Botan, failure};

impl Hashing for Botan {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let function = HashFunction::new(name(hash)?).map_err(failure)?;
        Ok(Box::new(Context { function: Ok(function), len: hash.output_len() }))
    }

    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        let unsupported = Error::Unsupported(Operation::Hmac(hash));
        let name = name(hash).map_err(|_| unsupported)?;
        let mut code = MsgAuthCode::new(format!("HMAC({name})").as_str()).map_err(failure)?;
        // Botan takes at most 4096 bytes. One longer than a block is hashed (RFC 2104 section 2).
        let hashed;
        let key = if key.len() > hash.block_len() {
            hashed = hash_of(name, key).map_err(failure)?;
            &hashed
        } else {
            key
        };
        code.set_key(key).map_err(failure)?;
        let key = Key { code: RefCell::new(code), failed: Cell::new(None) };
        work(&key);
        key.failed.into_inner().map_or(Ok(()), Err)
    }
}

fn hash_of(name: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, botan::Error> {
    let mut function = HashFunction::new(name)?;
    function.update(input)?;
    Ok(Zeroizing::new(function.finish()?))
}

/// What Botan calls a hash.
pub(crate) fn name(hash: HashAlgorithm) -> Result<&'static str, Error> {
    Ok(match hash {
        HashAlgorithm::Md5 => "MD5",
        HashAlgorithm::Sha1 => "SHA-1",
        HashAlgorithm::Sha256 => "SHA-256",
        HashAlgorithm::Sha384 => "SHA-384",
        HashAlgorithm::Sha512 => "SHA-512",
        _ => return Err(Error::Unsupported(Operation::Hash(hash))),
    })
}

/// A running hash, or the error that ended it: only its end can report one.
#[derive(Debug)]
struct Context {
    function: Result<HashFunction, Error>,
    len: usize,
}

impl HashContext for Context {
    fn update(&mut self, input: &[u8]) {
        if let Ok(function) = &mut self.function
            && let Err(error) = function.update(input)
        {
            self.function = Err(failure(error));
        }
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        let function = match &self.function {
            Ok(function) => function.duplicate().map_err(failure),
            Err(error) => Err(*error),
        };
        Box::new(Self { function, len: self.len })
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.len {
            return Err(BAD_OUTPUT_LEN);
        }
        out.copy_from_slice(&Zeroizing::new(self.function?.finish().map_err(failure)?));
        Ok(())
    }
}

/// An HMAC key, of which core makes HMAC and the PRF. Botan wipes it when it is freed.
struct Key {
    code: RefCell<MsgAuthCode>,
    failed: Cell<Option<Error>>,
}

impl HmacKey for Key {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut code = self.code.borrow_mut();
        let mut parts = [head, label].into_iter().chain(seed.iter().copied());
        let done = parts.try_for_each(|part| code.update(part)).and_then(|()| code.finish());
        match done.map(Zeroizing::new) {
            Ok(mac) => out.copy_from_slice(&mac),
            Err(error) => self.failed.set(Some(failure(error))),
        }
    }
}

//! Backend of ssl-provider on AWS-LC: random numbers through `aws-lc-rs`, the rest through its C
//! interface, for want of a safe RSA operation without padding, MD5, RC4, CBC and the old PRF.

mod agreement;
mod cipher;
mod compression;
mod ec;
mod hash;
mod kem;
mod number;
mod random;
mod rsa;
mod signature;

use std::ffi::{CStr, c_int};
use std::sync::LazyLock;

use aws_lc_sys::{ERR_clear_error, ERR_get_error, OPENSSL_VERSION, OpenSSL_version};

use ssl_provider_core::backend::KeyExchangeBackend;
use ssl_provider_core::{
    BackendInfo, CbcAlgorithm, ConstantTime, Error, NamedCurve, Operation, RsaInfo, Support,
};

/// The name of the backend.
const NAME: &str = "aws-lc";

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| {
    let rsa = RsaInfo::new("AWS-LC", ConstantTime::Claimed)
        .with_assembly(true)
        .with_blinding(true)
        .with_fault_check(true);
    BackendInfo::new(NAME, "ssl-provider AWS-LC Provider", library_version()).with_rsa(Some(rsa))
});

/// The backend.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &AwsLc
}

/// AWS-LC as a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl KeyExchangeBackend for AwsLc {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            // Camellia is not in AWS-LC.
            Operation::Cbc(CbcAlgorithm::Camellia128 | CbcAlgorithm::Camellia256) => {
                Support::Unsupported
            }
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve)
                if curve != NamedCurve::X25519 && ec::group(curve).is_none() =>
            {
                Support::Unsupported
            }
            Operation::Kem(kem) | Operation::KemLoad(kem) if kem::nid(kem).is_none() => {
                Support::Unsupported
            }
            _ => Support::By("AWS-LC"),
        }
    }

    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
    }
}

/// Translates AWS-LC's usual result, where 1 is success.
fn succeeded(answer: c_int) -> Result<(), Error> {
    if answer == 1 { Ok(()) } else { Err(failure()) }
}

/// Takes the first error off the thread's queue, and empties it, so that nobody takes what is left
/// for their own later.
fn failure() -> Error {
    // SAFETY: the queue is the thread's own, and the call takes no pointer.
    let code = unsafe { ERR_get_error() };
    // SAFETY: as above.
    unsafe { ERR_clear_error() };
    Error::Backend { backend: NAME, code: code.into() }
}

fn library_version() -> String {
    // SAFETY: the call takes no pointer.
    let text = unsafe { OpenSSL_version(OPENSSL_VERSION) };
    // SAFETY: AWS-LC returns a string constant that ends in NUL, whatever the argument.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_reports_itself_and_the_version_it_was_built_as() {
        let library = &backend().info().library;
        let built = CStr::from_bytes_until_nul(aws_lc_sys::AWSLC_VERSION_NUMBER_STRING).unwrap();
        assert_eq!(*library, format!("AWS-LC {}", built.to_str().unwrap()));
    }
}

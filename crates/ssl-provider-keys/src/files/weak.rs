//! RSA keys beyond the limits of providers, for captures: a modulus below 1024 bits, or a public
//! exponent above 33 bits.

use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode;
use ssl_provider_core::{MAX_MODULUS_LEN, MIN_BLOCK_LEN};
use zeroize::Zeroizing;

use crate::rsa_key::check_consistency;

/// Returns the PKCS#1 structure of a weak key; none when anything else is wrong with it, or when it
/// is too short for a premaster secret.
pub(super) fn pkcs1_of(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let pkcs1 = match PrivateKeyInfoRef::from_der(der) {
        Ok(info) if info.algorithm.oid == pkcs1::ALGORITHM_OID => info.private_key.as_bytes(),
        Ok(_) => return None,
        Err(_) => der,
    };
    let key = RsaPrivateKeyRef::from_der(pkcs1).ok()?;
    let [n, e, d] =
        [key.modulus, key.public_exponent, key.private_exponent].map(|it| it.as_bytes());
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    // Without leading zeros, shorter is less, and strings of one length compare like the numbers.
    let below_modulus = |number: &[u8]| (number.len(), number) < (n.len(), n);
    let mut parts =
        [key.prime1, key.prime2, key.exponent1, key.exponent2, key.coefficient].into_iter();
    let usable = key.version() == pkcs1::Version::TwoPrime
        && (MIN_BLOCK_LEN..=MAX_MODULUS_LEN).contains(&n.len())
        && odd(n)
        && odd(e)
        && e != [1]
        && below_modulus(e)
        && below_modulus(d)
        && parts.all(|part| part.as_bytes().len() <= n.len());
    (usable && check_consistency(pkcs1).is_ok()).then(|| Zeroizing::new(pkcs1.to_vec()))
}

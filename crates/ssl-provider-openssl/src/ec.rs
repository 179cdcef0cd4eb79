//! Private keys on curves in OpenSSL, which agree and sign. Which curves the OpenSSL at hand was
//! built with is known at run time only.

use std::sync::LazyLock;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcGroupRef, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Private;

use ssl_provider_core::NamedCurve;

use crate::rsa::secret;

/// Returns the curve, if the OpenSSL at hand has it.
pub(crate) fn group(curve: NamedCurve) -> Option<&'static EcGroupRef> {
    let (_, group) = GROUPS.iter().find(|(known, _)| *known == curve)?;
    Some(group)
}

/// Every curve that there is, made once, for OpenSSL computes the parameters of each anew.
static GROUPS: LazyLock<Vec<(NamedCurve, EcGroup)>> = LazyLock::new(|| {
    // Nothing of OpenSSL runs before this, as in `cipher.rs`.
    openssl::init();
    let found = NamedCurve::ALL.into_iter().filter_map(|curve| {
        let group = EcGroup::from_curve_name(nid(curve)?).ok()?;
        Some((curve, group))
    });
    found.collect()
});

fn nid(curve: NamedCurve) -> Option<Nid> {
    Some(match curve {
        NamedCurve::Secp256r1 => Nid::X9_62_PRIME256V1,
        NamedCurve::Secp384r1 => Nid::SECP384R1,
        NamedCurve::Secp521r1 => Nid::SECP521R1,
        NamedCurve::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
        NamedCurve::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
        NamedCurve::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
        NamedCurve::Secp256k1 => Nid::SECP256K1,
        _ => return None,
    })
}

/// Takes a private key; none if it is 0 or not below the order, which OpenSSL does not look at.
pub(crate) fn key_from_number(
    group: &EcGroupRef,
    number: &[u8],
) -> Result<Option<EcKey<Private>>, ErrorStack> {
    let mut context = BigNumContext::new_secure()?;
    let (number, mut order) = (secret(number)?, BigNum::new()?);
    group.order(&mut order, &mut context)?;
    if number.num_bits() == 0 || number >= order {
        return Ok(None);
    }
    let mut public = EcPoint::new(group)?;
    public.mul_generator2(group, &number, &mut context)?;
    EcKey::from_private_components(group, &number, &public).map(Some)
}

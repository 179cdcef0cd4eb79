//! `tls_key_agreement.json`: ECDHE and DHE from both private keys to session keys, and public keys
//! that must be refused.

use num_bigint::BigUint;

use ssl_provider::{
    CipherSuite, CipherSuiteInfo, DhParameters, FfdheGroup, Group, NamedCurve, ProtocolVersion,
};
use ssl_provider_testkit::bytes::{Rng, hex};
use ssl_provider_testkit::corpus::{
    Class, File, Hex, KeyAgreementGroup, KeyAgreementTest, Verdict, Wire,
};
use ssl_provider_testkit::curve::Curve;
use ssl_provider_testkit::exchange::session_hash_len;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::{group as reference_group, reference};

use super::{Numbers, cut, file as file_of, flags, suite_number, wire};

const HEADER: &[&str] = &[
    "ECDHE and DHE of SSL 3.0 to TLS 1.2 and DTLS, from both private keys to session keys.",
    "Private keys are big-endian numbers; those of X25519 are its 32 bytes.",
    "Public keys are as the messages carry them, without their length.",
    "A valid test gives the same from either side. An invalid one is the client's: serverPublic is \
     bad.",
];

/// The file.
pub(super) fn file() -> File<KeyAgreementGroup> {
    let mut maker = Maker { rng: Rng::new(0x5246_0004), numbers: Numbers::default() };
    let mut groups: Vec<_> = NamedCurve::ALL.map(|curve| maker.on_curve(curve)).to_vec();
    groups.push(maker.in_field(DhParameters::named(FfdheGroup::Ffdhe2048), Some(256)));
    let custom = DhParameters::new(&hex(CUSTOM_PRIME), &[2]).expect("a prime and a generator");
    groups.push(maker.in_field(custom, None));
    groups.push(maker.with_order_three());
    file_of("tls_key_agreement", "TLS key agreement", HEADER, groups)
}

/// A safe prime of 1024 bits, made by `openssl dhparam 1024` of OpenSSL 3.0.
const CUSTOM_PRIME: &str = "88ee48596c1ab12228af4fd2e520b0da5d2e4c9f7886dbd23dfce6ab54d58489\
    0821a3394350e04483d401906d2e3f0c05d7ea3c432ef02ea22408732cea0122\
    b1b5ee0afca00f980983d4d117fcfce513d0ade936803ad3e609d037afe2dc07\
    c9f34854b75af8e1144ee5255c63a7a5e08f1406eefa1a0b391b61f97e01bd8f";

/// Versions and suites that take turns, on curves and in fields.
const ON_CURVES: [(ProtocolVersion, CipherSuite); 6] = [
    (ProtocolVersion::TLS1_2, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    (ProtocolVersion::TLS1_0, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA),
    (ProtocolVersion::DTLS1_2, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    (ProtocolVersion::TLS1_2, CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    (ProtocolVersion::TLS1_1, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA),
    (ProtocolVersion::DTLS1_0, CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA),
];

const IN_FIELDS: [(ProtocolVersion, CipherSuite); 6] = [
    (ProtocolVersion::TLS1_2, CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256),
    (ProtocolVersion::SSL3, CipherSuite::TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA),
    (ProtocolVersion::TLS1_0, CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA),
    (ProtocolVersion::DTLS1_2, CipherSuite::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    (ProtocolVersion::TLS1_1, CipherSuite::TLS_DHE_DSS_WITH_AES_256_CBC_SHA),
    (ProtocolVersion::TLS1_2, CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384),
];

struct Maker {
    rng: Rng,
    numbers: Numbers,
}

/// A public key that must be refused: what it is, its flag, its bytes.
type Bad = (&'static str, &'static str, Vec<u8>);

impl Maker {
    fn on_curve(&mut self, curve: NamedCurve) -> KeyAgreementGroup {
        let group = Group::Curve(curve);
        let mut tests = Vec::new();
        for turn in 0..ON_CURVES.len() {
            let keys = [(); 2].map(|()| reference_group::private_key(&group, &mut self.rng));
            tests.push(self.valid(&group, turn, &keys, "ordinary keys", "Normal"));
        }
        tests.push(self.with_leading_zero(&group, 0));
        let client = reference_group::private_key(&group, &mut self.rng);
        let other = reference_group::private_key(&group, &mut self.rng);
        let good = public(&group, &other);
        let client = (client.as_slice(), public(&group, &client));
        let bad = match Curve::new(curve) {
            Some(arithmetic) => bad_points(curve, &arithmetic, &good),
            None => bad_x25519(&good),
        };
        for (turn, (comment, flag, public_key)) in bad.into_iter().enumerate() {
            tests.push(self.invalid(&group, turn, &client, public_key, comment, flag));
        }
        KeyAgreementGroup {
            kind: "TlsEcdhe".to_owned(),
            group: curve.name().to_owned(),
            group_number: Some(Wire(curve.wire())),
            prime: None,
            generator: None,
            tests,
        }
    }

    fn in_field(&mut self, field: DhParameters, number: Option<u16>) -> KeyAgreementGroup {
        let group = Group::FiniteField(field.clone());
        let mut tests = Vec::new();
        for turn in 0..IN_FIELDS.len() {
            let keys = [(); 2].map(|()| reference_group::private_key(&group, &mut self.rng));
            tests.push(self.valid(&group, turn, &keys, "ordinary keys", "Normal"));
        }
        for turn in 0..2 {
            tests.push(self.with_leading_zero(&group, turn));
        }
        let client = reference_group::private_key(&group, &mut self.rng);
        let client = (client.as_slice(), public(&group, &client));
        let prime = BigUint::from_bytes_be(field.prime());
        let padded = |number: &BigUint| left_padded(number, field.prime().len());
        let one = BigUint::from(1_u8);
        let bad: [Bad; 8] = [
            ("empty", "PublicKeyForm", Vec::new()),
            ("0", "PublicKeyRange", padded(&BigUint::ZERO)),
            ("0 in one byte", "PublicKeyRange", vec![0]),
            ("1", "PublicKeyRange", padded(&one)),
            ("p - 1", "PublicKeyRange", padded(&(&prime - &one))),
            ("p", "PublicKeyRange", padded(&prime)),
            ("p + 1", "PublicKeyRange", padded(&(&prime + &one))),
            ("a byte longer than p", "PublicKeyRange", [&[1][..], field.prime()].concat()),
        ];
        for (turn, (comment, flag, public_key)) in bad.into_iter().enumerate() {
            tests.push(self.invalid(&group, turn, &client, public_key, comment, flag));
        }
        Self::field_group(&field, number, tests)
    }

    fn field_group(
        field: &DhParameters,
        number: Option<u16>,
        tests: Vec<KeyAgreementTest>,
    ) -> KeyAgreementGroup {
        let name = if number.is_some() { "ffdhe2048" } else { "custom" };
        KeyAgreementGroup {
            kind: "TlsDhe".to_owned(),
            group: name.to_owned(),
            group_number: number.map(Wire),
            prime: Some(Hex::from(field.prime())),
            generator: Some(Hex::from(field.generator())),
            tests,
        }
    }

    /// A field in which numbers of order 3 exist: in the range, and with a secret of 1.
    fn with_order_three(&mut self) -> KeyAgreementGroup {
        let one = BigUint::from(1_u8);
        let primes = TestKey::all().into_iter().map(|key| key.parts());
        let prime = primes
            .flat_map(|parts| [parts.p, parts.q])
            .find(|prime| prime.bits() >= 1024 && prime % 3_u8 == one)
            .expect("every other prime");
        let third = (&prime - 1_u8) / 3_u8;
        let power = |base: u8| BigUint::from(base).modpow(&third, &prime);
        let base = (2_u8..).find(|base| power(*base) != one).expect("two numbers in three");
        let field = DhParameters::new(&prime.to_bytes_be(), &[base]).expect("a prime");
        let group = Group::FiniteField(field.clone());
        let of_order_three = left_padded(&power(base), field.prime().len());
        // A multiple of 3.
        let client = BigUint::from_bytes_be(&self.rng.bytes(27)) * 3_u8;
        let comment = "of order 3, with a private key that 3 divides";
        let client = client.to_bytes_be();
        let client = (client.as_slice(), public(&group, &client));
        let test = self.invalid(&group, 0, &client, of_order_three, comment, "SmallOrder");
        Self::field_group(&field, None, vec![test])
    }

    /// A test whose secret begins with a zero byte, as one of 256 does.
    fn with_leading_zero(&mut self, group: &Group, turn: usize) -> KeyAgreementTest {
        let private = |seed| reference_group::private_key(group, &mut Rng::new(seed));
        let client = private(0);
        let client_public = public(group, &client);
        let begins_with_zero = |seed: &u64| secret(group, &private(*seed), &client_public)[0] == 0;
        let seed = (first_seed(group)..).find(begins_with_zero).expect("endless");
        let keys = [client, private(seed)];
        self.valid(group, turn, &keys, "secret begins with zero", "LeadingZeroSecret")
    }

    /// What both kinds of tests have: version, suite, randoms, and the session hash every other
    /// time.
    fn frame(&mut self, group: &Group, turn: usize) -> KeyAgreementTest {
        let rows = match group {
            Group::Curve(_) => ON_CURVES,
            _ => IN_FIELDS,
        };
        let (protocol, suite) = rows[turn % rows.len()];
        let suite = suite.info().expect("a suite of the table");
        let hash_len = session_hash_len(protocol, suite).filter(|_| self.rng.one_in(2));
        let session_hash = hash_len.map(|len| Hex(self.rng.bytes(len)));
        KeyAgreementTest {
            tc_id: self.numbers.next(),
            comment: String::new(),
            flags: session_hash.iter().map(|_| "ExtendedMasterSecret".to_owned()).collect(),
            protocol: protocol.to_string(),
            version: wire(protocol),
            suite: suite.name.to_owned(),
            suite_number: suite_number(suite),
            client_private: Hex::default(),
            client_public: Hex::default(),
            server_private: None,
            server_public: Hex::default(),
            client_random: Hex(self.rng.bytes(32)),
            server_random: Hex(self.rng.bytes(32)),
            session_hash,
            shared_secret: None,
            premaster: None,
            master_secret: None,
            keys: None,
            result: Verdict::Invalid,
            class: Some(Class::InvalidPublicKey),
        }
    }

    fn valid(
        &mut self,
        group: &Group,
        turn: usize,
        [client, server]: &[Vec<u8>; 2],
        comment: &str,
        flag: &str,
    ) -> KeyAgreementTest {
        let frame = self.frame(group, turn);
        let (client_public, server_public) = (public(group, client), public(group, server));
        let secret = secret(group, server, &client_public);
        let premaster = secret[reference_group::stripped_zeros(group, &secret)..].to_vec();
        let (protocol, suite) = of_frame(&frame);
        let (client_random, server_random) = (&frame.client_random, &frame.server_random);
        let master_secret = match &frame.session_hash {
            Some(hash) => reference::extended_master_secret(protocol, suite, &premaster, hash),
            None => {
                reference::master_secret(protocol, suite, &premaster, client_random, server_random)
            }
        };
        let keys =
            reference::session_keys(protocol, suite, &master_secret, client_random, server_random);
        KeyAgreementTest {
            comment: comment.to_owned(),
            flags: [flags([flag]), frame.flags.clone()].concat(),
            client_private: Hex::from(client),
            client_public: Hex(client_public),
            server_private: Some(Hex::from(server)),
            server_public: Hex(server_public),
            shared_secret: Some(Hex(secret)),
            premaster: Some(Hex(premaster)),
            keys: Some(cut(&keys, protocol, suite)),
            master_secret: Some(Hex(master_secret)),
            result: Verdict::Valid,
            class: None,
            ..frame
        }
    }

    fn invalid(
        &mut self,
        group: &Group,
        turn: usize,
        (client, client_public): &(&[u8], Vec<u8>),
        server_public: Vec<u8>,
        comment: &str,
        flag: &str,
    ) -> KeyAgreementTest {
        let frame = self.frame(group, turn);
        KeyAgreementTest {
            comment: comment.to_owned(),
            flags: [flags([flag]), frame.flags.clone()].concat(),
            client_private: Hex::from(client),
            client_public: Hex::from(client_public),
            server_public: Hex(server_public),
            ..frame
        }
    }
}

/// The seed from which a private key with such a secret is looked for. A lower one leads to the
/// same key, but through hundreds of multiplications on the curve.
fn first_seed(group: &Group) -> u64 {
    match group {
        Group::Curve(NamedCurve::X25519) => 292,
        Group::Curve(NamedCurve::Secp256r1) => 87,
        Group::Curve(NamedCurve::Secp384r1) => 273,
        Group::Curve(NamedCurve::BrainpoolP256r1) => 27,
        Group::Curve(NamedCurve::BrainpoolP384r1) => 73,
        Group::Curve(NamedCurve::BrainpoolP512r1) => 41,
        Group::Curve(NamedCurve::Secp256k1) => 233,
        Group::FiniteField(field) if field.bits() == 2048 => 161,
        Group::FiniteField(_) => 131,
        _ => 1,
    }
}

fn of_frame(frame: &KeyAgreementTest) -> (ProtocolVersion, &'static CipherSuiteInfo) {
    let suite = CipherSuite(frame.suite_number.0.into());
    (ProtocolVersion(frame.version.0), suite.info().expect("a suite of the table"))
}

/// The public key of a private one.
fn public(group: &Group, private: &[u8]) -> Vec<u8> {
    match group {
        Group::Curve(curve) => match Curve::new(*curve) {
            Some(arithmetic) => arithmetic.public_key(&BigUint::from_bytes_be(private)),
            None => secret(group, private, &left_padded_le(9)),
        },
        Group::FiniteField(field) => secret(group, private, field.generator()),
        other => panic!("{other:?}: a group that is not known here"),
    }
}

/// The secret that a private key shares with a public one.
fn secret(group: &Group, private: &[u8], peer: &[u8]) -> Vec<u8> {
    if let Group::Curve(curve) = group
        && let Some(arithmetic) = Curve::new(*curve)
    {
        return arithmetic.agree(&BigUint::from_bytes_be(private), peer);
    }
    reference_group::peer(group, private, peer).1
}

fn left_padded_le(first: u8) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    bytes[0] = first;
    bytes
}

fn left_padded(number: &BigUint, len: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let zeros = len.checked_sub(bytes.len()).expect("as long as the prime");
    [vec![0; zeros], bytes].concat()
}

fn bad_points(curve: NamedCurve, arithmetic: &Curve, good: &[u8]) -> Vec<Bad> {
    let len = curve.coordinate_len();
    let (x, y) = (&good[1..=len], &good[1 + len..]);
    let compressed = 2 + (y[len - 1] & 1);
    let mut bad = vec![
        ("beside the curve", "NotOnCurve", arithmetic.point_beside(good)),
        ("coordinates of 0", "NotOnCurve", [&[4][..], &vec![0; 2 * len]].concat()),
        ("coordinates of ff", "NotOnCurve", [&[4][..], &vec![0xff; 2 * len]].concat()),
        ("coordinates swapped", "NotOnCurve", [&[4], y, x].concat()),
        ("empty", "PublicKeyForm", Vec::new()),
        ("infinity", "PublicKeyForm", vec![0]),
        ("infinity, as long as a point", "PublicKeyForm", vec![0; good.len()]),
        ("compressed", "PublicKeyForm", [&[compressed], x].concat()),
        ("hybrid", "PublicKeyForm", [&[compressed + 4], x, y].concat()),
        ("without the form", "PublicKeyForm", good[1..].to_vec()),
        ("a byte short", "PublicKeyForm", good[..good.len() - 1].to_vec()),
        ("a byte long", "PublicKeyForm", [good, &[0]].concat()),
    ];
    if let Some(point) = arithmetic.unreduced_generator() {
        bad.push(("x not reduced", "NotOnCurve", point));
    }
    bad
}

fn bad_x25519(good: &[u8]) -> Vec<Bad> {
    let prime: BigUint = (BigUint::from(1_u8) << 255) - 19_u8;
    let le = |number: BigUint| {
        let mut bytes = number.to_bytes_le();
        bytes.resize(32, 0);
        bytes
    };
    // The u coordinates of the two points of order 8 (RFC 7748 has the curve).
    let of_order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut small = vec![
        ("0", le(BigUint::ZERO)),
        ("1", le(BigUint::from(1_u8))),
        ("p - 1", le(&prime - 1_u8)),
        ("p, which is 0", le(prime.clone())),
        ("p + 1, which is 1", le(&prime + 1_u8)),
        ("0 with the top bit", {
            let mut bytes = vec![0; 32];
            bytes[31] = 0x80;
            bytes
        }),
    ];
    small.extend(of_order_8.map(|text| ("of order 8", hex(text))));
    let mut bad = Vec::new();
    for (comment, public_key) in small {
        let private = [0x5a; 32];
        let group = Group::Curve(NamedCurve::X25519);
        assert_eq!(secret(&group, &private, &public_key), [0; 32], "{comment}: of small order");
        bad.push((comment, "SmallOrder", public_key));
    }
    bad.push(("empty", "PublicKeyForm", Vec::new()));
    bad.push(("a byte short", "PublicKeyForm", good[..31].to_vec()));
    bad.push(("a byte long", "PublicKeyForm", [good, &[0]].concat()));
    bad
}

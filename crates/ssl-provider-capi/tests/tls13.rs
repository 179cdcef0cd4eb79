//! TLS 1.3 through the exports, where only Rust can stage it: a key agreement with a known secret,
//! every backend with every other, a key encapsulation, threads, faults, and another provider.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::ptr::{null, null_mut};
use std::thread;

use ssl_provider::backend::{
    AgreementKey, DecapsulationKey, Hashing, KeyAgreement, KeyEncapsulation, KeyExchangeBackend,
    RecordCiphers, SecureRandom,
};
use ssl_provider::{
    Backend, BackendInfo, Error, HashAlgorithm, HybridGroup, KEM_SECRET_LEN, KemAlgorithm,
    KeyLogPolicy, NamedCurve, Operation, Policy, Provider, Support, backends,
};
use ssl_provider_testkit::bytes::{counting, hex};
use ssl_provider_testkit::fake::{Fake, Fault};
use sslprovider::abi::{
    NTE_BAD_KEY_STATE, NTE_FAIL, NTE_INTERNAL_ERROR, NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER,
    NTE_NOT_SUPPORTED,
};
use sslprovider::pointer::{Out, OutBytes};
use sslprovider::provider_handle;
use sslprovider::traffic_secret::{SslProviderGetTls13Secret, SslProviderUpdateTrafficKey};
use windows_sys::Win32::Foundation::NTE_BAD_DATA;
use windows_sys::Win32::Security::Cryptography::{
    NCRYPT_SSL_ECC_CURVE, SSL_ECCPUBLIC_BLOB, SslComputeFinishedHash, SslCreateEphemeralKey,
    SslCreateHandshakeHash, SslDecryptPacket, SslEncryptPacket, SslEnumEccCurves,
    SslExpandBinderKey, SslExpandExporterMasterKey, SslExpandPreSharedKey,
    SslExpandResumptionMasterKey, SslExpandTrafficKeys, SslExpandWriteKey, SslExportKey,
    SslExportKeyingMaterial, SslExtractEarlyKey, SslExtractHandshakeKey, SslExtractMasterKey,
    SslFreeBuffer, SslFreeObject, SslHashHandshake, SslImportKey,
};

const TLS13: u32 = 0x0304;
const AES_128: u32 = 0x1301;
const AES_256: u32 = 0x1302;
const CLIENT: u32 = 1;
const SERVER: u32 = 2;
const EXTERNAL: u32 = 1;
const RESUMPTION: u32 = 2;
const X25519: u32 = 29;

const CLIENT_HELLO: &[u8] = b"\x01\0\0\x04CH..";
const SERVER_HELLO: &[u8] = b"\x02\0\0\x04SH..";
const MIDDLE: &[u8] = b"\x08\0\0\x02\0\0";
const SERVER_FINISHED: &[u8] = b"\x14\0\0\x04sfin";
const CLIENT_FINISHED: &[u8] = b"\x14\0\0\x04cfin";

/// Calls an export. Every pointer in this file is NULL or of a local that lives through the call.
macro_rules! call {
    ($($call:tt)*) => {
        // SAFETY: the pointers are NULL or of locals of the right size that outlive the call.
        unsafe { $($call)* }
    };
}

/// Calls an export that returns a handle through `out`.
macro_rules! made {
    ($out:ident => $($call:tt)*) => {{
        let mut $out: usize = 77;
        let status = call!($($call)*);
        handle(status, $out)
    }};
}

/// Everything that RFC 8446 section 7.1 derives from the pre-shared key 00 to 1f, a key agreement
/// whose secret is 80 to 9f, and the messages above, computed with Python's hmac: a name, then the
/// value for 0x1301 and that for 0x1302.
const ANSWERS: &str = "\
client early
7ed4a815eb05f5ddfedc1e076e77d326f3ec1df62211759c81a85e1f5b030cfa
eeb5eb9d2272da4b22f49ce46fca0ebffdd6bfd39d019420284967e7333a6bac2307e13a1dadae7c868a6edef0b1b1e5
early exporter
f1cb6b71779d67e664bb62d9049837a1d980ec87ed5cf3b78443757efd5fbe9c
9e5e003462f56a90d50b479be028b2a675d78a79d65665c93de71d29cd17f81a6c65d0cb8de32cafdf69c26159719187
external binder
c7b10978938b133c5a6bcec23465aec53c066e111b2eae7e26f2423eaa6ae522
a3951f6cb8782d03b1ea1034afca86adbf5cd1c2dc6b7283fd6a48cb3215a8c81aa8a773da802c93e3253286fae990a3
resumption binder
4b08ccc186175da9002171f4bb1bba0bd2175e57fef34e4524cfc859968b5546
a3d2b714db9765878179c64e5a2e925bd7a18878d91cd99bf15fa7d1d09760721126da82b94bf8a980c4037a470788e2
client handshake
ee8fadb50a30af3f03eb570922815294ddca29b651412f41707e38d785be481c
686959791fdf35de925f66c24a9167c42d3f398bb5bad56c0389bbc8cf139d4bd9b6cc7c7fbc0523de784a6d2cd3ab8b
server handshake
81e5cac7ad493a5d4900c89a84a8d3d906398541965157d9e8bb503655f18acc
ecf41d8b9f429b84bb80aa5c9c542fafa530dffc2501dcc1a51c4b653a17e5ba13d9a0169e4da58b0e3f3627b47fd26d
client application
5f985905bdd8ab67ecfa7e324a7062f791a1ef0c0c359bc86d13cf9906fb7381
d6861c103ffc820925b2f82bf1a709e4a59cb01dfb7122ee63997b6075d9f60fafc33e28442bee77cd26906ce5e8d05f
server application
2ff5dc2d56241152b1786d7ad4f33fdbdc3faddc0a4aaba18dcc3d2138894fdd
3ef8867f26f4ad17e85c46a512a98fd985b23d938f55ac46ad374874342fe025c362be44c1c99810b07185f88c75c6bf
exporter
fe43d2f0415a9536dcb675a931aeb3d7fa77dd7763d69b97e3d65fd27d7c5343
6a7c096f0bb2dec9f12055866069d68b8d089379013cab1f4e547e81a54b2c516ffa26d354cdd1a2300a2f892ac6a1f8
server finished
da59afd209cafafb0b4832ba4c3bd8d3c85de2f0a1834f48cd9cdf9d0d302c5b
b3bb3aee0032badd6cd2a3676be93fc019b97b6ca6f3daa65ac4fbc32eeaf71937ae5ec9058c470d6a8e7d7e85f990b3
client finished
acfdc17e9d216ad9e145bbdbf96a28ae0162d25cf365658d7778728b4fff1629
c0bce029ff1a166aacd70adc8f1ecf70ef3b3237b63b92388e6c9de5eee571fd87caf98fd1830d6cacda0c5b2cb82259
updated
ec0fef2028cc7ccd9dc74f7c52b877d8ab863425177a0724277b7b2657dbc1d3
8e2728d5d8a6d0ce1174141e352aaa766087566b05e5856f0e432aff2b0ba43a03709dcece636b5bde3cdd1044ad6f1c
exported
38a3adc9e4b263107ee5edd41ac59448eae4400f1f9eca4a6d1fb0560bce45a1
81619ab7fb1b433694ccd8afc8c15c1189bb80a59d61f645b3831c35d27402b7
exported without context
64fd24b8cf9cb93fba303a49635c356b27dc678d6e007b88cdb52f5084056f87
7fc45c438619f8bbd55970563323f0d7350a7ceae84f3fa40258bd76746fbeb3
record of hello
1703030016d92efcc5c71816342e93096b757c9f0f35697bd522ea
1703030016f431b4bda66c768035680d03f3783ccd7dbdf83e211c
empty record
1703030011aa438ce87c678476a9ae09227ea459fe83
1703030011b8997ec40f02c98412b51e3ce0a349125c
key of a ticket
dac993d0c1420c3d2e0283e4455fa7b268970f4b6e1e2266730bbfdcb729e842
52dac387fce5f9da42bc4b3da6d90d87381b905c910ce14b4a3bfefaa0ec1553fc7c099b88daa590e0eb771fd7247e50";

fn answer(name: &str, suite: u32) -> Vec<u8> {
    let lines: Vec<&str> = ANSWERS.lines().collect();
    let at = lines.iter().position(|line| *line == name).unwrap();
    hex(lines[at + if suite == AES_128 { 1 } else { 2 }])
}

#[test]
fn every_backend_computes_the_known_answers() {
    for backend in backends() {
        for suite in [AES_128, AES_256] {
            known_answers(&backend, suite);
        }
    }
}

fn known_answers(backend: &Backend, suite: u32) {
    let provider = open(Backend::new(Staged::new(backend.clone())));
    let len = if suite == AES_128 { 32 } else { 48 };
    let is = |name: &str, value: &[u8]| {
        assert_eq!(value, answer(name, suite), "{}: {name}", backend.info().name);
    };
    let psk = import(provider, "TLS13PRESHAREDKEY", &counting::<32>(0)).unwrap();
    let early = early(provider, psk, suite).unwrap();
    let hash = new_hash(provider, suite);
    feed(provider, hash, CLIENT_HELLO);
    let [early_traffic, _] = traffic(provider, early, hash, [true, false]).unwrap();
    is("client early", &secret(provider, early_traffic));
    let early_exporter = exporter(provider, early, hash).unwrap();
    is("early exporter", &secret(provider, early_exporter));
    for (kind, name) in [(EXTERNAL, "external binder"), (RESUMPTION, "resumption binder")] {
        let key = binder(provider, early, kind).unwrap();
        is(name, &finished(provider, key, hash, len, CLIENT).unwrap());
        free(&[key]);
    }

    feed(provider, hash, SERVER_HELLO);
    let own = ephemeral(provider, X25519, &[]).unwrap();
    let peer = import_kind(provider, SSL_ECCPUBLIC_BLOB, &export(provider, own)).unwrap();
    let handshake = handshake(provider, own, peer, early).unwrap();
    let [client, server] = traffic(provider, handshake, hash, [true; 2]).unwrap();
    is("client handshake", &secret(provider, client));
    is("server handshake", &secret(provider, server));
    let keys = [write_key(provider, server).unwrap(), write_key(provider, server).unwrap()];
    let hello = encrypt(provider, keys[0], 0, 22, b"hello").unwrap();
    is("record of hello", &hello);
    let empty = encrypt(provider, keys[0], 1, 23, b"").unwrap();
    is("empty record", &empty);
    assert_eq!(decrypt(provider, keys[1], 0, &hello), Ok((22, b"hello".to_vec())));
    assert_eq!(decrypt(provider, keys[1], 1, &empty), Ok((23, Vec::new())));
    feed(provider, hash, MIDDLE);
    is("server finished", &finished(provider, server, hash, len, SERVER).unwrap());
    feed(provider, hash, SERVER_FINISHED);
    is("client finished", &finished(provider, client, hash, len, CLIENT).unwrap());

    let master = master(provider, handshake).unwrap();
    let [client_application, application] = traffic(provider, master, hash, [true; 2]).unwrap();
    is("client application", &secret(provider, client_application));
    is("server application", &secret(provider, application));
    let updated = update(provider, application).unwrap();
    is("updated", &secret(provider, updated));
    let exporter = exporter(provider, master, hash).unwrap();
    is("exporter", &secret(provider, exporter));
    is("exported", &material(provider, exporter, &[1]));
    is("exported without context", &material(provider, exporter, &[]));
    feed(provider, hash, CLIENT_FINISHED);
    let resumption = resumption(provider, master, hash).unwrap();

    // A key of a ticket shows itself in what is derived from it.
    let ticket = ticket(provider, resumption, &[0, 0, 0, 1]).unwrap();
    let known = import(provider, "TLS13PRESHAREDKEY", &answer("key of a ticket", suite)).unwrap();
    let binders = [ticket, known].map(|psk| {
        let early = self::early(provider, psk, suite).unwrap();
        let key = binder(provider, early, RESUMPTION).unwrap();
        let value = finished(provider, key, hash, len, CLIENT).unwrap();
        free(&[key, early, psk]);
        value
    });
    assert_eq!(binders[0], binders[1]);
    free(&[psk, early, hash, early_traffic, early_exporter, own, peer, handshake, client, server]);
    free(&keys);
    free(&[master, client_application, application, updated, exporter, resumption, provider]);
}

/// Two providers agree when their Finished do.
#[test]
fn every_backend_agrees_with_every_other() {
    let providers: Vec<usize> = backends().into_iter().map(open).collect();
    let mut agreed = 0;
    for client in &providers {
        for server in &providers {
            let common = groups(*server);
            for group in groups(*client).into_iter().filter(|group| common.contains(group)) {
                assert_eq!(agree([*client, *server], group), Ok(()), "{group}");
                agreed += 1;
            }
        }
    }
    assert!(agreed >= 4 * providers.len() * providers.len(), "{agreed}");
    free(&providers);
}

#[test]
fn a_client_and_a_server_agree_in_a_hybrid_group() {
    let provider = open(staged());
    for group in HybridGroup::ALL {
        assert!(groups(provider).contains(&group.wire().into()));
        assert_eq!(agree([provider; 2], group.wire().into()), Ok(()), "{}", group.name());
    }
    free(&[provider]);
}

#[test]
fn a_key_of_a_hybrid_group_answers_one_share_of_a_client() {
    let provider = open(staged());
    let early = early(provider, 0, AES_128).unwrap();
    for group in HybridGroup::ALL {
        let number = u32::from(group.wire());
        let clients = [0; 2].map(|_| ephemeral(provider, number, &[]).unwrap());
        let shares = clients.map(|client| export(provider, client));
        assert_eq!(shares[0].len(), group.client_share_len());
        let server = ephemeral(provider, number, &shares[0]).unwrap();
        let answer = export(provider, server);
        assert_eq!(answer.len(), group.server_share_len());
        let mut altered = shares[0].clone();
        // Inside the encapsulation key, and inside the point, neither in its first byte.
        for at in [1, altered.len() - 1] {
            altered[at] ^= 1;
            let other = import(provider, "TLS_HYBRID_KEYEXCHANGE", &altered).unwrap();
            assert_eq!(handshake(provider, server, other, early), Err(NTE_INVALID_PARAMETER));
            free(&[other]);
        }
        // A client that gets a share of a client, where the lengths differ.
        let of_client = import(provider, "TLS_HYBRID_KEYEXCHANGE", &shares[1]).unwrap();
        if group.client_share_len() != group.server_share_len() {
            assert_eq!(handshake(provider, clients[0], of_client, early), Err(NTE_BAD_DATA));
            assert_eq!(ephemeral(provider, number, &answer), Err(NTE_BAD_DATA));
        }
        // The attempts have used nothing up; that one does.
        let own_share = import(provider, "TLS_HYBRID_KEYEXCHANGE", &shares[0]).unwrap();
        let of_server = import(provider, "TLS_HYBRID_KEYEXCHANGE", &answer).unwrap();
        let secrets = [
            handshake(provider, server, own_share, early).unwrap(),
            handshake(provider, clients[0], of_server, early).unwrap(),
        ];
        assert_eq!(handshake(provider, server, own_share, early), Err(NTE_BAD_KEY_STATE));
        free(&secrets);
        free(&clients);
        free(&[server, of_client, own_share, of_server]);
        // A key that the library refuses: the toy takes those that begin with 42.
        let kem = group.kem().encapsulation_key_len();
        let place = if group.is_kem_first() { 0 } else { altered.len() - kem };
        altered[place] = 0;
        assert_eq!(ephemeral(provider, number, &altered), Err(NTE_BAD_DATA));
        for len in [0, 1, altered.len() - 1] {
            let share = &altered[..len];
            let refused = import(provider, "TLS_HYBRID_KEYEXCHANGE", share);
            assert_eq!(refused, Err(NTE_INVALID_PARAMETER));
        }
    }
    free(&[early, provider]);
}

#[test]
fn hybrid_groups_stand_behind_the_curves_and_are_not_for_earlier_versions() {
    let provider = open(staged());
    let groups = groups(provider);
    let hybrids: Vec<u32> = HybridGroup::ALL.map(|group| group.wire().into()).to_vec();
    assert!(groups.ends_with(&hybrids));
    for group in hybrids {
        let status = made!(key => SslCreateEphemeralKey(
            provider, &raw mut key, 0x0303, 0xC02F, group, 0, null(), 0, 0
        ));
        assert_eq!(status, Err(NTE_INVALID_PARAMETER));
    }
    free(&[provider]);

    // Without a key encapsulation, none is listed.
    let lacking = open(Backend::new(Staged { has_kem: false, ..Staged::new(any_backend()) }));
    assert!(self::groups(lacking).iter().all(|group| *group < 256));
    assert_eq!(ephemeral(lacking, 4588, &[]), Err(NTE_NOT_SUPPORTED));
    free(&[lacking]);
}

#[test]
fn a_malformed_key_data_blob_is_no_bare_key() {
    let provider = open(backends()[0].clone());
    let blob = |len: u32, key: &[u8]| {
        [&b"KDBM"[..], &1_u32.to_le_bytes(), &len.to_le_bytes(), key].concat()
    };
    for kind in ["KeyDataBlob", "TLS13PRESHAREDKEY"] {
        free(&[import(provider, kind, &blob(32, &[7; 32])).unwrap()]);
        for bad in [blob(31, &[7; 32]), blob(33, &[7; 32]), blob(0, &[]), b"KDBM".to_vec()] {
            let status = import(provider, kind, &bad).unwrap_err();
            assert_eq!(status, NTE_INVALID_PARAMETER, "{kind}, {} bytes", bad.len());
        }
    }
    free(&[provider]);
}

#[test]
fn secrets_of_one_backend_are_none_of_another() {
    let [provider, other] = [(); 2].map(|()| open(staged()));
    let psk = import(provider, "TLS13PRESHAREDKEY", b"a pre-shared key").unwrap();
    let early = early(provider, psk, AES_128).unwrap();
    // The key belongs to SHA-256 now.
    assert_eq!(self::early(provider, psk, AES_256), Err(NTE_INVALID_PARAMETER));
    let hash = new_hash(provider, AES_128);
    let foreign_hash = new_hash(other, AES_128);
    let own = ephemeral(provider, X25519, &[]).unwrap();
    let peer = import_kind(provider, SSL_ECCPUBLIC_BLOB, &export(provider, own)).unwrap();
    let foreign = import_kind(other, SSL_ECCPUBLIC_BLOB, &export(provider, own)).unwrap();
    let handshake = handshake(provider, 0, 0, early).unwrap();
    let [client, _] = traffic(provider, handshake, hash, [true, false]).unwrap();
    let master = master(provider, handshake).unwrap();
    let exporter = exporter(provider, master, hash).unwrap();
    let resumption = resumption(provider, master, hash).unwrap();
    let ticket = ticket(provider, resumption, b"nonce").unwrap();
    let binder = binder(provider, early, EXTERNAL).unwrap();

    let refused = Err(NTE_INVALID_HANDLE);
    assert_eq!(self::early(other, psk, AES_128), refused);
    assert_eq!(self::early(other, ticket, AES_128), refused);
    assert_eq!(self::binder(other, early, EXTERNAL), refused);
    for base in [early, handshake, master] {
        assert_eq!(traffic(other, base, foreign_hash, [true, false]), Err(NTE_INVALID_HANDLE));
        assert_eq!(traffic(provider, base, foreign_hash, [true, false]), Err(NTE_INVALID_HANDLE));
        assert_eq!(self::exporter(other, base, foreign_hash), refused);
    }
    assert_eq!(self::exporter(provider, master, foreign_hash), refused);
    assert_eq!(self::handshake(other, 0, 0, early), refused);
    assert_eq!(self::handshake(provider, own, foreign, early), refused);
    assert_eq!(self::master(other, handshake), refused);
    assert_eq!(self::resumption(other, master, foreign_hash), refused);
    assert_eq!(self::resumption(provider, master, foreign_hash), refused);
    assert_eq!(self::ticket(other, resumption, b"nonce"), refused);
    assert_eq!(update(other, client), refused);
    assert_eq!(write_key(other, client), refused);
    for key in [client, binder] {
        let answer = finished(other, key, foreign_hash, 32, CLIENT);
        assert_eq!(answer, Err(NTE_INVALID_HANDLE));
        let answer = finished(provider, key, foreign_hash, 32, CLIENT);
        assert_eq!(answer, Err(NTE_INVALID_HANDLE));
    }
    // The attempts have not used the key up.
    let agreed = self::handshake(provider, own, peer, early).unwrap();
    free(&[psk, early, hash, foreign_hash, own, peer, foreign, handshake, client, master]);
    free(&[exporter, resumption, ticket, binder, agreed, provider, other]);
}

#[test]
fn of_threads_that_share_an_ephemeral_key_one_gets_a_secret() {
    let provider = open(staged());
    let early = early(provider, 0, AES_128).unwrap();
    for _ in 0..50 {
        let own = ephemeral(provider, X25519, &[]).unwrap();
        let peer = import_kind(provider, SSL_ECCPUBLIC_BLOB, &export(provider, own)).unwrap();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let attempt = || handshake(provider, own, peer, early);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(attempt)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let secrets: Vec<usize> = outcomes.iter().filter_map(|outcome| outcome.ok()).collect();
        assert_eq!(secrets.len(), 1);
        let refused = outcomes.iter().filter(|outcome| **outcome == Err(NTE_BAD_KEY_STATE));
        assert_eq!(refused.count(), 3);
        free(&secrets);
        free(&[own, peer]);
    }
    free(&[early, provider]);
}

#[test]
fn a_fault_in_a_backend_is_its_status_and_a_panic_an_internal_error() {
    let failed = Error::Backend { backend: "fake", code: 7 };
    for (fault, status) in [(Fault::Error(failed), NTE_FAIL), (Fault::Panic, NTE_INTERNAL_ERROR)] {
        let hmac = Operation::Hmac(HashAlgorithm::Sha256);
        let provider = open(Fake::new().with_fault(hmac, fault).share());
        // With SHA-384 all goes well, with SHA-256 nothing.
        let psks =
            [(); 2].map(|()| import(provider, "TLS13PRESHAREDKEY", b"a pre-shared key").unwrap());
        let early = early(provider, psks[0], AES_256).unwrap();
        assert_eq!(self::early(provider, psks[1], AES_128), Err(status));
        free(&[early, psks[0], psks[1], provider]);

        let curve = Operation::Ecdh(NamedCurve::X25519);
        let provider = open(Fake::new().with_fault(curve, fault).share());
        assert_eq!(ephemeral(provider, X25519, &[]), Err(status));
        free(&[provider]);
    }
}

/// Both sides of a key agreement, each of a provider, with or without the client's share for the
/// server's key; fails with the first status.
fn agree(providers: [usize; 2], group: u32) -> Result<(), i32> {
    let client = ephemeral(providers[0], group, &[])?;
    let share = export(providers[0], client);
    let server = ephemeral(providers[1], group, if group > 255 { &share } else { &[] })?;
    let answer = export(providers[1], server);
    let kind = if group > 255 { wide("TLS_HYBRID_KEYEXCHANGE") } else { wide("SSLECCPUBLICBLOB") };
    let to_client = import_kind(providers[0], kind.as_ptr(), &answer)?;
    let to_server = import_kind(providers[1], kind.as_ptr(), &share)?;
    let sides = [(providers[0], client, to_client), (providers[1], server, to_server)];
    let mut values = Vec::new();
    for (provider, own, peer) in sides {
        let early = early(provider, 0, AES_256)?;
        let secret = handshake(provider, own, peer, early)?;
        let hash = new_hash(provider, AES_256);
        feed(provider, hash, CLIENT_HELLO);
        let [traffic, _] = traffic(provider, secret, hash, [true, false])?;
        values.push(finished(provider, traffic, hash, 48, CLIENT)?);
        free(&[early, secret, hash, traffic, own, peer]);
    }
    assert_eq!(values[0], values[1]);
    Ok(())
}

/// A provider whose secrets key logs may have.
fn open(backend: Backend) -> usize {
    let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
    provider_handle(Provider::open(backend).with_policy(policy)).unwrap()
}

/// The groups of TLS 1.3 that are listed.
fn groups(provider: usize) -> Vec<u32> {
    let (mut count, mut curves): (u32, *mut NCRYPT_SSL_ECC_CURVE) = (0, null_mut());
    assert_eq!(call!(SslEnumEccCurves(provider, &raw mut count, &raw mut curves, 0)), 0);
    let types = (0..count as usize)
        // SAFETY: the call succeeded, so there are so many, not freed yet.
        .map(|index| unsafe { curves.wrapping_add(index).read_unaligned() }.dwCurveType)
        .filter(|group| *group > 255 || [23, 24, 25, X25519].contains(group))
        .collect();
    assert_eq!(call!(SslFreeBuffer(curves.cast())), 0);
    types
}

/// An ephemeral key; of a server in a hybrid group, for the share of a client.
fn ephemeral(provider: usize, group: u32, share: &[u8]) -> Result<usize, i32> {
    let (from, len) = if share.is_empty() { (null(), 0) } else { (share.as_ptr(), share.len()) };
    made!(key => SslCreateEphemeralKey(
        provider, &raw mut key, TLS13, AES_128, group, 0, from, len as u32, 0
    ))
}

/// The public half of an ephemeral key, in the form of its group.
fn export(provider: usize, key: usize) -> Vec<u8> {
    let (mut blob, mut len) = (vec![0; 2048], 0);
    for kind in ["SSLECCPUBLICBLOB", "TLS_HYBRID_KEYEXCHANGE"] {
        let (kind, out) = (wide(kind), blob.as_mut_ptr());
        if call!(SslExportKey(provider, key, kind.as_ptr(), out, 2048, &raw mut len, 0)) == 0 {
            blob.truncate(len as usize);
            return blob;
        }
    }
    panic!("an ephemeral key has a public half");
}

fn import(provider: usize, kind: &str, blob: &[u8]) -> Result<usize, i32> {
    import_kind(provider, wide(kind).as_ptr(), blob)
}

fn import_kind(provider: usize, kind: *const u16, blob: &[u8]) -> Result<usize, i32> {
    let (from, len) = (blob.as_ptr(), blob.len() as u32);
    made!(key => SslImportKey(provider, &raw mut key, kind, from, len, 0))
}

fn new_hash(provider: usize, suite: u32) -> usize {
    made!(hash => SslCreateHandshakeHash(provider, &raw mut hash, TLS13, suite, 0)).unwrap()
}

fn feed(provider: usize, hash: usize, message: &[u8]) {
    let (from, len) = (message.as_ptr(), message.len() as u32);
    assert_eq!(call!(SslHashHandshake(provider, hash, from, len, 0)), 0);
}

fn early(provider: usize, psk: usize, suite: u32) -> Result<usize, i32> {
    made!(key => SslExtractEarlyKey(provider, psk, &raw mut key, TLS13, suite, null(), 0))
}

fn handshake(provider: usize, own: usize, peer: usize, early: usize) -> Result<usize, i32> {
    made!(key => SslExtractHandshakeKey(provider, own, peer, early, &raw mut key, null(), 0))
}

fn master(provider: usize, handshake: usize) -> Result<usize, i32> {
    made!(key => SslExtractMasterKey(provider, handshake, &raw mut key, null(), 0))
}

/// The traffic secrets of client and server, those that are wanted.
fn traffic(
    provider: usize,
    base: usize,
    hash: usize,
    wanted: [bool; 2],
) -> Result<[usize; 2], i32> {
    let (mut client, mut server) = (77, 77);
    let client_place = if wanted[0] { &raw mut client } else { null_mut() };
    let server_place = if wanted[1] { &raw mut server } else { null_mut() };
    let status =
        call!(SslExpandTrafficKeys(provider, base, hash, client_place, server_place, null(), 0));
    for (handle, wanted) in [(client, wanted[0]), (server, wanted[1])] {
        assert!(if wanted { (status == 0) == (handle != 0) } else { handle == 77 });
    }
    if status == 0 { Ok([client, server]) } else { Err(status) }
}

fn write_key(provider: usize, traffic: usize) -> Result<usize, i32> {
    made!(key => SslExpandWriteKey(provider, traffic, &raw mut key, null(), 0))
}

fn exporter(provider: usize, base: usize, hash: usize) -> Result<usize, i32> {
    made!(key => SslExpandExporterMasterKey(provider, base, hash, &raw mut key, null(), 0))
}

fn resumption(provider: usize, master: usize, hash: usize) -> Result<usize, i32> {
    made!(key => SslExpandResumptionMasterKey(provider, master, hash, &raw mut key, null(), 0))
}

fn ticket(provider: usize, resumption: usize, nonce: &[u8]) -> Result<usize, i32> {
    let (from, len) = (nonce.as_ptr(), nonce.len() as u32);
    made!(key => SslExpandPreSharedKey(
        provider, resumption, from, len, &raw mut key, null(), 0
    ))
}

fn binder(provider: usize, early: usize, kind: u32) -> Result<usize, i32> {
    made!(key => SslExpandBinderKey(provider, early, &raw mut key, null(), kind))
}

fn update(provider: usize, traffic: usize) -> Result<usize, i32> {
    let mut next = 77;
    let place = call!(Out::new(&raw mut next));
    let status = call!(SslProviderUpdateTrafficKey(provider, traffic, place, 0));
    handle(status, next)
}

fn secret(provider: usize, key: usize) -> Vec<u8> {
    let (mut secret, mut len) = (vec![0; 48], 0);
    let out = OutBytes::new(secret.as_mut_ptr());
    let place = call!(Out::new(&raw mut len));
    assert_eq!(call!(SslProviderGetTls13Secret(provider, key, out, 48, place, 0)), 0);
    secret.truncate(len as usize);
    secret
}

fn finished(provider: usize, key: usize, hash: usize, len: u32, side: u32) -> Result<Vec<u8>, i32> {
    let mut value = vec![0; len as usize];
    let out = value.as_mut_ptr();
    match call!(SslComputeFinishedHash(provider, key, hash, out, len, side)) {
        0 => Ok(value),
        status => Err(status),
    }
}

fn material(provider: usize, exporter: usize, context: &[u8]) -> Vec<u8> {
    let (label, mut out) = (c"EXPORTER-x", vec![0; 32]);
    let from = if context.is_empty() { null() } else { context.as_ptr() };
    let status = call!(SslExportKeyingMaterial(
        provider,
        exporter,
        label.as_ptr().cast(),
        null(),
        0,
        from,
        context.len() as u16,
        out.as_mut_ptr(),
        32,
        0
    ));
    assert_eq!(status, 0);
    out
}

fn encrypt(
    provider: usize,
    key: usize,
    number: u64,
    kind: u32,
    content: &[u8],
) -> Result<Vec<u8>, i32> {
    let (mut record, mut len) = (vec![0; 100], 0);
    let (from, from_len) = (content.as_ptr(), content.len() as u32);
    let (out, place) = (record.as_mut_ptr(), &raw mut len);
    match call!(SslEncryptPacket(provider, key, from, from_len, out, 100, place, number, kind, 0)) {
        0 => {
            record.truncate(len as usize);
            Ok(record)
        }
        status => Err(status),
    }
}

/// The type and the content of a record.
fn decrypt(provider: usize, key: usize, number: u64, record: &[u8]) -> Result<(u8, Vec<u8>), i32> {
    let (mut content, mut len) = (vec![0; 100], 0);
    let (from, from_len) = (record.as_ptr(), record.len() as u32);
    let (out, place) = (content.as_mut_ptr(), &raw mut len);
    match call!(SslDecryptPacket(provider, key, from, from_len, out, 100, place, number, 0)) {
        0 => {
            let kind = content[len as usize];
            content.truncate(len as usize);
            Ok((kind, content))
        }
        status => Err(status),
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn handle(status: i32, handle: usize) -> Result<usize, i32> {
    assert_eq!(status == 0, handle != 0, "a handle is given on success and only then");
    if status == 0 { Ok(handle) } else { Err(status) }
}

fn free(handles: &[usize]) {
    for handle in handles {
        assert_eq!(call!(SslFreeObject(*handle, 0)), 0);
    }
}

fn any_backend() -> Backend {
    backends().remove(0)
}

fn staged() -> Backend {
    Backend::new(Staged::new(any_backend()))
}

/// A backend whose key agreement gives 80, 81 and so on, whatever the keys, and with a toy in place
/// of a key encapsulation. All else is that of another backend.
#[derive(Debug)]
struct Staged {
    info: BackendInfo,
    inner: Backend,
    has_kem: bool,
}

impl Staged {
    fn new(inner: Backend) -> Self {
        let info = BackendInfo::new("staged", "Staged", String::new());
        Self { info, inner, has_kem: true }
    }
}

impl KeyExchangeBackend for Staged {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Ecdh(_) => Support::By("staged"),
            Operation::Kem(_) if self.has_kem => Support::By("staged"),
            Operation::Kem(_) | Operation::KemLoad(_) => Support::Unsupported,
            _ => self.inner.support(operation),
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self.inner.random()
    }

    fn hashing(&self) -> &dyn Hashing {
        self.inner.hashing()
    }

    fn key_agreement(&self) -> &dyn KeyAgreement {
        self
    }

    fn key_encapsulation(&self) -> &dyn KeyEncapsulation {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.inner.record_ciphers()
    }
}

impl KeyAgreement for Staged {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(Box::new(StagedKey(vec![4; curve.public_key_len()])))
    }
}

impl KeyEncapsulation for Staged {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        match self.has_kem {
            true => Ok(Box::new(StagedKey(vec![0x42; kem.encapsulation_key_len()]))),
            false => Err(Error::Unsupported(Operation::Kem(kem))),
        }
    }

    fn encapsulate(
        &self,
        _kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        if encapsulation_key[0] != 0x42 {
            return Err(Error::BadKeyShare);
        }
        ciphertext.fill(0x17);
        *secret = [0x17; KEM_SECRET_LEN];
        Ok(())
    }
}

/// A key of either kind: its public half.
#[derive(Debug)]
struct StagedKey(Vec<u8>);

impl AgreementKey for StagedKey {
    fn public_key(&self) -> &[u8] {
        &self.0
    }

    fn agree(self: Box<Self>, _peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        for (place, value) in secret.iter_mut().zip(0x80..) {
            *place = value;
        }
        Ok(())
    }
}

impl DecapsulationKey for StagedKey {
    fn encapsulation_key(&self) -> &[u8] {
        &self.0
    }

    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        // The secret is what the ciphertext is made of.
        *secret = [ciphertext[0]; KEM_SECRET_LEN];
        Ok(())
    }
}

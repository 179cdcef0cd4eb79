//! Tests of the conformance suite itself: backends with one fault each, which the cases must find.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ssl_provider::{
    AeadAlgorithm, Backend, CbcAlgorithm, Error, HashAlgorithm, NamedCurve, Operation,
    PrfAlgorithm, RsaPrivateKeyDer,
};
use ssl_provider_testkit::cases::support::attempt;
use ssl_provider_testkit::fault::{self, Fault, Injected};
use ssl_provider_testkit::question::generate::Generator;
use ssl_provider_testkit::question::{Answer, Question, Subject, Vector};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::{cases, run};

/// The library under the fault does not matter.
fn library() -> Backend {
    ssl_provider::backends().swap_remove(0)
}

/// Returns whether the library has any of the operations that the fault is in.
fn is_there(fault: Fault) -> bool {
    let (library, operations) = (library(), fault.operations());
    let has = |operation: &Operation| library.support(*operation).is_supported();
    operations.is_empty() || operations.iter().any(has)
}

/// Runs a case on a backend with a fault, or on a sound one in the same wrapper, and returns what
/// is wrong with the outcome.
fn examine(fault: Option<Fault>, name: &str) -> Option<String> {
    let injected = fault.map_or_else(|| fault::sound(&library()), |fault| fault.inject(&library()));
    let case = cases().iter().find(|case| case.name == name);
    let outcome = run(case.unwrap_or_else(|| panic!("no case {name}")), injected.backend());
    let changes = injected.changes();
    match (fault, outcome.failure) {
        (Some(fault), None) => {
            Some(format!("{name} passes although {fault:?} ({changes} changes)"))
        }
        (Some(fault), Some(failure)) if changes == 0 => {
            Some(format!("{name} fails with {fault:?}, which has changed nothing: {failure}"))
        }
        // Else a case could fail because of the wrapper and not because of the fault.
        (None, Some(failure)) => Some(format!("{name} fails without a fault: {failure}")),
        (None, None) if changes != 0 => Some(format!("{name}: {changes} changes without a fault")),
        _ => None,
    }
}

#[test]
fn each_planted_fault_is_found_by_the_cases_that_are_there_for_it() {
    let found_by = |fault: Fault| fault.found_by().iter().map(move |name| (Some(fault), *name));
    // An OpenSSL before 3.5 has no key encapsulation.
    let there = Fault::ALL.iter().copied().filter(|fault| is_there(*fault));
    let faulty: Vec<_> = there.flat_map(found_by).collect();
    let names: BTreeSet<&str> = faulty.iter().map(|(_, name)| *name).collect();
    let sound = names.into_iter().map(|name| (None, name));
    let work: Vec<(Option<Fault>, &str)> = sound.chain(faulty).collect();

    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = thread::scope(|scope| {
        let examine_some = || {
            let some = std::iter::from_fn(|| work.get(next.fetch_add(1, Ordering::Relaxed)));
            some.filter_map(|(fault, name)| examine(*fault, name)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(examine_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_has_a_case_and_every_subject_a_fault() {
    assert!(Fault::ALL.len() >= 100, "faults were lost: {}", Fault::ALL.len());
    let subject = |name: &'static str| name.split("::").next();
    let mut covered = HashSet::new();
    for fault in Fault::ALL {
        assert!(!fault.found_by().is_empty(), "{fault:?}");
        covered.extend(fault.found_by().iter().map(|name| subject(name)));
    }
    for case in cases() {
        assert!(covered.contains(&subject(case.name)), "no fault for {}", case.name);
    }
}

/// The questions about TLS 1.3 alone find what may be wrong in HKDF and in the ciphers of its
/// suites; without a fault every answer is that of the reference.
#[test]
fn questions_of_tls13_find_the_faults_below_them() {
    let generator = Generator::new(Generator::DEFAULT_SEED);
    let is_of_tls13 = |vector: &Vector| {
        use Question::{Tls13Open, Tls13Seal, Tls13Secrets};
        matches!(vector.question, Tls13Secrets(_) | Tls13Seal(_) | Tls13Open(_))
    };
    let vectors: Vec<(Vector, Option<Answer>)> = (0..4_000)
        .map(|number| generator.vector(number, &[]))
        .filter(is_of_tls13)
        .map(|vector| (vector.clone(), vector.question.reference()))
        .filter(|(_, right)| right.is_some())
        .collect();
    let faults = [
        Fault::HmacSha384IsSha512,
        Fault::HmacSha384PadsTo64,
        Fault::HmacTakesTheFirstPart,
        Fault::HkdfExchangesSaltAndInput,
        Fault::HkdfCountsFromZero,
        Fault::HkdfTakesTheFirstInfo,
        Fault::HkdfIgnoresTheSalt,
        Fault::HkdfDropsTheLastInfo,
        Fault::HkdfDropsTheLabelPrefix,
        Fault::HkdfDoesNotChain,
        Fault::HkdfStopsAfterABlock,
        Fault::HkdfWritesWholeBlocks,
        Fault::HkdfSha384IsSha256,
        Fault::HashDuplicateForgets,
        Fault::HashDuplicateIsShared,
        Fault::HashOfNothingIsZero,
        Fault::AeadDoesNotCheckTheTag,
        Fault::AeadChecksHalfTheTag,
        Fault::AeadIgnoresTheAad,
        Fault::AeadIgnoresTheNoncesEnd,
        Fault::Ccm8IsCcm,
        Fault::ChaCha20StartsLate,
        Fault::GcmCountsInAByte,
    ];
    for fault in faults.into_iter().map(Some).chain([None]) {
        let library = library();
        let injected = fault.map_or_else(|| fault::sound(&library), |it| it.inject(&library));
        let subject = Subject::new(injected.backend());
        let (mut found, mut untouched) = (0, 0);
        for (vector, right) in &vectors {
            let before = injected.changes();
            let answer = vector.question.ask(&subject, &[]);
            if answer.is_supported() && Some(&answer) != right.as_ref() {
                found += 1;
                untouched += usize::from(injected.changes() == before);
            }
        }
        assert_eq!(untouched, 0, "{fault:?}: red though untouched");
        assert_eq!(found > 0, fault.is_some(), "{fault:?} is found by {found} questions");
    }
}

/// So that a comparison of backends can expect its cells to be red, and all others to be green.
#[test]
fn a_fault_changes_nothing_outside_of_its_operations() {
    // Asked of every fault, those that take long by plain arithmetic are left out.
    let is_quick = |operation: &Operation| match operation {
        Operation::Ecdh(_) | Operation::EcdhLoad(NamedCurve::X25519) => true,
        Operation::EcdhLoad(_) | Operation::Dh | Operation::Verify(_) | Operation::Sign(_) => false,
        _ => true,
    };
    for fault in Fault::ALL {
        let injected = fault.inject(&library());
        let own = fault.operations();
        for operation in Operation::all().filter(is_quick) {
            if own.contains(&operation) || *fault == Fault::DescriptionMoves {
                continue;
            }
            for result in attempt(injected.backend(), operation) {
                assert!(matches!(result, Ok(()) | Err(Error::Unsupported(_))), "{fault:?}");
            }
            assert_eq!(injected.changes(), 0, "{fault:?} in {operation}");
        }
    }
}

/// Faults that touch some inputs only count those and no others, on either side of the line.
#[test]
fn a_fault_counts_the_results_that_it_changes_and_no_others() {
    type Ask = fn(&Backend, usize);
    let hash: Ask = |backend, len| {
        let hashing = backend.hashing();
        hashing.hash(HashAlgorithm::Sha1, &[&vec![1; len]], &mut [0; 20]).unwrap();
    };
    let hmac: Ask = |backend, len| {
        let hashing = backend.hashing();
        hashing.hmac(HashAlgorithm::Sha256, &vec![1; len], &[b"a"], &mut [0; 32]).unwrap();
    };
    let prf: Ask = |backend, len| {
        let (hashing, mut out) = (backend.hashing(), vec![0; len]);
        hashing.prf(PrfAlgorithm::Sha256, b"secret", b"label", &[b"seed"], &mut out).unwrap();
    };
    let secret_of_prf: Ask = |backend, len| {
        let (hashing, secret) = (backend.hashing(), vec![1; len]);
        hashing.prf(PrfAlgorithm::Md5Sha1, &secret, b"label", &[b"seed"], &mut [0; 48]).unwrap();
    };
    let random: Ask = |backend, len| backend.random().fill(&mut vec![0; len]).unwrap();
    let gcm: Ask = |backend, len| {
        let cipher = backend.record_ciphers().aead(AeadAlgorithm::Aes128Gcm, &[0; 16]).unwrap();
        let (mut text, mut tag) = (vec![0; len], [0; 16]);
        cipher.seal(&[0; 12], b"", &mut text, &mut tag).unwrap();
        cipher.open(&[0; 12], b"", &mut text, &tag).unwrap();
    };
    let cbc: Ask = |backend, blocks| {
        let cipher = backend.record_ciphers().cbc(CbcAlgorithm::Aes128, &[0; 16]).unwrap();
        cipher.encrypt(&[1; 16], &mut vec![0; 16 * blocks]).unwrap();
    };
    let rsa: Ask = |backend, len| {
        let of_len = |key: &TestKey| key.len() == len;
        let key = TestKey::all().into_iter().find(of_len).unwrap();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        let loaded = backend.rsa_decryption().load(&der).unwrap();
        loaded.decrypt_raw(&key.encrypt(&vec![1; len]), &mut vec![0; len]).unwrap();
    };
    // With how many bytes or blocks the fault changes nothing, and with how many how much.
    let rows: [(Fault, Ask, usize, usize, u64); 9] = [
        (Fault::HashSha1IsWrongBeyondABlock, hash, 64, 65, 1),
        (Fault::HashPaddingMissesABlock, hash, 55, 56, 1),
        (Fault::HmacHashesKeysOfABlock, hmac, 63, 64, 1),
        (Fault::PrfCountsInAByte, prf, 255, 256, 1),
        (Fault::PrfSplitsOddSecretsWrongly, secret_of_prf, 48, 47, 1),
        (Fault::RandomFillsWholeWords, random, 64, 47, 1),
        (Fault::GcmCountsInAByte, gcm, 254 * 16, 256 * 16, 2),
        (Fault::CbcDoesNotChain, cbc, 1, 2, 1),
        (Fault::DecryptionOf3072Bits, rsa, 256, 384, 1),
    ];
    for (fault, ask, untouched, touched, changes) in rows {
        let injected = fault.inject(&library());
        ask(injected.backend(), untouched);
        assert_eq!(injected.changes(), 0, "{fault:?} with {untouched}");
        ask(injected.backend(), touched);
        assert_eq!(injected.changes(), changes, "{fault:?} with {touched}");
        ask(injected.backend(), untouched);
        assert_eq!(injected.changes(), changes, "{fault:?} with {untouched} again");
    }
}

/// What a fault does depends on the library only where the library lacks the operation.
#[test]
fn a_faulty_backend_announces_what_the_library_has() {
    let of = |injected: &Injected| {
        let all = Operation::all();
        all.filter(|operation| injected.backend().support(*operation).is_supported()).count()
    };
    let sound = of(&fault::sound(&library()));
    for fault in Fault::ALL {
        let injected = fault.inject(&library());
        let lacks = [Fault::SupportIsNotAnnounced, Fault::LackNamesAnotherOperation];
        let expected = sound - usize::from(lacks.contains(fault));
        assert_eq!(of(&injected), expected, "{fault:?}");
    }
}

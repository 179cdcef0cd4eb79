//! Hashes: published digests, agreement with the reference at every length, and running hashes.
//! Lengths around the block sizes are where padding goes wrong.

use ssl_provider_core::{Backend, HashAlgorithm, Operation, Support};

use crate::bytes::{Rng, hex};
use crate::reference;

fn hash(backend: &Backend, algorithm: HashAlgorithm, input: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0xa5; algorithm.output_len()];
    backend.hashing().hash(algorithm, input, &mut out).unwrap();
    out
}

/// Digests of RFC 1321 and FIPS 180 examples come out.
pub fn hash_known_answers(backend: &Backend) {
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".as_slice();
    let rows: [(HashAlgorithm, &[u8], &str); 9] = [
        // RFC 1321 appendix A.5.
        (HashAlgorithm::Md5, b"", "d41d8cd98f00b204e9800998ecf8427e"),
        (HashAlgorithm::Md5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
        (HashAlgorithm::Md5, b"message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        // FIPS 180 examples.
        (HashAlgorithm::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (HashAlgorithm::Sha1, long, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (HashAlgorithm::Sha1, b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (
            HashAlgorithm::Sha256,
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            HashAlgorithm::Sha256,
            long,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            HashAlgorithm::Sha384,
            b"abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
    ];
    for (algorithm, input, digest) in rows {
        assert_eq!(hash(backend, algorithm, &[input]), hex(digest), "{}", algorithm.name());
    }
}

/// Input of 0 to 300 bytes, in one part or in several, hashes to what the reference says.
pub fn hash_of_parts_is_the_hash_of_the_whole(backend: &Backend) {
    let mut rng = Rng::new(1);
    for algorithm in HashAlgorithm::ALL {
        for len in 0..=300 {
            let input = rng.bytes(len);
            let (left, right) = input.split_at(rng.below(len + 1));
            let expected = reference::hash(algorithm, &[&input]);
            let name = algorithm.name();
            assert_eq!(hash(backend, algorithm, &[&input]), expected, "{name} of {len}");
            let parts = [left, &[], right];
            assert_eq!(hash(backend, algorithm, &parts), expected, "{name} of {len} in parts");
        }
        assert_eq!(hash(backend, algorithm, &[]), reference::hash(algorithm, &[]));
    }
}

/// A running hash that is fed piece by piece ends as the hash of the whole.
pub fn hash_context_takes_input_in_pieces(backend: &Backend) {
    let mut rng = Rng::new(2);
    for algorithm in HashAlgorithm::ALL {
        for len in [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000] {
            let input = rng.bytes(len);
            let mut context = backend.hashing().hash_context(algorithm).unwrap();
            let mut rest = input.as_slice();
            while !rest.is_empty() {
                let (piece, next) = rest.split_at(1 + rng.below(rest.len()));
                context.update(piece);
                rest = next;
            }
            let mut out = vec![0; algorithm.output_len()];
            context.finish(&mut out).unwrap();
            assert_eq!(out, reference::hash(algorithm, &[&input]), "{} {len}", algorithm.name());
        }
    }
}

/// A duplicate of a running hash has the same past and a future of its own.
pub fn hash_context_duplicates_run_apart(backend: &Backend) {
    for algorithm in HashAlgorithm::ALL {
        let mut first = backend.hashing().hash_context(algorithm).unwrap();
        first.update(b"common ");
        let mut second = first.duplicate();
        let third = second.duplicate();
        first.update(b"first");
        second.update(b"second");
        for (context, input) in
            [(first, "common first"), (second, "common second"), (third, "common ")]
        {
            let mut out = vec![0; algorithm.output_len()];
            context.finish(&mut out).unwrap();
            assert_eq!(out, reference::hash(algorithm, &[input.as_bytes()]), "{input}");
        }
    }
}

/// An output buffer of another length than the hash is refused, and stays as it was.
pub fn hash_context_refuses_other_output_lengths(backend: &Backend) {
    for algorithm in HashAlgorithm::ALL {
        for len in [0, 1, algorithm.output_len() - 1, algorithm.output_len() + 1] {
            let mut out = vec![0xa5; len];
            let context = backend.hashing().hash_context(algorithm).unwrap();
            assert!(context.finish(&mut out).is_err(), "{} into {len}", algorithm.name());
            assert!(out.iter().all(|byte| *byte == 0xa5), "{} into {len}", algorithm.name());
        }
    }
}

/// The compression function, where the backend has it, gives the hash of a message with the padding
/// that the standards describe, block by block and several blocks at once.
pub fn hash_compression_gives_the_hash(backend: &Backend) {
    for hash in HashAlgorithm::ALL {
        if backend.support(Operation::CompressionFunction(hash)) == Support::Unsupported {
            continue;
        }
        let block_len = hash.block_len();
        for len in [0, 1, 55, 56, 63, 64, 111, 112, 127, 128, 1000] {
            let mut whole = backend.hashing().compression_function(hash).unwrap();
            let mut stepwise = backend.hashing().compression_function(hash).unwrap();
            let message: Vec<u8> = (0..=255).cycle().take(len).collect();
            let count = u64::try_from(8 * len).unwrap();
            let count = match hash {
                HashAlgorithm::Md5 => count.to_le_bytes(),
                _ => count.to_be_bytes(),
            };
            let mut padded = [&message[..], &[0x80]].concat();
            let used = padded.len() + block_len / 8;
            padded.resize(padded.len() + used.next_multiple_of(block_len) - used, 0);
            padded.resize(padded.len() + block_len / 8 - 8, 0);
            padded.extend(count);

            let expected = reference::hash(hash, &[&message]);
            let mut value = vec![0; expected.len()];
            whole.compress(&padded);
            whole.chaining_value(&mut value);
            assert_eq!(value, expected, "{} of {len} bytes", hash.name());
            padded.chunks(block_len).for_each(|block| stepwise.compress(block));
            stepwise.compress(&[]);
            stepwise.chaining_value(&mut value);
            assert_eq!(value, expected, "{} of {len} bytes, stepwise", hash.name());
        }
    }
}

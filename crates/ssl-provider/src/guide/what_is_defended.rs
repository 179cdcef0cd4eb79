//! Attacks on key exchange and on records, and where each is defended against.
//!
//! # The premaster secret
//!
//! An RSA key exchange with PKCS#1 v1.5 is broken by any oracle that tells whether a ciphertext
//! decrypts to a well-formed block.
//!
//! - **Bleichenbacher 1998, ROBOT 2017**: errors tell whether the padding is right. Against it, a
//!   bad premaster secret is no error ([implicit rejection](crate::Provider::import_master_key)).
//! - **Klíma, Pokorný, Rosa 2003**: errors tell whether the version is right. It falls into the
//!   same mask as the padding ([`recover_premaster`]).
//! - **Marvin 2023**: the time tells, a side channel. From the private operation to the master
//!   secret all is constant time: no branch, index or allocation depends on a secret. In the
//!   library's own operation it is blinding, and what its authors claim ([`RsaInfo`];
//!   [`Requirements`] insists).
//! - **DROWN 2016**: another server with the same key is the oracle. Nothing here can help; use a
//!   key for one purpose.
//! - **One ciphertext under two rules about versions** tells whether it is well-formed. A key keeps
//!   the rule that it was loaded under ([`PremasterVersion`]).
//! - **Faults in RSA with CRT** (Boneh, DeMillo and Lipton 1997) reveal a factor. Results are
//!   checked before use, in the backends that say so ([`RsaInfo::fault_check`]).
//! - **Triple handshake 2014**: two sessions share a master secret. Use the extended master secret
//!   wherever the peer has it ([`ParameterList::session_hash`]).
//!
//! # Key agreement
//!
//! - **Raccoon 2020**: the time of the PRF tells how many leading zeros a Diffie-Hellman secret
//!   has, which TLS strips. A key agrees once ([`EphemeralKey`]), so an attacker learns that of one
//!   secret and cannot solve for it.
//! - **Invalid curves** (Jager, Schwenk and Somorovsky 2015) and **small subgroups**: a point must
//!   be on its curve, a number between 1 and p - 1, and the secret none that anybody knows
//!   ([`Error::BadKeyShare`]).
//! - **Logjam 2015**: the policy sets the shortest prime ([`Policy::min_modulus_bits`]).
//!
//! # Records
//!
//! - **Padding oracle** (Vaudenay 2002): there is one error for every reason
//!   ([`Error::BadRecord`]).
//! - **Lucky Thirteen 2013**: the time of the MAC tells the length of the padding. The MAC is
//!   computed for every length that the record leaves possible, in constant time
//!   ([`RecordKey::verify_padding_and_mac`]).
//! - **BEAST 2011**: chained IVs in TLS 1.0 and SSL 3.0. The caller splits off the first byte
//!   ([`RecordKey`]).
//! - **Nonce reuse** in AEAD suites: a key refuses to write under a sequence number that is not
//!   above the last ([`RecordKey::encrypt_packet`]), and to write at all once it has read.
//!
//! # TLS 1.3
//!
//! - **Secrets taken for one another**: each is a type of its own ([`tls13`](crate::tls13)).
//! - **A forged pre-shared key**: binders are compared in constant time
//!   ([`BinderKey::verify_binder`](crate::tls13::BinderKey::verify_binder)).
//! - **A forged share of ML-KEM**: what does not decapsulate yields a secret that nobody knows
//!   ([`DecapsulationKey`](crate::backend::DecapsulationKey)), and the handshake fails at Finished.
//! - **Replay of early data (0-RTT)** is the caller's: whoever recorded them can send them again.
//!
//! # The process
//!
//! - **Forged handles**: a handle is a number in a keyed table, never a pointer ([`HandleTable`]).
//! - **Secrets in logs and in freed memory**: secret types print no byte, are wiped on drop, and
//!   can be neither cloned nor compared ([`MasterSecret`]). What libraries free is wiped too where
//!   the program makes [`WipingAllocator`] its global allocator.
//!
//! # What a caller could undo
//!
//! - A check of the premaster secret, a log line or a metric about it is a new oracle.
//! - The rules of [`PremasterVersion`] that are called insecure are for clients with old defects,
//!   not for servers on the internet.
//! - RSA key exchange has no forward secrecy: whoever gets the key later reads what was recorded.
//!
//! # Not defended against
//!
//! An attacker who can read the memory of the process; power and electromagnetic side channels;
//! swap, core dumps and hibernation; copies that a crypto library keeps inside. Sweet32 (3DES), the
//! biases of RC4 and POODLE are properties of what was negotiated: offer none of it.
//!
//! # How it is tested
//!
//! valgrind follows the decrypted block as undefined memory through every step
//! (`cargo xtask ctgrind`), callgrind counts the instructions of every kind of plaintext
//! (`callgrind`), a clock measures them (`timing`), and conversations with a running server compare
//! its replies (`attack`). Each must also find a fault that was planted. `SECURITY.md` has the
//! details and what each does not show.
//!
//! [`recover_premaster`]: crate::recover_premaster
//! [`RsaInfo`]: crate::RsaInfo
//! [`RsaInfo::fault_check`]: crate::RsaInfo::fault_check
//! [`Requirements`]: crate::Requirements
//! [`PremasterVersion`]: crate::PremasterVersion
//! [`Error::BadRecord`]: crate::Error::BadRecord
//! [`RecordKey`]: crate::RecordKey
//! [`RecordKey::verify_padding_and_mac`]: crate::RecordKey::verify_padding_and_mac
//! [`RecordKey::encrypt_packet`]: crate::RecordKey::encrypt_packet
//! [`ParameterList::session_hash`]: crate::ParameterList::session_hash
//! [`EphemeralKey`]: crate::EphemeralKey
//! [`Error::BadKeyShare`]: crate::Error::BadKeyShare
//! [`Policy::min_modulus_bits`]: crate::Policy::min_modulus_bits
//! [`HandleTable`]: crate::HandleTable
//! [`MasterSecret`]: crate::MasterSecret
//! [`WipingAllocator`]: crate::WipingAllocator

//! How to use this library: one page for each task, with examples that are compiled and run.
//!
//! | Page | Question |
//! |---|---|
//! | [`choose_a_backend`] | Which crypto library does the work, and what does it claim? |
//! | [`import_a_master_key`] | How does a server get from a ClientKeyExchange to a master key? |
//! | [`agree_on_a_master_key`] | How do both sides get one by (EC)DHE, and how does a client? |
//! | [`derive_tls13_secrets`] | The same in TLS 1.3: which call yields which secret? |
//! | [`protect_records`] | How are session keys derived, Finished checked and records encrypted? |
//! | [`write_a_backend`] | How is another library, a token or a key server put behind it? |
//! | [`use_from_c`] | How does a C program call it? |
//! | [`what_is_defended`] | Which attacks are defended against, where, and how is that tested? |
//!
//! The programs in `crates/ssl-provider/examples` show each task as a whole.

pub mod agree_on_a_master_key;
pub mod choose_a_backend;
pub mod derive_tls13_secrets;
pub mod import_a_master_key;
pub mod protect_records;
pub mod use_from_c;
pub mod what_is_defended;
pub mod write_a_backend;

//! What the benchmarks share: keys, exchanges, the libraries' own RSA operation, paired timing.
//! Setup is done here, outside of what is measured.

pub mod c_interface;
pub mod exchange;
pub mod library;
pub mod paired;

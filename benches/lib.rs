//! Shared by the benchmarks: keys, exchanges, the libraries' own operations, paired timing.
//! Setup is done here, outside of the measured code.

pub mod bare;
pub mod c_interface;
pub mod clock;
pub mod exchange;
pub mod library;
pub mod paired;

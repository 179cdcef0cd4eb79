//! Shared by the programs of this package: the C interface as a caller has it, and the clock.
//! Keys and exchanges are those of the command `bench`.

pub mod c_interface;
pub mod clock;

pub use ssl_provider_compare::bench::exchange;

//! Memory for secrets, for ssl-provider and for programs that use it.
//!
//! - [`WipingAllocator`] wipes every heap block when it is freed.
//! - [`SecretBytes`] is in memory that is locked, and kept from core dumps and from children, where
//!   the system can do that.
//! - [`wipe_vector_registers`] clears the registers in which ciphers keep their keys.

mod allocator;
mod pages;
mod registers;
mod slab;

pub use crate::allocator::WipingAllocator;
pub use crate::registers::wipe_vector_registers;
pub use crate::slab::{SecretBytes, SecretMemory, secret_memory, wipe_secret_memory_in_children};

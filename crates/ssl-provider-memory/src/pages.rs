//! Pages from the system, protected as far as it can.

use std::ptr::NonNull;

/// Memory of zeros that is never given back.
pub(crate) struct Pages {
    pub(crate) start: NonNull<u8>,
    /// Whether the system keeps it from swap devices.
    pub(crate) is_locked: bool,
}

/// Maps pages; locks them, and keeps them from core dumps, and from forked children if asked, as
/// far as the system can.
/// Where the system maps nothing, the memory is that of the allocator.
#[cfg(all(unix, not(miri)))]
pub(crate) fn map(len: usize, wiped_in_children: bool) -> Pages {
    use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous};

    // SAFETY: a new mapping anywhere, which overlaps nothing.
    let start = unsafe {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        mmap_anonymous(std::ptr::null_mut(), len, protection, MapFlags::PRIVATE)
    };
    let Some(start) = start.ok().and_then(NonNull::new) else { return from_allocator(len) };
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let in_children = wiped_in_children.then_some(Advice::LinuxWipeOnFork);
        for advice in in_children.into_iter().chain([Advice::LinuxDontDump]) {
            // Failure leaves the memory as ordinary as it is elsewhere.
            // SAFETY: the mapping above, which holds nothing yet; neither advice changes it.
            let _ = unsafe { madvise(start.as_ptr(), len, advice) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = wiped_in_children;
    // SAFETY: the mapping above, which is as long.
    let is_locked = unsafe { mlock(start.as_ptr(), len) }.is_ok();
    Pages { start: start.cast(), is_locked }
}

#[cfg(not(all(unix, not(miri))))]
pub(crate) fn map(len: usize, _wiped_in_children: bool) -> Pages {
    from_allocator(len)
}

fn from_allocator(len: usize) -> Pages {
    let memory = Box::leak(vec![0_u8; len].into_boxed_slice());
    Pages { start: NonNull::from(memory).cast(), is_locked: false }
}

//! Memory that grows while the host holds views of it, and memory that runs out. What is taken here is never given back.

use bindings::*;
use std::alloc::{alloc, Layout};
use std::hint::black_box;

/// Takes memory by the mebibyte, and answers the size of the whole memory in pages of 64 KiB; 0 if there was not enough.
#[fp_export_impl(bindings)]
fn grow(mib: u32) -> u32 {
    if (0..mib).all(|_| take(MIB)) {
        core::arch::wasm32::memory_size(0) as u32
    } else {
        0
    }
}

#[fp_export_impl(bindings)]
async fn grow_between(text: String, mib: u32) -> String {
    let echoed = host_echo(text).await;
    grow(mib);
    host_echo(echoed).await
}

#[fp_export_impl(bindings)]
fn grow_sync(text: String, mib: u32) -> String {
    let echoed = host_sync_string(text);
    grow(mib);
    host_sync_string(echoed)
}

/// Takes all memory that is left, so that the next `__fp_malloc` of any size finds none.
#[fp_export_impl(bindings)]
fn exhaust() {
    let mut size = 1024 * MIB;
    while size >= SMALLEST {
        while take(size) {}
        size /= 2;
    }
}

const MIB: usize = 1 << 20;

/// Smaller requests are rounded up to this by the allocator.
const SMALLEST: usize = 4;

fn take(size: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(size, 16) else { return false };
    // Safe: `alloc` forbids only a size of 0, which no caller asks for.
    !black_box(unsafe { alloc(layout) }).is_null()
}

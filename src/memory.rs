//! The allocator. A run allocates and frees tens of thousands of small objects, on a thread of its
//! own; mimalloc is made for that. If the operating system refuses memory, this allocator ends the
//! program with one line, where the standard library would abort.

use crate::exit::NO_RESOURCES;
use libmimalloc_sys::{mi_malloc, mi_realloc, mi_zalloc};
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;

/// mimalloc, which never returns null.
pub(crate) struct Allocator;

/// All blocks of mimalloc have this alignment.
const WORD: usize = size_of::<usize>();
/// Blocks of at least this size are aligned to it (`MI_MAX_ALIGN_SIZE`).
const MOST: usize = 16;

/// Whether every block of mimalloc of this size has this alignment. For an explicit alignment,
/// mimalloc takes a slower path for most sizes.
const fn is_usual(align: usize, size: usize) -> bool {
    align <= WORD || (align <= MOST && size >= MOST)
}

#[allow(unsafe_code, reason = "an allocator is an unsafe trait; each call is passed on as it came")]
// SAFETY: every call goes to mimalloc with the arguments that came, so its guarantees are ours; the
// alignment is left out where every block has it. The null pointer, the one result that is not
// passed on, ends the process.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        given(match is_usual(layout.align(), layout.size()) {
            // SAFETY: any size may be requested.
            true => unsafe { mi_malloc(layout.size()) }.cast(),
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.alloc(layout) },
        })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(match is_usual(layout.align(), layout.size()) {
            // SAFETY: any size may be requested.
            true => unsafe { mi_zalloc(layout.size()) }.cast(),
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.alloc_zeroed(layout) },
        })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given(match is_usual(layout.align(), size) {
            // SAFETY: the pointer is one of mimalloc's, as the caller's contract says.
            true => unsafe { mi_realloc(pointer.cast(), size) }.cast(),
            // SAFETY: the caller keeps the contract.
            false => unsafe { MiMalloc.realloc(pointer, layout, size) },
        })
    }
}

#[inline]
fn given(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        refused();
    }
    pointer
}

/// Ends the process without allocating.
#[cold]
fn refused() -> ! {
    let _ = std::io::stderr().write_all(b"error: the operating system refuses memory\n");
    std::process::exit(NO_RESOURCES.into())
}

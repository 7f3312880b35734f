//! What a stack takes of memory.
//!
//! Two figures, for neither says everything: what was asked of the allocator and not given back, buffers included that
//! nobody has touched yet; and what is resident, with all that the allocator keeps for later. The allocator counts only
//! where that is asked for, so that it costs the other workloads nothing.

use crate::support::machine;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

static COUNTS: AtomicBool = AtomicBool::new(false);
static HELD: AtomicUsize = AtomicUsize::new(0);

/// In bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub held: f64,
    pub resident: f64,
}

impl Memory {
    /// From now on it is counted what is held.
    pub fn count() {
        COUNTS.store(true, Relaxed);
    }

    /// This process.
    pub fn here() -> Memory {
        // What was there before it was counted may have been given back: below zero.
        Memory { held: HELD.load(Relaxed) as isize as f64, resident: machine::resident() }
    }

    /// The kernel's objects.
    pub fn kernel() -> Memory {
        Memory { held: machine::slab(), resident: machine::slab() }
    }
}

impl Sub for Memory {
    type Output = Memory;

    fn sub(self, before: Memory) -> Memory {
        Memory { held: self.held - before.held, resident: self.resident - before.resident }
    }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(more: usize, less: usize) {
    if COUNTS.load(Relaxed) {
        HELD.fetch_add(more.wrapping_sub(less), Relaxed);
    }
}

// Everything is handed on to the system's allocator; only sizes are looked at.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(block, layout, size) }
    }
}

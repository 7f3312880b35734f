//! Receive packet steering (RPS): the kernel takes in what we send on other processors than ours (the kernel's
//! `Documentation/networking/scaling.rst`).
//!
//! Without it, all that the kernel's TCP does with a frame, up to waking whoever waits for it, happens within the call that
//! writes the frame: it is our thread's time. With it that call ends once the frame is in another processor's queue. That
//! pays off when everything waits for our thread, and only then: a lone round trip is shortest where both sides share a
//! processor. The frames of a flow stay in order, for all go to the same processor, but for the moment in which the choice
//! changes.

use crate::time::Instant;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::thread::{ClockId, CpuSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How often it looks what our thread does.
const WINDOW: Duration = Duration::from_millis(20);
/// A thread that ran for so much of a window, in percent, is what everything waits for.
const BUSY: u128 = 85;
/// One that ran for less than this waits for others. What steering takes off a thread, a third at the most, leaves it above.
const IDLE: u128 = 50;

/// The processors on which the kernel receives from one interface. While our thread is busy: all on which it may run, but
/// the one on which it does. Otherwise none in particular, so that each frame is received where it is written.
#[derive(Debug)]
pub(super) struct Steering {
    /// `rps_cpus`, which takes a mask of processors.
    processors: OwnedFd,
    /// The processor that is left out while frames are steered.
    left_out: Option<usize>,
    /// When it looked last, and for how long our thread had run then.
    looked: (Instant, Duration),
}

impl Steering {
    /// Of an interface in this network namespace. None when somebody has chosen its processors already
    /// (`net.core.rps_default_mask`).
    pub fn of(interface: &str) -> io::Result<Option<Steering>> {
        // The file system of devices as this namespace sees it; what is mounted may be another's.
        let context = rustix::mount::fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(context.as_fd())?;
        let none = MountAttrFlags::empty();
        let root = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, none)?;
        let path = format!("class/net/{interface}/queues/rx-0/rps_cpus");
        let processors = rustix::fs::openat(root, path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let mut chosen = [0; CpuSet::MAX_CPU];
        let len = rustix::io::pread(&processors, &mut chosen, 0)?;
        let free = chosen[..len].iter().all(|byte| matches!(byte, b'0' | b',' | b'\n'));
        Ok(free.then_some(Steering { processors, left_out: None, looked: (Instant::ZERO, Duration::ZERO) }))
    }

    /// Takes account of what the thread that calls it does, and where; called before frames are written.
    pub fn follow(&mut self, now: Instant) {
        let (before, had_run) = self.looked;
        let passed = now.since(before);
        if passed < WINDOW {
            return;
        }
        let run = thread_time();
        self.looked = (now, run);
        let share = 100 * run.saturating_sub(had_run).as_nanos() / passed.as_nanos();
        let left_out = pays_off(share, self.left_out.is_some()).then(rustix::thread::sched_getcpu);
        if left_out != self.left_out {
            self.left_out = left_out;
            // A frame that cannot be steered is received here, as all are without it.
            let _ = self.choose();
        }
    }

    fn choose(&self) -> io::Result<()> {
        let mut processors = CpuSet::new();
        if let Some(here) = self.left_out {
            processors = rustix::thread::sched_getaffinity(None)?;
            processors.unset(here);
        }
        rustix::io::pwrite(&self.processors, mask(&processors).as_bytes(), 0)?;
        Ok(())
    }
}

/// Is steering worth it for a thread that ran for such a share of the time, with it or without it?
fn pays_off(share: u128, steered: bool) -> bool {
    share >= if steered { IDLE } else { BUSY }
}

/// For how long this thread has run.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// As a mask of the kernel is written: groups of 32 bits, the highest first, without those that no processor has.
fn mask(processors: &CpuSet) -> String {
    let group = |group: usize| (0..32).filter(|bit| processors.is_set(group * 32 + bit)).map(|bit| 1u32 << bit).sum();
    let groups: Vec<u32> = (0..CpuSet::MAX_CPU / 32).map(group).collect();
    let len = groups.iter().rposition(|group| *group != 0).map_or(1, |highest| highest + 1);
    let groups: Vec<String> = groups[..len].iter().rev().map(|group| format!("{group:08x}")).collect();
    groups.join(",")
}

/// All processors on which this thread may run, as a mask of the kernel.
pub(crate) fn allowed() -> String {
    rustix::thread::sched_getaffinity(None).map_or_else(|_| "0".into(), |processors| mask(&processors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_relieved_until_it_waits_for_others() {
        let mut steered = false;
        let shares = [(0, false), (84, false), (85, true), (57, true), (50, true), (49, false), (60, false)];
        for (share, expected) in shares {
            steered = pays_off(share, steered);
            assert_eq!(steered, expected, "{share} %");
        }
    }

    #[test]
    fn a_mask_begins_with_the_highest_group_that_has_a_processor() {
        for (processors, expected) in [
            (vec![], "00000000"),
            (vec![0], "00000001"),
            (vec![1, 3, 31], "8000000a"),
            (vec![0, 32], "00000001,00000001"),
            (vec![64], "00000001,00000000,00000000"),
        ] {
            let mut set = CpuSet::new();
            processors.iter().for_each(|processor| set.set(*processor));
            assert_eq!(mask(&set), expected, "{processors:?}");
        }
    }
}

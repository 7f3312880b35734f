//! Receive packet steering (RPS): the kernel takes in what we send on other processors than ours (the kernel's
//! `Documentation/networking/scaling.rst`).
//!
//! Without it, all that the kernel's TCP does with a frame, up to waking whoever waits for it, happens within the call that
//! writes the frame: it is our thread's time. With it that call ends once the frame is in another processor's queue. That
//! pays off when everything waits for our thread, and where there is much to be done with a frame: a lone round trip is
//! shortest where both sides share a processor, and a small datagram is received in less time than it takes to hand it over.
//! So it is tried, while our thread is busy, and stays if a frame costs less of its time then.
//!
//! The frames of a flow stay in order, for all go to the same processor, but for the moment in which the choice changes.

use crate::time::{Instant, nanos};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::thread::{ClockId, CpuSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How often it looks what our thread does.
const WINDOW: Duration = Duration::from_millis(10);
/// A thread that ran for so much of a window, in percent, is what everything waits for.
const BUSY: u64 = 85;
/// One that ran for less than this waits for others. What steering takes off a thread, a third at the most, leaves it above.
const IDLE: u64 = 50;
/// So many windows it is tried, by turns without and with it.
const TRIAL: u32 = 6;
/// After so many it is tried again: others may be served by then.
const AGAIN: u32 = 500;

/// The processors on which the kernel receives from one interface. While it pays off: all on which our thread may run, but
/// the one on which it does. Otherwise none in particular, so that each frame is received where it is written.
#[derive(Debug)]
pub(super) struct Steering {
    /// `rps_cpus`, which takes a mask of processors.
    processors: OwnedFd,
    /// The processor that is left out while frames are steered.
    left_out: Option<usize>,
    /// When the present window began, also by our thread's own clock, and how many frames it has sent since.
    since: Instant,
    had_run: Instant,
    frames: u64,
    trial: Trial,
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
        let processors = rustix::fs::openat(root, rps_cpus(interface), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let mut chosen = [0; CpuSet::MAX_CPU];
        let len = rustix::io::pread(&processors, &mut chosen, 0)?;
        let free = chosen[..len].iter().all(|byte| matches!(byte, b'0' | b',' | b'\n'));
        let trial = Trial::default();
        let (since, had_run) = (Instant::ZERO, Instant::ZERO);
        Ok(free.then_some(Steering { processors, left_out: None, since, had_run, frames: 0, trial }))
    }

    /// Takes account of what the thread that calls it does, and where; called before so many frames are written.
    pub fn follow(&mut self, now: Instant, frames: usize) {
        let passed = now.nanos_since(self.since);
        if passed >= nanos(WINDOW) {
            let run = thread_clock();
            let ran = run.nanos_since(self.had_run);
            let share = 100 * ran / passed;
            self.steer(share, Cost { nanos: ran, frames: self.frames });
            (self.since, self.had_run, self.frames) = (now, run, 0);
        }
        self.frames += frames as u64;
    }

    fn steer(&mut self, share: u64, cost: Cost) {
        let left_out = self.trial.next(share, cost).then(rustix::thread::sched_getcpu);
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

/// What frames have cost our thread.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    nanos: u64,
    frames: u64,
}

impl Cost {
    fn add(&mut self, other: Cost) {
        self.nanos += other.nanos;
        self.frames += other.frames;
    }

    /// For each frame.
    fn is_below(self, other: Cost) -> bool {
        u128::from(self.nanos) * u128::from(other.frames) < u128::from(other.nanos) * u128::from(self.frames)
    }
}

/// Whether frames are steered, window after window.
#[derive(Debug, Default)]
struct Trial {
    /// For how much of the time our thread runs, in percent: rises at once, and falls slowly.
    share: u64,
    /// For how many windows it has been busy.
    windows: u32,
    steers: bool,
    without: Cost,
    with: Cost,
}

impl Trial {
    /// After a window in which our thread ran for such a share of the time: are frames steered in the next?
    fn next(&mut self, share: u64, cost: Cost) -> bool {
        let share = share.max((3 * self.share + share) / 4);
        let enough = if self.windows == 0 { BUSY } else { IDLE };
        if share < enough || self.windows == AGAIN {
            *self = Trial { share, ..Trial::default() };
            return false;
        }
        if self.windows < TRIAL {
            if self.steers {
                self.with.add(cost)
            } else {
                self.without.add(cost)
            }
            self.steers = !self.steers;
        }
        (self.share, self.windows) = (share, self.windows + 1);
        if self.windows == TRIAL {
            self.steers = self.with.is_below(self.without);
        }
        self.steers
    }
}

/// A clock that stands still while this thread does not run.
fn thread_clock() -> Instant {
    let at = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    Instant::ZERO + Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

/// Where the kernel is told on which processors it receives from an interface, below `/sys`.
pub(crate) fn rps_cpus(interface: &str) -> String {
    format!("class/net/{interface}/queues/rx-0/rps_cpus")
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

    /// What a trial says window by window, of a thread that runs for these shares of the time and sends frames that cost so
    /// much without and with it.
    fn tried(trial: &mut Trial, shares: &[u64], (without, with): (u64, u64)) -> String {
        let window = |share: &u64| {
            let nanos = if trial.steers { with } else { without };
            if trial.next(*share, Cost { nanos, frames: 1 }) { '+' } else { '-' }
        };
        shares.iter().map(window).collect()
    }

    #[test]
    fn a_busy_thread_is_relieved_if_that_pays_off_until_it_waits_for_others() {
        let busy = [100; 10];
        for (costs, shares, expected) in [
            ((5, 4), &busy[..], "+-+-++++++".to_owned()),
            ((4, 5), &busy, "+-+-+-----".into()),
            ((4, 4), &busy, "+-+-+-----".into()),
            ((5, 4), &[84; 10], "-".repeat(10)),
            ((5, 4), &[100, 60, 60, 60, 60, 60, 60, 60, 0, 100, 100, 100], "+-+-++++-+-+".into()),
        ] {
            assert_eq!(tried(&mut Trial::default(), shares, costs), expected, "{costs:?} {shares:?}");
        }
        let mut trial = Trial::default();
        tried(&mut trial, &[100; 10], (5, 4));
        assert_eq!(tried(&mut trial, &[0, 100, 0, 0, 0], (5, 4)), "++++-", "one window says little");
    }

    #[test]
    fn it_is_tried_again_after_a_while() {
        let mut trial = Trial::default();
        let steered = tried(&mut trial, &[100; 2 * AGAIN as usize], (5, 4));
        let (first, second) = steered.split_at(AGAIN as usize);
        assert_eq!((&first[..8], &second[..8]), ("+-+-++++", "-+-+-+++"));
        assert!(!tried(&mut trial, &[100; 2 * AGAIN as usize], (4, 5)).contains("++"));
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

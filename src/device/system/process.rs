//! Namespaces and children.

use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// After how many seconds a child that answers nothing is ended.
const PATIENCE: u32 = 10;

/// How many threads this process has.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Moves this process into a new network namespace, and into a new user namespace that owns it if `user` says so.
///
/// Fails while the process has other threads: they would stay behind.
pub fn unshare_network(user: bool) -> io::Result<()> {
    must_be_alone()?;
    let flags = if user { UnshareFlags::NEWNET | UnshareFlags::NEWUSER } else { UnshareFlags::NEWNET };
    // SAFETY: the file table, on which the safety of descriptors rests, stays shared as it is.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

fn must_be_alone() -> io::Result<()> {
    match threads()? {
        1 => Ok(()),
        threads => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("{threads} threads run already: it must happen before any other thread starts"),
        )),
    }
}

/// Does `work` in a child process, which ends with it, and gives its answer: whatever the child changes of itself
/// (namespaces, interfaces within them) ends with it.
///
/// Fails while the process has other threads: a child of theirs could find a lock taken for ever.
pub fn in_child(work: impl FnOnce() -> String) -> io::Result<String> {
    must_be_alone()?;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: this process has one thread, so that the child finds every lock free and may do whatever its parent may.
    let child = super::checked(unsafe { libc::fork() })?;
    let Some(child) = Pid::from_raw(child) else { child_ends(work, write) };
    drop(write);
    let mut answer = String::new();
    let read = File::from(read).read_to_string(&mut answer);
    let ended = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            ended => break ended?,
        }
    };
    read?;
    match ended {
        Some((_, status)) if status.exit_status() == Some(0) => Ok(answer),
        Some((_, status)) => Err(io::Error::other(format!("the child that tried it ended badly: {status:?}"))),
        None => Err(io::Error::other("the child that tried it was lost")),
    }
}

fn child_ends(work: impl FnOnce() -> String, answer: OwnedFd) -> ! {
    // SAFETY: SIGALRM has its default action, which ends this child and nothing else.
    unsafe { libc::alarm(PATIENCE) };
    let told = catch_unwind(AssertUnwindSafe(work)).map(|text| File::from(answer).write_all(text.as_bytes()));
    // SAFETY: ends the child at once, without the parent's exit handlers and buffers.
    unsafe { libc::_exit(if matches!(told, Ok(Ok(()))) { 0 } else { 1 }) }
}

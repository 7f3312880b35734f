//! Entering a network namespace of one's own (`man 7 network_namespaces`, `man 7 user_namespaces`).
//!
//! It vanishes, with every interface in it, when the last process in it has ended.

use crate::device::system::process;
use std::fs;
use std::io;
use std::str::FromStr;

/// Why there is no namespace of one's own.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    #[error("a namespace can be entered only before any other thread starts, and {threads} threads run already")]
    Threads { threads: usize },
    #[error("no user namespace: {why}{}", .mend.as_ref().map(|mend| format!(": allow it with `{mend}`")).unwrap_or_default())]
    Forbidden { why: String, mend: Option<String> },
    #[error("no network namespace: {0}")]
    Other(#[from] io::Error),
}

/// What keeps ordinary users from a user namespace, and the command that lets them have one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obstacle {
    pub why: &'static str,
    pub mend: &'static str,
}

/// The first known obstacle on this machine. With none, a security module or a container may still forbid it.
pub fn obstacle() -> Option<Obstacle> {
    let is = |path: &str, bad: u64| read_number::<u64>(path) == Some(bad);
    let known = [
        (
            is("/proc/sys/user/max_user_namespaces", 0),
            Obstacle { why: "user.max_user_namespaces is 0", mend: "sudo sysctl -w user.max_user_namespaces=15000" },
        ),
        (
            is("/proc/sys/kernel/unprivileged_userns_clone", 0),
            Obstacle {
                why: "kernel.unprivileged_userns_clone is 0",
                mend: "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            },
        ),
        (
            is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1),
            Obstacle {
                why: "AppArmor takes the privileges out of user namespaces",
                mend: "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            },
        ),
    ];
    known.into_iter().find_map(|(stands, obstacle)| stands.then_some(obstacle))
}

/// Moves this process into a network namespace of its own; with `user`, into a user namespace that owns it, in which
/// the process is root. Children inherit both.
pub fn enter(user: bool) -> Result<(), EnterError> {
    let threads = process::threads()?;
    if threads != 1 {
        return Err(EnterError::Threads { threads });
    }
    // Inside, before the maps are written, both would read as nobody.
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    process::unshare_network(user).map_err(|error| forbidden(error, user))?;
    if user {
        // An unprivileged process may map its own ids only, and the group only once it can no longer drop groups.
        fs::write("/proc/self/setgroups", "deny")
            .and_then(|()| fs::write("/proc/self/uid_map", format!("0 {uid} 1")))
            .and_then(|()| fs::write("/proc/self/gid_map", format!("0 {gid} 1")))
            .map_err(|error| forbidden(error, user))?;
    }
    Ok(())
}

/// May this process make a network namespace without a user namespace around it?
pub fn needs_user_namespace() -> bool {
    !has(rustix::thread::CapabilitySet::SYS_ADMIN)
}

/// May this process change what no user namespace may?
pub fn rules_the_machine() -> bool {
    /// `PROC_USER_INIT_INO` of the kernel's `include/uapi/linux/nsfs.h` and, before it had that name, `proc_ns.h`.
    const INITIAL: &str = "user:[4026531837]";
    !needs_user_namespace() && fs::read_link("/proc/self/ns/user").is_ok_and(|user| user.as_os_str() == INITIAL)
}

/// Does this process have the capability, in the user namespace that it is in?
pub fn has(capability: rustix::thread::CapabilitySet) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(capability))
}

fn forbidden(error: io::Error, user: bool) -> EnterError {
    if !user {
        return EnterError::Other(error);
    }
    match obstacle() {
        Some(obstacle) => EnterError::Forbidden { why: obstacle.why.into(), mend: Some(obstacle.mend.into()) },
        None => EnterError::Forbidden { why: error.to_string(), mend: None },
    }
}

fn read_number<T: FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

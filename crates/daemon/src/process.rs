//! The process keeps its memory to itself: no core dumps, no ptrace, no swap, no panic messages.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

use crate::config::MemoryLock;

/// Capability to lock memory whatever the limit (capabilities(7)).
const CAP_IPC_LOCK: u32 = 14;

/// Memory cannot be locked, so keys may be swapped to a disk.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// The limit is finite: locking would make later allocations fail.
    #[error(
        "memory cannot be locked, so keys may reach the swap: allow it with LimitMEMLOCK=infinity in the systemd unit, \
         `ulimit -l unlimited`, `--ulimit memlock=-1` for a container, or the capability CAP_IPC_LOCK; or accept it with \
         memory.lock = \"if-allowed\""
    )]
    NotAllowed,
    /// The kernel refused for another reason.
    #[error("memory cannot be locked, so keys may reach the swap: {0}")]
    Refused(io::Error),
}

/// Turns core dumps and ptrace off, for this process and its life.
///
/// # Errors
/// When the kernel refuses; the daemon must not start then.
pub fn harden() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    // Not dumpable also means: no ptrace by other processes of the same user, and /proc/self/mem belongs to root.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Locks all memory of this process, what it will use later included, so that no key reaches a swap file. Before any
/// key is read. A warning, where the configuration accepts that it is not allowed.
///
/// # Errors
/// [`NotLocked`] where the configuration requires it.
pub fn lock_memory(wanted: MemoryLock) -> Result<Option<NotLocked>, NotLocked> {
    match (lock(), wanted) {
        (Ok(()), _) => Ok(None),
        (Err(fault), MemoryLock::IfAllowed) => Ok(Some(fault)),
        (Err(fault), MemoryLock::Require) => Err(fault),
    }
}

fn lock() -> Result<(), NotLocked> {
    let limited = getrlimit(Resource::Memlock).current.is_some();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if limited && !may_lock(&status) {
        return Err(NotLocked::NotAllowed);
    }
    // On fault: pages are locked when they are used first, so that what is only reserved takes no memory.
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(all).map_err(|e| NotLocked::Refused(e.into()))
}

/// Whether a process with this `/proc/PID/status` may lock memory beyond its limit.
fn may_lock(status: &str) -> bool {
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    capabilities.is_some_and(|all| all >> CAP_IPC_LOCK & 1 == 1)
}

/// Panics are logged by their place only: the message of a panic may quote what the code had in its hands.
pub fn log_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!(file = place.file(), line = place.line(), "panic"),
        None => tracing::error!("panic"),
    }));
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core_and_cannot_be_traced() {
        harden().expect("the kernel allows it");
        assert_eq!(
            dumpable_behavior().expect("known"),
            DumpableBehavior::NotDumpable
        );
        assert_eq!(
            getrlimit(Resource::Core),
            Rlimit {
                current: Some(0),
                maximum: Some(0)
            }
        );
    }

    #[test]
    fn the_capability_to_lock_memory_is_bit_14() {
        assert!(may_lock("Name:\tsluisd\nCapEff:\t0000000000004000\n"));
        for without in [
            "CapEff:\tffffffffffffbfff",
            "CapPrm:\t0000000000004000",
            "CapEff:\tx",
            "",
        ] {
            assert!(!may_lock(without), "{without}");
        }
    }
}
